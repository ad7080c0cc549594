"""Count the verdicts of a run of the Autobahn test suite: `python tests/autobahn/summary.py reports/index.json`.

Names each case that is not OK. Exit status: 1 if one is worse than informational, else 0.
"""

from __future__ import annotations

import json
import pathlib
import sys
from collections import Counter

FINE = {"OK", "INFORMATIONAL"}


def main() -> int:
    """Read the report that the command line names."""
    (cases,) = json.loads(pathlib.Path(sys.argv[1]).read_text("utf-8")).values()
    verdicts = {name: {case["behavior"], case["behaviorClose"]} for name, case in cases.items()}
    counts = Counter(" ".join(sorted(found)) for found in verdicts.values())
    lines = [f"{len(cases)} cases: {dict(counts)}"]
    lines += [f"{name}: {' '.join(sorted(found))}" for name, found in verdicts.items() if found != {"OK"}]
    sys.stdout.write("\n".join([*lines, ""]))
    return 1 if any(found - FINE for found in verdicts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
