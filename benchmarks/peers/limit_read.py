"""The limit of reading: every byte of a file, once: ``FILE``."""

import sys
from pathlib import Path


def main() -> None:
    piece = bytearray(1 << 20)
    with Path(sys.argv[1]).open("rb", buffering=0) as file:
        while file.readinto(piece):
            pass


if __name__ == "__main__":
    main()
