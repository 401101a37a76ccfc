"""Peer: ``orjson.loads`` line by line, joined through a dict."""

import orjson
import row_loop

if __name__ == "__main__":
    row_loop.main(orjson.loads)
