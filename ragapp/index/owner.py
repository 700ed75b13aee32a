"""Who holds an embedded index, or a data folder as a whole: one process at a time, and it says who it is."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import IO

from ragapp.catalog.database import not_writable
from ragapp.catalog.process import is_running, own_mark
from ragapp.errors import CatalogError, IndexLocked
from ragapp.private import private_file, private_folder

OWNER = ".owner"
"""In a data folder while a service has it, or a restore exchanges what is in it."""


class Ownership:
    """A lock file held by this process from `take` to `release`; the kernel lets go of it when the process dies."""

    def __init__(self, file: IO[str], gone_after: Path | None = None) -> None:
        self._file = file
        self._gone_after = gone_after

    @classmethod
    def take(cls, path: Path, folder: Path) -> Ownership:
        """Own the index in `folder` by locking `path`. Raises IndexLocked, naming the owner, where somebody has it."""
        file = _locked(path)
        if isinstance(file, str):
            raise IndexLocked(
                f"The index in {folder} is in use by {file}; wait for it to finish or stop it, then try again."
            )
        return cls(file)

    @classmethod
    def of_folder(cls, data: Path) -> Ownership:
        """Own a whole data folder, before anything in it is written; it is made where it isn't there.

        Raises IndexLocked, naming the owner, where a service or a restore has it, and CatalogError where it can't be
        written. The lock's file goes when it is let go.
        """
        path = data / OWNER
        while True:
            try:
                private_folder(data)
                file = _locked(path)
            except OSError as error:
                raise CatalogError(not_writable(data, error.strerror or type(error).__name__)) from None
            if isinstance(file, str):
                raise IndexLocked(
                    f"The data folder {data} is in use by {file}; stop it first, or choose another --data."
                )
            if _is_at(file, path):
                return cls(file, path)
            # whoever had it took the file away between our opening and our locking it
            file.close()

    def release(self) -> None:
        if not self._file.closed:
            if self._gone_after:
                self._gone_after.unlink(missing_ok=True)
            self._file.truncate(0)
            self._file.close()


def is_held_here(data: Path) -> bool:
    """Whether this process has the data folder as a whole."""
    try:
        with (data / OWNER).open(encoding="utf-8") as file:
            return bool(json.load(file)["mark"] == own_mark())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _locked(path: Path) -> IO[str] | str:
    """The file, locked and with our name in it; or who has it."""
    file = open(path, "a+", encoding="utf-8", opener=private_file)  # noqa: SIM115 - held until it is released
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        owner = _owner(file.read())
        file.close()
        return owner
    file.truncate(0)
    json.dump(
        {"pid": os.getpid(), "mark": own_mark(), "since": f"{datetime.now():%Y-%m-%d %H:%M}", "what": _command()},
        file,
    )
    file.flush()
    return file


def _is_at(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


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
