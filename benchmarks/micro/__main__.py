"""Run the micro benchmarks in benchmarks/.venv: `python -m benchmarks.micro [NAME ...]`, all of them without a name."""

from __future__ import annotations

import pathlib
import subprocess
import sys

from benchmarks import environment


def main() -> int:
    """Run the scripts one after another. Returns 1 if one failed, else 0."""
    known = sorted(path.stem for path in pathlib.Path(__file__).parent.glob("[!_]*.py"))
    unknown = [name for name in sys.argv[1:] if name not in known]
    if unknown:
        print(f"unknown: {', '.join(unknown)}; known are {', '.join(known)}", file=sys.stderr)
        return 1
    try:
        python = environment.ensure()
    except environment.EnvironmentFailed as exc:
        print(exc, file=sys.stderr)
        return 1
    codes = [_run(python, name) for name in sys.argv[1:] or known]
    return 1 if any(codes) else 0


def _run(python: pathlib.Path, name: str) -> int:
    print(f"## {name}\n", flush=True)
    code = subprocess.run([python, "-m", f"benchmarks.micro.{name}"], cwd=environment.ROOT).returncode
    print(flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
