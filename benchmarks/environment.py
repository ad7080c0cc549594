"""Where benchmarks run: virtual environments of their own, and the facts that make figures comparable later.

Each Python has its environment, benchmarks/.venv/3.11 and the like, made once and reused. It is made anew when the
pinned requirements or the Python change; aioweb is installed anew when its packaging or a C source does, so that no
stale extension is ever measured. Standard library only.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
from typing import Any

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
VENVS = HERE / ".venv"
REQUIREMENTS = HERE / "requirements.txt"
RESULTS = HERE / "results"

_FACTS = """\
import importlib.metadata, json, platform, sysconfig
packages = {found.metadata["Name"]: found.version for found in importlib.metadata.distributions()}
print(json.dumps({
    "python": platform.python_version(), "compiler": platform.python_compiler(),
    "suffix": sysconfig.get_config_var("EXT_SUFFIX"), "packages": packages,
}))
"""


class EnvironmentFailed(Exception):
    """The environment cannot be made; the message says which command failed and how."""


def ensure(wanted: str = "") -> pathlib.Path:
    """Make the environment of a Python if it is missing or outdated.

    Args:
        wanted: a version ("3.13"), which is looked for on the path and in pyenv, or the path of an interpreter; by
            default the one that runs this.

    Returns: the path of the environment's interpreter.

    Raises EnvironmentFailed if there is no such Python, or aioweb or the environment itself cannot be installed. A peer
    that cannot be installed is no failure here: `left_out` names it, and its row in the table says so.
    """
    base, version = _find(wanted)
    venv = VENVS / version.rpartition(".")[0]
    python = venv / "bin" / "python"
    peers = f"{version} {_digest([REQUIREMENTS])}\n"
    ours = _digest([ROOT / "setup.py", *sorted((ROOT / "aioweb").rglob("*.c"))])
    if _read(venv / ".peers") != peers:
        print(f"making {venv} ...", file=sys.stderr)
        _run(base, "-m", "venv", "--clear", str(venv))
        (venv / ".left-out").write_text("".join(f"{line}\n" for line in _install_peers(python)), "utf-8")
        (venv / ".peers").write_text(peers, "utf-8")
    if _read(venv / ".aioweb") != ours:
        print(f"installing aioweb into {venv} ...", file=sys.stderr)
        _pip(python, "install", "--editable", str(ROOT))
        (venv / ".aioweb").write_text(ours, "utf-8")
    return python


def left_out(python: pathlib.Path) -> list[str]:
    """The pins that could not be installed into the environment of this interpreter, each with the reason."""
    return _read(python.parent.parent / ".left-out").splitlines()


def _find(wanted: str) -> tuple[str, str]:
    """An interpreter that runs, and its version."""
    if not wanted:
        return sys.executable, platform.python_version()
    pyenv = pathlib.Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    candidates = [shutil.which(wanted), shutil.which(f"python{wanted}"), *pyenv.glob(f"{wanted}*/bin/python")]
    for candidate in map(str, filter(None, candidates)):
        code = "import platform; print(platform.python_version())"
        done = subprocess.run([candidate, "-c", code], capture_output=True, text=True)
        if done.returncode == 0:
            return candidate, done.stdout.strip()
    raise EnvironmentFailed(f"no Python {wanted!r} is installed here")


def _digest(sources: list[pathlib.Path]) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


def _read(path: pathlib.Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


def _install_peers(python: pathlib.Path) -> list[str]:
    """Install the peers at once; if one has no wheel here, one by one, so that the others are there.

    Returns: those that are not, and why.
    """
    missing = []
    try:
        _pip(python, "install", "--requirement", str(REQUIREMENTS))
    except EnvironmentFailed:
        for pin in requirements():
            try:
                _pip(python, "install", pin)
            except EnvironmentFailed as exc:
                missing.append(f"{pin}: {str(exc).rpartition('failed: ')[2]}")
    return missing


def requirements() -> list[str]:
    """The pins of requirements.txt, without comments."""
    lines = (line.partition("#")[0].strip() for line in REQUIREMENTS.read_text("utf-8").splitlines())
    return [line for line in lines if line]


def _pip(python: pathlib.Path, *arguments: str) -> None:
    _run(str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments)


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


def versions(python: pathlib.Path) -> dict[str, str]:
    """The version of this interpreter, and of every package in its environment."""
    facts = _facts(python)
    return {"python": facts["python"], **dict(sorted(facts["packages"].items()))}


def extensions(python: pathlib.Path) -> list[str]:
    """The compiled extensions of aioweb that this interpreter uses, by module name; empty if it is told to use none."""
    if os.environ.get("AIOWEB_NO_EXTENSIONS") == "1":
        return []
    suffix = _facts(python)["suffix"]
    return sorted({path.name.removesuffix(suffix) for path in (ROOT / "aioweb").rglob(f"*{suffix}")})


@functools.cache
def _facts(python: pathlib.Path) -> dict[str, Any]:
    done = subprocess.run([str(python), "-c", _FACTS], capture_output=True, text=True, check=True)
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def machine(python: pathlib.Path = pathlib.Path(sys.executable)) -> dict[str, object]:
    """What the figures were measured on. `load` tells how much else was running when the run began."""
    return {
        "cpu": _first_value("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory": _first_value("/proc/meminfo", "MemTotal"),
        "system": platform.platform(),
        "python_compiler": _facts(python)["compiler"],
        "load": os.getloadavg()[0],
    }


def _first_value(path: str, key: str) -> str:
    for line in pathlib.Path(path).read_text("utf-8", "replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return "unknown"


def commit(tree: pathlib.Path = ROOT) -> str:
    """The short commit of a checkout, with `-dirty` if aioweb or the benchmarks differ from it."""
    name = _git(tree, "rev-parse", "--short", "HEAD") or "unknown"
    paths = ["aioweb", "benchmarks", "setup.py", ":!benchmarks/results", ":!benchmarks/words"]
    return f"{name}-dirty" if _git(tree, "status", "--porcelain", "--", *paths) else name


def committed(name: str) -> int:
    """When a commit (as `commit` names it) was made, in seconds since the epoch; 0 if it is not known here."""
    return int(_git(ROOT, "show", "-s", "--format=%ct", name.removesuffix("-dirty")) or 0)


def _git(tree: pathlib.Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(tree), *arguments], capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.strip()
