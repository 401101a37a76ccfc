import json

import pytest

from geminate.stages.estimates import Estimator, Range, Usage

DAYS = ("2026-11-22", "2026-11-26")
TEXT = "The lamp is bright and quiet, and it stands where it should."
CAPPED = {"maxOutputTokens": 100, "thinkingConfig": {"thinkingBudget": 0}}


def line(*parts, **settings):
    request = {"contents": [{"role": "user", "parts": [*parts]}], **settings}
    return json.dumps({"key": "a", "request": request}).encode()


def estimate(*lines, model="gemini-2.5-flash", days=DAYS, usage=None):
    estimator = Estimator(model, days, usage)
    for each in lines:
        estimator.add([each])
    return estimator.estimate()


def text_line(**config):
    return line({"text": TEXT}, generationConfig={**CAPPED, **config})


def is_range(numbers):
    return 0 <= numbers.low <= numbers.likely <= numbers.high


def test_the_skeleton_of_a_line_costs_nothing():
    assert estimate(text_line()).input_tokens.likely == pytest.approx(14, abs=2)


def test_blocks_add_up():
    estimator = Estimator("gemini-2.5-flash", DAYS)
    estimator.add([text_line()] * 30)
    estimator.add([])
    one, many = estimate(text_line()), estimator.estimate()
    assert many.requests == 30
    assert many.output_tokens.high == 30 * one.output_tokens.high == 3000
    assert many.cost_usd.high == pytest.approx(30 * one.cost_usd.high)


def test_money_is_tokens_at_half_the_listed_price():
    found = estimate(text_line(), usage=Usage(9, Range(1, 1, 1), Range(50, 60, 70), 0))
    unrounded = found.input_tokens.likely
    assert found.cost_usd.likely == pytest.approx((unrounded * 0.3 + 60 * 2.5) / 2e6, rel=0.02)
    assert is_range(found.cost_usd)


@pytest.mark.parametrize(
    "config, most",
    [
        ({"maxOutputTokens": 100}, 100),
        ({"maxOutputTokens": 100, "candidateCount": 3}, 300),
        ({}, 65_536),
        ({"responseSchema": {"type": "BOOLEAN"}, "thinkingConfig": {"thinkingBudget": 0}}, 2),
        ({"responseSchema": {"type": "BOOLEAN"}, "thinkingConfig": {"thinkingBudget": 500}}, 502),
        ({"responseFormat": [{"text": {"schema": {"type": "boolean"}}}], "thinkingConfig": {"thinkingBudget": 0}}, 2),
        ({"thinkingConfig": {"thinkingBudget": -1}, "maxOutputTokens": 9}, 9),
    ],
)
def test_the_most_a_model_writes_is_what_its_settings_allow(config, most):
    found = estimate(line({"text": TEXT}, generationConfig=config)).output_tokens
    assert found.high == most
    assert is_range(found)


def test_a_model_that_cannot_think_does_not():
    found = estimate(line({"text": "Hi"}), model="gemini-1.5-flash-002")
    assert found.output_tokens.high == 8192
    assert found.output_tokens.likely < estimate(line({"text": "Hi"})).output_tokens.likely


def test_it_says_when_nothing_bounds_the_answers():
    assert any("maxOutputTokens" in note for note in estimate(line({"text": TEXT})).notes)
    assert estimate(text_line()).notes == ()


def test_a_request_beyond_the_tier_costs_the_dearer_rate():
    short, long = (line({"text": "1" * count}, generationConfig=CAPPED) for count in (100_000, 300_000))
    cheap, dear = (estimate(each, model="gemini-2.5-pro").cost_usd.likely for each in (short, long))
    assert dear == pytest.approx(300_000 * 2.5 / 2e6, rel=0.02)
    assert cheap == pytest.approx(100_000 * 1.25 / 2e6, rel=0.02)


def test_a_price_that_rises_meanwhile_is_the_high_end():
    now = estimate(text_line(), model="gemini-3.8-flash").cost_usd
    turn = estimate(text_line(), model="gemini-3.8-flash", days=("2026-12-30", "2027-01-03"))
    assert turn.cost_usd == Range(now.low, now.likely, pytest.approx(2 * now.high))
    assert any("2027-01-01" in note for note in turn.notes)


def test_an_unknown_model_has_tokens_and_no_cost():
    found = estimate(text_line(), model="gemini-9-flash")
    assert found.cost_usd is None
    assert found.prices is None
    assert found.input_tokens.likely > 0
    assert any("gemini-9-flash" in note for note in found.notes)


@pytest.mark.parametrize(
    "model, resolution, likely",
    [
        ("gemini-2.5-flash", None, 258),
        ("gemini-2.5-flash", "MEDIA_RESOLUTION_LOW", 66),
        ("gemini-3.5-flash", None, 1120),
        ("gemini-3.5-flash", "MEDIA_RESOLUTION_LOW", 280),
    ],
)
def test_an_image_costs_what_its_resolution_does(model, resolution, likely):
    config = {**CAPPED, **({"mediaResolution": resolution} if resolution else {})}
    image = {"fileData": {"fileUri": "gs://bucket/a.jpg", "mimeType": "image/jpeg"}}
    found = estimate(line(image, generationConfig=config), model=model)
    assert found.input_tokens.likely == likely
    assert found.media == {"image": 1}


def test_a_cut_of_a_video_is_as_long_as_it_says():
    video = {"fileData": {"fileUri": "gs://bucket/a.mp4", "mimeType": "video/mp4"}}
    cut = {**video, "videoMetadata": {"startOffset": "10s", "endOffset": "70.0s"}}
    whole, minute = (estimate(line(each, generationConfig=CAPPED)).input_tokens for each in (video, cut))
    assert minute.likely == 60 * (258 + 32)
    assert minute.high - minute.low < whole.high - whole.low


def test_inline_data_is_reckoned_by_its_size():
    small, large = (
        estimate(line({"inlineData": {"mimeType": "audio/mpeg", "data": "A" * size}}, generationConfig=CAPPED))
        for size in (20_000, 200_000)
    )
    assert large.input_tokens.likely == pytest.approx(10 * small.input_tokens.likely, rel=0.05)
    assert is_range(large.input_tokens)


def test_audio_has_a_price_of_its_own():
    audio = {"fileData": {"fileUri": "gs://bucket/a.mp3", "mimeType": "audio/mpeg"}}
    found = estimate(line(audio, generationConfig={**CAPPED, "maxOutputTokens": 1}))
    assert found.cost_usd.likely == pytest.approx(found.input_tokens.likely * 1.0 / 2e6, rel=0.01)


def test_no_request_is_longer_than_what_a_model_reads():
    found = estimate(line(*[{"text": "1" * 3_000_000}], generationConfig=CAPPED))
    assert found.input_tokens.high == 1_048_576


def test_tools_and_calls_count_as_what_the_model_reads():
    call = {"functionCall": {"name": "look_up", "args": {"city": "Example", "unit": "celsius"}}}
    tools = [{"functionDeclarations": [{"name": "look_up", "description": "The weather of a city, now and here."}]}]
    bare = estimate(text_line()).input_tokens.likely
    with_call = estimate(line({"text": TEXT}, call, generationConfig=CAPPED)).input_tokens.likely
    with_tools = estimate(line({"text": TEXT}, generationConfig=CAPPED, tools=tools)).input_tokens.likely
    assert bare < with_call
    assert bare < with_tools


def test_a_search_tool_is_said_to_cost_extra():
    found = estimate(line({"text": TEXT}, generationConfig=CAPPED, tools=[{"googleSearch": {"excludeDomains": ["x"]}}]))
    assert any("search" in note for note in found.notes)


@pytest.mark.parametrize("odd", [b'{"key":"a","request":{"contents":{"parts":{"text":"x"}}}}', b"{", b"\xff", b""])
def test_a_line_of_another_make_counts_as_a_text(odd):
    found = estimate(odd)
    assert found.requests == 1
    assert is_range(found.input_tokens)


def test_history_takes_the_place_of_assumptions():
    found = estimate(text_line(), usage=Usage(500, Range(1.9, 2, 2.1), Range(10, 12, 14), 0.5))
    plain = estimate(text_line())
    assert found.input_tokens.likely == pytest.approx(2 * plain.input_tokens.likely, abs=1)
    assert found.output_tokens == Range(10, 12, 14)
    assert found.history_rows == 500
    fresh = estimate(text_line(), usage=Usage(500, Range(1.9, 2, 2.1), Range(10, 12, 14), 0))
    assert found.cost_usd.likely < fresh.cost_usd.likely
    assert found.cost_usd.high == fresh.cost_usd.high


def test_a_model_of_images_answers_with_one_unless_told_otherwise():
    image, text = (
        estimate(line({"text": "A lamp"}, generationConfig=config), model="gemini-2.5-flash-image")
        for config in ({}, {"responseModalities": ["TEXT"]})
    )
    assert image.output_tokens.likely == 1290
    assert image.cost_usd.likely == pytest.approx(1290 * 30 / 2e6, rel=0.01)
    assert text.output_tokens.likely < 1290
