"""`python -m aioweb`: see aioweb.cli."""

import sys

from aioweb.cli import main

if __name__ == "__main__":
    sys.exit(main())
