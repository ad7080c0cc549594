"""Imports go down only: DESIGN.md, "The house".

    web -> server -> protocol   a floor imports its own earlier files and the floors below, for types too
    _version hdrs log           what every floor may stand on (protocol without log, for it does not log)
    wings                       asgi, testing ...: they import the face of the house, nobody imports them

The lists below are the plan; a new file is added to ORDER at the place after everything that it imports.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import House, Import


def words(text: str) -> list[str]:
    return text.split()


FLOORS = ("protocol", "server", "web")
ORDER = {
    "protocol": words("""
        twins errors limits grammar events head framing body encode state connection auth dates mediatypes
        disposition forwarded proxyprotocol fields coding conditional cookies multipart
        websocket.mask websocket.frames websocket.deflate
        websocket.handshake websocket.messages websocket.connection
    """),
    "server": words("""
        observe memory flow sendfile tunnel clock accessformat accesslines access stream intake progress decoding
        masking failurereport debugpage errorpage channel writer wsevents outbox slowpeers pings websocket
        phase contract failures connection admission heap server networks proxied activation unixsocket sites
    """),
    "web": words("""
        signals state tasks contexts compat fieldview bodies responsehead compression streamresponse response
        eventsource exceptions text filetypes partcodings parts partwriter forms forwarded requesthead request
        timelimit blocking detached views paths routerules routes domains openfile fileresponse accel resources
        folder static routedef routeindex routeadder router middlewares requestids wsmessage wshandshake wsoptions
        websocket handler errorhandlers application runner
    """),
}
FOUNDATION = {"_version", "hdrs", "log"}
WINGS = words("cli worker asgi wsgi testing templates sessions toolbar signals settings schemas induction flask")
# Peers that a wing stands on: the test client is one of httpx, and its WebSockets are those of wsproto.
PEERS_OF_WINGS = {("wing", "testing"): {"httpx", "wsproto"}}
WING_ON_WING = {("toolbar", "templates"), ("induction", "templates"), ("flask", "templates"), ("__main__", "cli")}
DOORS = {"", "__main__"}

PACKAGES = {
    # coding.py looks for zstd and brotli; compression.zstd is the standard library's from Python 3.14 on.
    "protocol": {"attrs", "multidict", "brotli", "backports", "compression"},
    "server": {"attrs", "multidict"},
    "web": {"attrs", "multidict", "yarl"},
    "foundation": {"multidict"},
}
# The ground is sans-I/O: bytes in, events out; no clock, no thread, no loop, no log.
FORBIDDEN_IN_PROTOCOL = words("asyncio socket ssl threading _thread time selectors select logging")
PEERS = words("""
    aiohttp blacksheep bottle daphne django falcon fastapi flask gevent granian h11 h2 httptools httpx
    hypercorn quart robyn sanic socketify starlette tornado twisted uvicorn waitress websockets werkzeug wsproto
""")


def place(module: str) -> tuple[str, str]:
    """(part, file): ("web", "request"), ("web", "") for the face, ("foundation", "log"), ("wing", "asgi")."""
    first, _, rest = module.partition(".")[2].partition(".")
    if first in FLOORS:
        return first, rest
    if first in DOORS:
        return "door", first
    if first in WINGS:
        return "wing", first
    return ("foundation" if first in FOUNDATION else "unknown"), first


def is_face(floor: str, file: str) -> bool:
    return not file or any(listed.startswith(file + ".") for listed in ORDER[floor])


def is_twin(importer: str, target: str) -> bool:
    """aioweb.protocol.head may look for aioweb.protocol._head, its twin in C."""
    return target == "._".join(importer.rsplit(".", 1))


def aioweb_imports(house: House) -> list[tuple[str, str, Import]]:
    """(importer, imported, import) within the package, C twins left out."""
    return [
        (source.module, found.module, found)
        for source, found in house.all_imports()
        if found.package == "aioweb"
        and not is_twin(source.module, found.module)
        and not is_twin(source.module, f"{found.module}.{found.name}")
    ]


def climbing_imports(house: House) -> list[str]:
    """web -> server -> protocol -> foundation, and never the door."""
    violations = []
    for importer, target, found in aioweb_imports(house):
        (here, _), (there, file) = place(importer), place(target)
        if here == "foundation":
            violations.append(f"{found.where}: {importer} is foundation and imports {target}")
        elif here not in FLOORS or there == "wing":
            continue
        elif there == "foundation":
            if here == "protocol" and file == "log":
                violations.append(f"{found.where}: the ground does not log, but imports {target}")
        elif there not in FLOORS:
            violations.append(f"{found.where}: {importer} imports {target}, which is no floor below it")
        elif FLOORS.index(there) > FLOORS.index(here):
            violations.append(f"{found.where}: {importer} imports {target}, a floor above")
    return violations


def disordered_imports(house: House) -> list[str]:
    """Within a floor only an earlier file is imported, and never the own face."""
    violations = []
    for importer, target, found in aioweb_imports(house):
        (here, mine), (there, other) = place(importer), place(target)
        if here != there or here not in FLOORS or is_face(here, mine):
            continue
        order = ORDER[here]
        if is_face(here, other):
            violations.append(f"{found.where}: {importer} imports its own face {target}; name the file")
        elif mine in order and other in order and order.index(other) >= order.index(mine):
            violations.append(f"{found.where}: {importer} imports {target}, a later file of its floor")
    return violations


def unlisted_files(house: House) -> list[str]:
    """Every file has its place in the lists at the top of this file."""
    violations = []
    for source in house.sources.values():
        part, file = place(source.module)
        if part == "unknown":
            violations.append(
                f"{source.path}: neither a floor nor foundation, door or wing; add {file!r} to"
                " FOUNDATION or WINGS in tests/architecture/test_floors.py, or move it"
            )
        elif part in FLOORS and not is_face(part, file) and file not in ORDER[part]:
            violations.append(
                f"{source.path}: has no place; add {file!r} to ORDER[{part!r}] at the top of"
                " tests/architecture/test_floors.py, after every file that it imports"
            )
    return violations


def foreign_packages(house: House) -> list[str]:
    """A floor imports the standard library and its listed packages; the ground only what does no I/O."""
    violations = []
    for source, found in house.all_imports():
        part, _ = place(source.module)
        if found.package == "aioweb" or part not in PACKAGES:
            continue
        if found.package in sys.stdlib_module_names:
            if part == "protocol" and found.package in FORBIDDEN_IN_PROTOCOL:
                violations.append(f"{found.where}: the ground is sans-I/O and imports no {found.package}")
        elif found.package not in PACKAGES[part]:
            violations.append(f"{found.where}: {part} imports {found.package}, a package that is not its own")
    return violations


def wing_imports(house: House) -> list[str]:
    """Nobody imports a wing; a wing sees the house through its doors and the face of web."""
    violations = []
    for importer, target, found in aioweb_imports(house):
        (here, mine), (there, other) = place(importer), place(target)
        if there == "wing" and (here != "wing" or mine != other) and (mine, other) not in WING_ON_WING:
            violations.append(f"{found.where}: {importer} imports the wing {target}")
        elif here == "wing" and there in FLOORS and target != "aioweb.web":
            violations.append(f"{found.where}: the wing {importer} goes behind the face of web, to {target}")
    return violations


def peer_imports(house: House) -> list[str]:
    """aioweb stands alone: no server, framework or parser of others below it."""
    return [
        f"{found.where}: imports {found.package}, a peer"
        for source, found in house.all_imports()
        if found.package in PEERS and found.package not in PEERS_OF_WINGS.get(place(source.module), ())
    ]


def import_cycles(house: House) -> list[str]:
    """No file is, over any number of steps, imported by what it imports."""
    graph: dict[str, set[str]] = {module: set() for module in house.sources}
    for importer, target, _ in aioweb_imports(house):
        if target in graph and target != importer:
            graph[importer].add(target)
    done: set[str] = set()
    cycles: list[str] = []

    def visit(module: str, path: list[str]) -> None:
        if module in path:
            cycles.append("cycle: " + " -> ".join([*path[path.index(module) :], module]))
        elif module not in done:
            for target in sorted(graph[module]):
                visit(target, [*path, module])
            done.add(module)

    for module in sorted(graph):
        visit(module, [])
    return cycles


RULES = [
    climbing_imports,
    disordered_imports,
    unlisted_files,
    foreign_packages,
    wing_imports,
    peer_imports,
    import_cycles,
]
BREACHES: list[tuple[Callable[[House], list[str]], dict[str, str], str]] = [
    (climbing_imports, {"protocol/head.py": "from aioweb.server.flow import DRAINED"}, "a floor above"),
    (climbing_imports, {"server/writer.py": "def f():\n    import aioweb.web.request"}, "writer.py:2"),
    (
        climbing_imports,
        {"server/writer.py": "if TYPE_CHECKING:\n    from ..web import Request"},
        "aioweb.web,",
    ),
    (climbing_imports, {"web/request.py": "import importlib\nimportlib.import_module('aioweb')"}, "no floor"),
    (climbing_imports, {"server/__init__.py": "from aioweb.web import Request"}, "a floor above"),
    (climbing_imports, {"protocol/head.py": "from aioweb.log import server_logger"}, "does not log"),
    (climbing_imports, {"protocol/head.py": "from aioweb import log", "log.py": ""}, "does not log"),
    (climbing_imports, {"hdrs.py": "from aioweb.protocol import grammar"}, "is foundation"),
    (disordered_imports, {"web/response.py": "from aioweb.web.request import Request"}, "a later file"),
    (disordered_imports, {"web/response.py": "from .request import Request"}, "a later file"),
    (disordered_imports, {"web/response.py": "from . import request", "web/request.py": ""}, "a later file"),
    (disordered_imports, {"web/views.py": "from aioweb.web import Response"}, "its own face"),
    (disordered_imports, {"protocol/head.py": "from .websocket import frames"}, "its own face"),
    (disordered_imports, {"protocol/websocket/frames.py": "from .connection import x"}, "a later file"),
    (unlisted_files, {"web/extras.py": ""}, "add 'extras' to ORDER['web']"),
    (unlisted_files, {"protocol/websocket/extras.py": ""}, "add 'websocket.extras' to ORDER['protocol']"),
    (unlisted_files, {"extras.py": ""}, "add 'extras' to FOUNDATION or WINGS"),
    *((foreign_packages, {"protocol/body.py": f"import {name}"}, name) for name in FORBIDDEN_IN_PROTOCOL),
    (foreign_packages, {"protocol/body.py": "from asyncio.streams import x"}, "asyncio"),
    (foreign_packages, {"protocol/body.py": "from yarl import URL"}, "imports yarl"),
    (foreign_packages, {"server/sites.py": "from yarl import URL"}, "imports yarl"),
    (foreign_packages, {"web/views.py": "import attr"}, "imports attr,"),
    (foreign_packages, {"log.py": "import attrs"}, "imports attrs"),
    *((wing_imports, {"web/views.py": f"from aioweb.{wing} import x"}, f"aioweb.{wing}") for wing in WINGS),
    (wing_imports, {"__init__.py": "from aioweb import asgi", "asgi.py": ""}, "imports the wing"),
    (wing_imports, {"sessions/redis.py": "from aioweb.templates import render"}, "imports the wing"),
    (wing_imports, {"asgi.py": "from aioweb.server.writer import StreamWriter"}, "behind the face"),
    *((peer_imports, {"asgi.py": f"import {peer}.x"}, f"imports {peer}") for peer in PEERS),
    (peer_imports, {"web/testing.py": "import httpx"}, "imports httpx"),
    (peer_imports, {"testing/client.py": "import httpx, aiohttp"}, "imports aiohttp"),
    (
        import_cycles,
        {"web/views.py": "from . import static", "web/static.py": "import aioweb.web.views"},
        "static",
    ),
    (
        import_cycles,
        {"web/__init__.py": "from .views import a", "web/views.py": "from . import a"},
        "web.views",
    ),
]
LEGAL = {
    "__init__.py": "from aioweb._version import __version__\nfrom aioweb import web",
    "__main__.py": "from aioweb.web import run_app",
    "_version.py": "",
    "hdrs.py": "from multidict import istr",
    "log.py": "import logging",
    "protocol/__init__.py": "from aioweb.protocol.head import parse\nfrom .websocket import frames",
    "protocol/events.py": "import attrs, re, enum\nfrom multidict import CIMultiDict\nfrom .errors import x",
    "protocol/head.py": "try:\n    from aioweb.protocol._head import parse\nexcept ImportError:\n    pass",
    "protocol/websocket/__init__.py": "from aioweb.protocol.websocket.frames import Frame",
    "protocol/websocket/frames.py": "from aioweb.protocol.errors import ProtocolError\nfrom . import _frames",
    "server/writer.py": "import asyncio\nfrom aioweb.protocol import events\nfrom aioweb import log, hdrs",
    "web/__init__.py": "from .request import Request\nfrom aioweb.protocol import events",
    "web/request.py": "import yarl\nfrom aioweb.server import writer\nfrom .response import Response",
    "testing/__init__.py": "from aioweb import web\nfrom .client import Client",
    "testing/client.py": "import httpx, pytest\nfrom aioweb.web import Application",
    "toolbar/panels.py": "from aioweb.templates import render",
    "templates.py": "import jinja2",
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_obeys(rule: Callable[[House], list[str]], house: House) -> None:
    assert "\n".join(rule(house)) == ""


@pytest.mark.parametrize(
    ("rule", "files", "said"),
    BREACHES,
    ids=lambda part: getattr(part, "__name__", "") if callable(part) else "",
)
def test_a_breach_is_seen(rule, files, said, build) -> None:
    violations = rule(build(files))
    assert said in "\n".join(violations)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_legal_house_has_no_breach(rule, build) -> None:
    assert rule(build(LEGAL)) == []


def test_every_rule_has_a_breach_that_shows_it() -> None:
    assert {rule for rule, _, _ in BREACHES} == set(RULES)


def test_the_lists_name_nothing_twice() -> None:
    for files in ORDER.values():
        assert len(files) == len(set(files))
    assert not FOUNDATION & set(WINGS)
