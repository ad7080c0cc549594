"""What may be said on the command line: the arguments, their help and their defaults."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import attrs

from aioweb import web
from aioweb._version import __version__
from aioweb.log import access_logger

JSON = "json"
"""The format of the access log that stands for JSONAccessLogger."""

_EPILOG = """\
examples:
  python -m aioweb project.app:app                 an Application
  python -m aioweb project.app:create_app          a function, or a coroutine function, that returns one
  python -m aioweb -H 0.0.0.0 -P 80 -w 4 project.app:app
  python -m aioweb --reload project.app:app        while you work on it (needs watchfiles)
  python -m aioweb --static public                 the files of a folder
  python -m aioweb routes project.app:app          print the table of its routes

signals: TERM and INT stop gracefully, the second one at once; HUP, with --workers, restarts the workers one by one.
"""


class CommandError(Exception):
    """It cannot be done: told in one line, without a traceback."""

    exit_code = 1


class UsageError(CommandError):
    """What was said makes no sense."""

    exit_code = 2


@attrs.frozen(kw_only=True)
class Options:
    """What was said."""

    argv: list[str]
    """All of it, for the workers, which are told the same."""
    command: str
    """`serve` or `routes`."""
    target: str | None
    """`module:attribute`."""
    extra: list[str]
    """Arguments behind the target, for a factory that takes them."""
    host: list[str]
    port: int | None
    path: list[str]
    path_mode: int | None
    fd: list[int]
    tls_cert: str | None
    tls_key: str | None
    tls_ca: str | None
    forwarded: web.TrustedProxies | None
    """Who may speak for their clients."""
    proxy_protocol: list[str]
    """Who has to begin with a PROXY header; nobody has to if it is empty."""
    workers: int
    reload: bool
    reload_dir: list[str]
    loop: str
    access_log: bool
    access_log_format: str | None
    log_level: str
    debug: bool
    limits: dict[str, Any]
    """Those of the application that are to be changed, by their names."""
    when_full: str | None
    shutdown_timeout: float
    static: str | None
    app_dir: str
    check: bool


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see python -m aioweb --help)")


def parse(argv: Sequence[str]) -> Options:
    """Read the arguments. Raises UsageError; SystemExit after `--help` and `--version`."""
    arguments = list(argv)
    command = "serve"
    if arguments[:1] == ["routes"]:
        command = arguments.pop(0)
    found, extra = option_parser().parse_known_args(arguments)
    values = vars(found)
    # What stands behind the target may be for a factory; in front of it, it is a slip.
    before = arguments[: arguments.index(values["target"])] if values["target"] in arguments else arguments
    unknown = [word for word in extra if word.startswith("-") and word in before]
    if unknown:
        raise UsageError(f"unknown option {unknown[0]} (see python -m aioweb --help)")
    if values["target"] is None and values["static"] is None:
        raise UsageError("nothing to serve: name module:app, or a folder with --static (see python -m aioweb --help)")
    if (values["tls_key"] or values["tls_ca"]) and not values["tls_cert"]:
        raise UsageError("--tls-key and --tls-ca need --tls-cert")
    for name, folders in ("reload-dir", values["reload_dir"]), ("app-dir", [values["app_dir"]]):
        for folder in folders:
            if not Path(folder).is_dir():
                raise UsageError(f"--{name} {folder}: there is no such folder")
    if values["access_log_format"] not in (None, JSON):
        try:
            web.AccessLogger(access_logger, values["access_log_format"])
        except ValueError as error:
            raise UsageError(f"--access-log-format: {error}") from None
    values["limits"] = _read_limits(values.pop("limit"))
    values["forwarded"] = _read_proxies(values.pop("trust_proxies"), values.pop("forwarded_fields"))
    if values["proxy_protocol"] and values["tls_cert"]:
        raise UsageError("--proxy-protocol and --tls-cert exclude each other: the proxy has to end TLS")
    return Options(argv=list(argv), command=command, extra=extra, **values)


def option_parser() -> argparse.ArgumentParser:
    """What reads the arguments."""
    parser = _Parser(
        prog="python -m aioweb",
        description="Serve an aioweb application.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("target", nargs="?", metavar="module:app", help="an Application, or a function that returns one")
    add("--version", action="version", version=f"aioweb {__version__}")
    add("--check", action="store_true", help="load the application, say whether that went well, and end")
    add("--static", metavar="DIR", help="serve the files of a folder: alone, or where the application has no route")
    add("--app-dir", default=".", metavar="DIR", help="where modules are looked for first (default: here)")
    add("--debug", action="store_true", help="tracebacks in error pages, debug mode of asyncio; never in production")

    group = parser.add_argument_group("where to listen")
    add = group.add_argument
    add("-H", "--host", action="append", default=[], help="address or name; may be repeated (default: 127.0.0.1)")
    add("-P", "--port", type=_port, help="TCP port, 0 for a free one (default: 8080, with TLS 8443)")
    add("-U", "--path", action="append", default=[], help="Unix socket; may be repeated")
    add("--path-mode", type=_mode, metavar="MODE", help="permissions of Unix sockets, such as 660 (default: by umask)")
    add("--fd", action="append", default=[], type=int, help="a listening socket that is inherited, by its number")
    add("--tls-cert", metavar="FILE", help="TLS with this certificate chain (PEM)")
    add("--tls-key", metavar="FILE", help="its key, if it is not in the same file")
    add("--tls-ca", metavar="FILE", help="demand client certificates that these authorities have signed")

    group = parser.add_argument_group("behind a proxy")
    add = group.add_argument
    add(
        "--trust-proxies",
        type=_networks,
        metavar="NETWORKS",
        help="believe these of their clients: 10.0.0.0/8,::1,unix",
    )
    add("--forwarded-fields", type=_words, metavar="NAMES", help="what they write: X-Forwarded-For,X-Forwarded-Proto")
    add(
        "--proxy-protocol",
        type=_networks,
        default=[],
        metavar="NETWORKS",
        help="demand a PROXY header of these; * is all",
    )

    group = parser.add_argument_group("processes")
    add = group.add_argument
    add("-w", "--workers", type=_positive, default=1, help="processes that serve; the dead are replaced (default: 1)")
    add("--reload", action="store_true", help="start anew when the code changes (needs the package watchfiles)")
    add("--reload-dir", action="append", default=[], metavar="DIR", help="what to watch (default: --app-dir)")
    add("--loop", choices=("auto", "asyncio", "uvloop"), default="auto", help="auto: uvloop if it is installed")
    add(
        "--shutdown-timeout",
        type=_seconds,
        default=60.0,
        metavar="SECONDS",
        help="for requests in flight (default: 60)",
    )

    group = parser.add_argument_group("logs and limits")
    add = group.add_argument
    add("--no-access-log", dest="access_log", action="store_false", help="no line for each request")
    add("--access-log-format", metavar="FORMAT", help="in the dialect of Apache or of gunicorn, or json")
    add("--log-level", choices=("debug", "info", "warning", "error"), default="info")
    add("--when-full", choices=("wait", "refuse"), help="connections over their limit (default: wait)")
    add("--limit", action="append", default=[], metavar="NAME=VALUE", help=f"may be repeated: {_limit_names()}")
    return parser


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _networks(text: str) -> list[str]:
    networks = _words(text)
    try:
        web.TrustedProxies(*networks)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return networks


def _read_proxies(networks: list[str] | None, fields: list[str] | None) -> web.TrustedProxies | None:
    if networks is None:
        if fields is not None:
            raise UsageError("--forwarded-fields needs --trust-proxies")
        return None
    try:
        return web.TrustedProxies(*networks, **({} if fields is None else {"fields": fields}))
    except ValueError as error:
        raise UsageError(f"--forwarded-fields: {error}") from None


def _limit_names() -> str:
    return ", ".join(f"{field.name} ({field.default})" for field in attrs.fields(web.Limits))


def _read_limits(pairs: Sequence[str]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    defaults = attrs.asdict(web.Limits())
    for pair in pairs:
        name, equals, text = pair.partition("=")
        name = name.replace("-", "_")
        if not equals or name not in defaults:
            raise UsageError(f"--limit takes NAME=VALUE, and {pair!r} names no limit; there are {', '.join(defaults)}")
        try:
            is_time = name.endswith(("_timeout", "_time"))
            changes[name] = None if is_time and text == "none" else float(text) if is_time else int(text)
        except ValueError:
            raise UsageError(f"--limit {pair}: {text!r} is no number") from None
    try:
        web.Limits(**changes)
    except ValueError as error:
        raise UsageError(str(error)) from None
    return changes


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port, a number from 0 to 65535")
    return int(text)


def _mode(text: str) -> int:
    try:
        mode = int(text, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o777:
        raise argparse.ArgumentTypeError(f"{text!r} is no mode, an octal number such as 660")
    return mode


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return seconds
