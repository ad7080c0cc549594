"""`<!-- reference: MODULE ... -->` on a line of a page becomes the reference of these modules.

A module of the ground or the middle is shown whole. Of the roof, users know `from aioweb import web` and not its files:
there the names that `aioweb.web` exports from the file are shown, each as `aioweb.web.Name`, with what it inherits from
classes that are not exported themselves. `PACKAGE.*` stands for every module of a package. A module that is not written
yet is left out; tests/docs/test_reference.py sees to it that no public name is forgotten.
"""

from __future__ import annotations

import ast
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


def exported() -> dict[str, tuple[str, str]]:
    """{name: (module, name there)} of everything public on the roof, as its face imports it."""
    face = importlib.import_module(ROOF)
    found = {}
    for node in ast.parse(inspect.getsource(face)).body:
        if isinstance(node, ast.ImportFrom):
            found.update({alias.asname or alias.name: (node.module or "", alias.name) for alias in node.names})
        elif isinstance(node, ast.Assign):
            found.update({name.id: (ROOF, name.id) for name in node.targets if isinstance(name, ast.Name)})
    return {name: there for name, there in found.items() if name in getattr(face, "__all__", ())}


def from_roof(module: ModuleType) -> Iterator[str]:
    """Autodoc directives for what the face exports from the module, in the order of the module."""
    order = {name: number for number, name in enumerate(vars(module))}
    names = {name: there for name, (home, there) in exported().items() if home == module.__name__}
    for name, there in sorted(names.items(), key=lambda item: order[item[1]]):
        value = getattr(module, there)
        if inspect.isclass(value) and value.__name__ == name:
            yield class_directive(f"{ROOF}.{name}", value)
            continue
        if inspect.isclass(value) and value.__name__ == there:  # exported by another name: shown by its own first
            yield class_directive(f"{module.__name__}.{there}", value)
        yield f".. {'autofunction' if inspect.isroutine(value) else 'autodata'}:: {ROOF}.{name}"


def class_directive(path: str, cls: type) -> str:
    """Shows the class with what it inherits, but for what an exported base or another package shows."""
    bases = cls.__mro__[1:]
    exported_bases = [base for base in bases if base.__name__ in exported()]
    shown_elsewhere = {other.__name__ for base in exported_bases for other in base.__mro__} | {
        base.__name__ for base in bases if not base.__module__.startswith("aioweb.")
    }
    inherited = ",".join(sorted(shown_elsewhere))
    return f".. autoclass:: {path}\n   :members:\n   :show-inheritance:\n   :inherited-members: {inherited}"


def whole(module: ModuleType) -> Iterator[str]:
    """The autodoc directive for everything public that a module defines; what it re-exports has its entry at home."""
    options = "   :members:\n   :undoc-members:\n   :show-inheritance:\n   :ignore-module-all:"
    yield f".. automodule:: {module.__name__}\n{options}"


def expand(match: re.Match[str]) -> str:
    """The Markdown that replaces one mark: below the roof each module has its heading."""
    parts = []
    for module in modules(match[1]):
        in_roof = f"{module.__name__}.".startswith(f"{ROOF}.")
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
