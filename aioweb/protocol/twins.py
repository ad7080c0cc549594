"""Whether the twins in C are wanted.

A module of the ground may have a twin: head.py has _head.c. The module is the reference, readable and always there;
the twin does the same in less time, and takes the place of functions of it where it was built. `AIOWEB_NO_EXTENSIONS=1`
in the environment keeps it from being built, and from being used where it was.
"""

import os
from typing import Final

TWINS_WANTED: Final = os.environ.get("AIOWEB_NO_EXTENSIONS") != "1"
"""What stands in C may be used. Read once, when aioweb is imported."""
