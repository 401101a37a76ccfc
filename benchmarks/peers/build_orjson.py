"""Peer: a careful loop with ``orjson`` and ``jsonschema_rs``."""

import json

import build_loop
import jsonschema_rs
import orjson

if __name__ == "__main__":
    schema = json.loads(build_loop.SCHEMA_PATH.read_text())
    build_loop.run(orjson.dumps, jsonschema_rs.validator_for(schema).is_valid)
