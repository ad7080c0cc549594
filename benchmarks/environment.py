"""Where benchmarks run: a virtual environment of their own, and the facts that make figures comparable later.

The environment is made once and reused. It is made anew when the pinned requirements, the packaging of aioweb, a C
source or the Python change, so that no stale extension is ever measured. Standard library only.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import platform
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
VENV = HERE / ".venv"
PYTHON = VENV / "bin" / "python"
REQUIREMENTS = HERE / "requirements.txt"
RESULTS = HERE / "results"

_STAMP = VENV / ".installed"


class EnvironmentFailed(Exception):
    """The environment cannot be made; the message says which command failed and how."""


def ensure() -> pathlib.Path:
    """Make benchmarks/.venv if it is missing or outdated.

    Returns: the path of its interpreter.

    Raises EnvironmentFailed if aioweb or the environment itself cannot be installed. A peer that cannot be installed is
    no failure here: its row in the table says that it did not start.
    """
    wanted = _fingerprint()
    if not (_STAMP.exists() and _STAMP.read_text("utf-8") == wanted):
        print(f"making {VENV} ...", file=sys.stderr)
        _run(sys.executable, "-m", "venv", "--clear", str(VENV))
        _install_peers()
        _pip("install", "--editable", str(ROOT))
        _STAMP.write_text(wanted, "utf-8")
    return PYTHON


def _fingerprint() -> str:
    sources = [REQUIREMENTS, ROOT / "setup.py", *sorted((ROOT / "aioweb").rglob("*.c"))]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    return f"{platform.python_version()} {digest}\n"


def _install_peers() -> None:
    """Install the peers at once; if one has no wheel here, one by one, so that the others are there."""
    try:
        _pip("install", "--requirement", str(REQUIREMENTS))
    except EnvironmentFailed:
        for pin in requirements():
            try:
                _pip("install", pin)
            except EnvironmentFailed as exc:
                print(f"left out: {pin} ({exc})", file=sys.stderr)


def requirements() -> list[str]:
    """The pins of requirements.txt, without comments."""
    lines = (line.partition("#")[0].strip() for line in REQUIREMENTS.read_text("utf-8").splitlines())
    return [line for line in lines if line]


def _pip(*arguments: str) -> None:
    _run(str(PYTHON), "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments)


def _run(*command: str) -> None:
    # The twins in C are always built; AIOWEB_NO_EXTENSIONS=1 keeps the servers that are measured from using them.
    environment = {name: value for name, value in os.environ.items() if name != "AIOWEB_NO_EXTENSIONS"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise EnvironmentFailed(f"`{' '.join(command)}` failed: {said[-1]}")


def variables() -> dict[str, str]:
    """The environment variables of a server: ours, but Python may keep what it has compiled."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def versions() -> dict[str, str]:
    """The version of every package in the environment, and of its Python."""
    listed = subprocess.run(
        [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "list", "--format", "json"],
        capture_output=True,
        text=True,
        check=True,
    )
    packages = {package["name"]: package["version"] for package in json.loads(listed.stdout)}
    return {"python": platform.python_version(), **dict(sorted(packages.items()))}


def machine() -> dict[str, object]:
    """What the figures were measured on. `load` tells how much else was running when the run began."""
    return {
        "cpu": _first_value("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory": _first_value("/proc/meminfo", "MemTotal"),
        "system": platform.platform(),
        "python_compiler": platform.python_compiler(),
        "load": os.getloadavg()[0],
    }


def _first_value(path: str, key: str) -> str:
    for line in pathlib.Path(path).read_text("utf-8", "replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return "unknown"


def extensions() -> list[str]:
    """The compiled extensions of aioweb that are in use, by module name; empty for aioweb in Python only."""
    if os.environ.get("AIOWEB_NO_EXTENSIONS") == "1":
        return []
    return sorted({path.name.partition(".")[0] for path in (ROOT / "aioweb").rglob("*.so")})


def commit() -> str:
    """The short commit of the tree, with `-dirty` if aioweb or the benchmarks differ from it."""
    name = _git("rev-parse", "--short", "HEAD") or "unknown"
    changed = _git("status", "--porcelain", "--", "aioweb", "benchmarks", "setup.py", ":!benchmarks/results")
    return f"{name}-dirty" if changed else name


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.strip()
