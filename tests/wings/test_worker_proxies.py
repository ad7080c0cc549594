"""The worker behind a proxy, with the real gunicorn: forwarded_allow_ips and proxy_protocol."""

from __future__ import annotations

import pytest

from tests.cli.test_proxies import ASK, TOLD, send
from tests.wings.test_worker import gunicorn

LOG = ("--access-logfile", "-", "--access-logformat", "<%(h)s>")


@pytest.mark.parametrize(
    ("options", "remote"),
    [
        ([], "127.0.0.1"),
        (["--forwarded-allow-ips", "127.0.0.0/8"], "192.0.2.1"),
        (["--forwarded-allow-ips", "*"], "192.0.2.1"),
    ],
)
def test_forwarded_allow_ips_are_trusted_unless_it_is_the_default(options: list[str], remote: str) -> None:
    with gunicorn("app", *LOG, *options) as (program, port):
        assert send(port, ASK % TOLD).endswith(b"hello")
        assert program.wait_for("<(.+)>") == [remote]


def test_proxy_protocol_is_demanded_of_proxy_allow_ips() -> None:
    with gunicorn("app", *LOG, "--proxy-protocol", "--proxy-allow-from", "127.0.0.1") as (program, port):
        assert send(port, b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + ASK % TOLD).endswith(b"hello")
        assert program.wait_for("<(.+)>") == ["192.0.2.1"]
