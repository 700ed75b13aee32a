"""A catalog of one's own, and rows to put into it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ragapp.catalog.catalog import Catalog
from ragapp.catalog.rows import DocumentRow
from ragapp.types import document_id


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    opened = Catalog.open(tmp_path)
    yield opened
    opened.close()


def row(source: str = "a.md", revision: int = 1, **changes: object) -> DocumentRow:
    plain = DocumentRow(
        id=document_id("default", source),
        collection="default",
        source=source,
        revision=revision,
        sha256="0" * 64,
        size=10,
        title="A",
        file_type="md",
        chunks=3,
        groups=frozenset({"everyone"}),
        parser="markdown",
        parser_version="1",
    )
    return replace(plain, **changes)  # type: ignore[arg-type]
