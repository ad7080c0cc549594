"""Sphinx settings. `make docs` builds with warnings as errors; the pages are Markdown, the docstrings plain text."""

import sys
from pathlib import Path

from aioweb import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "aioweb"
copyright = "the aioweb authors"
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "limits_table",
    "plain_docstrings",
    "public_names",
]
exclude_patterns = ["_build", "changes"]
default_role = "code"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"

html_theme = "furo"
html_title = f"aioweb {__version__}"
# `type` in an annotation is the builtin; that messages and media types have an attribute of this name is no question.
suppress_warnings = ["ref.python"]
