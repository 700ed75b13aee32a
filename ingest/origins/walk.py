"""Which files a path names: a walk that never follows a link out of its folder or round in a circle.

A link is followed where what it leads to is hidden, so that the walk comes to it by no other name (mounted
configuration of Kubernetes, git-annex).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ingest.origins.origin import Entry, NotListed
from ingest.origins.protected import Protected
from ragapp.errors import Unreadable

_EARLIEST_S = -62_135_596_800 + 86_400
_LATEST_S = 253_402_300_799 - 86_400
"""The first and the last time that a datetime can hold, less a day for the zones."""


def printable(path: Path | str) -> str:
    """A path as text that can be stored and printed: bytes that are no UTF-8 become \\xNN."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def hidden(name: str) -> bool:
    """Whether a file or folder of that name is left out: dot files, and the lock files of office programs."""
    return name.startswith((".", "~$"))


def fingerprint(status: os.stat_result) -> str:
    """Changes when a file of this machine is written or replaced."""
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ino}"


def written(status: os.stat_result) -> datetime | None:
    """When a file was last written; None for a time that no calendar holds."""
    return datetime.fromtimestamp(status.st_mtime, UTC) if _EARLIEST_S < status.st_mtime < _LATEST_S else None


def listing(paths: Sequence[Path], protected: Protected | None = None) -> Iterator[Entry | NotListed]:
    """Every file below the given files and folders, each once, in a stable order; one folder's names in memory at most.

    What is `protected` is left out with the reason; where it was given by name, that counts as a fault. Raises
    Unreadable for a path that doesn't exist or is neither file nor folder.
    """
    if len(paths) == 1:
        yield from _walk(paths, set(), protected)
        return
    given: set[bytes] = set()
    for found in _walk(paths, set(), protected):
        if isinstance(found, NotListed):
            yield found
        elif found.locator not in given:
            given.add(found.locator)
            yield found


def _walk(
    paths: Sequence[Path], seen: set[tuple[int, int]], protected: Protected | None
) -> Iterator[Entry | NotListed]:
    for path in paths:
        absolute = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would rename what a link given by name is called
        try:
            status = absolute.stat()
        except FileNotFoundError:
            raise Unreadable(f"There is no file or folder {printable(path)}; check the path.") from None
        except OSError as error:
            raise Unreadable(f"{printable(path)} can't be opened: {error.strerror}.") from None
        if protected and (reason := protected.of_path(absolute)):
            yield NotListed(printable(absolute), reason, failed=True)
        elif stat.S_ISDIR(status.st_mode):
            yield from _below(absolute, absolute.resolve(), seen, protected)
        elif stat.S_ISREG(status.st_mode):
            yield _listed(absolute, status)
        else:
            raise Unreadable(f"{printable(path)} is neither a file nor a folder.")


def _below(
    folder: Path, root: Path, seen: set[tuple[int, int]], protected: Protected | None
) -> Iterator[Entry | NotListed]:
    try:
        status = folder.stat()
        if protected and (reason := protected.of_folder(status)):
            yield NotListed(printable(folder), reason, failed=False)
            return
        if (status.st_dev, status.st_ino) in seen:
            yield NotListed(printable(folder), "a folder that was already walked", failed=False)
            return
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as entries:
            names = sorted(os.fsencode(entry.name) for entry in entries)
    except OSError as error:
        yield NotListed(printable(folder), f"the folder can't be read ({error.strerror})", failed=True)
        return
    for name in names:
        yield from _entry(folder / os.fsdecode(name), root, seen, protected)


def _entry(
    path: Path, root: Path, seen: set[tuple[int, int]], protected: Protected | None
) -> Iterator[Entry | NotListed]:
    if hidden(path.name):
        yield NotListed(printable(path), "hidden", failed=False)
        return
    try:
        target = path.resolve(strict=True) if path.is_symlink() else None
        if target and not target.is_relative_to(root):
            yield NotListed(printable(path), "a link that leads out of the folder", failed=False)
            return
        if target and not _lies_hidden(path.parent.resolve(strict=True), root):
            # counted anew for each link: what a hidden folder holds is listed under every name that leads to it
            seen = set()
        status = path.stat()
        reason = _protected(path, status, bool(target), protected)
    except (OSError, RuntimeError) as error:
        yield _unseen(path, error)
        return
    if target and not _lies_hidden(target, root):
        yield NotListed(printable(path), "a link to something that is ingested by its own name", failed=False)
    elif reason:
        yield NotListed(printable(path), reason, failed=False)
    elif stat.S_ISDIR(status.st_mode):
        yield from _below(path, root, seen, protected)
    elif stat.S_ISREG(status.st_mode):
        yield _listed(path, status)
    else:
        yield NotListed(printable(path), "neither a file nor a folder", failed=False)


def _protected(path: Path, status: os.stat_result, linked: bool, protected: Protected | None) -> str:
    """Why something is left out that the walk came to; a link may lead into a folder that the walk would not enter."""
    if protected is None:
        return ""
    if linked:
        return protected.of_path(path)
    return protected.of_file(status) if stat.S_ISREG(status.st_mode) else ""


def _lies_hidden(path: Path, root: Path) -> bool:
    """Whether the walk from `root` never comes to a resolved path below it, since it or a folder above it is hidden."""
    return path.is_relative_to(root) and any(hidden(name) for name in path.relative_to(root).parts)


def _listed(path: Path, status: os.stat_result) -> Entry:
    return Entry(printable(path), os.fsencode(path), status.st_size, written(status), fingerprint(status))


def _unseen(path: Path, error: Exception) -> NotListed:
    try:
        linked = path.is_symlink()
    except OSError:
        linked = False
    if linked:
        return NotListed(printable(path), "a link that leads nowhere or round in a circle", failed=True)
    if isinstance(error, FileNotFoundError):
        return NotListed(printable(path), "it was gone before it could be looked at", failed=False)
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return NotListed(printable(path), f"it can't be looked at ({reason})", failed=True)
