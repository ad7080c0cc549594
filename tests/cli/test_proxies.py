"""The command line behind a proxy: whom it believes, and whom it demands a PROXY header of."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from aioweb.cli import main
from tests.cli.test_serving import aioweb

PEM = str(Path(__file__).parents[1] / "data" / "localhost.pem")
ASK = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%b\r\n"
TOLD = b"X-Forwarded-For: 192.0.2.1\r\nX-Real-IP: 192.0.2.2\r\n"


def send(port: int, octets: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(octets)
        with client.makefile("rb") as answer:
            return answer.read()


@pytest.mark.parametrize(
    ("words", "remote"),
    [
        ([], "127.0.0.1"),
        (["--trust-proxies", "10.0.0.0/8, 127.0.0.1"], "192.0.2.1"),
        (["--trust-proxies", "*", "--forwarded-fields", "x-real-ip"], "192.0.2.2"),
    ],
)
def test_proxies_that_are_trusted_tell_the_client(words: list[str], remote: str) -> None:
    with aioweb("--access-log-format", "<%a>", *words) as (program, port):
        assert send(port, ASK % TOLD).endswith(b"hello")
        assert program.wait_for("<(.+)>") == [remote]
        assert program.end() == 0


def test_a_proxy_header_is_demanded() -> None:
    with aioweb("--access-log-format", "<%a>", "--proxy-protocol", "127.0.0.0/8") as (program, port):
        assert send(port, b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + ASK % TOLD).endswith(b"hello")
        assert program.wait_for("<(.+)>") == ["192.0.2.1"]
        try:
            assert send(port, ASK % TOLD) == b""
        except ConnectionResetError:
            pass  # it is cut with what it has sent unread
        assert program.end() == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--trust-proxies", "10.0.0.1/8"], "has host bits set"),
        (["--trust-proxies", ","], "name at least one network"),
        (["--trust-proxies", "::1", "--forwarded-fields", "Forwarded,X-Real-IP"], "one or the other"),
        (["--forwarded-fields", "Forwarded"], "--forwarded-fields needs --trust-proxies"),
        (["--proxy-protocol", "proxy.example"], "neither a network nor an address"),
        (["--proxy-protocol", "*", "--tls-cert", PEM], "the proxy has to end TLS"),
    ],
)
def test_what_makes_no_sense_is_one_line(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "tests.cli.site:app"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert said in err
