"""A restore over a newer catalog brings documents back, and no right that was taken away since."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ragapp import RagApp, Settings
from ragapp.backup import exchange, restore
from ragapp.backup.exchange import finish_restore
from ragapp.backup.newer import Rights
from ragapp.backup.restore import Doubt, restore_backup
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.files import DocumentFiles
from ragapp.catalog.rows import OriginRow
from ragapp.cli.commands import app as commands
from ragapp.errors import CatalogError, IndexLocked
from ragapp.index.holes import copy_with_holes
from ragapp.index.owner import Ownership

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Monday:
    """A data folder as it was when it was backed up, and what opened it then."""

    data: Path
    backup: Path
    token: str
    cookie: str
    link: str


def silent(_: str) -> None:
    """Nobody listens."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Monday:
    room = tmp_path_factory.mktemp("monday")
    (room / "pay.md").write_text("# Pay\n\nThe kiln master earns 5100 euro.\n")
    (room / "hours.md").write_text("# Hours\n\nThe office opens at 7:45.\n")
    with RagApp(Settings(data=room / "data"), models_dir=models_dir) as app:
        app.ingest(room / "pay.md", groups=["board", "staff"])
        app.ingest(room / "hours.md", groups=["everyone"])
        catalog = app.catalog
        people, credentials = catalog.people, catalog.credentials
        root = people.add("root", role="admin", password_hash="root then")
        ada = people.add("ada", role="admin", password_hash="ada then", groups=["board", "staff"])
        people.add("bob", password_hash="bob then")
        people.curate(ada.id, ["board", "default"])
        token, _ = credentials.add_token(ada.id, "ci", ("ask",), None)
        cookie, _ = credentials.open_session(root.id, HOUR)
        link = credentials.invite(HOUR, person_id=people.find(name="bob").id)  # type: ignore[union-attr]
        catalog.collection_rules.put("default", ["staff"])
        catalog.origins.add(OriginRow("share", str(room), groups=frozenset({"staff"})))
        catalog.audit.note(root.id, "person.add", ada.id)
        app.backup(room / "monday.tar.gz")
    return Monday(room / "data", room / "monday.tar.gz", token, cookie, link)


@pytest.fixture
def monday(filled: Monday, tmp_path: Path) -> Monday:
    """The same, one's own to change."""
    shutil.copytree(filled.data, tmp_path / "data", copy_function=copy_with_holes)
    return Monday(tmp_path / "data", filled.backup, filled.token, filled.cookie, filled.link)


@pytest.fixture
def tuesday(monday: Monday) -> Iterator[Catalog]:
    """The catalog in which things change after the backup; to be closed before the restore."""
    catalog = Catalog.open(monday.data)
    catalog.audit.note("", "session.open")
    yield catalog
    catalog.close()


def id_of(catalog: Catalog, name: str) -> str:
    person = catalog.people.find(name=name)
    assert person, name
    return person.id


def restored(monday: Monday, tuesday: Catalog, rights: Rights | None = None) -> Catalog:
    tuesday.close()
    assert restore_backup(monday.backup, monday.data, silent, force=True, rights=rights)
    return Catalog.open(monday.data)


class TestStaysAsItIsWhateverIsAsked:
    def test_a_revoked_token(self, monday: Monday, tuesday: Catalog) -> None:
        (token,) = tuesday.credentials.tokens()
        tuesday.credentials.revoke(token.id)
        with closing(restored(monday, tuesday)) as now:
            assert now.credentials.token(monday.token) is None
            (kept,) = now.credentials.tokens()
            assert kept.revoked

    def test_a_locked_person(self, monday: Monday, tuesday: Catalog) -> None:
        tuesday.people.set_active(id_of(tuesday, "bob"), False)
        with closing(restored(monday, tuesday)) as now:
            assert not now.people.get(id_of(now, "bob")).active

    def test_who_was_let_in_again(self, monday: Monday, tuesday: Catalog) -> None:
        with closing(restored(monday, tuesday)) as now:
            assert now.people.get(id_of(now, "ada")).active

    @pytest.mark.parametrize("rights", ["now", "backup"])
    def test_a_deleted_person(self, monday: Monday, tuesday: Catalog, rights: Rights) -> None:
        gone = id_of(tuesday, "ada")
        tuesday.people.remove(gone)
        tuesday.audit.note("", "person.remove", gone)
        with closing(restored(monday, tuesday, rights)) as now:
            assert now.people.find(name="ada") is None and now.credentials.token(monday.token) is None

    def test_a_closed_session_and_an_open_one(self, monday: Monday, tuesday: Catalog) -> None:
        other, _ = tuesday.credentials.open_session(id_of(tuesday, "bob"), HOUR)
        tuesday.credentials.close_session(monday.cookie)
        with closing(restored(monday, tuesday)) as now:
            assert now.credentials.session(monday.cookie) is None
            assert now.credentials.session(other) is None, "everybody signs in anew"

    def test_sessions_and_links_of_a_backup_open_nothing_in_a_new_folder(self, monday: Monday, tmp_path: Path) -> None:
        told: list[str] = []
        restore_backup(monday.backup, tmp_path / "new", told.append)
        with closing(Catalog.open(tmp_path / "new")) as now:
            assert now.credentials.session(monday.cookie) is None
            with pytest.raises(CatalogError, match="used already"):
                now.credentials.invited(monday.link)
            assert now.credentials.token(monday.token), "nobody said that it was revoked"
        assert "is not known here" in " ".join(told)

    def test_a_used_link(self, monday: Monday, tuesday: Catalog) -> None:
        tuesday.credentials.use_invite(monday.link)
        fresh = tuesday.credentials.invite(HOUR, person_id=id_of(tuesday, "ada"))
        with closing(restored(monday, tuesday)) as now:
            with pytest.raises(CatalogError, match="used already"):
                now.credentials.invited(monday.link)
            assert now.credentials.invited(fresh).person_id == id_of(now, "ada")

    def test_a_changed_password(self, monday: Monday, tuesday: Catalog) -> None:
        tuesday.people.set_password(id_of(tuesday, "bob"), "bob now")
        with closing(restored(monday, tuesday)) as now:
            assert now.people.password_hash(id_of(now, "bob")) == "bob now"

    def test_the_audit_of_both(self, monday: Monday, tuesday: Catalog) -> None:
        tuesday.audit.note("x", "document.open", "7")
        tuesday.audit.note("x", "document.open", "7")
        before = [(row.at, row.action) for row in tuesday.audit.export()]
        with closing(restored(monday, tuesday)) as now:
            rows = list(now.audit.export())
            assert [(row.at, row.action) for row in rows[:-1]] == before
            assert rows[-1].action == "backup.restore" and rows[-1].detail["rights"] == "now"
        assert restore_backup(monday.backup, monday.data, silent, force=True)
        with closing(Catalog.open(monday.data)) as now:
            assert [row.action for row in now.audit.export()].count("document.open") == 2, "each row once"

    def test_accounts_and_tokens_that_were_made_since(self, monday: Monday, tuesday: Catalog) -> None:
        eve = tuesday.people.add("eve", password_hash="eve now", groups=["staff"])
        secret, _ = tuesday.credentials.add_token(eve.id, "new", ("ask",), None)
        more, _ = tuesday.credentials.add_token(id_of(tuesday, "bob"), "new", ("ask",), None)
        with closing(restored(monday, tuesday)) as now:
            assert now.people.get(eve.id).groups == {"staff"}
            assert now.credentials.token(secret) and now.credentials.token(more)

    def test_documents_that_were_removed_since_are_what_a_restore_is_for(
        self, monday: Monday, tuesday: Catalog
    ) -> None:
        tuesday.removals.take_away([row.id for row in tuesday.documents()])
        with closing(restored(monday, tuesday)) as now:
            assert now.totals().documents == 2

    def test_a_backup_that_is_newer_than_the_folder_counts(self, monday: Monday, filled: Monday) -> None:
        with closing(sqlite3.connect(monday.data / "catalog.db")) as older, older:
            older.execute("DROP TRIGGER IF EXISTS audit_only_grows_delete")
            older.execute("DELETE FROM audit")
            older.execute("UPDATE people SET active = 0, password = 'old'")
            older.execute("DELETE FROM memberships")
            older.execute(
                "INSERT INTO audit (at, person_id, action, what, detail, request_id) "
                "VALUES ('2020-01-01 00:00:00.000000', '', 'session.open', '', '{}', '')"
            )
        restore_backup(monday.backup, monday.data, silent, force=True)
        with closing(Catalog.open(monday.data)) as now:
            ada = now.people.get(id_of(now, "ada"))
            assert ada.active and now.people.password_hash(ada.id) == "ada then" and ada.groups == {"board", "staff"}


def put_out_of_a_group(catalog: Catalog) -> None:
    catalog.people.set_groups(id_of(catalog, "ada"), ["staff"])


def made_a_reader(catalog: Catalog) -> None:
    catalog.people.set_role(id_of(catalog, "ada"), "reader")


def taken_the_collection(catalog: Catalog) -> None:
    catalog.people.curate(id_of(catalog, "ada"), ["default"])


def narrowed_a_document(catalog: Catalog) -> None:
    (row,) = [row for row in catalog.documents() if row.source.endswith("pay.md")]
    catalog.access.change({row.id: frozenset({"board"})})


def narrowed_from_everyone(catalog: Catalog) -> None:
    (row,) = [row for row in catalog.documents() if row.source.endswith("hours.md")]
    catalog.access.change({row.id: frozenset({"board"})})


def narrowed_a_source(catalog: Catalog) -> None:
    (row,) = catalog.origins.list()
    catalog.origins.update(OriginRow(row.name, row.url, groups=frozenset({"board"}), created=row.created))


def narrowed_a_collection(catalog: Catalog) -> None:
    catalog.collection_rules.put("default", ["board"])


def forgot_somebody_without_a_word(catalog: Catalog) -> None:
    catalog.people.remove(id_of(catalog, "bob"))


TAKEN: dict[Callable[[Catalog], None], str] = {
    put_out_of_a_group: "ada is in the group board again",
    made_a_reader: "ada is an admin again",
    taken_the_collection: "ada looks after the collection board again",
    narrowed_a_document: "1 document is shown to more groups again",
    narrowed_from_everyone: "1 document is shown to more groups again",
    narrowed_a_source: "the source share shows what it brings",
    narrowed_a_collection: "the collection default shows what is put into it",
    forgot_somebody_without_a_word: "bob has an account again",
}


def rights_in(catalog: Catalog) -> object:
    people = {p.name: (p.role, p.groups, p.curates) for p in catalog.people.list()}
    documents = {row.source: row.groups for row in catalog.documents()}
    rules = [row.groups for row in catalog.collection_rules.list()]
    return people, documents, rules, [row.groups for row in catalog.origins.list()]


@pytest.mark.parametrize("take", TAKEN)
class TestWhatElseWasTakenAway:
    def test_is_named_and_refused_where_nobody_can_be_asked(
        self, monday: Monday, tuesday: Catalog, take: Callable[[Catalog], None]
    ) -> None:
        take(tuesday)
        now = rights_in(tuesday)
        with pytest.raises(CatalogError, match=TAKEN[take]) as refused:
            restored(monday, tuesday)
        assert "--rights now" in str(refused.value) and "nothing was changed" in str(refused.value)
        with closing(Catalog.open(monday.data)) as after:
            assert rights_in(after) == now
        assert [path.name for path in monday.data.iterdir() if path.name.startswith(".")] == []

    def test_stays_taken_away_with_rights_now(
        self, monday: Monday, tuesday: Catalog, take: Callable[[Catalog], None]
    ) -> None:
        take(tuesday)
        expected = rights_in(tuesday)
        with closing(restored(monday, tuesday, "now")) as now:
            assert rights_in(now) == expected
            assert len(list(now.access.due())) == (1 if "document" in TAKEN[take] else 0), "the index is to follow"

    def test_comes_back_with_rights_backup(
        self, monday: Monday, tuesday: Catalog, take: Callable[[Catalog], None]
    ) -> None:
        expected = rights_in(tuesday)
        take(tuesday)
        with closing(restored(monday, tuesday, "backup")) as now:
            assert rights_in(now) == expected

    def test_is_asked_of_whoever_is_there(
        self, monday: Monday, tuesday: Catalog, take: Callable[[Catalog], None]
    ) -> None:
        take(tuesday)
        now = rights_in(tuesday)
        tuesday.close()
        doubts: list[Doubt] = []

        def stop(doubt: Doubt) -> None:
            doubts.append(doubt)

        assert restore_backup(monday.backup, monday.data, silent, force=True, ask=stop) is None
        assert doubts[0].known and TAKEN[take] in " ".join(doubts[0].lines)
        with closing(Catalog.open(monday.data)) as after:
            assert rights_in(after) == now


class TestACatalogThatCantBeRead:
    @pytest.fixture
    def broken(self, monday: Monday) -> Monday:
        (monday.data / "catalog.db").write_bytes(b"not a database" * 500)
        return monday

    @pytest.mark.parametrize("rights", [None, "now"])
    def test_is_no_reason_to_revive_anybody_unasked(self, broken: Monday, rights: Rights | None) -> None:
        with pytest.raises(CatalogError, match="nobody can tell") as refused:
            restore_backup(broken.backup, broken.data, silent, force=True, rights=rights)
        told = str(refused.value)
        assert all(name in told for name in ("the account ada", "the token ci of ada", "--rights backup"))
        assert "--rights now" not in told

    def test_is_replaced_where_that_is_said(self, broken: Monday) -> None:
        assert restore_backup(broken.backup, broken.data, silent, force=True, rights="backup")
        with closing(Catalog.open(broken.data)) as now:
            assert now.credentials.token(broken.token) and not now.credentials.session(broken.cookie)


def test_the_command_asks_nobody_who_is_not_there(monday: Monday, tuesday: Catalog) -> None:
    put_out_of_a_group(tuesday)
    tuesday.close()
    run = CliRunner()
    arguments = ["restore", str(monday.backup), "--data", str(monday.data), "--force"]
    refused = run.invoke(commands, arguments)
    assert refused.exit_code and "ada is in the group board again" in str(refused.exception)
    done = run.invoke(commands, [*arguments, "--rights", "now"])
    assert done.exit_code == 0, done.output
    assert "2 documents" in done.output


def test_a_restore_and_a_service_never_have_one_folder(monday: Monday) -> None:
    holding = Ownership.of_folder(monday.data)
    with pytest.raises(IndexLocked, match="is in use by this process itself"):
        restore_backup(monday.backup, monday.data, silent, force=True)
    holding.release()
    assert not (monday.data / ".owner").exists()


# killed at any step


def killed_at(step: int, monday: Monday, data: Path) -> bool:
    """A restore in a process of its own that is killed before its `step`th change of a name; whether it was."""
    child = os.fork()
    if not child:
        left = [step]

        def counted(real: Callable[..., object]) -> Callable[..., object]:
            def change(*arguments: object, **named: object) -> object:
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*arguments, **named)

            return change

        Path.rename, Path.touch = counted(Path.rename), counted(Path.touch)  # type: ignore[method-assign, assignment]
        exchange._clear = counted(exchange._clear)  # type: ignore[assignment]
        restore.keep_newer = counted(restore.keep_newer)  # type: ignore[assignment]
        restore._write = counted(restore._write)  # type: ignore[assignment]
        exchange.shutil.rmtree = counted(shutil.rmtree)  # type: ignore[assignment]
        try:
            restore_backup(monday.backup, data, silent, force=True, rights="now")
            os._exit(0)
        except BaseException:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return os.WIFSIGNALED(status)


def test_a_killed_restore_leaves_the_folder_as_it_was_or_as_it_is_to_be_and_nothing_beside(
    monday: Monday, tuesday: Catalog, tmp_path: Path
) -> None:
    """At each step in turn; whoever opens the folder next finds one of the two, whole."""
    tuesday.people.add("eve", password_hash="eve now")
    tuesday.removals.take_away([row.id for row in tuesday.documents() if row.source.endswith("pay.md")])
    tuesday.close()
    with tarfile.open(monday.backup) as tar:
        parts = len(tar.getnames())
    # of the many files that are unpacked the first, one in the middle, and the last before all else begins
    steps: list[int] = [0, parts // 2, *range(parts - 3, parts + 40)]
    ends: list[int] = []
    for step in steps:
        data = tmp_path / "again"
        shutil.rmtree(data, ignore_errors=True)
        shutil.copytree(monday.data, data, copy_function=copy_with_holes)
        killed = killed_at(step, monday, data)
        finish_restore(data)
        names = {path.name for path in data.iterdir()}
        assert not [name for name in names if name.startswith((".restore", ".replaced"))], step
        assert {"catalog.db", "index", "originals", "extracted"} <= names
        with closing(Catalog.open(data)) as catalog:
            ends.append(len(catalog.documents()))
            assert catalog.people.find(name="eve"), "in the old folder as in the new one"
            files = DocumentFiles(data)
            assert all(files.original(row.sha256).is_file() for row in catalog.documents())
        if not killed:
            break
    assert not killed, "all steps were tried"
    assert set(ends) == {1, 2} and ends == sorted(ends), "from one step on it is done, and before it nothing is"


def test_what_a_killed_restore_of_an_older_version_put_aside_comes_back(monday: Monday, models_dir: Path) -> None:
    aside = monday.data / ".replaced-1"
    aside.mkdir()
    for name in ("catalog.db", "index"):
        (monday.data / name).rename(aside / name)
    (monday.data / ".restore-1").mkdir()
    with RagApp(Settings(data=monday.data), models_dir=models_dir) as app:
        assert app.catalog.totals().documents == 2
    assert (monday.data / "index").is_dir()
    assert not [path for path in monday.data.iterdir() if path.name.startswith(".re")]
