"""Groups changed by hand: one commit, marks for the index, and no ingestion that puts the old ones back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ragapp.catalog.catalog import Catalog
from ragapp.catalog.groups import Grant, refuse_unknown, unknown_groups
from ragapp.catalog.rows import DocumentRow, OriginRow
from ragapp.errors import CatalogError, NobodyChosen
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


def test_a_revision_that_goes_live_while_the_index_follows_keeps_its_document_due(catalog: Catalog) -> None:
    row = committed(catalog, "a.md")
    begun = replace(row, revision=catalog.next_revision(row.id))
    catalog.access.change({row.id: HR})
    followed, revisions = dict(catalog.access.due()), {row.id: row.revision}
    catalog.commit_document(begun)
    assert catalog.access.settle(followed, revisions) == {row.id: HR}
    assert dict(catalog.access.due()) == {row.id: HR}
    assert catalog.access.settle(followed, {row.id: begun.revision}) == {}
    assert not dict(catalog.access.due())


def test_of_two_that_follow_at_once_the_one_with_older_groups_leaves_the_document_due(catalog: Catalog) -> None:
    row = committed(catalog, "a.md")
    catalog.access.change({row.id: HR})
    older = dict(catalog.access.due())
    catalog.access.change({row.id: STAFF})
    catalog.access.settle({row.id: STAFF})
    assert catalog.access.settle(older) == {row.id: STAFF}
    assert dict(catalog.access.due()) == {row.id: STAFF}


def test_a_revision_begun_before_a_change_does_not_put_the_old_groups_back(catalog: Catalog) -> None:
    row = committed(catalog, "a.md")
    begun = replace(row, revision=catalog.next_revision(row.id))
    catalog.access.change({row.id: HR})
    kept = catalog.commit_document(begun)
    assert kept.groups == HR
    assert not sees(catalog, kept, "staff")
    assert dict(catalog.access.due()) == {row.id: HR}


def test_a_revision_begun_after_a_change_brings_its_own_groups_as_far_as_they_show_it_to_no_more(
    catalog: Catalog,
) -> None:
    row = committed(catalog, "a.md")
    catalog.access.change({row.id: HR})
    assert committed(catalog, "a.md", STAFF).groups == HR
    assert committed(catalog, "a.md", HR | STAFF).groups == HR
    catalog.access.change({row.id: HR | STAFF})
    assert committed(catalog, "a.md", STAFF).groups == STAFF


class TestWhatARunIsAskedFor:
    """Groups that are decided with the commit."""

    def job(self, catalog: Catalog, **request: object) -> int:
        return catalog.jobs.start("ingest", "ingest a.md", request)

    def committed(self, catalog: Catalog, grant: Grant, source: str = "a.md", container: str = "") -> DocumentRow:
        key = document_id("default", source)
        row = DocumentRow(
            key, "default", source, catalog.next_revision(key), "ab" * 32, 1, source, "md", 1, grant.new or frozenset(),
            container=container,
        )  # fmt: skip
        return catalog.commit_document(row, grant=grant)

    def test_what_was_changed_by_hand_after_the_job_was_asked_for_stays(self, catalog: Catalog) -> None:
        grant = Grant(document_id("default", "a.md"), STAFF, STAFF, self.job(catalog))
        row = self.committed(catalog, grant)
        catalog.access.change({row.id: HR})
        assert self.committed(catalog, grant).groups == HR
        catalog.access.bring_in_line([row.id], grant)
        assert catalog.access.granted(grant) == HR

    def test_a_job_that_is_asked_for_after_the_change_shows_it_to_fewer_and_to_nobody_else(
        self, catalog: Catalog
    ) -> None:
        grant = Grant(document_id("default", "a.md"), STAFF, STAFF, self.job(catalog))
        row = self.committed(catalog, grant)
        catalog.access.change({row.id: HR | STAFF})
        later = replace(grant, job=self.job(catalog))
        catalog.access.bring_in_line([row.id], later)
        assert dict(catalog.access.due()) == {row.id: STAFF}
        assert self.committed(catalog, later).groups == STAFF
        for groups in (HR, HR | STAFF, frozenset({"everyone"})):
            wider = replace(grant, groups=groups, job=self.job(catalog))
            assert self.committed(catalog, wider).groups == STAFF, "chosen by hand, and narrowed since"

    def test_a_source_leaves_what_was_chosen_for_one_document(self, catalog: Catalog) -> None:
        catalog.origins.add(OriginRow("house", "/srv/house", groups=STAFF))
        key = document_id("default", "a.md")
        self.committed(catalog, Grant(key, STAFF))
        catalog.access.change({key: HR})
        grant = Grant(key, STAFF, STAFF, self.job(catalog), "house", lambda origin: origin.groups)
        assert self.committed(catalog, grant).groups == HR
        catalog.access.change({key: STAFF}, by_hand=False)
        assert catalog.access.by_hand([key]) == frozenset()

    def test_a_document_that_moves_takes_along_what_was_chosen_for_it(self, catalog: Catalog) -> None:
        old = self.committed(catalog, Grant(document_id("default", "a.md"), STAFF))
        catalog.access.change({old.id: HR})
        key = document_id("default", "b.md")
        row = replace(old, id=key, source="b.md", revision=catalog.next_revision(key), groups=STAFF)
        grant = Grant(key, STAFF, STAFF, self.job(catalog), replaces=old.id)
        assert catalog.commit_document(row, replaces=old.id, grant=grant).groups == HR
        assert dict(catalog.access.due()) == {key: HR}, "its chunks were written for the staff"
        assert catalog.access.by_hand([key, old.id]) == {key}
        assert self.committed(catalog, Grant(old.id, STAFF)).groups == STAFF, "another file of the old name"

    def test_the_rule_of_the_collection_holds_at_the_commit_where_nothing_is_said(self, catalog: Catalog) -> None:
        grant = Grant(document_id("default", "a.md"), None)
        assert catalog.access.granted(grant) == {"everyone"}, "a catalog without people"
        catalog.people.add("ada")
        with pytest.raises(NobodyChosen, match="collection default"):
            catalog.access.granted(grant)
        with pytest.raises(NobodyChosen):
            self.committed(catalog, grant)
        assert catalog.documents() == ()
        catalog.collection_rules.put("default", HR)
        assert self.committed(catalog, grant).groups == HR
        catalog.collection_rules.put("default", STAFF)
        assert self.committed(catalog, grant).groups == HR, "what is in keeps its groups"

    def test_what_a_job_shows_to_others_is_no_change_by_hand_for_a_job_after_it(self, catalog: Catalog) -> None:
        first = Grant(document_id("default", "a.md"), STAFF, STAFF, self.job(catalog))
        second = Grant(first.document, HR, HR, self.job(catalog))
        row = self.committed(catalog, Grant(first.document, frozenset({"board"})))
        catalog.access.bring_in_line([row.id], first)
        catalog.access.bring_in_line([row.id], second)
        assert catalog.access.granted(second) == HR

    def test_a_job_that_gets_the_number_of_a_look_ahead_is_asked_for_after_the_change(self, catalog: Catalog) -> None:
        key = document_id("default", "a.md")
        self.committed(catalog, Grant(key, STAFF))
        look_ahead = self.job(catalog, dry_run=True)
        catalog.access.change({key: HR | STAFF})
        catalog.jobs.discard(look_ahead)
        assert (job := self.job(catalog)) == look_ahead
        assert catalog.access.granted(Grant(key, STAFF, STAFF, job)) == STAFF

    def test_a_file_that_failed_keeps_the_groups_that_it_was_given(self, catalog: Catalog) -> None:
        key = document_id("default", "a.md")
        catalog.record_failure("default", "a.md", "is empty")
        assert catalog.access.granted(Grant(key, STAFF)) == STAFF
        catalog.access.change({key: HR})
        assert self.committed(catalog, Grant(key, STAFF)).groups == HR

    def test_a_document_that_nobody_may_see_is_not_shown_by_reading_it_again(self, catalog: Catalog) -> None:
        key = document_id("default", "a.md")
        self.committed(catalog, Grant(key, STAFF))
        catalog.access.change({key: frozenset()})
        assert self.committed(catalog, Grant(key, STAFF)).groups == frozenset()

    def test_a_file_of_a_source_is_shown_by_the_source_as_it_is_with_the_commit(self, catalog: Catalog) -> None:
        source = catalog.origins.add(OriginRow("house", "/srv/house", groups=STAFF))
        key = document_id("default", "a.md")
        grant = Grant(key, STAFF, STAFF, self.job(catalog), "house", lambda origin: origin.groups)
        catalog.access.change({}, replace(source, groups=HR))
        assert self.committed(catalog, grant).groups == HR
        assert dict(catalog.access.due()) == {key: HR}, "its chunks were written for the staff"

    def test_a_container_shows_what_lies_in_it_at_any_depth_by_its_own_commit(self, catalog: Catalog) -> None:
        grant = Grant(document_id("default", "box.zip"), STAFF)
        inner = document_id("default", "box.zip!/in.zip")
        self.committed(catalog, grant, "box.zip!/in.zip!/a.md", inner)
        self.committed(catalog, grant, "box.zip!/in.zip", grant.document)
        self.committed(catalog, replace(grant, new=HR), "box.zip")
        assert {row.groups for row in catalog.documents()} == {HR}


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
