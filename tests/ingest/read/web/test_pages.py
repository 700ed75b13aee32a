"""Web pages as their reader sees them."""

from collections.abc import Callable

import pytest

from ragapp.types import Extracted

Read = Callable[..., Extracted]
Rows = Callable[[Extracted], list[tuple[str, str]]]
Hidden = Callable[[Extracted], list[str]]


@pytest.mark.parametrize(
    "part",
    [
        "<p hidden>secret</p>",
        "<p aria-hidden=true>secret</p>",
        "<p style='display: none !important'>secret</p>",
        "<p style='visibility:hidden'>secret</p>",
        "<p style='font-size:0'>secret</p>",
        "<p style='font-size:1px'>secret</p>",
        "<p style='opacity:0'>secret</p>",
        "<p style='color:#fff'>secret</p>",
        "<p style='color:white;background:#FFFFFF'>secret</p>",
        "<div style='background:#123456'><p style='color:rgb(18, 52, 86)'>secret</p></div>",
        "<p><font color=white>secret</font></p>",
        "<style>.gone{display:none}</style><p class='a gone'>secret</p>",
        "<style>@media print{p{color:red}}.gone{display:none}</style><p class=gone>secret</p>",
        "<style>/* x */ p#off, .other { visibility: hidden }</style><p id=off>secret</p>",
        "<table><tr><td>a</td><td>1</td></tr><tr style='display:none'><td>secret</td></tr></table>",
        "<nav>secret</nav>",
        "<div role=navigation>secret</div>",
        "<div id=cookie-consent>secret <button>OK</button></div>",
    ],
)
def test_what_the_reader_does_not_see_is_marked(part: str, read: Read, rows: Rows, hidden: Hidden) -> None:
    found = read("a.html", f"<html><body><p>Seen.</p>{part}<p>Seen too.</p></body></html>")
    assert "secret" in " ".join(hidden(found))
    assert "secret" not in " ".join(text for _, text in rows(found))
    assert {"Seen.", "Seen too."} <= {text for _, text in rows(found)}


@pytest.mark.parametrize(
    "part",
    [
        "<div style='background:#000'><p style='color:#fff'>shown</p></div>",
        "<div style='background:url(x.png)'><p style='color:#fff'>shown</p></div>",
        "<table bgcolor='#000000'><tr><td><p style='color:white'>shown</p></td></tr></table>",
        "<style>@media print { p {display:none} }</style><p>shown</p>",
        "<style>@import url(x.css);@media print{ p {display:none} } @font-face{src:url(y)}</style><p>shown</p>",
        "<style>.tab{display:none} .tab.open{display:block}</style><p class='tab open'>shown</p>",
        "<div style='font-size:0'><p style='font-size:14px'>shown</p></div>",
        "<div class='cookie-recipes'>shown</div>",
        "<details><summary>More</summary>shown</details>",
        "<h3><button>shown</button></h3>",
        "<figure><img alt='shown'><figcaption>Fig. 1</figcaption></figure>",
    ],
)
def test_what_the_reader_sees_is_not_marked(part: str, read: Read, rows: Rows) -> None:
    found = read("a.html", f"<html><body><p>Seen.</p>{part}<p>Seen too.</p></body></html>")
    assert "shown" in " ".join(text for _, text in rows(found))


def test_a_sites_furniture_stands_apart_from_its_article(read: Read, rows: Rows, hidden: Hidden) -> None:
    page = (
        "<body><header>ACME Corp</header><aside>Also read</aside><main><header><h1>Pumps</h1></header>"
        "<p>They move water.</p><aside>Mind the seal.</aside></main><footer>Imprint</footer><script>x()</script></body>"
    )
    found = read("a.html", page)
    assert rows(found) == [("title", "Pumps"), ("text", "They move water."), ("text", "Mind the seal.")]
    assert hidden(found) == ["ACME Corp", "Also read", "Imprint"]
    assert found.notes == ()


@pytest.mark.parametrize(
    "sheet", ["@" * 300_000, "@;" * 300_000, "/*" * 300_000, "a" * 600_000, "{" * 600_000, "p{font-size:1.2.3}"]
)
def test_a_style_sheet_that_makes_no_sense_hides_nothing_and_ends(sheet: str, read: Read, rows: Rows) -> None:
    page = f"<head><style>{sheet}</style></head><body><p style='font-size:..;color:rgb(1,2)'>Seen.</p></body>"
    assert rows(read("a.html", page)) == [("text", "Seen.")]


def test_a_page_of_nothing_but_links_is_read(read: Read, rows: Rows) -> None:
    assert rows(read("a.html", "<body><nav><ul><li>Oil</li><li>Seals</li></ul></nav></body>")) == [
        ("list_item", "Oil"),
        ("list_item", "Seals"),
    ]


def test_terms_and_paragraphs_by_line_breaks(read: Read, rows: Rows) -> None:
    page = "<dl><dt>Seal<dd>keeps water in<dt>Gland<dt>Ring<dd>hold it</dl><div>One<br>line<br><br>Two</div>"
    assert rows(read("a.html", page)) == [
        ("list_item", "Seal: keeps water in"),
        ("list_item", "Gland, Ring: hold it"),
        ("text", "One\nline"),
        ("text", "Two"),
    ]
