"""The adapter against a plain HTTP server that counts what it is asked."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from google.oauth2.credentials import Credentials

from geminate.adapters.vertex import VertexJobs
from geminate.errors import AccessError, GeminateError, InputError, TransientError


class Service:
    """Gives the answers it was told to, one a request, and keeps what it was asked."""

    def __init__(self):
        self.answers = []
        self.asked = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def answer(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                service.asked.append((self.command, self.path, self.headers["authorization"], body))
                code, headers, text = service.answers.pop(0)
                if code == 0:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                self.send_response(code)
                for name, value in {"content-length": str(len(text)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = answer  # noqa: N815 the names that http.server calls

            def log_message(self, *_):
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def will(self, code, document=None, headers=None):
        text = document if isinstance(document, bytes) else json.dumps(document or {}).encode()
        self.answers.append((code, headers or {}, text))

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def service():
    service = Service()
    yield service
    service.stop()


@pytest.fixture
def jobs(service):
    host, port = service.server.server_address
    jobs = VertexJobs(f"http://{host}:{port}", "p", "l", Credentials(token="canary"))
    yield jobs
    jobs.close()


def test_create_sends_the_body_once_to_the_collection(service, jobs):
    service.will(200, {"name": "projects/1/locations/l/batchPredictionJobs/2", "state": "JOB_STATE_PENDING"})
    assert jobs.create({"displayName": "d"})["state"] == "JOB_STATE_PENDING"
    ((method, path, token, body),) = service.asked
    assert (method, path) == ("POST", "/v1/projects/p/locations/l/batchPredictionJobs")
    assert token == "Bearer canary"
    assert json.loads(body) == {"displayName": "d"}


@pytest.mark.parametrize("code", [408, 429, 499, 500, 501, 502, 503, 504, 520])
def test_a_passing_fault_is_transient_and_create_is_not_repeated(service, jobs, code):
    service.will(code, {"error": {"code": code, "message": "later"}}, {"Retry-After": "0"})
    with pytest.raises(TransientError, match="later"):
        jobs.create({})
    assert len(service.asked) == 1


@pytest.mark.parametrize("headers, wait_s", [({"Retry-After": "7"}, 7.0), ({}, None)])
def test_how_long_to_leave_it_alone_is_passed_on(service, jobs, headers, wait_s):
    service.will(429, {}, headers)
    with pytest.raises(TransientError) as caught:
        jobs.get("projects/1/locations/l/batchPredictionJobs/2")
    assert caught.value.retry_after_s == wait_s


def test_a_dropped_connection_is_transient_and_create_is_not_repeated(service, jobs):
    service.will(0)
    with pytest.raises(TransientError, match="no answer"):
        jobs.create({})
    assert len(service.asked) == 1


def test_a_refused_token_is_not_refreshed_and_tried_again(service, jobs):
    service.will(401, {"error": {"code": 401, "message": "expired"}})
    with pytest.raises(AccessError, match="expired"):
        jobs.create({})
    assert len(service.asked) == 1


def test_a_redirect_is_not_followed(service, jobs):
    service.will(307, {}, {"Location": "/elsewhere"})
    with pytest.raises(InputError, match="307"):
        jobs.create({})
    assert len(service.asked) == 1


def test_a_job_that_the_service_does_not_know_is_none(service, jobs):
    service.will(404, {"error": {"message": "not found"}})
    assert jobs.get("projects/p/locations/l/batchPredictionJobs/1") is None
    service.will(404)
    with pytest.raises(InputError):
        list(jobs.list("x"))


@pytest.mark.parametrize("code", [400, 404, 409, 412])
def test_a_refusal_is_final_and_says_why(service, jobs, code):
    service.will(code, {"error": {"code": code, "message": "no such model"}})
    with pytest.raises(InputError, match="no such model"):
        jobs.create({})


def test_an_answer_that_is_not_json_is_transient(service, jobs):
    service.will(200, b"<html>")
    with pytest.raises(TransientError, match="not JSON"):
        jobs.get("projects/1/locations/l/batchPredictionJobs/2")


def test_listing_follows_the_pages(service, jobs):
    service.will(200, {"batchPredictionJobs": [{"name": "a"}], "nextPageToken": "t"})
    service.will(200, {"batchPredictionJobs": [{"name": "b"}]})
    assert [job["name"] for job in jobs.list('labels.a="b"')] == ["a", "b"]
    assert "pageToken=t" in service.asked[1][1]


def test_an_empty_list_is_empty(service, jobs):
    service.will(200, {})
    assert list(jobs.list("")) == []


def test_no_error_shows_the_token(service, jobs):
    for code in (400, 403, 500):
        service.will(code, {"error": {"message": "x"}})
        with pytest.raises(GeminateError) as caught:
            jobs.create({})
        assert "canary" not in str(caught.value)


@pytest.mark.parametrize("document", [{}, {"name": 5}, {"name": ""}])
def test_an_answer_that_is_no_job_is_transient(service, jobs, document):
    for call in (lambda: jobs.create({}), lambda: jobs.get("n")):
        service.will(200, document)
        with pytest.raises(TransientError, match="not a job"):
            call()
    service.will(200, {"batchPredictionJobs": [document]})
    with pytest.raises(TransientError, match="not a job"):
        list(jobs.list(""))


def test_a_list_that_gives_the_same_page_for_ever_is_given_up(service, jobs):
    for _ in range(2):
        service.will(200, {"nextPageToken": "t"})
    with pytest.raises(TransientError, match="does not end"):
        list(jobs.list(""))
