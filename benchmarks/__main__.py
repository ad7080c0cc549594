"""The whole table by one command: `python -m benchmarks [--quick | --record] [--python 3.13] [--estimate]`.

Without an option: every workload on uvloop, two rounds, in about ten minutes. `--quick`: the most important ones in two
minutes. `--record`: everything on both loops, three rounds, which is what docs/performance shows. Each is nothing but
some of the commands of `benchmarks.macro`, `benchmarks.websocket` and `benchmarks.footprint`, one after another, each
with a file of results of its own.

Exit status: 0, or 1 if an answer was wrong, a request failed, or aioweb did not start.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from benchmarks import footprint
from benchmarks.macro import __main__ as macro
from benchmarks.macro import load, rounds
from benchmarks.websocket import __main__ as websocket

Plan = Callable[[list[str]], rounds.Plan]

QUICK: tuple[tuple[Plan, str], ...] = (
    (macro.plan, "--workload browser,json,form --loops uvloop --rounds 2"),
    (websocket.plan, "--workload text32 --loops uvloop --rounds 1"),
)
USUAL: tuple[tuple[Plan, str], ...] = (
    (macro.plan, "--workload all --loops uvloop --rounds 2"),
    (websocket.plan, "--workload text32,broadcast --loops uvloop --rounds 1"),
    (footprint.plan, "--loops uvloop --rounds 1"),
)
RECORD: tuple[tuple[Plan, str], ...] = (
    (macro.plan, "--workload all"),
    (footprint.plan, ""),
    (websocket.plan, ""),
)
OTHER_PYTHON: tuple[tuple[Plan, str], ...] = (
    (
        macro.plan,
        "--workload browser --only bare,aioweb,aioweb_pure,aiohttp,uvicorn_raw,granian,granian_rsgi,socketify",
    ),
)
"""What is asked of another Python than the one that the record is made with."""


def main() -> int:
    """Run what the command line says. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Compare servers on this machine.")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--quick", dest="steps", action="store_const", const=QUICK, help="in two minutes")
    which.add_argument("--record", dest="steps", action="store_const", const=RECORD, help="for docs/performance")
    parser.add_argument("--python", default="", help='servers run in another Python ("3.13"); browser\'s request only')
    parser.add_argument("--estimate", action="store_true", help="only say how long it takes")
    options = parser.parse_args()
    steps = options.steps or (OTHER_PYTHON if options.python else USUAL)
    python = ["--python", options.python] if options.python else []
    plans = [plan([*arguments.split(), *python]) for plan, arguments in steps]
    if options.estimate:
        print(f"about {sum(plan.estimate for plan in plans) / 60:.0f} minutes")
        return 0
    try:
        load.require_wrk()
    except load.LoadFailed as exc:
        print(exc, file=sys.stderr)
        return 1
    return rounds.main(*plans, python=options.python)


if __name__ == "__main__":
    sys.exit(main())
