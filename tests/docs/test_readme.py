"""What README.md and the tutorial say about files elsewhere is what stands there."""

from __future__ import annotations

import re
from pathlib import Path

from aioweb import web

ROOT = Path(__file__).resolve().parents[2]
BOARD = ROOT / "examples/board"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_the_numbers_in_the_readme_are_the_defaults() -> None:
    limits = web.Limits()
    numbers = (limits.head_timeout, limits.body_timeout, limits.write_timeout, limits.client_max_size)
    assert numbers == (10, 30, 60, 2**20)
    readme = (ROOT / "README.md").read_text("utf-8")
    for said in ("closed after 10 s", "408 after 30 s", "cut after 60 s", "413 above 1 MiB"):
        assert said in readme


def test_the_first_screen_of_the_readme_has_the_two_commands() -> None:
    first_screen = "\n".join((ROOT / "README.md").read_text("utf-8").splitlines()[:20])
    assert "$ make run\n$ make test\n" in first_screen


def test_links_of_the_readme_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", (ROOT / "README.md").read_text("utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_tutorial_quotes_the_board_as_it_is() -> None:
    source = "".join(path.read_text("utf-8") for path in BOARD.glob("*.py"))
    undocumented = re.sub(r'^ +"""[^"]*"""\n', "", source, flags=re.MULTILINE)
    quoted = blocks("docs/tutorial/package.md", "python")
    assert quoted
    assert [block for block in quoted if block not in undocumented] == []


def test_the_tutorial_lists_the_files_of_the_board() -> None:
    listed = re.findall(r"^ +(\w+\.py)", blocks("docs/tutorial/package.md", "text")[0], re.MULTILINE)
    assert sorted([*listed, "__init__.py"]) == sorted(path.name for path in BOARD.glob("*.py"))
    told = re.findall(r"^ +(\w+\.py)", (BOARD / "__init__.py").read_text("utf-8"), re.MULTILINE)
    assert listed == told
