"""People, what opens doors for them, and what they asked, as the catalog keeps it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from ragapp.catalog.catalog import Catalog
from ragapp.catalog.conversations import new_row
from ragapp.errors import CatalogError


class TestPeople:
    def test_names_and_accounts_elsewhere_are_unique(self, catalog: Catalog) -> None:
        catalog.people.add("ada", subject="https://login.example 1")
        for again in ({"name": "ada"}, {"name": "eve", "subject": "https://login.example 1"}):
            with pytest.raises(CatalogError, match="already"):
                catalog.people.add(**again)  # type: ignore[arg-type]
        assert len(catalog.people.list()) == 1

    def test_a_name_that_was_refused_leaves_no_memberships(self, catalog: Catalog) -> None:
        catalog.people.add("ada")
        with pytest.raises(CatalogError):
            catalog.people.add("ada", groups=["board"])
        assert "board" not in catalog.people.groups()

    def test_find_needs_something_to_look_for(self, catalog: Catalog) -> None:
        catalog.people.add("ada")
        assert catalog.people.find() is None
        assert catalog.people.find(name="ADA") is None

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
    @given(
        local=st.frozensets(st.sampled_from("abcde")),
        told=st.lists(st.frozensets(st.sampled_from("abcde")), min_size=1, max_size=4),
    )
    def test_one_giver_never_takes_what_the_other_gave(
        self, catalog: Catalog, local: frozenset[str], told: list[frozenset[str]]
    ) -> None:
        person = catalog.people.find(name="ada") or catalog.people.add("ada")
        catalog.people.set_groups(person.id, local)
        for groups in told:
            catalog.people.set_groups(person.id, groups, "oidc")
            assert catalog.people.get(person.id).groups == local | groups

    def test_everyone_is_never_a_membership(self, catalog: Catalog) -> None:
        person = catalog.people.add("ada")
        catalog.people.set_groups(person.id, ["everyone", "board"])
        assert catalog.people.get(person.id).groups == {"board"}

    def test_of_two_admins_who_lock_each_other_out_at_once_one_stays(self, catalog: Catalog) -> None:
        pair = [catalog.people.add(name, role="admin", password_hash="x").id for name in ("ada", "bob")]
        refused: list[str] = []

        def lock(person_id: str) -> None:
            try:
                catalog.people.set_active(person_id, False)
            except CatalogError as error:
                refused.append(str(error))

        locking = [threading.Thread(target=lock, args=(person_id,)) for person_id in pair]
        for thread in locking:
            thread.start()
        for thread in locking:
            thread.join()
        assert (catalog.people.admins(), len(refused)) == (1, 1)


class TestCredentials:
    def test_a_link_works_once_also_for_two_at_once(self, catalog: Catalog) -> None:
        secret = catalog.credentials.invite(timedelta(hours=1))
        used: list[bool] = []

        def use() -> None:
            try:
                catalog.credentials.use_invite(secret)
                used.append(True)
            except CatalogError:
                used.append(False)

        using = [threading.Thread(target=use) for _ in range(8)]
        for thread in using:
            thread.start()
        for thread in using:
            thread.join()
        assert used.count(True) == 1

    def test_looking_at_a_link_leaves_it(self, catalog: Catalog) -> None:
        secret = catalog.credentials.invite(timedelta(hours=1), role="admin", groups=["board"])
        assert catalog.credentials.invited(secret) == catalog.credentials.invited(secret)
        assert catalog.credentials.use_invite(secret).groups == {"board"}
        with pytest.raises(CatalogError, match="used already"):
            catalog.credentials.invited(secret)

    def test_a_newer_link_to_the_same_thing_voids_the_older(self, catalog: Catalog) -> None:
        ada, bob = (catalog.people.add(name).id for name in ("ada", "bob"))
        to_bob = catalog.credentials.invite(timedelta(hours=1), person_id=bob)
        for person_id in (ada, None):
            role = "reader" if person_id else "admin"
            first, second = (
                catalog.credentials.invite(timedelta(hours=1), person_id=person_id, role=role)  # type: ignore[arg-type]
                for _ in range(2)
            )
            with pytest.raises(CatalogError):
                catalog.credentials.use_invite(first)
            catalog.credentials.use_invite(second)
        assert catalog.credentials.use_invite(to_bob).person_id == bob

    def test_sessions_end_each_for_itself_and_all_together(self, catalog: Catalog) -> None:
        ada, bob = (catalog.people.add(name).id for name in ("ada", "bob"))
        first, second, other = (
            catalog.credentials.open_session(person, timedelta(hours=1))[0] for person in (ada, ada, bob)
        )
        catalog.credentials.close_session(first)
        assert catalog.credentials.session(first) is None and catalog.credentials.session(second)
        catalog.credentials.close_sessions(ada)
        assert catalog.credentials.session(second) is None and catalog.credentials.session(other)

    @pytest.mark.parametrize("secret", ["", "x", "\ud800", "rag_" + "A" * 43, "'; drop table tokens; --", "\x00"])
    def test_made_up_secrets_open_nothing(self, catalog: Catalog, secret: str) -> None:
        catalog.credentials.add_token(catalog.people.add("ada").id, "x", ["ask"], None)
        assert catalog.credentials.token(secret) is None
        assert catalog.credentials.session(secret) is None
        with pytest.raises(CatalogError):
            catalog.credentials.invited(secret)

    def test_no_secret_is_kept(self, catalog: Catalog, tmp_path: Path) -> None:
        ada = catalog.people.add("ada").id
        secrets = [
            catalog.credentials.add_token(ada, "x", ["ask"], None)[0],
            catalog.credentials.open_session(ada, timedelta(hours=1))[0],
            catalog.credentials.invite(timedelta(hours=1)),
        ]
        kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        assert not any(secret.encode() in kept for secret in secrets)


class TestWhatTheyAsked:
    def test_removing_a_person_leaves_no_row_of_theirs(self, catalog: Catalog) -> None:
        ada = catalog.people.add("ada", groups=["board"]).id
        catalog.people.curate(ada, ["default"])
        catalog.credentials.add_token(ada, "x", ["ask"], None)
        catalog.credentials.open_session(ada, timedelta(hours=1))
        catalog.credentials.invite(timedelta(hours=1), person_id=ada)
        conversation = catalog.conversations.start(ada, "x")
        catalog.conversations.ask("a1", ada, conversation.id, "api", "?")
        catalog.conversations.give_feedback("a1", True, "")
        catalog.audit.note(ada, "answer.ask", "a1")
        catalog.people.remove(ada)
        with catalog._engine.connect() as connection:
            tables = [
                name
                for (name,) in connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'"))
                if name not in ("audit", "usage")
            ]
            left = {
                table
                for table in tables
                for row in connection.execute(text(f'SELECT * FROM "{table}"'))
                if ada in row or "a1" in row
            }
        assert left == set()

    def test_search_takes_no_wildcards(self, catalog: Catalog) -> None:
        ada = catalog.people.add("ada").id
        catalog.conversations.start(ada, "100 % of it")
        catalog.conversations.start(ada, "snake_case")
        catalog.conversations.start(ada, "plain")

        def found(like: str) -> list[str]:
            return [row.title for row in catalog.conversations.list(ada, like=like)]

        assert (found("%"), found("_"), found("PLAIN")) == (["100 % of it"], ["snake_case"], ["plain"])

    def test_nobody_touches_anothers(self, catalog: Catalog) -> None:
        ada, bob = (catalog.people.add(name).id for name in ("ada", "bob"))
        conversation = catalog.conversations.start(ada, "hers")
        catalog.conversations.ask("a1", ada, conversation.id, "api", "?")
        catalog.conversations.rename(conversation.id, bob, "his")
        catalog.conversations.set_collections(conversation.id, bob, ["x"])
        catalog.conversations.delete(conversation.id, bob)
        catalog.conversations.forget_answer("a1", bob)
        catalog.conversations.ask("b1", bob, conversation.id, "api", "?", replaces=["a1"])
        catalog.conversations.forget_answer("b1", bob)
        kept = catalog.conversations.get(conversation.id, ada)
        assert kept and kept.title == "hers" and not kept.collections
        assert catalog.conversations.answer("a1", ada)
        assert catalog.conversations.all_answers(bob) == ()
        assert catalog.conversations.get(conversation.id, bob) is None

    def test_a_question_that_is_not_kept_takes_no_other_away(self, catalog: Catalog) -> None:
        ada = catalog.people.add("ada").id
        conversation = catalog.conversations.start(ada, "hers")
        catalog.conversations.ask("a1", ada, conversation.id, "api", "?")
        catalog.conversations.ask("a2", ada, None, "api", "?")
        with pytest.raises(CatalogError, match="is no more"):
            catalog.conversations.ask("a2", ada, conversation.id, "api", "?", replaces=["a1"])
        begun = new_row(ada, "begun")
        with pytest.raises(CatalogError, match="is no more"):
            catalog.conversations.ask("a2", ada, begun.id, "api", "?", begins=begun)
        assert catalog.conversations.answer("a1", ada)
        assert [row.title for row in catalog.conversations.list(ada)] == ["hers"]

    def test_what_was_left_unfinished_is_said_to_be(self, catalog: Catalog) -> None:
        ada = catalog.people.add("ada").id
        catalog.conversations.ask("a1", ada, None, "api", "?")
        assert catalog.conversations.interrupted("restarted") == 1
        assert catalog.conversations.interrupted("restarted") == 0
        row = catalog.conversations.answer("a1", ada)
        assert row and (row.state, row.reason) == ("failed", "restarted") and row.ended

    def test_feedback_again_replaces_the_first(self, catalog: Catalog) -> None:
        ada = catalog.people.add("ada").id
        catalog.conversations.ask("a1", ada, None, "api", "?")
        catalog.conversations.give_feedback("a1", True, "good")
        catalog.conversations.give_feedback("a1", False, "after all not")
        ((given, _),) = catalog.conversations.feedback()
        assert (given.good, given.reason) == (False, "after all not")
        assert catalog.conversations.feedback(good=True) == ()


def test_the_audit_only_grows(catalog: Catalog) -> None:
    catalog.audit.note("", "test.note")
    for change in ("UPDATE audit SET what = 'x'", "DELETE FROM audit"):
        with pytest.raises(Exception, match="only grows"), catalog._engine.begin() as connection:
            connection.execute(text(change))
    assert len(catalog.audit.rows(since=datetime.now(UTC) - timedelta(minutes=1))) == 1
