"""THE FORMAT: how the service writes things down. Pure: no IO, no clock, no SDK."""
