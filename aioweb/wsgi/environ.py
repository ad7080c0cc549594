"""The environ of a WSGI application: what PEP 3333 asks for, out of a request. Pure; nothing here is sent or read.

Text of a WSGI application is octets in disguise: each character is one octet (latin-1), whatever it means. Ours is
UTF-8, with surrogates for octets that are none (PEP 383). `disguise` and `reveal` translate.
"""

from __future__ import annotations

import io
import sys
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from aioweb import web

Environ = dict[str, Any]
"""The environ."""

# They have names of their own, or none: the content comes without its transfer coding, and some applications would look
# for chunks in it. `Proxy` would be HTTP_PROXY, which HTTP clients take for a setting (CVE-2016-5385).
_LEFT_OUT: Final = frozenset({b"content-type", b"content-length", b"transfer-encoding", b"proxy", b"host"})
# An application would decode it once more, and by a length that it no longer has.
_OF_ENCODED: Final = _LEFT_OUT | {b"content-encoding"}
_PORTS: Final = {"http": "80", "https": "443"}


def disguise(text: str) -> str:
    """Our text as WSGI wants it: one character for each octet."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def reveal(text: str) -> str:
    """Text of a WSGI application as ours. Raises UnicodeEncodeError for a character that is no octet."""
    return text.encode("latin-1").decode("utf-8", "surrogateescape")


class FileWrapper:
    """`wsgi.file_wrapper`: an application returns it for a file, which then leaves as fast as it can.

    Args:
        file: has `read(size)`; it is closed in the end, if it has `close`.
        block_size: bytes that are read at a time, where the file is read.
    """

    def __init__(self, file: Any, block_size: int = 65536) -> None:
        self.file = file
        """The file."""
        self._block_size = block_size
        if hasattr(file, "close"):
            self.close = file.close

    def __iter__(self) -> FileWrapper:
        return self

    def __next__(self) -> Any:
        if block := self.file.read(self._block_size):
            return block
        raise StopIteration


def split_path(path: str, depth: int) -> tuple[str, str]:
    """SCRIPT_NAME and PATH_INFO of a raw path whose first `depth` segments are the place of the application."""
    end = 0
    for _ in range(depth):
        end = path.find("/", end + 1)
        if end < 0:
            return _decode(path), ""
    return _decode(path[:end]), _decode(path[end:])


def _decode(path: str) -> str:
    return unquote_to_bytes(path).decode("latin-1")


def make_environ(
    request: web.BaseRequest, *, depth: int, script_name: str, content: io.BufferedIOBase, length: int | None
) -> Environ:
    """The environ of a request.

    Args:
        request: what is asked.
        depth: how many segments of its path are the place of the application.
        script_name: what stands before the path for the client, and was taken away by a proxy that does not tell so.
        content: becomes `wsgi.input`.
        length: of the content in bytes, None if it is not known.
    """
    head = request.head
    place, path = split_path(head.path, depth)
    environ: Environ = {
        "REQUEST_METHOD": head.method,
        "SCRIPT_NAME": disguise(script_name) + _decode(request.root_path) + place,
        "PATH_INFO": path,
        "QUERY_STRING": head.query,
        "REQUEST_URI": head.target,
        "RAW_URI": head.target,
        "SERVER_PROTOCOL": f"HTTP/{head.version.major}.{head.version.minor}",
        "SERVER_SOFTWARE": "aioweb",
        "REMOTE_ADDR": request.remote or "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": request.scheme,
        "wsgi.input": content,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
        "aioweb.request": request,
    }
    environ["SERVER_NAME"], environ["SERVER_PORT"] = _server_address(request)
    if head.authority is not None:
        environ["HTTP_HOST"] = disguise(request.host)
    content_type = request.headers.getall("Content-Type", ())
    if content_type:
        environ["CONTENT_TYPE"] = disguise(", ".join(content_type))
    if length is not None:
        environ["CONTENT_LENGTH"] = str(length)
    _add_fields(environ, request)
    return environ


def is_decoded(request: web.BaseRequest) -> bool:
    """The content is read with its Content-Encoding undone."""
    return request.body_exists and type(request.content) is not web.StreamReader


def _add_fields(environ: Environ, request: web.BaseRequest) -> None:
    left_out = _OF_ENCODED if is_decoded(request) else _LEFT_OUT
    for name, value in request.raw_headers:
        # `X_User` would be the same variable as `X-User`, which a proxy in front may vouch for.
        if b"_" in name or name.lower() in left_out:
            continue
        key = "HTTP_" + name.upper().replace(b"-", b"_").decode("ascii")
        text = value.decode("latin-1")
        if key in environ:
            # RFC 9110 section 5.3; cookies are the exception (RFC 9113 section 8.2.3).
            text = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ', '}{text}"
        environ[key] = text


def _server_address(request: web.BaseRequest) -> tuple[str, str]:
    sockname = request.get_extra_info("sockname")
    if isinstance(sockname, (tuple, list)):
        return str(sockname[0]), str(sockname[1])
    # A Unix socket has neither; what the client calls it is the best that there is.
    host, colon, port = request.host.rpartition(":")
    if colon and port.isdecimal():
        return disguise(host), port
    return disguise(request.host), _PORTS[request.scheme]
