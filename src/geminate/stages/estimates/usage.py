"""What earlier predictions used, beside what their requests were taken to use."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from geminate.stages.estimates.ranges import Range

# However many rows there were, other prompts differ from them.
_LEAST_DOUBT = 0.03


@dataclass(frozen=True, slots=True)
class Usage:
    """The measure of earlier predictions.

    Attributes:
        rows: How many told their usage.
        input_factor: What their input tokens were of the estimate.
        output: Tokens that one wrote, thoughts included.
        cached_share: How much of their input was cached.
        emulated: Whether no model wrote them.
    """

    rows: int
    input_factor: Range
    output: Range
    cached_share: float
    emulated: bool = False


@dataclass(slots=True)
class _Mean:
    """A mean of numbers that pass by."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, values: npt.NDArray[np.float64]) -> None:
        self.count += len(values)
        self.total += float(values.sum())
        self.squares += float((values**2).sum())

    def range(self) -> Range:
        """The mean, and where that of other prompts may lie: two standard errors and a little more."""
        mean = self.total / self.count
        variance = max(self.squares / self.count - mean**2, 0.0)
        doubt = 2 * math.sqrt(variance / self.count) + mean * (_LEAST_DOUBT + 1 / self.count)
        return Range(max(mean - doubt, 0.0), mean, mean + doubt)


@dataclass(slots=True)
class UsageMeter:
    """Adds up what predictions used; memory does not grow."""

    _factors: _Mean = field(default_factory=_Mean)
    _outputs: _Mean = field(default_factory=_Mean)
    _input: float = 0.0
    _cached: float = 0.0

    def add(
        self,
        estimated: npt.NDArray[np.float64],
        prompt: npt.NDArray[np.float64],
        output: npt.NDArray[np.float64],
        cached: npt.NDArray[np.float64],
    ) -> None:
        """Nothing; counts some predictions that told their usage.

        Args:
            estimated: What their input was estimated at.
            prompt: What it was.
            output: What they wrote, thoughts included.
            cached: What of the input was cached.
        """
        sent = estimated > 0
        self._factors.add(prompt[sent] / estimated[sent])
        self._outputs.add(output)
        self._input += float(prompt.sum())
        self._cached += float(cached.sum())

    def usage(self) -> Usage | None:
        """What was measured; None where no prediction told its usage."""
        if not self._factors.count:
            return None
        share = self._cached / self._input if self._input else 0.0
        return Usage(self._outputs.count, self._factors.range(), self._outputs.range(), share)
