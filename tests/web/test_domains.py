"""Rules that pick requests by host."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from aioweb.web.domains import Domain, MaskDomain


@pytest.mark.parametrize(
    ("rule", "host", "matches"),
    [
        ("example.org", "example.org", True),
        ("Example.ORG", "example.org", True),
        ("example.org", "EXAMPLE.org:8080", True),
        ("example.org", "example.org.", True),
        ("example.org", "www.example.org", False),
        ("example.org", None, False),
        ("example.org", "", False),
        ("example.org:81", "example.org:81", True),
        ("example.org:81", "example.org", False),
        ("example.org:81", "example.org:8", False),
        ("пример.рф", "xn--e1afmkfd.xn--p1ai", True),
        ("пример.рф:81", "xn--e1afmkfd.xn--p1ai:81", True),
        ("*.example.org", "www.example.org", True),
        ("*.example.org", "a.b.example.org:80", True),
        ("*.example.org", "example.org", False),
        ("*.example.org", "wwwxexample.org", False),
        ("*", "anything", True),
    ],
)
async def test_a_domain_picks_hosts(rule, host, matches):
    domain = (MaskDomain if "*" in rule else Domain)(rule)
    assert domain.match_host(host) is matches
    assert await domain.match(SimpleNamespace(host=host)) is matches


@pytest.mark.parametrize("bad", ["", " ", "http://a", "a/b", "a..b", "a b", "a:", "a:b", ":80", "-a", "[::1]"])
def test_what_is_no_domain_is_refused(bad):
    with pytest.raises(ValueError, match="is not a domain"):
        Domain(bad)


def test_a_domain_must_be_text():
    with pytest.raises(TypeError, match="must be a str"):
        Domain(None)  # type: ignore[arg-type]
