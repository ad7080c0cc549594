"""A folder of files, and nothing outside of it: which names may be asked for, and how they are opened.

Names. A path is decoded once, by the match form of paths.py, and split; each part must then be the plain name of a
file. Refused are the parts that mean something else on some system, on all of them, so that no server answers more than
another: `.` and `..`, slash, backslash and NUL (however they were escaped), drives and streams (`C:`), device names
(`NUL`, `com1.txt`), names that end in a dot or a space. Names that begin with a dot are refused as well, but for
`.well-known` (RFC 8615): `.git` and `.env` get into folders by accident.

Opening. The way to a file is walked down by descriptors of directories, and each step refuses links, so what is opened
is below the folder, whatever is renamed meanwhile. Where links are to be followed the path is resolved first; if that
ends inside the folder the resolved way is walked, without links. Systems without such descriptors (Windows) look at the
path again when the file is open.

All functions that open block: they are called in a thread.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Final

from aioweb.web.openfile import OpenFile, Source, open_regular, open_source
from aioweb.web.paths import decode_value

MOST_ENTRIES: Final = 10_000
"""Entries of a folder that are listed at most."""

_WELL_KNOWN: Final = ".well-known"
_FORBIDDEN: Final = re.compile(r"[\0/\\]|\A[A-Za-z]:|[. ]\Z")
# Windows: with any suffix, in any case; the superscripts are taken for digits.
_DEVICE: Final = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3]) *(?:[.:].*)?", re.IGNORECASE | re.DOTALL
)
_DIRECTORY: Final = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)


def is_plain_name(name: str, *, hidden: bool = False) -> bool:
    """The name is one that a file has on every system, and not hidden unless that is allowed."""
    if not name or _FORBIDDEN.search(name) is not None or _DEVICE.fullmatch(name) is not None:
        return False
    if os.name == "nt" and ":" in name:
        return False  # a stream of the file
    return hidden or not name.startswith(".") or name == _WELL_KNOWN


def split_path(form: str, *, hidden: bool = False) -> tuple[str, ...] | None:
    """The names along a path in match form, without the slashes around it; None if it is not to be served."""
    form = form[1:] if form.startswith("/") else form
    form = form[:-1] if form.endswith("/") else form
    if not form:
        return ()
    names = tuple(map(decode_value, form.split("/")))
    return names if all(is_plain_name(name, hidden=hidden) for name in names) else None


class Folder:
    """A folder whose files may be opened, by names that `split_path` let through.

    Args:
        path: of the folder; it may be a link, and may be replaced while the server runs.
        follow_symlinks: links below it are followed if they end below it.

    Raises ValueError for what is no folder.
    """

    by_descriptors = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
    """The system has what a walk without links needs."""

    def __init__(self, path: str | os.PathLike[str], *, follow_symlinks: bool = False) -> None:
        self.path = Path(os.path.abspath(os.path.expanduser(os.fsdecode(path))))
        """Its absolute path."""
        if not self.path.is_dir():
            raise ValueError(f"there is no folder {str(path)!r} (that is {self.path})")
        self.follow_symlinks = follow_symlinks

    def open(
        self, names: Sequence[str], headers: Mapping[str, str], *, load: bool = True, unpack: bool = True
    ) -> Source:
        """Open a file for a request, see `open_source`. It blocks.

        Raises OSError, IsADirectoryError for a folder; ValueError for a link that leads out, or an impossible name.
        """
        root, names = self._resolve(names)
        if not names:
            raise IsADirectoryError(errno.EISDIR, "it is a directory", root)
        path, descriptor = self._walk(root, names)
        try:
            return open_source(
                path,
                names[-1],
                headers,
                unpack=unpack,
                load=load,
                dir_fd=descriptor,
                follow=False,
                opener=open_regular if self.by_descriptors else _open_and_look_again,
            )
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def list(self, names: Sequence[str], *, hidden: bool = False) -> list[tuple[str, bool]]:
        """The names in a folder below this one that can be asked for, and whether they are folders. It blocks.

        Sorted, folders first; those beyond `MOST_ENTRIES` are left out. Raises as `open` does.
        """
        root, names = self._resolve(names)
        path, descriptor = self._walk(root, (*names, "."))
        here: str | int = os.path.dirname(path) if descriptor is None else os.open(".", os.O_RDONLY, dir_fd=descriptor)
        found = []
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    is_folder = self._kind(entry, hidden)
                    if is_folder is not None:
                        found.append((entry.name, is_folder))
                    if len(found) == MOST_ENTRIES:
                        break
            if isinstance(here, str) and not self.by_descriptors:
                _check_way(here)
        finally:
            for number in (here, descriptor):
                if isinstance(number, int):
                    os.close(number)
        return sorted(found, key=lambda item: (not item[1], item[0]))

    def _resolve(self, names: Sequence[str]) -> tuple[str, Sequence[str]]:
        """Where the walk begins, and its steps; after that no link is followed any more."""
        root = str(self.path)
        if self.follow_symlinks or not self.by_descriptors:
            root = os.path.realpath(root, strict=True)
        if not self.follow_symlinks:
            return root, names
        # By parts, not by text: /data-private is not below /data (CVE-2023-29159).
        return root, PurePath(os.path.realpath(os.path.join(root, *names), strict=True)).relative_to(root).parts

    def _walk(self, root: str, names: Sequence[str]) -> tuple[str, int | None]:
        """Go down to the last name: a path to open it by, and the descriptor that the path is relative to."""
        if len(names) == 1 or not self.by_descriptors:
            return os.path.join(root, *names), None
        descriptor = os.open(os.path.join(root, names[0]), _DIRECTORY)
        for name in names[1:-1]:
            above = descriptor
            try:
                descriptor = os.open(name, _DIRECTORY, dir_fd=above)
            finally:
                os.close(above)
        return names[-1], descriptor

    def _kind(self, entry: os.DirEntry[str], hidden: bool) -> bool | None:
        """Whether the entry is a folder; None if it cannot be asked for."""
        try:
            entry.name.encode()
            mode = entry.stat(follow_symlinks=self.follow_symlinks).st_mode
        except (OSError, UnicodeEncodeError):
            return None
        is_folder = stat.S_ISDIR(mode)
        is_shown = is_plain_name(entry.name, hidden=hidden) and (is_folder or stat.S_ISREG(mode))
        return is_folder if is_shown else None


def _open_and_look_again(path: str, *, dir_fd: int | None, follow: bool) -> OpenFile:
    """Open a file by a path, and see where it was."""
    file = open_regular(path)
    _check_way(path)
    if not os.path.samestat(os.stat(path), file.status):
        raise FileNotFoundError(errno.ENOENT, "it was replaced", path)
    return file


def _check_way(path: str) -> None:
    """See that there is no link in the way to something that was opened."""
    if os.path.normcase(os.path.realpath(path, strict=True)) != os.path.normcase(path):
        raise FileNotFoundError(errno.ENOENT, "there is a link in its way", path)
