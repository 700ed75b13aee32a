"""The most memory that this process and its children took while something ran."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field
from types import TracebackType

import psutil

_EVERY_S = 0.05
MIB = 1 << 20


@dataclass
class Peaks:
    """Resident bytes, looked at twenty times a second from entering to leaving; what is shared counts in each."""

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
                    workers.append(child.memory_info().rss)
            own = me.memory_info().rss
            self.parent = max(self.parent, own)
            self.worker = max(self.worker, *workers)
            self.together = max(self.together, own + sum(workers))
            if self._stop.wait(_EVERY_S):
                return

    def __str__(self) -> str:
        return f"{self.parent / MIB:,.0f} MiB, largest worker {self.worker / MIB:,.0f} MiB"
