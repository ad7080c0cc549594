"""An application that cannot start: one traceback, a clean-up of what did start, and an exit code that is not 0."""

from __future__ import annotations

import pytest

from tests.functional.processes import running

RUN_APP = "from aioweb import web; from tests.functional import broken; web.run_app(broken.{name}(), port=0)"
WAYS = {
    "run_app": (["-X", "dev", "-W", "error", "-c", RUN_APP], 1),
    "command line": (["-m", "aioweb", "-P", "0", "tests.functional.broken:{name}"], 1),
    "two workers": (["-m", "aioweb", "-P", "0", "-w", "2", "tests.functional.broken:{name}"], 1),
    "gunicorn": (
        [
            *("-m", "gunicorn", "-k", "aioweb.worker.GunicornWebWorker", "-b", "127.0.0.1:0", "--no-control-socket"),
            "tests.functional.broken:{name}",
        ],
        3,
    ),
}


@pytest.mark.parametrize("name", ["on_startup", "cleanup_ctx", "factory"])
@pytest.mark.parametrize("way", WAYS)
def test_it_is_told_once_and_the_exit_code_is_not_0(way: str, name: str) -> None:
    arguments, code = WAYS[way]
    with running(*(argument.replace("{name}", name) for argument in arguments)) as program:
        assert program.end(None) == code, program.output
    assert program.output.count("RuntimeError: no database\n") == 1, program.output
    # gunicorn has one of its own, for the worker that told its master to give up.
    assert program.output.partition("RuntimeError: no database")[0].count("Traceback") == 1, program.output
    assert program.output.count("what had started is cleaned up") == (name != "factory")
    assert "never retrieved" not in program.output
    assert "never awaited" not in program.output
