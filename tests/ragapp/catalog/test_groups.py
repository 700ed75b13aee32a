"""Groups changed by hand: one commit, marks for the index, and no ingestion that puts the old ones back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ragapp.catalog.catalog import Catalog
from ragapp.catalog.groups import refuse_unknown, unknown_groups
from ragapp.catalog.rows import DocumentRow
from ragapp.errors import CatalogError
from ragapp.types import Principal, document_id

STAFF, HR = frozenset({"staff"}), frozenset({"hr"})


def committed(catalog: Catalog, source: str, groups: frozenset[str] = STAFF) -> DocumentRow:
    key = document_id("default", source)
    row = DocumentRow(key, "default", source, catalog.next_revision(key), "ab" * 32, 1, source, "md", 1, groups)
    return catalog.commit_document(row)


def sees(catalog: Catalog, row: DocumentRow, group: str) -> bool:
    return bool(catalog.confirm([(row.id, row.revision)], Principal("p", frozenset({group}))))


def test_a_change_holds_from_its_commit_on_and_leaves_a_mark(catalog: Catalog) -> None:
    row = committed(catalog, "a.md")
    assert catalog.access.change({row.id: HR, "unknown": HR}) == 1
    assert sees(catalog, row, "hr")
    assert not sees(catalog, row, "staff")
    assert dict(catalog.access.due()) == {row.id: HR}
    catalog.access.settle({row.id: HR})
    assert not dict(catalog.access.due())


def test_what_changes_again_while_the_index_follows_stays_due(catalog: Catalog) -> None:
    row = committed(catalog, "a.md")
    catalog.access.change({row.id: HR})
    followed = dict(catalog.access.due())
    catalog.access.change({row.id: STAFF})
    catalog.access.settle(followed)
    assert dict(catalog.access.due()) == {row.id: STAFF}


def test_a_revision_begun_before_a_change_does_not_put_the_old_groups_back(catalog: Catalog) -> None:
    row = committed(catalog, "a.md")
    begun = replace(row, revision=catalog.next_revision(row.id))
    catalog.access.change({row.id: HR})
    kept = catalog.commit_document(begun)
    assert kept.groups == HR
    assert not sees(catalog, kept, "staff")
    assert dict(catalog.access.due()) == {row.id: HR}


def test_a_revision_begun_after_a_change_brings_its_own_groups(catalog: Catalog) -> None:
    row = committed(catalog, "a.md")
    catalog.access.change({row.id: HR})
    assert committed(catalog, "a.md", STAFF).groups == STAFF


def test_more_documents_than_a_page_change_in_one_commit(catalog: Catalog) -> None:
    rows = [committed(catalog, f"{i}.md") for i in range(7)]
    groups = {row.id: HR for row in rows} | {f"unknown {i}": HR for i in range(1200)}
    assert catalog.access.change(groups) == 7
    assert dict(catalog.access.due()) == {row.id: HR for row in rows}


def test_unknown_groups_are_named_with_the_nearest(catalog: Catalog) -> None:
    committed(catalog, "a.md", frozenset({"Accounting", "staff"}))
    known = catalog.access.known()
    assert known == {"Accounting", "staff", "everyone"}
    assert unknown_groups(["staf", "board", "staff"], known) == {"board": (), "staf": ("staff",)}
    refuse_unknown(["staff", "everyone"], known)
    with pytest.raises(CatalogError, match=r"acounting \(did you mean Accounting\?\).*--new-group"):
        refuse_unknown(["acounting"], known)


def test_a_removal_is_due_until_it_is_settled(catalog: Catalog) -> None:
    row = committed(catalog, "a.md")
    assert catalog.removals.take_away([row.id, "unknown"]) == 1
    assert catalog.document(row.id) is None
    assert catalog.removals.due() == ((row.id, row.sha256),)
    catalog.removals.settle(catalog.removals.due())
    assert catalog.removals.due() == ()
