"""Mails: the newest text first, older mails under headings of their own."""

from collections.abc import Callable
from email.message import EmailMessage

import pytest

from ragapp.types import Extracted

Read = Callable[..., Extracted]
Rows = Callable[[Extracted], list[tuple[str, str]]]


def mail(body: str, subtype: str = "plain", **headers: str) -> bytes:
    message = EmailMessage()
    for name, value in {"From": "Ann <a@x.example>", "To": "B <b@x.example>", "Subject": "Pumps", **headers}.items():
        message[name] = value
    message["Date"] = "Tue, 18 Mar 2025 10:00:00 +0100"
    message.set_content(body, subtype=subtype)
    return message.as_bytes()


def body(rows: Rows, found: Extracted) -> list[tuple[str, str]]:
    return [(kind, text) for kind, text in rows(found)[1:] if kind != "note"]


@pytest.mark.parametrize(
    ("quoted", "heading"),
    [
        ("On 17 Mar 2025, B <b@x.example> wrote:\n> When?\n>\n> B", "On 17 Mar 2025, B <b@x.example> wrote"),
        ("On 17 Mar 2025, B\n<b@x.example> wrote:\n> When?\n>\n> B", "On 17 Mar 2025, B <b@x.example> wrote"),
        ("Am 17.03.2025 um 09:00 schrieb B:\n> When?\n>\n> B", "Am 17.03.2025 um 09:00 schrieb B"),
        ("-- Original Message --\nFrom: B\nDate: Monday\nTo: A\nSubject: Oil\n\nWhen?\n\nB", "on Monday B wrote (Oil)"),
        ("Von: B\nGesendet: Montag\nAn: Ann\nBetreff: Pumpen\n\nWhen?\n\nB", "on Montag B wrote (Pumpen)"),
        ("Begin forwarded message:\n\nFrom: B\nDate: Monday\nTo: Ann\n\nWhen?\n\nB", "on Monday B wrote"),
    ],
)  # fmt: skip
def test_an_older_mail_stands_under_a_heading_that_says_whose_it_is(
    quoted: str, heading: str, read: Read, rows: Rows
) -> None:
    found = read("a.eml", mail(f"On Friday.\n\nAnn\n--\nACME Corp\n\n{quoted}\n"))
    assert body(rows, found) == [
        ("text", "On Friday."),
        ("text", "Ann\n--\nACME Corp"),
        ("title", f"Quoted: {heading}"),
        ("text", "When?"),
        ("text", "B"),
    ]


def test_what_is_written_below_a_quotation_comes_first(read: Read, rows: Rows) -> None:
    found = read("a.eml", mail("On Monday B wrote:\n> When?\n\nOn Friday.\n"))
    assert body(rows, found) == [("text", "On Friday."), ("title", "Quoted: On Monday B wrote"), ("text", "When?")]


def test_mails_in_mails_each_have_a_heading(read: Read, rows: Rows) -> None:
    text = "Newest.\n\nOn 3 May B wrote:\n> Older.\n>\n> On 2 May C wrote:\n>> Oldest.\n"
    assert body(rows, read("a.eml", mail(text))) == [
        ("text", "Newest."),
        ("title", "Quoted: On 3 May B wrote"),
        ("text", "Older."),
        ("title", "Quoted: On 2 May C wrote"),
        ("text", "Oldest."),
    ]


def test_answers_between_quoted_lines_stay_where_they_are(read: Read, rows: Rows) -> None:
    text = "B wrote:\n> When?\nOn Friday.\n> How many?\nSix.\n"
    found = read("a.eml", mail(text))
    assert "> When?\nOn Friday.\n> How many?\nSix." in found.text


def test_html_mails_are_taken_apart_too(read: Read, rows: Rows) -> None:
    page = (
        "<p>New text.</p>"
        "<div><p><b>From:</b> B<br><b>Sent:</b> Monday<br><b>To:</b> Ann<br><b>Subject:</b> Pumps</p></div>"
        "<p>Old text.</p><div>On 1 May C wrote:<br></div><blockquote>Oldest.</blockquote>"
    )
    assert body(rows, read("a.eml", mail(page, "html"))) == [
        ("text", "New text."),
        ("title", "Quoted: on Monday B wrote (Pumps)"),
        ("text", "Old text."),
        ("title", "Quoted: On 1 May C wrote"),
        ("text", "Oldest."),
    ]


@pytest.mark.parametrize("text", ["On Friday we ship:\n\n- pumps\n", "He wrote:\n", "From: Hull\nTo: Ems\nby rail\n"])
def test_what_only_looks_like_a_quotation_is_the_mails_own(text: str, read: Read, rows: Rows) -> None:
    assert not any(content.startswith("Quoted") for _, content in rows(read("a.eml", mail(text))))


def test_names_in_other_letters_are_decoded(read: Read, rows: Rows) -> None:
    raw = (
        b"From: =?iso-8859-1?Q?J=F6rg_M=FCller?= <j@x.example>\nTo: b@x.example\nCc: c@x.example\n"
        b"Subject: =?utf-8?b?R3LDvMOfZQ==?=\n"
        b"Date: Tue, 18 Mar 2025 10:00:00 +0100\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=m\n\n--m\n"
        b"Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n"
        b"Sch=F6ne Gr=FC=DFe\n--m\nContent-Type: application/pdf\n"
        b"Content-Disposition: attachment; filename*0*=utf-8''%C3%9Cber; filename*1*=sicht.pdf\n\nx\n--m--\n"
    )
    found = rows(read("a.eml", raw))
    assert found[0] == ("title", "Grüße")
    assert "From: Jörg Müller <j@x.example>" in found[1][1] and "Cc: c@x.example" in found[1][1]
    assert found[2:] == [("text", "Schöne Grüße"), ("note", "Attachments: Übersicht.pdf")]
