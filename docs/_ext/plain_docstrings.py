"""Lets docstrings stay plain text: sections as Google writes them, drawings and code as they stand.

An asterisk is an asterisk. An indented block after an empty line is literal; reStructuredText would ask for a `::`
before it, and would run the lines of a tree or a table together without. `Args:`, `Returns:` and `Raises:` become lists
of fields, but not in attributes and properties: there the word before a colon is prose (napoleon as an extension takes
it for a type).
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx
from sphinx.ext.napoleon import Config, GoogleDocstring

# What owns the indented block below it: a list item, a field, a directive, a section, a literal block's colons.
OWNER = re.compile(r"[-*+•] |\d+[.)] |:\w|\.\. |[A-Z][\w ]*:$|.*::$")
# Code between backticks, which is kept, or an asterisk that begins no list item.
ASTERISK = re.compile(r"(`[^`]*`)|(?<!^)\*|^\*(?! )")
SECTIONS = Config(napoleon_numpy_docstring=False)


def literal_blocks(lines: list[str]) -> list[str]:
    """The same lines, with `::` before each indented block that nothing above it owns."""
    result: list[str] = []
    first = last = ""  # line of the paragraph above
    settled = False
    for line in lines:
        after_gap = not result or not result[-1].strip()
        if line.strip() and not line.startswith(" "):
            first, last, settled = (line if after_gap else first), line, False
        elif line.strip() and after_gap and first and not settled:
            if not OWNER.match(first) and not OWNER.match(last):
                result += ["::", ""]
            settled = True
        result.append(line)
    return result


def plain_asterisks(lines: list[str]) -> list[str]:
    """The same lines without emphasis: `*.example.org` and `*args` are meant as they stand."""
    result: list[str] = []
    in_literal = False
    for line in lines:
        in_literal = (in_literal and (not line.strip() or line.startswith(" "))) or line.endswith("::")
        result.append(line if in_literal else ASTERISK.sub(lambda found: found[1] or r"\*", line))
    return result


def process(app: Sphinx, what: str, name: str, obj: object, options: Any, lines: list[str]) -> None:
    """What autodoc calls for each docstring; `lines` is changed in place."""
    lines[:] = plain_asterisks(literal_blocks(lines))
    if what not in {"attribute", "property", "data"}:
        lines[:] = GoogleDocstring(lines, SECTIONS, app, what, name, obj, options).lines()


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("autodoc-process-docstring", process)
    return {"parallel_read_safe": True}
