"""Making a backup while searches go on.

Order, and why it holds together: the index is held still (writes wait, searches go on), then the catalog is copied,
then the index, then every original and text that the copied catalog names is linked. A document is live only after its
chunks were flushed, so the copied catalog names no chunk that the still index lacks; a removal takes chunks before
bytes, and can take none while the index is still, so no byte goes between the catalog's copy and the links. Packing
what was copied and linked then needs nobody to wait.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from ragapp.backup.manifest import HEAD, MANIFEST, Head, head, packed
from ragapp.catalog.catalog import FILE_NAME, Catalog
from ragapp.catalog.files import DocumentFiles
from ragapp.catalog.scratch import scratch_folder
from ragapp.errors import CatalogError, StorageFull
from ragapp.index.base import Index
from ragapp.index.holes import copy_with_holes

_SPARE_BYTES = 64 << 20
"""Disk that stays free beside a backup."""
_EVERY_BYTES = 64 << 20
"""Between two words about the progress."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made."""

    path: Path
    bytes: int
    head: Head

    def as_json(self) -> dict[str, Any]:
        """For programs, and for the command that had the service make it."""
        return {"file": str(self.path), "size": self.bytes} | asdict(self.head)


def write_backup(target: Path, data: Path, catalog: Catalog, index: Index, files: DocumentFiles, say: Say) -> Backup:
    """Pack catalog, index, originals and extracted text of a data folder into `target`, readable by its owner only.

    A backup that is there under that name stays until the new one is whole. Raises StorageFull before anything is
    written where the disk has no room, CatalogError where the target can't be written.
    """
    target = target.absolute()
    if not target.parent.is_dir():
        raise CatalogError(f"There is no folder {target.parent} for the backup; make it, or choose another place.")
    if target.is_dir():
        raise CatalogError(f"{target} is a folder; name a file for the backup, such as {target / 'ragapp.tar.gz'}.")
    # on the data folder's own disk, so that originals are linked and not copied
    with scratch_folder(files.scratch) as stage:
        say("copying catalog and index; searches go on")
        kind, documents, missing = _gather(stage, data, catalog, index, files)
        size = _size(stage)
        _refuse_a_full_disk(target.parent, size)
        made = head(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", kind, documents, size, missing)
        _pack(stage, target, made, say)
    return Backup(target, target.stat().st_size, made)


def _gather(stage: Path, data: Path, catalog: Catalog, index: Index, files: DocumentFiles) -> tuple[str, int, int]:
    """All parts at one moment; (kind of index, documents, files that the catalog names and that are lost)."""
    with index.still() as folder:
        if folder:
            _refuse_a_full_disk(data, _size(folder))
        catalog.copy_to(stage / FILE_NAME)
        if folder:
            shutil.copytree(folder, stage / "index" / folder.name, copy_function=copy_with_holes)
        documents, missing = _link(stage, data, files)
    if (data / "secret").exists():
        shutil.copy2(data / "secret", stage / "secret")
    return ("edge" if folder else "server"), documents, missing


def _link(stage: Path, data: Path, files: DocumentFiles) -> tuple[int, int]:
    """Link what the copied catalog names into the stage."""
    copied = Catalog.open(stage)
    try:
        rows = copied.documents()
        needed = copied.needed()
    finally:
        copied.close()
    # closing leaves SQLite's side files behind
    for side in stage.glob(f"{FILE_NAME}-*"):
        side.unlink()
    for side in stage.glob(f"{FILE_NAME}.lock"):
        side.unlink()
    missing = 0
    done: set[Path] = set()
    wanted = [files.original(sha256) for sha256 in needed if sha256]
    wanted += [
        files.extracted_path(row.sha256, row.parser_version.split(".")[0]) for row in rows if row.sha256 and row.chunks
    ]
    # the text of earlier revisions, which earlier answers point into, as far as it was kept
    wanted += [kept.path for kept in files.kept() if kept.kind == "extracted" and kept.sha256 in needed]
    for path in wanted:
        if path in done:
            continue
        done.add(path)
        place = stage / path.relative_to(data)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, place)
        except FileNotFoundError:
            missing += 1
        except OSError:
            # a file system without hard links
            shutil.copy2(path, place)
    return sum(row.state == "live" for row in rows), missing


def _pack(stage: Path, target: Path, made: Head, say: Say) -> None:
    draft = target.with_name(f".{target.name}.new")
    hashes: dict[str, str] = {}
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as sink:
            # what is worth packing (text) packs well enough at the lowest level, and vectors don't at any
            with (
                gzip.GzipFile(filename="", fileobj=sink, mode="wb", compresslevel=1) as zipped,
                tarfile.open(fileobj=zipped, mode="w|", format=tarfile.PAX_FORMAT) as tar,
            ):
                _add_bytes(tar, HEAD, packed(made))
                done = said = 0
                for path in sorted(path for path in stage.rglob("*") if path.is_file()):
                    name = path.relative_to(stage).as_posix()
                    hashes[name] = _add_file(tar, name, path)
                    done += path.stat().st_size
                    if done - said >= _EVERY_BYTES:
                        said = done
                        say(f"{done >> 20} of {made.bytes >> 20} MiB packed")
                _add_bytes(tar, MANIFEST, packed(hashes))
            sink.flush()
            os.fsync(sink.fileno())
        draft.replace(target)
    except OSError as error:
        raise CatalogError(f"The backup {target} can't be written: {error.strerror}; choose another place.") from error
    finally:
        draft.unlink(missing_ok=True)


def _add_file(tar: tarfile.TarFile, name: str, path: Path) -> str:
    entry = tarfile.TarInfo(name)
    status = path.stat()
    entry.size, entry.mode, entry.mtime = status.st_size, 0o600, int(status.st_mtime)
    with path.open("rb") as source:
        hashed = _Hashing(source)
        tar.addfile(entry, hashed)
    return hashed.digest.hexdigest()


def _add_bytes(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o600
    tar.addfile(entry, io.BytesIO(content))


class _Hashing:
    """Reads a file and hashes what it reads."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block = self._source.read(size)
        self.digest.update(block)
        return block


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _refuse_a_full_disk(folder: Path, wanted: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < wanted + _SPARE_BYTES:
        raise StorageFull(
            f"The backup wants up to {wanted >> 20} MiB at {folder}, and {free >> 20} MiB are free; free some space or "
            "choose another place."
        )
