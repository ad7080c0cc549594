"""heap.py: what reading costs in pages."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

READS = 500
SCRIPT = f"""
import resource, socket
from aioweb.server.heap import keep_freed_blocks
keep_freed_blocks()
ours, theirs = socket.socketpair()
def read(times):
    for _ in range(times):
        theirs.send(b"GET / HTTP/1.1")
        assert ours.recv(262144) == b"GET / HTTP/1.1"
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
before = read(10)
print(read({READS}) - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only the allocator of glibc maps what is read into")
def test_reading_into_large_blocks_faults_no_pages() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < READS / 10  # without it, two for each
