"""Fuzz: `python -m fuzz [TARGET ...] [--seconds 3600] [--jobs 1] [--folder .fuzz]`, all targets without a name.

The time is that of the whole run; each target gets its share. The exit status is 1 if an input has failed: it stands in
`FOLDER/TARGET/found-...`, and the end of what the process has said below the table.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from fuzz.build import ROOT, CannotBuild, build, has_compiler
from fuzz.targets import TARGETS


def main(arguments: list[str] | None = None) -> int:
    """Run the fuzzers and print a table. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description="Fuzz the ground and its twins in C.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; default: all")
    parser.add_argument("--seconds", type=int, default=3600, help="for all targets together, default: 3600")
    parser.add_argument("--jobs", type=int, default=1, help="targets at a time, default: 1")
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / ".fuzz", help="what was learnt, default: .fuzz")
    options = parser.parse_args(arguments)
    names = options.targets or [*TARGETS]
    seconds = max(1, options.seconds * min(options.jobs, len(names)) // len(names))
    try:
        traced = [str(build("traced", options.folder))] if has_compiler() else []
    except CannotBuild as error:
        print(f"what an input does in C is not seen: {error}", file=sys.stderr)
        traced = []
    print("| target | executions | places | features | inputs kept | found |")
    print("| --- | ---: | ---: | ---: | ---: | --- |", flush=True)
    failed = []
    with ThreadPoolExecutor(options.jobs) as pool:
        for name, (status, said) in zip(names, pool.map(_runner(seconds, options.folder, traced), names), strict=True):
            print(f"| {name} | {_number(r'number_of_executed_units: *([0-9]+)', said):,} | ", end="")
            print(" | ".join(str(_number(rf"{word}: ([0-9]+)", said)) for word in ("cov", "ft", "corp")), end="")
            print(f" | {'an input' if status else 'nothing'} |", flush=True)
            if status:
                lines = [line for line in said.splitlines() if not line.startswith("INFO: Instrumenting")]
                failed.append("\n".join(lines[-40:]))
    print(*failed, sep="\n\n", file=sys.stderr)
    return 1 if failed else 0


def _runner(seconds: int, folder: pathlib.Path, traced: list[str]) -> Callable[[str], tuple[int, str]]:
    def run(name: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "fuzz.process", name, str(seconds), str(folder / name.rpartition(":")[2])]
        done = subprocess.run(
            [*command, *traced], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        return done.returncode, done.stdout

    return run


def _number(pattern: str, said: str) -> int:
    """The last number of that kind that was printed."""
    found = re.findall(pattern, said)
    return int(found[-1]) if found else 0


if __name__ == "__main__":
    sys.exit(main())
