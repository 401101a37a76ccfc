"""The spec: the model, the request with its slots, the answer schema."""

from geminate.stages.specs.media import MediaOptions
from geminate.stages.specs.slots import Piece, Slot, Template, open_environment, parse_text
from geminate.stages.specs.spec import Spec, load_answer
from geminate.stages.specs.splitting import split_template

__all__ = [
    "MediaOptions",
    "Piece",
    "Slot",
    "Spec",
    "Template",
    "load_answer",
    "open_environment",
    "parse_text",
    "split_template",
]
