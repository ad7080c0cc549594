"""Every block of README.md and docs/ is what it claims to be: it runs, or says why not.

Blocks run in a process of their own with warnings as errors, by run_page.py. A block that serves is started as a
script, asked for `/` over a real socket, and stopped with SIGINT. docs/howto/work-on-aioweb.md tells authors the rules.
The second half of this file breaks pages on purpose.
"""

from __future__ import annotations

import ast
import http.client
import importlib.util
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import attrs
import pytest

ROOT = Path(__file__).resolve().parents[2]
RUNNER = Path(__file__).with_name("run_page.py")
RUNNING = {"python", "pycon", "console"}
SILENT = {"text", "html", "http", "json", "toml", "ini", "nginx", "css", "sql", "javascript", "make"}
FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,}|:{3,})(?P<language>[^\n`]*)$")
NO_RUN = re.compile(r"^\s*<!-- no-run:(?P<reason>.*?)-->\s*$")
SERVES = re.compile(r"^(?!\s*#).*\brun_app\(", re.MULTILINE)
PROGRAMS = {"curl", "git", "cd", "wrk", "source", "gunicorn", "uvicorn", "hypercorn", "granian"}


@attrs.frozen
class Block:
    """One fenced block."""

    file: str
    line: int
    """Of the first line inside."""
    kind: str
    text: str
    no_run: str | None = None
    """The reason why it cannot run; None if it can."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def serves(self) -> bool:
        return self.kind == "python" and self.no_run is None and SERVES.search(self.text) is not None


def read_blocks(page: Path, root: Path = ROOT) -> list[Block]:
    """The fenced blocks of a Markdown file, in order; those inside of a directive such as `{note}` too."""
    name, lines = page.relative_to(root).as_posix(), page.read_text("utf-8").splitlines()
    blocks: list[Block] = []
    directives: list[str] = []
    opened: re.Match[str] | None = None
    reason = None
    start = 0
    for number, line in enumerate(lines):
        fence = FENCE.match(line)
        if fence is None:
            continue
        language = fence["language"].strip()
        if opened is not None:
            if not language and fence["fence"].startswith(opened["fence"]):
                indent = len(opened["indent"])
                text = "".join(f"{inner[indent:]}\n" for inner in lines[start:number])
                blocks.append(Block(name, start + 1, opened["language"].strip(), text, reason))
                opened = None
        elif language.startswith("{") and not language.startswith(("{code", "{sourcecode")):
            directives.append(fence["fence"])
        elif not language and directives and fence["fence"].startswith(directives[-1]):
            directives.pop()
        else:
            marker = NO_RUN.match(lines[number - 1]) if number else None
            reason = marker["reason"].strip() if marker else None
            opened, start = fence, number + 1
    if opened is not None:
        blocks.append(Block(name, start + 1, "(never closed)", "", None))
    return blocks


PAGES = [ROOT / "README.md", *sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts)]
BLOCKS = [block for page in PAGES for block in read_blocks(page)]


# -- the checks ----------------------------------------------------------------------------------------------------


def check_block(block: Block) -> None:
    """The language is known; what does not run says why, and still compiles."""
    assert block.kind in RUNNING | SILENT, f"{block}: unknown language {block.kind!r}; {sorted(RUNNING | SILENT)}"
    if block.no_run is None:
        return
    assert len(block.no_run.split()) >= 3, f"{block}: no-run needs a reason, not {block.no_run!r}"
    if block.kind == "python":
        compile(block.text, str(block), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def start(blocks: list[Block], folder: Path, port: int = 0) -> subprocess.Popen[str]:
    """Run the Python blocks and sessions of a page; with a port, the last one serves on it."""
    running = [block for block in blocks if block.kind in {"python", "pycon"} and block.no_run is None]
    data = [attrs.asdict(block) | {"port": 0} for block in running]
    if port:
        data[-1]["port"] = port
    process = subprocess.Popen(
        [sys.executable, "-W", "error", str(RUNNER)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "examples")},  # a page may show an example, and then import it
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(data))
    process.stdin.close()
    process.stdin = None
    return process


def finish(process: subprocess.Popen[str], timeout: float = 30) -> tuple[int, str]:
    """Exit code and what was said; a process that does not end is killed and fails."""
    try:
        _, said = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        pytest.fail(f"still running after {timeout} s")
    return process.returncode, said


def check_page(blocks: list[Block], folder: Path) -> None:
    """Every block of the page runs, in order and in one namespace."""
    code, said = finish(start(blocks, folder))
    assert code == 0, said


def check_serving(blocks: list[Block], folder: Path, patience: float = 20) -> None:
    """The last block serves: it answers `/` with less than 500, and Ctrl-C ends it with exit code 0."""
    port = free_port()
    process = start(blocks, folder, port)
    try:
        status = ask(port, process, patience)
        process.send_signal(signal.SIGINT)
        code, said = finish(process)
    finally:
        process.kill()
    assert status < 500, f"{blocks[-1]}: / is answered with {status}\n{said}"
    assert code == 0, f"{blocks[-1]}: Ctrl-C ends it with {code}\n{said}"
    assert "Traceback" not in said, said


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def ask(port: int, process: subprocess.Popen[str], patience: float) -> int:
    """The status of `GET /`, as soon as the process listens."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=patience)
        try:
            client.request("GET", "/")
            with client.getresponse() as response:
                return response.status
        except ConnectionRefusedError:
            try:  # it listens soon, or it ends: whatever comes first
                process.wait(timeout=0.02)
            except subprocess.TimeoutExpired:
                continue
            pytest.fail(f"it ended before it served: {finish(process)}")
        finally:
            client.close()
    process.kill()
    pytest.fail(f"it does not listen after {patience} s: {finish(process)}")


def check_console(block: Block, page: str, root: Path = ROOT) -> None:
    """Targets of make, modules after -m and scripts exist; other programs are known ones."""
    commands = [line[2:] for line in block.text.splitlines() if line.startswith("$ ")]
    assert commands, f"{block}: a console block shows commands after `$ `"
    for command in commands:
        for part in command.split("&&"):
            words = [word for word in shlex.split(part, comments=True) if not re.match(r"[A-Z_]+=", word)]
            error = wrong_command(words, page, root)
            assert error is None, f"{block}: {part.strip()!r}: {error}"


def wrong_command(words: list[str], page: str, root: Path) -> str | None:
    """Why a newcomer could not type this; None if he can."""
    program, *arguments = words or [""]
    program = program.rpartition("/")[2]
    if program == "make":
        targets = re.findall(r"^([a-z-]+):", (root / "Makefile").read_text("utf-8"), re.MULTILINE)
        return next((f"no target {name!r}" for name in arguments if name not in targets), None)
    if program in {"python", "python3", "py"} and arguments[:1] == ["-m"]:
        module = arguments[1]
        known = (root / module.replace(".", "/")).exists() or (root / f"{module.replace('.', '/')}.py").exists()
        return None if known or importlib.util.find_spec(module) else f"no module {module!r}"
    if program in {"python", "python3", "py"} and arguments:
        mentioned = f"`{arguments[0]}`" in page or (root / arguments[0]).exists()
        return None if mentioned else f"the page does not say what {arguments[0]!r} is"
    if program == "pip":
        return None if arguments[:1] == ["install"] else "pip can only install here"
    return None if program in PROGRAMS else f"unknown program {program!r}"


# -- the pages -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_has_a_known_language_or_a_reason(block: Block) -> None:
    check_block(block)


@pytest.mark.parametrize("page", sorted({block.file for block in BLOCKS if block.kind in {"python", "pycon"}}))
def test_the_blocks_of_a_page_run(page: str, tmp_path: Path) -> None:
    check_page([block for block in BLOCKS if block.file == page], tmp_path)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.serves], ids=str)
def test_a_block_that_serves_answers_and_stops(block: Block, tmp_path: Path) -> None:
    check_serving([other for other in BLOCKS if other.file == block.file and other.line <= block.line], tmp_path)


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block.kind == "console" and block.no_run is None], ids=str
)
def test_a_command_can_be_typed(block: Block) -> None:
    check_console(block, (ROOT / block.file).read_text("utf-8"))


# -- pages broken on purpose ---------------------------------------------------------------------------------------

SERVER = """
import http.server

class web:
    @staticmethod
    def run_app(app, *, host="0.0.0.0", port=8080):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(app["status"])
                self.end_headers()

        with http.server.HTTPServer((host, port), Handler) as server:
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                raise SystemExit(app.get("exit", 0))
"""


def blocks_of(tmp_path: Path, *blocks: str, kind: str = "python") -> list[Block]:
    page = tmp_path / "page.md"
    page.write_text("\n".join(f"Text.\n\n```{kind}\n{block}\n```\n" for block in blocks), "utf-8")
    return read_blocks(page, tmp_path)


def failure(check, *args, **kwargs) -> str:
    with pytest.raises((AssertionError, SyntaxError, pytest.fail.Exception)) as caught:
        check(*args, **kwargs)
    return str(caught.value)


def test_the_blocks_of_a_page_are_found_with_their_lines(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```python\na\n```\n<!-- no-run: it needs a certificate -->\n```python\nb\n```\n\n"
        "- item\n  ```pycon\n  >>> c\n  ```\n\n```{note}\nd\n```\n````text\n```\ne\n```\n````\n"
    )
    assert [(block.line, block.kind, block.text, block.no_run) for block in read_blocks(page, tmp_path)] == [
        (2, "python", "a\n", None),
        (6, "python", "b\n", "it needs a certificate"),
        (11, "pycon", ">>> c\n", None),
        (18, "text", "```\ne\n```\n", None),
    ]


def test_a_block_inside_a_directive_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("::::{tab}\n```python\na\n```\n::::\n````{note}\n```python\nb\n```\n````\n")
    assert [block.text for block in read_blocks(page, tmp_path)] == ["a\n", "b\n"]


def test_blocks_share_names_and_may_await(tmp_path: Path) -> None:
    first = "import asyncio\nqueue = asyncio.Queue()\nasync def put():\n    await queue.put(7)"
    blocks = blocks_of(tmp_path, first, "await put()", "assert queue.get_nowait() == 7\nassert __name__ == '__main__'")
    check_page(blocks, tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\nraise ValueError(x)", 'page.md", line 5'),
        ("undefined", "NameError"),
        ("import warnings\nwarnings.warn('old', DeprecationWarning)", "old"),
        ("async def f(): pass\nf()", "never awaited"),
        ("open(__import__('os').devnull)", "unclosed file"),
        ("raise SystemExit(3)", ""),
    ],
)
def test_a_block_that_fails_is_seen(text: str, said: str, tmp_path: Path) -> None:
    assert said in failure(check_page, blocks_of(tmp_path, text), tmp_path)


def test_a_block_that_hangs_is_ended(tmp_path: Path) -> None:
    process = start(blocks_of(tmp_path, "import threading\nthreading.Event().wait()"), tmp_path)
    assert "still running" in failure(finish, process, timeout=0.3)
    assert process.returncode == -signal.SIGKILL


def test_a_session_is_a_doctest_and_shares_names(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\na = 1\n```\n```pycon\n>>> a\n1\n>>> b = 2\n```\n```python\nassert b == 2\n```\n")
    check_page(read_blocks(page, tmp_path), tmp_path)


def test_a_session_that_prints_something_else_is_seen(tmp_path: Path) -> None:
    assert "Expected" in failure(check_page, blocks_of(tmp_path, ">>> 1 + 1\n3", kind="pycon"), tmp_path)


def test_a_block_marked_no_run_does_not_run_but_compiles(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- no-run: it needs a certificate -->\n```python\nawait undefined()\n```\n")
    check_block(read_blocks(page, tmp_path)[0])
    check_page(read_blocks(page, tmp_path), tmp_path)
    page.write_text("<!-- no-run: it needs a certificate -->\n```python\nx = = 1\n```\n")
    assert "invalid syntax" in failure(check_block, read_blocks(page, tmp_path)[0])


@pytest.mark.parametrize("reason", ["", " ", "todo"])
def test_no_run_without_a_reason_is_refused(reason: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"<!-- no-run:{reason}-->\n```python\nx\n```\n")
    assert "needs a reason" in failure(check_block, read_blocks(page, tmp_path)[0])


@pytest.mark.parametrize("language", ["", "py", "python3", "Python", "bash", "{code-block} python"])
def test_an_unknown_language_is_refused(language: str, tmp_path: Path) -> None:
    assert "unknown language" in failure(check_block, blocks_of(tmp_path, "x", kind=language)[0])


def test_a_block_that_is_never_closed_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\nx = 1\n")
    assert "never closed" in failure(check_block, read_blocks(page, tmp_path)[0])


@pytest.mark.parametrize("call", ["web.run_app(app)", "web.run_app(app, host='0.0.0.0', port=8080)"])
def test_a_serving_block_is_asked_and_stopped(call: str, tmp_path: Path) -> None:
    main = f"if __name__ == '__main__':\n    {call}"
    blocks = blocks_of(tmp_path, SERVER + "app = {'status': 200}\nweb.run_app(app)", main)
    assert [block.serves for block in blocks] == [True, True]
    check_serving(blocks, tmp_path)
    check_page(blocks, tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("web.run_app({'status': 500})", "answered with 500"),
        ("web.run_app({'status': 200, 'exit': 3})", "ends it with 3"),
        ("web.run_app({'status': 200}, port=app.port)", "not a literal"),
        ("web.run_app(**{'app': {}})", "not a literal"),
        ("1 / 0\nweb.run_app({'status': 200})", "ZeroDivisionError"),
        ("run_app = lambda app, host, port: None\nrun_app({})", "ended before it served"),
        ("import threading\nrun_app = lambda app, host, port: threading.Event().wait()\nrun_app({})", "not listen"),
    ],
)
def test_a_serving_block_that_fails_is_seen(text: str, said: str, tmp_path: Path) -> None:
    blocks = blocks_of(tmp_path, SERVER, text)
    assert said in failure(check_serving, blocks, tmp_path, patience=1.0)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("make everything", "no target 'everything'"),
        ("make run && make everything", "no target"),
        ("python -m no_such_module", "no module"),
        ("python hello.py", "does not say"),
        ("rm -rf /", "unknown program"),
        ("pip uninstall aioweb", "only install"),
    ],
)
def test_a_command_that_cannot_be_typed_is_seen(command: str, said: str, tmp_path: Path) -> None:
    assert said in failure(check_console, blocks_of(tmp_path, f"$ {command}", kind="console")[0], "")


def test_commands_that_can_be_typed_pass(tmp_path: Path) -> None:
    text = "$ make\n$ PORT=1 make run  # serves\nserving\n$ .venv/bin/python -m pytest tests\n$ python hello.py\n$ cd a"
    check_console(blocks_of(tmp_path, text, kind="console")[0], "Save it as `hello.py`.")


def test_a_console_block_without_a_command_is_refused(tmp_path: Path) -> None:
    assert "commands after" in failure(check_console, blocks_of(tmp_path, "make run", kind="console")[0], "")
