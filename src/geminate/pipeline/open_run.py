"""A run that is being worked on: locked, its target settled, and what it reaches outside opened."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from geminate.connect import Outside, locate_bucket
from geminate.ledger import UNSENT, Ledger
from geminate.pipeline.pace.progress import Notify
from geminate.pipeline.run_folder.folder import Manifest, RunFolder
from geminate.pipeline.submit import SubmitOptions, Submitter
from geminate.pipeline.submitting.preflight import Preflight
from geminate.pipeline.submitting.staging import Stager
from geminate.pipeline.submitting.target import Target, settle_project, settle_settings
from geminate.pipeline.wait import PollOptions
from geminate.ports import Clock

if TYPE_CHECKING:
    from geminate.pipeline.collect import CollectOptions, Collector

# An emulator answers at once and forgets nothing, so there is no point in patience.
_EMULATED_GRACE_S = 0.5
_EMULATED_POLL = PollOptions(0.05, 1.0, doubt_grace_s=_EMULATED_GRACE_S)


@dataclass(frozen=True, slots=True)
class OpenRun:
    """What the steps of a run need, gathered once."""

    folder: RunFolder
    manifest: Manifest
    clock: Clock
    ledger: Ledger
    target: Target
    outside: Outside

    @property
    def poll(self) -> PollOptions:
        """How often its jobs are asked about."""
        return _EMULATED_POLL if self.target.where.is_local else PollOptions()

    def collector(self, options: CollectOptions | None = None) -> Collector:
        """What reads its predictions."""
        from geminate.pipeline.collect import CollectOptions, Collector

        outside = self.outside
        return Collector(
            self.folder, self.manifest, self.ledger, outside.store, options or CollectOptions(), outside.tables
        )

    def submitter(self, options: SubmitOptions) -> Submitter:
        """What makes its jobs; their project and settings are settled."""
        if self.target.where.is_local and options.doubt_grace_s is None:
            options = replace(options, doubt_grace_s=_EMULATED_GRACE_S)
        settle_project(self.ledger, self.outside.project)
        stager = Stager(
            self.folder,
            self.manifest,
            self.ledger,
            self.outside.store,
            self.target.staging_uri or "",
            self.clock,
            settle_settings(self.ledger, options.settings),
            self.target.predictions_uri,
            self.outside.tables,
        )
        return Submitter(stager, self.ledger, self.outside.jobs, self.clock, options)

    def check(self, submitter: Submitter, notify: Notify) -> None:
        """Nothing, where nothing is known to be in the way of jobs that are still to be made, if that is asked."""
        if submitter.options.preflight and any(each.state in UNSENT for each in self.ledger.attempts()):
            where, outside = self.target.where, self.outside
            locate = partial(locate_bucket, where)
            preflight = Preflight(
                submitter.stager.plan, where.location, outside.store, outside.jobs, locate, outside.tables
            )
            preflight.check(self.clock, notify)
