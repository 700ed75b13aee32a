"""When a source is to be looked at again: on a schedule, when a local folder comes to rest after a change, and later
each time that it fails."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

Cause = Literal["start", "schedule", "change", "again"]

FIRST_BACK_OFF_S = 30.0
LONGEST_BACK_OFF_S = 3600.0
QUIET_S = 3.0
"""How long nothing may change before a folder counts as at rest: a file that is being copied in grows all the while."""
LONGEST_UNREST_S = 300.0
"""A folder that never rests is looked at all the same; files that change while they are read wait for the next time."""


class Signal(Protocol):
    """Notices of change. Returns whether one came within the time."""

    def wait(self, seconds: float) -> bool: ...


@dataclass(slots=True)
class Schedule:
    """The times at which one source is due, in seconds of any clock that only goes forward. No threads, no sleeping."""

    every_s: float
    quiet_s: float = QUIET_S
    chance: Callable[[], float] = random.random
    """Between 0 and 1: spreads out sources that failed together."""
    _due: float = 0.0
    _cause: Cause = "start"
    _failures: int = 0
    _changed: float | None = field(default=None)
    _last_change: float = 0.0

    def changed(self, now: float) -> None:
        """Something in the source changed."""
        self._changed = now if self._changed is None else self._changed
        self._last_change = now

    def next(self) -> tuple[float, Cause]:
        """When the source is due as things stand, and why. While it fails, changes don't make it due sooner."""
        if self._changed is None or self._failures or self._cause == "start":
            return self._due, self._cause
        rest = min(self._last_change + self.quiet_s, self._changed + LONGEST_UNREST_S)
        return (rest, "change") if rest < self._due else (self._due, self._cause)

    def began(self) -> None:
        """The source is being looked at: what changed until now is seen, what changes from now on is not."""
        self._changed = None

    def ended(self, now: float, *, well: bool) -> None:
        """A look at the source ended."""
        self._failures = 0 if well else self._failures + 1
        if well:
            self._due, self._cause = now + self.every_s, "schedule"
        else:
            self._due, self._cause = now + self.back_off(), "again"

    def back_off(self) -> float:
        """Seconds until the next try: doubled with each failure up to an hour, less up to a half by chance."""
        full = min(FIRST_BACK_OFF_S * 2.0 ** min(self._failures - 1, 30), LONGEST_BACK_OFF_S)
        return full * (1 - self.chance() / 2)


@dataclass(slots=True)
class Turn:
    """One time that a source is due. Whoever takes it says in `well` how it went, before asking for the next."""

    cause: Cause
    well: bool = True


def changes(
    url: str,
    every_s: float,
    stop: threading.Event,
    *,
    quiet_s: float = QUIET_S,
    clock: Callable[[], float] = time.monotonic,
    signal: Signal | None = None,
) -> Iterator[Turn]:
    """A turn each time that the source is due, the first at once, until `stop` is set. `every_s` in seconds.

    Set `turn.well = False` where the source failed: the next turn then comes later and later (30 s to an hour).
    """
    own = Notices(Path(url.removeprefix("file://")), stop) if signal is None and is_local(url) else None
    signal = signal or own or Pause(stop)
    schedule = Schedule(every_s, quiet_s)
    try:
        while not stop.is_set():
            due, cause = schedule.next()
            if cause != "start" and (left := due - clock()) > 0:
                if signal.wait(left):
                    schedule.changed(clock())
                continue
            schedule.began()
            turn = Turn(cause)
            yield turn
            schedule.ended(clock(), well=turn.well)
    finally:
        if own:
            own.close()


def is_local(url: str) -> bool:
    return "://" not in url or url.startswith("file://")


@dataclass(frozen=True, slots=True)
class Pause:
    """For sources that send no notices."""

    stop: threading.Event

    def wait(self, seconds: float) -> bool:
        self.stop.wait(seconds)
        return False


class Notices:
    """inotify on a folder, read in a thread of its own so that nothing is missed while a sync runs.

    Where a folder can't be watched (gone, too many folders for the kernel's limit), the schedule alone goes on and
    `trouble` says why.
    """

    def __init__(self, folder: Path, stop: threading.Event) -> None:
        self._stop = stop
        self._closed = threading.Event()
        self._came = threading.Event()
        self.ready = threading.Event()
        self.trouble = ""
        self._thread = threading.Thread(target=self._watch, args=(folder,), name="watch-folder", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        # short waits, since two events can't be waited for at once
        while not self._stop.is_set() and (left := end - time.monotonic()) > 0:
            if self._came.wait(min(left, 0.5)):
                self._came.clear()
                return True
        return False

    def close(self) -> None:
        self._closed.set()
        self._thread.join(timeout=5)

    def _watch(self, folder: Path) -> None:
        from watchfiles import watch

        try:
            if not folder.is_dir():
                # the watcher itself would wait for nothing without a word
                raise NotADirectoryError("there is no such folder")
            for found in watch(
                folder,
                watch_filter=None,
                debounce=400,
                rust_timeout=500,
                yield_on_timeout=True,
                stop_event=self._closed,
                raise_interrupt=False,
                ignore_permission_denied=True,
            ):
                self.ready.set()
                if found:
                    self._came.set()
        except (OSError, RuntimeError) as error:
            self.trouble = f"{folder} can't be watched ({error}); it is looked at on its schedule alone."
        finally:
            self.ready.set()
