"""Folders of files below a prefix: what `add_static` registers.

One call in a thread finds the file, opens it, chooses a packed sibling and reads it if it is small; FileResponse does
the rest. Whatever cannot be served (missing, unreadable, outside, a device, a name that is refused) is the very same
404, and the same as that of a path without a route: from outside nobody learns what there is (CVE-2025-69226).
"""

from __future__ import annotations

import base64
import errno
import fnmatch
import hashlib
import html
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import attrs
from yarl import URL

from aioweb import hdrs
from aioweb.protocol.fields import parse_accept
from aioweb.server.sendfile import read_in_thread
from aioweb.web.exceptions import HTTPMovedPermanently, HTTPNotFound
from aioweb.web.fileresponse import CHUNK_SIZE, FileResponse, explain, wants_content
from aioweb.web.folder import Folder, split_path
from aioweb.web.openfile import Source
from aioweb.web.paths import decode_value, match_form, quote_form
from aioweb.web.request import BaseRequest
from aioweb.web.resources import PrefixResource
from aioweb.web.response import Response
from aioweb.web.routes import (
    AbstractRoute,
    ExpectHandler,
    MiddlewareLike,
    Query,
    ResourceRoute,
    UrlMappingMatchInfo,
)
from aioweb.web.streamresponse import StreamResponse

CacheLike = Callable[[str], "str | int | None"] | Mapping[str, "str | int | None"]
"""What tells the Cache-Control of a file: a callable that takes its path below the folder (`css/a.css`), or a table by
patterns of such paths, the first that fits wins (`{"*.html": "no-cache", "*": 3600}`; `*` matches slashes, too).
A str is the value, an int is a max-age in seconds, None is none."""

ResponseFactory = Callable[[], StreamResponse]
"""Makes the response that a file is sent by."""

_METHODS: Final = ("GET", "HEAD")


def cache_policy(cache: CacheLike | None) -> Callable[[str], str | None]:
    """What tells the Cache-Control of a path. Raises TypeError for what is no `CacheLike`, ValueError for a value."""
    if cache is None:
        return lambda path: None
    if callable(cache):
        ask = cache
        return lambda path: _cache_control(ask(path))
    if not isinstance(cache, Mapping):
        raise TypeError(f"cache must be a callable or a table of patterns, not {cache!r}")
    table = [(re.compile(fnmatch.translate(glob)), _cache_control(value)) for glob, value in cache.items()]
    return lambda path: next((value for pattern, value in table if pattern.match(path)), None)


def _cache_control(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return f"max-age={value}"
    raise ValueError(f"Cache-Control is a str, a number of seconds or None, not {value!r}")


class StaticResource(PrefixResource):
    """The files of a folder, below a prefix. `UrlDispatcher.add_static` makes it and documents the arguments."""

    def __init__(
        self,
        prefix: str,
        directory: str | os.PathLike[str],
        *,
        name: str | None = None,
        expect_handler: ExpectHandler | None = None,
        chunk_size: int = CHUNK_SIZE,
        show_index: bool = False,
        follow_symlinks: bool = False,
        append_version: bool = False,
        index: str | None = None,
        fallback: str | None = None,
        cache: CacheLike | None = None,
        hidden: bool = False,
        response_factory: ResponseFactory | None = None,
        middlewares: Iterable[MiddlewareLike] = (),
    ) -> None:
        super().__init__(prefix.removesuffix("/"), name=name, middlewares=middlewares)
        if not prefix.startswith("/"):
            raise ValueError(f"prefix {prefix!r} must begin with a slash")
        self._folder = Folder(directory, follow_symlinks=follow_symlinks)
        self._chunk_size = chunk_size
        self._show_index = show_index
        self._append_version = append_version
        self._index = _check_filename("index", index)
        self._fallback = _check_filename("fallback", fallback)
        self._cache = cache_policy(cache)
        self._hidden = hidden
        self._response_factory = response_factory
        self._versions: dict[str, tuple[tuple[int, int], str]] = {}
        self._route: AbstractRoute = object.__new__(StaticRoute)
        ResourceRoute.__init__(self._route, "GET", self.handle, self, expect_handler=expect_handler)

    def __repr__(self) -> str:
        name = f" {self._name!r}" if self._name is not None else ""
        return f"<{type(self).__name__}{name} {self.canonical} -> {str(self.directory)!r}>"

    def __iter__(self) -> Iterator[AbstractRoute]:
        yield self._route

    def __len__(self) -> int:
        return 1

    @property
    def directory(self) -> Path:
        """The absolute path of the folder."""
        return self._folder.path

    def get_info(self) -> dict[str, Any]:
        """The `directory`, the `prefix` and the `routes` by method."""
        routes = dict.fromkeys(_METHODS, self._route)
        return {"directory": self.directory, "prefix": f"{self.canonical}/", "routes": routes}

    # -- for the router ------------------------------------------------------------------------------------------------

    def match_path(self, path: str) -> dict[str, str] | None:
        rest = self.rest_of(path)
        return None if rest is None else {"filename": decode_value(rest.lstrip("/"))}

    def reaches(self, path: str) -> bool:
        return self.rest_of(path) is not None

    def methods_for(self, path: str) -> set[str]:
        return set(_METHODS) if self.reaches(path) else set()

    def lookup(self, method: str, path: str, host: str | None) -> UrlMappingMatchInfo | None:
        found = self.match_path(path) if method in _METHODS else None
        return None if found is None else UrlMappingMatchInfo(found, self._route)

    # -- URLs ----------------------------------------------------------------------------------------------------------

    def url_for(  # type: ignore[override]
        self, /, *, filename: str | os.PathLike[str], append_version: bool | None = None
    ) -> URL:
        """The URL of a file in the folder, whether it is there or not.

        Args:
            filename: its path below the folder; slashes in front are dropped.
            append_version: add `?v=` and a hash of its content, so that clients may keep it for ever; None for what
                `add_static` was told. It reads the file, once for each change; a file that cannot be read has none.
        """
        filename = os.fspath(filename).lstrip("/")
        escaped = filename.replace("%", "%25").replace("{", "%7B").replace("}", "%7D")
        url = URL.build(path=quote_form(f"{self._inside}{escaped}"), encoded=True)
        if self._append_version if append_version is None else append_version:
            version = self._version(filename)
            return url if version is None else url.with_query(v=version)
        return url

    def url(  # type: ignore[override]
        self, *, filename: str | os.PathLike[str], query: Query = None, append_version: bool | None = None
    ) -> str:
        """`url_for` in the spelling of aiohttp 0.17: text, with a query as mapping, pairs, `"a=b"` or `"?a=b"`."""
        url = self.url_for(filename=filename, append_version=append_version)
        if isinstance(query, str):
            query = query.removeprefix("?")
        elif query is not None and not isinstance(query, Mapping):
            query = list(query)
        return str(url.update_query(query) if query else url)

    @staticmethod
    def get_file_hash(byte_array: bytes) -> str:
        """The version of a content: its SHA-256, as it may stand in a URL."""
        return base64.urlsafe_b64encode(hashlib.sha256(byte_array).digest()).decode("ascii")

    def _version(self, filename: str) -> str | None:
        names = split_path(filename.replace("%", "%25"), hidden=self._hidden)
        if not names:
            return None
        try:
            source = self._folder.open(names, {}, load=False, unpack=False)
        except (OSError, ValueError):
            return None
        with source.file:
            # Only of files that are there: who makes up names cannot fill this.
            state = source.modified_ns or 0, source.size
            known = self._versions.get(filename)
            if known is None or known[0] != state:
                known = self._versions[filename] = state, self.get_file_hash(source.file.readall())
        return known[1]

    # -- requests ------------------------------------------------------------------------------------------------------

    async def handle(self, request: BaseRequest) -> StreamResponse:
        """Answer GET and HEAD. Raises HTTPNotFound, and HTTPMovedPermanently for a folder without its slash."""
        form = match_form(request.head.path)
        rest = self.rest_of(form)
        found = None
        if rest is not None:
            found = await request.loop.run_in_executor(None, self._find, rest, request)
        if found is None:
            raise HTTPNotFound()
        if isinstance(found, _Listing):
            return Response(text=found.render(decode_value(form)), content_type="text/html", charset="utf-8")
        if isinstance(found, _Folder):
            # No part of the path is empty, so it never begins with two slashes, and names no host (CVE-2023-28370).
            path, query = f"{request.root_path}{quote_form(form)}/", request.head.query
            raise HTTPMovedPermanently(URL.build(path=path, query_string=query, encoded=True))
        response = FileResponse(found.source)
        policy = self._cache(found.path)
        if policy is not None:
            response.headers[hdrs.CACHE_CONTROL] = policy
        if found.is_fallback:
            response.headers.add(hdrs.VARY, hdrs.ACCEPT)
        if self._response_factory is None:
            return response
        return await self._send_by(self._response_factory(), response, found.source, request)

    def _find(self, rest: str, request: BaseRequest) -> _File | _Folder | _Listing | None:
        """What answers the request; None if nothing does. It blocks."""
        names = split_path(rest, hidden=self._hidden)
        if names is not None:
            try:
                return self._find_at(names, rest.endswith("/"), request)
            except (OSError, ValueError) as error:
                _check_served(error)
        if self._fallback is not None and _accepts_html(request):
            try:
                return self._open(self._fallback, request, is_fallback=True)
            except (OSError, ValueError) as error:
                _check_served(error)
        return None

    def _find_at(self, names: _Names, has_slash: bool, request: BaseRequest) -> _File | _Folder | _Listing:
        if names and not has_slash:
            try:
                return self._open(names, request)
            except IsADirectoryError:
                pass
        if self._index is not None:
            try:
                index = self._open((*names, *self._index), request)
            except (OSError, ValueError) as error:
                _check_served(error)
            else:
                return index if has_slash else _Folder()
        if not self._show_index:
            raise FileNotFoundError(errno.ENOENT, "it is a folder")
        entries = self._folder.list(names, hidden=self._hidden)
        return _Listing(entries, has_parent=bool(names)) if has_slash else _Folder()

    def _open(self, names: _Names, request: BaseRequest, *, is_fallback: bool = False) -> _File:
        source = self._folder.open(names, request.headers, load=wants_content(request))
        return _File("/".join(names), source, is_fallback)

    async def _send_by(
        self, response: StreamResponse, plan: FileResponse, source: Source, request: BaseRequest
    ) -> StreamResponse:
        """Send a file by a response of the user, in chunks, as aiohttp 0.17 did."""
        try:
            pieces = plan.decide(request, source)
            response.set_status(plan.status)
            response.headers.update(plan.headers)
            await response.prepare(request)
            for piece in pieces if request.method != "HEAD" else ():
                if isinstance(piece, bytes):
                    await response.write(piece)
                    continue
                offset, left = piece.offset, piece.size
                while left:
                    block = await read_in_thread(source.read, offset, min(left, self._chunk_size))
                    await response.write(block)
                    offset, left = offset + len(block), left - len(block)
            await response.write_eof()
            return response
        finally:
            source.close()


class StaticRoute(ResourceRoute):
    """The route of a StaticResource; made by itself it is the route class of aiohttp 0.17, for `register_route`.

    Args:
        name: for URLs in reverse, or None.
        prefix, directory, expect_handler, chunk_size, response_factory: as for `UrlDispatcher.add_static`.
    """

    def __init__(
        self,
        name: str | None,
        prefix: str,
        directory: str | os.PathLike[str],
        *,
        expect_handler: ExpectHandler | None = None,
        chunk_size: int = CHUNK_SIZE,
        response_factory: ResponseFactory | None = None,
    ) -> None:
        resource = StaticResource(
            prefix, directory, name=name, chunk_size=chunk_size, response_factory=response_factory
        )
        super().__init__("GET", resource.handle, resource, expect_handler=expect_handler)
        resource._route = self


class FileHandler:
    """The handler of one file at one path; `add_file` makes it.

    Args:
        file: its path.
        cache: the value of Cache-Control, or a max-age in seconds.

    Raises ValueError for a file that is not there, and for a bad cache.
    """

    def __init__(self, file: str | os.PathLike[str], cache: str | int | None = None) -> None:
        self.path = Path(os.path.abspath(os.path.expanduser(os.fsdecode(file))))
        """Its absolute path."""
        if not self.path.is_file():
            raise ValueError(f"there is no file {str(file)!r} (that is {self.path})")
        policy = _cache_control(cache)
        self._headers: dict[str, str] | None = None if policy is None else {hdrs.CACHE_CONTROL: policy}

    def __repr__(self) -> str:
        return f"<FileHandler {str(self.path)!r}>"

    async def __call__(self, request: BaseRequest) -> FileResponse:
        """Answer with the file."""
        return FileResponse(self.path, headers=self._headers)


_Names = tuple[str, ...]


@attrs.frozen
class _File:
    path: str
    source: Source
    is_fallback: bool


@attrs.frozen
class _Folder:
    """A folder, whose path lacks the slash that makes links in it work."""


@attrs.frozen
class _Listing:
    """The names in a folder, and whether they are folders."""

    entries: list[tuple[str, bool]]
    has_parent: bool

    def render(self, path: str) -> str:
        """The page for the folder at `path`."""
        links = ['<li><a href="../">../</a></li>'] if self.has_parent else []
        for name, is_folder in self.entries:
            slash = "/" if is_folder else ""
            # "./" in front: a name with a colon is no scheme.
            links.append(f'<li><a href="./{quote(name, safe="")}{slash}">{html.escape(name)}{slash}</a></li>')
        title = f"Index of {html.escape(path)}"
        return _PAGE.format(title=title, links="\n".join(links))


_PAGE: Final = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body><h1>{title}</h1>
<ul>
{links}
</ul></body></html>
"""


def _check_served(error: OSError | ValueError) -> None:
    """Let pass what means that there is nothing to serve. A server that is out of descriptors is another matter."""
    if explain(error) is None:
        raise error


def _check_filename(what: str, filename: str | None) -> _Names | None:
    if filename is None:
        return None
    names = split_path(filename, hidden=True) if isinstance(filename, str) else None
    if not names:
        raise ValueError(f"{what} must be the path of a file below the folder, such as 'index.html', not {filename!r}")
    return names


def _accepts_html(request: BaseRequest) -> bool:
    """The client is a browser that goes to a page: scripts and images are asked for by `*/*`, which is not enough."""
    accept = request.headers.get(hdrs.ACCEPT, "")
    return any(media_range == "text/html" and quality > 0 for media_range, quality in parse_accept(accept))
