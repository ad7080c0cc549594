"""Content: delimited by its length, in chunks, with trailers; bounded, and linear work however it arrives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioweb.protocol import body as body_module
from aioweb.protocol import head as head_module
from aioweb.protocol.body import FORBIDDEN_TRAILERS, ChunkedReader, LengthReader, make_reader
from aioweb.protocol.connection import Connection
from aioweb.protocol.errors import BadChunk, BadField, ContentTooLarge
from aioweb.protocol.events import NEED_DATA, Data, EndOfMessage, Wait
from aioweb.protocol.head import parse_request_head
from aioweb.protocol.limits import Limits
from tests.protocol.counting import CountingBuffer, CountingPattern
from tests.protocol.wire import Outcome, cut, deliver, observe

CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
LIMITS = Limits()


def chunks(octets: bytes, limits: Limits | None = None) -> Outcome:
    """What comes of octets in the place of chunked content."""
    return observe(CHUNKED + octets, limits)


def take(reader: LengthReader | ChunkedReader, buffer: bytearray) -> Data | EndOfMessage | Wait:
    """The next event of a reader; what it takes leaves the buffer."""
    event, size = reader.read(buffer)
    del buffer[:size]
    return event


def words(octets: bytes, limits: Limits | None = None) -> tuple[str, int, str] | None:
    return chunks(octets, limits).refusal


# -- Content-Length --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 2, 255, 256, 70_000])
def test_content_ends_where_its_length_says(length):
    content = bytes(i % 251 for i in range(length))
    outcome = observe(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (length, content))
    assert outcome.requests[0].content == content
    assert outcome.requests[0].trailers == ()
    assert outcome.ending == "idle"


def test_content_that_is_cut_is_no_message():
    outcome = observe(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nhello")
    assert outcome.requests[0].content == b"hello"
    assert outcome.requests[0].trailers is None
    assert outcome.ending == "cut"


def test_a_length_reader_takes_its_own_octets_only():
    reader, buffer = LengthReader(5), bytearray(b"helloGET")
    assert take(reader, buffer).data == b"hello"
    assert isinstance(take(reader, buffer), EndOfMessage)
    assert buffer == b"GET"


def test_a_reader_that_waits_keeps_nothing():
    reader, buffer = LengthReader(5), bytearray(b"he")
    assert take(reader, buffer).data == b"he"
    assert take(reader, buffer) is NEED_DATA
    assert reader.remaining == 3
    assert not buffer


@pytest.mark.parametrize(
    ("field", "reader"), [(b"Content-Length: 5", LengthReader), (b"Transfer-Encoding: chunked", ChunkedReader)]
)
def test_the_reader_is_chosen_by_the_head(field, reader):
    head, _ = parse_request_head(bytearray(b"GET / HTTP/1.1\r\nHost: a\r\n" + field + b"\r\n\r\n"), LIMITS)
    assert type(make_reader(head, LIMITS)) is reader


# -- chunks ----------------------------------------------------------------------------------------------------------


def test_chunks_that_arrived_together_leave_together_cve_2025_69229():
    reader, buffer = ChunkedReader(LIMITS), bytearray(b"1\r\na\r\n" * 5000 + b"0\r\n\r\n")
    assert take(reader, buffer).data == b"a" * 5000
    assert isinstance(take(reader, buffer), EndOfMessage)


@pytest.mark.parametrize("reader", [LengthReader(1000), ChunkedReader(LIMITS)], ids=["length", "chunked"])
def test_octets_that_are_content_from_end_to_end_are_passed_on_and_not_copied(reader):
    if isinstance(reader, ChunkedReader):
        take(reader, bytearray(b"3e8\r\n"))
    piece = bytes(500)
    for _ in range(2):
        event, size = reader.read(piece)
        assert event.data is piece
        assert size == 500


def test_content_is_passed_through_the_connection_without_a_copy():
    connection = Connection()
    connection.receive_data(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
    connection.next_event()
    piece = bytes(1000)
    connection.receive_data(piece)
    assert connection.next_event().data is piece
    assert isinstance(connection.next_event(), EndOfMessage)


@pytest.mark.parametrize("size", [1, 2, 9, 15, 16, 17])
@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_small_chunks_are_the_same_over_the_edges_of_the_window_they_are_read_in(size, kind):
    contents = [bytes([65 + i % 26]) * size for i in range(3000)]
    octets = b"".join(b"%x\r\n%b\r\n" % (size, content) for content in contents)
    for cut_at in (0, 1, 2, 3, 4, 5, 4096, 4097, len(octets) - 1):
        reader, rest, content = ChunkedReader(LIMITS), b"", b""
        for piece in (octets[:cut_at], octets[cut_at:]):
            rest += piece
            event, taken = reader.read(kind(rest))
            rest = rest[taken:]
            content += event.data if isinstance(event, Data) else b""
        assert content == b"".join(contents)


def test_a_size_line_is_bounded_behind_other_chunks_too():
    assert words(b"1\r\na\r\n0001\r\na\r\n0\r\n\r\n", Limits(chunk_line=3))[1] == 413
    assert words(b"1\r\na\r\n" + b"0" * 15 + b"1\r\na\r\n0\r\n\r\n") is None
    assert words(b"1\r\na\r\n" + b"0" * 16 + b"1\r\na\r\n0\r\n\r\n")[1] == 400


@pytest.mark.parametrize(
    "wrong", [b"1\r\nab\r\n", b"+1\r\na\r\n", b" 1\r\na\r\n", b"1 \r\na\r\n", b"1\r\na\n\r", b"1\n\na"]
)
def test_what_is_wrong_between_small_chunks_is_refused_after_them(wrong):
    outcome = chunks(b"1\r\nx\r\n" * 20 + wrong)
    assert outcome.requests[0].content[:20] == b"x" * 20
    assert outcome.status == 400


@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=6),
    st.lists(st.integers(0, 400), max_size=5),
    st.sampled_from([b"", b";a", b' ;a="b"', b";x=y;z"]),
    st.sampled_from(["%x", "%X", "%08x", "%016X"]),
)
def test_content_is_what_was_put_into_chunks(parts, positions, extension, form):
    octets = b"".join(b"%b%b\r\n%b\r\n" % ((form % len(part)).encode(), extension, part) for part in parts)
    outcome = deliver(cut(CHUNKED + octets + b"0\r\n\r\n", [len(CHUNKED) + position for position in positions]))
    assert outcome.requests[0].content == b"".join(parts)
    assert outcome.ending == "idle"


@pytest.mark.parametrize(
    ("octets", "refusal"),
    [
        (b"x\r\n", "a chunk-size line is not 1 to 16 hexadecimal digits and chunk extensions"),
        (b"5\n", "octet 0x0a in a chunk-size line"),
        (b"5\r5", "octet 0x0d in a chunk-size line"),
        (b"5\r\nhelloX", "chunk data is not followed by CRLF"),
        (b"5\r\nhello\rX", "chunk data is not followed by CRLF"),
        (b"5\r\nhello\n", "chunk data is not followed by CRLF"),
    ],
)
def test_a_refusal_says_what_is_wrong(octets, refusal):
    assert words(octets) == ("BadChunk", 400, refusal)


def test_what_came_before_an_error_is_good_content_however_it_was_cut():
    # `observe` holds the outcomes of all cuts equal; this is the one that they have.
    outcome = chunks(b"5\r\nhello\r\n5\r\nworld!\r\n")
    assert outcome.requests[0].content == b"helloworld"
    assert outcome.status == 400


def test_an_error_behind_content_comes_with_the_next_call_and_with_each_one_after():
    reader, buffer = ChunkedReader(LIMITS), bytearray(b"1\r\na\r\n+\r\n")
    assert take(reader, buffer).data == b"a"
    for _ in range(2):
        with pytest.raises(BadChunk):
            take(reader, buffer)


@pytest.mark.parametrize("octet", range(256))
def test_the_two_octets_behind_a_chunk_are_compared_cve_2025_43859(octet):
    for pair in (bytes([octet]) + b"\n", b"\r" + bytes([octet])):
        reader, buffer = ChunkedReader(LIMITS), bytearray(b"1\r\na" + pair + b"0\r\n\r\n")
        assert take(reader, buffer).data == b"a"
        if pair == b"\r\n":
            assert isinstance(take(reader, buffer), EndOfMessage)
        else:
            with pytest.raises(BadChunk):
                take(reader, buffer)


def test_a_size_of_16_digits_is_read_and_one_of_17_is_not_cve_2013_2028():
    reader, buffer = ChunkedReader(LIMITS), bytearray(b"F" * 16 + b"\r\nhello")
    assert take(reader, buffer).data == b"hello"
    assert words(b"0" * 16 + b"\r\n\r\n") is None
    assert words(b"0" * 17 + b"\r\n\r\n")[1] == 400


# -- limits, at n and n + 1 ------------------------------------------------------------------------------------------


def test_a_chunk_line_is_bounded_413_cve_2024_22019():
    bounds = Limits(chunk_line=12)
    assert words(b"1;a=" + b"b" * 8 + b"\r\nc\r\n0\r\n\r\n", bounds) is None
    refusal = ("ContentTooLarge", 413, "a chunk-size line is longer than 12 bytes")
    assert words(b"1;a=" + b"b" * 9 + b"\r\nc\r\n0\r\n\r\n", bounds) == refusal
    assert words(b"1;a=" + b"b" * 9, bounds) == refusal, "before it ends"
    assert words(b"1;a=" + b"b" * 8, bounds) is None


def test_within_a_limit_octets_are_judged_and_beyond_it_the_length():
    bounds = Limits(chunk_line=12)
    assert words(b"1" * 11 + b"\x00" * 9, bounds)[1] == 400
    assert words(b"1" * 12 + b"\x00" * 9, bounds)[1] == 413


def test_the_sum_of_chunk_extensions_is_bounded_413_cve_2023_39326():
    bounds = Limits(chunk_extensions=12)
    assert words(b"1;aaa\r\nb\r\n" * 3 + b"0\r\n\r\n", bounds) is None
    refusal = ("ContentTooLarge", 413, "more than 12 bytes of chunk extensions")
    assert words(b"1;aaa\r\nb\r\n" * 2 + b"1;aaaa\r\nb\r\n0\r\n\r\n", bounds) == refusal
    assert words(b"1;aaa\r\nb\r\n" * 3 + b"0;a\r\n\r\n", bounds) == refusal, "the last one counts"


def test_extensions_are_counted_for_one_message_and_not_for_a_connection():
    bounds = Limits(chunk_extensions=4)
    message = CHUNKED + b"1;aaa\r\nb\r\n0\r\n\r\n"
    assert deliver([message * 3], bounds).refusal is None


def test_the_trailer_section_is_bounded_with_its_crlfs_431_cve_2026_22815():
    section = b"A: b\r\nC: d\r\n\r\n"
    assert words(b"0\r\n" + section, Limits(trailers=len(section))) is None
    for less in range(1, 6):
        assert words(b"0\r\n" + section, Limits(trailers=len(section) - less))[:2] == ("FieldsTooLarge", 431)


def test_one_trailer_is_bounded_431():
    assert words(b"0\r\nX:%b\r\n\r\n" % (b"a" * 28), Limits(field=30)) is None
    assert words(b"0\r\nX:%b\r\n\r\n" % (b"a" * 29), Limits(field=30))[1] == 431
    assert words(b"0\r\nX:%b" % (b"a" * 29), Limits(field=30))[1] == 431, "before it ends"


def test_the_number_of_trailers_is_bounded_431():
    assert words(b"0\r\n" + b"A: b\r\n" * 3 + b"\r\n", Limits(fields=3)) is None
    assert words(b"0\r\n" + b"A: b\r\n" * 4 + b"\r\n", Limits(fields=3))[1] == 431


# -- trailers --------------------------------------------------------------------------------------------------------


def test_trailers_come_with_the_end_and_not_with_the_headers():
    (seen,) = chunks(b"1\r\na\r\n0\r\nX-A:\t b \r\nx-a: c\r\n\r\n").requests
    assert seen.trailers == ((b"X-A", b"b"), (b"x-a", b"c"))
    assert seen.pairs == ((b"Host", b"a"), (b"Transfer-Encoding", b"chunked"))


@pytest.mark.parametrize("name", sorted(FORBIDDEN_TRAILERS))
def test_a_field_that_must_not_be_a_trailer_is_dropped(name):
    (seen,) = chunks(b"0\r\nA: b\r\n%b: c\r\nD: e\r\n\r\n" % name.title()).requests
    assert seen.trailers == ((b"A", b"b"), (b"D", b"e"))


def test_trailers_never_change_the_framing_of_their_message():
    outcome = chunks(b"0\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\nConnection: close\r\nHost: b\r\n\r\n")
    assert outcome.requests[0].trailers == ()
    assert outcome.ending == "idle", "it persists, and the next request is read: observe() looks"


@pytest.mark.parametrize("octets", [b"X\r\n", b" X: y\r\n", b"X : y\r\n", b"X: \x00\r\n", b"\n"])
def test_trailers_obey_the_grammar_of_fields_cve_2025_53643(octets):
    reader, buffer = ChunkedReader(LIMITS), bytearray(b"0\r\n" + octets)
    with pytest.raises(BadField):
        take(reader, buffer)


# -- work is linear --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, 1000, 10**6], ids="{} octets at a time".format)
@pytest.mark.parametrize(
    "octets",
    [
        b"1\r\na\r\n" * 3000 + b"0\r\n\r\n",
        b"1;%b\r\na\r\n" % (b"b" * 4000) * 4 + b"0\r\n\r\n",
        b"2000\r\n" + bytes(0x2000) + b"\r\n0\r\n\r\n",
        b"0\r\n" + b"X: %b\r\n" % (b"y" * 400) * 20 + b"\r\n",
    ],
    ids=["many tiny chunks", "long extensions", "one large chunk", "trailers"],
)
def test_no_octet_is_looked_at_more_than_a_few_times_however_content_arrives_cve_2025_69229(monkeypatch, octets, size):
    pattern, line = CountingPattern(body_module.BAD_OCTET), CountingPattern(body_module.CHUNK_LINE)
    monkeypatch.setattr(body_module, "BAD_OCTET", pattern)
    monkeypatch.setattr(head_module, "BAD_OCTET", pattern)
    monkeypatch.setattr(body_module, "CHUNK_LINE", line)
    reader, buffer, events = ChunkedReader(LIMITS), CountingBuffer(), []
    for start in range(0, len(octets), size):
        buffer += octets[start : start + size]
        while (event := take(reader, buffer)) is not NEED_DATA:
            events.append(event)
            if isinstance(event, EndOfMessage):
                break
    assert isinstance(events[-1], EndOfMessage)
    assert len(events) <= len(range(0, len(octets), size)) + 1, "not more events than arrivals, and the end"
    assert pattern.looked_at <= len(octets)
    assert line.looked_at <= len(octets)
    assert buffer.looked_at <= 2 * len(octets)


def test_a_chunk_line_that_is_too_long_is_an_error_of_its_own():
    reader = ChunkedReader(Limits(chunk_line=3))
    with pytest.raises(ContentTooLarge):
        take(reader, bytearray(b"1;ab"))
