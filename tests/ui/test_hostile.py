"""Documents, questions and names that would run, load or command something: they are shown as the text they are."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from playwright.sync_api import expect

from ui.parts.plain import plain

from ..ragapp.serve.conftest import Service
from .conftest import Visitor

Visit = Callable[..., Visitor]
HOSTILE = (
    "<img src=x onerror=\"window.pwned=1;alert('doc')\"> <script>window.pwned=2</script> "
    "![shot](http://198.51.100.7/pixel.png) [click](http://198.51.100.7/) <svg onload=alert(1)> :material/home: $x^2$ "
    "<iframe src='http://198.51.100.7/'></iframe> \x1b[31m \u202etxt.exe"
)


@pytest.fixture(scope="module")
def armed(lit: Service, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """The firm with documents that want to be more than text."""
    folder = tmp_path_factory.mktemp("hostile")
    name = "![x](http:⁄⁄198.51.100.7) <b onmouseover=alert(1)>.txt"
    (folder / name).write_text(f"Krenvolt is the code word of the hostile file. {HOSTILE}\nKrenvolt costs 12 euro.\n")
    (folder / "page.html").write_text(
        f"<html><head><title>{HOSTILE}</title></head><body><h1>Krenvolt plan <script>window.pwned=3</script></h1>"
        "<p>The Krenvolt plan begins in May &lt;img src=x onerror=alert(2)&gt;.</p></body></html>"
    )
    report = lit.house.rag.ingest(folder)
    assert report.added >= 2
    return lit


def test_nothing_in_a_document_or_a_question_runs_or_is_loaded(armed: Service, visit: Visit) -> None:
    root = visit(armed, "root")
    page = root.page
    root.ask(f"What is the code word Krenvolt? {HOSTILE}"[:400])
    for marker in page.locator("ol.sources button").all():
        marker.click()
        expect(page.locator("dialog.source .body")).not_to_contain_text("Opening…")
    root.go("Search")
    page.get_by_label("What to look for").fill("Krenvolt")
    page.get_by_role("button", name="Search").click()
    page.locator(".passages li").first.wait_for()
    assert "<script>" in page.locator(".passages").inner_text() or "onerror" in page.locator(".passages").inner_text()
    root.go("Documents")
    page.get_by_test_id("stDataFrame").wait_for()
    for found in armed_documents(armed):
        page.goto(f"{armed.url}/app/documents?d={found}")
        page.locator(".viewer .chunks li").first.wait_for()
    page.goto(f"{armed.url}/app/")
    root.box.wait_for()
    assert page.evaluate("window.pwned") is None
    # nothing of theirs became an element: images are the service's own, or none
    assert not page.locator("iframe, img[src^='http://198'], a[href*='198.51']").count()


def armed_documents(service: Service) -> list[str]:
    with service.signed_in("root") as client:
        told = client.get("/v1/documents", params={"limit": 100}).json()
        return [row["id"] for row in told["documents"] if "Krenvolt" in row["title"] or "198" in row["source"]]


def test_names_that_people_gave_are_text_too(lit: Service, visit: Visit) -> None:
    root = visit(lit, "root")
    with lit.signed_in("root") as client:
        begun = client.post("/v1/conversations", json={"title": "![x](http://198.51.100.7/y.png) **loud** <b>x</b>"})
        assert begun.status_code == 201
    root.page.reload()
    shown = root.page.get_by_test_id("stSidebar").get_by_text("loud")
    expect(shown).to_contain_text("![x](http://198.51.100.7/y.png) **loud** <b>x</b>")


def test_an_export_is_inert(armed: Service) -> None:
    with armed.signed_in("root") as client:
        begun = client.post("/v1/conversations", json={"title": HOSTILE.replace("\x1b", "")[:150]}).json()
        client.post(
            "/v1/answers", json={"question": f"What is Krenvolt? {HOSTILE}"[:400], "conversation_id": begun["id"]}
        )
        told = client.get(f"/v1/conversations/{begun['id']}/export").text
    drawn = MarkdownIt("commonmark", {"html": True}).render(told)
    for danger in ("<script", "<img", "<iframe", "<svg", 'href="http://198'):
        assert danger not in drawn
    assert "\x1b" not in told


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("ab1 *_`[]()!<>#:$\\~|&@/.-=^{}\n\"'"), max_size=40))
def test_escaped_text_says_what_it_said_and_formats_nothing(text: str) -> None:
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(plain(text))
    inline = [child for token in tokens for child in token.children or ()]
    assert {child.type for child in inline} <= {"text", "text_special"}
    assert "".join(child.content for child in inline) == " ".join(text.split())


def test_the_policy_stands_on_all_of_the_page(lit: Service) -> None:
    with lit.signed_in("bob") as client:
        for path in ("/app/", "/app/search", "/app/_stcore/health"):
            policy = client.get(path).headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "connect-src 'self'" in policy
            assert "http" not in policy


def test_the_page_is_for_whoever_is_signed_in(lit: Service) -> None:
    with lit.client() as nobody:
        asked = nobody.get("/app/documents?d=1", headers={"accept": "text/html"})
        assert asked.status_code == 303
        assert asked.headers["location"] == "/sign-in?next=%2Fapp%2Fdocuments%3Fd%3D1"
        assert nobody.get("/app/_stcore/health").status_code == 401
        assert nobody.post("/app/_stcore/upload_file").status_code == 405
