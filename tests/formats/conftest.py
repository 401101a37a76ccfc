import pytest

from geminate.formats.prompts import open_prompts


def read_rows(sources, options=None, **outside):
    prompts = open_prompts(sources, options=options, **outside)
    return [row for record_batch in prompts.iter_record_batches() for row in record_batch.to_pylist()]


@pytest.fixture
def rows():
    """Reads all rows of prompt sources as dicts."""
    return read_rows


@pytest.fixture
def put(tmp_path):
    """Writes a file and returns its path."""

    def put(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return put
