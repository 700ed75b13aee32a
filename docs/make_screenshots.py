"""Take pictures of every page as its users see it: wide and narrow, light and dark.

python docs/make_screenshots.py

All of them go to .data/screenshots, to be looked at; the few that the docs show go to docs/pictures. The service is a
fresh one with the example documents and invented people, and the answers are what the packaged models say.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import APIResponse, Browser, BrowserContext, Page, sync_playwright

from benchmarks.chromium import NONE, chromium

HERE = Path(__file__).parent
FOLDER = HERE.parent / ".data" / "screenshots"
PICTURES = HERE / "pictures"
SHOWN = (
    "ask-wide-light", "ask-narrow-dark", "documents-wide-light", "document-wide-light", "search-wide-light",
    "usage-wide-light",
)  # fmt: skip
WIDE, NARROW = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
PASSWORD = "a long enough password"
PEOPLE = {"Ada Lindqvist": ["board", "sales"], "Bram Oosterhuis": ["works"], "Chiara Fabbri": ["sales"]}
QUESTIONS = (
    "Which pump type does the station Fell Beck have?",
    "How long is the warranty on Corvus pumps?",
    "What may a hotel cost in London?",
    "What does a parking place in Oslo cost?",
)
_PATIENCE_S = 600
_DRAWN = "image => image.complete && image.naturalWidth > 0"


def main() -> None:
    """Start, furnish, take all pictures, stop."""
    if not (program := chromium()):
        sys.exit(NONE)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as data, _service(Path(data)) as link, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        house = _furnished(browser, link)
        for scheme in ("light", "dark"):
            for width, viewport in {"wide": WIDE, "narrow": NARROW}.items():
                _take(browser, house, f"{width}-{scheme}", {"viewport": viewport, "color_scheme": scheme})
        browser.close()
    PICTURES.mkdir(exist_ok=True)
    for name in SHOWN:
        with Image.open(FOLDER / f"{name}.png") as picture:
            picture.convert("RGB").quantize(128).save(PICTURES / f"{name}.png", optimize=True)
    print(f"{len(list(FOLDER.iterdir()))} pictures are in {FOLDER}; look at every one.")


@dataclass(frozen=True)
class House:
    """What the pictures are taken of."""

    url: str
    session: Any
    """The admin's cookies."""
    talk: str
    """The id of a conversation with an answer from a PDF."""
    pdf: str
    """The id of a PDF."""


@contextmanager
def _service(data: Path) -> Iterator[str]:
    """The link that makes the first account of a service that runs until the block ends."""
    command = [Path(sys.executable).with_name("ragapp"), "up", "--accounts", "--port", "0", "--data", data]
    settings = os.environ | {"RAGAPP_COSTS__HOUR_USD": "0.35"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=settings) as process:
        assert process.stderr
        try:
            for line in process.stderr:
                print(line, end="")
                if found := re.search(r"http\S+/join/\S+", line):
                    yield found[0]
                    return
            raise SystemExit("The service did not start; its reason stands above.")
        finally:
            process.terminate()
            process.stderr.read()


def _furnished(browser: Browser, link: str) -> House:
    context = browser.new_context()
    context.set_default_timeout(1000 * _PATIENCE_S)  # while models load, a small machine answers slowly
    page = context.new_page()
    page.goto(link)
    page.get_by_label("Name").first.fill("root")
    for field in page.locator("input[type=password]").all():
        field.fill(PASSWORD)
    page.locator("main button").first.click()
    url = link.partition("/join/")[0]
    service = _Desk(context, url)
    for name, groups in PEOPLE.items():
        service.post("/v1/people", {"name": name.split()[0].lower(), "display": name, "groups": groups})
    service.put("/v1/collections/board", {"groups": ["board"], "title": "Board papers"})
    _until(lambda: not _going(service))
    service.send("board", {"minutes 2025-06.md": b"# Minutes of June\n\nThe board keeps the dividend.\n"})
    service.send("board", {"scan.pdf": b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog"})
    _until(lambda: not _going(service))
    folder = HERE.parent / "examples" / "documents" / "hr"
    service.post("/v1/sources", {"name": "hr", "url": str(folder), "groups": ["everyone"]})
    talk = ""
    for question in QUESTIONS:
        print(question)
        told = service.post("/v1/answers", {"question": question, "new_conversation": True})
        talk = talk or told["conversation_id"]
    judged = {"answer_id": told["id"], "good": False, "reason": "It misses something: we do have a price list"}
    service.put("/v1/feedback", judged)
    rows = service.get("/v1/documents?find=northmoor")["documents"]
    state = context.storage_state()
    context.close()
    return House(url, state, talk, next(row["id"] for row in rows if row["type"] == "pdf"))


class _Desk:
    """The service's API in the admin's session."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self._context, self._url = context, url
        self._headers = {"x-csrf-token": self.get("/v1/session")["csrf"]}

    def get(self, path: str) -> Any:
        return self._told(self._context.request.get(self._url + path))

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self._told(
            self._context.request.post(self._url + path, data=body, headers=self._headers, timeout=1000 * _PATIENCE_S)
        )

    def put(self, path: str, body: dict[str, Any]) -> Any:
        return self._told(self._context.request.put(self._url + path, data=body, headers=self._headers))

    def send(self, collection: str, files: dict[str, bytes]) -> None:
        for name, content in files.items():
            file = {"name": name, "mimeType": "application/octet-stream", "buffer": content}
            form = {"collection": collection, "files": file}
            self._told(self._context.request.post(f"{self._url}/v1/documents", multipart=form, headers=self._headers))

    def _told(self, answer: APIResponse) -> Any:
        if not answer.ok:
            raise SystemExit(f"{answer.url}: {answer.text()}")
        return answer.json() if answer.body() else None


def _going(service: _Desk) -> bool:
    jobs = service.get("/v1/jobs")
    return not jobs or any(job["state"] in ("waiting", "running") for job in jobs)


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE_S
    while not holds():
        if time.monotonic() > end:
            raise SystemExit(f"It did not come about within {_PATIENCE_S} seconds.")
        time.sleep(0.5)


def _take(browser: Browser, house: House, variant: str, look: dict[str, Any]) -> None:
    context = browser.new_context(storage_state=house.session, **look)
    page = context.new_page()
    page.set_default_timeout(1000 * _PATIENCE_S)

    def shoot(name: str, path: str, act: Callable[[Page], None] | None = None) -> None:
        page.goto(house.url + path)
        if path.startswith("/app/"):
            _settled(page)
        if act:
            act(page)
            _settled(page)
        page.wait_for_timeout(1000)  # pictures, charts and transitions have no event of their own to wait for
        page.screenshot(path=FOLDER / f"{name}-{variant}.png")

    shoot("begin", "/app/")
    shoot("answer", f"/app/?c={house.talk}", lambda page: page.locator("button.marker").first.wait_for())
    shoot("ask", f"/app/?c={house.talk}", _cite)
    shoot("search", "/app/search", _search)
    shoot("documents", "/app/documents")
    for part in ("Add", "Sources", "Jobs"):
        shoot(f"documents-{part.lower()}", "/app/documents", _part(part))
    shoot("document", f"/app/documents?d={house.pdf}", lambda page: page.locator(".sheet .chunk").first.wait_for())
    shoot("models", "/app/models")
    shoot("usage", "/app/usage")
    shoot("people", "/app/people", _first_account)
    for part in ("Groups", "API tokens"):
        shoot(f"people-{part.split()[-1].lower()}", "/app/people", _part(part))
    shoot("feedback", "/app/feedback", lambda page: page.locator("details summary").first.click())
    shoot("audit", "/app/audit")
    shoot("account", "/app/account", lambda page: page.locator(".account").wait_for())
    context.clear_cookies()
    shoot("sign-in", "/sign-in")
    context.close()


def _settled(page: Page) -> None:
    page.locator('[data-test-connection-state="CONNECTED"][data-test-script-state="notRunning"]').wait_for()


def _cite(page: Page) -> None:
    page.locator("button.marker").first.click()
    page.locator("dialog.source .mark").first.wait_for()
    page.wait_for_function(_DRAWN, arg=page.locator("dialog.source .sheet img").element_handle())


def _search(page: Page) -> None:
    page.get_by_label("What to look for").fill("warranty on Corvus pumps")
    page.get_by_role("button", name="Search").click()
    page.locator(".passages li").first.wait_for()


def _part(name: str) -> Callable[[Page], None]:
    return lambda page: page.get_by_test_id("stButtonGroup").get_by_text(name, exact=True).click()


def _first_account(page: Page) -> None:
    page.locator("details summary").first.click()


if __name__ == "__main__":
    main()
