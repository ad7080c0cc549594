"""Messages on sqlite3. The database has one thread of its own, so that it never holds up the loop."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from typing import Any, TypeVar

import attrs

from aioweb import web
from examples.board.messages import Draft, Message

PAGE_SIZE = 10

_T = TypeVar("_T")

_SCHEMA = """
    CREATE TABLE IF NOT EXISTS message (
        id      INTEGER PRIMARY KEY AUTOINCREMENT,
        author  TEXT NOT NULL,
        text    TEXT NOT NULL,
        created INTEGER NOT NULL,  -- seconds since 1970, UTC
        picture TEXT
    )
"""
_COLUMNS = "id, author, text, created, picture"
_BATCH = 100
"""Messages that are read at once for somebody who was away."""
_WELCOME = Draft(
    author="The board",
    text="Welcome!\n\nThis is a small application on aioweb: pages, a form and a JSON API on sqlite3. "
    "Its source is in examples/board. Go on, write something.",
)


@attrs.frozen
class Page:
    """One page of the list, the newest messages first."""

    number: int
    """From 1."""
    count: int
    """How many pages there are, at least 1."""
    total: int
    """Messages on all pages."""
    messages: list[Message]


class Storage:
    """Every message of the board. Made by `open_storage`, and open as long as its context."""

    def __init__(self, connection: sqlite3.Connection, executor: ThreadPoolExecutor) -> None:
        self._connection = connection
        self._executor = executor
        self._added = asyncio.Event()

    async def prepare(self) -> None:
        """Make the table, and put the first message into an empty one."""
        await self._run(self._prepare)

    async def add(self, draft: Draft, picture: str | None = None) -> Message:
        """Store a message and return it with its number. It does not look for problems."""
        message = await self._run(lambda: self._add(draft, picture))
        self._added.set()
        self._added = asyncio.Event()
        return message

    async def message(self, id: int) -> Message | None:
        """The message with this number, None if there is none."""
        return await self._run(lambda: self._message(id))

    async def page(self, number: int) -> Page:
        """A page of the list; one behind the last has no messages."""
        return await self._run(lambda: self._page(number))

    async def latest(self) -> int:
        """The number of the newest message, 0 without one."""
        return await self._run(self._latest)

    async def follow(self, id: int) -> AsyncGenerator[tuple[Message, int], None]:
        """Every message after this number, those to come as well, each with how many there are. It never ends.

        It hears of what this process adds; several processes would need a database that can tell them.
        """
        while True:
            added = self._added  # before looking, so that nothing can fall between
            messages, total = await self._run(lambda: self._after(id))  # noqa: B023  # it is awaited here
            for message in messages:
                id = message.id
                yield message, total
            if not messages:
                await added.wait()

    async def _run(self, function: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, function)

    # -- in the thread ---------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        with self._connection:
            self._connection.execute(_SCHEMA)
            columns = self._connection.execute("SELECT name FROM pragma_table_info('message')")
            if ("picture",) not in columns.fetchall():  # it was made before messages had pictures
                self._connection.execute("ALTER TABLE message ADD COLUMN picture TEXT")
        if self._count() == 0:
            self._add(_WELCOME, None)

    def _count(self) -> int:
        total: int = self._connection.execute("SELECT count(*) FROM message").fetchone()[0]
        return total

    def _latest(self) -> int:
        latest: int = self._connection.execute("SELECT coalesce(max(id), 0) FROM message").fetchone()[0]
        return latest

    def _add(self, draft: Draft, picture: str | None) -> Message:
        created = datetime.now(timezone.utc).replace(microsecond=0)
        with self._connection:
            cursor = self._connection.execute(
                "INSERT INTO message (author, text, created, picture) VALUES (?, ?, ?, ?)",
                (draft.author, draft.text, int(created.timestamp()), picture),
            )
        assert cursor.lastrowid is not None, "an INSERT has a number"
        return Message(cursor.lastrowid, draft.author, draft.text, created, picture)

    def _message(self, id: int) -> Message | None:
        row = self._connection.execute(f"SELECT {_COLUMNS} FROM message WHERE id = ?", (id,)).fetchone()
        return None if row is None else _read(row)

    def _after(self, id: int) -> tuple[list[Message], int]:
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM message WHERE id > ? ORDER BY id LIMIT ?", (id, _BATCH)
        )
        return [_read(row) for row in rows], self._count()

    def _page(self, number: int) -> Page:
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM message ORDER BY id DESC LIMIT ? OFFSET ?",
            (PAGE_SIZE, PAGE_SIZE * (number - 1)),
        )
        messages = [_read(row) for row in rows]
        total = self._count()
        return Page(number=number, count=max(1, -(-total // PAGE_SIZE)), total=total, messages=messages)


def _read(row: tuple[Any, ...]) -> Message:
    id, author, text, created, picture = row
    return Message(id, author, text, datetime.fromtimestamp(created, timezone.utc), picture)


@asynccontextmanager
async def open_storage(database: str) -> AsyncIterator[Storage]:
    """Open the database within a block. Raises sqlite3.Error if it cannot be opened."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="board-storage") as executor:
        # sqlite3 wants a connection to be used in the thread that has opened it.
        connection = await loop.run_in_executor(executor, sqlite3.connect, database)
        try:
            storage = Storage(connection, executor)
            await storage.prepare()
            yield storage
        finally:
            await loop.run_in_executor(executor, connection.close)


STORAGE = web.AppKey("storage", Storage)
"""Where the application keeps its storage."""
