"""What only nginx does: send files for an application, and rewrite targets and hosts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aioweb import web
from tests.interop.proxies import Proxy, listening, nginx
from tests.interop.test_proxies import LARGE, Site


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Proxy]:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "100% \u00e4?.txt").write_bytes(LARGE)
    (tmp_path / "secret").write_text("secret")
    async with (
        listening(Site().app, str(tmp_path / "s"), forwarded=web.TrustedProxies("unix")) as (_, upstream),
        nginx(tmp_path, upstream) as proxy,
    ):
        yield proxy


async def test_nginx_sends_the_file_that_the_application_names(proxy: Proxy) -> None:
    answer = await proxy.request("GET", "/file?path=/protected/100%25%20%C3%A4%3F.txt&name=Gr%C3%B6%C3%9Fe.txt")
    assert (answer.status, answer.body) == (200, LARGE)
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "filename*=UTF-8''Gr%C3%B6%C3%9Fe.txt" in answer.headers["Content-Disposition"]
    assert "X-Accel-Redirect" not in answer.headers


async def test_nginx_sends_a_range_of_it(proxy: Proxy) -> None:
    target = "/file?path=/protected/100%25%20%C3%A4%3F.txt"
    answer = await proxy.request("GET", target, "Range: bytes=1000-1009")
    assert (answer.status, answer.body) == (206, LARGE[1000:1010])
    assert (await proxy.request("HEAD", target)).headers["Content-Length"] == str(len(LARGE))


async def test_a_file_that_is_not_there_is_missing_and_the_folder_is_closed(proxy: Proxy) -> None:
    assert (await proxy.request("GET", "/file?path=/protected/none")).status == 404
    assert (await proxy.request("GET", "/protected/100%25%20%C3%A4%3F.txt")).status == 404
    assert (await proxy.request("GET", "/file?path=/protected/../secret")).status == 500


async def test_the_host_is_that_of_the_target_and_not_another_that_the_client_writes(proxy: Proxy) -> None:
    answer = await proxy.request("GET", "http://one.example/facts", "Host: two.example")
    assert answer.body.splitlines()[1] == b"http://one.example/facts"
