"""Every number that bounds what a peer can cost us: one frozen class, each with its unit, default and reason.

The same object goes from `make_handler(limits=...)` or `run_app(limits=...)` down to the parser.
Sizes are in bytes, times in seconds; None for a time means "no deadline". The ground uses the sizes only, the middle
the times, the roof the body limits. What trusted servers chose stands beside each number (see also the "Limits"
page of the documentation).
"""

from __future__ import annotations

import attrs


def _size(default: int) -> int:
    field: int = attrs.field(default=default, validator=_check_size)
    return field


def _time(default: float | None) -> float | None:
    field: float | None = attrs.field(default=default, validator=_check_time)
    return field


def _check_size(_: object, attribute: attrs.Attribute[int], value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"Limits.{attribute.name} is a whole number, 0 or more, not {value!r}")


def _check_time(_: object, attribute: attrs.Attribute[float], value: object) -> None:
    if value is None:
        return
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not value > 0:
        raise ValueError(f"Limits.{attribute.name} is a number of seconds above 0, or None, not {value!r}")


@attrs.frozen(kw_only=True)
class Limits:
    """The limits and deadlines of a server. All arguments are keyword-only and have safe defaults.

    Raises ValueError, naming the limit, for a value that is no size or no time.
    """

    # -- connections ----------------------------------------------------------------------------------------------

    connections: int = _size(16_384)
    """Connections that a server has at a time; others wait, or are refused with 503 (`when_full`), and those that are
    idle close in their favour; 0 is no limit. Keep it below the descriptors that the process may have (`ulimit -n`).
    nginx 512 and gunicorn 1,000 a worker, Apache 400, Go and Node none."""

    requests: int = _size(0)
    """Requests of one connection; the last response closes it; 0 is no limit. Nothing is kept from one to the next, but
    a balancer in front may want connections to come anew. nginx 1,000, Apache 100, Go and Node none."""

    # -- the head ------------------------------------------------------------------------------------------------

    line: int = _size(8190)
    """Request line, bytes without CRLF; over it: 414. Apache, gunicorn and aiohttp 8,190 or less, nginx 8 KiB."""

    field: int = _size(8190)
    """One field line, bytes without CRLF; over it: 431. Apache and aiohttp 8,190, nginx 8 KiB."""

    fields: int = _size(128)
    """Number of field lines in a head, and in a trailer section; over it: 431. aiohttp and websockets 128, Apache,
    gunicorn and hyper 100."""

    head: int = _size(32768)
    """Field section with its CRLFs, bytes; over it: 431. nginx 4 x 8 KiB, Node 16 KiB, Go 1 MiB."""

    empty_lines: int = _size(4)
    """CRLFs that are skipped before a request line (RFC 9112 section 2.2 asks for at least one); over it: 400."""

    proxy_header: int = _size(4096)
    """A header of the PROXY protocol, version 2, where a listener demands one, bytes; over it the connection is cut.
    haproxy sends at most some hundred bytes; one of version 1 has 107 at most."""

    # -- the content ---------------------------------------------------------------------------------------------

    chunk_line: int = _size(4096)
    """A chunk-size line with its extensions, bytes without CRLF; over it: 413. hyper and Go bound it alike."""

    chunk_extensions: int = _size(16384)
    """Sum of the chunk extensions of one message, bytes; over it: 413 (CVE-2024-22019, CVE-2023-39326)."""

    trailers: int = _size(8190)
    """Trailer section with its CRLFs, bytes; over it: 431."""

    client_max_size: int = _size(1024**2)
    """Content that `request.read()` and its kin collect, bytes; over it: 413; 0 is no limit. aiohttp, nginx 1 MiB."""

    client_max_fields: int = _size(1000)
    """Fields of a form, files among them; over it: 413; 0 is no limit. aiohttp and Django 1,000."""

    parts: int = _size(1000)
    """Parts of a multipart message, those inside of nested ones too; over it: 413. Django and starlette 1,000."""

    part_fields: int = _size(32)
    """Field lines in the head of a part; over it: 413. Browsers send two."""

    part_head: int = _size(8190)
    """Head of a part with its CRLFs, bytes; over it: 413. As much as one field of a message."""

    form_field: int = _size(1024**2)
    """The fields of a multipart form that are no files, together, bytes; over it: 413; 0 is no limit. They are in
    memory, whatever `client_max_size` lets pass for files. starlette 1 MiB each, Django 2.5 MiB together."""

    form_file: int = _size(1024**3)
    """One file of a form, bytes; over it: 413; 0 is no limit. `client_max_size` bounds a whole form, and so this."""

    form_memory: int = _size(262144)
    """Files of one form that are held in memory, bytes; the rest goes to temporary files. starlette 1 MiB a file."""

    decoding_ratio: int = _size(200)
    """How many times larger content may become by undoing its Content-Encoding, from 1 MiB on; over it: 413; 0 is no
    limit. Text becomes 5 to 20 times larger, a bomb of gzip 1,000 times."""

    read_buffer: int = _size(65536)
    """Received content that waits for the handler, bytes; above it the transport pauses. aiohttp 64 KiB."""

    write_buffer: int = _size(65536)
    """Written bytes that wait for the client; above it `await response.write()` waits. asyncio 64 KiB."""

    lingering_bytes: int = _size(262144)
    """Content that the handler left unread and that is read and dropped so that the connection survives; Go 256 KiB."""

    # -- deadlines -----------------------------------------------------------------------------------------------

    tls_handshake_timeout: float | None = _time(10.0)
    """From the connection to the end of the TLS handshake; then it closes. nginx, hypercorn and asyncio itself 60 s."""

    head_timeout: float | None = _time(10.0)
    """From the connection, or the first byte of a later head, to the end of that head; then 408. hypercorn 6 s,
    hyper 30 s, nginx 60 s."""

    body_timeout: float | None = _time(30.0)
    """Between two arrivals of content while the handler waits for it; then 408. nginx 60 s."""

    keepalive_timeout: float | None = _time(75.0)
    """Silence between two requests of a connection; then it closes. nginx and aiohttp 75 s."""

    write_timeout: float | None = _time(60.0)
    """Without progress of a client that does not read its response; then the connection is cut. nginx 60 s."""

    handler_timeout: float | None = _time(None)
    """Until a handler returns its response; then it is cancelled, and the answer is 503. A route may have its own.
    No default: a long poll or a stream may last for ever, and only its author knows. gunicorn 30 s for a worker."""

    lingering_time: float | None = _time(10.0)
    """Spent at most on the unread rest of a refused request, so that its answer arrives. aiohttp 10 s, nginx 30 s."""
