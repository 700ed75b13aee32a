"""The catalog as a specification: what is live, who sees it, and what a failure leaves behind."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragapp.catalog.catalog import Catalog
from ragapp.catalog.rows import DocumentRow, OriginRow, Totals
from ragapp.errors import CatalogError, StorageFull
from ragapp.types import Principal, document_id
from tests.rights import ordinary_user

from .conftest import row

ANN = Principal("ann", frozenset({"hr"}))
BOB = Principal("bob")


def bring_in(catalog: Catalog, source: str = "a.md", **changes: object) -> DocumentRow:
    revision = catalog.next_revision(document_id("default", source))
    return catalog.commit_document(row(source, revision, **changes))


# what goes in comes out


def test_a_committed_document_comes_back_whole(catalog: Catalog) -> None:
    kept = bring_in(
        catalog,
        modified=datetime(2024, 1, 1, 12, tzinfo=timezone(timedelta(hours=9))),
        dated=datetime(2023, 5, 5, tzinfo=UTC),
        language="de",
        pages=7,
        groups=frozenset({"hr", "everyone"}),
    )
    found = catalog.document(kept.id)
    assert found == kept
    assert found is not None
    assert found.modified == datetime(2024, 1, 1, 3, tzinfo=UTC)
    assert found.modified.tzinfo is UTC
    assert found.added == found.changed
    assert catalog.by_source("default", "a.md") == kept
    assert catalog.by_source("other", "a.md") is None


def test_names_with_any_character_are_kept(catalog: Catalog) -> None:
    strange = "ordner/zeile\nneu 🙂 'quoted\".md"
    assert bring_in(catalog, strange).source == strange
    assert catalog.by_source("default", strange) is not None


def test_a_new_revision_takes_the_place_of_the_old(catalog: Catalog) -> None:
    first = bring_in(catalog)
    second = bring_in(catalog, title="B", groups=frozenset({"hr"}))
    found = catalog.document(first.id)
    assert found == second
    assert found is not None
    assert (found.revision, found.title, found.groups) == (2, "B", frozenset({"hr"}))
    assert found.added == first.added
    assert found.changed is not None
    assert first.changed is not None
    assert found.changed >= first.changed


def test_documents_are_listed_by_collection_state_and_principal(catalog: Catalog) -> None:
    bring_in(catalog, "b.md", groups=frozenset({"hr"}))
    bring_in(catalog, "a.md")
    catalog.record_failure("mail", "c.eml", "is encrypted")
    assert [d.source for d in catalog.documents()] == ["a.md", "b.md", "c.eml"]
    assert [d.source for d in catalog.documents(collection="mail")] == ["c.eml"]
    assert [d.source for d in catalog.documents(state="live")] == ["a.md", "b.md"]
    assert [d.source for d in catalog.documents(principal=BOB)] == ["a.md"]
    assert [d.source for d in catalog.documents(principal=ANN)] == ["a.md", "b.md"]
    assert catalog.collections() == ("default", "mail")


def test_totals_count_live_documents_and_failures(catalog: Catalog) -> None:
    assert catalog.totals() == Totals(0, 0, 0, 0)
    bring_in(catalog, "a.md")
    bring_in(catalog, "b.md", chunks=4, size=20)
    catalog.record_failure("default", "c.pdf", "is encrypted")
    assert catalog.totals() == Totals(documents=2, chunks=7, bytes=30, failed=1)


def test_originals_in_use_are_known_by_their_hash(catalog: Catalog) -> None:
    kept = bring_in(catalog, sha256="a" * 64)
    assert catalog.uses("a" * 64)
    assert not catalog.uses("b" * 64)
    catalog.remove(kept.id)
    assert not catalog.uses("a" * 64)


# who sees it


def test_confirm_lets_through_live_revisions_that_the_principal_may_see(catalog: Catalog) -> None:
    open_ = bring_in(catalog, "open.md")
    secret = bring_in(catalog, "secret.md", groups=frozenset({"hr"}))
    nobody = bring_in(catalog, "nobody.md", groups=frozenset())
    bring_in(catalog, "changed.md")
    changed = bring_in(catalog, "changed.md")
    catalog.record_failure("default", "failed.md", "is empty")
    asked = [
        (open_.id, 1),
        (secret.id, 1),
        (nobody.id, 1),
        (changed.id, 1),
        (changed.id, 2),
        (document_id("default", "failed.md"), 0),
        ("unknown", 1),
    ]
    assert catalog.confirm(asked, BOB) == {(open_.id, 1), (changed.id, 2)}
    assert catalog.confirm(asked, ANN) == {(open_.id, 1), (changed.id, 2), (secret.id, 1)}
    assert catalog.confirm([], ANN) == set()


def test_confirm_asks_the_database_once(catalog: Catalog) -> None:
    from sqlalchemy import event

    kept = [bring_in(catalog, f"{i}.md") for i in range(20)]
    asked: list[str] = []
    event.listen(catalog._engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    assert len(catalog.confirm([(d.id, 1) for d in kept], BOB)) == 20
    assert len([statement for statement in asked if statement != "BEGIN"]) == 1


def test_groups_change_and_documents_vanish_at_once(catalog: Catalog) -> None:
    kept = bring_in(catalog)
    assert catalog.access.change({kept.id: frozenset({"hr"})}) == 1
    assert catalog.confirm([(kept.id, 1)], BOB) == set()
    assert catalog.confirm([(kept.id, 1)], ANN) == {(kept.id, 1)}
    assert catalog.remove(kept.id)
    assert catalog.confirm([(kept.id, 1)], ANN) == set()
    assert catalog.document(kept.id) is None
    assert not catalog.remove(kept.id)
    assert catalog.access.change({kept.id: frozenset()}) == 0


@settings(max_examples=30, deadline=None)
@given(
    documents=st.lists(st.frozensets(st.sampled_from(["everyone", "hr", "law", "it"])), min_size=1, max_size=8),
    groups=st.frozensets(st.sampled_from(["hr", "law", "it"])),
)
def test_nobody_is_confirmed_a_document_outside_their_groups(
    documents: list[frozenset[str]], groups: frozenset[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    catalog = Catalog.open(tmp_path_factory.mktemp("catalog"))
    kept = [bring_in(catalog, f"{i}.md", groups=seen_by) for i, seen_by in enumerate(documents)]
    confirmed = catalog.confirm([(d.id, d.revision) for d in kept], Principal("x", groups))
    assert confirmed == {(d.id, d.revision) for d in kept if d.groups & (groups | {"everyone"})}
    catalog.close()


# failures hide nothing


def test_a_document_of_a_source_stays_one_where_nothing_is_said_of_sources(catalog: Catalog) -> None:
    bring_in(catalog, origin="share")
    catalog.record_failure("default", "a.md", "is encrypted")
    assert [found.origin for found in catalog.documents()] == ["share"]
    assert bring_in(catalog).origin == "share"


def test_a_failed_new_version_leaves_the_old_one_live(catalog: Catalog) -> None:
    kept = bring_in(catalog)
    catalog.record_failure("default", "a.md", "is encrypted")
    found = catalog.document(kept.id)
    assert found is not None
    assert (found.state, found.revision, found.reason) == ("live", 1, "is encrypted")
    assert catalog.confirm([(kept.id, 1)], BOB) == {(kept.id, 1)}
    assert catalog.totals() == Totals(1, 3, 10, 1)
    catalog.clear_failure(kept.id)
    assert catalog.totals().failed == 0


def test_a_file_that_never_worked_is_failed_until_it_does(catalog: Catalog) -> None:
    catalog.record_failure("default", "a.md", "is empty")
    catalog.record_failure("default", "a.md", "is truncated")
    found = catalog.by_source("default", "a.md")
    assert found is not None
    assert (found.state, found.revision, found.reason, found.chunks) == ("failed", 0, "is truncated", 0)
    assert bring_in(catalog).reason == ""
    assert catalog.totals() == Totals(1, 3, 10, 0)


# revisions


def test_a_revision_number_is_never_given_twice(catalog: Catalog, tmp_path: Path) -> None:
    assert [catalog.next_revision("d") for _ in range(3)] == [1, 2, 3]
    assert catalog.next_revision("other") == 1
    catalog.close()
    again = Catalog.open(tmp_path)
    assert again.next_revision("d") == 4
    again.close()


def test_removing_a_document_keeps_its_count(catalog: Catalog) -> None:
    kept = bring_in(catalog)
    catalog.remove(kept.id)
    assert bring_in(catalog).revision == 2


def test_only_newer_revisions_that_were_given_out_become_live(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match="not given out"):
        catalog.commit_document(row(revision=1))
    bring_in(catalog)
    for wrong in (1, 2, 0):
        with pytest.raises(CatalogError, match="not given out, or is not newer"):
            catalog.commit_document(row(revision=wrong))
    found = catalog.by_source("default", "a.md")
    assert found is not None
    assert found.revision == 1


def test_threads_and_processes_get_different_numbers(catalog: Catalog, tmp_path: Path) -> None:
    script = (
        "import sys, pathlib\n"
        "from ragapp.catalog.catalog import Catalog\n"
        "c = Catalog.open(pathlib.Path(sys.argv[1]))\n"
        "print(*[c.next_revision('d') for _ in range(20)])\n"
    )
    others = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    mine: list[int] = []
    threads = [
        threading.Thread(target=lambda: mine.extend(catalog.next_revision("d") for _ in range(20))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    theirs = [int(number) for other in others for number in other.communicate(timeout=60)[0].split()]
    assert sorted(mine + theirs) == list(range(1, 81))


def test_many_threads_commit_beside_one_another(catalog: Catalog) -> None:
    failures: list[Exception] = []

    def work(name: int) -> None:
        try:
            for i in range(5):
                bring_in(catalog, f"{name}-{i}.md", collection="shared")
                catalog.totals()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert catalog.totals().documents == 20


# crashes and full disks


def test_a_commit_that_was_killed_half_way_changed_nothing(catalog: Catalog, tmp_path: Path) -> None:
    kept = bring_in(catalog)
    script = (
        "import os, sys, pathlib, signal\n"
        "from dataclasses import replace\n"
        "import ragapp.catalog.commits as module\n"
        "from ragapp.catalog.catalog import Catalog\n"
        "c = Catalog.open(pathlib.Path(sys.argv[1]))\n"
        "d = c.documents()[0]\n"
        "def dies(session, key, groups):\n"
        "    session.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
        "module.replace_groups = dies\n"
        "c.commit_document(replace(d, revision=c.next_revision(d.id), title='half'))\n"
    )
    died = subprocess.run([sys.executable, "-c", script, str(tmp_path)], timeout=60, check=False)
    assert died.returncode == -9
    assert catalog.document(kept.id) == kept
    # the number that the dead process was given is spent
    assert catalog.next_revision(kept.id) == 3


def test_a_full_disk_says_so_and_keeps_what_was_there(catalog: Catalog, tmp_path: Path) -> None:
    kept = bring_in(catalog)
    # SQLite's own limit: the real error from the real place, without filling a disk
    with catalog._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1")
    with pytest.raises(StorageFull, match="is full; free some space"):
        for i in range(200):
            catalog.record_failure("default", f"{i}.md", "x" * 2000)
    assert catalog.document(kept.id) == kept


def test_a_file_size_limit_says_so_and_keeps_what_was_there(tmp_path: Path) -> None:
    script = (
        "import resource, signal, sys, pathlib\n"
        "from ragapp.catalog.catalog import Catalog\n"
        "from ragapp.errors import StorageFull\n"
        "c = Catalog.open(pathlib.Path(sys.argv[1]))\n"
        "c.record_failure('default', 'kept.md', 'kept')\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "try:\n"
        "    for i in range(500): c.record_failure('default', f'{i}.md', 'x' * 2000)\n"
        "except StorageFull as error:\n"
        "    print(error)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert "is full; free some space" in ran.stdout, ran.stderr
    catalog = Catalog.open(tmp_path)
    assert catalog.by_source("default", "kept.md") is not None
    catalog.close()


@pytest.mark.parametrize("rights", [0o500, 0o000])
def test_a_folder_without_rights_is_one_sentence(rights: int, tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir(mode=rights)
    script = (
        "import pathlib, sys\n"
        "from ragapp.catalog.catalog import Catalog\n"
        "from ragapp.errors import CatalogError\n"
        "try:\n"
        "    Catalog.open(pathlib.Path(sys.argv[1]))\n"
        "except CatalogError as error:\n"
        "    print(error)\n"
    )
    ran = subprocess.run(
        [*ordinary_user(), sys.executable, "-c", script, str(tmp_path / "shut" / "data")],
        capture_output=True,
        text=True,
        check=False,
    )
    said = f"The data folder {tmp_path / 'shut' / 'data'} can't be written (this user has no right to), "
    assert ran.stdout.startswith(said) and ran.stdout.count("\n") == 1, ran.stderr


def test_a_data_path_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a folder")
    with pytest.raises(CatalogError, match="can't be opened"):
        Catalog.open(tmp_path / "data")


def test_a_damaged_file_is_one_sentence_and_stays(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_bytes(b"this is no database at all" * 100)
    before = (tmp_path / "catalog.db").read_bytes()
    with pytest.raises(CatalogError, match="is damaged"):
        Catalog.open(tmp_path)
    assert (tmp_path / "catalog.db").read_bytes() == before


def test_somebody_elses_database_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "catalog.db") as other:
        other.execute("CREATE TABLE songs (name TEXT)")
    with pytest.raises(CatalogError, match="not ragapp's"):
        Catalog.open(tmp_path)


# the embedding model


def test_a_folder_belongs_to_one_embedding_model(catalog: Catalog) -> None:
    assert catalog.embedder() is None
    catalog.claim_embedder("minilm", "f1")
    catalog.claim_embedder("moved/minilm", "f1")
    assert catalog.embedder() == ("minilm", "f1")
    catalog.claim_embedder("other", "f2")
    assert catalog.embedder() == ("other", "f2"), "an empty folder can be tied anew"
    bring_in(catalog)
    with pytest.raises(CatalogError, match="was embedded with other, and the settings say minilm"):
        catalog.claim_embedder("minilm", "f1")
    assert catalog.embedder() == ("other", "f2")


# jobs


def report(**counts: object) -> SimpleNamespace:
    plain = {
        "added": 0,
        "changed": 0,
        "unchanged": 0,
        "removed": 0,
        "chunks": 0,
        "seconds": 0.0,
        "withheld": "",
        "kept": (),
    }
    return SimpleNamespace(**(plain | counts))


def test_jobs_are_kept_newest_first(catalog: Catalog) -> None:
    first = catalog.jobs.start("ingest", "ingest docs")
    catalog.jobs.settle(first, [("a.pdf", "failed", "is encrypted", False)])
    catalog.jobs.finish(first, report(added=2, chunks=9, seconds=1.5), "finished")
    second = catalog.jobs.start("ingest", "ingest more")
    newest, oldest = catalog.jobs.list(5)
    assert (newest.id, newest.state, newest.ended) == (second, "running", None)
    assert (oldest.state, oldest.added, oldest.failed, oldest.chunks, oldest.seconds) == ("finished", 2, 1, 9, 1.5)
    assert oldest.ended is not None
    assert oldest.ended >= oldest.started
    assert [job.id for job in catalog.jobs.list(1)] == [second]


def test_a_job_that_goes_on_adds_to_what_it_did(catalog: Catalog) -> None:
    jobs = catalog.jobs
    job = jobs.start("ingest", "ingest docs")
    jobs.settle(job, [("a.md", "added", "", False), ("b.pdf", "failed", "takes too long", True)])
    jobs.finish(job, report(added=20, unchanged=5, removed=1, chunks=90, seconds=3.0), "interrupted")
    jobs.take_up(job)
    jobs.settle(job, [("c.pdf", "failed", "is encrypted", False)])
    jobs.finish(job, report(added=12, changed=2, unchanged=25, chunks=40, seconds=2.0), "finished")
    done = jobs.list(1)[0]
    assert (done.added, done.changed, done.unchanged, done.removed, done.failed) == (32, 2, 5, 1, 2)
    assert (done.chunks, done.seconds, done.state) == (130, 5.0, "finished")
    with pytest.raises(CatalogError, match=f"Job {job} has finished; there is nothing to go on with"):
        jobs.take_up(job)
    # trying again looks at what failed only
    jobs.take_up(job, finished=True)
    jobs.settle(job, [("b.pdf", "added", "", False)])
    jobs.finish(job, report(added=1, chunks=3), "finished")
    done = jobs.list(1)[0]
    assert (done.added, done.unchanged, done.failed, done.chunks) == (33, 5, 1, 133)


def test_jobs_in_pages_are_those_of_the_collections_asked_for(catalog: Catalog) -> None:
    jobs = catalog.jobs
    catalog.origins.add(OriginRow("share", "/srv/share", collection="board"))
    own = [jobs.start("ingest", "ingest a", {"collection": "board"}), jobs.start("sync", "sync run share", {}, "share")]
    nobodys = jobs.start("sync", "sync run gone", {}, "gone")
    private = jobs.start("ingest", "upload x", {"collection": "conversation/7"})
    others = [jobs.start("ingest", f"ingest {n}", {"collection": "default"}) for n in range(60)]
    mine = frozenset({"board"})
    assert [job.id for job in jobs.page(10, collections=mine)] == own[::-1], "however far back they are"
    assert [job.id for job in jobs.page(1, collections=mine)] == [own[1]]
    assert [job.id for job in jobs.page(1, collections=mine, before=own[1])] == [own[0]]
    assert jobs.page(10, collections=mine, before=own[0]) == jobs.page(10, collections=frozenset()) == ()
    assert [job.id for job in jobs.page(2)] == others[:-3:-1]
    older = [job.id for job in jobs.page(10, before=others[0], hidden_prefix="conversation/")]
    assert older == [nobodys, *own[::-1]]
    assert private in [job.id for job in jobs.page(10, before=others[0])]


def test_only_a_job_that_did_not_come_to_its_end_is_put_back(catalog: Catalog) -> None:
    jobs = catalog.jobs
    runs, done, dropped = (jobs.start("ingest", f"ingest {n}") for n in range(3))
    jobs.finish(done, report(added=1), "finished")
    jobs.cancel(dropped)
    for job in (runs, done, dropped):
        jobs.put_back(job)
    assert [job.state for job in jobs.list(3)] == ["cancelled", "finished", "waiting"]


def test_a_job_whose_process_died_counts_as_interrupted(catalog: Catalog, tmp_path: Path) -> None:
    script = (
        "import os, sys, pathlib, signal\n"
        "from ragapp.catalog.catalog import Catalog\n"
        "c = Catalog.open(pathlib.Path(sys.argv[1]))\n"
        "c.jobs.start('ingest', 'ingest docs')\n"
        "print(c.jobs.list(1)[0].state, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    died = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert died.stdout.strip() == "running"
    assert catalog.jobs.list(1)[0].state == "interrupted"
