"""Secrets are not to be shown: which names have secret values, and how a text is freed of them.

Names tell, nothing else can. So this is a help for those who show a debug page to a colleague, and no reason to show
one to the world.
"""

from __future__ import annotations

import re
from typing import Final

MASK: Final = "***"
"""What stands in the place of a secret."""

_NAMES: Final = (
    r"pass(?:word|wd|phrase)|pwd|secret|token|authorization|cookie|credential|api[_-]?key|private[_-]?key|"
    r"session[_-]?id|(?<![a-z])auth(?![a-z])"
)
_NAME: Final = re.compile(_NAMES, re.IGNORECASE)
_LITERAL: Final = r"""'(?:[^'\\]|\\(?:.|\Z))*(?:'|\Z)|"(?:[^"\\]|\\(?:.|\Z))*(?:"|\Z)"""
"""A string literal, or the first part of one that was cut."""
# A name, to its end and with its quote, then what separates it from its value: `=`, `:`, or the comma of a pair.
_SPELLED: Final = rf"""(?:{_NAMES})[\w-]{{0,40}}(?:["']\s*[=:,]|\s*[=:])\s*(?:b(?=["']))?"""
_IN_TEXT: Final = re.compile(
    rf"""({_SPELLED}(?:(?:Basic|Bearer|Digest)\s+)?)(?:{_LITERAL}|[^\s&,;)}}\]'"]+)""", re.IGNORECASE | re.DOTALL
)
_IN_SOURCE: Final = re.compile(rf"({_SPELLED})(?:{_LITERAL})", re.IGNORECASE | re.DOTALL)


def is_secret(name: str) -> bool:
    """The name of a variable, a field or a key says that its value is a secret: `password`, `Cookie`, `api_key`."""
    return _NAME.search(name) is not None


def mask(text: str) -> str:
    """The text with the values of such names masked, where it spells them: `token=abc`, `{'password': 'abc'}`."""
    return _IN_TEXT.sub(rf"\1{MASK}", text)


def mask_source(line: str) -> str:
    """A line of Python with the string literals of such names masked; expressions stay as they are."""
    return _IN_SOURCE.sub(rf"\1{MASK}", line)
