"""What a newcomer does with the tutorial, in an empty folder: write its files, test them, serve them in each way.

tests/docs/test_snippets.py runs the steps of the page one by one; here is what they have become at its end.
"""

from __future__ import annotations

import json
import re
import signal
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.functional.processes import running

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LAST_LINES = 'if __name__ == "__main__":\n    web.run_app(create_app(), host="127.0.0.1", port=8080)\n'
GUNICORN = str(Path(sys.executable).parent / "gunicorn")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `board.py`, `test_board.py` and `pytest.ini`, as the page tells to write them."""
    _, *steps = (ROOT / "docs/tutorial/one-file.md").read_text("utf-8").split("\n## ")
    blocks = {step[0]: FENCE.findall(step) for step in steps}
    python = {number: [text for kind, text in found if kind == "python"] for number, found in blocks.items()}
    board = "\n\n".join(block for number in "234567" for block in python[number])
    assert LAST_LINES in board, "the page ends its file in another way: look at this test"
    (settings,) = [text for kind, text in blocks["8"] if kind == "ini"]
    path = tmp_path_factory.mktemp("newcomer")
    (path / "board.py").write_text(board.replace(LAST_LINES, "") + "\n\n" + LAST_LINES)
    (path / "test_board.py").write_text(f"from board import create_app\n\n{python['8'][0]}")
    (path / "pytest.ini").write_text(settings)
    return path


def test_its_test_passes_under_pytest(folder: Path) -> None:
    with running("-m", "pytest", "-p", "no:cacheprovider", cwd=folder) as program:
        program.wait_for("1 passed")
        assert program.end(None) == 0


SERVED = [
    pytest.param(["-m", "aioweb", "-H", "127.0.0.1", "-P", "0", "board:create_app"], id="the command line"),
    pytest.param(
        [
            *(GUNICORN, "-k", "aioweb.worker.GunicornWebWorker", "-b", "127.0.0.1:0", "--no-control-socket"),
            "board:create_app()",
        ],
        id="gunicorn",
        marks=pytest.mark.skipif(sys.platform == "win32", reason="gunicorn is for Unix"),
    ),
]


@pytest.mark.parametrize("words", SERVED)
def test_its_application_is_served(folder: Path, words: list[str]) -> None:
    if words[0] == GUNICORN:
        pytest.importorskip("gunicorn")
    with running(*words, cwd=folder) as program:
        (port, *_) = program.wait_for(r"http://127\.0\.0\.1:(\d+)")
        with urlopen(f"http://127.0.0.1:{port}/api/messages", timeout=30) as answer:
            assert isinstance(json.load(answer), list)
        assert program.end(signal.SIGTERM) == 0
