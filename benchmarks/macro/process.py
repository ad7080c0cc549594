"""What the kernel knows about a server: CPU time and memory of a process with all its descendants (Linux, /proc)."""

from __future__ import annotations

import os
import pathlib
import time

_PAGE = os.sysconf("SC_PAGE_SIZE")


def tree(root: int) -> list[int]:
    """The process `root` and its living descendants: granian serves from a child of the process that was started."""
    children: dict[int, list[int]] = {}
    for pid in (int(entry.name) for entry in pathlib.Path("/proc").iterdir() if entry.name.isdigit()):
        status = _status(pid)
        if status:
            children.setdefault(int(status[1]), []).append(pid)
    found = [root]
    for pid in found:
        found.extend(children.get(pid, ()))
    return found


def cpu_seconds(root: int) -> float:
    """User and system time that the tree has used so far, in seconds.

    From the clocks that the kernel keeps for processes, to the nanosecond: /proc counts ticks of 10 ms, which is 1 % of
    a window of a second.
    """
    return sum(map(_cpu_seconds, tree(root)))


def resident_bytes(root: int) -> int:
    """Resident memory of the tree in bytes; pages that two processes share count twice."""
    statuses = [status for status in map(_status, tree(root)) if status]
    return sum(int(status[21]) for status in statuses) * _PAGE


def peak_bytes(root: int) -> int:
    """The most that each process of the tree ever had resident, or had since `forget_peak`, in bytes, summed up."""
    return sum(map(_peak, tree(root)))


def forget_peak(pid: int) -> None:
    """Let `peak_bytes` of this process begin anew with what it has resident now."""
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")


def _cpu_seconds(pid: int) -> float:
    scheduled = 2  # clock_getcpuclockid(3): the clock of a process is its number, inverted, above three bits of a kind
    try:
        return time.clock_gettime(~pid << 3 | scheduled)
    except OSError:  # the process is gone
        return 0.0


def _peak(pid: int) -> int:
    try:
        text = pathlib.Path(f"/proc/{pid}/status").read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    _, found, peak = text.partition("VmHWM:")
    return int(peak.split()[0]) * 1024 if found else 0  # one that has died has no memory any more


def _status(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command name, from the third on; empty when the process is gone."""
    try:
        line = pathlib.Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return line.rpartition(")")[2].split()
