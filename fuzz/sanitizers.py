"""The twins under AddressSanitizer and UndefinedBehaviorSanitizer: `python -m fuzz.sanitizers [--seconds 60]`.

Every seed, and every input that the fuzzers have kept, goes through the sanitized twins; then changed ones, until the
time is over: an octet here, a piece of another there. Every allocation is malloc's own, so an octet too far is seen.
The first access that is wrong ends the process with its report; the exit status is then not 0.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import random
import subprocess
import sys
import time

from fuzz.build import ROOT, CannotBuild, build, sanitizer_libraries, use

TARGETS = ("head", "response", "mask", "frame")
"""Those in which C has a part of its own."""


def main(arguments: list[str] | None = None) -> int:
    """Build, and run the inputs in a process that has the sanitizers. Returns its exit status, 2 without a compiler."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.sanitizers", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60, help="for changed inputs, default: 60")
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / ".fuzz", help="what was learnt, default: .fuzz")
    parser.add_argument("--kind", default="sanitized", choices=["sanitized", "counted"], help="counted is for gcov")
    parser.add_argument("--root", type=pathlib.Path, default=ROOT, help="the project, default: this one")
    options = parser.parse_args(arguments)
    try:
        built = build(options.kind, options.folder, options.root)
    except CannotBuild as error:
        print(error, file=sys.stderr)
        return 2
    environment = dict(os.environ, PYTHONMALLOC="malloc")
    if options.kind == "sanitized":
        # The interpreter itself keeps what it allocates to its end: leaks are what tests/protocol/test_twins.py counts.
        environment |= {"ASAN_OPTIONS": "detect_leaks=0", "LD_PRELOAD": sanitizer_libraries()}
    command = [sys.executable, "-c", "from fuzz.sanitizers import run; run()", str(built), str(options.seconds)]
    return subprocess.run([*command, str(options.folder)], cwd=ROOT, env=environment).returncode


def run() -> None:
    """Run the inputs in this process. Arguments: the build, seconds, the folder of what was learnt."""
    built, seconds, folder = pathlib.Path(sys.argv[1]), float(sys.argv[2]), pathlib.Path(sys.argv[3])
    use(built)
    from fuzz import targets
    from fuzz.seeds import seeds

    chance, count = random.Random(1), 0
    inputs = {
        name: seeds(name) + [path.read_bytes() for path in sorted((folder / name / "corpus").glob("*"))]
        for name in TARGETS
    }
    for name in TARGETS:
        for data in inputs[name]:
            targets.TARGETS[name](data)
            count += 1
    kept, end = count, time.monotonic() + seconds
    while time.monotonic() < end:
        name = TARGETS[count % len(TARGETS)]
        for _ in range(200):
            targets.TARGETS[name](_change(chance, inputs[name]))
        count += 200
    print(f"{kept:,} inputs that were kept and {count - kept:,} changed ones: no wrong access")


def _change(chance: random.Random, inputs: list[bytes]) -> bytes:
    data = bytearray(chance.choice(inputs))
    for _ in range(chance.randint(1, 4)):
        at = chance.randint(0, len(data))
        other = chance.choice(inputs)
        start = chance.randint(0, len(other))
        piece = chance.choice([chance.randbytes(chance.randint(0, 3)), other[start : start + chance.randint(0, 60)]])
        data[at : at + chance.choice([0, 0, 1, 2, len(piece), 4000])] = piece
    return bytes(data)


if __name__ == "__main__":
    sys.exit(main())
