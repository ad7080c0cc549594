"""From `module:app` to an application: import, look up, call if it is a factory, and make sure of the result."""

from __future__ import annotations

import asyncio
import difflib
import importlib
import inspect
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import attrs

from aioweb import web
from aioweb.cli.options import CommandError, Options, UsageError

Loaded = web.Application | Awaitable[web.Application]
"""An application, or a coroutine that makes it in its loop."""


def load(options: Options) -> Loaded:
    """The application that the options name. Raises CommandError, and what its module raises when it is imported."""
    app: Loaded
    if options.target is None:
        app = web.Application()
    else:
        app = _make(_find(options.target, options.app_dir), options.target, options.extra)
    if options.static is not None and not Path(options.static).is_dir():
        raise UsageError(f"--static {options.static}: there is no such folder")
    return _complete(app, options) if isinstance(app, web.Application) else _complete_later(app, options)


def check(options: Options) -> None:
    """Load the application, and make it if it has to be made in a loop. Raises what `load` raises."""
    app = load(options)
    if not isinstance(app, web.Application):
        asyncio.run(wait_for(app))


async def wait_for(app: Awaitable[web.Application]) -> web.Application:
    """`asyncio.run` takes coroutines only."""
    return await app


def _find(target: str, app_dir: str) -> Any:
    module_name, colon, path = target.partition(":")
    path = path if colon else "app"
    if not module_name or not path or module_name.startswith("."):
        raise UsageError(f"{target!r} is not module:app, as in project.app:app")
    folder = os.path.abspath(app_dir)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        # Only if the module itself is missing; what it imports in vain is its own error, with a traceback.
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        hint = "; name a module, as in project.app:app" if "/" in module_name or module_name.endswith(".py") else ""
        raise CommandError(f"there is no module {error.name!r} in {folder} or on the path of Python{hint}") from None
    for name in path.split("."):
        if not hasattr(found, name):
            near = difflib.get_close_matches(name, [key for key in dir(found) if not key.startswith("_")], 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise CommandError(f"{module_name} has no {path!r}{hint}")
        found = getattr(found, name)
    return found


def _make(found: Any, target: str, extra: list[str]) -> Loaded:
    if isinstance(found, web.Application):
        if extra:
            raise UsageError(f"{target} is an application: nobody takes {' '.join(extra)!r}")
        return found
    if not callable(found):
        raise CommandError(f"{target} is neither an Application nor a function that returns one, but {found!r:.100}")
    if _takes(found) and not extra:
        made = found()
    elif _takes(found, extra):
        made = found(extra)
    elif extra:
        raise UsageError(f"{target} takes no arguments: nobody takes {' '.join(extra)!r}")
    else:
        raise CommandError(f"{target}{inspect.signature(found)} takes more than a list of arguments")
    return _check_later(made, target) if inspect.isawaitable(made) else _check(made, target)


def _takes(factory: Callable[..., Any], *arguments: object) -> bool:
    try:
        inspect.signature(factory).bind(*arguments)
    except TypeError:
        return False
    except ValueError:
        pass  # something built in that does not tell
    return True


def _check(made: Any, target: str) -> web.Application:
    if not isinstance(made, web.Application):
        raise CommandError(f"{target} must return an Application, not {made!r:.100}")
    return made


async def _check_later(made: Awaitable[Any], target: str) -> web.Application:
    return _check(await made, target)


def _complete(app: web.Application, options: Options) -> web.Application:
    """Add what the command line says beyond the application."""
    if options.static is not None:
        app.router.add_static("/", options.static, index="index.html")
    app.limits = attrs.evolve(app.limits, **options.limits)
    return app


async def _complete_later(app: Awaitable[web.Application], options: Options) -> web.Application:
    return _complete(await app, options)
