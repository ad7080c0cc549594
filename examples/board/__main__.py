"""`python -m examples.board`: serve until Ctrl-C. What can be set: settings.py."""

import logging
import sys

from aioweb import web
from examples.board.application import create_app
from examples.board.settings import Settings


def main() -> None:
    """Serve the board."""
    try:
        settings = Settings.from_environment()
    except ValueError as error:
        sys.exit(f"{error}")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    web.run_app(create_app(settings), host=settings.host, port=settings.port)


if __name__ == "__main__":
    main()
