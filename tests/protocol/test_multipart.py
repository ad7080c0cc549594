"""The decoder and the encoder of multipart content: RFC 2046 section 5.1, RFC 7578."""

from __future__ import annotations

import pytest

from aioweb.protocol.disposition import read_disposition
from aioweb.protocol.errors import ProtocolError
from aioweb.protocol.events import NEED_DATA, Data
from aioweb.protocol.limits import Limits
from aioweb.protocol.multipart import (
    MAX_DEPTH,
    PART_END,
    EndOfMultipart,
    MultipartDecoder,
    MultipartError,
    MultipartTooLarge,
    PartBegin,
    check_boundary,
    encode_last_boundary,
    encode_part_head,
    make_boundary,
    read_boundary,
)
from tests.data.hostile_multipart import HARMLESS_MULTIPART, HOSTILE_CONTENT_TYPES, HOSTILE_MULTIPART
from tests.data.multipart import RECORDED, Golden, Meant
from tests.data.multipart_formats import FORMATS
from tests.protocol.multipart_wire import SeenPart, observe

FIELD = b'Content-Disposition: form-data; name="a"'


def mean(part: SeenPart) -> Meant:
    fields = {name.lower(): value for name, value in part.pairs}
    value = fields.get("content-disposition")
    read = read_disposition(value) if value is not None else None
    assert (read is None) == (value is None)
    return Meant(
        read.name if read else None,
        part.content,
        read.filename if read else None,
        fields.get("content-type"),
    )


@pytest.mark.parametrize("golden", [*RECORDED, *FORMATS], ids=str)
def test_what_clients_send_is_understood(golden: Golden):
    story = observe(golden.body, read_boundary(golden.content_type))
    assert story.refusal is None
    assert all(part.is_complete for part in story.parts)
    assert tuple(mean(part) for part in story.parts) == golden.parts


@pytest.mark.parametrize("case", HOSTILE_MULTIPART, ids=str)
def test_hostile_content_is_refused_after_what_was_good(case):
    story = observe(case.octets, case.boundary)
    assert story.status == case.status
    assert story.complete == case.complete
    assert story.refusal is None or case.said in story.refusal[2]
    assert case.answer >= 400
    if case.status == 200:
        # Multipart it is, but no form: a field that cannot be named.
        assert any(meant is None or meant.name is None for meant in map(disposition_of, story.parts))


def disposition_of(part: SeenPart):
    value = dict(part.pairs).get("Content-Disposition")
    return None if value is None else read_disposition(value)


@pytest.mark.parametrize("case", HARMLESS_MULTIPART, ids=str)
def test_harmless_content_is_taken(case):
    story = observe(case.octets, case.boundary)
    assert (story.status, story.complete) == (200, case.complete)
    assert len(story.parts) == len(case.complete)


@pytest.mark.parametrize(("content_type", "said"), HOSTILE_CONTENT_TYPES)
def test_a_bad_boundary_is_refused(content_type, said):
    with pytest.raises(MultipartError, match=said) as refused:
        read_boundary(content_type)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=x", "x"),
        ('Multipart/Form-Data; charset=utf-8; BOUNDARY="a b:c"', "a b:c"),
        ("multipart/form-data; boundary=" + "x" * 70, "x" * 70),
        ("multipart/form-data;boundary=*****", "*****"),
        ("multipart/mixed; boundary='()+_-./:=?", "'()+_-./:=?"),
        ('multipart/mixed; boundary="a,b;c"', "a,b;c"),
        ("multipart/form-data; boundary={6f1c}", "{6f1c}"),
    ],
)
def test_a_boundary_is_read(content_type, boundary):
    assert read_boundary(content_type) == boundary
    assert MultipartDecoder(boundary)


@pytest.mark.parametrize("boundary", ["", "x" * 71, "x ", "x\r\n", "é", b"\xe9", b"", 'a"b'])
def test_a_decoder_is_not_made_for_what_is_no_boundary(boundary):
    with pytest.raises(ValueError, match="1 to 70 visible"):
        MultipartDecoder(boundary)


def test_a_boundary_of_octets_is_as_good():
    decoder = MultipartDecoder(b"x")
    decoder.receive_data(b"--x--\r\n")
    assert isinstance(decoder.next_event(), EndOfMultipart)


def test_fields_are_text_and_their_order_is_kept():
    head = b"X-B:  1 \t\r\nx-a: \xd0\xb6\xff\r\nX-B:2\r\nE:\r\n"
    story = observe(b"--x\r\n" + head + b"\r\n\r\n--x--\r\n", "x")
    assert story.parts[0].pairs == (("X-B", "1"), ("x-a", "ж\udcff"), ("X-B", "2"), ("E", ""))


@pytest.mark.parametrize(
    ("limits", "within", "beyond", "said"),
    [
        (Limits(parts=2), b"--x\r\n\r\n\r\n--x\r\n", b"--x\r\n\r\n\r\n" * 2 + b"--x\r\n", "more than 2 parts"),
        (Limits(part_fields=1), b"--x\r\nA: b\r\n", b"--x\r\nA: b\r\nC:\r\n", "more than 1 fields"),
        (Limits(part_head=9), b"--x\r\nA: bc\r\n", b"--x\r\nA: bcd\r\n", "longer than 9 bytes"),
        (Limits(part_head=2), b"--x\r\n", b"--x\r\nA", "longer than 2 bytes"),
    ],
)
def test_a_limit_holds_at_n_and_breaks_at_n_plus_1(limits, within, beyond, said):
    end = b"\r\n\r\n--x--\r\n"
    assert observe(within + end, "x", limits).refusal is None
    name, status, message = observe(beyond + end, "x", limits).refusal
    assert (name, status) == ("MultipartTooLarge", 413)
    assert said in message


def test_a_head_is_bounded_before_its_end_has_come():
    decoder = MultipartDecoder("x", Limits(part_head=10))
    decoder.receive_data(b"--x\r\nA: bcdefg")
    assert decoder.next_event() is NEED_DATA
    decoder.receive_data(b"h")
    with pytest.raises(MultipartTooLarge):
        decoder.next_event()


def test_nested_multiparts_share_the_number_of_parts():
    outer = MultipartDecoder("x", Limits(parts=3))
    outer.receive_data(b"--x\r\n\r\n")
    assert isinstance(outer.next_event(), PartBegin)
    inner = outer.nested("y")
    inner.receive_data(b"--y\r\n\r\n\r\n" * 3)
    begun = 0
    with pytest.raises(MultipartTooLarge, match="more than 3 parts"):
        while event := inner.next_event():
            begun += isinstance(event, PartBegin)
    assert begun == 2
    outer.receive_data(b"\r\n--x\r\n\r\n")
    with pytest.raises(MultipartTooLarge, match="more than 3 parts"):
        while outer.next_event() is not NEED_DATA:
            pass


def test_nesting_is_bounded():
    decoder = MultipartDecoder("x")
    for _ in range(MAX_DEPTH - 1):
        decoder = decoder.nested("x")
    with pytest.raises(MultipartTooLarge, match=f"more than {MAX_DEPTH} levels"):
        decoder.nested("x")


def test_content_after_its_end_is_a_mistake_of_the_caller():
    decoder = MultipartDecoder("x")
    decoder.receive_eof()
    with pytest.raises(RuntimeError, match="after receive_eof"):
        decoder.receive_data(b"--x--")


def test_an_error_stays_and_what_comes_behind_it_is_dropped():
    decoder = MultipartDecoder("x")
    decoder.receive_data(b"--xy")
    errors = set()
    for _ in range(3):
        with pytest.raises(MultipartError) as refused:
            decoder.next_event()
        errors.add((type(refused.value), str(refused.value)))
        decoder.receive_data(b"--x--\r\n")
    assert errors == {(MultipartError, "a multipart boundary is not followed by CRLF")}
    assert issubclass(MultipartError, ProtocolError)


def test_the_end_stays():
    decoder = MultipartDecoder("x")
    decoder.receive_data(b"--x--\r\n--x\r\n\r\n")
    for _ in range(3):
        assert isinstance(decoder.next_event(), EndOfMultipart)
        decoder.receive_data(b"--x\r\n\r\n")
    decoder.receive_eof()
    assert isinstance(decoder.next_event(), EndOfMultipart)


def test_a_part_is_complete_only_when_the_delimiter_line_is():
    decoder = MultipartDecoder("x")
    decoder.receive_data(b"--x\r\n\r\n1\r\n--x")
    assert isinstance(decoder.next_event(), PartBegin)
    assert isinstance(decoder.next_event(), Data)
    assert decoder.next_event() is NEED_DATA
    decoder.receive_data(b"y")
    with pytest.raises(MultipartError):
        decoder.next_event()


def test_content_is_not_copied_where_it_need_not_be():
    decoder = MultipartDecoder("x")
    decoder.receive_data(b"--x\r\n\r\n1")
    while decoder.next_event() is not NEED_DATA:
        pass
    piece = b"0" * 65536
    decoder.receive_data(piece)
    event = decoder.next_event()
    assert isinstance(event, Data)
    assert event.data is piece


def test_a_caller_may_change_what_it_has_given():
    decoder = MultipartDecoder("x")
    given = bytearray(b"--x\r\n\r\nabc")
    decoder.receive_data(given)
    given[:] = b"?" * len(given)
    assert isinstance(decoder.next_event(), PartBegin)
    assert decoder.next_event().data == b"abc"


def test_a_message_is_written():
    octets = encode_part_head("x", [("Content-Disposition", 'form-data; name="ж"'), ("A", "")]) + b"1" + PART_END
    octets += encode_part_head("x", []) + PART_END + encode_last_boundary("x")
    assert octets == (
        '--x\r\nContent-Disposition: form-data; name="ж"\r\nA: \r\n\r\n1\r\n--x\r\n\r\n\r\n--x--\r\n'.encode()
    )
    assert observe(octets, "x").complete == (b"1", b"")


@pytest.mark.parametrize("value", ["a\r\nX: b", "a\nb", "a\rb", "a\0b", "a\x7fb"])
def test_nothing_is_injected_into_a_head_that_is_written(value):
    with pytest.raises(ValueError, match="field X"):
        encode_part_head("x", [("X", value)])
    with pytest.raises(ValueError, match="not a token"):
        encode_part_head("x", [(value, "X")])


def test_boundaries_cannot_be_foreseen():
    boundaries = {make_boundary() for _ in range(100)}
    assert len(boundaries) == 100
    for boundary in boundaries:
        assert len(boundary) == 32
        assert check_boundary(boundary) == read_boundary(f"multipart/mixed; boundary={boundary}") == boundary


@pytest.mark.parametrize("boundary", ["", "x" * 71, "x ", "*", "a\r\nb", "é", 'a"b', "a;b"])
def test_a_bad_boundary_is_not_written(boundary):
    with pytest.raises(ValueError, match="1 to 70"):
        check_boundary(boundary)
