"""Sources that are not on this machine: one way to name, choose and fetch over any store that can list and read."""

from __future__ import annotations

import errno
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from ingest.origins.origin import Entry, NotListed, Stop, Wanted, never
from ingest.origins.pathrules import PathRules
from ingest.origins.patterns import Selection
from ingest.origins.protected import Protected
from ingest.origins.store import Store, plain, shown
from ingest.origins.walk import hidden
from ragapp.errors import KeptOut, PassingFault, StorageFull, Unreadable
from ragapp.private import private_folder

TRIES = 4
"""How often a file is asked for; each try goes on where the last broke off."""
_FIRST_WAIT_S = 0.5
"""After the first fault, twice as long after each that follows; between so many seconds a stop is heard."""


class Remote:
    """The files below the root of a store; each is copied to a scratch folder for as long as it is used."""

    def __init__(
        self,
        store: Store,
        selection: Selection,
        rules: PathRules,
        scratch: Path,
        sleep: Callable[[float], None] = time.sleep,
        protected: Protected | None = None,
    ) -> None:
        self._store = store
        self._selection = selection
        self._rules = rules
        self._scratch = scratch
        self._sleep = sleep
        self._protected = protected if protected and store.here else None

    @property
    def url(self) -> str:
        return self._store.url

    def list(self) -> Iterator[Entry | NotListed]:
        for thing in self._store.walk():
            path = shown(thing.path)
            url = f"{self.url.rstrip('/')}/{path}" if path else self.url
            reason, failed = (thing.left_out, thing.failed) if thing.left_out else _objection(thing.path)
            if not reason and self._protected:
                reason = self._protected.of_path(Path(os.fsdecode(thing.locator)))
            if reason:
                if not self._selection.leaves_out(path):
                    yield NotListed(url, reason, failed)
            elif self._selection.takes(path):
                groups = self._rules.groups(path)
                yield Entry(url, thing.locator, thing.size, thing.modified, thing.fingerprint, groups)

    @contextmanager
    def fetch(self, wanted: Wanted, stop: Stop = never) -> Iterator[Path]:
        private_folder(self._scratch)
        # a name of our own: what the source calls the file never becomes a path here
        handle, name = tempfile.mkstemp(prefix="fetched-", dir=self._scratch)
        path = Path(name)
        try:
            with os.fdopen(handle, "wb") as sink:
                got = self._bring(wanted, sink.write, stop)
            if got != wanted.size:
                raise PassingFault(
                    f"{got} bytes came where {wanted.size} were listed: the file changed while it was read; "
                    "the next run takes it as it is then."
                )
            yield path
        finally:
            with suppress(FileNotFoundError):
                path.unlink()

    def _bring(self, wanted: Wanted, write: Callable[[bytes], int], stop: Stop) -> int:
        """All bytes, going on after a fault where it broke off. Returns how many came."""
        if self._protected and (reason := self._protected.of_path(Path(os.fsdecode(wanted.locator)))):
            raise Unreadable(reason)
        got = 0
        for attempt in range(1, TRIES + 1):
            try:
                for piece in self._store.read(wanted.locator, got, wanted.fingerprint):
                    _write(piece, write)
                    got += len(piece)
                    _hear(stop)
                    if got > wanted.size:
                        return got
                if got >= wanted.size:
                    return got
                fault = "the connection ended early"
            except PermissionError:
                raise KeptOut("The source does not let this user read the file; give it the right to.") from None
            except FileNotFoundError:
                raise PassingFault("The file was listed and is gone now; the next run sees that.") from None
            except OSError as error:
                fault = plain(error)
            if attempt < TRIES:
                for _ in range(2 ** (attempt - 1)):
                    _hear(stop)
                    self._sleep(_FIRST_WAIT_S)
        raise PassingFault(f"The file could not be fetched in {TRIES} tries ({fault}); run the sync again.")

    def digest(self, wanted: Wanted) -> str | None:
        """None: the bytes lie elsewhere, and a locator must never be taken for a path of this machine."""
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._store.close()


def _objection(path: bytes) -> tuple[str, bool]:
    """Why a file of that path is not taken, and whether somebody would expect it to be."""
    segments = path.split(b"/")
    if b"" in segments or b"." in segments or b".." in segments:
        return "a name with empty, . or .. parts, which is no path within the source; rename it", True
    if b"\0" in path:
        return "a name that holds a zero byte; rename it", True
    if any(hidden(os.fsdecode(segment)) for segment in segments):
        return "hidden", False
    return "", False


def _hear(stop: Stop) -> None:
    if stop():
        raise PassingFault("The run was stopped while the file was fetched; the next one fetches it.")


def _write(piece: bytes, write: Callable[[bytes], int]) -> None:
    try:
        write(piece)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(
                "The disk ran full while a file was fetched; free space and run the sync again."
            ) from None
        raise
