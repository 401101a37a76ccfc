"""What each attempt's job is asked: known before anything is uploaded or sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geminate.ledger import SETTLED, Attempt
from geminate.pipeline.run_folder.folder import Manifest, RunFolder
from geminate.pipeline.submitting.datasets import is_table
from geminate.wire.jobs import JobRequest, JobSettings, encode_job
from geminate.wire.uris import join_uri


@dataclass(frozen=True, slots=True)
class Draft:
    """A create call that was not made.

    Attributes:
        attempt_id: The attempt it would be for.
        path: The request lines in the run's folder; None where they would be made from its prompts.
        input_uri: Where they would lie for the service.
        body: The call's body.
        is_uploaded: Whether they would be uploaded; not where a former job's output is gone on from.
    """

    attempt_id: str
    path: Path | None
    input_uri: str
    body: dict[str, Any]
    is_uploaded: bool


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
        staging_uri: Below which its lines and predictions lie, ``gs://bucket/prefix``, or ``bq://project.dataset``.
        settings: What the jobs are called and labelled.
        predictions_uri: Where predictions lie, if elsewhere.
    """

    folder: RunFolder
    manifest: Manifest
    staging_uri: str
    settings: JobSettings
    predictions_uri: str | None = None

    @property
    def places(self) -> list[str]:
        """Where lines and predictions lie, each place once."""
        return list(dict.fromkeys([self.staging_uri, self.predictions_uri or self.staging_uri]))

    def request(self, attempt: Attempt) -> JobRequest:
        """What the attempt's job is asked; an attempt that is staged stays where it is."""
        run_id, attempt_id = self.manifest.run_id, attempt.attempt_id
        return JobRequest(
            attempt_id=attempt_id,
            run_id=run_id,
            model=self.manifest.model,
            input_uri=attempt.input_uri or self._input_uri(attempt),
            output_uri=attempt.output_prefix_uri or self._output_uri(attempt),
            settings=self.settings,
        )

    def _input_uri(self, attempt: Attempt) -> str:
        if is_table(self.staging_uri):
            return _table_uri(self.staging_uri, "requests", attempt)
        name = self.folder.requests_path(attempt.shard, attempt.number).name
        return join_uri(self.staging_uri, self.manifest.run_id, name)

    def _output_uri(self, attempt: Attempt) -> str:
        place = self.places[-1]
        if is_table(place):
            return _table_uri(place, "predictions", attempt)
        return join_uri(place, self.manifest.run_id, "predictions", attempt.attempt_id)

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
                kept, uri, body = path if path.exists() else None, request.input_uri, encode_job(request)
                drafts.append(Draft(attempt.attempt_id, kept, uri, body, is_uploaded=not attempt.resumes))
        return drafts


def _table_uri(dataset_uri: str, kind: str, attempt: Attempt) -> str:
    return f"{dataset_uri}.{kind}_{attempt.attempt_id.replace('-', '_')}"
