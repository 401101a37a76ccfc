"""What BigQuery's refusals become, and that nothing but the named server is dialled."""

import time
from contextlib import closing
from types import SimpleNamespace

import pytest
from google.api_core.exceptions import Forbidden
from google.api_core.retry import Retry
from google.auth.credentials import AnonymousCredentials
from google.auth.transport.requests import AuthorizedSession
from google.cloud import bigquery
from requests import Response

from geminate import resumable
from geminate.adapters.bigquery import BigQueryTables, failures
from geminate.emulator import Emulator, EmulatorOptions
from geminate.errors import AccessError, InputError, TransientError
from geminate.ports import TableColumn

DATASET = "bq://emulated.words"
BLOCK_BYTES = 256 * 1024


@pytest.fixture
def open_tables(tmp_path, monkeypatch):
    monkeypatch.setattr(failures, "RETRY", Retry(initial=0.01, timeout=0.2, predicate=failures._is_passing))
    monkeypatch.setattr(resumable, "_FIRST_CEILING_S", 0.01)
    monkeypatch.setattr(resumable, "_BLOCK_BYTES", BLOCK_BYTES)
    opened = []

    def start(*faults):
        options = EmulatorOptions(faults={"tables": {"any": list(faults)}}, new_dataset_location="us-central1")
        emulator = Emulator(tmp_path / "emulator", options)
        emulator.start()
        reach = {"credentials": AnonymousCredentials(), "client_options": {"api_endpoint": emulator.url}}
        tables = BigQueryTables(bigquery.Client("emulated", **reach))
        opened.append((tables, emulator))
        return tables

    yield start
    for tables, emulator in opened:
        tables.close()
        emulator.stop()


@pytest.mark.parametrize(
    "fault, error, said",
    [
        ("return-401", AccessError, "BigQuery refuses access; check the credentials"),
        ("return-403", AccessError, "BigQuery refuses access; check the credentials"),
        ("return-404", InputError, "no such dataset or table; check the name"),
        ("return-400", InputError, "BigQuery refuses the request"),
        ("return-501", InputError, "BigQuery refuses the request"),
        ("return-503; times=99", TransientError, "try again"),
        ("return-429; times=99", TransientError, "try again"),
        ("reset-before; times=99", TransientError, "BigQuery did not answer; try again"),
    ],
)
def test_each_refusal_is_a_sentence_of_its_own(open_tables, fault, error, said):
    with pytest.raises(error, match=said) as raised:
        open_tables(fault).locate(DATASET)
    assert raised.value.sentence.startswith(f"{DATASET}: ")


@pytest.mark.parametrize("reason, error", [("quotaExceeded", TransientError), ("accessDenied", AccessError)])
def test_a_quota_that_is_used_up_is_no_missing_permission(reason, error):
    def refuse(*_, **__):
        raise Forbidden("no", errors=[{"reason": reason}])

    with pytest.raises(error, match=DATASET):
        BigQueryTables(SimpleNamespace(get_dataset=refuse)).locate(DATASET)


@pytest.mark.parametrize("call", [0, 1])
def test_a_query_that_is_never_answered_is_asked_again(open_tables, monkeypatch, call):
    monkeypatch.setattr("geminate.adapters.bigquery.tables.TIMEOUT_S", 1.0)
    monkeypatch.setattr(failures, "RETRY", failures.RETRY.with_timeout(50))
    tables = open_tables(*["stall-for-0s"] * call, "stall-for-60s")
    started = time.monotonic()
    with pytest.raises(InputError, match="the query"):
        tables.query("SELECT a FROM `emulated.words.nothing` LIMIT 1")
    assert time.monotonic() - started < 60


def test_what_passes_is_asked_for_again(open_tables):
    assert open_tables("return-503; times=2").locate(DATASET) == "us-central1"


def test_a_load_that_a_client_lost_sight_of_is_found_by_its_id(open_tables):
    columns, lines = [TableColumn("key", "STRING")], [b'{"key":"a"}\n']
    # The dataset, the job and the upload's beginning are asked for; the upload's end is done, and its answer lost.
    tables = open_tables(*["stall-for-0s"] * 3, "return-400; commit")
    with pytest.raises(InputError):
        tables.load(f"{DATASET}.t", columns, lambda: lines, "once")
    again = tables.load(f"{DATASET}.t", columns, lambda: pytest.fail("nothing is uploaded again"), "once")
    assert again.rows == 1


def test_an_emulator_without_duckdb_says_so(open_tables, monkeypatch):
    monkeypatch.setattr("geminate.emulator.tables.api.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"DuckDB is not installed. Run pip install 'geminate\[emulator\]'"):
        open_tables().locate(DATASET)


def test_rows_over_rest_dial_no_other_host(open_tables, monkeypatch):
    import socket

    connect = socket.socket.connect

    def checked(self, address):
        assert address[0] == "127.0.0.1", address
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", checked)
    with closing(open_tables()) as tables:
        info = tables.load(f"{DATASET}.t", [TableColumn("key", "STRING")], lambda: [b'{"key":"a"}\n'], "load")
        assert [batch.num_rows for batch in tables.read(info)] == [1]


@pytest.mark.parametrize("blocks", [0, 1, 2, 2.5])
@pytest.mark.parametrize("fault", [None, "return-503", "return-503; commit", "reset-before", "reset-after"])
def test_an_upload_goes_on_where_it_broke_whatever_its_length(open_tables, fault, blocks):
    line = b'{"key":"' + b"x" * 16373 + b'"}\n'
    assert BLOCK_BYTES % len(line) == 0
    number = int(blocks * BLOCK_BYTES) // len(line)
    # The dataset and the job are asked for before.
    tables = open_tables(*["stall-for-0s"] * 2, *([fault, "stall-for-0s", "stall-for-0s"] * 9 if fault else ()))
    info = tables.load(f"{DATASET}.t", [TableColumn("key", "STRING")], lambda: [line] * number, "load")
    assert info.rows == number


def test_what_was_kept_of_a_block_is_not_sent_again(open_tables, monkeypatch):
    monkeypatch.setattr(resumable, "_BLOCK_BYTES", 4 * BLOCK_BYTES)
    sent, put = [], AuthorizedSession.put
    monkeypatch.setattr(
        AuthorizedSession, "put", lambda self, url, data, **more: sent.append(len(data)) or put(self, url, data, **more)
    )
    line = b'{"key":"' + b"x" * 1000 + b'"}\n'
    # The dataset, the job and the upload's beginning are asked for before.
    tables = open_tables(*["stall-for-0s"] * 3, "return-503-after-300K")
    info = tables.load(f"{DATASET}.t", [TableColumn("key", "STRING")], lambda: [line] * 900, "load")
    whole = len(line) * 900
    assert (info.rows, sent) == (900, [whole, 0, whole - BLOCK_BYTES])


def test_an_upload_that_is_answered_by_nonsense_ends(open_tables, monkeypatch):
    answer = Response()
    answer.status_code, answer._content = 200, b"no document"
    monkeypatch.setattr(AuthorizedSession, "put", lambda *_, **__: answer)
    with pytest.raises(TransientError, match=r"BigQuery failed 8 times, the last time so: the answer is no document"):
        open_tables().load(f"{DATASET}.t", [TableColumn("key", "STRING")], lambda: [b'{"key":"a"}\n'], "load")


def test_an_upload_that_is_over_is_begun_anew_and_is_no_missing_dataset(open_tables):
    columns, lines = [TableColumn("key", "STRING")], lambda: [b'{"key":"a"}\n'] * 3
    # The dataset, the job and the upload's beginning are asked for before; then the session is asked how far it is.
    tables = open_tables(*["stall-for-0s"] * 3, "return-503", "return-404")
    assert tables.load(f"{DATASET}.t", columns, lines, "load").rows == 3


def test_uploads_that_are_over_again_and_again_ask_to_try_later(open_tables, monkeypatch):
    answer = Response()
    answer.status_code = 404
    monkeypatch.setattr(AuthorizedSession, "put", lambda *_, **__: answer)
    with pytest.raises(TransientError, match="BigQuery knows the upload no more; try again"):
        open_tables().load(f"{DATASET}.t", [TableColumn("key", "STRING")], lambda: [b'{"key":"a"}\n'], "load")
