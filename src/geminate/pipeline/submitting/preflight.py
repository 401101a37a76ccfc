"""Preflight: what can be known to go wrong is told before anything is paid, each in one sentence with its remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from geminate.errors import AccessError, InputError, TargetError
from geminate.pipeline.building.opening import DEFAULT_STORES
from geminate.pipeline.pace.patience import call_patiently
from geminate.pipeline.pace.progress import Notify, Progress
from geminate.pipeline.submitting.datasets import check_dataset, is_table
from geminate.pipeline.submitting.plan import JobPlan
from geminate.ports import Clock, JobService, ObjectStore, TableStore
from geminate.wire.jobs import RUN_LABEL, label_filter
from geminate.wire.limits import LIMITS
from geminate.wire.places import bucket_warning, location_warning
from geminate.wire.uris import join_uri, split_gs_uri, tuned_model_location

PROBE_NAME = "preflight.txt"
_PROBE = b"Geminate wrote this to see whether it can, and removes it again.\n"
_SERVICE_ROLE = "grant the caller roles/aiplatform.user on the project, and enable the API aiplatform.googleapis.com"
_DATASET_ROLE = "grant the caller roles/bigquery.dataEditor on the dataset, and roles/bigquery.jobUser on the project"
_BUCKET_ROLE = "grant the caller roles/storage.objectUser on the bucket"


@dataclass(frozen=True, slots=True)
class Preflight:
    """What is looked at before the first create call of a run.

    Attributes:
        plan: What its jobs are asked.
        location: Where they run.
        store: Where their lines and predictions lie.
        jobs: The service.
        locate: The location of a bucket, None where nobody can tell.
        tables: Opens the store of datasets.
    """

    plan: JobPlan
    location: str
    store: ObjectStore
    jobs: JobService
    locate: Callable[[str], str | None]
    tables: Callable[[], TableStore] = DEFAULT_STORES.tables

    def check(self, clock: Clock, notify: Notify) -> None:
        """Nothing, where nothing is known to be in the way; what only looks odd is a notice.

        Makes one object and removes it again, and lists jobs; makes no job.

        Raises:
            AccessError: There are no credentials, or they lack a role.
            InputError: A limit is exceeded; the location or bucket does not exist.
            TransientError: The service or the store did not answer.
        """
        checks = (self._check_limits, self._check_location, self._check_service, self._check_places)
        for done, check in enumerate(checks):
            notify(Progress("preflight", done, len(checks), "checks"))
            for warning in call_patiently(check, clock):
                notify(Progress("preflight", done, len(checks), "checks", notice=f"warning: {warning}"))

    def _check_limits(self) -> list[str]:
        manifest = self.plan.manifest
        for shard in manifest.shards:
            file_bytes = 0 if manifest.for_table else shard.size_bytes
            for count, most, unit, option in (
                (shard.rows, LIMITS.max_requests_per_job, "requests", "--shard-rows"),
                (file_bytes, LIMITS.max_input_file_bytes, "bytes", "--shard-bytes"),
            ):
                if count > most:
                    raise InputError(
                        f"{count:,} {unit}, and a job takes at most {most:,}",
                        where=f"shard {shard.name}",
                        remedy=f"build the run again with a smaller {option}",
                    )
        return []

    def _check_location(self) -> list[str]:
        model = self.plan.manifest.model
        home = tuned_model_location(model)
        if home not in {None, self.location}:
            return [f"the tuned model lies in {home}, and the jobs run in {self.location}: {model}"]
        return list(filter(None, [location_warning(model, self.location)]))

    def _check_service(self) -> list[str]:
        with _remedied(_SERVICE_ROLE):
            next(iter(self.jobs.list(label_filter(RUN_LABEL, self.plan.manifest.run_id))), None)
        return []

    def _check_places(self) -> list[str]:
        warnings = []
        for place in self.plan.places:
            if is_table(place):
                with _remedied(_DATASET_ROLE):
                    check_dataset(self.tables(), place, self.location)
            else:
                warnings += self._check_bucket(place)
        return warnings

    def _check_bucket(self, place: str) -> list[str]:
        uri = join_uri(place, self.plan.manifest.run_id, PROBE_NAME)
        with _remedied(_BUCKET_ROLE):
            try:
                info = self.store.write(uri, [_PROBE])
            except TargetError:
                # A preflight that was killed left it.
                found = self.store.stat(uri)
                if found is None:
                    raise
                info = found
            except InputError as error:
                raise InputError(error.what, where=place, remedy="make the bucket first, or name another") from error
            if b"".join(self.store.read(info)) != _PROBE:
                raise InputError("something else is where the preflight writes", where=uri, remedy="remove it")
        warnings = []
        try:
            self.store.delete(info)
        except AccessError:
            warnings.append(f"{uri} stays, since the caller may not delete it; a run deletes nothing else")
        bucket = f"gs://{split_gs_uri(uri)[0]}"
        location = self.locate(bucket)
        warning = location and bucket_warning(bucket, location, self.location)
        return [*warnings, warning] if warning else warnings


@contextmanager
def _remedied(remedy: str) -> Iterator[None]:
    """Refused access is told with the role that is missing."""
    try:
        yield
    except AccessError as error:
        if "credentials" in error.what:
            raise
        remedies = f"{remedy}; {error.remedy}" if error.remedy else remedy
        raise AccessError(error.what, where=error.where, remedy=remedies) from error
