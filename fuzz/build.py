"""Builds of the twins for searching: they tell their ways to the fuzzer, or watch every access to memory.

`use(folder)` puts such a build in the place of the installed one; call it before aioweb is imported.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
COMPILER = os.environ.get("CC", "gcc")
FLAGS = {
    "traced": ["-O1", "-g", "-fsanitize-coverage=trace-pc,trace-cmp"],
    "sanitized": ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"],
    "counted": ["-O0", "--coverage"],
}


class CannotBuild(Exception):
    """There is no such compiler, or it fails; the message says how."""


def build(kind: str, folder: pathlib.Path, root: pathlib.Path = ROOT) -> pathlib.Path:
    """Build every twin in `folder`, in a folder of its own that is returned.

    Args:
        kind: "traced" for the fuzzer, "sanitized" for Address- and UndefinedBehaviorSanitizer, "counted" for gcov.
        folder: where to.
        root: the project, whose sources are built.

    Raises CannotBuild.
    """
    target = folder / kind
    target.mkdir(parents=True, exist_ok=True)
    options = ["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", f"-I{sysconfig.get_path('include')}", *FLAGS[kind]]
    for source in sorted((root / "aioweb").rglob("_*.c")):
        module = ".".join(source.relative_to(root).with_suffix("").parts)
        sources = [str(source)]
        if kind == "traced":
            _run(COMPILER, "-c", "-fPIC", "-O1", str(HERE / "coverage.c"), "-o", str(target / "coverage.o"))
            sources.append(str(target / "coverage.o"))
        _run(COMPILER, *options, *sources, "-o", str(target / f"{module}.so"), cwd=target)
    return target


def use(folder: pathlib.Path) -> None:
    """Whoever imports a twin from now on gets the one that was built in this folder."""

    class Finder:
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
            built = folder / f"{name}.so"
            return importlib.util.spec_from_file_location(name, built) if built.exists() else None

    sys.meta_path.insert(0, Finder)  # type: ignore[arg-type]


def sanitizer_libraries() -> str:
    """What has to be loaded before Python is, for a sanitized twin: the value of LD_PRELOAD."""
    names = ("libasan.so", "libubsan.so")
    found = [subprocess.run([COMPILER, f"-print-file-name={name}"], capture_output=True, text=True) for name in names]
    return ":".join(done.stdout.strip() for done in found)


def has_compiler() -> bool:
    """There is a compiler, and Python's headers."""
    return bool(shutil.which(COMPILER)) and (pathlib.Path(sysconfig.get_path("include")) / "Python.h").exists()


def _run(*command: str, cwd: pathlib.Path | None = None) -> None:
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    except OSError as error:
        raise CannotBuild(str(error)) from None
    if done.returncode:
        raise CannotBuild(f"`{' '.join(command)}`: {done.stderr.strip()}")
