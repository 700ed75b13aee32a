"""Who holds an embedded index: one process at a time, and it says who it is."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import IO

from ragapp.catalog.process import is_running, own_mark
from ragapp.errors import IndexLocked


class Ownership:
    """A lock file held by this process from `take` to `release`; the kernel lets go of it when the process dies."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    @classmethod
    def take(cls, path: Path, folder: Path) -> Ownership:
        """Own `folder` by locking `path`. Raises IndexLocked, naming the owner, where somebody has it."""
        file = path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            owner = _owner(file.read())
            file.close()
            raise IndexLocked(
                f"The index in {folder} is in use by {owner}; wait for it to finish or stop it, then try again."
            ) from None
        file.truncate(0)
        json.dump(
            {"pid": os.getpid(), "mark": own_mark(), "since": f"{datetime.now():%Y-%m-%d %H:%M}", "what": _command()},
            file,
        )
        file.flush()
        return cls(file)

    def release(self) -> None:
        if not self._file.closed:
            self._file.truncate(0)
            self._file.close()


def _owner(text: str) -> str:
    try:
        note = json.loads(text)
        pid, mark, since, what = note["pid"], note["mark"], note["since"], note["what"]
    except (ValueError, KeyError, TypeError):
        return "another process that is just starting"
    day, _, hour = since.partition(" ")
    when = hour if day == f"{datetime.now():%Y-%m-%d}" else since
    if pid == os.getpid():
        return f"this process itself ({what}, since {when})"
    if not is_running(mark):
        return f"a process that {what} (process {pid}, since {when}) left behind"
    return f"process {pid} ({what}, since {when})"


def _command() -> str:
    """The command as a person would know it: the program's name and its first word, no paths or questions."""
    program = Path(sys.argv[0] or "python").name
    if program == "__main__.py":
        program = Path(sys.argv[0]).parent.name
    words = [word for word in sys.argv[1:2] if word.isalpha()]
    return " ".join([program if program not in ("", "-c", "-m") else "python", *words])
