"""The most memory that this process and its children took while something ran."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import psutil

_EVERY_S = 0.05
MIB = 1 << 20


def resident(process: psutil.Process) -> int:
    """Bytes in memory; what is shared counts in each."""
    return int(process.memory_info().rss)


def held(process: psutil.Process) -> int:
    """Bytes that the kernel can't take back when others need them, as it can pages of mapped files: programs and the
    index's own."""
    with contextlib.suppress(OSError):  # it ended meanwhile
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) << 10
    return 0


@dataclass
class Peaks:
    """The most of `size`, looked at twenty times a second from entering to leaving."""

    size: Callable[[psutil.Process], int] = resident
    parent: int = 0
    worker: int = 0
    """Of the largest child at any time."""
    together: int = 0
    """Of this process and all its children at one time."""
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Peaks:
        self._thread = threading.Thread(target=self._look, name="peaks", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        me = psutil.Process()
        while True:
            workers = [0]
            for child in me.children(recursive=True):
                with contextlib.suppress(psutil.Error):  # it ended meanwhile
                    workers.append(self.size(child))
            own = self.size(me)
            self.parent = max(self.parent, own)
            self.worker = max(self.worker, *workers)
            self.together = max(self.together, own + sum(workers))
            if self._stop.wait(_EVERY_S):
                return

    def __str__(self) -> str:
        return f"{self.parent / MIB:,.0f} MiB, largest worker {self.worker / MIB:,.0f} MiB"
