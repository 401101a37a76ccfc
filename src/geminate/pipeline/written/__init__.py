"""Joined rows into outputs, whole or not at all, with what they count beside them."""
