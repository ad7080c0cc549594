"""What reading a multipart form costs: aioweb's decoder next to python-multipart (starlette's) and multipart.

The form is a browser's: two fields, then a file of 100 KiB, whose content is what matters: random octets as in a
picture, lines of text, zeros, and near-boundaries, which begin like the delimiter again and again and cost a careless
decoder dearly. The input comes in pieces of 64 KiB, as from a socket; every decoder joins nothing and counts the
octets of the parts. The last row is the least that a decoder could do: `find` of the delimiter in each piece.
"""

from __future__ import annotations

import importlib
import random
import sys
from collections.abc import Callable

from benchmarks.macro.workloads import FORM_FILE_SIZE, form_body
from benchmarks.timing import best_us

BOUNDARY = "---------------------------9051914041544843365972754266"
PIECE = 65536
_NEAR = f"\r\n--{BOUNDARY[:-1]}".encode()
FILES = {
    "random": random.Random(1).randbytes(FORM_FILE_SIZE),
    "lines": (b"%-62s\r\n" % b"How the town looked before the flood.") * (FORM_FILE_SIZE // 64),
    "zeros": bytes(FORM_FILE_SIZE),
    "CR LF only": b"\r\n" * (FORM_FILE_SIZE // 2),
    "near-boundaries": (_NEAR * (FORM_FILE_SIZE // len(_NEAR) + 1))[:FORM_FILE_SIZE],
}

Pieces = list[bytes]
Call = Callable[[], int]
"""Decodes a form. Returns: the size of all its parts."""


def aioweb(pieces: Pieces) -> Call:
    """aioweb, event by event."""
    module = importlib.import_module("aioweb.protocol.multipart")
    events = importlib.import_module("aioweb.protocol.events")
    decoder_class, data_class, need_data = module.MultipartDecoder, events.Data, events.NEED_DATA

    def decode() -> int:
        size = 0
        decoder = decoder_class(BOUNDARY)
        for piece in pieces:
            decoder.receive_data(piece)
            while (event := decoder.next_event()) is not need_data:
                if type(event) is data_class:
                    size += len(event.data)
                elif type(event) is module.EndOfMultipart:
                    return size
        raise AssertionError("the form did not end")

    return decode


def python_multipart(pieces: Pieces) -> Call:
    """python-multipart with the callbacks that starlette gives it."""
    parser_class = importlib.import_module("python_multipart").MultipartParser

    def decode() -> int:
        sizes: list[int] = []
        ended: list[bool] = []
        fields: list[bytes] = []
        callbacks = {
            "on_part_begin": fields.clear,
            "on_part_data": lambda data, start, end: sizes.append(end - start),
            "on_part_end": lambda: None,
            "on_header_field": lambda data, start, end: fields.append(data[start:end]),
            "on_header_value": lambda data, start, end: fields.append(data[start:end]),
            "on_header_end": lambda: None,
            "on_headers_finished": lambda: None,
            "on_end": lambda: ended.append(True),
        }
        parser = parser_class(BOUNDARY, callbacks)
        for piece in pieces:
            parser.write(piece)
        parser.finalize()
        assert ended
        return sum(sizes)

    return decode


def multipart(pieces: Pieces) -> Call:
    """multipart's push parser."""
    parser_class = importlib.import_module("multipart").PushMultipartParser

    def decode() -> int:
        size = 0
        with parser_class(BOUNDARY) as parser:
            for piece in pieces:
                for event in parser.parse(piece):
                    if type(event) is bytes:
                        size += len(event)
        return size

    return decode


def one_find(pieces: Pieces) -> Call:
    """No decoder: one search for the delimiter in each piece."""
    delimiter = f"\r\n--{BOUNDARY}--".encode()

    def search() -> int:
        size = 0
        for piece in pieces:
            piece.find(delimiter)
            size += len(piece)
        return size

    return search


DECODERS: dict[str, Callable[[Pieces], Call]] = {
    "aioweb": aioweb,
    "multipart": multipart,
    "python-multipart": python_multipart,
    "find alone": one_find,
}


def main() -> None:
    """Print the table; a decoder that is not installed has a row that says so."""
    print(f"A form with a file of 100 KiB, us (minimum of repeats), Python {sys.version.split()[0]}\n")
    print("| decoder | " + " | ".join(FILES) + " |")
    print("| --- |" + " ---: |" * len(FILES))
    for name, prepare in DECODERS.items():
        try:
            cells = [f"{_measure(prepare, file):,.1f}" for file in FILES.values()]
        except ImportError as exc:
            cells = [f"not installed: {exc}"] + [""] * (len(FILES) - 1)
        print(f"| {name} | {' | '.join(cells)} |")


def _measure(prepare: Callable[[Pieces], Call], file: bytes) -> float:
    body = form_body(BOUNDARY, file)
    decode = prepare([body[at : at + PIECE] for at in range(0, len(body), PIECE)])
    fields = form_body(BOUNDARY, b"")
    assert decode() - len(file) == prepare([fields])(), "the decoder does not find the whole file"
    return best_us(decode, repeats=10)


if __name__ == "__main__":
    main()
