"""What a message is, and what is wrong with one that is not posted yet. Knows neither HTTP nor the database."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

import attrs

LONGEST = {"author": 40, "text": 2000}
"""Characters that a field may have."""
_EMPTY = {"author": "Please enter a name.", "text": "Please write something."}
# Controls but tab and line feed, and halves of surrogate pairs, which JSON can hold and no database.
_NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


@attrs.frozen
class Message:
    """A message on the board."""

    id: int
    author: str
    text: str
    created: datetime
    """In UTC."""
    picture: str | None = None
    """The name of the picture or video that belongs to it, see pictures.py."""


@attrs.frozen
class Draft:
    """What somebody wants to post, with its white space tidied up."""

    author: str = ""
    text: str = ""

    @classmethod
    def of(cls, fields: Mapping[str, object]) -> Draft:
        """Read a form or a JSON object. What is missing, or is no text, is empty."""
        author, text = (value if isinstance(value := fields.get(name), str) else "" for name in ("author", "text"))
        return cls(author=" ".join(author.split()), text=text.replace("\r\n", "\n").strip())

    def problems(self) -> dict[str, str]:
        """What is wrong, by the name of the field. Empty if it can be posted."""
        return {
            name: problem
            for name, value in (("author", self.author), ("text", self.text))
            if (problem := _problem(name, value)) is not None
        }


def _problem(name: str, value: str) -> str | None:
    if not value:
        return _EMPTY[name]
    if len(value) > LONGEST[name]:
        return f"At most {LONGEST[name]} characters, please; these are {len(value)}."
    if _NO_TEXT.search(value):
        return "It holds characters that are not text."
    return None
