"""Sign in, upload, ask, look at the citation, reload: what the page is for, in a browser, on the real engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pypdfium2
import pytest
from playwright.sync_api import Page, expect
from reportlab.pdfgen.canvas import Canvas

from ..ragapp.serve.conftest import Service
from .conftest import NARROW, Visitor

Visit = Callable[..., Visitor]
QUESTION = "When does the Zelvrym foundry close for maintenance?"


@pytest.fixture
def notice(tmp_path: Path) -> Path:
    """Two pages, of which the second holds the answer."""
    path = tmp_path / "foundry notice.pdf"
    canvas = Canvas(str(path), pagesize=(400, 300))
    canvas.drawString(40, 250, "Notice to all partners of the Zelvrym foundry")
    canvas.drawString(40, 230, "General remarks are on this page.")
    canvas.showPage()
    canvas.drawString(40, 250, "Dates")
    canvas.drawString(40, 200, "The Zelvrym foundry closes for maintenance on 14 August.")
    canvas.drawString(40, 150, "Visitors register at the gate.")
    canvas.save()
    return path


def send(visitor: Visitor, path: Path, collection: str) -> None:
    """Upload a file by the page, and wait until it is in."""
    page = visitor.page
    visitor.go("Documents")
    page.get_by_test_id("stButtonGroup").get_by_text("Add", exact=True).click()
    page.get_by_test_id("stSelectbox").get_by_text(collection).or_(page.get_by_label("Collection")).first.wait_for()
    page.locator("input.pick").set_input_files(path)
    expect(page.locator(".files").get_by_text("sent")).to_be_visible()


def test_from_signing_in_to_the_marked_words(lit: Service, visit: Visit, notice: Path) -> None:
    ada = visit(lit, "ada")
    send(ada, notice, "board")
    page = ada.page
    page.get_by_test_id("stButtonGroup").get_by_text("Jobs", exact=True).click()
    expect(page.get_by_text("upload foundry notice.pdf — 1 added")).to_be_visible(timeout=60_000)
    page.goto(f"{lit.url}/app/")
    ada.box.wait_for()
    ada.ask(QUESTION)
    assert "14 August" in ada.words
    marker = page.locator("button.marker").first
    marker.focus()
    page.keyboard.press("Enter")
    panel = page.locator("dialog.source")
    expect(panel).to_be_visible()
    expect(panel.get_by_text("Page 2 of 2")).to_be_visible()
    image = panel.get_by_role("img", name="Page 2 of foundry notice")
    expect(image).to_be_visible()
    page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=image.element_handle())
    assert "14 August" in words_under_marks(page, notice, 1)
    page.keyboard.press("Escape")
    expect(panel).not_to_be_visible()
    expect(marker).to_be_focused()


def words_under_marks(page: Page, pdf: Path, number: int) -> str:
    """What the PDF says where the page shows marks: the geometry of what is seen, read back by pdfium."""
    sheet = page.locator("dialog.source .sheet").bounding_box()
    assert sheet
    with pypdfium2.PdfDocument(pdf) as document:
        drawn = document[number]
        width, height = drawn.get_size()
        text = drawn.get_textpage()
        found = []
        for mark in page.locator("dialog.source .mark").all():
            box = mark.bounding_box()
            assert box
            left, top = (box["x"] - sheet["x"]) / sheet["width"], (box["y"] - sheet["y"]) / sheet["height"]
            right, bottom = left + box["width"] / sheet["width"], top + box["height"] / sheet["height"]
            found.append(
                text.get_text_bounded(left * width, (1 - bottom) * height, right * width, (1 - top) * height).strip()
            )
        return " ".join(found)


def test_whoever_is_not_in_the_group_finds_nothing(lit: Service, visit: Visit) -> None:
    bob = visit(lit, "bob")
    bob.ask("What does the firm pay for the Ostrava foundry?")
    assert "31 million" not in bob.words
    bob.go("Search")
    bob.page.get_by_label("What to look for").fill("Ostrava foundry 31 million euro")
    bob.page.get_by_role("button", name="Search").click()
    expect(bob.page.get_by_text("Nothing was found").or_(bob.page.locator(".passages"))).to_be_visible()
    assert "31 million" not in bob.page.get_by_test_id("stMain").inner_text()
    bob.go("Documents")
    bob.page.get_by_label("Find").fill("merger")
    bob.page.get_by_label("Find").press("Enter")
    expect(bob.page.get_by_text("Nothing is called that, or is in that state.")).to_be_visible()


def test_a_reload_in_the_middle_loses_nothing(lit: Service, visit: Visit, slow: None) -> None:
    root = visit(lit, "root")
    root.ask("When are receipts handed in, and in which class are trains booked?", wait=False)
    expect(root.page.get_by_role("button", name="Stop this answer")).to_be_visible()
    root.page.reload()
    root.page.locator(".answer").wait_for()
    root.answered()
    with lit.signed_in("root") as client:
        talk = conversation(client, root.page)
        assert len(talk["answers"]) == 1
        answer = talk["answers"][0]
        assert answer["state"] == "answered"
    shown = root.page.locator(".answer .text").inner_text()
    for sentence in answer["sentences"]:
        assert sentence["text"].strip() in shown


def conversation(client: httpx.Client, page: Page) -> dict[str, object]:
    """The conversation that is open on the page, as the service has it."""
    found = client.get(f"/v1/conversations/{page.url.rpartition('c=')[2]}")
    assert found.status_code == 200
    return found.json()


def test_stop_again_edit_and_judge(lit: Service, visit: Visit, slow: None) -> None:
    root = visit(lit, "root")
    page = root.page
    root.ask("Tell me everything about travel, trains and receipts.", wait=False)
    page.get_by_role("button", name="Stop this answer").click()
    root.answered()
    assert "It was stopped before it was complete." in root.words
    before = root.answer_id
    page.get_by_role("button", name="Answer this question again").click()
    root.another_than(before)
    page.get_by_role("button", name="Edit").click()
    before = root.answer_id
    page.get_by_role("textbox", name="Question", exact=True).fill("When does the office open?")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_test_id("stChatMessage").first).to_contain_text("When does the office open?")
    root.another_than(before)
    assert "7:45" in root.words
    page.get_by_role("button", name="This did not help").click()
    page.get_by_label("In your own words").fill("too short")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("Thank you.")).to_be_visible()
    with lit.signed_in("root") as client:
        assert [given["reason"] for given in client.get("/v1/feedback", params={"good": False}).json()] == [
            "It is wrong: too short"
        ]
        assert len(conversation(client, page)["answers"]) == 1  # type: ignore[arg-type]


def test_conversations_are_found_renamed_exported_and_deleted(lit: Service, visit: Visit) -> None:
    bob = visit(lit, "bob")
    page = bob.page
    bob.ask("When does the office open?")
    page.get_by_role("button", name="More").click()
    page.get_by_label("Title").fill("Opening hours")
    page.get_by_role("button", name="Rename").click()
    sidebar = page.get_by_test_id("stSidebar")
    expect(sidebar.get_by_role("button", name="Opening hours")).to_be_visible()
    page.get_by_label("Find a conversation").fill("nothing like it")
    page.get_by_label("Find a conversation").press("Enter")
    expect(sidebar.get_by_text("Nothing found.")).to_be_visible()


def test_on_a_phone_the_citation_takes_the_screen(lit: Service, visit: Visit) -> None:
    root = visit(lit, "root", viewport=NARROW)
    root.ask("When does the office open?")
    root.page.locator("button.marker").first.click()
    panel = root.page.locator("dialog.source")
    expect(panel.locator("mark")).to_contain_text("7:45")
    box = panel.bounding_box()
    assert box and box["width"] >= 380 and box["x"] >= 0
    assert root.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_what_is_not_there_is_said_in_the_askers_language(lit: Service, visit: Visit) -> None:
    root = visit(lit, "root")
    root.ask("Wie hoch ist der Reaktor in Brisbane und wer hat ihn gebaut?")
    assert "Das steht nicht in Ihren Dokumenten." in root.words
    root.page.reload()
    root.answered()
    assert "Das steht nicht in Ihren Dokumenten." in root.words
