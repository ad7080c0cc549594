"""The runner of multipart cases: octets in, parts out, and the same parts however the octets arrive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from aioweb.protocol.events import NEED_DATA, Data
from aioweb.protocol.limits import Limits
from aioweb.protocol.multipart import EndOfMultipart, MultipartDecoder, MultipartError, PartBegin, PartEnd
from tests.protocol.wire import fragmentations

LONG = 20_000
"""Longer cases are not delivered octet by octet."""


@attrs.define
class SeenPart:
    """One part as a caller sees it."""

    pairs: tuple[tuple[str, str], ...]
    content: bytes = b""
    is_complete: bool = False


@attrs.define
class Story:
    """What came of some octets: parts, and the end or a refusal (class, status, message)."""

    parts: list[SeenPart] = attrs.Factory(list)
    has_ended: bool = False
    refusal: tuple[str, int, str] | None = None

    @property
    def status(self) -> int:
        """The status of the refusal; 200 without one."""
        return self.refusal[1] if self.refusal is not None else 200

    @property
    def complete(self) -> tuple[bytes, ...]:
        """The contents of the complete parts."""
        return tuple(part.content for part in self.parts if part.is_complete)


def decode(pieces: Iterable[bytes], boundary: str, limits: Limits | None = None) -> Story:
    """Deliver content in these pieces, and then its end, to a decoder whose caller asks for events after each."""
    decoder = MultipartDecoder(boundary, limits or Limits())
    story = Story()
    for piece in pieces:
        decoder.receive_data(piece)
        _take_events(decoder, story)
    decoder.receive_eof()
    _take_events(decoder, story)
    assert story.has_ended or story.refusal is not None, "the end of the content is the end of the story"
    return story


def decode_at_once(pieces: Iterable[bytes], boundary: str, limits: Limits | None = None) -> Story:
    """The same for a caller that asks for events only when everything has been delivered."""
    decoder = MultipartDecoder(boundary, limits or Limits())
    for piece in pieces:
        decoder.receive_data(piece)
    decoder.receive_eof()
    story = Story()
    _take_events(decoder, story)
    return story


def observe(octets: bytes, boundary: str, limits: Limits | None = None) -> Story:
    """Deliver content in every way; the one story that all of them tell."""
    whole = decode([octets], boundary, limits)
    for pieces in _cuts(octets):
        assert decode(pieces, boundary, limits) == whole, f"cut as {pieces!r:.300}"
    assert decode_at_once([octets], boundary, limits) == whole
    if whole.has_ended and octets.endswith(b"\r\n"):
        assert decode([octets, f"--{boundary}\r\n\r\nbehind".encode()], boundary, limits) == whole, (
            "an epilogue means nothing"
        )
    return whole


def _cuts(octets: bytes) -> Iterator[list[bytes]]:
    if len(octets) <= LONG:
        yield from fragmentations(octets)
    else:
        yield [octets[start : start + 4099] for start in range(0, len(octets), 4099)]


def _take_events(decoder: MultipartDecoder, story: Story) -> None:
    for event in _events(decoder, story):
        if isinstance(event, PartBegin):
            story.parts.append(SeenPart(tuple(event.headers.items())))
        elif isinstance(event, Data):
            assert event.data, "Data is never empty"
            assert type(event.data) is bytes
            story.parts[-1].content += event.data
        elif isinstance(event, PartEnd):
            assert not story.parts[-1].is_complete
            story.parts[-1].is_complete = True


def _events(decoder: MultipartDecoder, story: Story) -> Iterator[object]:
    """The events up to NEED_DATA, the end or an error, each of which stays."""
    while True:
        try:
            event = decoder.next_event()
        except MultipartError as error:
            refusal = (type(error).__name__, error.status, str(error))
            assert story.refusal in (None, refusal), "the first error stays"
            story.refusal = refusal
            return
        assert story.refusal is None, "nothing comes behind an error"
        if event is NEED_DATA:
            return
        if isinstance(event, EndOfMultipart):
            story.has_ended = True
            return
        assert not story.has_ended, "nothing comes behind the end"
        yield event
