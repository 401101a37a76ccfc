"""Moves files to a Cloud Storage server and back: ``WHAT URL FOLDER OUT``, where WHAT is one of ``WORKS``.

``OUT`` only names where uploads go, since every run needs names that are free.
"""

import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event

from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.cloud.storage import transfer_manager

BUCKET = "bench"


def upload(client: storage.Client, folder: Path, prefix: str) -> None:
    """As a submit stages shards that lie in the run's folder."""
    from geminate.adapters.gcs import GcsStore
    from geminate.formats.line_files import iter_path_pieces
    from geminate.pipeline.building.uploads import Bytes, upload_once

    store, given_up = GcsStore(client), Event()
    with ThreadPoolExecutor(4) as threads:
        uploads = []
        for path in sorted(folder.iterdir()):
            source = Bytes(partial(iter_path_pieces, path), path.stat().st_size, None)
            uri = f"gs://{BUCKET}/{prefix}/{path.name}"
            uploads.append(threads.submit(upload_once, store, source, uri, given_up))
        for each in uploads:
            each.result()


def upload_many(client: storage.Client, folder: Path, prefix: str, worker_type: str = "process") -> None:
    names = sorted(path.name for path in folder.iterdir())
    results = transfer_manager.upload_many_from_filenames(
        client.bucket(BUCKET),
        names,
        source_directory=str(folder),
        blob_name_prefix=f"{prefix}/",
        skip_if_exists=True,
        raise_exception=True,
        worker_type=worker_type,
    )
    assert len(results) == len(names)


def upload_many_in_threads(client: storage.Client, folder: Path, prefix: str) -> None:
    upload_many(client, folder, prefix, transfer_manager.THREAD)


def decode(client: storage.Client, folder: Path, prefix: str) -> None:
    """As a collect reads its predictions."""
    from geminate.adapters.gcs import GcsStore
    from geminate.pipeline.predicted.predictions import find_predictions, iter_decoded
    from geminate.stages.reading import ReadOptions

    files = find_predictions([f"gs://{BUCKET}/{folder.name}/"], lambda: GcsStore(client), lambda: None)
    deque(iter_decoded(files, ReadOptions()), maxlen=0)


def read(client: storage.Client, folder: Path, prefix: str) -> None:
    """The same bytes in the same way, checked and thrown away."""
    from geminate.adapters.gcs import GcsStore
    from geminate.pipeline.predicted.predictions import find_predictions, iter_begun_ahead

    files = find_predictions([f"gs://{BUCKET}/{folder.name}/"], lambda: GcsStore(client), lambda: None)
    for pieces in iter_begun_ahead([file.iter_pieces for file in files]):
        deque(pieces, maxlen=0)


def download_many(client: storage.Client, folder: Path, prefix: str) -> None:
    names = [blob.name for blob in client.list_blobs(BUCKET, prefix=f"{folder.name}/")]
    target = Path(sys.argv[4])
    target.mkdir(parents=True)
    transfer_manager.download_many_to_path(client.bucket(BUCKET), names, str(target), raise_exception=True)


# What moves nothing up has no use for the prefix.
# ruff: noqa: ARG001
WORKS = {
    "upload": upload,
    "upload-many": upload_many,
    "upload-many-threads": upload_many_in_threads,
    "decode": decode,
    "read": read,
    "download-many": download_many,
}


def main() -> None:
    what, url, folder, out = sys.argv[1:]
    client = storage.Client("bench", credentials=AnonymousCredentials(), client_options={"api_endpoint": url})
    WORKS[what](client, Path(folder), out.strip("/").replace("/", "-"))
    client.close()


if __name__ == "__main__":
    main()
