"""Vertex AI batch prediction on loopback: the whole service a pipeline needs, faults included.

It is written apart from the rest of Geminate, so that each can catch the other's mistakes.
"""

from geminate.emulator.faults import FAULT_HEADER
from geminate.emulator.lifecycle import Emulator, serve
from geminate.emulator.options import EmulatorOptions
from geminate.emulator.statuses import RowError

__all__ = ["FAULT_HEADER", "Emulator", "EmulatorOptions", "RowError", "serve"]
