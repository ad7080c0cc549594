"""The types of files, told by their names.

The table comes first, for it is the same on every machine: what `mimetypes` knows depends on the files and the registry
of a system (on some of them JavaScript is plain text). What is not in the table is asked there.

A file that was packed (`page.html.gz`) is the type of what is in it, with a content coding, and the client unpacks it.
An archive (`site.tar.gz`) is a thing of its own.
"""

from __future__ import annotations

import mimetypes
import posixpath
from typing import Final

from aioweb.protocol.fields import OCTET_STREAM

CONTENT_TYPES: Final[dict[str, str]] = {
    ".7z": "application/x-7z-compressed",
    ".aac": "audio/aac",
    ".apng": "image/apng",
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".br": "application/x-brotli",
    ".bz2": "application/x-bzip2",
    ".css": "text/css",
    ".csv": "text/csv",
    ".flac": "audio/flac",
    ".gif": "image/gif",
    ".gz": "application/gzip",
    ".htm": "text/html",
    ".html": "text/html",
    ".ico": "image/vnd.microsoft.icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript",
    ".json": "application/json",
    ".jsonld": "application/ld+json",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".m4a": "audio/mp4",
    ".map": "application/json",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".mpd": "application/dash+xml",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".ogv": "video/ogg",
    ".opus": "audio/ogg",
    ".otf": "font/otf",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".tar": "application/x-tar",
    ".tgz": "application/gzip",
    ".ttf": "font/ttf",
    ".txt": "text/plain",
    ".vtt": "text/vtt",
    ".wasm": "application/wasm",
    ".wav": "audio/wav",
    ".weba": "audio/webm",
    ".webm": "video/webm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xhtml": "application/xhtml+xml",
    ".xml": "application/xml",
    ".xz": "application/x-xz",
    ".zip": "application/zip",
    ".zst": "application/zstd",
}
"""Media types by suffix, in lower case. Add what you need before the start."""

SIBLINGS: Final = {"zstd": ".zst", "br": ".br", "gzip": ".gz"}
"""The suffixes of packed files by content coding, best first."""

_CODINGS: Final = {suffix: coding for coding, suffix in SIBLINGS.items()}


def guess_type(filename: str, *, unpack: bool = True) -> tuple[str, str | None]:
    """Content-Type and Content-Encoding of a file of this name; the types of text are UTF-8.

    Unknown names are `application/octet-stream`. `unpack=False` is for a file that is to arrive as it is.
    """
    stem, suffix = posixpath.splitext(filename.lower())
    if unpack and suffix == ".svgz":
        return CONTENT_TYPES[".svg"], "gzip"
    if unpack and suffix in _CODINGS:
        inner = posixpath.splitext(stem)[1]
        known = _type_of(inner)
        if known is not None and inner != ".tar":
            return _with_charset(known), _CODINGS[suffix]
    return _with_charset(_type_of(suffix) or OCTET_STREAM), None


def _type_of(suffix: str) -> str | None:
    if not suffix:
        return None
    return CONTENT_TYPES.get(suffix) or mimetypes.guess_type(f"a{suffix}")[0]


def _with_charset(media_type: str) -> str:
    return f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type
