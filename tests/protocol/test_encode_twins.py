"""The twins of encode.py write what their references write, hand over what is unusual, and keep nothing of it."""

from __future__ import annotations

import gc
import subprocess
import sys
import tracemalloc
from http import HTTPStatus
from itertools import product
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from multidict import CIMultiDict, istr

from aioweb.protocol import encode
from aioweb.protocol.encode import REASONS
from aioweb.protocol.events import FieldSection, HttpVersion, HttpVersion10, HttpVersion11, RequestHead
from tests.protocol.tongues import CHUNK, FIELDS, RESPONSE

NO_FIELDS = FieldSection(b"\r\n")
LINES = b"Content-Type: text/plain\r\nX: \xff\r\n"


@pytest.fixture(scope="module")
def twin() -> Any:
    """encode_response in C."""
    return RESPONSE.spoken("C")


@pytest.fixture(scope="module")
def chunk() -> Any:
    """encode_chunk in C."""
    return CHUNK.spoken("C")


@pytest.fixture(scope="module")
def fields() -> Any:
    """encode_fields in C."""
    return FIELDS.spoken("C")


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twins have nobody to hand over to."""

    def refuse(*arguments: object, **keywords: object) -> None:
        raise AssertionError("the twin has handed over")

    monkeypatch.setattr(encode, "encode_response_in_python", refuse)
    monkeypatch.setattr(encode, "encode_fields_in_python", refuse)
    monkeypatch.setattr(encode, "encode_chunk_in_python", refuse)


def request(method: Any = "GET", version: Any = HttpVersion11, keep_alive: Any = True) -> RequestHead:
    return RequestHead(method, "/", "/", "", None, version, NO_FIELDS, False, keep_alive)


HEAD = request()


def told(function: Any, *arguments: Any, **keywords: Any) -> Any:
    """What a call gives, with its types, or how it fails."""
    try:
        result = function(*arguments, **keywords)
    except Exception as error:
        return type(error), str(error)
    return (type(result), *map(type, result), *result) if isinstance(result, tuple) else (type(result), result)


# -- one story --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "CONNECT", "get", ""])
def test_every_response_to_every_method_is_written_alike(twin: Any, method: str) -> None:
    versions = (HttpVersion10, HttpVersion11, HttpVersion(1, 0))
    for version, client, ours in product(versions, [True, False], [True, False]):
        head = request(method, version, client)
        for status, content in product([*REASONS, -1, 0, 199, 299, 999, 1000, 2**70], [b"", b"0123456789"]):
            arguments = (head, status, REASONS.get(status, ""), LINES, content, ours)
            assert told(twin, *arguments) == told(RESPONSE.reference, *arguments)


@given(status=st.integers(100, 1000), reason=st.text(max_size=20), fields=st.binary(max_size=40), content=st.binary())
@example(status=200, reason="\udc80", fields=b"", content=b"")
@example(status=200, reason="\ud800", fields=b"", content=b"")
def test_any_response_is_written_alike(twin: Any, status: int, reason: str, fields: bytes, content: bytes) -> None:
    arguments = (HEAD, status, reason, fields, content, True)
    assert told(twin, *arguments) == told(RESPONSE.reference, *arguments)


@pytest.mark.parametrize("place", ["", "a", "\xe9"])
def test_every_character_of_a_reason_is_written_or_refused_alike(twin: Any, place: str) -> None:
    for point in range(0x100):
        for reason in (place + chr(point), chr(point) + place):
            arguments = (HEAD, 200, reason, b"", b"", True)
            assert told(twin, *arguments) == told(RESPONSE.reference, *arguments)


@pytest.mark.parametrize("size", [0, 1, 9, 10, 15, 16, 99, 100, 255, 256, 65535, 65536, 999999, 2**20])
def test_every_size_is_written_alike(twin: Any, chunk: Any, size: int) -> None:
    content = b"x" * size
    assert twin(HEAD, 200, "OK", b"", content, True) == RESPONSE.reference(HEAD, 200, "OK", b"", content, True)
    for kind in (bytes, bytearray, memoryview):
        assert told(chunk, kind(content)) == told(CHUNK.reference, kind(content))


@given(st.binary(max_size=100))
def test_a_chunk_is_written_alike(chunk: Any, data: bytes) -> None:
    for view in (data, bytearray(data), memoryview(data), memoryview(data)[::2], memoryview(data)[1:]):
        assert told(chunk, view) == told(CHUNK.reference, view)


TEXT = st.text(
    alphabet="aZ09-_~:|\r\n\t \x00\x1f\x7f\x80\xe9\u20ac\U0001f600\ud800\udc7f\udc80\udcff\udd00", max_size=6
)


@given(st.lists(st.tuples(TEXT, TEXT), max_size=4))
def test_any_fields_are_written_alike(fields: Any, pairs: list[tuple[str, str]]) -> None:
    named = [(f"X-{number}", value) for number, (_, value) in enumerate(pairs)]
    for given_ones in (pairs, tuple(pairs), named, CIMultiDict(named).items(), list(CIMultiDict(named).items())):
        assert told(fields, given_ones) == told(FIELDS.reference, given_ones)


def test_every_octet_of_a_name_and_a_value_is_written_or_refused_alike(fields: Any) -> None:
    for point in (*range(0x120), 0xD800, 0xDC7F, 0xDC80, 0xDCFF, 0xDD00, 0xFFFF, 0x10000):
        for text in (chr(point), f"a{chr(point)}", f"{chr(point)}a"):
            for pair in ((text, "value"), ("Name", text)):
                assert told(fields, [pair]) == told(FIELDS.reference, [pair])


# -- who does the work ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"])
@pytest.mark.parametrize("status", [200, 201, 206, 299, 301, 404, 413, 500, 999])
def test_a_plain_response_is_handed_over_to_nobody(twin: Any, method: str, status: int) -> None:
    octets, framing = twin(request(method), status, "Fine\tso far", LINES, b"hello", True)
    assert octets == b"HTTP/1.1 %d Fine\tso far\r\n%bContent-Length: 5\r\n\r\nhello" % (status, LINES)
    assert framing.keep_alive
    octets, framing = twin(request(method), status, "", b"", b"", False)
    assert octets == b"HTTP/1.1 %d \r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status
    assert not framing.keep_alive


@pytest.mark.usefixtures("alone")
def test_plain_fields_are_handed_over_to_nobody(fields: Any) -> None:
    pairs = CIMultiDict({"Content-Type": "text/plain", istr("!#$%&'*+-.^_`|~09azAZ"): "caf\xe9\t\u20ac", "X": ""})
    octets = b"Content-Type: text/plain\r\n!#$%&'*+-.^_`|~09azAZ: caf\xc3\xa9\t\xe2\x82\xac\r\nX: \r\n"
    assert fields(list(pairs.items())) == fields(tuple(pairs.items())) == octets
    assert fields([]) == fields(()) == b""


@pytest.mark.usefixtures("alone")
def test_a_plain_chunk_is_handed_over_to_nobody(chunk: Any) -> None:
    for data in (b"0123456789abcdef", bytearray(b"0123456789abcdef"), memoryview(b"0123456789abcdef").cast("I")):
        assert chunk(data) == b"10\r\n0123456789abcdef\r\n"
    assert chunk(b"") == chunk(bytearray()) == b""


class Octets(bytes):
    """Bytes that say something else when they are asked."""

    def __bytes__(self) -> bytes:
        return b"else"

    def __len__(self) -> int:
        return 3


class Text(str):
    """A str that equals nothing."""

    def __eq__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return 1


class Number(int):
    """A number that formats itself as another."""

    def __format__(self, spec: str) -> str:
        return "999"


def test_a_call_that_is_unusual_is_the_call_of_the_reference(twin: Any, fields: Any, chunk: Any) -> None:
    class Other(RequestHead):
        pass

    usual: list[Any] = [HEAD, 200, "OK", LINES, b"hello", True]
    heads = [tuple(HEAD), Other(*HEAD), tuple.__new__(RequestHead, HEAD[:6]), request(None), request(Text("HEAD"))]
    heads += [request(b"HEAD"), request([]), request("GET", "1.0"), request("GET", HttpVersion11, 1), request("\ud800")]
    statuses = [True, 200.0, "200", Number(200), HTTPStatus.OK, HTTPStatus.NO_CONTENT, []]
    reasons = [5, b"OK", Text("OK"), "\xe9", "\u20ac"]
    lines = ["", bytearray(LINES), memoryview(LINES), Octets(LINES), 5]
    contents = ["hello", bytearray(b"hello"), memoryview(b"hello"), Octets(b"hello"), 5, ()]
    for place, values in enumerate([heads, statuses, reasons, lines, contents, [0, 1, "", [1]]]):
        for value in [None, *values]:
            arguments = [*usual[:place], value, *usual[place + 1 :]]
            assert told(twin, *arguments) == told(RESPONSE.reference, *arguments), arguments
    for count in range(len(usual)):
        message = told(twin, *usual[:count])
        assert message == told(RESPONSE.reference, *usual[:count])
        assert message[0] is TypeError
    names = ("head", "status", "reason", "fields", "content", "keep_alive")
    assert twin(**dict(zip(names, usual, strict=True))) == twin(*usual) == RESPONSE.reference(*usual)
    pair = ("Name", "value")
    for pairs in (None, 5, "ab", {"Name": "value"}, {"Name": "value"}.items(), [["Name", "value"]], [(*pair, "more")]):
        assert told(fields, pairs) == told(FIELDS.reference, pairs)
    for strange in [
        (Text("Name"), "value"),
        ("Name", Text("value")),
        (b"Name", "value"),
        ("Name", 5),
        ("", "value"),
        (),
    ]:
        assert told(fields, [pair, strange, pair]) == told(FIELDS.reference, [pair, strange, pair])
    assert told(fields, iter([pair])) == (bytes, b"Name: value\r\n")
    assert told(fields) == told(FIELDS.reference)
    assert told(fields, [], []) == told(FIELDS.reference, [], [])
    assert fields(pairs=[pair]) == b"Name: value\r\n"
    released = memoryview(b"gone")
    released.release()
    for data in (None, "text", Octets(b"abc"), [1, 2], released, memoryview(b"abcd")[::-1]):
        assert told(chunk, data) == told(CHUNK.reference, data)
    assert told(chunk) == told(CHUNK.reference)
    assert told(chunk, b"", b"") == told(CHUNK.reference, b"", b"")
    assert chunk(data=b"abc") == b"3\r\nabc\r\n"


# -- nothing is kept --------------------------------------------------------------------------------------------------


def test_no_call_keeps_a_reference_or_an_octet(twin: Any, fields: Any, chunk: Any) -> None:
    reason, content = "Fine", b"content that is " * 8
    strange = memoryview(content)[::2]
    watched = [HEAD, reason, LINES, content, strange, twin(HEAD, 200, "OK", b"", b"", True)[1], RequestHead]

    def all_ways() -> None:
        for _ in range(500):
            twin(HEAD, 200, reason, LINES, content, True)
            told(twin, HEAD, 304, reason, LINES, content, True)
            told(twin, HEAD, 200, "\ud800", LINES, content, True)
            told(twin, HEAD, 200, "\n", LINES, content, True)
            told(twin, None, 200, reason, LINES, content, True)
            for value in (reason, "caf\xe9", "\n", "\ud800", None):
                told(fields, [(reason, reason), (reason, value)])
            for data in (content, bytearray(content), strange, b"", None):
                told(chunk, data)

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


def test_a_buffer_can_grow_again_after_it_was_written(chunk: Any) -> None:
    for data in (bytearray(b"abc"), bytearray()):
        chunk(data)
        data += b"more"


def run(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


START = """
from aioweb.protocol._encode import encode_chunk, encode_fields, encode_response
from aioweb.protocol.events import FieldSection, HttpVersion11, RequestHead
head = RequestHead("GET", "/", "/", "", None, HttpVersion11, FieldSection(b""), False, True)
"""


def test_every_interpreter_of_a_process_has_twins_of_its_own(twin: Any) -> None:
    script = f"""
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
SCRIPT = r'''{START}
octets, framing = encode_response(head, 200, "OK", b"", b"hello", True)
assert octets.endswith(b"Content-Length: 5\\r\\n\\r\\nhello") and framing.keep_alive
assert encode_fields([("a", "b")]) == b"a: b\\r\\n"
assert encode_chunk(b"a") == b"1\\r\\na\\r\\n"
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


def test_without_memory_there_is_an_error_and_nothing_is_kept(twin: Any) -> None:
    pytest.importorskip("_testcapi", reason="this Python was built without it")
    script = f"""
import _testcapi, gc, sys
{START}
calls = [
    lambda: encode_response(head, 200, "OK", b"", b"hello" * 200, True) and 1,
    lambda: encode_response(head, 304, "Not Modified", b"", b"", True) and 1,
    lambda: encode_fields([("hello", "hello" * 200), ("hello", chr(233) * 200)]) and 1,
    lambda: encode_chunk(b"hello" * 200) and 1,
    lambda: encode_chunk(memoryview(b"hello" * 200)[::2]) and 1,
]
def fail_once_everywhere():
    failures = 0
    for call in calls:
        for which in range(60):  # more than a call allocates: the last of them succeed
            _testcapi.set_nomemory(which, which + 1)
            try:
                done = call()
            except MemoryError:
                done = 0
            finally:
                _testcapi.remove_mem_hooks()
            failures += not done
        assert done
    return failures
assert fail_once_everywhere() >= len(calls)
gc.collect()
before = sys.getallocatedblocks()
for _ in range(30):
    fail_once_everywhere()
gc.collect()
print(sys.getallocatedblocks() - before)
"""
    assert int(run(script)) < 20  # one kept object in one place would be 30
