"""The fuzzers: their targets hold for all seeds, they search for a minute in CI, and what is wrong does not escape."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from fuzz.build import ROOT, has_compiler
from fuzz.seeds import seeds
from fuzz.targets import TARGETS
from tests.data.fuzzed import FUZZED
from tests.protocol.tongues import HEAD

IN_CI = os.environ.get("CI") == "true"


def need(present: object, what: str) -> None:
    """Skip without it; in CI fail."""
    if not present and IN_CI:
        pytest.fail(f"needs {what}")
    if not present:
        pytest.skip(f"needs {what}")


@pytest.fixture
def twins() -> None:
    HEAD.spoken("C")


@pytest.fixture
def compiler() -> None:
    need(has_compiler(), "a C compiler and Python.h")


@pytest.fixture
def fuzzer(twins: None) -> None:
    need(importlib.util.find_spec("atheris"), "atheris, which Python 3.10 and 3.14 do not have")


def run(module: str, *arguments: object, patience: float = 60) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", timeout=patience)


@pytest.mark.usefixtures("twins")
@pytest.mark.parametrize("name", TARGETS)
def test_every_seed_and_everything_found_before_holds(name: str) -> None:
    inputs = seeds(name)
    assert len(inputs) >= 3
    for data in [b"", b"\0", b"\0\0\0\0", *inputs]:
        TARGETS[name](data)


def test_what_was_found_belongs_to_a_target() -> None:
    assert FUZZED.keys() <= TARGETS.keys()


@pytest.mark.usefixtures("fuzzer")
def test_the_fuzzers_find_nothing(tmp_path: Path) -> None:
    """A minute over all targets in CI, two seconds over one of them elsewhere; `make fuzz` takes an hour."""
    wanted = ["--seconds", 60] if IN_CI else ["head", "--seconds", 2]
    done = run("fuzz", *wanted, "--jobs", 2, "--folder", tmp_path, patience=400)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split("|") for line in done.stdout.splitlines()[2:]]
    assert [row[1].strip() for row in rows] == ([*TARGETS] if IN_CI else ["head"])
    assert all(int(row[2].replace(",", "")) > 50 for row in rows), done.stdout


@pytest.mark.usefixtures("fuzzer")
def test_an_input_that_fails_is_found_and_kept(tmp_path: Path) -> None:
    done = run("fuzz", "tests.fuzz.planted:no_bell", "--seconds", 30, "--folder", tmp_path)
    assert done.returncode == 1
    assert "an input" in done.stdout
    assert "AssertionError" in done.stderr
    (found,) = (tmp_path / "no_bell").glob("found-*")
    assert b"\a" in found.read_bytes()


@pytest.mark.usefixtures("compiler")
def test_the_twins_access_only_what_is_theirs(tmp_path: Path) -> None:
    done = run("fuzz.sanitizers", "--seconds", 3 if IN_CI else 0.5, "--folder", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "no wrong access" in done.stdout


@pytest.mark.usefixtures("compiler", "twins")
def test_an_access_beyond_the_end_is_seen(tmp_path: Path) -> None:
    mask = Path("aioweb/protocol/websocket/_mask.c")
    (tmp_path / mask.parent).mkdir(parents=True)
    source = (ROOT / mask).read_text("utf-8")
    right = "PyBytes_AS_STRING(masked), size)"
    assert source.count(right) == 1
    broken = source.replace(right, "PyBytes_AS_STRING(masked), size + KEY)")
    (tmp_path / mask).write_text(broken, "utf-8")
    done = run("fuzz.sanitizers", "--seconds", 0, "--folder", tmp_path, "--root", tmp_path)
    assert done.returncode != 0
    assert "AddressSanitizer: heap-buffer-overflow" in done.stderr


@pytest.mark.usefixtures("compiler")
@pytest.mark.skipif(not shutil.which("gcov"), reason="needs gcov")
def test_the_seeds_go_through_nearly_all_of_the_c(tmp_path: Path) -> None:
    done = run("fuzz.sanitizers", "--kind", "counted", "--seconds", 0, "--folder", tmp_path)
    assert done.returncode == 0, done.stderr
    counted = subprocess.run(
        ["gcov", "-n", *(tmp_path / "counted").glob("*.gcda")], cwd=tmp_path, capture_output=True, text=True
    )
    shares = [
        float(line.split(":")[1].split("%")[0])
        for file, line in pairwise(counted.stdout.splitlines())
        if "aioweb/" in file and "executed:" in line  # the others are of Python's headers
    ]
    assert len(shares) >= 2
    assert min(shares) > 75, counted.stdout  # the rest is for arguments of the wrong type, and for want of memory
