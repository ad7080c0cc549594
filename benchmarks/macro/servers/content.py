"""What every server here serves, by path; the driver asks with `macro/workloads.py` and knows the same answers.

GET /        TEXT
GET /items/ID/reviews?page=PAGE&order=ORDER   ID, PAGE and ORDER, as text with a space between
GET /rN/ID   ID; N is one of MANY_ROUTES numbers, each a route of its own, which stand behind all others
GET /layers/ TEXT, through LAYERS middlewares that each ask for the method and set a field of the response
POST /json   the JSON that came, read and written again
POST /form   the size of the file in the multipart form, as text
POST /upload the size of the content, read piece by piece, as text
GET /file    the file at FILE, as the peer serves files best
GET /stream  CHUNK, CHUNKS times, handed over one by one, without a length
"""

from __future__ import annotations

import os
import pathlib

TEXT = "Hello, World!"
MANY_ROUTES = 1000
LAYERS = 3
CHUNK = b"%-1023s\n" % b"One line of a report that is made while it is sent."
CHUNKS = 100
FILE = pathlib.Path(__file__).resolve().parents[2] / "results" / "1MiB.bin"
FILE_SIZE = 2**20


def file_content() -> bytes:
    """The octets of FILE."""
    return bytes(range(256)) * (FILE_SIZE // 256)


def ensure_file() -> None:
    """Write FILE if it is not there; it is there at once or not at all."""
    if not (FILE.exists() and FILE.stat().st_size == FILE_SIZE):
        FILE.parent.mkdir(exist_ok=True)
        unfinished = FILE.with_suffix(f".{os.getpid()}.bin")
        unfinished.write_bytes(file_content())
        unfinished.replace(FILE)
