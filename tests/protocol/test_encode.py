"""What goes out: refused where it would split a response, and read back equal by a foreign parser (h11)."""

from __future__ import annotations

from enum import Enum

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioweb.protocol import encode
from aioweb.protocol.connection import Connection
from aioweb.protocol.encode import (
    LAST_CHUNK,
    REASONS,
    check_reason,
    encode_fields,
    encode_informational,
    encode_last_chunk,
    encode_response_head,
)
from aioweb.protocol.events import HttpVersion11
from aioweb.protocol.framing import frame_response

pytestmark = pytest.mark.usefixtures("tongue")

CONTROLS = [chr(point) for point in (*range(0x09), *range(0x0A, 0x20), 0x7F)]
LONE = ["\ud800", "\udc00", "\udc0a", "\udc7f", "\udd00", "\udfff"]
TCHARS = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LENGTH = frame_response("GET", HttpVersion11, 200, 0, True)

names = st.text(TCHARS, min_size=1, max_size=12).map("X-{}".format)
texts = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters=CONTROLS)
    | st.integers(0xDC80, 0xDCFF).map(chr)
    | st.just("\t"),
    max_size=20,
)
fields = st.lists(st.tuples(names, texts), max_size=5)


def octets_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


# -- refused on the way out ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", CONTROLS + LONE, ids=ascii)
@pytest.mark.parametrize(
    "where", ["{}", "a{}", "{}b", "a\r\n{}b", "ключ{}"], ids=["alone", "last", "first", "split", "utf-8"]
)
def test_a_value_with_a_control_is_refused_and_its_field_named_cve_2018_1000164_cve_2026_34514(bad, where):
    with pytest.raises(ValueError, match="field X-Name: a control character or a lone surrogate in") as caught:
        encode_fields([("A", "b"), ("X-Name", where.format(bad))])
    assert not isinstance(caught.value, UnicodeError)
    assert bad not in str(caught.value), "the words are safe to log"


@pytest.mark.parametrize(
    "bad", [chr(point) for point in range(0x180) if chr(point) not in TCHARS] + ["", *LONE], ids=ascii
)
def test_a_name_that_is_no_token_is_refused_cve_2026_50269(bad):
    for name in {bad, f"X{bad}Y", f"X{bad}"} if bad else {bad}:
        with pytest.raises(ValueError, match="is not a token") as caught:
            encode_fields([(name, "value")])
        assert repr(name) in str(caught.value)


@pytest.mark.parametrize("bad", CONTROLS + LONE, ids=ascii)
def test_a_reason_with_a_control_is_refused_cve_2026_34519_cve_2025_67724(bad):
    for reason in (bad, f"OK{bad}", f"OK\r\nSet-Cookie: a=b{bad}"):
        with pytest.raises(ValueError, match="reason: a control character or a lone surrogate in"):
            check_reason(reason)
        with pytest.raises(ValueError, match="reason"):
            encode_response_head(200, reason, b"", LENGTH, 0)


def test_a_long_value_is_cut_in_the_words_of_a_refusal():
    with pytest.raises(ValueError) as caught:
        encode_fields([("X", "a" * 10_000 + "\n")])
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize("status", [-1, 0, 20, 99, 100, 102, 103, 150, 199, 1000, 20000])
@pytest.mark.parametrize("reason", ["", "Continue", "Processing", "Early Hints", "x"])
def test_a_final_response_has_a_final_status(status, reason):
    # After a 100 the client would wait for another response, and take the next one for it.
    with pytest.raises(ValueError, match=f"the status of a final response is 101 or from 200 to 999, not {status}"):
        encode_response_head(status, reason, b"", LENGTH, 0)


@pytest.mark.parametrize("status", [-1, 0, 99, 101, 200, 204, 404, 1000])
def test_an_interim_response_has_an_interim_status(status):
    with pytest.raises(ValueError, match=f"1xx other than 101, not {status}"):
        encode_informational(status)


# -- what is written -------------------------------------------------------------------------------------------------


def test_fields_are_written_in_their_order_each_with_its_crlf():
    assert encode_fields([]) == b""
    assert encode_fields([("A", "b"), ("a", ""), ("X-Y", "\tc d")]) == b"A: b\r\na: \r\nX-Y: \tc d\r\n"


class Told(str, Enum):
    """Two who format themselves as `Told.NAME`, by their name."""

    NAME = "X-Name"
    VALUE = "value"


class Liar(str):
    """A str that is other text for all who ask it, and is never empty."""

    def __format__(self, spec: str) -> str:
        return "a\r\nSet-Cookie: b"

    __str__ = lower = lambda self: self.__format__("")

    def __len__(self) -> int:
        return 3


def test_of_a_subclass_of_str_its_text_is_checked_and_written():
    assert encode_fields([(Told.NAME, Told.VALUE), (Liar("A"), Liar("b"))]) == b"X-Name: value\r\nA: b\r\n"
    for name, value in [("", "a"), ("A b", "c"), ("A", "b\r\nc")]:
        with pytest.raises(ValueError):
            encode_fields([(Liar(name), Liar(value))])
    with pytest.raises(ValueError, match="must not be a trailer"):
        encode_last_chunk([(Liar("Content-Length"), "5")])


def test_values_are_written_as_utf_8_and_surrogates_as_their_octets():
    assert encode_fields([("X", "к\udcff\x80")]) == b"X: \xd0\xba\xff\xc2\x80\r\n"


@pytest.mark.parametrize("status", sorted(status for status in REASONS if status >= 200 or status == 101))
def test_a_status_line_has_the_reason_of_the_registry_or_another_one(status):
    head = encode_response_head(status, REASONS[status], b"", LENGTH, 5)
    assert head == f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Length: 5\r\n\r\n".encode()
    assert encode_response_head(status, "", b"", LENGTH, 0).startswith(b"HTTP/1.1 %d \r\n" % status)
    assert encode_response_head(status, "Эй\udcff", b"", LENGTH, 0).startswith(
        b"HTTP/1.1 %d \xd0\xad\xd0\xb9\xff\r\n" % status
    )


def test_a_status_without_a_reason_of_its_own_is_written():
    assert encode_response_head(299, "Fine", b"", LENGTH, 0).startswith(b"HTTP/1.1 299 Fine\r\n")
    assert encode_response_head(999, "", b"", LENGTH, 0).startswith(b"HTTP/1.1 999 \r\n")


def test_the_reasons_are_those_of_rfc_9110_on_every_python():
    assert [REASONS[status] for status in (413, 414, 416, 422)] == [
        "Content Too Large",
        "URI Too Long",
        "Range Not Satisfiable",
        "Unprocessable Content",
    ]


def test_an_interim_response_is_written():
    assert encode_informational(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert encode_informational(103, b"Link: x\r\n") == b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    assert encode_informational(199) == b"HTTP/1.1 199 \r\n\r\n"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda data: memoryview(data).cast("I")])
def test_a_chunk_has_the_size_of_its_octets_and_not_of_its_items(kind):
    assert encode.encode_chunk(kind(b"0123456789abcdef")) == b"10\r\n0123456789abcdef\r\n"


def test_the_last_chunk_carries_the_trailers():
    assert encode_last_chunk() == LAST_CHUNK == b"0\r\n\r\n"
    assert encode_last_chunk([("A", "b")]) == b"0\r\nA: b\r\n\r\n"
    with pytest.raises(ValueError, match="field A"):
        encode_last_chunk([("A", "b\r\n")])


# -- what a foreign parser reads -------------------------------------------------------------------------------------


def read_by_h11(octets: bytes, method: str = "GET") -> tuple[object, ...]:
    """Status, reason, headers, content and trailers as h11 reads them; it raises at whatever it takes for a fault."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    client.send(h11.EndOfMessage())
    client.receive_data(octets)
    response, content, trailers = None, b"", None
    while trailers is None:
        event = client.next_event()
        if event is h11.NEED_DATA:
            client.receive_data(b"")
        elif isinstance(event, h11.Response):
            response = event
        elif isinstance(event, h11.Data):
            content += bytes(event.data)
        else:
            assert isinstance(event, h11.EndOfMessage)
            trailers = event.headers.raw_items()
    assert client.trailing_data[0] == b"", "nothing is left over"
    return response.status_code, response.reason, response.headers.raw_items(), content, trailers


def request(method: str = "GET", version: str = "1.1") -> Connection:
    """A connection that has received one request."""
    connection = Connection()
    connection.receive_data(f"{method} / HTTP/{version}\r\nHost: a\r\n\r\n".encode())
    connection.next_event()
    return connection


def as_read(pairs: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), octets_of(value).strip(b" \t")) for name, value in pairs]


STATUSES = st.integers(200, 999)
REASON_TEXTS = texts.map(str.strip)


@given(st.sampled_from(["GET", "HEAD", "POST"]), STATUSES, REASON_TEXTS, fields, st.binary(max_size=30), st.booleans())
def test_a_whole_response_is_read_back_equal(method, status, reason, pairs, content, keep_alive):
    octets = request(method).send_response(status, reason, encode_fields(pairs), content, keep_alive)
    read_status, read_reason, headers, read_content, trailers = read_by_h11(octets, method)
    sent = b"" if method == "HEAD" or status in (204, 205, 304) else content
    length = 0 if status == 205 else len(content)
    added = [(b"Content-Length", b"%d" % length)] if status != 204 and (status != 304 or content) else []
    if not keep_alive:
        added.append((b"Connection", b"close"))
    assert (read_status, read_content, trailers) == (status, sent, [])
    assert read_reason.strip() == octets_of(reason).strip()
    assert headers == as_read(pairs) + added


@given(STATUSES, fields, st.lists(st.binary(max_size=20), max_size=5), fields)
def test_chunks_and_trailers_are_read_back_equal(status, pairs, parts, trailers):
    connection = request()
    head, framing = connection.send_head(status, "OK", encode_fields(pairs), None)
    octets = head + b"".join(connection.send_data(part) for part in parts) + connection.send_end(trailers)
    read_status, _, headers, content, read_trailers = read_by_h11(octets)
    assert read_status == status
    if framing.chunked:
        assert headers == [*as_read(pairs), (b"Transfer-Encoding", b"chunked")]
        assert content == b"".join(parts)
        assert read_trailers == as_read(trailers)
    else:
        assert status in (204, 205, 304)
        assert (content, read_trailers) == (b"", [])


@given(st.lists(st.binary(max_size=20), max_size=5))
def test_content_of_a_known_length_is_read_back_equal(parts):
    connection = request()
    head, _ = connection.send_head(200, "OK", b"", sum(map(len, parts)))
    octets = head + b"".join(connection.send_data(part) for part in parts) + connection.send_end()
    assert read_by_h11(octets)[3] == b"".join(parts)


def test_content_that_the_end_of_the_connection_ends_is_read_back_equal():
    connection = request(version="1.0")
    head, _ = connection.send_head(200, "OK", b"", None)
    octets = head + connection.send_data(b"hel") + connection.send_data(b"lo") + connection.send_end()
    assert read_by_h11(octets)[2:4] == ([(b"Connection", b"close")], b"hello")


@given(fields)
def test_what_is_written_is_read_back_equal_by_ourselves(pairs):
    connection = Connection()
    connection.receive_data(b"GET / HTTP/1.1\r\nHost: a\r\n" + encode_fields(pairs) + b"\r\n")
    assert list(connection.next_event().fields.pairs) == [(b"Host", b"a"), *as_read(pairs)]


@given(texts)
def test_whatever_is_not_refused_stays_on_its_line(value):
    octets = encode_fields([("X", value)])
    assert octets.count(b"\r") == octets.count(b"\n") == 1
    assert octets.endswith(b"\r\n")
    assert not any((octet < 0x20 and octet != 0x09) or octet == 0x7F for octet in octets[:-2])


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_text_is_written_on_one_line_or_refused_by_a_value_error(name, value):
    try:
        octets = encode_fields([(name, value)])
    except UnicodeError:
        raise  # it would name no field
    except ValueError:
        return
    assert octets == octets_of(f"{name}: {value}\r\n")
    assert octets.count(b"\n") == octets.count(b"\r") == 1
