"""What stands around the code: the wheel, the optional C extensions, the Makefile, the pinned tools and CI.

The wheel and the extensions are built by the real setuptools, in a copy of the project.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
PACKAGED = ("setup.py", "pyproject.toml", "README.md", "LICENSE", "aioweb")
HAS_COMPILER = shutil.which("cc") and (Path(sysconfig.get_path("include")) / "Python.h").exists()

needs_compiler = pytest.mark.skipif(not HAS_COMPILER, reason="needs a C compiler and Python.h")
needs_make = pytest.mark.skipif(not shutil.which("make"), reason="needs make")

WHOLE_EXTENSION = """
#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_whole", NULL, -1, NULL};
PyMODINIT_FUNC PyInit__whole(void) { return PyModule_Create(&module); }
"""


def run(*command: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in {"AIOWEB_NO_EXTENSIONS", "MAKEFLAGS"}}
    return subprocess.run(command, cwd=cwd, env=clean | env, capture_output=True, text=True, timeout=120)


def copy_project(target: Path) -> Path:
    """What a source distribution needs; compiled files stay behind."""
    target.mkdir(parents=True, exist_ok=True)
    for name in PACKAGED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__", "*.so", "*.pyd"))
        else:
            shutil.copy2(ROOT / name, target / name)
    return target


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    project = copy_project(tmp_path_factory.mktemp("wheel"))
    build = "import setuptools.build_meta as backend; print(backend.build_wheel('dist'))"
    done = run(sys.executable, "-c", build, cwd=project, AIOWEB_NO_EXTENSIONS="1")
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(next((project / "dist").glob("*.whl")))


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return Parser().parsestr(wheel.read(name).decode("utf-8"))


def requirements(metadata: Message) -> dict[str, set[str]]:
    """{extra: names}; the run-time requirements under ""."""
    found: dict[str, set[str]] = {}
    for line in metadata.get_all("Requires-Dist", []):
        name = re.match(r"[\w.-]+", line)
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", line)
        assert name is not None
        found.setdefault(extra[1] if extra else "", set()).add(name[0].lower())
    return found


# -- the wheel -----------------------------------------------------------------------------------------------------


def test_the_metadata_names_project_version_and_python(metadata: Message) -> None:
    version = re.search(r'__version__ = "(.+)"', (ROOT / "aioweb/_version.py").read_text("utf-8"))
    assert version is not None
    assert metadata["Name"] == "aioweb"
    assert metadata["Version"] == version[1]
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata["License-Expression"] == "Apache-2.0" or metadata["License"] == "Apache-2.0"


def test_the_run_time_requirements_are_multidict_yarl_and_attrs(metadata: Message) -> None:
    assert requirements(metadata)[""] == {"multidict", "yarl", "attrs"}


def test_the_extras_are_speedups_and_testing(metadata: Message) -> None:
    assert {"speedups", "testing"} <= set(metadata.get_all("Provides-Extra", []))
    assert "uvloop" in requirements(metadata)["speedups"]
    assert "pytest" in requirements(metadata)["testing"]


def test_the_wheel_is_typed_and_holds_every_module_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert "aioweb/py.typed" in names
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "aioweb").rglob("*.py")}
    assert modules == {name for name in names if name.endswith(".py")}
    assert {name.partition("/")[0] for name in names} == {"aioweb"}


def test_a_wheel_without_extensions_fits_every_machine(wheel: zipfile.ZipFile) -> None:
    assert str(wheel.filename).endswith("-py3-none-any.whl")


@needs_compiler
def test_a_wheel_with_extensions_has_every_twin_and_a_python_of_its_own(tmp_path: Path) -> None:
    """It is built from the source distribution, as pip does it, so nothing is missing there."""
    project = copy_project(tmp_path / "project")
    build = "import setuptools.build_meta as backend; backend.build_sdist('dist')"
    assert run(sys.executable, "-c", build, cwd=project).returncode == 0
    shutil.unpack_archive(next((project / "dist").glob("*.tar.gz")), tmp_path, filter="data")
    unpacked = next(tmp_path.glob("aioweb-*"))
    build = "import setuptools.build_meta as backend; backend.build_wheel('dist')"
    assert run(sys.executable, "-c", build, cwd=unpacked).returncode == 0
    built = zipfile.ZipFile(next((unpacked / "dist").glob("*.whl")))
    assert f"-cp{sys.version_info.major}{sys.version_info.minor}-" in str(built.filename)
    twins = {path.relative_to(ROOT).with_suffix("").as_posix() for path in (ROOT / "aioweb").rglob("_*.c")}
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    assert {name.removesuffix(suffix) for name in built.namelist() if name.endswith(suffix)} == twins
    assert {name.removesuffix(".pyi") for name in built.namelist() if name.endswith(".pyi")} == twins


# -- optional C extensions -----------------------------------------------------------------------------------------


def build_extensions(tmp_path: Path, sources: dict[str, str], **env: str) -> tuple[str, set[str]]:
    """Build these C files in a copy of the project; gives what was said and the names of what was built."""
    project = copy_project(tmp_path / "project")
    for source in project.rglob("*.c"):
        source.unlink()
    for name, text in sources.items():
        (project / "aioweb/protocol" / name).write_text(text)
    done = run(sys.executable, "setup.py", "build_ext", "--inplace", cwd=project, **env)
    assert done.returncode == 0, done.stderr
    built = {path.name.partition(".")[0] for path in project.rglob("*") if path.suffix in {".so", ".pyd"}}
    return done.stdout + done.stderr, built


def test_an_extension_that_cannot_compile_does_not_fail_the_install(tmp_path: Path) -> None:
    said, built = build_extensions(tmp_path, {"_broken.c": "#error this is not C"})
    assert "aioweb.protocol._broken is left out, its Python twin serves" in said
    assert not built


@needs_compiler
def test_a_broken_extension_does_not_take_the_others_with_it(tmp_path: Path) -> None:
    _, built = build_extensions(tmp_path, {"_broken.c": "#error this is not C", "_whole.c": WHOLE_EXTENSION})
    assert built == {"_whole"}


def test_a_missing_compiler_does_not_fail_the_install(tmp_path: Path) -> None:
    said, built = build_extensions(tmp_path, {"_whole.c": WHOLE_EXTENSION}, CC="/no/such/compiler")
    assert "aioweb.protocol._whole is left out" in said
    assert not built


@needs_compiler
def test_an_environment_variable_leaves_the_extensions_out(tmp_path: Path) -> None:
    _, built = build_extensions(tmp_path / "with", {"_whole.c": WHOLE_EXTENSION}, AIOWEB_NO_EXTENSIONS="0")
    assert built == {"_whole"}
    _, built = build_extensions(tmp_path / "without", {"_whole.c": WHOLE_EXTENSION}, AIOWEB_NO_EXTENSIONS="1")
    assert not built


# -- Makefile, CI, tools -------------------------------------------------------------------------------------------


def documented_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*##\s+\S", MAKEFILE, re.M))


def test_the_makefile_is_short() -> None:
    assert len(MAKEFILE.splitlines()) <= 50


def test_every_target_of_the_makefile_is_documented() -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.M))
    assert targets == documented_targets()
    assert {"run", "test", "bench", "docs", "clean"} <= targets
    phony = re.search(r"^\.PHONY:(.*)$", MAKEFILE, re.M)
    assert phony is not None
    assert set(phony[1].split()) == targets


@needs_make
def test_make_alone_lists_its_targets() -> None:
    done = run("make", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert {line.split()[1] for line in done.stdout.splitlines() if line.startswith("  make ")} == documented_targets()


@needs_make
@pytest.mark.parametrize("step", ["ruff check", "ruff format --check", "mypy", ".ci/tests", ".ci/pythons"])
def test_make_test_takes_every_step(step: str) -> None:
    done = run("make", "--dry-run", "test", cwd=ROOT)
    assert step in done.stdout


def test_the_tests_are_run_by_two_processes_that_leave_nothing_out() -> None:
    script = (ROOT / ".ci/tests").read_text("utf-8")
    listed = re.search(r"^waiting=\((.+)\)$", script, re.M)
    assert listed is not None
    assert all((ROOT / folder).is_dir() for folder in listed[1].split())
    assert "pytest --cov" in script
    assert '\nrun waiting "${waiting[@]}"' in script
    assert '\nrun computing "${waiting[@]/#/--ignore=}"' in script
    assert "report --fail-under=95" in script


def test_other_pythons_are_all_that_are_claimed_but_the_one_of_the_whole_suite() -> None:
    script = (ROOT / ".ci/pythons").read_text("utf-8")
    listed = re.search(r"^for version in (.+); do$", script, re.M)
    assert listed is not None
    claimed = re.search(r"for minor in range\((\d+), (\d+)\)", (ROOT / "setup.py").read_text("utf-8"))
    assert claimed is not None
    assert listed[1].split() == [f"3.{minor}" for minor in range(int(claimed[1]), int(claimed[2])) if minor != 11]


@needs_make
def test_make_docs_takes_warnings_as_errors() -> None:
    assert "sphinx -W" in run("make", "--dry-run", "docs", cwd=ROOT).stdout


def test_the_checks_are_strict() -> None:
    settings = (ROOT / "pyproject.toml").read_text("utf-8")
    assert re.search(r"^\[tool\.mypy\]\nstrict = true", settings, re.M)
    assert re.search(r'^filterwarnings = \["error"', settings, re.M)
    assert re.search(r"^\[tool\.coverage\.run\]\nbranch = true", settings, re.M)


def test_ci_runs_make_test_and_nothing_else() -> None:
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    lines = [line.strip() for line in script.read_text("utf-8").splitlines()]
    commands = [line for line in lines if line and not line.startswith("#")]
    assert [line for line in commands if not re.match(r"(set -|cd )", line)] == [".ci/packages", "exec make test"]


def test_ci_has_every_program_that_a_test_looks_for() -> None:
    folders = (ROOT / "tests/interop", ROOT / "tests/functional")
    tests = "".join(path.read_text("utf-8") for folder in folders for path in folder.glob("*.py"))
    wanted = set(re.findall(r'(?:find_program|shutil\.which)\("([\w-]+)"\)', tests))
    script = (ROOT / ".ci/packages").read_text("utf-8")
    listed = re.search(r"^programs=\((.+)\)$", script, re.M)
    assert listed is not None
    assert set(listed[1].split()) == wanted


@pytest.mark.parametrize("ci", ["", "true"])
def test_packages_are_installed_in_ci_and_nowhere_else(tmp_path: Path, ci: str) -> None:
    commands = tmp_path / "commands"
    # A machine that has nothing but these; the second tells who is asking.
    for name, lines in {"apt-get": f'echo "$*" >> {commands}', "id": "echo 0"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{lines}\n")
        (tmp_path / name).chmod(0o755)
    bash = shutil.which("bash")
    assert bash is not None
    done = run(bash, str(ROOT / ".ci/packages"), cwd=tmp_path, PATH=str(tmp_path), CI=ci)
    assert done.returncode == 0, done.stderr
    if ci:
        install = commands.read_text().splitlines()[-1]
        assert install.endswith(" chromium curl haproxy nginx openssl wrk")
    else:
        assert not commands.exists()


def test_the_development_tools_are_pinned() -> None:
    lines = (ROOT / "requirements-dev.txt").read_text("utf-8").splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    assert wanted
    assert [line for line in wanted if not re.fullmatch(r"[A-Za-z0-9._-]+(\[\w+\])?==[\w.]+( *;.+)?", line)] == []


def test_the_papers_are_there() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text("utf-8")
    version = re.search(r'__version__ = "(.+)"', (ROOT / "aioweb/_version.py").read_text("utf-8"))
    assert version is not None
    assert f"## {version[1]}" in (ROOT / "CHANGES.md").read_text("utf-8")
