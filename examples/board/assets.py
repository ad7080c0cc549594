"""The style sheet and the icon. Their addresses hold a hash of the content, so browsers may keep them for ever."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import attrs

from aioweb import web


@attrs.frozen
class Asset:
    """A file that is read once, when the program starts."""

    content: bytes
    content_type: str

    @property
    def version(self) -> str:
        """Changes when the content does."""
        return sha256(self.content).hexdigest()[:12]


def _read(name: str, content_type: str) -> Asset:
    return Asset((Path(__file__).parent / name).read_bytes(), content_type)


ASSETS = {"style.css": _read("style.css", "text/css"), "icon.svg": _read("icon.svg", "image/svg+xml")}
"""By file name."""


async def show_asset(request: web.Request) -> web.Response:
    """The file that is named in the path."""
    asset = ASSETS.get(request.match_info["name"])
    if asset is None or request.match_info["version"] != asset.version:
        raise web.HTTPNotFound
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "ETag": f'"{asset.version}"'}
    if any(tag.value in (asset.version, "*") for tag in request.if_none_match or ()):
        raise web.HTTPNotModified(headers=headers)
    return web.Response(body=asset.content, content_type=asset.content_type, charset="utf-8", headers=headers)
