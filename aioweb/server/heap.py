"""The heap of the process: memory that was read into is kept for what is read next.

asyncio asks for 256 KiB for each read, and gives back what the socket did not fill. glibc serves blocks above 128 KiB
by mapping pages, until it sees a larger one freed: a read is then three system calls more (mmap, mremap, munmap) and
two page faults, 20 of the 55 us of a small request. So one large block is freed at the start: from then on blocks up to
its size come from the heap, and twice as much of that is kept when it falls idle (mallopt(3), M_MMAP_THRESHOLD).
"""

from __future__ import annotations

from typing import Final

_LARGEST: Final = 4194304
"""Bytes: some connections' reads with the messages that come of them. Pages that nobody writes to cost no memory."""


def keep_freed_blocks() -> None:
    """Let blocks of the size of a read come from the heap. Costs 10 us; other allocators than glibc's do not mind."""
    bytes(_LARGEST)
