"""Passages to answer from, and the stems that the BM25 branch makes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pytest

from ragapp.answer.words import Stems
from ragapp.embed.sparse import Bm25
from ragapp.types import Passage, Principal


@dataclass
class Shown:
    """A catalog in which everybody sees every document but those that are hidden."""

    hidden: set[str] = field(default_factory=set)
    looks: int = 0

    def version(self) -> int:
        self.looks += 1
        return self.looks

    def visible(self, ids: Iterable[str], principal: Principal) -> set[str]:
        return set(ids) - self.hidden


@pytest.fixture
def shown() -> Shown:
    return Shown()


@pytest.fixture(scope="session")
def stems() -> Stems:
    return Bm25().stems


@pytest.fixture
def passage() -> Callable[..., Passage]:
    def make(text: str, document: str = "doc", **more: object) -> Passage:
        given = {"source": f"{document}.md", "title": document, "revision": 1, "start": 100, "end": 100 + len(text)}
        return Passage(document_id=document, text=text, **(given | more))

    return make
