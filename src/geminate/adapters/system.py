"""The machine's own time and chance."""

from __future__ import annotations

import random
import time

from geminate.pauses import pause_for


class SystemClock:
    """A ``Clock`` that really waits."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Nothing, after that long, unless the work of the thread is given up."""
        pause_for(seconds)

    def random(self) -> float:
        """A number from 0 up to 1."""
        return random.random()  # noqa: S311 jitter needs no secrecy
