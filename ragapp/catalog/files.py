"""The original bytes and the extracted text of every document, so that a citation can always be shown.

Originals are addressed by the SHA-256 of their bytes, extracted text by that and the parser's version. Both
are written to a temporary name, synced and renamed: a file that is there is whole.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import json
import logging
import os
import tempfile
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Literal, cast

from ragapp.errors import CatalogError, KeptOut, PassingFault, StorageFull
from ragapp.private import private_folder
from ragapp.types import Box, Element, Extracted, Word

_BLOCK = 1 << 20
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """One file below the originals or the extracted text."""

    path: Path
    kind: Literal["original", "extracted", "temporary"]
    sha256: str
    """Of the original; empty for a temporary file."""
    version: str = ""
    """Of the parser, for extracted text."""


class DocumentFiles:
    """Originals and extracted text below one data folder.

    Bytes are held from before they are there until the document they are for is in, or is given up: whoever removes
    another document with the same bytes meanwhile finds no row that needs them.
    """

    def __init__(self, data: Path) -> None:
        self._data = data
        self._held: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.scratch = data / "scratch"
        """For what lies about only while a run lasts."""
        self._originals = data / "originals"
        self._extracted = data / "extracted"

    def __reduce__(self) -> tuple[type[DocumentFiles], tuple[Path]]:
        return DocumentFiles, (self._data,)

    def keep_original(self, path: Path, *, hold: bool = False) -> str:
        """Copy a file's bytes in; returns their SHA-256 as 64 hex digits. With `hold` they stay until `let_go`.

        Hashed while being copied, so that a file which is written to meanwhile can't end under a wrong hash. Raises
        Unreadable where the file can't be read, StorageFull or CatalogError where the copy can't be written.
        """
        digest = hashlib.sha256()

        def copy(sink: IO[bytes]) -> None:
            for block in _blocks(path):
                digest.update(block)
                sink.write(block)

        held = False

        def target() -> Path:
            nonlocal held
            sha256 = digest.hexdigest()
            if hold and not held:
                with self._lock:
                    self._held[sha256] += 1
                held = True
            return self.original(sha256)

        try:
            _write_whole(self._originals, copy, target)
        except BaseException:
            if held:
                self.let_go(digest.hexdigest())
            raise
        return digest.hexdigest()

    def let_go(self, sha256: str) -> None:
        """The bytes are held once less."""
        with self._lock:
            self._held[sha256] -= 1
            if self._held[sha256] <= 0:
                del self._held[sha256]

    def original(self, sha256: str) -> Path:
        """Where the bytes with this hash are kept."""
        return self._originals / sha256[:2] / sha256

    def keep_extracted(self, sha256: str, parser_version: str, extracted: Extracted) -> None:
        """Keep what a parser made of these bytes."""
        packed = json.dumps(_to_json(extracted), ensure_ascii=True, separators=(",", ":")).encode()
        target = self._extracted_path(sha256, parser_version)
        # mtime=0 keeps equal content equal on disk
        zipped = gzip.compress(packed, compresslevel=3, mtime=0)
        _write_whole(self._extracted, lambda sink: sink.write(zipped), lambda: target)

    def extracted(self, sha256: str, parser_version: str) -> Extracted | None:
        """What that version of the parser made of these bytes; None if it never did, or what it made is damaged."""
        path = self._extracted_path(sha256, parser_version)
        try:
            return _from_json(json.loads(gzip.decompress(path.read_bytes())))
        except FileNotFoundError:
            return None
        except (gzip.BadGzipFile, zlib.error, EOFError, ValueError, KeyError, TypeError):
            # whoever needs it makes it anew from the original
            _log.warning("the extracted text in %s is damaged", path)
            return None

    def forget(self, sha256: str, uses: Callable[[str], bool] = lambda _: False) -> None:
        """Remove the bytes with this hash and all text extracted from them, unless they are held or `uses` says that
        a document needs them. It is asked while nobody can begin to hold them."""
        with self._lock:
            if self._held[sha256] or uses(sha256):
                return
            self.original(sha256).unlink(missing_ok=True)
            for path in (self._extracted / sha256[:2]).glob(f"{sha256}.*"):
                path.unlink(missing_ok=True)

    def forget_texts(self, sha256: str, needed: Callable[[str], set[str]]) -> bool:
        """Remove what other versions of the parser made of these bytes than those `needed` names. Whatever else is made
        of bytes by a parser is kept beside the text, and goes here and in `forget`. False, and nothing is done, while
        the bytes are held."""
        with self._lock:
            if self._held[sha256]:
                return False
            versions = needed(sha256)
            for path in (self._extracted / sha256[:2]).glob(f"{sha256}.*.json.gz"):
                if path.name.removeprefix(f"{sha256}.").removesuffix(".json.gz") not in versions:
                    path.unlink(missing_ok=True)
            return True

    def extracted_path(self, sha256: str, parser_version: str) -> Path:
        """Where the text is kept that this version of the parser made of these bytes."""
        return self._extracted_path(sha256, parser_version)

    def kept(self) -> Iterator[Kept]:
        """Every file there is, whoever needs it; what a crash left half written is "temporary"."""
        for path in _files_below(self._originals):
            whole = path.parent.name == path.name[:2] and _is_sha256(path.name)
            yield Kept(path, "original" if whole else "temporary", path.name if whole else "")
        for path in _files_below(self._extracted):
            sha256, _, rest = path.name.partition(".")
            whole = path.parent.name == sha256[:2] and _is_sha256(sha256) and rest.endswith(".json.gz")
            if whole:
                yield Kept(path, "extracted", sha256, rest.removesuffix(".json.gz"))
            else:
                yield Kept(path, "temporary", "")

    def _extracted_path(self, sha256: str, parser_version: str) -> Path:
        return self._extracted / sha256[:2] / f"{sha256}.{parser_version}.json.gz"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as source:
        while block := source.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _files_below(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _is_sha256(name: str) -> bool:
    return len(name) == 64 and all(c in "0123456789abcdef" for c in name)


def _blocks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as source:
            while block := source.read(_BLOCK):
                yield block
    except OSError as error:
        stays = isinstance(error, FileNotFoundError | PermissionError)
        raise (KeptOut if stays else PassingFault)(f"can't be opened ({error.strerror})") from error


def _write_whole(folder: Path, write: Callable[[IO[bytes]], Any], target: Callable[[], Path]) -> None:
    """Write below `folder` under a temporary name, sync, and rename to what `target` says after the writing."""
    temporary: Path | None = None
    try:
        private_folder(folder)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".new-", delete=False) as sink:
            temporary = Path(sink.name)
            write(cast("IO[bytes]", sink))
            sink.flush()
            os.fsync(sink.fileno())
        private_folder(target().parent)
        temporary.replace(target())
        _sync_folder(target().parent)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageFull(
                f"The disk of {folder} is full; free some space and run again (nothing was lost)."
            ) from error
        raise CatalogError(
            f"The folder {folder} can't be written: {error.strerror}; check its rights, or choose another --data."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """A name is only safe from a power cut when its folder was synced too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _to_json(extracted: Extracted) -> dict[str, Any]:
    return {
        "text": extracted.text,
        "elements": [[e.kind, e.start, e.end, e.page, e.level, e.table, e.hidden] for e in extracted.elements],
        "title": extracted.title,
        "pages": extracted.pages,
        "words": [
            [w.start, w.end, w.box.page, *(round(v, 2) for v in (w.box.x0, w.box.y0, w.box.x1, w.box.y1))]
            for w in extracted.words
        ],
        "page_sizes": extracted.page_sizes,
        "dated": extracted.dated.isoformat() if extracted.dated else None,
        "language": extracted.language,
        "notes": extracted.notes,
        "titled": extracted.titled,
    }


def _from_json(kept: dict[str, Any]) -> Extracted:
    return Extracted(
        text=kept["text"],
        # text kept by an earlier version has no `hidden`: the field's default stands in
        elements=tuple(Element(*element) for element in kept["elements"]),
        title=kept["title"],
        pages=kept["pages"],
        words=tuple(Word(start, end, Box(*box)) for start, end, *box in kept["words"]),
        page_sizes=tuple((width, height) for width, height in kept["page_sizes"]),
        dated=datetime.fromisoformat(kept["dated"]) if kept["dated"] else None,
        language=kept["language"],
        notes=tuple(kept["notes"]),
        titled=kept.get("titled"),
    )
