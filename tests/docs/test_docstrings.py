"""Docstrings are plain text; docs/_ext/plain_docstrings.py keeps the drawings in them as they stand."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="Sphinx is installed from Python 3.11 on")

EXTENSION = Path(__file__).resolve().parents[2] / "docs/_ext/plain_docstrings.py"


def literal_blocks(text: str) -> str:
    spec = importlib.util.spec_from_file_location("plain_docstrings", EXTENSION)
    assert spec is not None
    assert spec.loader is not None
    extension = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(extension)
    return "\n".join(extension.literal_blocks(text.splitlines()))


def test_an_indented_block_becomes_literal_once() -> None:
    text = "A tree.\n\n    root\n\n    └── leaf\n\nMore."
    assert literal_blocks(text) == "A tree.\n\n::\n\n    root\n\n    └── leaf\n\nMore."


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
def test_what_owns_its_indented_block_is_left_alone(text: str) -> None:
    assert literal_blocks(text) == text
