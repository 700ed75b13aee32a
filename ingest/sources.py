"""Which files a path names: a walk that never follows a link out of its folder or round in a circle."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from ragapp.errors import Unreadable


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A regular file to ingest and the name it is known by."""

    path: Path
    source: str
    name: str = ""
    """What it is called, where `path` is only where its bytes lie."""
    fingerprint: str = ""
    """Changes with its bytes, and is known before they are read; empty where there is none."""
    groups: frozenset[str] | None = None
    """Who may see it, where its source says so; None for whoever the order names."""
    container: str = ""
    """The id of the document that holds it."""
    depth: int = 0
    """How many containers it lies in."""
    replaces: str = ""
    """The id of the document that it was before it was moved or renamed."""
    fetch: Callable[[], AbstractContextManager[Path]] | None = None
    """Brings the bytes of a file that is not on this machine; None where they are at `path`."""


@dataclass(frozen=True, slots=True)
class NotTaken:
    """Something that was left out of the walk: deliberately (hidden) or because it can't be read."""

    source: str
    reason: str
    failed: bool
    """True where the person would have expected it to be ingested."""


def printable(path: Path | str) -> str:
    """A path as text that can be stored and printed: bytes that are no UTF-8 become \\xNN."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def find(paths: Sequence[Path]) -> Iterator[FoundFile | NotTaken]:
    """Every file below the given files and folders, each once, in a stable order.

    Raises Unreadable for a path that doesn't exist or is neither file nor folder.
    """
    seen: set[tuple[int, int]] = set()
    given: set[Path] = set()
    for found in _walk(paths, seen):
        if isinstance(found, NotTaken):
            yield found
        elif found.path not in given:
            given.add(found.path)
            yield found


def _walk(paths: Sequence[Path], seen: set[tuple[int, int]]) -> Iterator[FoundFile | NotTaken]:
    for path in paths:
        absolute = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would rename what a link given by name is called
        try:
            mode = absolute.stat().st_mode
        except FileNotFoundError:
            raise Unreadable(f"There is no file or folder {printable(path)}; check the path.") from None
        except OSError as error:
            raise Unreadable(f"{printable(path)} can't be opened: {error.strerror}.") from None
        if stat.S_ISDIR(mode):
            yield from _below(absolute, absolute.resolve(), seen)
        elif stat.S_ISREG(mode):
            yield FoundFile(absolute, printable(absolute))
        else:
            raise Unreadable(f"{printable(path)} is neither a file nor a folder.")


def _below(folder: Path, root: Path, seen: set[tuple[int, int]]) -> Iterator[FoundFile | NotTaken]:
    status = folder.stat()
    if (status.st_dev, status.st_ino) in seen:
        yield NotTaken(printable(folder), "a folder that was already walked", failed=False)
        return
    seen.add((status.st_dev, status.st_ino))
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        yield NotTaken(printable(folder), f"the folder can't be read ({error.strerror})", failed=True)
        return
    for entry in entries:
        yield from _entry(Path(entry.path), root, seen)


def _entry(path: Path, root: Path, seen: set[tuple[int, int]]) -> Iterator[FoundFile | NotTaken]:
    if path.name.startswith(".") or path.name.startswith("~$"):
        yield NotTaken(printable(path), "hidden", failed=False)
        return
    try:
        if path.is_symlink() and not path.resolve(strict=True).is_relative_to(root):
            yield NotTaken(printable(path), "a link that leads out of the folder", failed=False)
            return
        mode = path.stat().st_mode
    except (OSError, RuntimeError) as error:
        reason = "a link that leads nowhere or round in a circle" if path.is_symlink() else str(error)
        yield NotTaken(printable(path), reason, failed=True)
        return
    if path.is_symlink():
        yield NotTaken(printable(path), "a link to something that is ingested by its own name", failed=False)
    elif stat.S_ISDIR(mode):
        yield from _below(path, root, seen)
    elif stat.S_ISREG(mode):
        yield FoundFile(path, printable(path))
    else:
        yield NotTaken(printable(path), "neither a file nor a folder", failed=False)
