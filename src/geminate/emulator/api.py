"""The calls on ``batchPredictionJobs``: what each takes, does and answers."""

from __future__ import annotations

import base64
import re
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import msgspec

from geminate.emulator.bodies import check_body
from geminate.emulator.filters import compile_filter
from geminate.emulator.jobs import CANCELLING, TERMINAL, Job, encode_job
from geminate.emulator.statuses import CALL_STATUSES, ApiError
from geminate.emulator.times import rfc3339
from geminate.emulator.work import Shop
from geminate.emulator.worker import Worker

_PARENT = r"/v1(?:beta1)?/projects/(?P<project>[^/:]+)/locations/(?P<location>[^/:]+)/batchPredictionJobs"
_ROUTES = [
    ("POST", re.compile(_PARENT), "create"),
    ("GET", re.compile(_PARENT), "list"),
    ("GET", re.compile(rf"{_PARENT}/(?P<job_id>[^/:]+)"), "get"),
    ("DELETE", re.compile(rf"{_PARENT}/(?P<job_id>[^/:]+)"), "delete"),
    ("POST", re.compile(rf"{_PARENT}/(?P<job_id>[^/:]+):cancel"), "cancel"),
]
# What any Google API takes, by the discovery document, revision 20261106.
_COMMON_PARAMETERS = frozenset(
    [
        "$.xgafv",
        "$alt",
        "$prettyPrint",
        "access_token",
        "alt",
        "callback",
        "fields",
        "key",
        "oauth_token",
        "prettyPrint",
        "quotaUser",
        "uploadType",
        "upload_protocol",
    ]
)
_LIST_PARAMETERS = frozenset({"filter", "pageSize", "pageToken", "readMask"})
_DEFAULT_PAGE_SIZE, _MAX_PAGE_SIZE = 50, 1000
# Job numbers have up to 19 digits, as the service's do.
_ID_FLOOR, _ID_SPAN = 10**18, 8 * 10**18


@dataclass(frozen=True, slots=True)
class Call:
    """A call, read from its HTTP request.

    Attributes:
        name: What it is for: create, list, get, delete or cancel.
        path: The parts of the path by name.
        query: The query parameters.
        body: The body's bytes.
        job_fault: What the job that it makes shall meet, instead of what the fault script says.
    """

    name: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    job_fault: dict[str, Any] | None = None


def match_route(method: str, path: str) -> tuple[str, dict[str, str]]:
    """The call that a method and path mean, and the path's parts.

    Raises:
        ApiError: They mean none.
    """
    for route_method, pattern, name in _ROUTES:
        found = pattern.fullmatch(path)
        if found and method == route_method:
            return name, found.groupdict()
    raise ApiError(404, "NOT_FOUND", f"The emulator has no {method} {path}.")


class JobApi:
    """Answers calls.

    Args:
        shop: The jobs and what they share.
        worker: What moves them.
    """

    def __init__(self, shop: Shop, worker: Worker) -> None:
        self._shop = shop
        self._worker = worker
        # Jobs are made one after another, since a fault script counts them.
        self._creating = threading.Lock()
        self._calls: dict[str, Callable[[Call], dict[str, Any]]] = {
            "create": self._create,
            "list": self._list,
            "get": self._get,
            "delete": self._delete,
            "cancel": self._cancel,
        }

    def answer(self, call: Call) -> dict[str, Any]:
        """The document that answers the call.

        Raises:
            ApiError: It is refused.
        """
        known = _COMMON_PARAMETERS | (_LIST_PARAMETERS if call.name == "list" else frozenset())
        if unknown := sorted(set(call.query) - known):
            raise _invalid(
                f'Invalid JSON payload received. Unknown name "{unknown[0]}": Cannot bind query parameter. '
                f"Field '{unknown[0]}' could not be found in request message."
            )
        return self._calls[call.name](call)

    def _create(self, call: Call) -> dict[str, Any]:
        shop = self._shop
        body = check_body(_decode(call.body), shop.options.limits, shop.options.models)
        if call.path["location"] == "global" and (
            "bigquerySource" in body["inputConfig"] or "bigqueryDestination" in body["outputConfig"]
        ):
            raise _invalid(
                "BigQuery tables are not supported in the location global. Name the region of their dataset."
            )
        with self._creating:
            ordinal, now = shop.store.next_ordinal(), shop.now()
            job = Job(
                id=self._new_id(ordinal),
                ordinal=ordinal,
                project=call.path["project"],
                location=call.path["location"],
                body=body,
                create_time=now,
                update_time=now,
                fault=shop.faults.job_entry(body, shop.store.jobs()) if call.job_fault is None else call.job_fault,
            )
            shop.store.add(job)
        self._worker.add(job)
        return encode_job(job)

    def _list(self, call: Call) -> dict[str, Any]:
        parent = f"projects/{call.path['project']}/locations/{call.path['location']}"
        matches, before = compile_filter(call.query.get("filter", "")), _decode_token(call.query.get("pageToken", ""))
        size, now = _page_size(call.query.get("pageSize", "")), self._shop.now()
        found = [
            job
            for job in reversed(self._shop.store.jobs())
            if job.parent == parent and (before is None or job.ordinal < before) and matches(job)
            if now >= job.create_time + self._shop.faults.job_fault(job.fault).listed_after_s
        ]
        shown = [_masked(encode_job(job), call.query.get("readMask", "")) for job in found[:size]]
        page: dict[str, Any] = {"batchPredictionJobs": shown} if shown else {}
        if len(found) > size:
            page["nextPageToken"] = _encode_token(found[size - 1].ordinal)
        return page

    def _get(self, call: Call) -> dict[str, Any]:
        return encode_job(self._job(call))

    def _cancel(self, call: Call) -> dict[str, Any]:
        _decode(call.body or b"{}")
        job = self._job(call)
        changed = self._shop.store.update(job.id, state=CANCELLING, update_time=self._shop.now())
        if changed.state != CANCELLING:
            raise _precondition(f"Cannot cancel the job {job.name}: it is in state {changed.state}.")
        self._worker.wake(job.id)
        return {}

    def _delete(self, call: Call) -> dict[str, Any]:
        job = self._job(call)
        if job.state not in TERMINAL:
            raise _precondition(f"Cannot delete the job {job.name}: it is in state {job.state}, which is not final.")
        self._shop.store.delete(job.id)
        now = rfc3339(self._shop.now())
        kind = "type.googleapis.com/google.cloud.aiplatform.v1.DeleteOperationMetadata"
        return {
            "name": f"{job.parent}/operations/{job.id}",
            "metadata": {"@type": kind, "genericMetadata": {"createTime": now, "updateTime": now}},
            "done": True,
            "response": {"@type": "type.googleapis.com/google.protobuf.Empty"},
        }

    def _job(self, call: Call) -> Job:
        job = self._shop.store.get(call.path["job_id"])
        if job is None or (job.project, job.location) != (call.path["project"], call.path["location"]):
            raise ApiError(404, *CALL_STATUSES[404])
        return job

    def _new_id(self, ordinal: int) -> str:
        seed = self._shop.options.seed
        text = secrets.token_bytes(8) if seed is None else f"{seed}/{ordinal}".encode()
        return str(_ID_FLOOR + int.from_bytes(blake2b(text, digest_size=8).digest()) % _ID_SPAN)


def _decode(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _invalid(f"Invalid JSON payload received. {error}") from None


def _page_size(text: str) -> int:
    if not text or text == "0":
        return _DEFAULT_PAGE_SIZE
    if not text.isdecimal():
        raise _invalid(f"Invalid page size: {text!r}.")
    return min(int(text), _MAX_PAGE_SIZE)


def _encode_token(ordinal: int) -> str:
    return base64.urlsafe_b64encode(str(ordinal).encode()).decode()


def _decode_token(token: str) -> int | None:
    if not token:
        return None
    try:
        return int(base64.urlsafe_b64decode(token.encode()))
    except ValueError:
        raise _invalid(f"Invalid page token: {token!r}.") from None


def _masked(shown: dict[str, Any], mask: str) -> dict[str, Any]:
    if not mask:
        return shown
    wanted = {re.sub(r"_([a-z])", lambda found: found[1].upper(), name) for name in mask.split(",")}
    return {name: value for name, value in shown.items() if name in wanted}


def _invalid(message: str) -> ApiError:
    return ApiError(400, "INVALID_ARGUMENT", message)


def _precondition(message: str) -> ApiError:
    return ApiError(400, "FAILED_PRECONDITION", message)
