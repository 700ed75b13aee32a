"""The temporary folder of one engine: its sockets, and whatever else vLLM and its processes leave about.

It is locked for as long as the process that made it lives, so that a folder without a lock is one that a killed process
left: the next engine clears it away.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from ragapp.errors import EngineError

_PREFIX = "ragapp-engine-"
_LONGEST_PARENT = 40
"""Bytes. The path of a Unix socket has at most 107, of which vLLM takes 37 for the socket's name and we 22."""
_LOCK = "lock"


class TemporaryFolder:
    """A folder that only this user can read. Raises EngineError where it can't be made."""

    def __init__(self) -> None:
        try:
            parent = _parent()
            _clear_left_over(parent)
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
            self._lock = _locked(self.path)
        except OSError as error:
            raise EngineError(
                f"The engine could not make its temporary folder ({error.strerror}); free some space, or set TMPDIR to "
                "a folder that can be written."
            ) from error

    def remove(self) -> None:
        """Remove it with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def _parent() -> Path:
    usual = tempfile.gettempdir()
    return Path(usual if len(os.fsencode(usual)) <= _LONGEST_PARENT else "/tmp")  # noqa: S108 - made by mkdtemp in it


def _locked(folder: Path) -> int:
    """The lock of a new folder, as a file descriptor that holds it; without one, there is no folder either."""
    draft = folder / f"{_LOCK}.new"
    try:
        lock = os.open(draft, os.O_CREAT | os.O_WRONLY, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        # under its name only now: whoever finds it, finds it locked
        draft.rename(folder / _LOCK)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return lock


def _clear_left_over(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        # one that is locked, is another user's, or is being cleared by another engine right now is left alone
        with contextlib.suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.getuid() or not (folder / _LOCK).is_file():
                continue
            with (folder / _LOCK).open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
