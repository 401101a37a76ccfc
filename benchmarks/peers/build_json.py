"""Peer: the same loop with ``json`` and ``jsonschema``."""

import json

import build_loop
import jsonschema

if __name__ == "__main__":
    schema = json.loads(build_loop.SCHEMA_PATH.read_text())
    build_loop.run(
        lambda value: json.dumps(value, ensure_ascii=False).encode(),
        jsonschema.Draft202012Validator(schema).is_valid,
    )
