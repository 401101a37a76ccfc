"""Peer: the careful loop with jinja2 for texts that have logic in them."""

import json

import build_loop
import jinja2
import jsonschema_rs
import orjson

if __name__ == "__main__":
    schema = json.loads(build_loop.SCHEMA_PATH.read_text())
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    build_loop.run(
        orjson.dumps,
        jsonschema_rs.validator_for(schema).is_valid,
        lambda text: environment.from_string(text).render,
    )
