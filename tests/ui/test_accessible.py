"""axe-core finds no serious fault in the page's own parts, in light and in dark, wide and narrow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from ..ragapp.serve.conftest import Service
from .conftest import NARROW, WIDE, Visitor

Visit = Callable[..., Visitor]
OURS = "[data-testid^='stBidiComponent'], .stBidiComponent"


def faults(page: Page) -> tuple[list[str], int]:
    """Serious faults in nodes of our own parts, and how many of the parts' rules were looked at at all."""
    told: dict[str, Any] = Axe().run(page, context={"include": [OURS]} if page.locator(OURS).count() else None).response
    found = [
        f"{fault['id']}: {node['target']} {node['failureSummary']}"
        for fault in told["violations"]
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]
    return found, sum(len(rule["nodes"]) for rule in told["passes"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
def test_an_answer_with_its_citation(lit: Service, visit: Visit, scheme: str, viewport: dict[str, int]) -> None:
    root = visit(lit, "root", viewport=viewport, color_scheme=scheme)
    root.ask("When does the office open?")
    root.page.locator("button.marker").first.click()
    root.page.locator("dialog.source mark").wait_for()
    found, looked_at = faults(root.page)
    assert looked_at > 10
    assert not found, "\n".join(found)


def test_a_found_passage_a_document_and_the_upload(lit: Service, visit: Visit) -> None:
    root = visit(lit, "root")
    root.go("Search")
    root.page.get_by_label("What to look for").fill("trains")
    root.page.get_by_role("button", name="Search").click()
    root.page.locator(".passages li").first.wait_for()
    seen = faults(root.page)[0]
    with lit.signed_in("root") as client:
        first = client.get("/v1/documents", params={"find": "travel"}).json()["documents"][0]["id"]
    root.page.goto(f"{lit.url}/app/documents?d={first}")
    root.page.locator(".viewer .chunks li").first.wait_for()
    seen += faults(root.page)[0]
    root.page.goto(f"{lit.url}/app/documents")
    root.page.get_by_test_id("stButtonGroup").get_by_text("Add", exact=True).click()
    root.page.locator(".zone").wait_for()
    seen += faults(root.page)[0]
    assert not seen, "\n".join(seen)


def test_a_fault_would_be_found(lit: Service, visit: Visit) -> None:
    root = visit(lit, "root")
    root.ask("When does the office open?")
    root.page.locator(".answer button").first.evaluate(
        "button => { button.removeAttribute('aria-label'); button.removeAttribute('title'); button.textContent = ''; }"
    )
    assert any("button-name" in fault for fault in faults(root.page)[0])
