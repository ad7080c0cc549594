"""`{limits-table}`: one row for each field of `aioweb.protocol.limits.Limits`, read from the class itself.

Names and defaults come from attrs, the meaning from the docstring below each field, so the page cannot go stale.
"""

from __future__ import annotations

from typing import Any

import attrs
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective

from aioweb.protocol.limits import Limits


def rows() -> list[tuple[str, str, str]]:
    """(name, default, meaning) of every limit, in the order of the class."""
    analyzer = ModuleAnalyzer.for_module(Limits.__module__)
    analyzer.analyze()
    meanings = {name: " ".join(lines).strip() for (_, name), lines in analyzer.attr_docs.items()}
    return [(field.name, f"{field.default!r}", meanings[field.name]) for field in attrs.fields(Limits)]


class LimitsTable(SphinxDirective):
    """Builds the table; takes no argument, no option and no content."""

    def run(self) -> list[nodes.Node]:
        group = nodes.tgroup("", *(nodes.colspec(colwidth=width) for width in (20, 10, 70)), cols=3)
        group += nodes.thead("", self.row("Limit", "Default", "Meaning"))
        cells = ((f"`{name}`", f"`{default}`", meaning) for name, default, meaning in rows())
        group += nodes.tbody("", *(self.row(*row) for row in cells))
        return [nodes.table("", group, classes=["limits"])]

    def row(self, *cells: str) -> nodes.row:
        """One row of cells, each written in the markup of the page."""
        return nodes.row("", *(nodes.entry("", *self.parse_text_to_nodes(cell)) for cell in cells))


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("limits-table", LimitsTable)
    return {"parallel_read_safe": True}
