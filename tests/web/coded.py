"""What tests of compressed responses share: an application that answers, and a client that decodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aioweb import web
from aioweb.protocol.coding import ContentDecoder, make_decoder
from aioweb.protocol.limits import Limits

_NO_RATIO = Limits(decoding_ratio=0)
TEXT = "It was the best of times, it was the worst of times.\n" * 100
ALL = "Accept-Encoding: gzip, deflate, br, zstd"
CODINGS = ("zstd", "br", "gzip", "deflate")
Make = Callable[[web.Request], Any]


def app_of(make: Make, **options: Any) -> web.Application:
    """An application that answers everything with what `make` makes of the request."""

    async def handler(request: web.Request) -> Any:
        made = make(request)
        return await made if hasattr(made, "__await__") else made

    app = web.Application(**options)
    app.router.add_route("*", "/{path:.*}", handler)
    return app


def compressed(response: Any, *args: Any, **kwargs: Any) -> Any:
    """The response, `enable_compression` called."""
    response.enable_compression(*args, **kwargs)
    return response


def plain(answer: Any) -> bytes:
    """The content of an answer, its coding undone."""
    decoder = make_decoder(answer.headers.get("Content-Encoding", ""), _NO_RATIO)
    return answer.body if decoder is None else read_coded(decoder, answer.body)


def read_coded(decoder: ContentDecoder, octets: bytes) -> bytes:
    """What can be read when these octets have arrived."""
    content = decoder.decode(octets)
    while decoder.pending:
        content += decoder.decode()
    return content
