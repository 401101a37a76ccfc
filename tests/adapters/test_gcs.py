"""What fake-gcs-server does not enforce: the precondition of an upload, on the wire and when it fails."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from geminate.adapters.gcs import GcsStore
from geminate.errors import AccessError, InputError, TargetError


class Bucket:
    """A resumable upload that the service ends with one status."""

    def __init__(self, status):
        self.queries = []
        self.content_types = []
        bucket = self

        class Handler(BaseHTTPRequestHandler):
            wbufsize = -1

            def answer(self):
                self.rfile.read(int(self.headers.get("content-length", 0)))
                if self.command == "POST":
                    bucket.queries.append(parse_qs(urlsplit(self.path).query))
                    bucket.content_types.append(self.headers["x-upload-content-type"])
                body = json.dumps({"error": {"code": status, "message": "no"}}).encode()
                self.send_response(200 if self.command == "POST" else status)
                self.send_header("location", f"{bucket.url}/upload/1")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_PUT = answer  # noqa: N815 the names that http.server calls

            def log_message(self, *_):
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://{}:{}".format(*self.server.server_address)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.mark.parametrize("status, error", [(412, TargetError), (403, AccessError), (404, InputError)])
def test_an_upload_asks_that_the_name_is_free_and_says_when_it_is_not(status, error):
    bucket = Bucket(status)
    options = {"api_endpoint": bucket.url}
    client = storage.Client(project="p", credentials=AnonymousCredentials(), client_options=options)
    try:
        with pytest.raises(error, match="gs://bucket/a"):
            GcsStore(client).write("gs://bucket/a", [b"bytes"], "image/png")
    finally:
        client.close()
        bucket.stop()
    (query,) = bucket.queries
    assert query["ifGenerationMatch"] == ["0"]
    assert bucket.content_types == ["image/png"]
    assert query["uploadType"] == ["resumable"]
