"""Putting a data folder back from a backup: unpacked beside and checked whole before anything is replaced."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath

from ragapp.backup.manifest import HEAD, MANIFEST, Head, read_head
from ragapp.catalog.catalog import FILE_NAME, Catalog
from ragapp.errors import CatalogError, StorageFull
from ragapp.index.holes import end_with_holes, write_with_holes
from ragapp.index.owner import Ownership

_BLOCK = 1 << 20
_SPARE_BYTES = 64 << 20
_EVERY_BYTES = 64 << 20
_STAYS = ("models", "logs")
"""What a backup doesn't hold and a restore leaves where it is."""
_PARTS = ("index", "originals", "extracted", "secret", FILE_NAME)
"""What is replaced; the catalog last, so that no search sees documents before all of the rest is there."""
_OUT = (FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-shm", "index", "originals", "extracted", "secret", "scratch")
"""What goes before, the catalog first."""

Say = Callable[[str], None]


def restore_backup(backup: Path, data: Path, say: Say, *, force: bool = False) -> Head:
    """Make `data` what it was when the backup was made; models and logs stay as they are.

    Nothing is touched before every part was unpacked and has the hash that the manifest says. Raises CatalogError for
    a folder that holds something already (unless `force`), a damaged backup, or one of a newer version; IndexLocked
    where another process works on the folder; StorageFull where there is no room.
    """
    data.mkdir(parents=True, exist_ok=True)
    holds = sorted(path.name for path in data.iterdir() if path.name not in _STAYS and not path.name.startswith("."))
    if holds and not force:
        raise CatalogError(
            f"The folder {data} holds data already ({', '.join(holds[:4])}); choose another --data, or add --force to "
            "replace it."
        )
    with ExitStack() as held:
        for owner in data.glob("index/*.owner"):
            held.callback(Ownership.take(owner, owner.with_suffix("")).release)
        _refuse_running_jobs(data)
        stage = Path(tempfile.mkdtemp(dir=data, prefix=".restore-"))
        held.callback(shutil.rmtree, stage, ignore_errors=True)
        head = _unpack(backup, stage, say)
        _exchange(data, stage)
    return head


def _refuse_running_jobs(data: Path) -> None:
    if not (data / FILE_NAME).exists():
        return
    try:
        catalog = Catalog.open(data)
    except CatalogError:
        # a damaged catalog is a reason to restore, and has no jobs that anybody could read
        return
    try:
        running = [job.id for job in catalog.jobs.list(100) if job.state == "running"]
    finally:
        catalog.close()
    if running:
        raise CatalogError(f"Job {running[0]} is running on {data}; wait for its end, then restore.")


def _unpack(backup: Path, stage: Path, say: Say) -> Head:
    hashes: dict[str, str] = {}
    manifest: dict[str, str] | None = None
    head: Head | None = None
    done = said = 0
    with _opened(backup) as tar:
        for entry in tar:
            if entry.name == HEAD:
                head = read_head(str(backup), _content(tar, entry))
                _refuse_a_full_disk(stage, head.bytes)
                continue
            if head is None:
                break
            if entry.name == MANIFEST:
                manifest = json.loads(_content(tar, entry))
                continue
            hashes[entry.name] = _write(tar, entry, stage, backup)
            done += entry.size
            if done - said >= _EVERY_BYTES:
                said = done
                say(f"{done >> 20} of {head.bytes >> 20} MiB unpacked")
    if head is None:
        raise CatalogError(f"{backup} is no backup of ragapp; choose another file.")
    if manifest != hashes:
        different = [name for name in (manifest or {}) if hashes.get(name) != (manifest or {})[name]]
        raise CatalogError(
            f"The backup {backup} is damaged ({different[0] if different else 'its end is missing'}); nothing was "
            "changed; choose another backup."
        )
    return head


@contextmanager
def _opened(backup: Path) -> Iterator[tarfile.TarFile]:
    try:
        with gzip.open(backup) as unzipped, tarfile.open(fileobj=unzipped, mode="r|") as tar:
            yield tar
    except FileNotFoundError:
        raise CatalogError(f"There is no backup {backup}; check the path.") from None
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError) as error:
        raise CatalogError(
            f"{backup} is damaged, or no backup of ragapp ({error}); nothing was changed; choose another backup."
        ) from error
    except OSError as error:
        raise CatalogError(f"The backup {backup} can't be restored: {error.strerror}; nothing was changed.") from error


def _content(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    source = tar.extractfile(entry)
    return source.read() if source else b""


def _write(tar: tarfile.TarFile, entry: tarfile.TarInfo, stage: Path, backup: Path) -> str:
    """One part written below `stage`; returns its SHA-256. A name that leads elsewhere is no name of ours."""
    path = PurePosixPath(entry.name)
    source = tar.extractfile(entry) if entry.isreg() else None
    if source is None or path.is_absolute() or ".." in path.parts or path.parts[0] not in _PARTS:
        raise CatalogError(f"The backup {backup} holds {entry.name!r}, which ragapp never writes; nothing was changed.")
    target = stage / path
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as sink:
        while block := source.read(_BLOCK):
            digest.update(block)
            write_with_holes(sink, block)
        end_with_holes(sink)
        sink.flush()
        os.fsync(sink.fileno())
    return digest.hexdigest()


def _exchange(data: Path, stage: Path) -> None:
    """Move what was there out and the new parts in. An error in between puts everything back; after a crash the same
    command goes through, since the folder then has no catalog that could answer wrongly."""
    old = Path(tempfile.mkdtemp(dir=data, prefix=".replaced-"))
    moved: list[tuple[Path, Path]] = []
    try:
        for name in _OUT:
            if (data / name).exists():
                _move(data / name, old / name, moved)
        for name in _PARTS:
            if (stage / name).exists():
                _move(stage / name, data / name, moved)
    except BaseException:
        for source, target in reversed(moved):
            target.rename(source)
        old.rmdir()
        raise
    os.sync()
    shutil.rmtree(old, ignore_errors=True)


def _move(source: Path, target: Path, moved: list[tuple[Path, Path]]) -> None:
    source.rename(target)
    moved.append((source, target))


def _refuse_a_full_disk(folder: Path, wanted: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < wanted + _SPARE_BYTES:
        raise StorageFull(
            f"The backup unpacks to {wanted >> 20} MiB and {free >> 20} MiB are free at {folder}; free some space, or "
            "choose another --data."
        )
