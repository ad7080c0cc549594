"""A file that is going to be sent: opened without waiting for it, known by its descriptor, with its packed siblings.

All functions here block: they are called in a thread, one call for a request. A name may be that of a FIFO, a device or
a directory, now or a moment later, so what counts is what was opened, and opening never waits (O_NONBLOCK).

Beside `app.js` there may be `app.js.zst`, `app.js.br` and `app.js.gz`, made when the application was built. Such a
sibling is sent in place of the file to a client that accepts it, if it is a regular file in the same directory, no
link, and not older than the file.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from aioweb.protocol.coding import negotiate
from aioweb.protocol.fields import ETag
from aioweb.server.sendfile import advise, read_block
from aioweb.web.filetypes import SIBLINGS, guess_type

SMALL: Final = 65536
"""Files up to this size are read when they are opened, and leave in one write with the head: cheaper than two trips."""

_AHEAD: Final = 4 << 20
_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)


class NotRegularError(PermissionError):
    """What has this name is no regular file: a FIFO, a device, a socket."""


class OpenFile(io.FileIO):
    """A regular file, open for reading. Made by `open_regular`; it closes itself when nobody holds it any more."""

    def __init__(self, descriptor: int, status: os.stat_result) -> None:
        super().__init__(descriptor, "rb")
        self.status = status
        """What fstat said when it was opened."""

    def __del__(self) -> None:
        # A response that is dropped on its way closes its file here, and nobody need be warned.
        self.close()


def open_regular(path: str, *, dir_fd: int | None = None, follow: bool = True) -> OpenFile:
    """Open a regular file. It never waits for the other end of a FIFO.

    Args:
        path: absolute, or relative to the directory of `dir_fd`.
        dir_fd: descriptor of a directory.
        follow: the last part of the path may be a link.

    Raises IsADirectoryError, NotRegularError, other OSErrors, and ValueError for a path that no file can have.
    """
    descriptor = os.open(path, _FLAGS if follow else _FLAGS | _NO_LINK, dir_fd=dir_fd)
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, "it is a directory", path)
        if not stat.S_ISREG(status.st_mode):
            raise NotRegularError(errno.EACCES, "it is no regular file", path)
        return OpenFile(descriptor, status)
    except BaseException:
        os.close(descriptor)
        raise


@attrs.define(eq=False)
class Source:
    """Content that is going to be sent, with what tells one state of it from another."""

    file: Any
    """Has `seek`, `read` and `close`; kept open until it was sent."""
    size: int
    """Its bytes."""
    modified_ns: int | None
    """When it changed last, in nanoseconds since the epoch; None if nobody knows."""
    content_type: str
    """Its Content-Type."""
    coding: str | None = None
    """Its Content-Encoding."""
    varies: bool = False
    """Another client may get another coding."""
    content: bytes | None = None
    """All of it, if it was read already."""

    @property
    def etag(self) -> ETag | None:
        """Its strong entity tag: another one for each change, and for each coding; None if nobody knows of changes."""
        if self.modified_ns is None:
            return None
        tag = f"{self.modified_ns:x}-{self.size:x}"
        return ETag(tag if self.coding is None else f"{tag}-{self.coding}")

    def load(self) -> None:
        """Read it, if it is small; else tell the system to."""
        if self.size > SMALL:
            advise(self.file, 0, _AHEAD)
            return
        self.content = self.file.read(self.size)
        self.size = len(self.content)
        self.close()

    def read(self, offset: int, size: int) -> bytes:
        """Some of it. It blocks, unless it was loaded."""
        if self.content is not None:
            return self.content[offset : offset + size]
        return read_block(self.file, offset, size)

    def close(self) -> None:
        """Close the file."""
        self.file.close()


def open_source(
    path: str,
    filename: str,
    headers: Mapping[str, str],
    *,
    unpack: bool = True,
    load: bool = True,
    dir_fd: int | None = None,
    follow: bool = True,
    opener: Callable[..., OpenFile] = open_regular,
) -> Source:
    """Open a file, or that packed sibling of it that the client likes best.

    Args:
        path: where it is.
        filename: tells its type.
        headers: of the request: Accept-Encoding chooses the sibling.
        unpack: the client is to see what is in it; False for a download, which is sent as it is.
        load: it is going to be sent, so a small one is read.
        dir_fd, follow: as for `open_regular`.
        opener: opens in place of `open_regular`.

    Raises what `open_regular` raises.
    """
    file = opener(path, dir_fd=dir_fd, follow=follow)
    content_type, coding = guess_type(filename, unpack=unpack)
    varies = False
    if coding is None and unpack:
        offered = _siblings(path, file, dir_fd)
        if offered:
            varies = True
            wanted = negotiate(headers.get("Accept-Encoding"), offered)
            if wanted in SIBLINGS:
                file, coding = _open_sibling(path, file, wanted, dir_fd, opener)
    status = file.status
    source = Source(file, status.st_size, status.st_mtime_ns, content_type, coding, varies)
    if load:
        source.load()
    return source


def _siblings(path: str, file: OpenFile, dir_fd: int | None) -> list[str]:
    """The codings of the siblings that may be sent."""
    offered = []
    for coding, suffix in SIBLINGS.items():
        name = path + suffix
        # For most files there are none: access() says so at a third of the price of an exception.
        if not os.access(name, os.R_OK, dir_fd=dir_fd):
            continue
        try:
            status = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
        except OSError:
            continue  # it has gone meanwhile
        if stat.S_ISREG(status.st_mode) and status.st_mtime_ns >= file.status.st_mtime_ns:
            offered.append(coding)
    return offered


def _open_sibling(
    path: str, file: OpenFile, coding: str, dir_fd: int | None, opener: Callable[..., OpenFile]
) -> tuple[OpenFile, str | None]:
    try:
        sibling = opener(path + SIBLINGS[coding], dir_fd=dir_fd, follow=False)
    except OSError:
        return file, None
    file.close()
    return sibling, coding
