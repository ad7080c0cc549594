"""Folders: which names are asked for on no system, and that links and races lead nobody out."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioweb.web.folder import MOST_ENTRIES, Folder, is_plain_name, split_path
from aioweb.web.paths import match_form

REFUSED = [
    "..",
    ".",
    "...",
    "../secret",
    "a/../secret",
    "a/..",
    "./a",
    "a/./b",
    "a//b",
    "//a",
    "a/b//",
    "%2e%2e/secret",
    "%2E%2E%2Fsecret",
    "..%2fsecret",
    "..%5csecret",
    "..\\secret",
    "a\\b",
    "%5c%5chost%5cshare",
    "%2fetc%2fpasswd",
    "/%2fetc/passwd",
    "a%2fb",
    "a%00",
    "%00",
    "a.txt%00.html",
    "C:/windows",
    "c:windows",
    "C:",
    "sub/C:",
    "NUL",
    "nul.txt",
    "aux",
    "AUX.html.js",
    "con",
    "prn.",
    "com1",
    "COM9.txt",
    "com%C2%B9",
    "lpt0",
    "CONIN$",
    "conout$.x",
    "nul:",
    "nul .txt",
    "a./b",
    "a.",
    "a ",
    "a%20",
    ".git/config",
    ".env",
    ".htaccess",
    "sub/.hidden",
]
SERVED = {
    "": (),
    "/": (),
    "/a": ("a",),
    "a/": ("a",),
    "/a/b/c.txt": ("a", "b", "c.txt"),
    "a%20b": ("a b",),
    "%25": ("%",),
    "%252e%252e": ("%2e%2e",),
    "a%7Bb%7D": ("a{b}",),
    ".well-known/security.txt": (".well-known", "security.txt"),
    "a..b": ("a..b",),
    "..a": None,
    "nulls": ("nulls",),
    "com10": ("com10",),
    "console.js": ("console.js",),
    "auxiliary": ("auxiliary",),
    "ab:c": ("ab:c",),
    "плоский/%D1%84": ("плоский", "ф"),
    "-": ("-",),
    "~": ("~",),
    "a\nb": ("a\nb",),
}


@pytest.mark.parametrize("path", REFUSED)
def test_a_path_is_refused(path: str) -> None:
    assert split_path(match_form(path)) is None


@pytest.mark.parametrize(("path", "names"), SERVED.items())
def test_a_path_is_taken_apart(path: str, names: tuple[str, ...] | None) -> None:
    assert split_path(match_form(path)) == names


def test_hidden_names_are_served_if_that_is_wanted() -> None:
    assert split_path(".git/config", hidden=True) == (".git", "config")
    assert split_path("../x", hidden=True) is None


@given(st.text(max_size=30))
def test_no_text_makes_a_name_that_leads_anywhere(path: str) -> None:
    for name in split_path(match_form(path)) or ():
        assert is_plain_name(name)
        assert name not in ("", ".", "..")
        assert not set(name) & set("/\\\0")
        assert os.path.normpath(os.path.join("/folder", name)) == f"/folder/{name}"


# -- opening -----------------------------------------------------------------------------------------------------------


@pytest.fixture(params=[True, False], ids=["by descriptors", "by path"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tree of the tests, walked in both ways."""
    monkeypatch.setattr(Folder, "by_descriptors", request.param)
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "folder-private").mkdir()
    (tmp_path / "folder-private" / "a").write_bytes(b"secret")
    folder = tmp_path / "folder"
    (folder / "sub" / "deep").mkdir(parents=True)
    for path in ("a", "sub/b", "sub/deep/c"):
        (folder / path).write_bytes(path.encode())
    return folder


def content(folder: Path, *names: str, follow: bool = False) -> bytes | None:
    return Folder(folder, follow_symlinks=follow).open(names, {}).content


@pytest.mark.parametrize("follow", [False, True])
def test_files_are_opened_at_any_depth(folder: Path, follow: bool) -> None:
    assert content(folder, "a", follow=follow) == b"a"
    assert content(folder, "sub", "b", follow=follow) == b"sub/b"
    assert content(folder, "sub", "deep", "c", follow=follow) == b"sub/deep/c"


@pytest.mark.parametrize("follow", [False, True])
@pytest.mark.parametrize("names", [("x",), ("sub", "x"), ("x", "y"), ("a", "b"), ("sub", "b", "c"), ("x" * 300,)])
def test_what_is_not_there_is_an_error_of_the_system(folder: Path, names: tuple[str, ...], follow: bool) -> None:
    with pytest.raises(OSError):
        content(folder, *names, follow=follow)


@pytest.mark.parametrize("follow", [False, True])
def test_a_folder_is_no_file(folder: Path, follow: bool) -> None:
    for names in ((), ("sub",), ("sub", "deep")):
        with pytest.raises(IsADirectoryError):
            content(folder, *names, follow=follow)


LINKS: dict[str, Callable[[Path], tuple[str, ...]]] = {}


def link(make: Callable[[Path], tuple[str, ...]]) -> Callable[[Path], tuple[str, ...]]:
    LINKS[make.__name__] = make
    return make


@link
def to_a_file(folder: Path) -> tuple[str, ...]:
    (folder / "link").symlink_to("../secret")
    return ("link",)


@link
def to_an_absolute_path(folder: Path) -> tuple[str, ...]:
    (folder / "link").symlink_to("/etc/hostname")
    return ("link",)


@link
def to_the_folder_above(folder: Path) -> tuple[str, ...]:
    (folder / "link").symlink_to("..")
    return ("link", "secret")


@link
def to_a_folder_with_the_same_beginning(folder: Path) -> tuple[str, ...]:
    (folder / "link").symlink_to("../folder-private")
    return ("link", "a")


@link
def to_a_file_from_the_depth(folder: Path) -> tuple[str, ...]:
    (folder / "sub" / "deep" / "link").symlink_to("../../../secret")
    return ("sub", "deep", "link")


@link
def in_the_middle_of_the_way(folder: Path) -> tuple[str, ...]:
    (folder / "sub" / "link").symlink_to("../..")
    return ("sub", "link", "folder-private", "a")


@link
def through_another_link(folder: Path) -> tuple[str, ...]:
    (folder / "first").symlink_to("second")
    (folder / "second").symlink_to("../secret")
    return ("first",)


@link
def to_itself(folder: Path) -> tuple[str, ...]:
    (folder / "link").symlink_to("link")
    return ("link",)


@link
def to_nothing(folder: Path) -> tuple[str, ...]:
    (folder / "link").symlink_to("missing")
    return ("link",)


@pytest.mark.parametrize("follow", [False, True])
@pytest.mark.parametrize("make", LINKS.values(), ids=LINKS)
def test_a_link_leads_nobody_out(folder: Path, make: Callable[[Path], tuple[str, ...]], follow: bool) -> None:
    names = make(folder)
    with pytest.raises((OSError, ValueError)):
        content(folder, *names, follow=follow)


def test_links_that_stay_inside_are_followed_if_that_is_wanted(folder: Path) -> None:
    (folder / "link").symlink_to("sub")
    (folder / "file").symlink_to("sub/deep/c")
    (folder / "root").symlink_to(".")
    for names, expected in [(("link", "b"), b"sub/b"), (("file",), b"sub/deep/c"), (("root", "a"), b"a")]:
        assert content(folder, *names, follow=True) == expected
        with pytest.raises(OSError):
            content(folder, *names)
    with pytest.raises(IsADirectoryError):
        content(folder, "root", follow=True)


def test_the_folder_itself_may_be_a_link_and_be_replaced(folder: Path, tmp_path: Path) -> None:
    current = tmp_path / "current"
    current.symlink_to(folder)
    for follow in (False, True):
        served = Folder(current, follow_symlinks=follow)
        assert served.open(("sub", "b"), {}).content == b"sub/b"
        current.unlink()
        current.symlink_to(tmp_path / "folder-private")
        assert served.open(("a",), {}).content == b"secret"
        current.unlink()
        current.symlink_to(folder)


def test_a_link_that_comes_between_look_and_open_is_not_followed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The race: the path is resolved, then a folder in it becomes a link, then the file is opened."""
    (tmp_path / "evil" / "deep").mkdir(parents=True)
    (tmp_path / "evil" / "deep" / "c").write_bytes(b"secret")
    resolve = os.path.realpath
    swapped = []

    def swap(path: str, **options: bool) -> str:
        resolved = resolve(path, **options)
        if resolved.endswith("/c") and not swapped:
            swapped.append(path)
            (folder / "sub").rename(folder / "away")
            (folder / "sub").symlink_to(tmp_path / "evil")
        return resolved

    monkeypatch.setattr(os.path, "realpath", swap)
    with pytest.raises(OSError):
        content(folder, "sub", "deep", "c", follow=True)
    assert swapped


def test_no_descriptor_stays_open(folder: Path) -> None:
    served = Folder(folder)
    before = len(os.listdir("/dev/fd"))
    for names in (("sub", "deep", "c"), ("sub", "x", "y"), ("sub", "b", "c"), ("sub", "deep")):
        try:
            served.open(names, {})
        except OSError:
            pass
    served.list(("sub",))
    with pytest.raises(OSError):
        served.list(("sub", "b"))
    assert len(os.listdir("/dev/fd")) == before


def test_a_folder_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "missing", tmp_path / "file"):
        with pytest.raises(ValueError, match="there is no folder"):
            Folder(path)


def test_a_relative_folder_stays_where_it_was(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    served = Folder("sub")
    monkeypatch.chdir("/")
    assert served.open(("b",), {}).content == b"sub/b"


# -- lists -------------------------------------------------------------------------------------------------------------


def test_a_list_has_what_can_be_asked_for(folder: Path) -> None:
    for name in (".hidden", ".well-known", "nul.txt", "b\\c", "end."):
        (folder / name).write_bytes(b"")
    os.mkfifo(folder / "fifo")
    (folder / "in").symlink_to("a")
    (folder / "out").symlink_to("../secret")
    (folder / "dead").symlink_to("missing")
    with open(os.fsencode(folder) + b"/\xff", "wb"):
        pass
    assert Folder(folder).list(()) == [("sub", True), (".well-known", False), ("a", False)]
    assert ("in", False) in Folder(folder, follow_symlinks=True).list(())
    assert (".hidden", False) in Folder(folder).list((), hidden=True)
    assert Folder(folder).list(("sub",)) == [("deep", True), ("b", False)]
    assert Folder(folder).list(("sub", "deep")) == [("c", False)]


@pytest.mark.parametrize("follow", [False, True])
@pytest.mark.parametrize("names", [("a",), ("missing",), ("up",), ("up", "folder-private")])
def test_what_is_no_folder_inside_has_no_list(folder: Path, names: tuple[str, ...], follow: bool) -> None:
    (folder / "up").symlink_to("..")
    with pytest.raises((OSError, ValueError)):
        Folder(folder, follow_symlinks=follow).list(names)


def test_a_list_is_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_ENTRIES <= 10_000
    monkeypatch.setattr("aioweb.web.folder.MOST_ENTRIES", 2)
    for number in range(5):
        (folder / "sub" / "deep" / str(number)).touch()
    assert len(Folder(folder).list(("sub", "deep"))) == 2
