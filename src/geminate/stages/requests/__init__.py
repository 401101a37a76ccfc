"""Specs compiled, and record batches of prompts encoded to request lines."""

from geminate.stages.requests.compiling import compile_requests
from geminate.stages.requests.encoder import RequestBlock, RequestEncoder, join_lines

__all__ = ["RequestBlock", "RequestEncoder", "compile_requests", "join_lines"]
