import json
import random

import msgspec
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.wire.canonical import FINGERPRINT_VERSION, encode_canonical, fingerprint

# A change here breaks the join with predictions of requests that were fingerprinted before: raise the version.
GOLDEN = {
    "d9d1ce41c7b61e56a1c0265adb0b8da4": '{"contents":[{"parts":[{"text":"Hi"}]}]}',
    "eb2c761a910a763f5acffd915bb63b7c": '{"contents":{"role":"user"},"config":{"topP":0.7,"seed":null}}',
    "655e6261faef37e38dea07eea58edbec": '{"t":"ü\u2028\\u0001","n":1e-7,"m":12345678901234567890123}',
}


@pytest.mark.parametrize("hexadecimal", GOLDEN)
def test_fingerprints_stay_what_they_are(hexadecimal):
    assert FINGERPRINT_VERSION == 1
    assert fingerprint(GOLDEN[hexadecimal].encode()).hex() == hexadecimal


names = st.text("abc_XÄ", min_size=1, max_size=5)
doubles = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.text(max_size=8) | st.integers(-(2**53) + 1, 2**53 - 1) | doubles | st.booleans()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, min_size=1, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(names, values, max_size=4)


@given(objects)
def test_without_gaps_it_is_rfc_8785(request):
    assert encode_canonical(json.dumps(request).encode()) == rfc8785.dumps(request)


@given(doubles)
def test_every_number_is_written_as_rfc_8785_writes_it(number):
    assert encode_canonical(json.dumps({"n": number}).encode()) == rfc8785.dumps({"n": number})


def test_every_character_is_written_as_rfc_8785_writes_it():
    text = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x11000)]))
    assert encode_canonical(json.dumps({"t": text}).encode()) == rfc8785.dumps({"t": text})


def echo(value, rng):
    """The value as the service gives it back: members shuffled, gaps filled with nulls, whole floats as integers."""
    if isinstance(value, dict):
        members = [(name, echo(member, rng)) for name, member in value.items()]
        members += [(f"gap{at}", rng.choice([None, {"inner": None}, {}])) for at in range(rng.randrange(3))]
        rng.shuffle(members)
        return dict(members)
    if isinstance(value, list):
        return [echo(element, rng) for element in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


contents = st.lists(
    st.fixed_dictionaries(
        {"parts": st.lists(objects, max_size=2)}, optional={"role": st.sampled_from(["user", "model"])}
    ),
    max_size=3,
)


@given(objects, contents, st.integers())
def test_a_request_and_its_echo_have_one_fingerprint(members, turns, seed):
    request = {**members, "contents": turns}
    echoed = echo(request, random.Random(seed))
    for turn in echoed["contents"]:
        turn.setdefault("role", "user")
    assert fingerprint(json.dumps(request).encode()) == fingerprint(json.dumps(echoed, indent=1).encode())


@given(objects, objects)
def test_different_requests_have_different_fingerprints(one, other):
    same = rfc8785.dumps(echo(one, random.Random(0))) == rfc8785.dumps(echo(other, random.Random(0)))
    texts = [encode_canonical(json.dumps(value).encode()) for value in (one, other)]
    assert (texts[0] == texts[1]) or not same
    assert (fingerprint(json.dumps(one).encode()) == fingerprint(json.dumps(other).encode())) == (texts[0] == texts[1])


@pytest.mark.parametrize(
    "one, other",
    [
        ('{"fileUri":"a"}', '{"file_uri":"a"}'),
        ('{"parts":{"text":"a"}}', '{"parts":[{"text":"a"}]}'),
        ('{"a":[null]}', '{"a":[]}'),
        ('{"a":"1"}', '{"a":1}'),
        ('{"a":12345678901234567890123}', '{"a":12345678901234567890124}'),
    ],
)
def test_what_the_echo_keeps_apart_stays_apart(one, other):
    assert fingerprint(one.encode()) != fingerprint(other.encode())


@pytest.mark.parametrize(
    "request_line",
    [b"", b"[]", b"null", b"{", b'{"a":NaN}', b'{"a":1e999}', b'{"a":"\\ud800"}', b'{"a":"\xff"}', b'{"a":' * 100_000],
)
def test_what_is_no_request_has_no_fingerprint(request_line):
    assert fingerprint(request_line) is None


@given(st.binary(max_size=40) | st.text(alphabet='{}[]",:0123456789.eE-truefalsn\\u', max_size=40).map(str.encode))
@settings(max_examples=200)
def test_no_bytes_raise(data):
    fingerprint(data)
    fingerprint(msgspec.Raw(data))
