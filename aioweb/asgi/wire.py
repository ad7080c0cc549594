"""HTTP between an ASGI server and ours, without I/O: a scope as the octets of a request, octets as response messages.

What is written here is read by aioweb's own parser, which judges it as strictly as if a client had sent it. What is
read here was written by aioweb's own writer, so nothing of it is doubted.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Final
from urllib.parse import quote

from aioweb.asgi.contract import Message, Scope

RawHeaders = list[tuple[bytes, bytes]]

_PRINTABLE: Final = bytes(range(0x21, 0x7F))
_WITHOUT_CONTENT: Final = frozenset({204, 304})
# How the message is framed, and how long a connection lasts, is agreed on with the client by the server, which also
# tells the date. An upgrade is never asked for this way: a WebSocket has a scope of its own.
_OF_THE_SERVER: Final = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"date"})
_NOT_PASSED: Final = frozenset({b"transfer-encoding", b"upgrade"})
# A scope may have the handshake between client and server among its fields. Ours is another one, always the same.
_HANDSHAKE: Final = [
    (b"connection", b"Upgrade"),
    (b"upgrade", b"websocket"),
    (b"sec-websocket-version", b"13"),
    (b"sec-websocket-key", b"YSBicmlkZ2Ugb2YgQVNHSQ=="),
]
_OF_THE_HANDSHAKE: Final = frozenset(
    {
        *(name for name, _ in _HANDSHAKE),
        b"content-length",
        b"sec-websocket-extensions",
        b"sec-websocket-protocol",
        b"transfer-encoding",
    }
)
# RFC 9110 section 9.3.1: content in these has no meaning. HTTP/2 does not say in its head whether there is any.
_WITHOUT_MEANING: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def split_root(scope: Scope) -> tuple[str, str]:
    """The root path of a scope, and the path below it, decoded. Servers differ in whether "path" holds the root."""
    root, path = str(scope.get("root_path", "")).rstrip("/"), str(scope["path"])
    if root and (path == root or path.startswith(f"{root}/")):
        path = path[len(root) :] or "/"
    return root, path


def target_of(scope: Scope) -> bytes:
    """The target of the request below the root path, as the client has escaped it."""
    root, path = split_root(scope)
    raw = scope.get("raw_path")
    if raw is None:
        target = quote(path, safe="/!$&'()*+,;=:@~").encode()
    elif path == scope["path"]:
        target = raw
    else:
        forms = [form for form in (root.encode(), quote(root).encode()) if raw.startswith(form)]
        target = raw[len(forms[0]) :] or b"/" if forms else quote(path).encode()
    query = scope.get("query_string", b"")
    whole = target + b"?" + query if query else target
    # What no request line may hold would end it: a server should not have let it pass.
    return quote(whole, safe=_PRINTABLE).encode() if whole.translate(None, _PRINTABLE) else whole


class Content(Enum):
    """The content of a request, as far as its head knows."""

    NONE = "there is none"
    LENGTH = "its length is announced"
    CHUNKED = "its length is not known, and it goes to our parser in chunks"


def content_of(scope: Scope) -> Content:
    """What the scope says about the content of its request."""
    names = {name for name, _ in scope["headers"]}
    if b"content-length" in names:
        return Content.LENGTH
    if b"transfer-encoding" in names:
        return Content.CHUNKED
    is_silent = scope["http_version"].startswith("1") or scope["method"] in _WITHOUT_MEANING
    return Content.NONE if is_silent else Content.CHUNKED


def encode_request(scope: Scope, content: Content) -> bytes:
    """The head of the request of an HTTP scope. Raises ValueError for a field that would be two."""
    headers = [pair for pair in scope["headers"] if pair[0].lower() not in _NOT_PASSED]
    if content is Content.CHUNKED:
        headers.append((b"transfer-encoding", b"chunked"))
    version = "1.0" if scope["http_version"] == "1.0" else "1.1"
    return _encode_head(f"{scope['method']} ".encode() + target_of(scope) + f" HTTP/{version}".encode(), scope, headers)


def encode_handshake(scope: Scope) -> bytes:
    """The request that opens the WebSocket of a scope. Raises ValueError as `encode_request` does."""
    headers = [pair for pair in scope["headers"] if pair[0].lower() not in _OF_THE_HANDSHAKE]
    headers += _HANDSHAKE
    if scope.get("subprotocols"):
        headers.append((b"sec-websocket-protocol", ", ".join(scope["subprotocols"]).encode()))
    return _encode_head(b"GET " + target_of(scope) + b" HTTP/1.1", scope, headers)


def _encode_head(line: bytes, scope: Scope, headers: RawHeaders) -> bytes:
    """A request line and fields as octets; Host is added where the server gave none."""
    if all(name.lower() != b"host" for name, _ in headers):
        headers = [(b"host", _own_name(scope)), *headers]
    lines = [line, *(b"%b: %b" % (name, value) for name, value in headers)]
    for each in lines:
        if each.translate(None, b"\r\n\0") != each:
            raise ValueError(f"a control character in {each!r:.80}: an ASGI server must refuse it")
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _own_name(scope: Scope) -> bytes:
    host, port = scope.get("server") or ("localhost", None)
    if port is None:
        return b"localhost"
    return (f"[{host}]:{port}" if ":" in host else f"{host}:{port}").encode()


def encode_chunk(content: bytes, *, last: bool) -> bytes:
    """Content as a chunk, and the end of all content behind it."""
    chunk = b"%x\r\n%b\r\n" % (len(content), content) if content else b""
    return chunk + b"0\r\n\r\n" if last else chunk


def read_fields(lines: Iterable[bytes]) -> RawHeaders:
    """The fields of some lines, their names in lower case."""
    pairs = (line.split(b": ", 1) for line in lines)
    return [(name.lower(), value) for name, value in pairs]


class ResponseReader:
    """Reads one response to `method`. Give it octets; it gives messages.

    Args:
        method: of the request.
        trailers: the server takes trailers.
        prefix: of the types of messages: "http.response", "websocket.http.response".
    """

    def __init__(self, method: str, *, trailers: bool = False, prefix: str = "http.response") -> None:
        self._method = method
        self._takes_trailers = trailers
        self._prefix = prefix
        self._buffer = bytearray()
        self._to_come: int | None = 0  # of the content, or of this chunk; None until the connection closes
        self._is_chunked = False
        self._has_trailers = False
        self.invited = False
        """The content of the request is wanted (100 Continue)."""
        self.status = 0
        """The final status; 0 before."""
        self.headers: RawHeaders = []
        """The fields of the final response that are not the server's business."""
        self.complete = False
        """The response is at its end."""

    @property
    def rest(self) -> bytes:
        """What follows the head of a 101."""
        return bytes(self._buffer)

    def receive(self, octets: bytes) -> list[Message]:
        """Take octets; returns the messages that they make."""
        self._buffer += octets
        messages: list[Message] = []
        while not self.status:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return messages
            self._buffer = rest
            self._read_head(bytes(head))
            if self.status:
                messages.append({"type": f"{self._prefix}.start", "status": self.status, "headers": self.headers})
                if self._has_trailers:
                    messages[0]["trailers"] = True
        if self.status != 101:
            messages += self._read_content()
        return messages

    def end(self) -> list[Message]:
        """The connection has closed: for some responses that is the end of the content."""
        if self._to_come is not None or self.complete or not self.status:
            return []
        return [self._body(b"", last=True)]

    def _read_head(self, head: bytes) -> None:
        line, *lines = head.split(b"\r\n")
        status = int(line.split(b" ", 2)[1])
        if status < 200 and status != 101:
            # Between a client and its server, not for an application to say (the specification has no message for it).
            self.invited = self.invited or status == 100
            return
        self.status = status
        fields = read_fields(lines)
        said = dict(fields)
        self._is_chunked = said.get(b"transfer-encoding") == b"chunked"
        self._has_trailers = self._is_chunked and self._takes_trailers and b"trailer" in said
        if self._method == "HEAD" or status in _WITHOUT_CONTENT:
            self._is_chunked = self._has_trailers = False
        elif b"content-length" in said:
            self._to_come = int(said[b"content-length"])
        elif not self._is_chunked:
            self._to_come = None
        left_out = _OF_THE_SERVER if self._has_trailers else _OF_THE_SERVER | {b"trailer"}
        self.headers = [pair for pair in fields if pair[0] not in left_out]

    def _read_content(self) -> list[Message]:
        if self._is_chunked:
            return self._read_chunks()
        content = bytes(self._buffer)
        self._buffer.clear()
        if self._to_come is None:
            return [self._body(content, last=False)] if content else []
        self._to_come -= len(content)
        is_last = self._to_come == 0
        return [self._body(content, last=is_last)] if content or is_last else []

    def _read_chunks(self) -> list[Message]:
        buffer, content = self._buffer, bytearray()
        is_last = False
        trailers: RawHeaders = []
        while buffer:
            if self._to_come:
                piece = buffer[: self._to_come]
                del buffer[: len(piece)]
                self._to_come -= len(piece)
                content += piece
                continue
            # At the front are the end of a chunk's data, if there was one, and the size of the next.
            skipped = 2 if buffer.startswith(b"\r\n") else 0
            end = buffer.find(b"\r\n", skipped)
            if end < 0:
                break
            size = int(buffer[skipped:end], 16)
            if size == 0:
                section_end = buffer.find(b"\r\n\r\n", end)
                if section_end < 0:
                    break
                trailers = read_fields(bytes(buffer[end + 2 : section_end]).split(b"\r\n")) if section_end > end else []
                is_last = True
                break
            del buffer[: end + 2]
            self._to_come = size
        messages = [self._body(bytes(content), last=is_last)] if content or is_last else []
        if is_last and self._has_trailers:
            messages.append({"type": f"{self._prefix}.trailers", "headers": trailers, "more_trailers": False})
        return messages

    def _body(self, content: bytes, *, last: bool) -> Message:
        self.complete = last
        return {"type": f"{self._prefix}.body", "body": content, "more_body": not last}
