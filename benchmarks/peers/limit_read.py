"""The limit of reading: every byte, once: ``FILE…``."""

import sys
from pathlib import Path


def main() -> None:
    piece = bytearray(1 << 20)
    for path in sys.argv[1:]:
        with Path(path).open("rb", buffering=0) as file:
            while file.readinto(piece):
                pass


if __name__ == "__main__":
    main()
