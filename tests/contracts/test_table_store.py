"""One suite for ``TableStore``, over our emulator and over a real server; the reference says where they differ."""

import json
import uuid
from contextlib import closing

import pyarrow as pa
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from geminate.adapters.bigquery import BigQueryTables
from geminate.emulator import Emulator
from geminate.errors import InputError, TargetError
from geminate.ports import TableColumn

COLUMNS = (TableColumn("key", "STRING"), TableColumn("request", "JSON"))


@pytest.fixture(params=["emulator", "local-bigquery", "local-bigquery-storage"])
def server(request, tmp_path):
    if request.param == "emulator":
        with Emulator(tmp_path / "emulator") as emulator:
            yield request.param, emulator.url, None
        return
    real = request.getfixturevalue("local_bigquery")
    if request.param == "local-bigquery":
        yield request.param, real.url, None
        return
    import grpc
    from google.cloud.bigquery_storage import BigQueryReadClient
    from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport

    with grpc.insecure_channel(real.grpc) as channel:
        yield request.param, real.url, BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))


@pytest.fixture
def is_ours(server):
    return server[0] == "emulator"


@pytest.fixture
def client(server):
    _, url, _ = server
    with closing(
        bigquery.Client("test", credentials=AnonymousCredentials(), client_options={"api_endpoint": url})
    ) as made:
        yield made


@pytest.fixture
def tables(server, client):
    return BigQueryTables(client, server[2])


@pytest.fixture
def dataset(client):
    made = bigquery.Dataset(f"test.d_{uuid.uuid4().hex}")
    made.location = "us-central1"
    client.create_dataset(made)
    yield f"bq://{made.project}.{made.dataset_id}"
    client.delete_dataset(made, delete_contents=True)


def new_id():
    return f"load-{uuid.uuid4().hex}"


def select_keys(uri):
    return f"SELECT key FROM `{uri.removeprefix('bq://')}`"  # noqa: S608 the test's own name


def lines(*rows):
    return lambda: [json.dumps(row).encode() + b"\n" for row in rows]


def rows(tables, info, columns=()):
    found = pa.Table.from_batches(list(tables.read(info, columns))).to_pylist()
    return sorted(found, key=lambda row: row.get("key") or "")


def test_what_was_loaded_is_read_back(tables, dataset, is_ours):
    uri = f"{dataset}.t"
    info = tables.load(uri, COLUMNS, lines({"key": "a", "request": {"b": "ä"}}, {"key": "b", "request": {}}), new_id())
    assert (info.uri, info.rows) == (uri, 2)
    assert info.location == ("us-central1" if is_ours else "US")
    assert [(column.name, column.kind) for column in info.columns] == [("key", "STRING"), ("request", "JSON")]
    found = rows(tables, info)
    assert [(row["key"], json.loads(row["request"])) for row in found] == [("a", {"b": "ä"}), ("b", {})]
    assert rows(tables, info, ["key"]) == [{"key": "a"}, {"key": "b"}]
    assert tables.stat(uri) == info


ONE_OF_EACH = {
    "STRING": "ä\n\u2028",
    "INTEGER": -(2**63),
    "FLOAT": 1.5e300,
    "BOOLEAN": True,
    "BYTES": "AP8=",
    "DATE": "0001-01-01",
    "TIME": "23:59:59.000001",
    "DATETIME": "2026-11-22T01:02:03.5",
    "TIMESTAMP": "1969-12-31T23:59:59.999999Z",
    "NUMERIC": "-99999999999999999999999999999.999999999",
    "BIGNUMERIC": "0.00000000000000000000000000000000000001",
    "JSON": {"a": [1, None]},
}


@pytest.mark.parametrize("kinds", [ONE_OF_EACH, [*ONE_OF_EACH, "REPEATED"]])
def test_rows_over_rest_are_what_googles_client_makes_of_them(tables, dataset, client, server, kinds):
    if server[2] is not None:
        pytest.skip("this server's own Arrow has other types for big decimals")
    columns = [TableColumn(f"c{kind}", kind) for kind in ONE_OF_EACH]
    columns += [TableColumn("words", "STRING", "REPEATED")] if "REPEATED" in kinds else []
    given = {f"c{kind}": value for kind, value in ONE_OF_EACH.items()}
    info = tables.load(f"{dataset}.t", columns, lines(given, dict.fromkeys(given), given), new_id())
    found = pa.Table.from_batches(list(tables.read(info)))
    table = client.get_table(info.uri.removeprefix("bq://"))
    theirs = client.list_rows(table).to_arrow(create_bqstorage_client=False)
    assert [(field.name, field.type) for field in found.schema] == [(field.name, field.type) for field in theirs.schema]
    assert found.to_pylist() == theirs.to_pylist()


def test_loading_again_with_the_same_id_loads_nothing_twice(tables, dataset):
    load_id = new_id()
    first = tables.load(f"{dataset}.t", COLUMNS, lines({"key": "a", "request": {}}), load_id)

    def refuse():
        raise AssertionError("the lines are not needed again")

    assert tables.load(f"{dataset}.t", COLUMNS, refuse, load_id) == first


def test_a_table_with_rows_is_never_written_to(tables, dataset):
    info = tables.load(f"{dataset}.t", COLUMNS, lines({"key": "a", "request": {}}), new_id())
    with pytest.raises(TargetError, match="exists already"):
        tables.load(f"{dataset}.t", COLUMNS, lines({"key": "b", "request": {}}), new_id())
    assert tables.stat(f"{dataset}.t") == info


def test_a_bad_line_leaves_no_table(tables, dataset):
    with pytest.raises(InputError, match="BigQuery refuses"):
        tables.load(f"{dataset}.t", COLUMNS, lambda: [b'{"key": "a"}\n', b"{broken\n"], new_id())
    assert tables.stat(f"{dataset}.t") is None


def test_a_load_that_failed_is_made_again_with_the_same_id(tables, dataset):
    load_id = new_id()
    for _ in range(2):
        with pytest.raises(InputError, match="BigQuery refuses"):
            tables.load(f"{dataset}.t", COLUMNS, lambda: [b"{broken\n"], load_id)
    assert tables.load(f"{dataset}.t", COLUMNS, lines({"key": "a", "request": {}}), load_id).rows == 1


def test_many_lines_go_through_in_portions(tables, dataset):
    given = [{"key": f"k{number:05}", "request": {"text": "x" * 1000}} for number in range(6000)]
    info = tables.load(f"{dataset}.t", COLUMNS, lines(*given), new_id())
    assert [row["key"] for row in rows(tables, info, ["key"])] == [row["key"] for row in given]


def test_a_table_that_changed_is_not_read_as_what_it_was(tables, dataset, client):
    info = tables.load(f"{dataset}.t", COLUMNS, lines({"key": "a", "request": {}}), new_id())
    assert client.insert_rows_json(info.uri.removeprefix("bq://"), [{"key": "b"}], timeout=20) == []
    with pytest.raises(InputError, match="changed while it was read"):
        list(tables.read(info))


def test_a_query_is_read_like_a_table(tables, dataset):
    uri = f"{dataset}.t"
    tables.load(uri, COLUMNS, lines({"key": "a", "request": {}}), new_id())
    info = tables.query(select_keys(uri))
    assert rows(tables, info) == [{"key": "a"}]


def test_a_query_that_reads_more_than_it_may_is_not_run(tables, dataset, is_ours):
    if not is_ours:
        pytest.skip("local-bigquery counts no bytes")
    uri = f"{dataset}.t"
    tables.load(uri, COLUMNS, lines({"key": "a", "request": {}}), new_id())
    with pytest.raises(
        InputError, match=r"billed for 10,485,760 bytes, and 1 are allowed; give --max-bytes-billed 10485760"
    ):
        tables.query(select_keys(uri), 1)


def test_where_a_dataset_lies_is_told(tables, dataset):
    assert tables.locate(dataset) == "us-central1"
    with pytest.raises(InputError, match=r"bq://test\.none: no such dataset"):
        tables.locate("bq://test.none")
    assert tables.stat("bq://test.none.t") is None


@pytest.mark.parametrize("uri", ["gs://bucket/a", "bq://", "bq://p", "bq://p.d.t.x", "bq://p.d", "p.d.t"])
def test_a_uri_of_another_kind_is_refused(tables, uri):
    with pytest.raises(InputError, match=r"bq://project\.dataset\.table"):
        tables.stat(uri)
