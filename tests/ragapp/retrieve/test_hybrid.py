"""What is found rests on what one may see by the catalog, also while the index has yet to follow it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragapp import RagApp
from ragapp.types import Passage, Principal, document_id

BOB = Principal("bob")
QUESTION = "When does the Ostrava foundry pay its invoices?"


@pytest.fixture
def office(fresh: RagApp, tmp_path: Path) -> RagApp:
    """A few texts for everyone, and one that is to be hidden, of nearly the same words."""
    for number in range(6):
        write(fresh, tmp_path, f"note{number}", f"Invoices of supplier {number} are paid within {number + 20} days.")
    return fresh


def write(app: RagApp, folder: Path, name: str, text: str) -> str:
    (folder / f"{name}.md").write_text(f"# {name}\n\n{text}\n")
    app.ingest(folder / f"{name}.md")
    return document_id("default", str(folder / f"{name}.md"))


def found(app: RagApp) -> tuple[tuple[Passage, ...], tuple[Passage, ...]]:
    """For a reader, and from the vector store, which asks the index by itself."""
    near = app.vectorstore(BOB).similarity_search_with_score(QUESTION, k=4)
    return app.search(QUESTION, principal=BOB, limit=4), tuple((hit.page_content, score) for hit, score in near)  # type: ignore[return-value]


def test_what_was_hidden_a_moment_ago_counts_no_more(office: RagApp, tmp_path: Path) -> None:
    before = found(office)
    secret = write(office, tmp_path, "merger", "The Ostrava foundry pays its invoices in May; the foundry is bought.")
    assert found(office) != before
    # the catalog alone, as where the process is killed right after its commit
    office.catalog.access.change({secret: frozenset({"board"})})
    assert found(office) == before
    assert secret in {passage.document_id for passage in office.search(QUESTION, principal=board(), limit=4)}
    office.access.set(secret, frozenset({"board"}), new_group=True)
    assert found(office) == before


def test_nor_does_what_was_taken_away(office: RagApp, tmp_path: Path) -> None:
    before = found(office)
    secret = write(office, tmp_path, "merger", "The Ostrava foundry pays its invoices in May; the foundry is bought.")
    office.catalog.removals.take_away([secret])
    assert found(office) == before
    office.vectorstore().delete([])
    assert found(office) == before


def test_what_one_may_still_see_is_found_meanwhile(office: RagApp, tmp_path: Path) -> None:
    shared = write(office, tmp_path, "merger", "The Ostrava foundry pays its invoices in May.")
    office.catalog.access.change({shared: frozenset({"everyone", "board"})})
    assert shared in {passage.document_id for passage in office.search(QUESTION, principal=BOB, limit=4)}


def board() -> Principal:
    return Principal("ada", frozenset({"board"}))
