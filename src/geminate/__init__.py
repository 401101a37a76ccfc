"""Geminate pairs every prompt with its Gemini prediction."""

__version__ = "0.1.0"
