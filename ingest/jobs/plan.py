"""What a run would do, found before it does anything: what is new, changed, moved, gone, as it was, unreadable.

The listing goes into the job's own rows page by page, so that a million keys never lie in memory.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import PurePath

from ingest.origins.origin import Entry, NotListed
from ingest.pipeline.versions import current
from ingest.unpack.opened import Failure
from ragapp.access import widens
from ragapp.catalog.added_texts import is_added
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.rows import DocumentRow, FileAction, JobFile
from ragapp.types import document_id

_PAGE = 400
"""Files compared with the catalog in one query."""
_LARGEST_SHARE = 0.2
_FEW = 10
"""More than so many files, and more than that share of a source's, are not removed without being asked again."""

_ESCAPE = re.compile(r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
"""What `walk.printable` and `store.shown` make of what can't be printed."""

Digest = Callable[[JobFile], str | None]
"""The SHA-256 of a file where it can be had without fetching it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How many files are to be treated how, and what stands in the way of removing those that are gone."""

    counts: dict[FileAction, int]
    skipped: tuple[Failure, ...] = ()
    withheld: str = ""
    """Why nothing is removed although files are gone; empty where they may go."""
    listed: int = 0

    def of(self, action: FileAction) -> int:
        return self.counts.get(action, 0)


@dataclass(slots=True)
class _Seen:
    """What the listing has shown so far besides files."""

    listed: int = 0
    skipped: list[Failure] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    """Folders that could not be read: what lies below them is not gone."""
    escaped: set[str] = field(default_factory=set)
    """Names that hold an escape: of all others no two are printed alike."""


def plan(
    job_id: int,
    listing: Iterable[Entry | NotListed],
    catalog: Catalog,
    *,
    collection: str,
    groups: frozenset[str] | None,
    origin: str = "",
    digest: Digest | None = None,
    again: str = "",
    renew: bool = False,
    ocr: bool = False,
) -> Plan:
    """Note in the job what is to be done with each file of `listing`; nothing else is touched.

    `groups` is who may see what the listing says nothing about; None leaves known documents as they are. With `origin`,
    the name of a synced source, its documents that are not listed are planned as gone, or moved where a new file has
    their content. `again` is the command that removes them although they are many. With `renew`, documents that
    an older parser made count as changed; with `ocr`, those too of which pages were left out that it could read.
    """
    seen = _Seen()
    files = _files(listing, seen)
    while page := list(islice(files, _PAGE)):
        known = catalog.known(document_id(collection, file.source) for file in page)
        # what was chosen by hand for one of a source's is not brought again and again for the source's own groups
        chosen = catalog.access.by_hand(list(known)) if origin else frozenset()
        asked = _Asked(groups, origin, renew, current(ocr), chosen)
        catalog.jobs.plan(
            job_id, [_judged(file, known.get(document_id(collection, file.source)), asked) for file in page]
        )
    if origin:
        _plan_gone(job_id, catalog, origin, seen)
        _plan_moved(job_id, catalog, origin, digest or (lambda _: None))
    counts = catalog.jobs.counts(job_id)
    withheld = _withheld(counts.get("gone", 0), catalog.count(origin), seen, origin, again) if origin else ""
    return Plan(counts, tuple(seen.skipped), withheld, seen.listed)


def _files(listing: Iterable[Entry | NotListed], seen: _Seen) -> Iterator[JobFile]:
    for entry in listing:
        if isinstance(entry, Entry):
            seen.listed += 1
            file = JobFile(entry.url, "new", entry.locator, entry.fingerprint, entry.size, entry.groups)
            yield _told_apart(file, seen)
        elif entry.failed:
            seen.closed.append(entry.source)
            yield _told_apart(_unreadable(entry.source, entry.reason), seen)
        else:
            seen.skipped.append(Failure(entry.source, entry.reason))


def _told_apart(file: JobFile, seen: _Seen) -> JobFile:
    """The second file of one name as a row that says so: a name can stand for one document only."""
    if not _ESCAPE.search(file.source):
        return file
    name, number = file.source, 1
    while name in seen.escaped:
        number += 1
        name = f"{file.source} ({number})"
    seen.escaped.add(name)
    if number == 1:
        return file
    return _unreadable(name, "another file's name is printed like this one's, which is no plain text; rename it")


def _unreadable(source: str, reason: str) -> JobFile:
    return JobFile(source, "unreadable", state="failed", outcome="failed", reason=reason)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a run asks of the files that are known already."""

    groups: frozenset[str] | None
    origin: str
    renew: bool
    versions: frozenset[str]
    chosen: frozenset[str]
    """Documents of which somebody chose by hand who may see them."""

    def settled(self, file: JobFile, known: DocumentRow) -> bool:
        """Whether a document is shown to those who are to see it."""
        shown_to = self.groups if file.groups is None else file.groups
        if shown_to is None or known.groups == shown_to:
            return True
        return known.id in self.chosen and widens(shown_to, known.groups)


def _judged(file: JobFile, known: DocumentRow | None, asked: _Asked) -> JobFile:
    if file.action == "unreadable" or known is None:
        return file
    versions = asked.versions
    same = bool(file.fingerprint) and file.fingerprint == known.fingerprint
    if known.reason and same and not known.passing and known.parser_version in versions:
        return replace(file, action="unreadable", state="failed", outcome="failed", reason=known.reason)
    if known.state != "live":
        return file
    settled = asked.settled(file, known) and not (asked.renew and is_stale(known, versions))
    if same and settled and not known.reason and known.origin == asked.origin:
        return replace(file, action="unchanged", state="done", outcome="unchanged")
    return replace(file, action="changed")


def is_stale(row: DocumentRow, versions: frozenset[str]) -> bool:
    """Whether something else than these versions of parser and chunker made what is in."""
    return row.state == "live" and not is_added(row) and row.parser_version not in versions


def _plan_gone(job_id: int, catalog: Catalog, origin: str, seen: _Seen) -> None:
    closed = tuple(f"{path.rstrip('/')}/" for path in seen.closed)
    gone = (row for row in catalog.gone(origin, job_id) if not f"{row.source}/".startswith(closed))
    while page := [_gone(row) for row in islice(gone, _PAGE)]:
        catalog.jobs.plan(job_id, page)


def _gone(row: DocumentRow) -> JobFile:
    return JobFile(row.source, "gone", fingerprint=row.fingerprint, size=row.size, replaces=row.id, reason=row.sha256)


def _plan_moved(job_id: int, catalog: Catalog, origin: str, digest: Digest) -> None:
    """Turn a gone file and a new one of the same content into one that was moved."""
    gone: dict[int, list[JobFile]] = {}
    for file in catalog.jobs.files(job_id, actions=("gone",)):
        if file.reason:
            gone.setdefault(file.size, []).append(file)
    if not gone:
        return
    moved: list[JobFile] = []
    went: list[str] = []
    for file in catalog.jobs.files(job_id, actions=("new",), states=("planned",)):
        if old := _was(file, gone.get(file.size, []), digest):
            gone[file.size].remove(old)
            moved.append(replace(file, action="moved", replaces=old.replaces))
            went.append(old.source)
    catalog.jobs.drop(job_id, went)
    catalog.jobs.plan(job_id, moved)


def _was(file: JobFile, candidates: Sequence[JobFile], digest: Digest) -> JobFile | None:
    """The gone file that this new one was: the same name first, where several have its content."""
    if not candidates:
        return None
    equal = [old for old in candidates if old.fingerprint and old.fingerprint == file.fingerprint]
    if not equal and (sha256 := digest(file)):
        equal = [old for old in candidates if old.reason == sha256]
    named = [old for old in equal if PurePath(old.source).name == PurePath(file.source).name]
    return next(iter(named or equal), None)


def _withheld(gone: int, total: int, seen: _Seen, origin: str, again: str) -> str:
    if not gone:
        return ""
    if not seen.listed:
        return (
            f"The source {origin} lists no file at all, which is more likely a fault of the source than meant; nothing "
            f"was removed. If it is meant, type: {again}"
        )
    if gone > _FEW and gone > _LARGEST_SHARE * total:
        return (
            f"{gone} of the {total} documents of {origin} are gone from the source, more than a fifth; nothing was "
            f"removed. If that is meant, type: {again}"
        )
    return ""
