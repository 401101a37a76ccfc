"""Peer: ``json.loads`` line by line, joined through a dict."""

import json

import row_loop

if __name__ == "__main__":
    row_loop.main(json.loads)
