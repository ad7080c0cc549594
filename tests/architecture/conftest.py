"""The package as syntax trees, for the rules in this folder: nothing of aioweb is imported to judge it.

A rule is a function that takes a `House` and returns its violations as `path:line: sentence`. The same rule
runs on the real tree and on a small house that a test builds from snippets, to show that it is able to fail.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

ROOT = Path(__file__).resolve().parents[2]
DYNAMIC = {"import_module", "__import__"}


@attrs.frozen(eq=False)
class Source:
    """One file of the package."""

    path: str
    """Relative to the project, for messages."""
    module: str
    """The dotted name; a face (`__init__.py`) has the name of its package."""
    is_face: bool
    tree: ast.Module

    def at(self, node: ast.AST) -> str:
        return f"{self.path}:{getattr(node, 'lineno', 1)}"

    def origin(self, node: ast.ImportFrom) -> str:
        """The absolute name of the module that `from ... import` names."""
        if not node.level:
            return node.module or ""
        parts = self.module.split(".")
        above = parts[: len(parts) - node.level + self.is_face]
        return ".".join([*above, *(node.module or "").split(".")]).rstrip(".")


@attrs.frozen
class Import:
    """One name that a file imports: `from module import name`, or `import module` (name is then empty)."""

    where: str
    module: str
    name: str

    @property
    def package(self) -> str:
        return self.module.partition(".")[0]


@attrs.frozen(eq=False)
class House:
    """Every file of the package below a root."""

    root: Path
    sources: dict[str, Source]

    def imports(self, source: Source) -> Iterator[Import]:
        """What the file imports: at the top, in functions, below TYPE_CHECKING, by literal name.

        `from package import file` counts as an import of the file.
        """
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(source.at(node), alias.name, "")
            elif isinstance(node, ast.ImportFrom):
                base = source.origin(node)
                for alias in node.names:
                    whole = f"{base}.{alias.name}"
                    if whole in self.sources:
                        yield Import(source.at(node), whole, "")
                    else:
                        yield Import(source.at(node), base, alias.name)
            elif isinstance(node, ast.Call) and _last_name(node.func) in DYNAMIC:
                literals = [arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)]
                yield from (Import(source.at(node), str(name), "") for name in literals)

    def all_imports(self) -> Iterator[tuple[Source, Import]]:
        for source in self.sources.values():
            for found in self.imports(source):
                yield source, found


def _last_name(node: ast.expr) -> str:
    return getattr(node, "attr", None) or getattr(node, "id", "")


def read_house(root: Path) -> House:
    """Parse every file of `root`/aioweb."""
    sources = {}
    for path in sorted((root / "aioweb").rglob("*.py")):
        relative = path.relative_to(root)
        parts = relative.with_suffix("").parts
        is_face = parts[-1] == "__init__"
        module = ".".join(parts[:-1] if is_face else parts)
        tree = ast.parse(path.read_text("utf-8"), str(relative))
        sources[module] = Source(relative.as_posix(), module, is_face, tree)
    return House(root, sources)


@pytest.fixture(scope="session")
def house() -> House:
    """The real one."""
    return read_house(ROOT)


@pytest.fixture
def build(tmp_path: Path) -> Callable[[dict[str, str]], House]:
    """build({"web/views.py": "import os"}): a small house of these files below aioweb/."""

    def build(files: dict[str, str]) -> House:
        for name, text in files.items():
            path = tmp_path / "aioweb" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        return read_house(tmp_path)

    return build
