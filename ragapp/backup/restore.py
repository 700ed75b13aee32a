"""Putting a data folder back from a backup: unpacked beside and checked whole before anything is replaced."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ragapp.backup.exchange import PARTS, exchange, finish_restore, stage
from ragapp.backup.manifest import HEAD, MANIFEST, Head, read_head
from ragapp.backup.newer import Rights, credentials_of, keep_newer, revived
from ragapp.catalog.catalog import FILE_NAME, Catalog
from ragapp.errors import CatalogError, StorageFull
from ragapp.index.holes import end_with_holes, write_with_holes
from ragapp.index.owner import Ownership
from ragapp.private import private_folder

_BLOCK = 1 << 20
_SPARE_BYTES = 64 << 20
_EVERY_BYTES = 64 << 20
_NAMED = 20
"""Of what would come back, in a sentence."""
_STAYS = ("models", "logs")
"""What a backup doesn't hold and a restore leaves where it is."""

Say = Callable[[str], None]
Ask = Callable[["Doubt"], Rights | None]
"""What to do about a doubt; None where nothing is to be done at all."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Rights that a restore would give back, or of which nobody can tell whether they were taken away since."""

    sentence: str
    """Why it asks, with when the backup was made."""
    lines: tuple[str, ...]
    """What would be so again, each in words."""
    known: bool
    """Whether it is known what was taken away, so that it can be left so."""


def refuse_doubts(doubt: Doubt) -> Rights | None:
    """Nobody is there to be asked. Raises CatalogError, naming what would come back and how to say what is meant."""
    named = "; ".join(doubt.lines[:_NAMED])
    more = f"; and {len(doubt.lines) - _NAMED} more" if len(doubt.lines) > _NAMED else ""
    leave = "--rights now to leave it taken away, or " if doubt.known else ""
    raise CatalogError(
        f"{doubt.sentence}: {named}{more}. Add {leave}--rights backup to have it as it was then; nothing was changed."
    )


def restore_backup(
    backup: Path,
    data: Path,
    say: Say,
    *,
    force: bool = False,
    rights: Rights | None = None,
    ask: Ask = refuse_doubts,
) -> Head | None:
    """Make `data` what it was when the backup was made; models and logs stay as they are.

    Credentials, locks and the audit are the newer of both. Where rights were taken away since, or where that can't be
    known, `rights` says whether they come back; `ask` is asked where it says nothing. Returns the backup's head, None
    where the answer was to do nothing. Nothing is touched before every part was unpacked and has the hash that the
    manifest says. Raises CatalogError for a folder that holds something already (unless `force`), a damaged backup, or
    one of a newer version; IndexLocked where another process works on the folder; StorageFull where there is no room.
    """
    with ExitStack() as held:
        held.callback(Ownership.of_folder(data).release)
        finish_restore(data)
        holds = sorted(
            path.name for path in data.iterdir() if path.name not in _STAYS and not path.name.startswith(".")
        )
        if holds and not force:
            raise CatalogError(
                f"The folder {data} holds data already ({', '.join(holds[:4])}); choose another --data, or add --force "
                "to replace it."
            )
        for owner in data.glob("index/*.owner"):
            held.callback(Ownership.take(owner, owner.with_suffix("")).release)
        fault = _refuse_running_jobs(data)
        new = held.enter_context(stage(data))
        head = _unpack(backup, new, say)
        if (new / FILE_NAME).exists() and not _settle_rights(data, new, head, fault, rights, ask, say):
            return None
        try:
            exchange(data, new)
        except OSError as error:
            raise CatalogError(
                f"The backup {backup} can't be put into {data}: {error.strerror}; nothing was changed."
            ) from error
    return head


def _settle_rights(data: Path, new: Path, head: Head, fault: str, rights: Rights | None, ask: Ask, say: Say) -> bool:
    """Bring the backup's catalog in line with the folder's own; whether the restore is to go on."""
    # of this version, as the folder's own is by now
    Catalog.open(new).close()
    for beside in new.glob(f"{FILE_NAME}.*"):
        beside.unlink()
    staged, current = new / FILE_NAME, data / FILE_NAME
    doubt: Doubt | None = None
    if fault:
        why = (
            f"{fault} So nobody can tell what was revoked, locked or deleted after {head.made}, and would be good again"
        )
        doubt = Doubt(why, credentials_of(staged), known=False)
        if rights == "now":
            refuse_doubts(doubt)
    elif current.exists() and (lines := revived(staged, current)):
        doubt = Doubt(f"Rights were taken away since {head.made} that this backup gives back", lines, known=True)
    elif not current.exists() and (good := credentials_of(staged)):
        say(
            f"{len(good)} accounts and tokens are as they were at {head.made}; what was revoked or locked after that "
            "is not known here."
        )
    if doubt and doubt.lines and rights is None:
        rights = ask(doubt)
        if rights is None:
            return False
    keep_newer(staged, current if current.exists() and not fault else None, rights or "now", head.made)
    return True


def _refuse_running_jobs(data: Path) -> str:
    """Returns why the folder's own catalog can't be read, which is a reason to restore; empty where it can be."""
    if not (data / FILE_NAME).exists():
        return ""
    try:
        catalog = Catalog.open(data)
    except CatalogError as error:
        return str(error)
    try:
        running = [job.id for job in catalog.jobs.list(100) if job.state == "running"]
    finally:
        catalog.close()
    if running:
        raise CatalogError(f"Job {running[0]} is running on {data}; wait for its end, then restore.")
    return ""


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
    if source is None or path.is_absolute() or ".." in path.parts or path.parts[0] not in PARTS:
        raise CatalogError(f"The backup {backup} holds {entry.name!r}, which ragapp never writes; nothing was changed.")
    target = stage / path
    private_folder(target.parent)
    digest = hashlib.sha256()
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as sink:
        while block := source.read(_BLOCK):
            digest.update(block)
            write_with_holes(sink, block)
        end_with_holes(sink)
        sink.flush()
        os.fsync(sink.fileno())
    return digest.hexdigest()


def _refuse_a_full_disk(folder: Path, wanted: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < wanted + _SPARE_BYTES:
        raise StorageFull(
            f"The backup unpacks to {wanted >> 20} MiB and {free >> 20} MiB are free at {folder}; free some space, or "
            "choose another --data."
        )
