"""Earlier revisions are read by those who were shown them and may see the document now; removed text by nobody."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from reportlab.pdfgen.canvas import Canvas

from ragapp.catalog.rows import DocumentRow
from ragapp.serve.asking import history_of
from ragapp.serve.forgetting import all_about
from ragapp.types import Principal

from ...holding import holding
from ...kept_answers import keep_answer, record
from .conftest import Service, wait_until

OLD, NEW = "The day rate is 900 euro.", "The day rate is 950 euro."


@pytest.fixture
def rates(tmp_path: Path) -> Path:
    return tmp_path / "rates.pdf"


def take_in(office: Service, path: Path, text: str) -> DocumentRow:
    """The live revision of a file that says this."""
    canvas = Canvas(str(path), pagesize=(400, 600))
    canvas.drawString(40, 560, text)
    canvas.save()
    office.house.rag.ingest(path)
    row = office.house.catalog.by_source("default", str(path))
    assert row
    return row


def doors(row: DocumentRow) -> list[str]:
    """All ways to a revision of a document."""
    root = f"/v1/documents/{row.id}"
    return [f"{root}/text", f"{root}/original", f"{root}/pages/1", f"{root}/pages/1/boxes?start=0&end=40"]


def told(client: httpx.Client, path: str, revision: int | None) -> tuple[int, str]:
    """Status and what a refusal says."""
    answer = client.get(httpx.URL(path).copy_merge_params({"revision": revision} if revision else {}))
    return answer.status_code, answer.json()["detail"] if answer.is_error else ""


def test_an_earlier_revision_is_not_there_for_whoever_was_not_shown_it(office: Service, rates: Path) -> None:
    old, new = take_in(office, rates, OLD), take_in(office, rates, NEW)
    with office.client(office.token("root")) as root, office.signed_in("bob") as bob:
        for client in (root, bob):
            for path in doors(new):
                assert told(client, path, None)[0] == told(client, path, new.revision)[0] == 200
                never = told(client, path, 99)
                assert told(client, path, old.revision) == never, path
                assert never[0] == 404


@pytest.mark.parametrize("cites", [True, False])
def test_whom_an_answer_showed_it_reads_it_as_long_as_the_answer_is_kept(
    office: Service, rates: Path, cites: bool
) -> None:
    old = take_in(office, rates, OLD)
    answer, _ = keep_answer(office.house.catalog, "bob", old, OLD, cites=cites)
    take_in(office, rates, NEW)
    with office.signed_in("bob") as bob, office.signed_in("root") as root:
        for path in doors(old):
            assert told(bob, path, old.revision)[0] == 200
            assert told(root, path, old.revision)[0] == 404, "an answer is its asker's alone"
        assert (
            "is 900 euro" in bob.get(f"/v1/documents/{old.id}/text", params={"revision": old.revision}).json()["text"]
        )
        assert bob.get(f"/v1/answers/{answer}").json()["withheld"] is False
        office.house.catalog.conversations.forget_answer(answer, person_id(office, "bob"))
        for path in doors(old):
            assert told(bob, path, old.revision)[0] == 404


def test_who_may_not_see_the_document_any_more_reads_no_revision_that_was_shown(office: Service, rates: Path) -> None:
    old = take_in(office, rates, OLD)
    keep_answer(office.house.catalog, "bob", old, OLD)
    take_in(office, rates, NEW)
    office.house.rag.access.set(old.id, frozenset({"board"}))
    with office.signed_in("bob") as bob:
        for path in doors(old):
            assert told(bob, path, old.revision)[0] == 404


def test_only_the_revision_that_was_shown_is_read(office: Service, rates: Path) -> None:
    first, second = take_in(office, rates, OLD), take_in(office, rates, "The day rate is 925 euro.")
    keep_answer(office.house.catalog, "bob", second, "925")
    take_in(office, rates, NEW)
    with office.signed_in("bob") as bob:
        for path in doors(first):
            assert told(bob, path, second.revision)[0] == 200
            assert told(bob, path, first.revision)[0] == 404


def test_an_admin_who_reads_feedback_reads_nothing_of_an_earlier_revision(office: Service, rates: Path) -> None:
    answer, _ = keep_answer(office.house.catalog, "bob", take_in(office, rates, OLD), OLD)
    with office.signed_in("bob") as bob, office.signed_in("root") as root:
        bob.put("/v1/feedback", json={"answer_id": answer, "good": False})
        assert "is 900 euro" in root.get("/v1/feedback").text
        take_in(office, rates, NEW)
        (shown,) = root.get("/v1/feedback").json()
        assert shown["withheld"] and "is 900 euro" not in str(shown)
        assert "is 900 euro" in bob.get(f"/v1/answers/{answer}").text


class TestRemovedText:
    """What a document was that is gone, a new file of its name doesn't bring back."""

    def removed_and_sent_again(self, office: Service, rates: Path) -> None:
        row = office.house.catalog.by_source("default", str(rates))
        assert row
        with office.signed_in("root") as root:
            assert root.delete(f"/v1/documents/{row.id}").status_code == 204
        again = take_in(office, rates, NEW)
        assert again.id == row.id

    def seen(self, office: Service, name: str, answer: str, conversation: str) -> Iterable[str]:
        """Everything that shows an answer to its asker, and to an admin."""
        catalog, person = office.house.catalog, person_id(office, name)
        with office.signed_in(name) as client:
            for path in (
                f"/v1/answers/{answer}",
                f"/v1/answers/{answer}/events",
                f"/v1/conversations/{conversation}",
                f"/v1/conversations/{conversation}/export",
            ):
                yield client.get(path).text
            client.put("/v1/feedback", json={"answer_id": answer, "good": True})
        with office.signed_in("root") as root:
            yield root.get("/v1/feedback").text
        yield str(all_about(catalog, catalog.people.get(person)))
        to_come = replace(catalog.conversations.answers(conversation, person)[-1], id="to come")
        yield str(history_of(office.house, to_come, Principal(name)))

    def test_it_is_in_no_answer(self, office: Service, rates: Path) -> None:
        old = take_in(office, rates, OLD)
        answer, conversation = keep_answer(office.house.catalog, "bob", old, OLD)
        assert all("is 900 euro" in shown for shown in self.seen(office, "bob", answer, conversation))
        self.removed_and_sent_again(office, rates)
        for shown in self.seen(office, "bob", answer, conversation):
            assert "is 900 euro" not in shown
        with office.signed_in("bob") as bob:
            kept = bob.get(f"/v1/answers/{answer}").json()
            assert kept["withheld"] and kept["question"] == "What is it?", "one's own question stays"
            assert told(bob, doors(old)[0], old.revision)[0] == 404

    def test_its_bytes_are_in_no_file_of_the_catalog(self, office: Service, rates: Path) -> None:
        old = take_in(office, rates, OLD)
        keep_answer(office.house.catalog, "bob", old, OLD)
        office.house.catalog.scrub()
        assert "catalog.db" in holding(office.house.data, b"rate is 900 euro")
        self.removed_and_sent_again(office, rates)
        left = holding(office.house.data, b"rate is 900 euro")
        assert not [name for name in left if name.startswith("catalog")]

    def test_an_answer_that_was_on_its_way_is_kept_without_it(self, office: Service, rates: Path) -> None:
        catalog = office.house.catalog
        old = take_in(office, rates, OLD)
        conversation = catalog.conversations.start(person_id(office, "bob"), "Talk")
        asked = catalog.conversations.ask("late", person_id(office, "bob"), conversation.id, "api", "What is it?")
        self.removed_and_sent_again(office, rates)
        kept = catalog.conversations.settle(asked.id, "answered", "", record(old, OLD))
        assert "is 900 euro" not in str(kept)
        assert not any("is 900 euro" in shown for shown in self.seen(office, "bob", "late", conversation.id))

    def test_what_other_documents_lent_stays_where_the_text_did_not_rest_on_it(
        self, office: Service, rates: Path
    ) -> None:
        catalog = office.house.catalog
        old = take_in(office, rates, OLD)
        hours = next(row for row in catalog.documents(collection="default") if row.source.endswith("hours.md"))
        kept: dict[str, Any] = record(hours, "The office opens at 7:45")
        kept["fields"]["passages"] += record(old, OLD, cites=False)["fields"]["passages"]
        kept["fields"]["nearest"] = [{"source": old.source, "title": "Secret rates", "page": None}]
        kept["nearest_ids"] = [old.id]
        conversation = catalog.conversations.start(person_id(office, "bob"), "Talk")
        catalog.conversations.ask("both", person_id(office, "bob"), conversation.id, "api", "When?")
        catalog.conversations.settle("both", "answered", "", kept)
        self.removed_and_sent_again(office, rates)
        with office.signed_in("bob") as bob:
            shown = bob.get("/v1/answers/both").json()
        assert "7:45" in shown["answer"] and not shown["withheld"]
        assert [each["document_id"] for each in shown["passages"]] == [hours.id]
        assert shown["nearest"] == []


class TestRedaction:
    """One button takes the old text away everywhere; those may press it who may remove the document."""

    def test_by_whom_it_is_looked_at_and_done(self, office: Service, rates: Path) -> None:
        old = take_in(office, rates, OLD)
        answer, _ = keep_answer(office.house.catalog, "bob", old, OLD)
        new = take_in(office, rates, NEW)
        path = f"/v1/documents/{old.id}/redaction"
        with office.signed_in("bob") as bob, office.signed_in("ada") as ada, office.signed_in("root") as root:
            for client in (bob, ada):
                assert client.get(path).status_code == client.post(path).status_code == 403
            assert told(bob, doors(old)[0], old.revision)[0] == 200
            looked = root.get(path).json()
            assert (looked["documents"], looked["revisions"], looked["answers"], looked["shared"]) == (1, 1, 1, 0)
            assert told(bob, doors(old)[0], old.revision)[0] == 200, "looking does nothing"
            assert root.post(path).json() == looked
            for door in doors(old):
                assert told(bob, door, old.revision)[0] == 404
                assert told(bob, door, new.revision)[0] == 200
            assert bob.get(f"/v1/answers/{answer}").json()["withheld"]
            (noted,) = [row for row in root.get("/v1/audit").json() if row["action"] == "document.redact"]
            assert (noted["what"], noted["detail"]["revisions"]) == (old.id, 1)
            assert root.get(path).json()["revisions"] == 0
        wait_until(lambda: not holding(office.house.data, b"900 euro"))

    def test_of_a_document_that_one_may_not_see_nothing_is_told(self, office: Service) -> None:
        (merger,) = office.house.catalog.documents(collection="board")
        curates = office.house.catalog.people.find(name="bob")
        assert curates
        office.house.catalog.people.curate(curates.id, ["default"])
        with office.signed_in("bob") as bob:
            for call in (bob.get, bob.post):
                hidden, none = call(f"/v1/documents/{merger.id}/redaction"), call("/v1/documents/none/redaction")
                assert hidden.status_code == none.status_code == 404
                assert hidden.json()["detail"] == none.json()["detail"]


def person_id(office: Service, name: str) -> str:
    found = office.house.catalog.people.find(name=name)
    assert found
    return found.id
