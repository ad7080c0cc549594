"""Packaging of aioweb.

Optional C extensions may fail to build without failing the install:
each has a pure Python twin. AIOWEB_NO_EXTENSIONS=1 leaves them out on purpose.
"""

import os
import pathlib
import re

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

HERE = pathlib.Path(__file__).parent
VERSION = re.search(r'^__version__ = "([^"]+)"', (HERE / "aioweb/_version.py").read_text("utf-8"), re.M)
assert VERSION is not None, "aioweb/_version.py has no __version__"


class OptionalBuildExt(build_ext):
    """Build what can be built; a missing compiler costs speed, never the installation."""

    def run(self) -> None:
        try:
            super().run()
        except Exception as exc:
            print(f"aioweb: C extensions are left out, the Python twins serve ({exc})")

    def build_extension(self, ext: Extension) -> None:
        try:
            super().build_extension(ext)
        except Exception as exc:
            print(f"aioweb: {ext.name} is left out, its Python twin serves ({exc})")


def extensions() -> list[Extension]:
    """One extension per C source: aioweb/protocol/_head.c is aioweb.protocol._head."""
    if os.environ.get("AIOWEB_NO_EXTENSIONS") == "1":
        return []
    return [
        Extension(".".join(path.relative_to(HERE).with_suffix("").parts), [str(path.relative_to(HERE))])
        for path in sorted((HERE / "aioweb").rglob("_*.c"))
    ]


setup(
    name="aioweb",
    version=VERSION.group(1),
    description="The aiohttp.web API on a strict, fast, hand-written HTTP/1.1 server",
    long_description=(HERE / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["aioweb", "aioweb.*"]),
    package_data={"aioweb": ["py.typed", "protocol/*.pyi", "protocol/websocket/*.pyi"]},
    install_requires=["multidict>=6.0", "yarl>=1.12", "attrs>=22.2"],
    extras_require={
        "speedups": [
            "uvloop>=0.19; sys_platform != 'win32' and implementation_name == 'cpython'",
            "brotli>=1.2",
            "backports.zstd>=1.0; python_version < '3.14'",
        ],
        "gunicorn": ["gunicorn>=22"],
        "reload": ["watchfiles>=0.21"],
        "testing": ["pytest>=8", "pytest-asyncio>=0.24", "httpx>=0.27", "wsproto>=1.2"],
    },
    entry_points={"pytest11": ["aioweb = aioweb.testing.plugin"]},
    ext_modules=extensions(),
    cmdclass={"build_ext": OptionalBuildExt},
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Framework :: AsyncIO",
        "Intended Audience :: Developers",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3",
        *(f"Programming Language :: Python :: 3.{minor}" for minor in range(10, 15)),
        "Topic :: Internet :: WWW/HTTP :: HTTP Servers",
        "Typing :: Typed",
    ],
)
