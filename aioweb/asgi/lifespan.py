"""A mounted application starts and ends: the lifespan of ASGI, from the side of the server."""

from __future__ import annotations

import asyncio
from typing import Any

from aioweb.asgi.contract import ASGIApplication, Message
from aioweb.log import web_logger


class LifespanFailed(RuntimeError):
    """A mounted application could not start or end; it says why."""


class Lifespan:
    """The lifespan of one application, in a task of its own. It may be run again and again.

    Args:
        app: the application.
        wanted: None lets it do without one, True makes that an error, False does not ask.
    """

    def __init__(self, app: ASGIApplication, wanted: bool | None) -> None:
        self._app = app
        self._wanted = wanted
        self._task: asyncio.Task[None] | None = None
        self._to_tell: asyncio.Queue[Message] = asyncio.Queue()
        self._told: asyncio.Future[Message] | None = None
        self._asked = ""
        self.state: dict[str, Any] | None = None
        """What the application keeps for its requests; None as long as no lifespan runs."""

    async def start(self) -> None:
        """Let it start. Raises LifespanFailed if it says that it cannot, or has no lifespan though one is wanted."""
        if self._wanted is False:
            return
        state: dict[str, Any] = {}
        self._to_tell = asyncio.Queue()
        self._task = asyncio.ensure_future(self._run(state))
        answer = await self._ask("startup")
        if answer is None:
            error = await self._end()
            if self._wanted:
                raise LifespanFailed(f"{self._app!r} has no lifespan") from error
            web_logger.info("%r has no lifespan: %s", self._app, "it returned" if error is None else repr(error))
        elif answer["type"] == "lifespan.startup.failed":
            raise LifespanFailed(f"{self._app!r} does not start: {answer.get('message', '')}") from await self._end()
        else:
            self.state = state

    async def stop(self) -> None:
        """Let it end. Raises LifespanFailed if it says that it cannot, and what it raises."""
        if self._task is None:
            return
        self.state = None
        answer = await self._ask("shutdown")
        error = await self._end()
        if answer is not None and answer["type"] == "lifespan.shutdown.failed":
            raise LifespanFailed(f"{self._app!r} does not end well: {answer.get('message', '')}") from error
        if error is not None:
            raise error

    async def _run(self, state: dict[str, Any]) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": state}
        await self._app(scope, self._to_tell.get, self._hear)

    async def _hear(self, message: Message) -> None:
        answers = (f"lifespan.{self._asked}.complete", f"lifespan.{self._asked}.failed")
        if self._told is not None and not self._told.done() and message["type"] in answers:
            self._told.set_result(message)
        elif message["type"] != "lifespan.shutdown.failed":  # some say that when they fail in the middle, and raise
            raise RuntimeError(f"{message['type']!r} was not asked for")

    async def _ask(self, what: str) -> Message | None:
        """The answer of the application; None if it ends without one."""
        assert self._task is not None, "it was started"
        task, told = self._task, asyncio.get_running_loop().create_future()
        self._told, self._asked = told, what
        self._to_tell.put_nowait({"type": f"lifespan.{what}"})
        try:
            either: list[asyncio.Future[Any]] = [task, told]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            task.cancel()
            raise
        return told.result() if told.done() else None

    async def _end(self) -> BaseException | None:
        """Wait for the end of the task; returns what it has raised."""
        assert self._task is not None, "it was started"
        task, self._task = self._task, None
        await asyncio.wait([task])
        return None if task.cancelled() else task.exception()
