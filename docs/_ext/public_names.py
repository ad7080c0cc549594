"""`<!-- reference: MODULE ... -->` on a line of a page becomes the reference of these modules.

A module of the ground or the middle is shown whole. Of the roof, users know `from aioweb import web` and not its files:
there the names that `aioweb.web` exports from the file are shown, each as `aioweb.web.Name`, with what it inherits from
classes that are not exported themselves. `PACKAGE.*` stands for every module of a package. A module that is not written
yet is left out; tests/docs/test_reference.py sees to it that no public name is forgotten.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from sphinx.application import Sphinx

MARK = re.compile(r"^<!-- reference: (.+?) -->$", re.MULTILINE)
ROOF = "aioweb.web"


def modules(patterns: str) -> Iterator[ModuleType]:
    """The modules that the patterns name, without those that are private or not written yet."""
    for pattern in patterns.split():
        package = pattern.removesuffix(".*")
        if pattern == package:
            names = [pattern]
        else:
            path = importlib.import_module(package).__path__
            names = sorted(info.name for info in pkgutil.walk_packages(path, f"{package}."))
        for name in names:
            if "._" not in name and importlib.util.find_spec(name):
                yield importlib.import_module(name)


def exported() -> list[str]:
    """The public names of the roof."""
    return list(getattr(importlib.import_module(ROOF), "__all__", ()))


def from_roof(module: ModuleType) -> Iterator[str]:
    """Autodoc directives for what the face exports from the module, in the order of the module."""
    face = importlib.import_module(ROOF)
    names = [name for name in exported() if getattr(face, name).__class__ is not ModuleType]
    order = {name: number for number, name in enumerate(vars(module))}
    for name in sorted((name for name in names if name in order), key=lambda name: order[name]):
        value = getattr(face, name)
        if getattr(value, "__module__", module.__name__) != module.__name__:
            continue
        if not inspect.isclass(value):
            kind = "autofunction" if inspect.isroutine(value) else "autodata"
            yield f".. {kind}:: {ROOF}.{name}"
            continue
        bases = value.__mro__[1:]
        exported_bases = [base for base in bases if base.__name__ in names]
        shown_elsewhere = {other.__name__ for base in exported_bases for other in base.__mro__} | {
            base.__name__ for base in bases if not base.__module__.startswith("aioweb.")
        }
        yield (
            f".. autoclass:: {ROOF}.{name}\n   :members:\n   :show-inheritance:\n"
            f"   :inherited-members: {','.join(sorted(shown_elsewhere))}"
        )


def whole(module: ModuleType) -> Iterator[str]:
    """The autodoc directive for everything public that a module defines; what it re-exports has its entry at home."""
    options = "   :members:\n   :undoc-members:\n   :show-inheritance:\n   :ignore-module-all:"
    yield f".. automodule:: {module.__name__}\n{options}"


def expand(match: re.Match[str]) -> str:
    """The Markdown that replaces one mark: below the roof each module has its heading."""
    parts = []
    for module in modules(match[1]):
        in_roof = module.__name__.startswith(f"{ROOF}.")
        directives = "\n\n".join(from_roof(module) if in_roof else whole(module))
        heading = "" if in_roof else f"## {module.__name__}\n\n"
        if directives:
            parts.append(f"{heading}```{{eval-rst}}\n{directives}\n```")
    return "\n\n".join(parts)


def read(app: Sphinx, page: str, source: list[str]) -> None:
    """What Sphinx calls for each page; `source[0]` is its text."""
    source[0] = MARK.sub(expand, source[0])


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", read)
    return {"parallel_read_safe": True}
