"""Texts that a program added come back as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragapp.catalog import added_texts
from ragapp.catalog.files import DocumentFiles, sha256_of


@pytest.mark.parametrize("text", ["Zahl: 5\r\n", "half a character \udcff", ""])
def test_bytes_and_text_are_each_other(tmp_path: Path, text: str) -> None:
    files = DocumentFiles(tmp_path)
    sha256 = added_texts.keep_original(files, text)
    added_texts.keep_text(files, sha256, added_texts.VERSION, text, "a")
    original = files.original(sha256)
    assert sha256_of(original) == sha256
    assert added_texts.text_of(original.read_bytes()) == text
    extracted = files.extracted(sha256, added_texts.VERSION)
    assert extracted is not None
    assert extracted.text == text
    assert {each.kind for each in files.kept()} == {"original", "extracted"}


def test_text_that_is_kept_already_stays(tmp_path: Path) -> None:
    """Equal texts have one kept text; the first one's title stays in it."""
    files = DocumentFiles(tmp_path)
    for title in ("first", "second"):
        added_texts.keep_text(files, "ab" * 32, added_texts.VERSION, "the same", title)
    kept = files.extracted("ab" * 32, added_texts.VERSION)
    assert kept is not None
    assert kept.title == "first"
