"""Opening files: what is no regular file is refused without waiting, and siblings are looked at like files."""

from __future__ import annotations

import gc
import os
import socket
import warnings
from pathlib import Path

import pytest

from aioweb.protocol.fields import ETag
from aioweb.web.openfile import SMALL, NotRegularError, OpenFile, Source, open_regular, open_source

ALL = {"Accept-Encoding": "gzip, br, zstd"}


def write(path: Path, content: bytes, *, seconds: int = 1000) -> Path:
    """A file that was changed so many seconds after the beginning of time."""
    path.write_bytes(content)
    os.utime(path, (seconds, seconds))
    return path


def look(path: Path, headers: dict[str, str] = ALL, **options: bool) -> Source:
    return open_source(str(path), path.name, headers, **options)


# -- opening -----------------------------------------------------------------------------------------------------------


def test_a_file_is_open_and_known(tmp_path: Path) -> None:
    path = write(tmp_path / "a", b"hello")
    with open_regular(str(path)) as file:
        assert file.read() == b"hello"
        assert (file.status.st_size, file.status.st_mtime) == (5, 1000)
        assert not os.get_inheritable(file.fileno())


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        with pytest.raises(NotRegularError):
            open_regular(str(tmp_path / "fifo"))
        with pytest.raises(NotRegularError):
            open_regular("/dev/null")
        with pytest.raises(IsADirectoryError):
            open_regular(str(tmp_path))
        with pytest.raises(OSError):
            open_regular(str(tmp_path / "socket"))
    with pytest.raises(FileNotFoundError):
        open_regular(str(tmp_path / "missing"))
    with pytest.raises(ValueError):
        open_regular("a\0b")


def test_refusals_leave_no_descriptor_open(tmp_path: Path) -> None:
    before = len(os.listdir("/dev/fd"))
    for _ in range(10):
        with pytest.raises(IsADirectoryError):
            open_regular(str(tmp_path))
    assert len(os.listdir("/dev/fd")) == before


def test_a_link_is_followed_if_that_is_wanted(tmp_path: Path) -> None:
    write(tmp_path / "a", b"hello")
    (tmp_path / "link").symlink_to("a")
    open_regular(str(tmp_path / "link")).close()
    with pytest.raises(OSError):
        open_regular(str(tmp_path / "link"), follow=False)


def test_a_file_that_is_dropped_closes_itself_in_silence(tmp_path: Path) -> None:
    path = write(tmp_path / "a", b"hello")
    file: OpenFile | None = open_regular(str(path))
    assert file is not None
    descriptor = file.fileno()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        file = None
        gc.collect()
    with pytest.raises(OSError):
        os.fstat(descriptor)


# -- what is known of it -----------------------------------------------------------------------------------------------


def test_a_small_file_is_read_and_closed(tmp_path: Path) -> None:
    source = look(write(tmp_path / "a.txt", b"x" * SMALL))
    assert source.content == b"x" * SMALL
    assert source.file.closed


def test_a_large_file_stays_open(tmp_path: Path) -> None:
    source = look(write(tmp_path / "a.txt", b"x" * (SMALL + 1)))
    assert source.content is None
    assert source.size == SMALL + 1
    source.close()
    assert source.file.closed


def test_a_file_that_is_not_asked_for_is_not_read(tmp_path: Path) -> None:
    source = look(write(tmp_path / "a.txt", b"hello"), load=False)
    assert source.content is None
    assert source.size == 5
    source.close()


def test_the_tag_changes_with_time_size_and_coding() -> None:
    def tag(size: int, time: int | None, coding: str | None = None) -> ETag | None:
        return Source(None, size, time, "text/plain", coding).etag

    tags = [tag(1, 1), tag(2, 1), tag(1, 2), tag(1, 1, "gzip"), tag(1, 1, "br"), tag(0x11, 0), tag(0x1, 0x1_1)]
    assert len(set(tags)) == len(tags)
    assert all(tag is not None and not tag.is_weak for tag in tags)
    assert tag(1, None) is None


# -- siblings ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """A file with all siblings, each with a content of its own."""
    path = write(tmp_path / "a.js", b"plain")
    for suffix in (".zst", ".br", ".gz"):
        write(Path(f"{path}{suffix}"), suffix.encode())
    return path


@pytest.mark.parametrize(
    ("accepted", "content", "coding"),
    [
        ("gzip, br, zstd", b".zst", "zstd"),
        ("gzip, br", b".br", "br"),
        ("gzip", b".gz", "gzip"),
        ("gzip;q=1, br;q=0.5", b".gz", "gzip"),
        ("gzip;q=0", b"plain", None),
        ("deflate", b"plain", None),
        ("identity", b"plain", None),
        ("*", b".zst", "zstd"),
        ("*;q=0", b"plain", None),
        ("nonsense;;;", b"plain", None),
    ],
)
def test_the_client_chooses_the_sibling(packed: Path, accepted: str, content: bytes, coding: str | None) -> None:
    source = look(packed, {"Accept-Encoding": accepted})
    assert (source.content, source.coding, source.varies) == (content, coding, True)
    assert source.content_type == "text/javascript; charset=utf-8"
    assert source.size == len(content)


def test_who_names_no_coding_gets_none(packed: Path) -> None:
    source = look(packed, {})
    assert (source.content, source.coding, source.varies) == (b"plain", None, True)


def test_a_download_has_no_siblings(packed: Path) -> None:
    source = look(packed, unpack=False)
    assert (source.content, source.coding, source.varies) == (b"plain", None, False)


def test_a_packed_file_has_no_siblings(packed: Path) -> None:
    packed.with_name("a.js.gz.br").write_bytes(b"twice")
    source = look(packed.with_name("a.js.gz"))
    assert (source.content, source.coding, source.varies) == (b".gz", "gzip", False)


def test_an_old_sibling_is_another_content(packed: Path) -> None:
    os.utime(packed, (1001, 1001))
    assert look(packed).content == b"plain"
    os.utime(packed.with_name("a.js.gz"), (1001, 1001))
    assert look(packed).content == b".gz"


def test_a_sibling_that_is_no_regular_file_is_none(packed: Path, tmp_path: Path) -> None:
    secret = write(tmp_path / "secret", b"secret", seconds=2000)
    for suffix in (".zst", ".br", ".gz"):
        Path(f"{packed}{suffix}").unlink()
    packed.with_name("a.js.zst").symlink_to(secret)
    packed.with_name("a.js.br").mkdir()
    os.mkfifo(packed.with_name("a.js.gz"))
    source = look(packed)
    assert (source.content, source.varies) == (b"plain", False)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_sibling_that_may_not_be_read_is_none(packed: Path) -> None:
    for suffix in (".zst", ".br", ".gz"):
        Path(f"{packed}{suffix}").chmod(0)
    assert look(packed).content == b"plain"


def test_a_sibling_that_goes_meanwhile_is_none(packed: Path) -> None:
    opened = []

    def opener(path: str, *, dir_fd: int | None, follow: bool) -> OpenFile:
        opened.append(path)
        if path.endswith(".zst"):
            raise FileNotFoundError(path)
        return open_regular(path, dir_fd=dir_fd, follow=follow)

    source = open_source(str(packed), "a.js", ALL, opener=opener)
    assert (source.content, source.coding) == (b"plain", None)
    assert opened == [str(packed), f"{packed}.zst"]
