"""Docstrings are plain text; docs/_ext/plain_docstrings.py keeps what is in them as it stands."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("sphinx", reason="Sphinx is installed from Python 3.11 on")

EXTENSION = Path(__file__).resolve().parents[2] / "docs/_ext/plain_docstrings.py"


@pytest.fixture(scope="module")
def extension() -> ModuleType:
    spec = importlib.util.spec_from_file_location("plain_docstrings", EXTENSION)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_indented_block_becomes_literal_once(extension: ModuleType) -> None:
    text = "A tree.\n\n    root\n\n    └── leaf\n\nMore."
    said = "A tree.\n\n::\n\n    root\n\n    └── leaf\n\nMore."
    assert extension.literal_blocks(text.splitlines()) == said.splitlines()


@pytest.mark.parametrize(
    "text",
    [
        "- An item,\n\n  and its second paragraph.",
        "1. An item\n   that goes on\n\n   and on.",
        "Args:\n    name: of the thing,\n\n    more: of it.",
        "Like this::\n\n    code",
        ".. note::\n\n    A note.",
        ":param name: of the thing\n\n    more of it.",
        "A paragraph that\n    is indented by mistake.",
        "One.\n\nTwo.",
        "",
    ],
)
def test_what_owns_its_indented_block_is_left_alone(text: str, extension: ModuleType) -> None:
    assert extension.literal_blocks(text.splitlines()) == text.splitlines()


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("such as *.example.org", r"such as \*.example.org"),
        ("*args and **kwargs", r"\*args and \*\*kwargs"),
        ("in `*code*` it stays", "in `*code*` it stays"),
        ("* an item", "* an item"),
        ("    2 * 3", r"    2 \* 3"),
    ],
)
def test_an_asterisk_is_no_emphasis(line: str, written: str, extension: ModuleType) -> None:
    assert extension.plain_asterisks([line]) == [written]


def test_an_asterisk_in_a_literal_block_stays(extension: ModuleType) -> None:
    lines = ["::", "", "    a * b", "", "c * d"]
    assert extension.plain_asterisks(lines) == ["::", "", "    a * b", "", r"c \* d"]
