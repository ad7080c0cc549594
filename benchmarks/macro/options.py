"""What the command lines of the benchmarks have in common."""

from __future__ import annotations

import argparse


def chosen(parser: argparse.ArgumentParser, text: str, known: tuple[str, ...]) -> list[str]:
    """The names in `text`, which commas separate. The parser ends the program for one that is not `known`."""
    names = text.split(",")
    unknown = [name for name in names if name not in known]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; known are {', '.join(known)}")
    return names
