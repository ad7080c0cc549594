"""From words to options, and from `module:app` to an application."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from aioweb import web
from aioweb.cli import main
from aioweb.cli.loading import load
from aioweb.cli.options import CommandError, UsageError, option_parser, parse

SITE = "tests.cli.site"


def loaded(*argv: str) -> web.Application:
    app = load(parse(argv))
    assert isinstance(app, web.Application)
    return app


# -- options -----------------------------------------------------------------------------------------------------------


def test_what_is_not_said_has_a_default() -> None:
    options = parse(["module:app"])
    assert (options.command, options.target, options.extra) == ("serve", "module:app", [])
    assert (options.host, options.port, options.path, options.fd) == ([], None, [], [])
    assert (options.workers, options.reload, options.loop, options.access_log) == (1, False, "auto", True)
    assert (options.shutdown_timeout, options.limits, options.debug) == (60.0, {}, False)


def test_n23_the_options_of_aiohttp_are_known() -> None:
    options = parse(["-H", "::1", "-P", "80", "-U", "/run/s", "module:func", "--mine", "x", "-y"])
    assert (options.host, options.port, options.path) == (["::1"], 80, ["/run/s"])
    assert (options.target, options.extra) == ("module:func", ["--mine", "x", "-y"])


def test_limits_are_read_by_their_names() -> None:
    options = parse(["--limit", "client_max_size=5", "--limit=head-timeout=1.5", "--limit", "body_timeout=none", "m:a"])
    assert options.limits == {"client_max_size": 5, "head_timeout": 1.5, "body_timeout": None}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing to serve"),
        (["-P", "65536", "m:a"], "'65536' is no port"),
        (["-P", "-1", "m:a"], "-P/--port"),
        (["-P"], "expected one argument"),
        (["-w", "0", "m:a"], "'0' is no number above 0"),
        (["--shutdown-timeout", "nan", "m:a"], "'nan' is no number of seconds"),
        (["--shutdown-timeout", "-1", "m:a"], "--shutdown-timeout"),
        (["--path-mode", "888", "m:a"], "'888' is no mode"),
        (["--loop", "trio", "m:a"], "invalid choice: 'trio'"),
        (["--tls-key", "k", "m:a"], "need --tls-cert"),
        (["--tls-ca", "k", "m:a"], "need --tls-cert"),
        (["--access-log-format", "%m", "m:a"], "unknown atom '%m'"),
        (["--limit", "line", "m:a"], "'line' names no limit"),
        (["--limit", "lines=5", "m:a"], "'lines=5' names no limit; there are connections"),
        (["--limit", "line=many", "m:a"], "'many' is no number"),
        (["--limit", "line=-1", "m:a"], "Limits.line is a whole number"),
        (["--reload-dir", "nowhere", "m:a"], "--reload-dir nowhere: there is no such folder"),
        (["--app-dir", "nowhere", "m:a"], "--app-dir nowhere: there is no such folder"),
        (["--unknown"], "unknown option --unknown"),
        (["--prot", "80", "m:a"], "unknown option --prot"),
        (["--static", "nowhere"], "there is no such folder"),
        ([":app"], "':app' is not module:app"),
        (["m:"], "'m:' is not module:app"),
        (["./m.py:app"], "'./m.py:app' is not module:app, as in project.app:app"),
        (["--check", "--tls-cert", "nowhere.pem", f"{SITE}:app"], "TLS with nowhere.pem: No such file or directory"),
        ([f"{SITE}:app", "--unknown"], "is an application: nobody takes '--unknown'"),
        ([f"{SITE}:create_app", "more", "words"], "takes no arguments: nobody takes 'more words'"),
    ],
)
def test_a_wrong_usage_is_one_line_and_exit_code_2(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--check"] if words and "--check" not in words and words != ["-P"] else words) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("aioweb: ")
    assert said in err


@pytest.mark.parametrize(("option", "said"), [("--help", "usage: python -m aioweb"), ("--version", "aioweb ")])
def test_help_and_version(option: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ending:
        main([option])
    assert ending.value.code == 0
    assert capsys.readouterr().out.startswith(said)


def test_the_reference_knows_every_option() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "command-line.md").read_text("utf-8")
    options = {name for action in option_parser()._actions for name in action.option_strings} - {"-h"}
    assert {name for name in options if f"`{name}`" not in page and f"`{name} " not in page} == set()


# -- loading -----------------------------------------------------------------------------------------------------------


def test_an_application_by_its_name_or_by_the_usual_one() -> None:
    assert loaded(f"{SITE}:app") is loaded(SITE)


def test_a_factory_is_called() -> None:
    assert loaded(f"{SITE}:create_app") is not loaded(f"{SITE}:create_app")


@pytest.mark.parametrize(
    ("name", "words", "argv"),
    [
        ("create", [], []),
        ("create", ["--config", "x.ini"], ["--config", "x.ini"]),
        ("create_perhaps", [], None),
        ("create_perhaps", ["a"], ["a"]),
    ],
)
def test_n23_a_factory_gets_the_rest_of_the_words(name: str, words: list[str], argv: list[str] | None) -> None:
    assert loaded(f"{SITE}:{name}", *words)["argv"] == argv


def test_a_coroutine_makes_it_in_its_loop(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("index")
    app = load(parse([f"{SITE}:create_in_loop", "--static", str(tmp_path), "--limit", "client_max_size=5"]))

    async def make() -> web.Application:
        assert not isinstance(app, web.Application)
        return await app

    made = asyncio.run(make())
    assert made.limits.client_max_size == 5
    assert isinstance(list(made.router.resources())[-1], web.StaticResource)


def test_limits_of_the_application_that_are_not_named_stay() -> None:
    before = loaded(f"{SITE}:create_app").limits
    after = loaded(f"{SITE}:create_app", "--limit", "line=100").limits
    assert (after.line, after.field) == (100, before.field)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("nowhere:app", "there is no module 'nowhere'"),
        ("tests.nowhere:app", "there is no module 'tests.nowhere'"),
        ("tests/cli/site.py:app", "name a module, as in project.app:app"),
        (f"{SITE}:ap", "has no 'ap'; did you mean 'app'?"),
        (f"{SITE}:app.nothing.like.it", "has no 'app.nothing.like.it'"),
        (f"{SITE}:number", "neither an Application nor a function that returns one, but 5"),
        (f"{SITE}:create_nothing", "must return an Application, not None"),
        (f"{SITE}:create_of_two", "create_of_two(host: 'str', port: 'int') -> 'web.Application' takes more than"),
        ("time:time", "must return an Application, not"),
    ],
)
def test_what_cannot_be_loaded_is_one_line_and_exit_code_1(
    target: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--check", target]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert said in err


def test_what_a_module_raises_comes_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "importing_in_vain.py").write_text("import no_such_module_at_all")
    with pytest.raises(ModuleNotFoundError, match="no_such_module_at_all"):
        main(["--check", "--app-dir", str(tmp_path), "importing_in_vain:app"])


def test_ctrl_c_while_it_is_imported_is_no_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "importing_for_long.py").write_text("raise KeyboardInterrupt")
    assert main(["--check", "--app-dir", str(tmp_path), "importing_for_long:app"]) == 130


def test_errors_have_their_exit_codes() -> None:
    assert (CommandError.exit_code, UsageError.exit_code) == (1, 2)


@pytest.mark.parametrize("name", ["app", "create", "create_in_loop"])
def test_check_says_that_it_went_well(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", f"{SITE}:{name}"]) == 0
    assert capsys.readouterr() == (f"{SITE}:{name}: fine\n", "")


# -- routes ------------------------------------------------------------------------------------------------------------


def test_routes_prints_a_table(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["routes", f"{SITE}:create_big", "--static", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[:6]] == [
        ["METHOD", "PATH", "NAME", "HANDLER"],
        ["*", "/items", f"{SITE}.Items"],
        ["POST", "/long/path/to/somewhere", f"{SITE}.hello"],
        ["GET", "/inner/{number}", "item", f"{SITE}.hello"],
        ["GET", "*.example.org/", f"{SITE}.hello"],
        ["GET", "/", "aioweb.web.static.StaticResource.handle"],
    ]
    assert len({line.index(line.split()[1]) for line in lines}) == 1, "columns"


def test_routes_of_what_is_made_in_a_loop(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["routes", f"{SITE}:create_in_loop"]) == 0
    assert "home" in capsys.readouterr().out
