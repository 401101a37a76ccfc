"""The budget of a run: what it may cost and how many jobs it may make, asked before the first of them."""

from __future__ import annotations

from dataclasses import dataclass

from geminate.errors import InputError, counted
from geminate.ledger import UNSENT, Attempt
from geminate.pipeline.pace.progress import Notify
from geminate.pipeline.run_folder.folder import Manifest, RunFolder


@dataclass(frozen=True, slots=True)
class Budget:
    """What a run may use, all its attempts together, those included that have their jobs already.

    Attributes:
        max_cost_usd: What it may cost, in US dollars; None for any amount.
        max_jobs: How many jobs it may make; None for any number.
        history: What the estimate rests on, as in ``geminate.estimate``.
    """

    max_cost_usd: float | None = None
    max_jobs: int | None = None
    history: str | None = None

    def check(self, folder: RunFolder, manifest: Manifest, attempts: list[Attempt], notify: Notify) -> None:
        """Nothing, where the run keeps to it, or has nothing left to send.

        Its cost is the high end of an estimate of all its request lines. Nobody outside is asked.

        Raises:
            InputError: It does not, or nobody knows.
        """
        if not any(attempt.state in UNSENT for attempt in attempts):
            return
        attempts = [attempt for attempt in attempts if attempt.state != "abandoned"]
        if self.max_jobs is not None and len(attempts) > self.max_jobs:
            raise InputError(
                f"it makes {counted(len(attempts), 'job')}, and the limit is {self.max_jobs:,}",
                where=str(folder.path),
                remedy="raise --max-jobs, or build fewer shards",
            )
        if self.max_cost_usd is not None:
            self._check_cost(folder, manifest, attempts, notify)

    def _check_cost(self, folder: RunFolder, manifest: Manifest, attempts: list[Attempt], notify: Notify) -> None:
        # What an estimate needs is much, and few runs have a budget.
        from geminate.pipeline.estimate import estimate_attempts
        from geminate.stages.estimates import format_usd

        cost = estimate_attempts(folder, manifest, attempts, self.history, notify).cost_usd
        limit = format_usd(self.max_cost_usd or 0)
        if cost is None:
            raise InputError(
                f"no price is known for {manifest.model!r}, so nothing says that it costs at most {limit}",
                where=str(folder.path),
                remedy="leave out --max-cost",
            )
        if cost.high > (self.max_cost_usd or 0):
            raise InputError(
                f"it may cost up to {format_usd(cost.high)}, likely {format_usd(cost.likely)}, "
                f"and the limit is {limit}",
                where=str(folder.path),
                remedy="raise --max-cost, bound the answers with maxOutputTokens and a thinking budget, "
                "or give --history",
            )
