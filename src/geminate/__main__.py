"""``python -m geminate``."""

from geminate.cli import main

main()
