"""Who may see what lies in a container, and which rule a change makes; over a catalog without an index."""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import event

from ingest.care import access as accesses
from ingest.care.access import Access
from ingest.care.named import with_members
from ingest.care.removal import plan_removal
from ingest.origins.pathrules import PathRules
from ragapp.catalog.catalog import FILE_NAME, Catalog
from ragapp.catalog.groups import Grant
from ragapp.catalog.rows import DocumentRow, OriginRow
from ragapp.errors import CatalogError, IndexLocked
from ragapp.types import document_id

STAFF, HR = frozenset({"staff"}), frozenset({"hr"})


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog.open(tmp_path)
    yield catalog
    catalog.close()


@pytest.fixture
def access(catalog: Catalog) -> Access:
    return Access(catalog, lambda: None)


def committed(catalog: Catalog, source: str, origin: str = "", container: str = "", sha256: str = "") -> str:
    key = document_id("default", source)
    row = DocumentRow(
        key, "default", source, catalog.next_revision(key), sha256 or key.replace("-", "") * 2, 10, source, "md", 2,
        STAFF, origin=origin, container=container,
    )  # fmt: skip
    catalog.commit_document(row)
    return key


def groups(catalog: Catalog) -> dict[str, frozenset[str]]:
    return {row.source: row.groups for row in catalog.documents()}


def test_what_lies_in_a_container_follows_it_at_any_depth(catalog: Catalog, access: Access) -> None:
    mail = committed(catalog, "/in/mail.eml")
    pack = committed(catalog, "/in/mail.eml!/pack.zip", container=mail)
    committed(catalog, "/in/mail.eml!/pack.zip!/offer.md", container=pack)
    committed(catalog, "/in/other.md")
    assert access.set("/in/mail.eml", HR, new_group=True).documents == 3
    assert {source for source, seen in groups(catalog).items() if seen == HR} == {
        "/in/mail.eml",
        "/in/mail.eml!/pack.zip",
        "/in/mail.eml!/pack.zip!/offer.md",
    }


def test_a_member_alone_is_refused_with_the_name_of_its_container(catalog: Catalog, access: Access) -> None:
    mail = committed(catalog, "/in/mail.eml")
    committed(catalog, "/in/mail.eml!/offer.md", container=mail)
    with pytest.raises(CatalogError, match=r"access set '/in/mail\.eml'"):
        access.set("/in/mail.eml!/offer.md", HR, new_group=True)


def test_members_go_with_their_container_and_shared_bytes_stay(catalog: Catalog) -> None:
    mail = committed(catalog, "/in/mail.eml")
    committed(catalog, "/in/mail.eml!/offer.md", container=mail, sha256="c" * 64)
    committed(catalog, "/in/copy.md", sha256="c" * 64)
    removal = plan_removal(catalog, ["/in/mail.eml"])
    assert (len(removal.documents), removal.members, removal.chunks) == (2, 1, 4)
    assert (removal.bytes, removal.shared) == (10, 1)


@pytest.mark.parametrize("name", ["plain.md", "sub/plain.md", "odd [1]*?.md"])
def test_the_rule_for_one_document_means_it_alone(catalog: Catalog, access: Access, name: str) -> None:
    catalog.origins.add(OriginRow("house", "/srv/house", groups=STAFF))
    committed(catalog, f"/srv/house/{name}", origin="house")
    committed(catalog, "/srv/house/deep/plain.md", origin="house")
    access.set(f"/srv/house/{name}", HR, new_group=True)
    rules = PathRules(catalog.origins.get("house").rules)
    assert rules.groups(name) == HR
    assert rules.groups("deep/plain.md") is None
    assert rules.groups("odd 1x.md") is None
    assert groups(catalog) == {f"/srv/house/{name}": HR, "/srv/house/deep/plain.md": STAFF}


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("/srv/house/", "/srv/house"),
        ("file:///srv/house", "/srv/house"),
        ("sftp://Ada@Files.example:2222/srv/house/", "sftp://files.example:2222/srv/house"),
        ("ssh://ada@files.example/~/house", "sftp://files.example/~/house"),
        ("s3://house/policies/?endpoint_url=https://store.example", "s3://house/policies"),
    ],
)
def test_rules_hold_however_the_address_of_the_source_is_written(
    catalog: Catalog, access: Access, url: str, named: str
) -> None:
    catalog.origins.add(OriginRow("house", url, groups=STAFF, rules=(("hr/", HR),)))
    committed(catalog, f"{named}/hr/a.md", origin="house")
    committed(catalog, f"{named}/b.md", origin="house")
    access.set("house", frozenset({"board"}), new_group=True)
    assert groups(catalog) == {f"{named}/hr/a.md": HR, f"{named}/b.md": frozenset({"board"})}


def test_nothing_comes_in_between_the_look_and_the_change(
    catalog: Catalog, access: Access, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed(catalog, "/in/a.md")

    def looks(catalog: Catalog, rows: tuple[DocumentRow, ...]) -> tuple[DocumentRow, ...]:
        with (
            closing(sqlite3.connect(tmp_path / FILE_NAME, timeout=0)) as other,
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            other.execute("BEGIN IMMEDIATE")
        return with_members(catalog, rows)

    monkeypatch.setattr(accesses, "with_members", looks)
    assert access.set("/in/a.md", HR, new_group=True).documents == 1


def test_a_change_needs_no_connection_that_those_who_wait_to_write_may_hold(
    catalog: Catalog, access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed(catalog, "/in/a.md")

    def looks(catalog: Catalog, rows: tuple[DocumentRow, ...]) -> tuple[DocumentRow, ...]:
        before = taken[0]
        found = with_members(catalog, rows)
        assert taken[0] == before
        return found

    taken = [0]
    event.listen(catalog._engine, "checkout", lambda *_: taken.__setitem__(0, taken[0] + 1))
    monkeypatch.setattr(accesses, "with_members", looks)
    access.set("/in/a.md", HR, new_group=True)
    assert taken[0], "connections were counted"


def test_what_is_said_again_is_not_undone_by_a_job_that_was_asked_before(catalog: Catalog, access: Access) -> None:
    key = committed(catalog, "/in/a.md")
    job = catalog.jobs.start("ingest", "ingest /in")
    assert access.set("/in/a.md", STAFF).documents == 0, "it was so already"
    assert catalog.access.granted(Grant(key, HR, HR, job)) == STAFF


def test_a_folder_of_a_source_is_asked_for_as_a_path_within_it(catalog: Catalog, access: Access) -> None:
    catalog.origins.add(OriginRow("house", "/srv/house", groups=STAFF))
    for name in ("a.md", "b.md"):
        committed(catalog, f"/srv/house/hr/{name}", origin="house")
    with pytest.raises(CatalogError, match=r"access set house --path '/hr/' --groups hr$"):
        access.set("/srv/house/hr/", HR, new_group=True)
    committed(catalog, "/srv/house/it's [old]/a.md", origin="house")
    committed(catalog, "/srv/house/it's [old]/b.md", origin="house")
    with pytest.raises(CatalogError) as told:
        access.set("/srv/house/it's [old]", HR, new_group=True)
    command = shlex.split(str(told.value).partition("folder: ")[2])
    assert command == ["ragapp", "access", "set", "house", "--path", "/it's [[]old]/", "--groups", "hr"]
    assert access.set("house", HR, path=command[5], new_group=True).documents == 2
    with pytest.raises(CatalogError, match=r"access set house --groups hr$"):
        access.set("/srv/house", HR, new_group=True)
    assert access.set("house", HR, path="hr/", new_group=True).documents == 2


def test_the_last_rule_of_a_path_wins_and_replaces_its_older_self(catalog: Catalog, access: Access) -> None:
    catalog.origins.add(OriginRow("house", "/srv/house", groups=STAFF))
    committed(catalog, "/srv/house/hr/a.md", origin="house")
    access.set("house", HR, path="hr/", new_group=True)
    access.set("house", STAFF, path="*.md")
    assert groups(catalog) == {"/srv/house/hr/a.md": STAFF}
    access.set("house", HR, path="hr/")
    assert groups(catalog) == {"/srv/house/hr/a.md": HR}
    assert [pattern for pattern, _ in catalog.origins.get("house").rules] == ["*.md", "hr/"]


def test_a_change_holds_where_another_process_has_the_index(catalog: Catalog) -> None:
    def locked() -> None:
        raise IndexLocked("The index is in use by process 7.")

    committed(catalog, "/in/a.md")
    change = Access(catalog, locked).set("/in/a.md", HR, new_group=True)
    assert (change.documents, change.behind) == (1, "The index is in use by process 7.")
    assert groups(catalog) == {"/in/a.md": HR}
    assert list(catalog.access.due())


def test_no_group_at_all_is_refused(catalog: Catalog, access: Access) -> None:
    committed(catalog, "/in/a.md")
    with pytest.raises(CatalogError, match="at least one group"):
        access.set("/in/a.md", frozenset())
