"""Uploads to tables, where a client's patience and the server's work overlap."""

import threading

from geminate.emulator.exchange import HttpRequest
from geminate.emulator.tables.uploads import Uploads

LINES = b'{"key":"a"}\n{"key":"b"}\n'


def put(uploads, upload_id, content_range, body, take):
    headers = {"content-range": content_range}
    return uploads.answer(HttpRequest("PUT", "/jobs", {"upload_id": upload_id}, headers, body, ""), take)


def test_a_question_while_the_last_bytes_are_worked_on_disturbs_nothing():
    uploads, asked, taken, answers = Uploads(), threading.Event(), [], []
    begun = uploads.answer(HttpRequest("POST", "/jobs", {}, {}, b"{}", ""), None)
    upload_id = begun.headers["Location"].rpartition("=")[2]

    def take(_, file):
        taken.append(file.readline())
        threading.Thread(target=ask).start()
        asked.wait()
        taken.append(file.readline())
        return {"jobReference": {}}

    def ask():
        asked.set()
        answers.append(put(uploads, upload_id, f"bytes */{len(LINES)}", b"", take))

    whole = put(uploads, upload_id, f"bytes 0-{len(LINES) - 1}/{len(LINES)}", LINES, take)
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread.name.endswith("(ask)"):
            thread.join()
    assert b"".join(taken) == LINES
    assert answers == [whole]
    uploads.close()
