"""Pictures and short videos in a folder. What a file is, its first octets tell: clients may say anything.

A file gets a name of ours, so whatever the client calls it, it cannot leave the folder or replace another one.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from aioweb import web

LARGEST = 20 * 2**20
"""Bytes that a picture may have."""
VIDEOS = ("mp4", "webm")
"""Suffixes of what is no picture but a video."""

# By suffix. SVG is not among them: it can hold scripts.
_SIGNATURES = {
    "jpg": re.compile(rb"\xff\xd8\xff"),
    "png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "gif": re.compile(rb"GIF8[79]a"),
    "webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "avif": re.compile(rb"....ftypavi[fs]", re.DOTALL),
    "mp4": re.compile(rb"....ftyp(?:isom|iso\d|mp4\d|avc1|M4V |dash)", re.DOTALL),
    "webm": re.compile(rb"\x1a\x45\xdf\xa3.{,90}\x42\x82.{1,8}webm", re.DOTALL),
}
NAME = rf"[0-9a-f]{{32}}\.(?:{'|'.join(_SIGNATURES)})"
"""A pattern of the names that files get."""


class BadPicture(ValueError):
    """A file that is not taken. Its text is a sentence for whoever has sent it.

    Args:
        status: of HTTP, that goes with it.
    """

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


class Pictures:
    """The folder. Made by `open_pictures`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, name: str) -> Path:
        """Where the file of that name is, if there is one."""
        return self._folder / name

    async def add(self, file: BinaryIO) -> str:
        """Store a copy and return its name. Raises BadPicture for what is too large or none of the known kinds."""
        return await asyncio.to_thread(self._add, file)  # disks are slow, and the loop has other things to do

    async def remove(self, name: str) -> None:
        """Remove a file."""
        await asyncio.to_thread(self.path(name).unlink)

    def _add(self, file: BinaryIO) -> str:
        suffix = _check(file)
        name = f"{secrets.token_hex(16)}.{suffix}"
        try:
            with self.path(name).open("xb") as target:
                shutil.copyfileobj(file, target)
        except BaseException:
            self.path(name).unlink(missing_ok=True)
            raise
        return name


def _check(file: BinaryIO) -> str:
    """The suffix for a file, which is at its beginning then. Raises BadPicture."""
    size = file.seek(0, os.SEEK_END)
    if size > LARGEST:
        raise BadPicture(f"At most {in_megabytes(LARGEST)}, please; this has {in_megabytes(size)}.", 413)
    file.seek(0)
    beginning = file.read(128)
    file.seek(0)
    for suffix, signature in _SIGNATURES.items():
        if signature.match(beginning):
            return suffix
    raise BadPicture("Please choose a picture (JPEG, PNG, GIF, WebP, AVIF) or a video (MP4, WebM).")


def in_megabytes(size: int) -> str:
    """A number of bytes for readers, rounded up."""
    return f"{-(-size // 2**20)} MB"


@contextmanager
def open_pictures(folder: Path | None) -> Iterator[Pictures]:
    """Pictures in this folder, or in a temporary one within a block. Raises OSError if it cannot be made."""
    if folder is None:
        with TemporaryDirectory(prefix="board-pictures-") as temporary:
            yield Pictures(Path(temporary))
    else:
        folder.mkdir(parents=True, exist_ok=True)
        yield Pictures(folder)


PICTURES = web.AppKey("pictures", Pictures)
"""Where the application keeps its pictures."""
