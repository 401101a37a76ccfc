"""Limits that only large sets break. Where a real one would take too long, the limit is made smaller."""

import msgspec
import pytest

from geminate.stages.checks import RequestChecker, checker, meanings
from geminate.wire.limits import LIMITS
from geminate.wire.lines import LineBlock, iter_line_blocks

LINE = b'{"request": {"contents": [{"parts": [{"text": "Hi."}]}]}}'


def with_part(part: dict) -> dict:
    return {"request": {"contents": [{"parts": [part]}]}}


@pytest.fixture
def small(monkeypatch):
    def shrink(module, **limits):
        monkeypatch.setattr(module, "LIMITS", msgspec.structs.replace(LIMITS, **limits))

    return shrink


def test_too_many_lines_in_one_file(small):
    small(checker, max_requests_per_job=5)
    request_checker = RequestChecker()
    block = LineBlock((LINE + b"\n") * 3, 1)
    assert request_checker.feed(block, "a") == []
    (found,) = request_checker.feed(LineBlock((LINE + b"\n") * 5, 4), "a")
    assert (found.rule, found.line) == ("limit.rows", 6)
    assert request_checker.feed(LineBlock((LINE + b"\n") * 3, 9), "a") == []
    assert request_checker.feed(block, "b") == []


def test_the_full_number_of_lines_is_fine(small):
    small(checker, max_requests_per_job=4)
    assert RequestChecker().feed(LineBlock((LINE + b"\n") * 4, 1), "a") == []


def test_too_many_bytes_in_one_file(small):
    small(checker, max_input_file_bytes=2 * len(LINE))
    request_checker = RequestChecker()
    rules = []
    for block in iter_line_blocks([LINE + b"\n"] * 4):
        rules += [(found.rule, found.line) for found in request_checker.feed(block, "a")]
    assert rules == [("limit.file_bytes", 2)]


def test_file_limits_can_be_left_to_others(small):
    small(checker, max_requests_per_job=2, max_input_file_bytes=10)
    options = checker.CheckOptions(file_limits=False)
    assert RequestChecker(options).feed(LineBlock((LINE + b"\n") * 4, 1), "a") == []


def test_a_line_too_long_to_be_read():
    (block,) = iter_line_blocks([LINE.replace(b"Hi", b"x" * 500)], max_line_bytes=100)
    (found,) = RequestChecker().feed(block, "a")
    assert (found.rule, found.line) == ("limit.line_bytes", 1)


def test_inline_images(check_lines):
    fits = "A" * (LIMITS.max_inline_image_bytes // 3 * 4)
    assert check_lines([with_part({"inlineData": {"mimeType": "image/png", "data": fits}})]) == []
    large = fits + "AAAAAAAA"
    (found,) = check_lines([with_part({"inline_data": {"mime_type": "image/png", "data": large}})])
    assert (found.rule, found.path) == ("limit.inline_image", "$.request.contents[0].parts[0].inline_data.data")
    assert check_lines([with_part({"inlineData": {"mimeType": "audio/wav", "data": large}})]) == []


def test_inline_images_after_a_small_one(check_lines):
    small_one = {"key": "a", **with_part({"inlineData": {"mimeType": "image/png", "data": "AAAA"}})}
    large = "A" * (LIMITS.max_inline_image_bytes // 3 * 4 + 8)
    large_one = {"key": "b", **with_part({"inlineData": {"mimeType": "image/png", "data": large}})}
    assert [found.line for found in check_lines([small_one, small_one | {"key": "c"}, large_one])] == [3]


def test_inline_documents(small, check_lines):
    small(meanings, max_document_bytes=300)
    blob = {"mimeType": "application/pdf", "data": "A" * 400}
    assert check_lines([with_part({"inlineData": blob})]) == []
    (found,) = check_lines([with_part({"inlineData": {**blob, "data": "A" * 404}})])
    assert found.rule == "limit.document"


def test_images_of_a_request(check_lines):
    part = {"fileData": {"fileUri": "gs://example-bucket/a.png", "mimeType": "image/png"}}
    fits = {"request": {"contents": [{"parts": [part] * 1500}, {"parts": [part] * 1500}]}}
    assert LIMITS.max_images_per_prompt == 3000
    assert check_lines([fits]) == []
    (found,) = check_lines([{"request": {"contents": [{"parts": [part] * 3001}]}}])
    assert found.rule == "limit.images"
