"""The limit of parsing: simdjson over every line, nothing taken out: ``PREDICTIONS.jsonl``."""

import sys
from pathlib import Path

import simdjson


def main() -> None:
    parse = simdjson.Parser().parse
    with Path(sys.argv[1]).open("rb", buffering=1 << 20) as file:
        for line in file:
            parse(line)  # The result is dropped at once, since the parser has room for one document.


if __name__ == "__main__":
    main()
