"""Habits of the house: DESIGN.md "The house" and STYLE.md "Write like these".

`_name` never crosses a file, no file is longer than 500 lines or a grab-bag, every public name is documented,
and the grammar of HTTP is written in one place.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import House, Source

MOST_LINES = 500
MEASURED = ("aioweb", "tests", "benchmarks", "examples", "fuzz")
GRAB_BAGS = {"utils", "util", "helpers", "helper", "common", "misc", "tools"}
# Underscored by others, public by their documentation.
PUBLIC_UNDERSCORES = {"_replace", "_asdict", "_fields", "_make", "_field_defaults", "_getframe", "_exit"}
OWN = {"self", "cls", "mcs"}
# Files of protocol/ beside grammar.py that may compile a pattern, and why.
PATTERNS_ALLOWED = {
    "dates.py": "the three forms of a date (RFC 9110 section 5.6.7) are read in this one place",
    "mediatypes.py": "media types and their parameters come from MIME and are read in this one place",
    "fields.py": "the grammars of single fields (ETag, Range ...) stand beside their one reader",
    "forwarded.py": "Forwarded has a grammar of its own, RFC 7239, and is read here, from both sides",
    "cookies.py": "cookies have a grammar of their own, RFC 6265, which is not HTTP's",
    "disposition.py": "Content-Disposition has a grammar and escapes of its own, read and written here",
    "multipart.py": "the part headers of MIME, RFC 2046 and 7578, are not HTTP's either",
}
Function = (ast.FunctionDef, ast.AsyncFunctionDef)


def is_private(name: str) -> bool:
    return name.startswith("_") and not (name.startswith("__") and name.endswith("__"))


def own_names(source: Source) -> set[str]:
    """The underscored names that the file itself defines: functions, classes, variables, attributes."""
    classes = {node.name for node in ast.walk(source.tree) if isinstance(node, ast.ClassDef)}
    names = set(classes)
    for node in ast.walk(source.tree):
        if isinstance(node, Function):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if isinstance(node.value, ast.Name) and node.value.id in OWN | classes:
                names.add(node.attr)
        elif isinstance(node, ast.Assign) and any(getattr(t, "id", "") == "__slots__" for t in node.targets):
            names.update(str(part.value) for part in ast.walk(node.value) if isinstance(part, ast.Constant))
    return names


def crossing_underscores(house: House) -> list[str]:
    """No `x._name` where another file defines `_name`, no import of one, no getattr by its name."""
    violations = []
    for source in house.sources.values():
        own = own_names(source)
        classes = {node.name for node in ast.walk(source.tree) if isinstance(node, ast.ClassDef)}
        for node in ast.walk(source.tree):
            name = _reached(node, classes)
            if is_private(name) and name not in own | PUBLIC_UNDERSCORES:
                violations.append(f"{source.at(node)}: reaches for {name}, which is private to another file")
        for found in house.imports(source):
            twin = "._".join(source.module.rsplit(".", 1))
            names = {*found.module.split("."), found.name} - {"_version", "_thread"}
            if any(map(is_private, names)) and twin not in (found.module, f"{found.module}.{found.name}"):
                violations.append(f"{found.where}: imports {found.name or found.module}, which is private")
    return violations


def _reached(node: ast.AST, classes: set[str]) -> str:
    """The attribute name that the node asks of another object, "" if it asks for none."""
    if isinstance(node, ast.Attribute):
        value = node.value
        if isinstance(value, ast.Name) and value.id in OWN | classes:
            return ""
        is_super = isinstance(value, ast.Call) and getattr(value.func, "id", "") == "super"
        return "" if is_super else node.attr
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {
        "getattr",
        "setattr",
        "hasattr",
        "delattr",
    }:
        name = getattr(node.args[1], "value", "") if len(node.args) > 1 else ""
        return name if isinstance(name, str) else ""
    return ""


def long_files(house: House) -> list[str]:
    """A file is one idea; above 500 lines it is two."""
    violations = []
    for folder in MEASURED:
        for path in sorted((house.root / folder).rglob("*.py")):
            relative = path.relative_to(house.root)
            lines = len(path.read_text("utf-8").splitlines())
            if lines > MOST_LINES and not any(part.startswith(".") for part in relative.parts):
                violations.append(f"{relative}: {lines} lines, {MOST_LINES} at most")
    return violations


def grab_bags(house: House) -> list[str]:
    """A function lives with the idea that it serves."""
    return [
        f"{source.path}: a name that tells no idea"
        for source in house.sources.values()
        if GRAB_BAGS & set(PurePath(source.path).with_suffix("").parts)
    ]


def patterns_outside_grammar(house: House) -> list[str]:
    """Two patterns for one rule of the RFC drift apart, and the difference is a smuggled request."""
    violations = []
    for source in house.sources.values():
        name = PurePath(source.path).name
        if not source.module.startswith("aioweb.protocol") or name in {"grammar.py", *PATTERNS_ALLOWED}:
            continue
        for found in house.imports(source):
            if found.package in {"re", "regex"}:
                violations.append(f"{found.where}: patterns of HTTP are written in protocol/grammar.py only")
    return violations


def undocumented_names(house: House) -> list[str]:
    """Module, class, function, method, property: every public one says what it is."""
    violations = []
    for source in house.sources.values():
        if not ast.get_docstring(source.tree):
            violations.append(f"{source.path}:1: the module has no docstring")
        for owner, node in _public_definitions(source.tree.body):
            if ast.get_docstring(node) or _needs_no_docstring(node):
                continue
            if owner and _documented_by_a_base(house, source, owner, node.name, set()):
                continue
            name = f"{owner.name}.{node.name}" if owner else node.name
            violations.append(f"{source.at(node)}: {name} has no docstring")
    return violations


Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _public_definitions(
    body: list[ast.stmt], owner: ast.ClassDef | None = None
) -> Iterator[tuple[ast.ClassDef | None, Definition]]:
    for node in body:
        if isinstance(node, (*Function, ast.ClassDef)):
            if node.name.startswith("_"):
                continue
            yield owner, node
            if isinstance(node, ast.ClassDef):
                yield from _public_definitions(node.body, node)
        elif isinstance(node, (ast.If, ast.Try, ast.With)):
            handlers = [part for handler in getattr(node, "handlers", []) for part in handler.body]
            parts = node.body + handlers + getattr(node, "orelse", []) + getattr(node, "finalbody", [])
            yield from _public_definitions(parts, owner)


def _needs_no_docstring(node: Definition) -> bool:
    """An overload, or the setter and deleter of a property, says nothing that the first one did not."""
    return any(
        (getattr(part, "attr", None) or getattr(part, "id", "")) in {"overload", "setter", "deleter"}
        for part in node.decorator_list
    )


def _documented_by_a_base(house: House, source: Source, cls: ast.ClassDef, name: str, seen: set[str]) -> bool:
    """A base class, in this file, in another or outside of the house, documents the method already."""
    for base in cls.bases:
        dotted = ast.unparse(base.value if isinstance(base, ast.Subscript) else base)
        if f"{source.module}:{dotted}" in seen:
            continue
        seen.add(f"{source.module}:{dotted}")
        found = _find_class(house, source, dotted)
        if isinstance(found, tuple):
            methods = [node for owner, node in _public_definitions([found[1]]) if owner and node.name == name]
            if any(map(ast.get_docstring, methods)) or _documented_by_a_base(house, *found, name, seen):
                return True
        elif (method := getattr(found, name, None)) is not None and method.__doc__:
            return True
    return False


def _find_class(house: House, source: Source, dotted: str) -> tuple[Source, ast.ClassDef] | object | None:
    """What `dotted` means in the file: (file, class) of this house, or a class of another package."""
    first, _, rest = dotted.partition(".")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef) and node.name == dotted:
            return source, node
        for alias in node.names if isinstance(node, (ast.Import, ast.ImportFrom)) else ():
            if isinstance(node, ast.ImportFrom) and (alias.asname or alias.name) == first:
                return _follow(house, source.origin(node), ".".join(filter(None, [alias.name, rest])))
            if isinstance(node, ast.Import) and (alias.asname or alias.name.partition(".")[0]) == first:
                return _follow(house, alias.name if alias.asname else first, rest)
    return _follow(house, "builtins", dotted)


def _follow(house: House, module: str, dotted: str) -> tuple[Source, ast.ClassDef] | object | None:
    first, _, rest = dotted.partition(".")
    if f"{module}.{first}" in house.sources:
        return _find_class(house, house.sources[f"{module}.{first}"], rest)
    if module in house.sources:
        return _find_class(house, house.sources[module], dotted)
    try:
        found: object = importlib.import_module(module)
    except ImportError:
        return None
    for part in dotted.split("."):
        found = getattr(found, part, None)
    return found


RULES = [crossing_underscores, long_files, grab_bags, patterns_outside_grammar, undocumented_names]
DOC = '"""Said."""\n'
METHOD = "    def run(self): pass"
BREACHES: list[tuple[Callable[[House], list[str]], dict[str, str], str]] = [
    (
        crossing_underscores,
        {"web/a.py": "def f(request):\n    request._finish()"},
        "a.py:2: reaches for _finish",
    ),
    (crossing_underscores, {"web/a.py": "def f(request):\n    request._task = None"}, "_task"),
    (
        crossing_underscores,
        {"web/a.py": "class A:\n  def f(self):\n    return self.writer._buffer"},
        "_buffer",
    ),
    (crossing_underscores, {"web/a.py": "getattr(thing, '_hidden')"}, "_hidden"),
    (crossing_underscores, {"web/a.py": "from aioweb.web.b import _hidden"}, "imports _hidden"),
    (crossing_underscores, {"web/a.py": "from aioweb.protocol import _head"}, "imports _head"),
    (crossing_underscores, {"web/a.py": "import asyncio._secret"}, "asyncio._secret"),
    (long_files, {"web/a.py": "\n" * 501}, "501 lines"),
    (long_files, {"../tests/web/test_a.py": "\n" * 501}, "501 lines"),
    (long_files, {"../benchmarks/macro/a.py": "\n" * 501}, "501 lines"),
    (grab_bags, {"web/utils.py": ""}, "web/utils.py"),
    (grab_bags, {"server/helpers/a.py": ""}, "server/helpers"),
    (patterns_outside_grammar, {"protocol/head.py": "import re\nDIGITS = re.compile('[0-9]')"}, "head.py:1"),
    (patterns_outside_grammar, {"protocol/head.py": "from re import compile"}, "head.py:1"),
    (
        patterns_outside_grammar,
        {"protocol/websocket/handshake.py": "def f():\n    import re"},
        "handshake.py:2",
    ),
    (undocumented_names, {"web/a.py": "X = 1"}, "the module"),
    (undocumented_names, {"web/a.py": f"{DOC}class A: pass"}, "a.py:2: A has no"),
    (undocumented_names, {"web/a.py": f"{DOC}def f(): pass"}, "f has no"),
    (undocumented_names, {"web/a.py": f"{DOC}if True:\n    async def f(): pass"}, "f has no"),
    (undocumented_names, {"web/a.py": f"{DOC}class A:\n    {DOC}    @property\n{METHOD}"}, "A.run has no"),
    (undocumented_names, {"web/a.py": f"{DOC}class A(dict):\n    {DOC}{METHOD}"}, "A.run has no"),
    (undocumented_names, {"web/a.py": f"{DOC}class A(Unknown):\n    {DOC}{METHOD}"}, "A.run has no"),
]
LEGAL = {
    "__init__.py": f"{DOC}from aioweb._version import __version__",
    "_version.py": DOC,
    "protocol/grammar.py": f"{DOC}import re\nTOKEN = re.compile('x')",
    "protocol/fields.py": f"{DOC}import re\nDATE = re.compile('x')",
    "protocol/head.py": f"{DOC}from aioweb.protocol import _head",
    "protocol/__init__.py": f"{DOC}from .base import Base",
    "protocol/base.py": f"{DOC}class Base:\n    {DOC}    def run(self):\n        {DOC}",
    "web/a.py": f"""{DOC}
import asyncio, collections.abc, sys
from typing import overload
import aioweb.protocol
from aioweb.protocol.base import Base
from aioweb.protocol import Base as Face

class A(Base):
    {DOC}
    __slots__ = ("_slot",)
{METHOD}
    def other(self, twin):
        {DOC}
        self._mine = super()._theirs
        return twin._mine, twin._slot, self._inherited, twin.__dict__, twin._replace(), A._own
        sys._getframe()

class B(A):
    {DOC}
    @property
    def value(self):
        {DOC}
    @value.setter
    def value(self, value): pass
{METHOD}

class C(Face, aioweb.protocol.Base):
    {DOC}
{METHOD}

class D(asyncio.Protocol, collections.abc.Mapping[str, str]):
    {DOC}
    def data_received(self, data): pass
    def get(self, key): pass

class _Private:
{METHOD}

@overload
def f(x: int): ...
def f(x):
    {DOC}
    def inner(): pass
""",
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_has_the_habit(rule: Callable[[House], list[str]], house: House) -> None:
    assert "\n".join(rule(house)) == ""


@pytest.mark.parametrize(
    ("rule", "files", "said"),
    BREACHES,
    ids=lambda part: getattr(part, "__name__", "") if callable(part) else "",
)
def test_a_breach_is_seen(rule, files, said, build) -> None:
    assert said in "\n".join(rule(build(files)))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_legal_house_has_no_breach(rule, build) -> None:
    assert rule(build(LEGAL)) == []


def test_every_rule_has_a_breach_that_shows_it() -> None:
    assert {rule for rule, _, _ in BREACHES} == set(RULES)


def test_every_exception_from_the_grammar_has_its_reason() -> None:
    assert all(len(reason.split()) > 4 for reason in PATTERNS_ALLOWED.values())
