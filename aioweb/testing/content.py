"""What a test sends: content in all the forms that aiohttp's client takes, as httpx takes it."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Mapping
from typing import Any, Final

from aioweb import web

_OCTETS: Final = {"Content-Type": "application/octet-stream"}
_TEXT: Final = {"Content-Type": "text/plain; charset=utf-8"}

Encoded = tuple[dict[str, Any], Mapping[str, str]]
"""Arguments for httpx, and header fields for a request that has none of its own."""


def encode_data(data: Any) -> Encoded:
    """`data=` of a request.

    Args:
        data: a form: a mapping, or (name, value) pairs; a value that is a file, or a tuple (file name, content[,
            type]), makes it multipart. Or content: bytes, str, a file, an asynchronous iterable of bytes, a
            `web.MultipartWriter`.

    Raises TypeError for anything else.
    """
    if data is None:
        return {}, {}
    if isinstance(data, str):
        return {"content": data}, _TEXT
    if isinstance(data, (bytes, bytearray, memoryview)):
        return {"content": bytes(data)}, _OCTETS
    if hasattr(data, "read"):
        return {"content": data.read()}, _OCTETS
    if isinstance(data, web.StreamBody):
        return {"content": data.__aiter__()}, {**_OCTETS, **data.headers}
    if isinstance(data, AsyncIterable):
        return {"content": data}, _OCTETS
    if isinstance(data, Mapping):
        return _encode_form(data.items()), {}
    if isinstance(data, (list, tuple)):
        return _encode_form(data), {}
    raise TypeError(f"data is a form, bytes, str, a file or an asynchronous iterable, not {data!r:.100}")


def _encode_form(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, list[Any]] = {}
    files: list[tuple[str, Any]] = []
    for name, value in pairs:
        if isinstance(value, tuple) or hasattr(value, "read"):
            files.append((name, value))
        else:
            fields.setdefault(name, []).extend(value if isinstance(value, list) else [value])
    return {"data": fields, "files": files} if files else {"data": fields}
