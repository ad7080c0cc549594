"""What holds for any multipart content: any cut tells one story, time is linear, little is kept, and two foreign
decoders read what we read.
"""

from __future__ import annotations

import tracemalloc
from time import process_time

import multipart as defnull
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from aioweb.protocol.events import NEED_DATA, Data
from aioweb.protocol.limits import Limits
from aioweb.protocol.multipart import (
    PART_END,
    MultipartDecoder,
    check_boundary,
    encode_last_boundary,
    encode_part_head,
)
from tests.data.hostile_multipart import HARMLESS_MULTIPART, HOSTILE_MULTIPART
from tests.data.multipart import RECORDED
from tests.data.multipart_formats import FORMATS
from tests.protocol.lineartime import assert_linear
from tests.protocol.multipart_wire import Story, decode, decode_at_once
from tests.protocol.wire import byte_by_byte, cut

BOUNDARIES = ["x", "-", "--", "aa", "a:b", "x" * 70, "----WebKitFormBoundaryXJZWlxmqwZZOfwGB"]
NARROW = Limits(parts=2, part_fields=2, part_head=60)
HEAD = b'Content-Disposition: form-data; name="a"\r\n'


def words_of(boundary: str) -> list[bytes]:
    """What multipart content with this boundary is made of, and what comes near it."""
    name = boundary.encode()
    return [
        *(b"\r\n", b"\r", b"\n", b"\r\n\r\n", b"-", b"--", b"\r\n--", b"\r\n-", b" ", b"\t", b":", b"\0", b"a"),
        *(name, name[:-1], b"--" + name, b"\n--" + name, b"\r\n--" + name[:-1], b"\r\n--" + name + b"--"),
        *[b"\r\n--" + name + b"\r\n", b"\r\n--" + name + b"\r\n" + HEAD + b"\r\n"] * 3,
        *(HEAD, b"A: b\r\n", b"content", b"--" + name + b"\r\n" + HEAD + b"\r\n"),
    ]


boundaries = st.sampled_from(BOUNDARIES)


@st.composite
def soups(draw: st.DrawFn, *, always_begins: bool = False) -> tuple[str, bytes]:
    """A boundary, and words that may be multipart content with it."""
    boundary = draw(boundaries)
    octets = b"".join(draw(st.lists(st.sampled_from(words_of(boundary)), max_size=14)))
    if always_begins or draw(st.booleans()):
        octets = b"--" + boundary.encode() + b"\r\n" + HEAD + b"\r\n" + octets
    if draw(st.booleans()):
        octets += b"\r\n--" + boundary.encode() + b"--\r\n"
    return boundary, octets


cuts = st.lists(st.integers(0, 300), max_size=6)


@given(soups(), cuts, st.sampled_from([Limits(), NARROW]))
def test_any_cut_tells_the_same_story(soup, positions, limits):
    boundary, octets = soup
    whole = decode([octets], boundary, limits)
    assert decode(byte_by_byte(octets), boundary, limits) == whole
    pieces = cut(octets, [position for position in positions if position < len(octets)])
    assert decode(pieces, boundary, limits) == decode_at_once(pieces, boundary, limits) == whole


@given(boundaries, st.binary(max_size=200))
def test_arbitrary_octets_end_or_are_refused(boundary, octets):
    story = decode([octets], boundary)
    assert story.has_ended != (story.refusal is not None)


names = st.from_regex(r"[a-zA-Z-]{1,8}", fullmatch=True).filter(lambda name: not name.lower().startswith("content"))
values = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20).map(lambda value: value.strip(" \t"))


@st.composite
def messages(draw: st.DrawFn) -> tuple[str, list[tuple[list[tuple[str, str]], bytes]]]:
    """A boundary, and the parts of a message: field lines and content."""
    boundary = check_boundary(draw(boundaries))
    contents = st.one_of(
        st.binary(max_size=60), st.lists(st.sampled_from(words_of(boundary)), max_size=6).map(b"".join)
    )
    parts = draw(st.lists(st.tuples(st.lists(st.tuples(names, values), max_size=3), contents), max_size=4))
    assume(all(b"\r\n--" + boundary.encode() not in b"\r\n" + content for _, content in parts))
    return boundary, parts


@given(messages())
def test_what_is_written_is_read_again(message):
    boundary, parts = message
    octets = b"".join(encode_part_head(boundary, pairs) + content + PART_END for pairs, content in parts)
    story = decode([octets + encode_last_boundary(boundary)], boundary)
    assert story.has_ended
    assert [(list(part.pairs), part.content) for part in story.parts] == parts


def feed(decoder: MultipartDecoder, octets: bytes, size: int) -> int:
    """Deliver octets in pieces; how many of them came out as content."""
    content = 0
    for start in range(0, len(octets), size):
        decoder.receive_data(octets[start : start + size])
        while (event := decoder.next_event()) is not NEED_DATA:
            content += len(event.data) if isinstance(event, Data) else 0
    return content


WORST = [
    b"\0",
    b"\r",
    b"\n",
    b"-",
    b"\r\n",
    b"\r\n--",
    b"\r\n--%b",
    b"\n--%b",
    b"%b",
    b"\r\n--%b!",
    b"\r\n-%b",
    b"a",
]
"""Content that begins a delimiter again and again; %b is all of the boundary but its last character."""


def worst(piece: bytes, boundary: str, size: int) -> bytes:
    piece = piece.replace(b"%b", boundary[:-1].encode()) or b"?"
    return piece * (size // len(piece))


@pytest.mark.parametrize("boundary", ["x", "a" * 70, "----WebKitFormBoundaryXJZWlxmqwZZOfwGB", "ab" * 35])
@pytest.mark.parametrize("piece", WORST)
@pytest.mark.parametrize(("delivered", "size"), [(1, 5_000), (4096, 500_000), (65536, 500_000), (10**9, 500_000)])
def test_time_is_linear_and_only_a_delimiter_is_kept(boundary, piece, delivered, size):
    start = b"--" + boundary.encode() + b"\r\n\r\nc"

    def decode_content(content: bytes) -> None:
        decoder = MultipartDecoder(boundary)
        feed(decoder, start, len(start))
        kept = len(content) - feed(decoder, content, delivered)
        assert kept < len(boundary) + 4

    assert_linear(lambda size: worst(piece, boundary, size), decode_content, size)


@pytest.mark.parametrize("piece", WORST)
def test_10_mib_of_near_boundaries_take_as_long_as_zeros(piece):
    boundary = "----WebKitFormBoundaryXJZWlxmqwZZOfwGB"

    def spend(content: bytes) -> float:
        decoder = MultipartDecoder(boundary)
        feed(decoder, b"--" + boundary.encode() + b"\r\n\r\nc", 100)
        start = process_time()
        feed(decoder, content, 65536)
        return process_time() - start

    content = worst(piece, boundary, 10 * 2**20)
    # Both are a few milliseconds; a reader that looks at each octet in Python takes a second.
    assert min(spend(content) for _ in range(3)) < 0.1


@pytest.mark.parametrize(
    "make",
    [
        lambda size: b"preamble\r\n-- " * (size // 13),
        lambda size: b"--x" + b" " * size,
        lambda size: b"--x--" + b"\t" * size,
        lambda size: b"--x--\r\n" + b"--x\r\n\r\n" * (size // 7),
        lambda size: b"--x\r\n\r\n" + b"\r\n--" * (size // 4),
        lambda size: b"--x\r\nA: " + b"b" * min(size, 8000),
    ],
    ids=["preamble", "padding", "last padding", "epilogue", "content", "head"],
)
def test_little_is_kept_and_time_is_linear_everywhere(make):
    def deliver(octets: bytes, size: int = 1) -> None:
        decoder = MultipartDecoder("x")
        for start in range(0, len(octets), size):
            decoder.receive_data(octets[start : start + size])
            while decoder.next_event() not in (NEED_DATA, None):
                if octets.startswith(b"--x--\r\n"):
                    break

    assert_linear(make, deliver, 4_000)
    octets = make(2**21)
    tracemalloc.start()
    try:
        deliver(octets, 65536)
        assert tracemalloc.get_traced_memory()[1] < 400_000
    finally:
        tracemalloc.stop()


def test_what_is_kept_is_dropped_with_an_error():
    decoder = MultipartDecoder("x")
    decoder.receive_data(b"--x" + b" " * 2**20 + b"!")
    tracemalloc.start()
    try:
        with pytest.raises(Exception, match="not followed by CRLF"):
            decoder.next_event()
        decoder.receive_data(b"b" * 2**20)
        assert tracemalloc.get_traced_memory()[0] < 100_000
    finally:
        tracemalloc.stop()


# -- foreign decoders ----------------------------------------------------------------------------------------------


def read_by_python_multipart(octets: bytes, boundary: str) -> list[bytes] | None:
    """The contents that python-multipart (of starlette) finds; None if it refuses, or has not seen the end."""
    contents: list[bytes] = []
    ended = []
    callbacks = {
        "on_part_begin": lambda: contents.append(b""),
        "on_part_data": lambda data, start, end: contents.append(contents.pop() + data[start:end]),
        "on_end": lambda: ended.append(True),
    }
    try:
        MultipartParser(boundary, callbacks, max_header_count=32, max_header_size=8190).write(octets)
    except FormParserError:
        return None
    return contents if ended else None


def read_by_defnull(octets: bytes, boundary: str) -> list[bytes] | None:
    """The contents that multipart (of bottle's author) finds; None if it refuses, or has not seen the end."""
    contents: list[bytes] = []
    parser = defnull.PushMultipartParser(boundary, max_header_size=8190, max_header_count=32, header_charset="latin-1")
    try:
        for event in parser.parse(octets):
            if isinstance(event, defnull.MultipartSegment):
                contents.append(b"")
            elif event is not None:
                contents[-1] += event
        parser.close()
    except defnull.MultipartError:
        return None
    return contents


FOREIGN = [read_by_python_multipart, read_by_defnull]

STRICTNESS = {
    # RFC 2046 takes "--xy" for the delimiter "--x", python-multipart for content; the others close at "--x--y".
    "a multipart boundary is not followed by CRLF",
    # Folding, which defnull's takes; controls in values, which both take.
    "the head of a part has a line that is no field, is folded or holds a control",
    # "a:b" as boundary: "--a:b" in a head is a field for both.
    "a multipart boundary in the head of a part",
    "the head of a part repeats a field that may stand once",
}
"""For these we refuse what a foreign decoder may accept: each has a second reading."""


def is_read_differently(octets: bytes, boundary: str) -> bool:
    """Where the foreign decoders read another thing than RFC 2046 says, and we do not.

    A delimiter right behind the empty line of a head is content for both; the grammar allows no such content, but a
    part without any. And before the first delimiter they take a boundary that is not at the beginning of a line, or
    none that comes behind a preamble.
    """
    delimiter = b"--" + boundary.encode()
    return b"\r\n\r\n" + delimiter in octets or not octets.startswith(delimiter)


def compare(octets: bytes, boundary: str) -> Story:
    """Decode with all; where two of them accept, they have read the same."""
    story = decode([octets], boundary)
    ours = list(story.complete) if story.has_ended else None
    for read in FOREIGN:
        theirs = read(octets, boundary)
        if ours is not None and theirs is not None:
            assert ours == theirs, read.__name__
        elif theirs is not None:
            assert story.refusal is not None
            assert story.refusal[2] in STRICTNESS, read.__name__
    return story


@given(soups(always_begins=True))
@example(("x", b"--x\r\n" + HEAD + b"\r\n1\r\n--x--\r\n"))
def test_foreign_decoders_read_what_we_read(soup):
    boundary, octets = soup
    assume(not is_read_differently(octets, boundary))
    compare(octets, boundary)


@pytest.mark.parametrize("case", [*HOSTILE_MULTIPART, *HARMLESS_MULTIPART], ids=str)
def test_foreign_decoders_accept_little_that_we_refuse(case):
    if case.status != 413 and not is_read_differently(case.octets, case.boundary):
        compare(case.octets, case.boundary)


@pytest.mark.parametrize("golden", [*RECORDED, *FORMATS], ids=str)
def test_foreign_decoders_read_what_clients_send(golden):
    boundary = golden.content_type.partition("boundary=")[2].strip('"')
    contents = [part.content for part in golden.parts]
    # Parts that are no form-data are not for defnull's, and padding and a preamble not for python-multipart.
    is_form = golden.content_type.startswith("multipart/form-data")
    readers = FOREIGN if is_form else [read_by_python_multipart] if "aiohttp" in golden.client else []
    for read in readers:
        assert read(golden.body, boundary) == contents, read.__name__


@given(messages())
def test_foreign_decoders_read_what_we_write(message):
    boundary, parts = message
    # Their boundary at the beginning of content, and names of fields that both take.
    octets = b"".join(
        encode_part_head(boundary, [("Content-Disposition", 'form-data; name="a"')]) + content + PART_END
        for _, content in parts
    )
    octets += encode_last_boundary(boundary)
    for read in FOREIGN:
        assert read(octets, boundary) == [content for _, content in parts], read.__name__
