"""Files that came over the wire: kept apart until their job is done, under names that are ours."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import time
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import IO

from ingest.origins.origin import Entry, NotListed
from ragapp.errors import CatalogError, StorageFull, Unreadable
from ragapp.private import private_file, private_folder

_LONGEST = 300
_LAST_S = 7 * 24 * 3600.0
"""How long the files of a job lie that nobody takes up again."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that waits to be taken in."""

    source: str
    """What it is called in the catalog."""
    path: Path


def source_of(name: str) -> str:
    """What a document is called that was sent as `name`: a relative path. Raises Unreadable where nothing is left."""
    plain = unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode())
    plain = "".join(letter for letter in plain if unicodedata.category(letter)[0] != "C")
    # "!/" would say that it lies in a container
    parts = [part.strip().removesuffix("!") for part in re.split(r"[/\\]", plain)]
    source = "/".join(part for part in parts if part not in ("", ".", ".."))
    if not source or len(source) > _LONGEST:
        raise Unreadable(f"A file's name must have 1 to {_LONGEST} characters; rename it and send it again.")
    return source


def stage(folder: Path, files: Iterable[tuple[str, IO[bytes]]]) -> list[Upload]:
    """Write what came below a new folder in `folder`. Two of one name are one document, and the last counts.

    Raises Unreadable for a name that can't be used, StorageFull and CatalogError where it can't be written; nothing is
    left then.
    """
    room = folder / token_hex(8)
    staged: dict[str, Upload] = {}
    try:
        private_folder(room)
        for number, (name, content) in enumerate(files):
            source = source_of(name)
            path = room / str(number)
            with open(path, "wb", opener=private_file) as sink:
                shutil.copyfileobj(content, sink, 1 << 20)
            staged[source] = Upload(source, path)
    except OSError as error:
        shutil.rmtree(room, ignore_errors=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageFull(f"The disk of {folder} is full; free some space and send it again.") from None
        raise CatalogError(f"The folder {folder} can't be written: {error.strerror}; check its rights.") from None
    except BaseException:
        shutil.rmtree(room, ignore_errors=True)
        raise
    return list(staged.values())


def listed(uploads: Sequence[tuple[str, str]]) -> Iterator[Entry | NotListed]:
    """(source, path) of staged files as a listing."""
    for source, path in uploads:
        try:
            status = os.lstat(path)
        except OSError:
            status = None
        # we have written a file there: a link is somebody else's
        if status is None or not stat.S_ISREG(status.st_mode):
            yield NotListed(source, "is not kept any more; send it again", failed=True)
            continue
        yield Entry(source, os.fsencode(path), status.st_size, None, "")


def clear(uploads: Sequence[tuple[str, str]], failed: Collection[str] = ()) -> None:
    """Their job is done; what `failed` in it, or holds what did, stays for another try."""
    kept = {path for source, path in uploads if any(f"{each}!/".startswith(f"{source}!/") for each in failed)}
    rooms = {Path(path).parent for path in kept}
    for path in {Path(path) for _, path in uploads if path not in kept}:
        if path.parent in rooms:
            path.unlink(missing_ok=True)
        else:
            shutil.rmtree(path.parent, ignore_errors=True)


def clear_old(folder: Path, now_s: float | None = None) -> None:
    """Remove what nobody took up again in a week."""
    now_s = time.time() if now_s is None else now_s
    for room in folder.iterdir() if folder.is_dir() else ():
        try:
            changed_s = room.stat().st_mtime
        except FileNotFoundError:
            # its job is done, which removed it
            continue
        if now_s - changed_s > _LAST_S:
            shutil.rmtree(room, ignore_errors=True)
