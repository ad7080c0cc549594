"""What the command lines of the benchmarks have in common."""

from __future__ import annotations

import argparse

from benchmarks.macro.peers import LOOPS

ROUNDS = 3
"""The fewest that a record is made of."""


def chosen(parser: argparse.ArgumentParser, text: str, known: tuple[str, ...]) -> list[str]:
    """The names in `text`, which commas separate. The parser ends the program for one that is not `known`."""
    names = text.split(",")
    unknown = [name for name in names if name not in known]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; known are {', '.join(known)}")
    return names


def add_servers(parser: argparse.ArgumentParser, servers: tuple[str, ...]) -> None:
    """The options of every benchmark of servers: which of them, on which loops and Python, how often."""
    parser.add_argument("--only", default=",".join(servers), help="servers (default: %(default)s)")
    parser.add_argument("--loops", default=",".join(LOOPS), help="event loops (default: %(default)s)")
    parser.add_argument("--python", default="", help='of the servers: "3.13" or a path (default: this one)')
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="visits of every server (default: %(default)s)")


def add_windows(parser: argparse.ArgumentParser, seconds: float) -> None:
    """The options of every benchmark with load: how long it lasts."""
    parser.add_argument("--seconds", type=float, default=seconds, help="of a measured window (default: %(default)s)")
    parser.add_argument("--warm-up", type=float, default=0.3, help="seconds of load before it (default: %(default)s)")


def check_servers(parser: argparse.ArgumentParser, options: argparse.Namespace, servers: tuple[str, ...]) -> None:
    """Make lists of the names in `only` and `loops`."""
    options.only = chosen(parser, options.only, servers)
    options.loops = chosen(parser, options.loops, LOOPS)


def suffix(options: argparse.Namespace, servers: tuple[str, ...]) -> str:
    """The end of the name of the file of results.

    It keeps a hasty or partial run from overwriting the file of a whole one, and results/.gitignore leaves such files
    out. On another Python than ours a choice of servers is kept, too.
    """
    python = f"-python{options.python.rpartition('/')[2].removeprefix('python')}" if options.python else ""
    if options.rounds < ROUNDS or getattr(options, "seconds", 1.0) < 1.0:
        return python + "-quick"
    whole = python or (options.only, options.loops) == (list(servers), list(LOOPS))
    return python if whole else "-partial"
