"""Passages to answer from, and the stems that the BM25 branch makes."""

from collections.abc import Callable

import pytest

from ragapp.answer.words import Stems
from ragapp.embed.sparse import Bm25
from ragapp.types import Passage


@pytest.fixture(scope="session")
def stems() -> Stems:
    return Bm25().stems


@pytest.fixture
def passage() -> Callable[..., Passage]:
    def make(text: str, document: str = "doc", **more: object) -> Passage:
        given = {"source": f"{document}.md", "title": document, "revision": 1, "start": 100, "end": 100 + len(text)}
        return Passage(document_id=document, text=text, **(given | more))

    return make
