"""The door of the kit: lazy, and clear about what is missing."""

from __future__ import annotations

import subprocess
import sys

import pytest

import aioweb.testing

WITHOUT = """
import sys
sys.modules[{package!r}] = None
import aioweb.testing.plugin
from aioweb.testing import make_mocked_request, unused_port
try:
    from aioweb.testing import TestClient
except ImportError as error:
    print(error)
"""


@pytest.mark.parametrize("name", aioweb.testing.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(aioweb.testing, name).__name__ in (name, "AioWebTestCase")


def test_a_name_that_is_not_there_is_said_so() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = aioweb.testing.Nothing


def test_a_fault_of_our_own_is_no_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aioweb.testing.case", None)
    with pytest.raises(ModuleNotFoundError, match=r"aioweb\.testing\.case"):
        _ = aioweb.testing.AioWebTestCase


def test_a_missing_package_is_the_name_of_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "aioweb.testing.client", raising=False)
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(ImportError, match="TestClient needs httpx") as missing:
        _ = aioweb.testing.TestClient
    assert missing.value.name == "httpx"


@pytest.mark.parametrize("package", ["httpx", "wsproto"])
def test_what_is_missing_is_named_with_its_extra(package: str) -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT.format(package=package)], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (f"TestClient needs {package}: pip install 'aioweb[testing]'\n", "")


def test_pytest_does_not_load_the_kit_before_it_is_used() -> None:
    script = "import sys, aioweb.testing.plugin; print({'httpx', 'wsproto', 'httpcore'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr
