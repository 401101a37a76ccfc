"""Where a run's jobs go: kept in the ledger, and not changed once a job may be there."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from geminate.connect import EMULATED_STAGING_URI, Where, open_store, open_tables
from geminate.errors import TargetError, UsageError
from geminate.ledger import UNSENT, Ledger
from geminate.pipeline.submitting.datasets import check_dataset, check_dataset_uri, is_table
from geminate.wire.jobs import JobSettings
from geminate.wire.uris import join_uri, split_gs_uri

_FACT = "target"
_SETTINGS_FACT = "job_settings"
_PROJECT_FACT = "project"
# These only say how to reach the same jobs and buckets, and may be another address after a restart.
_MAY_CHANGE = frozenset({"endpoint", "buckets_path", "answerer", "faults", "impersonate"})
_MAY_CHANGE_UNTIL_SENT = _MAY_CHANGE | {"project", "location"}
_MAY_CHANGE_UNTIL_STAGED = _MAY_CHANGE_UNTIL_SENT | {"staging_uri", "predictions_uri"}


@dataclass(frozen=True, slots=True)
class Target:
    """Where jobs run, and where their files lie.

    Attributes:
        where: The project, location and service.
        staging_uri: Below which request lines and predictions lie, or the dataset of their tables; None for the
            emulator's own bucket.
        predictions_uri: Where predictions lie, if elsewhere.
    """

    where: Where = field(default_factory=Where)
    staging_uri: str | None = None
    predictions_uri: str | None = None

    @property
    def for_table(self) -> bool:
        """Whether request lines become rows of tables, for which the importer's rules do not hold."""
        return is_table(self.staging_uri)

    @property
    def for_bucket(self) -> bool:
        """Whether request lines become objects of a store that outlives the run's folder."""
        return self.staging_uri is not None and not self.for_table and not self.where.emulate

    @property
    def places(self) -> list[str]:
        """All places, each once."""
        return list(dict.fromkeys(filter(None, (self.staging_uri, self.predictions_uri))))


def settle_target(ledger: Ledger, wanted: Target | None) -> Target:
    """The run's target: what was settled before, else what is wanted, which is then settled.

    Raises:
        TargetError: The run goes elsewhere already.
        UsageError: Nothing says where, or no staging place is named.
    """
    target = read_target(ledger, wanted)
    if ledger.facts().get(_FACT) != _encode(target):
        ledger.settle(_FACT, _encode(target))
    return target


def settle_project(ledger: Ledger, project: str) -> None:
    """Nothing; once a create call was made, the run's target has this project, whatever credentials name later.

    Without that a job whose create call is in doubt would be looked for in the wrong place, and be made again.
    """
    if _is_unsent(ledger):
        ledger.settle(_PROJECT_FACT, project)


def settle_settings(ledger: Ledger, wanted: JobSettings | None) -> JobSettings:
    """What the run's next jobs are called and labelled: what is wanted, which is then kept, else what was kept."""
    settings = read_settings(ledger, wanted)
    if wanted is not None:
        ledger.settle(_SETTINGS_FACT, msgspec.to_builtins(settings))
    return settings


def read_settings(ledger: Ledger, wanted: JobSettings | None) -> JobSettings:
    """What ``settle_settings`` would settle, with nothing written."""
    return wanted or msgspec.convert(ledger.facts().get(_SETTINGS_FACT, {}), JobSettings)


def read_target(ledger: Ledger, wanted: Target | None) -> Target:
    """The target that ``settle_target`` would settle, with nothing written.

    Raises:
        TargetError: The run goes elsewhere already.
        UsageError: Nothing says where, or no staging place is named.
    """
    facts = ledger.facts()
    settled = facts.get(_FACT)
    if settled is None and wanted is None:
        raise UsageError(
            "the run has not been submitted",
            remedy="run geminate submit with --staging gs://bucket/prefix or bq://project.dataset, or with --emulate",
        )
    if settled is None:
        return complete_target(wanted)
    before = _decode(settled)
    project = before.where.project or (None if _is_unsent(ledger) else facts.get(_PROJECT_FACT))
    before = replace(before, where=replace(before.where, project=project))
    if wanted is None:
        return before
    target = replace(
        before,
        where=replace(wanted.where, project=wanted.where.project or project),
        staging_uri=wanted.staging_uri or before.staging_uri,
        predictions_uri=wanted.predictions_uri or before.predictions_uri,
    )
    differences = [
        f"{name} was {old!r} and is now {new!r}"
        for (name, old), new in zip(_encode(before).items(), _encode(target).values(), strict=True)
        if old != new and name not in _changeable(ledger)
    ]
    if differences:
        raise TargetError(
            f"{_settled_how(ledger)}: {'; '.join(differences)}",
            remedy="leave the options out to go on there, or build another run",
        )
    return complete_target(target)


def _settled_how(ledger: Ledger) -> str:
    """Why the target is not to be changed, as a clause: how far the run has come."""
    states = {attempt.state for attempt in ledger.attempts()}
    if not states <= UNSENT:
        return "the run was submitted elsewhere"
    return "the run was to go elsewhere" if states <= {"planned"} else "the run's request lines lie elsewhere"


def _is_unsent(ledger: Ledger) -> bool:
    return {attempt.state for attempt in ledger.attempts()} <= UNSENT


def _changeable(ledger: Ledger) -> frozenset[str]:
    """What of a target may still be said otherwise: a mistake that no job was made of can be put right."""
    states = {attempt.state for attempt in ledger.attempts()}
    if states <= {"planned"}:
        return _MAY_CHANGE_UNTIL_STAGED
    return _MAY_CHANGE_UNTIL_SENT if states <= UNSENT else _MAY_CHANGE


def complete_target(wanted: Target | None) -> Target:
    """The target with all that a job needs.

    Raises:
        InputError: A place is neither a Cloud Storage URI nor a dataset, or no dataset can be used in the location.
        UsageError: There is none.
    """
    if wanted is None or (wanted.staging_uri is None and not wanted.where.emulate):
        raise UsageError(
            "nothing says where request lines and predictions should lie",
            remedy="give --staging gs://bucket/prefix or bq://project.dataset, or rehearse with --emulate",
        )
    target = replace(wanted, staging_uri=wanted.staging_uri or EMULATED_STAGING_URI)
    for uri in target.places:
        if is_table(uri):
            check_dataset_uri(uri, target.where.location)
        else:
            split_gs_uri(uri)
    return target


def check_target(wanted: Target | None) -> Target:
    """The target with all that a job needs, its datasets looked at; to be asked before anything is built.

    Raises:
        AccessError: A dataset may not be seen.
        InputError: As ``complete_target``; or a dataset is not there, or lies elsewhere than the jobs.
        UsageError: There is no target.
    """
    target = complete_target(wanted)
    # Those of an embedded emulator are made when they are first used.
    for uri in [] if target.where.emulate else filter(is_table, target.places):
        check_dataset(open_tables(target.where), uri, target.where.location)
    return target


def check_staging(target: Target) -> None:
    """Nothing, where the bucket of the staging place is there and may be looked into; to be asked before any work.

    Raises:
        AccessError: It may not.
        InputError: There is none.
    """
    if target.staging_uri is not None:
        next(open_store(target.where).list(join_uri(target.staging_uri, "")), None)


def _encode(target: Target) -> dict[str, Any]:
    where = asdict(target.where)
    if where["buckets_path"] is not None:
        where["buckets_path"] = str(where["buckets_path"])
    return {**where, "staging_uri": target.staging_uri, "predictions_uri": target.predictions_uri}


def _decode(document: dict[str, Any]) -> Target:
    fields = dict(document)
    places = fields.pop("staging_uri"), fields.pop("predictions_uri", None)
    if fields["buckets_path"] is not None:
        fields["buckets_path"] = Path(fields["buckets_path"])
    return Target(Where(**fields), *places)
