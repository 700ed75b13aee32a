"""The list of documents and the look into one: what is clicked is what opens, and every chunk stands there once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from ..ragapp.serve.conftest import Service
from .conftest import Visitor

Visit = Callable[..., Visitor]
NAMES = ("quince-a", "quince-b", "quince-c")
_HEADER, _ROW = 36, 35
"""Pixels; the table is a picture, in which rows are found by where they stand."""


@pytest.fixture
def quinces(lit: Service, tmp_path: Path) -> Iterator[list[str]]:
    """Ids of three documents in the order of the list; the last has more chunks than are shown at once."""
    rag = lit.house.rag
    for name in NAMES:
        many = 65 if name == NAMES[-1] else 1
        parts = [
            f"## Part {part}\n\n{name} says {part}. " + f"Quinces ripen late in year {part}. " * 40
            for part in range(many)
        ]
        (tmp_path / f"{name}.md").write_text(f"# {name}\n\n" + "\n\n".join(parts))
    rag.ingest(tmp_path)
    with lit.signed_in("root") as client:
        told = client.get("/v1/documents", params={"find": "quince"}).json()["documents"]
    yield [row["id"] for row in told]
    rag.remove(rag.plan_removal(*rag.catalog.known(row["id"] for row in told)))


def quince_list(visitor: Visitor) -> Page:
    visitor.go("Documents")
    visitor.page.get_by_label("Find").fill("quince")
    visitor.page.get_by_label("Find").press("Enter")
    visitor.page.get_by_text("3 documents").wait_for()
    visitor.settled()
    return visitor.page


def test_the_document_whose_row_is_clicked_opens_whatever_went_meanwhile(
    lit: Service, visit: Visit, quinces: list[str]
) -> None:
    page = quince_list(visit(lit, "root"))
    rag = lit.house.rag
    rag.remove(rag.plan_removal(quinces[0]))
    box = page.get_by_test_id("stDataFrame").locator("canvas").first.bounding_box()
    assert box
    page.mouse.click(box["x"] + 16, box["y"] + _HEADER + 1.5 * _ROW)
    page.wait_for_url(f"**d={quinces[1]}")


def test_a_double_click_shows_more_only_once(lit: Service, visit: Visit, quinces: list[str]) -> None:
    page = visit(lit, "root").page
    with lit.signed_in("root") as client:
        (long,) = [
            row for row in (client.get(f"/v1/documents/{each}").json() for each in quinces) if row["chunks"] > 100
        ]
    assert long["chunks"] < 200
    page.goto(f"{lit.url}/app/documents?d={long['id']}")
    chunks = page.locator(".viewer .chunks li")
    expect(chunks).to_have_count(100)
    page.get_by_role("button", name="Show more").evaluate("button => { button.click(); button.click(); }")
    expect(page.get_by_text(f"{long['chunks']} of {long['chunks']} chunks")).to_be_visible()
    expect(chunks).to_have_count(long["chunks"])


def test_the_old_text_is_removed_with_a_button_and_the_newest_stays(lit: Service, visit: Visit, tmp_path: Path) -> None:
    rag, file = lit.house.rag, tmp_path / "medlar.md"
    for price in (900, 950):
        file.write_text(f"# Medlar\n\nA medlar costs {price} euro.")
        rag.ingest(file)
    (row,) = [each for each in rag.catalog.documents() if each.source == str(file)]
    page = visit(lit, "root").page
    page.goto(f"{lit.url}/app/documents?d={row.id}")
    page.get_by_role("button", name="Remove old text").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("1 earlier version")
    dialog.get_by_role("button", name="Remove for good").click()
    expect(dialog.get_by_text("The old text was removed.")).to_be_visible()
    expect(page.locator(".viewer .chunks")).to_contain_text("950 euro")
    assert rag.plan_redaction(row.id).revisions == 0
    rag.remove(rag.plan_removal(row.id))
