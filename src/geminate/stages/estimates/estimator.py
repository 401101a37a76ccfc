"""Request lines in, their requests, tokens and cost out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from geminate.errors import counted
from geminate.stages.estimates.costs import cost_usd
from geminate.stages.estimates.meter import Measured, RequestMeter
from geminate.stages.estimates.ranges import NOTHING, Range
from geminate.stages.estimates.usage import Usage
from geminate.wire.prices import PriceList, find_prices


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a set of requests will use and cost.

    Attributes:
        model: Their model.
        requests: How many there are.
        rejected: Prompts that have none, since they break a rule.
        input_tokens: Their input, media included.
        output_tokens: What the model writes, thoughts included.
        cost_usd: In US dollars, at batch rates; None where the model's price is not known.
        prices: Where the prices come from; None where they are not known.
        media: Media of the requests, by kind.
        history_rows: Earlier predictions that the estimate rests on.
        notes: What its reader should know, a sentence each.
    """

    model: str
    requests: int
    rejected: int
    input_tokens: Range
    output_tokens: Range
    cost_usd: Range | None
    prices: PriceList | None
    media: dict[str, int]
    history_rows: int
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Totals:
    requests: int = 0
    input: Range = NOTHING
    output: Range = NOTHING
    cost: Range = NOTHING
    media: Counter[str] = field(default_factory=Counter)
    unbounded: int = 0
    searching: int = 0


class Estimator:
    """Adds up request lines, block by block; memory is that of one block.

    Args:
        model: Their model.
        days: The first and the last day on which they may be billed, as ISO dates.
        usage: What earlier predictions used; it takes the place of every assumption.
    """

    def __init__(self, model: str, days: tuple[str, str], usage: Usage | None = None) -> None:
        self._model = model
        self._prices = find_prices(model)
        self._in_force = self._prices.between(*days) if self._prices else ()
        self._usage = usage
        self._meter = RequestMeter(model)
        self._totals = _Totals()

    def add(self, lines: Sequence[bytes]) -> None:
        """Nothing; counts these request lines."""
        measured = self._corrected(self._meter.measure(lines))
        totals, usage = self._totals, self._usage
        totals.requests += len(lines)
        totals.input = totals.input.plus((measured.plain + measured.audio).sum(axis=1).tolist())
        totals.output = totals.output.plus(measured.output.sum(axis=1).tolist())
        totals.media += measured.media
        totals.unbounded += measured.unbounded
        totals.searching += measured.searching
        if self._in_force:
            share = usage.cached_share if usage else 0.0
            cost = cost_usd(self._in_force, measured.plain, measured.audio, measured.output, share)
            totals.cost = totals.cost.plus(cost)

    def estimate(self, rejected: int = 0) -> Estimate:
        """What all lines so far will use and cost."""
        totals = self._totals
        return Estimate(
            model=self._model,
            requests=totals.requests,
            rejected=rejected,
            input_tokens=totals.input.rounded(),
            output_tokens=totals.output.rounded(),
            cost_usd=totals.cost if self._in_force else None,
            prices=self._prices,
            media=dict(sorted(totals.media.items())),
            history_rows=self._usage.rows if self._usage else 0,
            notes=tuple(self._iter_notes()),
        )

    def _corrected(self, measured: Measured) -> Measured:
        if self._usage is None:
            return measured
        factor = np.array(self._usage.input_factor)[:, None]
        output = np.minimum(np.array(self._usage.output)[:, None], measured.output[2])
        return measured._replace(plain=measured.plain[1] * factor, audio=measured.audio[1] * factor, output=output)

    def _iter_notes(self) -> Iterator[str]:
        totals = self._totals
        if not self._prices:
            yield f"no price is known for {self._model!r}, so there is no cost"
        if len(self._in_force) > 1:
            yield f"the price changes on {self._in_force[-1].from_day}; the high end is reckoned with the dearer one"
        if totals.searching:
            yield f"a search tool is billed by its use, and not in the cost: {counted(totals.searching, 'request')}"
        if self._usage is not None and self._usage.emulated:
            yield "the history is of a rehearsal, whose usage is made up"
        if self._usage is None:
            if totals.unbounded:
                yield (
                    f"nothing bounds the answers of {counted(totals.unbounded, 'request')}, so the high end is the "
                    "model's limit; set maxOutputTokens and a thinking budget, or give --history"
                )
            lengthy = sum(count for kind, count in totals.media.items() if kind != "image")
            if lengthy:
                yield f"media of unknown length: {lengthy:,}; the range is wide, give --history"
