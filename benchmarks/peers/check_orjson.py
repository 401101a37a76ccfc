"""Peer of ``geminate check``: ``orjson`` and ``jsonschema_rs`` line by line: ``FOLDER``. No import rules, no limits."""

import json
import sys
from pathlib import Path

import jsonschema_rs
import orjson
from build_loop import SCHEMA_PATH


def main() -> None:
    validator = jsonschema_rs.validator_for(json.loads(SCHEMA_PATH.read_text()))
    invalid = 0
    for path in sorted(Path(sys.argv[1]).glob("requests-*.jsonl")):
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                for error in validator.iter_errors(orjson.loads(line)["request"]):
                    invalid += 1
                    print(f"{path}:{number}: {error.message}")
    sys.exit(1 if invalid else 0)


if __name__ == "__main__":
    main()
