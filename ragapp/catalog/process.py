"""Which process something belongs to, in a form that outlives it and can't be confused with a later one."""

from __future__ import annotations

import os
from pathlib import Path


def own_mark() -> str:
    """This process as text: boot, process id and the tick it started at."""
    return _mark(os.getpid())


def is_running(mark: str) -> bool:
    """Whether the process with this mark still runs on this machine."""
    pid = mark.split(":")[1] if mark.count(":") == 2 else ""
    return pid.isdigit() and _mark(int(pid)) == mark


def _mark(pid: int) -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        # the name in parentheses may hold anything, a parenthesis too; the start time is the 20th field after it
        ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""
    return f"{boot}:{pid}:{ticks}"
