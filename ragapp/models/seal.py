"""Folders that are either whole or not used: made beside their place, sealed, and renamed into it at the end."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SEAL = "ragapp.json"
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


def sealed(folder: Path) -> bool:
    return (folder / _SEAL).is_file()


def read(folder: Path) -> dict[str, Any]:
    """What the seal says; empty where there is none that can be read."""
    try:
        said = json.loads((folder / _SEAL).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def whole(folder: Path) -> bool:
    return folder.is_dir() and fault(folder) is None


def fault(folder: Path) -> str | None:
    """What is wrong with the folder, in a few words; None where it agrees with its seal."""
    sizes = read(folder).get("files")
    if not sizes:
        return "it was never finished"
    for name, size in sizes.items():
        try:
            found = (folder / name).stat().st_size
        except OSError:
            return f"{name} is missing"
        if found != size:
            return f"{name} has {found} bytes instead of {size}"
    return None


def close(folder: Path, **facts: Any) -> None:
    """Seal the folder as it is, with `facts` beside the files' sizes; all of it is on the disk before the seal is."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not _aside(path.relative_to(folder)))
    for path in files:
        _flush(path)
    content = {"files": {str(path.relative_to(folder)): path.stat().st_size for path in files}} | facts
    draft = folder / f"{_SEAL}.tmp"
    draft.write_text(json.dumps(content, indent=1), encoding="utf-8")
    _flush(draft)
    draft.replace(folder / _SEAL)


@contextmanager
def made_whole(target: Path) -> Iterator[Path]:
    """A folder to write into; sealed and put in `target`'s place when the block ends well, gone when it doesn't."""
    draft = target.with_name(f".{target.name}.making")
    shutil.rmtree(draft, ignore_errors=True)  # left by one who was killed; the lock says that nobody is at work
    draft.mkdir(parents=True)
    try:
        yield draft
        close(draft)
        shutil.rmtree(target, ignore_errors=True)
        draft.rename(target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


@contextmanager
def locked(target: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Only one process at a time makes `target`; the lock ends with its holder, however that ends."""
    with target.with_name(f".{target.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Waiting for another process that is making {target}.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def gib(folder: Path) -> float:
    """GiB that the folder's files take by now."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**30 if folder.is_dir() else 0.0


def _aside(path: Path) -> bool:
    return path.name.startswith(_SEAL) or path.parts[0] == ".cache"


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
