"""Unix sockets as files: bound where a dead server left one, never where a live one listens, and removed at the end."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterator


@contextlib.contextmanager
def unix_socket(path: str | os.PathLike[str], mode: int | None = None) -> Iterator[socket.socket]:
    """A Unix socket as UnixSite makes it, for several processes that are to share it: bind, and remove at the end.

    Args:
        path: where; see UnixSite.
        mode: its permissions; None leaves them to the umask.

    Yields: the socket, which does not listen yet. Raises OSError if somebody listens there.
    """
    path = os.fspath(path)
    with bind_unix(path, mode) as sock:
        file = identify(path)
        try:
            yield sock
        finally:
            remove(path, file)


def bind_unix(path: str, mode: int | None) -> socket.socket:
    """A Unix socket at `path`, which does not listen yet. Raises OSError if somebody listens there; see UnixSite."""
    if not path:  # Linux would make up a name that nobody knows
        raise OSError(errno.EINVAL, "cannot listen at '': the path is empty")
    # Looked at first, for a bind that fails does not say whether the other one lives.
    _remove_dead(path)
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.bind(path)
        if mode is not None and not path.startswith("\0"):
            os.chmod(path, mode)  # nobody can connect before it listens
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"cannot listen at {path!r}: {error.strerror or error}") from None
    return sock


def remove(path: str, file: tuple[int, int] | None) -> None:
    """Remove a socket from the file system if it is still `file`, and not one of a successor."""
    if file is not None and identify(path) == file:
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)


def identify(path: str) -> tuple[int, int] | None:
    """Device and inode of a socket in the file system; None if there is none."""
    if path.startswith("\0"):
        return None
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISSOCK(found.st_mode) else None


def _remove_dead(path: str) -> None:
    file = identify(path)
    if file is None:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            remove(path, file)
        except OSError:
            pass  # its backlog is full, or it is not ours to know: `bind` will tell
