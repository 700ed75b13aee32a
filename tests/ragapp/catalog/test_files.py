"""Originals and extracted text are whole or absent, whatever happens while they are written."""

import errno
import gzip
import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ragapp.catalog.files import DocumentFiles, sha256_of
from ragapp.errors import StorageFull
from ragapp.types import Box, Element, Extracted, Word

EXTRACTED = Extracted(
    text="Title\n\nZahl: 5 \udcff",
    elements=(Element("title", 0, 5, 1, 1), Element("table_row", 7, 16, 2, 0, 3, hidden=True)),
    title="Title",
    pages=2,
    words=(Word(0, 5, Box(1, 1.25, 2.5, 30.0, 12.0)),),
    page_sizes=((595.0, 842.0),),
    dated=datetime(2025, 3, 1, tzinfo=UTC),
    language="de",
    notes=("1 page holds only a picture",),
)


def test_bytes_are_kept_under_their_hash(tmp_path: Path) -> None:
    source = tmp_path / "a.bin"
    source.write_bytes(b"\x00\xff" * 1_500_000)
    files = DocumentFiles(tmp_path / "data")
    digest = files.keep_original(source)
    assert digest == sha256_of(source) == hashlib.sha256(source.read_bytes()).hexdigest()
    assert files.original(digest).read_bytes() == source.read_bytes()


def test_extracted_text_comes_back_as_it_was(tmp_path: Path) -> None:
    files = DocumentFiles(tmp_path)
    files.keep_extracted("ab" * 32, "1", EXTRACTED)
    assert files.extracted("ab" * 32, "1") == EXTRACTED
    assert files.extracted("ab" * 32, "2") is None


def test_text_that_was_kept_before_there_was_hidden_text_still_loads(tmp_path: Path) -> None:
    files = DocumentFiles(tmp_path)
    files.keep_extracted("ab" * 32, "1", EXTRACTED)
    (kept,) = tmp_path.rglob("*.json.gz")
    old = json.loads(gzip.decompress(kept.read_bytes()))
    old["elements"] = [element[:6] for element in old["elements"]]
    kept.write_bytes(gzip.compress(json.dumps(old).encode()))
    found = files.extracted("ab" * 32, "1")
    assert found is not None and [e.hidden for e in found.elements] == [False, False]


def test_forgetting_takes_every_version_away(tmp_path: Path) -> None:
    source = tmp_path / "a"
    source.write_bytes(b"x")
    files = DocumentFiles(tmp_path / "data")
    digest = files.keep_original(source)
    for version in ("1", "2"):
        files.keep_extracted(digest, version, EXTRACTED)
    files.forget(digest)
    assert not [path for path in (tmp_path / "data").rglob("*") if path.is_file()]


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = DocumentFiles(tmp_path / "data")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull, match="full"):
        files.keep_extracted("ab" * 32, "1", EXTRACTED)
    assert files.extracted("ab" * 32, "1") is None
    assert not [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
