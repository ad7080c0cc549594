"""The documentation builds without a warning, and its reference leaves no public name out.

The pages are built once, by the command that `make docs` runs; what they hold is read from Sphinx's inventory.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys
from html import unescape
from pathlib import Path

import attrs
import pytest

import aioweb
from aioweb.protocol.limits import Limits

pytest.importorskip("sphinx", reason="Sphinx is installed from Python 3.11 on")
pytest.importorskip("myst_parser")

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ("aioweb.protocol", "aioweb.server", "aioweb.testing")
ROOF = "aioweb.web"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built pages."""
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", str(target / "trees")]
    done = subprocess.run([*command, str(ROOT / "docs"), str(target)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture(scope="module")
def documented(site: Path) -> set[str]:
    """Every Python name that has an entry."""
    from sphinx.util.inventory import InventoryFile

    inventory = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="")
    return {name for kind, names in inventory.data.items() if kind.startswith("py:") for name in names}


def forgotten(names: set[str], documented: set[str]) -> list[str]:
    return sorted(names - documented)


def names_of_floor(package: str) -> set[str]:
    """The public classes and functions of the modules of a floor, by the module that defines them."""
    found = set()
    for info in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        if "._" in info.name:
            continue
        for name, value in vars(importlib.import_module(info.name)).items():
            is_ours = getattr(value, "__module__", None) == info.name
            if is_ours and not name.startswith("_") and (inspect.isclass(value) or inspect.isroutine(value)):
                found.add(f"{info.name}.{name}")
    return found


def exported_by_roof() -> dict[str, object]:
    face = importlib.import_module(ROOF)
    return {name: getattr(face, name) for name in getattr(face, "__all__", ())}


@pytest.mark.parametrize("package", FLOORS)
def test_every_public_name_of_a_floor_has_its_entry(package: str, documented: set[str]) -> None:
    assert forgotten(names_of_floor(package), documented) == []


def test_every_public_name_of_the_roof_has_its_entry(documented: set[str]) -> None:
    """There, or where it comes from: `web.ETag` is shown in aioweb.protocol.fields."""
    public = exported_by_roof()
    shown = {entry.removeprefix(f"{ROOF}.") for entry in documented if entry.startswith(f"{ROOF}.")}
    for entry in documented:
        module, _, name = entry.rpartition(".")
        if name in public and module in sys.modules and getattr(sys.modules[module], name) is public[name]:
            shown.add(name)
    assert forgotten({name for name, value in public.items() if not inspect.ismodule(value)}, shown) == []


def test_a_public_method_has_its_entry(documented: set[str]) -> None:
    assert "aioweb.protocol.events.FieldSection.headers" in documented


def test_a_forgotten_name_is_seen(documented: set[str]) -> None:
    assert forgotten({"aioweb.web.Forgotten"}, documented) == ["aioweb.web.Forgotten"]


def test_the_table_of_limits_has_every_limit_and_its_default(site: Path) -> None:
    page = unescape((site / "reference/limits.html").read_text("utf-8"))
    for limit in attrs.fields(Limits):
        row = page.partition(f">{limit.name}</span>")[2].partition("</tr>")[0]
        assert f">{limit.default!r}</span>" in row, limit.name


def test_the_pages_name_the_version(site: Path) -> None:
    assert f"aioweb {aioweb.__version__}" in (site / "index.html").read_text("utf-8")
