"""What each attempt's job is asked: known before anything is uploaded or sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geminate.ledger import SETTLED, Attempt
from geminate.pipeline.folder import Manifest, RunFolder
from geminate.wire.jobs import JobRequest, JobSettings, encode_job
from geminate.wire.uris import join_uri


@dataclass(frozen=True, slots=True)
class Draft:
    """A create call that was not made.

    Attributes:
        attempt_id: The attempt it would be for.
        path: The request lines in the run's folder.
        input_uri: Where they would lie for the service.
        body: The call's body.
    """

    attempt_id: str
    path: Path
    input_uri: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Preview:
    """Create calls that were not made, and where they would go; None where an embedded emulator would answer."""

    url: str | None
    drafts: list[Draft]


@dataclass(frozen=True, slots=True)
class JobPlan:
    """What the jobs of a run have in common.

    Attributes:
        folder: The run's folder.
        manifest: Its manifest.
        staging_uri: Below which its lines and predictions lie, ``gs://bucket/prefix``.
        settings: What the jobs are called and labelled.
    """

    folder: RunFolder
    manifest: Manifest
    staging_uri: str
    settings: JobSettings

    def request(self, attempt: Attempt) -> JobRequest:
        """What the attempt's job is asked; an attempt that is staged stays where it is."""
        run_id, attempt_id = self.manifest.run_id, attempt.attempt_id
        name = self.folder.requests_path(attempt.shard, attempt.number).name
        return JobRequest(
            attempt_id=attempt_id,
            run_id=run_id,
            model=self.manifest.model,
            input_uri=attempt.input_uri or join_uri(self.staging_uri, run_id, name),
            output_uri=attempt.output_prefix_uri or join_uri(self.staging_uri, run_id, "predictions", attempt_id),
            settings=self.settings,
        )

    def drafts(self, attempts: Iterable[Attempt]) -> list[Draft]:
        """The create calls that are still to be made, one for each attempt that may still get a job.

        Raises:
            InputError: The model is none that a job can name.
        """
        drafts = []
        for attempt in attempts:
            if attempt.state not in SETTLED:
                request = self.request(attempt)
                path = self.folder.requests_path(attempt.shard, attempt.number)
                drafts.append(Draft(attempt.attempt_id, path, request.input_uri, encode_job(request)))
        return drafts
