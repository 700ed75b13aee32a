"""Who may see what is taken in, by whichever door of Python it comes: nothing widens by leaving something out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ragapp import RagApp
from ragapp.catalog.rows import DocumentRow, OriginRow
from ragapp.errors import RagappError
from ragapp.index.vectorstore import Placement
from ragapp.types import EVERYONE, Principal

ALL, BOARD, HR = frozenset({EVERYONE}), frozenset({"board"}), frozenset({"hr"})
CHAIR = Principal("chair", frozenset({"board", "hr"}))
Send = Callable[..., DocumentRow]
NOBODY_CHOSE = "Nobody has chosen who may see"


@pytest.fixture
def memo(tmp_path: Path) -> Path:
    path = tmp_path / "memo.md"
    path.write_text("# Memo\n\nThe depot in Hull closes in May.\n")
    return path


def by_ingest(app: RagApp, memo: Path, collection: str, groups: Any) -> DocumentRow:
    memo.write_text(memo.read_text() + "One more line.\n")
    app.ingest(memo, collection=collection, groups=groups)
    return row(app, collection, str(memo))


def by_store(app: RagApp, _: Path, collection: str, groups: Any) -> DocumentRow:
    app.vectorstore(CHAIR, collection=collection, groups=groups).add_texts(["The depot closes."], ids=["memo"])
    return row(app, collection, "memo")


def by_job(app: RagApp, memo: Path, collection: str, groups: Any) -> DocumentRow:
    memo.write_text(memo.read_text() + "One more line.\n")
    app.intake.do(app.intake.note_paths([memo], collection, groups))
    return row(app, collection, str(memo))


def row(app: RagApp, collection: str, source: str) -> DocumentRow:
    found = app.catalog.by_source(collection, source)
    assert found is not None and found.state == "live", found and found.reason
    return found


@pytest.fixture(params=[by_ingest, by_store, by_job])
def send(request: pytest.FixtureRequest, fresh: RagApp, memo: Path) -> Send:
    """One document by one of the doors, again and again under its name: (groups, collection) → its row."""
    return lambda groups=None, collection="notes": request.param(fresh, memo, collection, groups)


class TestWhatIsSaid:
    def test_one_text_is_one_group(self, send: Send) -> None:
        assert send("hr").groups == HR

    def test_several_are_several_and_everyone_is_said_in_as_many_words(self, send: Send) -> None:
        assert send(["hr", "board"]).groups == HR | BOARD
        assert send([EVERYONE], "other").groups == ALL

    @pytest.mark.parametrize("said", [[], (), frozenset(), "", " ", [""], ["hr", " "], [7], {"hr": 1, 2: 3}])
    def test_an_empty_list_and_what_is_no_name_are_refused_and_nothing_is_taken_in(
        self, send: Send, fresh: RagApp, said: Any
    ) -> None:
        with pytest.raises(RagappError, match=r"group"):
            send(said)
        assert fresh.catalog.documents() == ()


class TestWhereNothingIsSaid:
    def test_the_rule_of_the_collection_holds(self, send: Send, fresh: RagApp) -> None:
        fresh.catalog.collection_rules.put("notes", ["board"])
        assert send().groups == BOARD

    def test_on_a_machine_of_ones_own_it_is_everyone(self, send: Send) -> None:
        assert send().groups == ALL

    def test_where_people_have_accounts_it_is_refused_before_anything_is_done(self, send: Send, fresh: RagApp) -> None:
        fresh.catalog.people.add("ada")
        with pytest.raises(RagappError, match=NOBODY_CHOSE):
            send()
        assert fresh.catalog.documents() == ()
        assert fresh.catalog.jobs.list() == ()
        assert send(EVERYONE).groups == ALL, "said in as many words"

    def test_the_account_of_this_machine_is_no_other_person(self, send: Send, fresh: RagApp) -> None:
        fresh.catalog.people.add("local", role="admin")
        assert send().groups == ALL

    def test_what_is_known_stays_as_it_is(self, send: Send, fresh: RagApp) -> None:
        send("board")
        fresh.catalog.collection_rules.put("notes", [EVERYONE])
        assert send().groups == BOARD


class TestWhatWasChosenByHand:
    """Chosen for one document, by `ragapp access set` or in the page."""

    @pytest.mark.parametrize("again", [None, EVERYONE, "staff", ["hr", "board"]])
    def test_outlives_sending_it_again_whatever_is_said_with_it(self, send: Send, fresh: RagApp, again: Any) -> None:
        fresh.access.set(send(EVERYONE).id, HR, new_group=True)
        assert send(again).groups == HR
        assert send(again).groups == HR, "also the time after"
        (hit,) = fresh.vectorstore(CHAIR).similarity_search("depot", k=1)
        assert "depot" in hit.page_content

    def test_is_narrowed_where_fewer_are_said_and_stays_chosen(self, send: Send, fresh: RagApp) -> None:
        fresh.access.set(send(EVERYONE).id, HR | BOARD, new_group=True)
        assert send("hr").groups == HR
        assert send(["hr", "board"]).groups == HR

    def test_what_was_opened_by_hand_may_be_closed(self, send: Send, fresh: RagApp) -> None:
        fresh.access.set(send("board").id, ALL)
        assert send("board").groups == BOARD

    def test_changes_with_the_next_choice(self, send: Send, fresh: RagApp) -> None:
        fresh.access.set(send(EVERYONE).id, HR, new_group=True)
        fresh.access.set(send().id, ALL)
        assert send().groups == ALL

    def test_a_document_that_was_taken_away_is_a_new_one(self, send: Send, fresh: RagApp) -> None:
        first = send(EVERYONE)
        fresh.access.set(first.id, HR, new_group=True)
        fresh.remove(fresh.plan_removal(first.id))
        assert send(EVERYONE).groups == ALL
        assert send(BOARD).groups == BOARD, "nothing of the old choice is left"


def test_the_report_names_what_was_not_shown_to_more(fresh: RagApp, memo: Path) -> None:
    fresh.ingest(memo)
    key = row(fresh, "default", str(memo)).id
    assert fresh.ingest(memo, groups=EVERYONE).kept == (), "nobody chose by hand"
    fresh.access.set(key, HR, new_group=True)
    assert fresh.ingest(memo).kept == (), "nothing was said"
    unchanged = fresh.ingest(memo, groups=EVERYONE)
    assert (unchanged.kept, unchanged.unchanged) == ((str(memo),), 1)
    memo.write_text("The depot stays.\n")
    changed = fresh.ingest(memo, groups=[EVERYONE])
    assert (changed.kept, changed.changed) == ((str(memo),), 1)
    job = fresh.catalog.jobs.job(changed.job)
    assert job is not None and job.kept == 1


def test_a_source_that_comes_to_hold_a_document_leaves_what_was_chosen_by_hand(fresh: RagApp, memo: Path) -> None:
    share = memo.parent / "share"
    share.mkdir()
    path = memo.rename(share / "memo.md")
    fresh.ingest(path)
    fresh.access.set(str(path), HR, new_group=True)
    fresh.intake.add(OriginRow("share", str(share), groups=ALL))
    for text in ("The depot moves.\n", "The depot is sold.\n"):
        path.write_text(text)
        fresh.intake.sync("share")
        assert row(fresh, "default", str(path)).groups == HR
    fresh.access.set("share", BOARD, new_group=True)
    assert row(fresh, "default", str(path)).groups == HR, "as one that has a rule of its own"


@pytest.mark.parametrize("then", ["renamed", "released"])
def test_what_was_chosen_for_a_document_of_a_source_outlives_its_name_and_its_source(
    fresh: RagApp, memo: Path, then: str
) -> None:
    share = memo.parent / "share"
    share.mkdir()
    path = memo.rename(share / "memo.md")
    fresh.intake.add(OriginRow("share", str(share), groups=ALL))
    fresh.intake.sync("share")
    fresh.access.set(str(path), HR, new_group=True)
    if then == "renamed":
        path = path.rename(share / "note.md")
        report = fresh.intake.sync("share")
        assert (report.changed, report.added, report.removed) == (1, 0, 0)
        assert row(fresh, "default", str(path)).groups == HR
        assert fresh.intake.preview("share").plan.of("unchanged") == 1, "it is not brought again for that"
        assert fresh.intake.sync("share").kept == (), "nobody said anything for it"
    else:
        fresh.intake.remove_source("share")
        fresh.ingest(path, groups=EVERYONE)
    assert row(fresh, "default", str(path)).groups == HR


def test_a_document_of_a_source_is_shown_to_no_more_by_sending_it_another_way(fresh: RagApp, memo: Path) -> None:
    share = memo.parent / "share"
    (share / "hr").mkdir(parents=True)
    paths = [memo.rename(share / "memo.md"), share / "hr" / "pay.md"]
    paths[1].write_text("Pay day is the 25th.\n")
    fresh.intake.add(OriginRow("share", str(share), groups=BOARD, rules=(("hr/", HR),)))
    fresh.intake.sync("share")
    for text in ("unchanged", "The depot moves.\n"):
        if text != "unchanged":
            paths[0].write_text(text)
        assert set(fresh.ingest(share, groups=EVERYONE).kept) == set(map(str, paths))
        assert [row(fresh, "default", str(path)).groups for path in paths] == [BOARD, HR]
    fresh.intake.remove_source("share")
    fresh.ingest(share, groups=EVERYONE)
    assert [row(fresh, "default", str(path)).groups for path in paths] == [ALL, HR], "what a rule spoke of stays"


def test_a_rule_by_path_outlives_its_source_too(fresh: RagApp, memo: Path) -> None:
    share = memo.parent / "share"
    (share / "hr").mkdir(parents=True)
    path = memo.rename(share / "hr" / "memo.md")
    fresh.intake.add(OriginRow("share", str(share), groups=ALL, rules=(("hr/", HR),)))
    fresh.intake.sync("share")
    fresh.intake.remove_source("share")
    fresh.ingest(path, groups=EVERYONE)
    assert row(fresh, "default", str(path)).groups == HR


class TestASource:
    def test_takes_the_rule_of_its_collection_where_nothing_is_said(self, fresh: RagApp, tmp_path: Path) -> None:
        fresh.catalog.collection_rules.put("notes", "board")
        assert fresh.intake.add(OriginRow("share", str(tmp_path), "notes")).groups == BOARD

    def test_is_refused_where_nobody_chose(self, fresh: RagApp, tmp_path: Path) -> None:
        fresh.catalog.people.add("ada")
        with pytest.raises(RagappError, match=NOBODY_CHOSE):
            fresh.intake.add(OriginRow("share", str(tmp_path), "notes"))
        assert fresh.catalog.origins.list() == ()

    def test_takes_one_text_as_one_group(self, fresh: RagApp, tmp_path: Path) -> None:
        said: Any = "board"
        rules: Any = (("hr/", "hr"),)
        kept = fresh.intake.add(OriginRow("share", str(tmp_path), groups=said, rules=rules))
        assert (kept.groups, kept.rules) == (BOARD, (("hr/", HR),))


def test_a_job_that_waits_goes_by_the_rule_as_it_is_when_it_is_done(fresh: RagApp, memo: Path) -> None:
    fresh.catalog.collection_rules.put("notes", [EVERYONE])
    job = fresh.intake.note_paths([memo], "notes", None)
    fresh.catalog.collection_rules.put("notes", ["board"])
    fresh.intake.do(job)
    assert row(fresh, "notes", str(memo)).groups == BOARD


def test_a_job_that_waits_takes_nothing_in_where_nobody_chose_and_people_came_meanwhile(
    fresh: RagApp, memo: Path
) -> None:
    job = fresh.intake.note_paths([memo], "notes", None)
    fresh.catalog.people.add("ada")
    report = fresh.intake.do(job)
    assert report is not None
    ((source, reason),) = ((failure.source, failure.reason) for failure in report.failed)
    assert source == str(memo) and NOBODY_CHOSE in reason
    assert not fresh.catalog.documents(state="live")
    assert fresh.index.count() == 0
    assert not [each for each in fresh.files.kept() if each.kind == "original"]
    fresh.catalog.collection_rules.put("notes", ["board"])
    fresh.intake.retry(job, failed=True)
    assert row(fresh, "notes", str(memo)).groups == BOARD


class TestChoices:
    """Where somebody chooses once for what comes later."""

    @pytest.mark.parametrize("said", [[], "", [" "]])
    def test_nobody_is_no_choice(self, fresh: RagApp, memo: Path, said: Any) -> None:
        fresh.ingest(memo)
        with pytest.raises(RagappError, match="group"):
            fresh.catalog.collection_rules.put("notes", said)
        with pytest.raises(RagappError, match="group"):
            fresh.access.set(str(memo), said)
        with pytest.raises(RagappError, match="group"):
            Placement("notes", said)
        assert row(fresh, "default", str(memo)).groups == ALL

    def test_one_text_is_one_name(self, fresh: RagApp, memo: Path) -> None:
        fresh.ingest(memo)
        said: Any = "hr"
        assert fresh.catalog.collection_rules.put("notes", said).groups == HR
        assert Placement("notes", said).groups == HR
        fresh.access.set(str(memo), said, new_group=True)
        assert row(fresh, "default", str(memo)).groups == HR
        person = fresh.catalog.people.add("ada", groups=said)
        assert person.groups == HR
        fresh.catalog.people.set_groups(person.id, "board")
        fresh.catalog.people.curate(person.id, "notes")
        assert fresh.catalog.people.get(person.id).groups == BOARD
        assert fresh.catalog.people.get(person.id).curates == {"notes"}
