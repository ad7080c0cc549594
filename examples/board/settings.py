"""What can be set from outside, with its defaults."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import attrs

from aioweb import web


@attrs.frozen(kw_only=True)
class Settings:
    """The settings of the board."""

    database: str = "board.sqlite3"
    """BOARD_DATABASE: a file, made when it is missing; `:memory:` forgets everything at the end."""
    pictures: str | None = None
    """BOARD_PICTURES: a folder, made when it is missing; by default `board.pictures` beside `board.sqlite3`, and a
    temporary one for a database that forgets."""
    host: str = "127.0.0.1"
    """BOARD_HOST."""
    port: int = 8080
    """BOARD_PORT: 0 takes one that is free."""

    @property
    def pictures_folder(self) -> Path | None:
        """Where pictures are kept; None for a temporary folder."""
        if self.pictures is not None:
            return Path(self.pictures)
        return None if self.database == ":memory:" else Path(self.database).with_suffix(".pictures")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Read the variables named above. Raises ValueError for a port that is none."""
        default = cls()
        port = environment.get("BOARD_PORT", str(default.port))
        if not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535:
            raise ValueError(f"BOARD_PORT must be a number from 0 to 65535, not {port!r}")
        return cls(
            database=environment.get("BOARD_DATABASE", default.database),
            pictures=environment.get("BOARD_PICTURES"),
            host=environment.get("BOARD_HOST", default.host),
            port=int(port),
        )


SETTINGS = web.AppKey("settings", Settings)
"""Where the application keeps its settings."""
