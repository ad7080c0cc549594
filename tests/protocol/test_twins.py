"""The twins in C do what their references do, in any circumstances, and keep nothing of it."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tracemalloc
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aioweb.protocol import head as head_module
from aioweb.protocol.errors import ProtocolError
from aioweb.protocol.events import FieldSection, HttpVersion11, RequestHead
from aioweb.protocol.limits import Limits
from tests.data.hostile import HOSTILE
from tests.data.unusual import UNUSUAL
from tests.protocol.strategies import limits, messages
from tests.protocol.tongues import FRAMES, HEAD, MASK, story

LIMITS = Limits()
BROWSER = b"\r\n".join(
    [
        b"POST /messages/7;a=b?page=2&sort=%20&?/ HTTP/1.1",
        b"Host: www.example.org:8080",
        b"Connection: keep-alive, Upgrade",
        b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        b"Accept: text/html,application/xhtml+xml;q=0.9,\t*/*;q=0.8 ",
        b"Cookie: session=8f2c1d0a4b7e; name=\xc3\xa9\xff",
        b"X-Empty:",
        b"Content-Length: 12",
        b"Expect: 100-Continue",
        b"",
        b"",
    ]
)


@pytest.fixture(scope="module")
def parse() -> Any:
    """parse_request_head in C."""
    return HEAD.spoken("C")


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin has nobody to hand over to."""

    def refuse(*arguments: object, **keywords: object) -> None:
        raise AssertionError("the twin has handed over")

    monkeypatch.setattr(head_module, "parse_request_head_in_python", refuse)


# -- one story --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", [*HOSTILE, *UNUSUAL], ids=str)
def test_golden_octets_and_all_their_beginnings_tell_one_story(parse: Any, case: Any) -> None:
    octets = case.octets[:600]
    for end in range(len(octets) + 1):
        assert story(parse, octets[:end], LIMITS) == story(HEAD.reference, octets[:end], LIMITS)


@given(octets=messages, before=messages, bounds=limits, kind=st.sampled_from([bytes, bytearray]))
@example(octets=BROWSER, before=BROWSER.replace(b"page", b"leaf"), bounds=LIMITS, kind=bytes)
def test_whatever_arrives_tells_one_story_whatever_was_before(
    parse: Any, octets: bytes, before: bytes, bounds: Limits, kind: Any
) -> None:
    try:
        parsed = HEAD.reference(before, bounds)
    except ProtocolError:
        parsed = None
    previous = parsed[0] if parsed is not None else None
    line, _, _ = octets.partition(b"\r\n")
    again = line + b"\r\n" + (previous.fields.raw if previous is not None else b"") + b"G"
    for data in (octets, again, before):
        buffer = kind(data)
        assert story(parse, buffer, bounds, previous) == story(HEAD.reference, buffer, bounds, previous)
        assert buffer == data


@given(octets=st.one_of(st.just(BROWSER), messages), data=st.data())
def test_a_stroke_anywhere_changes_both_alike(parse: Any, octets: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(octets)))
    length = data.draw(st.integers(0, 3))
    stroke = data.draw(st.one_of(st.binary(max_size=2), st.sampled_from([b"\r\n", b"%41", b"[::1]", b":70000", b" "])))
    changed = octets[:at] + stroke + octets[at + length :]
    assert story(parse, changed, LIMITS) == story(HEAD.reference, changed, LIMITS)


@pytest.mark.parametrize("name", ["line", "field", "fields", "head"])
def test_every_limit_is_the_same_number(parse: Any, name: str) -> None:
    for octets in (BROWSER, b"GET / HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n"):
        for number in [*range(len(octets) + 2), 2**31, 2**63 - 1, 2**63, 2**70]:
            bounds = Limits(**{name: number})
            assert story(parse, octets, bounds) == story(HEAD.reference, octets, bounds), number


HOSTS = "|a|a:|a:0|a:00080|a:65535|a:65536|a:99999|a:000080|:80|:|a:8 0|a:-1|a::1|a:1:|[::1]|[::1]:8080|[::1"
HOSTS += "|%41|%4|a_b|a,b|a b|a/b|a@b|\xe9| \t"


@pytest.mark.parametrize("host", HOSTS.split("|"))
def test_every_host_is_read_alike(parse: Any, host: str) -> None:
    octets = f"GET / HTTP/1.1\r\nHost:\t{host} \r\n\r\n".encode("latin-1")
    assert story(parse, octets, LIMITS) == story(HEAD.reference, octets, LIMITS)


VALUES = "|close|Keep-Alive|keep-alive, close|,|a,,B ,\tc|\xc9,x|K\xe9ep-alive|chunked|Chunked|x|chunke\xe4"
VALUES += "|0|00|5|999999999999999999|9999999999999999999|-1|+1|1 1|0x1|\xb2|100-Continue"


@pytest.mark.parametrize("name", ["Connection", "CONTENT-LENGTH", "transfer-encoding", "Expect", "hosT", "Hosts", "os"])
@pytest.mark.parametrize("value", VALUES.split("|"))
def test_every_deciding_field_is_read_alike(parse: Any, name: str, value: str) -> None:
    for version in ("1.0", "1.1"):
        for lines in (f"{name}: {value}\r\n", f"{name}:{value}\t \r\nX: y\r\n{name}: {value}\r\n"):
            octets = f"GET / HTTP/{version}\r\nHost: a\r\n{lines}\r\n".encode("latin-1")
            assert story(parse, octets, LIMITS) == story(HEAD.reference, octets, LIMITS)


def told(function: Any, *arguments: Any) -> Any:
    """What a call gives, or how it fails."""
    try:
        return function(*arguments)
    except Exception as error:
        return type(error), getattr(error, "reason", "")


SIZES = st.sampled_from([0, 1, 30, 31, 32, 33, 62, 63, 90, 125, 126, 200])


@given(keyed=st.one_of(st.binary(max_size=600), st.integers(0, 5000).map(lambda size: b"\x5a\x00\xff" * size)))
def test_masking_tells_one_story(keyed: bytes) -> None:
    assert MASK.spoken("C")(keyed) == MASK.reference(keyed)
    assert MASK.spoken("C")(bytearray(keyed)) == MASK.reference(bytearray(keyed))


def test_masking_begins_at_any_address() -> None:
    octets = bytes(range(256)) * 2
    for start, end in pairwise(range(0, 300, 7)):
        for size in (end - start, 100 + start):
            assert MASK.spoken("C")(octets[start:][:size]) == MASK.reference(octets[start:][:size])


PAYLOADS = st.one_of(
    st.binary(max_size=300),
    st.text(max_size=300),
    st.text(st.characters(max_codepoint=255), max_size=300),
    st.builds(lambda before, text, after: "a" * before + text + "b" * after, SIZES, st.text(max_size=3), SIZES),
)


@given(first=st.integers(-1, 256), payload=PAYLOADS, key=st.sampled_from([(), (b"",), (b"\x01\x80\xff\x7f",)]))
@example(first=0x81, payload="\udc80", key=())
@example(first=2**64, payload=b"", key=())
@example(first=True, payload="a", key=())
def test_a_frame_tells_one_story(first: int, payload: bytes | str, key: tuple[bytes, ...]) -> None:
    assert told(FRAMES.spoken("C"), first, payload, *key) == told(FRAMES.reference, first, payload, *key)


@pytest.mark.parametrize("size", [0, 31, 32, 33, 124, 125, 126, 127, 65534, 65535, 65536, 70000])
@pytest.mark.parametrize("character", ["a", "\x7f", "\x80", "\xff", "\u0100", "\uffff", "\U0010ffff"])
def test_a_frame_of_every_length_has_every_character_anywhere(size: int, character: str) -> None:
    for payload in ("a" * size, character * size, "a" * (size // 2) + character + "a" * (size // 2)):
        assert FRAMES.spoken("C")(0x81, payload) == FRAMES.reference(0x81, payload)


# -- who does the work ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    "octets",
    [
        BROWSER,
        b"GET / HTTP/1.0\r\n\r\n",
        b"BREW /?%s HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: Chunked\r\n\r\n" % (b"x" * 8000),
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"Cookie: %s\r\n" % (b"x" * 8000) * 3 + b"\r\n",
        b"HEAD / HTTP/1.1\r\nHost:\r\nConnection: close\r\n" + b"X: y\r\n" * 126 + b"\r\n",
    ],
    ids=["browser", "least", "chunked", "large", "many"],
)
def test_a_plain_head_is_handed_over_to_nobody(parse: Any, octets: bytes) -> None:
    head, size = parse(octets + b"behind", LIMITS)
    assert size == len(octets)
    assert parse(bytearray(octets), LIMITS, head)[0] is head
    other = octets.replace(b" /", b" /other", 1)
    if len(octets) < 1000:
        assert parse(other, LIMITS, head)[0].fields is head.fields


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("case", HOSTILE, ids=str)
def test_nothing_hostile_is_accepted_without_the_reference(parse: Any, case: Any) -> None:
    if not case.in_content:
        with pytest.raises(AssertionError, match="handed over"):
            parse(case.octets, LIMITS)


def test_a_call_that_is_unusual_is_the_call_of_the_reference(parse: Any) -> None:
    previous = HEAD.reference(BROWSER, LIMITS)[0]
    strange = RequestHead("GET", "/", "/", "", None, HttpVersion11, previous.fields, False, True, bytearray(b"GET /"))  # type: ignore[arg-type]
    short = tuple.__new__(RequestHead, previous[:6])
    broken = previous._replace(fields=FieldSection(bytearray(b"\r\n")))  # type: ignore[arg-type]
    listed = previous._replace(fields=FieldSection(previous.fields.raw, "a", options=["close"]))  # type: ignore[arg-type]
    other = BROWSER.replace(b"page", b"leaf")
    unlimited = type("Unlimited", (), {"line": float("inf"), "field": float("inf"), "fields": 9, "head": 10**9})
    for arguments, keywords in [
        ((), {}),
        ((BROWSER,), {}),
        ((BROWSER, LIMITS, None, None), {}),
        ((BROWSER,), {"limits": LIMITS}),
        ((), {"buffer": BROWSER, "limits": LIMITS, "previous": previous}),
        ((BROWSER, LIMITS), {"limit": 1}),
        ((BROWSER.decode("latin-1"), LIMITS), {}),
        ((memoryview(BROWSER), LIMITS), {}),
        ((BROWSER, None), {}),
        ((BROWSER, unlimited), {}),
        ((other, LIMITS, ()), {}),
        ((other, LIMITS, strange), {}),
        ((other, LIMITS, short), {}),
        ((other, LIMITS, broken), {}),
        ((other, LIMITS, listed), {}),
    ]:
        assert story(parse, *arguments, **keywords) == story(HEAD.reference, *arguments, **keywords), arguments


def test_masking_takes_octets_only() -> None:
    for wrong in ("abcdef", None, 5, memoryview(b"abcdef"), [1, 2]):
        with pytest.raises(TypeError, match="mask\\(\\) takes bytes or bytearray, not"):
            MASK.spoken("C")(wrong)
    for arguments in ((), (b"abcdef", 0, 6, 1), (b"abcdef", "0"), (b"abcdef", 0, 6.0)):
        for function in (MASK.reference, MASK.spoken("C")):
            with pytest.raises(TypeError):
                function(*arguments)


class Text(str):
    """A str that says something else when it is asked."""

    def encode(self, *arguments: Any) -> bytes:
        """Not what it holds."""
        return b"else"


@pytest.mark.parametrize("payload", [bytearray(b"ab"), memoryview(b"ab"), Text("ab"), None, 5, ["a"]], ids=str)
def test_what_is_no_plain_payload_is_the_call_of_the_reference(payload: Any) -> None:
    for arguments in ((0x81, payload), (0x81, payload, b""), (), (0x81,), (0x81, b"a", b"", b""), ("a", b"")):
        assert told(FRAMES.spoken("C"), *arguments) == told(FRAMES.reference, *arguments)


# -- nothing is kept --------------------------------------------------------------------------------------------------


def test_no_call_keeps_a_reference_or_an_octet(parse: Any) -> None:
    previous = parse(BROWSER, LIMITS)[0]
    other = BROWSER.replace(b"page", b"leaf")
    strange = BROWSER.replace(b"www.", b"%41.").replace(b"Expect: ", b"Expect:\r\nExpect: ")
    mask, frame = MASK.spoken("C"), FRAMES.spoken("C")

    def all_ways() -> None:
        for _ in range(500):
            for octets in (BROWSER, bytearray(other), strange, BROWSER[:99]):
                parse(octets, LIMITS)
                parse(octets, LIMITS, previous)
            for broken in (b"GET / HTTP/1.1\r\n\r\n", BROWSER.replace(b"POST", b"P ST")):
                story(parse, broken, LIMITS, previous)
            mask(BROWSER)
            mask(b"")
            story(mask, None)
            for payload in (BROWSER, "a" * 99, "\xe9" * 99, "\u20ac" * 99, "\udc80", None):
                told(frame, 0x81, payload)

    watched = [previous, previous.fields, previous.line, previous.fields.raw, LIMITS, BROWSER, other, HttpVersion11]
    watched += [RequestHead, FieldSection, FieldSection(b"").options]
    all_ways()
    gc.collect()
    counts = [sys.getrefcount(thing) for thing in watched]
    tracemalloc.start()
    try:
        all_ways()
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        all_ways()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [sys.getrefcount(thing) for thing in watched] == counts
    # The smallest object kept in one of these ways would be 16,500. Caches of the interpreter move by two or three.
    assert after - before < 8000


def test_a_buffer_can_grow_again_after_each_way_through(parse: Any) -> None:
    for octets in (BROWSER, BROWSER[:50], b"\x00", b""):
        buffer = bytearray(octets)
        story(parse, buffer, LIMITS)
        buffer += b"more"
        MASK.spoken("C")(buffer)
        buffer += b"and more"


def run(script: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


TWINS = "parse_request_head encode_response encode_fields encode_chunk mask encode_frame"
NAMES = (
    "import aioweb.protocol.connection as a, aioweb.protocol.encode as e, aioweb.protocol.websocket.connection as b; "
)
NAMES += "twins = a.parse_request_head, a.encode_response, e.encode_fields, a.encode_chunk, b.mask, b.encode_frame; "
NAMES += "print(*(function.__name__ for function in twins))"


def test_the_twins_serve_where_they_were_built(parse: Any) -> None:
    assert run(NAMES, AIOWEB_NO_EXTENSIONS="") == TWINS


def test_an_environment_variable_leaves_the_twins_alone() -> None:
    assert run(NAMES, AIOWEB_NO_EXTENSIONS="1").split() == [f"{name}_in_python" for name in TWINS.split()]


def test_every_interpreter_of_a_process_has_twins_of_its_own(parse: Any) -> None:
    script = r"""
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
SCRIPT = r'''
from aioweb.protocol._head import parse_request_head
from aioweb.protocol.limits import Limits
from aioweb.protocol.websocket._frames import encode_frame
from aioweb.protocol.websocket._mask import mask
head, size = parse_request_head(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", Limits())
assert head.fields.options == {"close"}
assert mask(b"1111a") == b"P"
assert encode_frame(0x81, "\xe9") == b"\x81\x02\xc3\xa9"
'''
exec(SCRIPT)
for _ in range(2):
    other = interpreters.create()
    assert interpreters.run_string(other, SCRIPT) is None
    interpreters.destroy(other)
exec(SCRIPT)
print("well")
"""
    assert run(script) == "well"


def test_without_memory_there_is_an_error_and_nothing_is_kept(parse: Any) -> None:
    pytest.importorskip("_testcapi", reason="this Python was built without it")
    script = f"""
import _testcapi, gc, sys
from aioweb.protocol._head import parse_request_head
from aioweb.protocol.limits import Limits
from aioweb.protocol.websocket._frames import encode_frame
from aioweb.protocol.websocket._mask import mask
octets, limits = {BROWSER!r}, Limits()
previous = parse_request_head(octets, limits)[0]
other = octets.replace(b"page", b"leaf")
calls = [
    lambda: parse_request_head(octets, limits)[1],
    lambda: parse_request_head(other, limits, previous)[1],
    lambda: parse_request_head(octets, limits, previous)[1],
    lambda: mask(b"1111" + octets) and len(octets),
    lambda: encode_frame(0x81, chr(0x20AC) * 99) and len(octets),
]
def fail_once_everywhere():
    failures = 0
    for call in calls:
        for which in range(60):  # more than a call allocates: the last of them succeed
            _testcapi.set_nomemory(which, which + 1)
            try:
                size = call()
            except MemoryError:
                size = -1
            finally:
                _testcapi.remove_mem_hooks()
            assert size in (-1, len(octets)), size
            failures += size < 0
        assert size == len(octets)
    return failures
assert fail_once_everywhere() > 20
gc.collect()
before = sys.getallocatedblocks()
for _ in range(30):
    fail_once_everywhere()
gc.collect()
print(sys.getallocatedblocks() - before)
"""
    assert int(run(script)) < 20  # one kept object in one place would be 30


def test_a_module_that_was_loaded_again_is_another_and_the_first_goes_on(parse: Any) -> None:
    script = """
import gc, sys
from aioweb.protocol import _head as first
from aioweb.protocol.limits import Limits
octets = b"GET / HTTP/1.1\\r\\nHost: a\\r\\nConnection: keep-alive\\r\\n\\r\\n"
for _ in range(3):
    del sys.modules["aioweb.protocol._head"]
    import importlib
    again = importlib.import_module("aioweb.protocol._head")
    assert again is not first
    assert again.parse_request_head(octets, Limits())[1] == len(octets)
    del again
    gc.collect()
    assert first.parse_request_head(octets, Limits())[1] == len(octets)
print("well")
"""
    assert run(script) == "well"
