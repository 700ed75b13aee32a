"""The example documents and their questions: the files come from their sources, every answer stands where it should."""

import csv
import email
import email.policy
import importlib.util
import json
import re
import sys
from collections import Counter
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import openpyxl
import pptx
import pypdfium2
import pytest
from docx import Document

EXAMPLES = Path(__file__).parents[2] / "examples"
DOCUMENTS = EXAMPLES / "documents"
QUESTIONS = [json.loads(line) for line in (EXAMPLES / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
ANSWERABLE = [question for question in QUESTIONS if question["answerable"]]
UNANSWERABLE = [question for question in QUESTIONS if not question["answerable"]]
KINDS = {
    *("lookup", "table", "date-version", "two-documents", "follow-up", "near-miss", "off-topic", "german", "name"),
    *("cross-language", "paraphrase", "typo"),
}


class TagStripper(HTMLParser):
    """Collects the text of a page, without scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.hidden += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.words.append(data)


def read_html(path: Path) -> str:
    stripper = TagStripper()
    stripper.feed(path.read_text(encoding="utf-8"))
    return "".join(stripper.words)


def read_docx(path: Path) -> str:
    document = Document(str(path))
    rows = [" | ".join(cell.text for cell in row.cells) for table in document.tables for row in table.rows]
    return "\n".join([*(paragraph.text for paragraph in document.paragraphs), *rows])


def read_slide(slide: Any) -> str:
    lines = [slide.notes_slide.notes_text_frame.text]
    for shape in slide.shapes:
        if shape.has_text_frame:
            lines.append(shape.text_frame.text)
        if shape.has_table:
            lines.extend(" | ".join(cell.text for cell in row.cells) for row in shape.table.rows)
    return "\n".join(lines)


def read_xlsx(path: Path) -> str:
    sheets = openpyxl.load_workbook(path).worksheets
    rows = [[cell for cell in row if cell is not None] for sheet in sheets for row in sheet.iter_rows(values_only=True)]
    return "\n".join(" | ".join(f"{cell:g}" if isinstance(cell, float) else str(cell) for cell in row) for row in rows)


def read_eml(path: Path) -> str:
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    body = message.get_body(("plain",))
    assert body is not None
    attached = [str(part.get_content()) for part in message.iter_attachments()]
    return "\n".join([str(message["subject"]), str(body.get_content()), *attached])


def squeeze(text: str) -> str:
    return re.sub(r"\s+", " ", text)


@cache
def pages_of(source: str) -> list[str]:
    """The text of each page or slide; one page for a format that has none."""
    path = DOCUMENTS / source
    match path.suffix:
        case ".pdf":
            pages = [page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(path)]
        case ".pptx":
            pages = [read_slide(slide) for slide in pptx.Presentation(str(path)).slides]
        case ".docx":
            pages = [read_docx(path)]
        case ".xlsx":
            pages = [read_xlsx(path)]
        case ".html":
            pages = [read_html(path)]
        case ".eml":
            pages = [read_eml(path)]
        case _:
            pages = [path.read_text(encoding="utf-8")]
    return [squeeze(page) for page in pages]


def text_of(source: str, page: int | None = None) -> str:
    pages = pages_of(source)
    return pages[page - 1] if page is not None else " ".join(pages)


def sources_of(question: dict[str, Any]) -> list[str]:
    return question["source"] if isinstance(question["source"], list) else [question["source"]]


def all_documents() -> list[str]:
    return sorted(path.relative_to(DOCUMENTS).as_posix() for path in DOCUMENTS.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_documents", EXAMPLES / "make_documents.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_sources_make_the_same_bytes_again(maker: ModuleType, tmp_path: Path) -> None:
    written = maker.make_all(tmp_path)
    assert len(written) == 20
    for path in written:
        assert path.read_bytes() == (DOCUMENTS / path.relative_to(tmp_path)).read_bytes(), path.name


def test_every_binary_document_has_a_source(maker: ModuleType, tmp_path: Path) -> None:
    made = {path.relative_to(tmp_path).as_posix() for path in maker.make_all(tmp_path)}
    binary = {name for name in all_documents() if Path(name).suffix in {".docx", ".pptx", ".xlsx", ".pdf", ".eml"}}
    assert binary == made


def test_the_folder_holds_every_format_and_a_long_document() -> None:
    names = all_documents()
    formats = {"md", "html", "docx", "pptx", "xlsx", "csv", "eml", "txt", "pdf"}
    assert {Path(name).suffix.removeprefix(".") for name in names} == formats
    assert len(names) >= 25
    assert len(pages_of("products/corvus_manual.pdf")) >= 12
    with (DOCUMENTS / "operations/inventory.csv").open(encoding="utf-8", newline="") as lines:
        assert len(list(csv.reader(lines))) == 151


def test_the_questions_are_as_many_as_promised() -> None:
    groups = Counter(group for question in QUESTIONS for group in question["groups"])
    assert 100 <= len(QUESTIONS) <= 120
    assert len(ANSWERABLE) >= 65
    assert len(UNANSWERABLE) >= 36
    assert groups["near-miss"] >= 20
    assert groups["two-documents"] >= 8
    assert groups["follow-up"] >= 8
    assert groups["cross-language"] >= 2
    assert set(groups) <= KINDS


def test_ids_and_questions_are_unique() -> None:
    assert len({question["id"] for question in QUESTIONS}) == len(QUESTIONS)
    asked = [(question["question"], str(question.get("history"))) for question in QUESTIONS]
    assert len(set(asked)) == len(asked)


def test_both_halves_are_alike() -> None:
    kinds = Counter((question["groups"][0], question["half"]) for question in QUESTIONS)
    assert {half for _, half in kinds} == {"tune", "test"}
    for kind in {kind for kind, _ in kinds}:
        assert abs(kinds[kind, "tune"] - kinds[kind, "test"]) <= 1, kind


def test_only_follow_ups_have_a_history() -> None:
    for question in QUESTIONS:
        assert ("follow-up" in question["groups"]) == ("history" in question), question["id"]


@pytest.mark.parametrize("question", ANSWERABLE, ids=lambda question: question["id"])
def test_the_answer_stands_in_its_source(question: dict[str, Any]) -> None:
    texts = {source: text_of(source, question["page"]) for source in sources_of(question)}
    everything = " ".join(texts.values())
    for evidence in question["evidence"]:
        assert evidence in everything, evidence
    for number in re.findall(r"\d[\d.,:]*\d|\d", question["answer"]):
        assert re.search(rf"(?<!\d){re.escape(number)}(?!\d)", everything), number
    paged = [source for source in texts if source.endswith((".pdf", ".pptx"))]
    assert bool(question["page"]) == (paged == [question["source"]]), "page and format disagree"
    for source in question.get("also", []):
        assert (DOCUMENTS / source).is_file()


@pytest.mark.parametrize("question", [q for q in ANSWERABLE if isinstance(q["source"], list)], ids=lambda q: q["id"])
def test_two_documents_are_needed_where_two_are_named(question: dict[str, Any]) -> None:
    for name in all_documents():
        assert not all(evidence in text_of(name) for evidence in question["evidence"]), name
    for source in question["source"]:
        assert any(evidence in text_of(source) for evidence in question["evidence"]), source


@pytest.mark.parametrize("question", UNANSWERABLE, ids=lambda question: question["id"])
def test_what_cannot_be_answered_is_nowhere(question: dict[str, Any]) -> None:
    assert question["answer"] == "" and question["source"] is None and question["page"] is None
    for together in question.get("absent", []):
        for name in all_documents():
            assert not within_reach(text_of(name).lower(), [word.lower() for word in together]), (name, together)


def within_reach(text: str, words: list[str], reach: int = 200) -> bool:
    """Whether all the words occur within `reach` characters of the first one."""
    for hit in re.finditer(re.escape(words[0]), text):
        window = text[max(0, hit.start() - reach) : hit.end() + reach]
        if all(word in window for word in words):
            return True
    return False


@pytest.mark.parametrize("name", ["Jana Pohl", "Maren Iversen"])
def test_people_whose_mobile_is_asked_in_vain_have_none(name: str) -> None:
    with (DOCUMENTS / "company/phone_list.csv").open(encoding="utf-8", newline="") as lines:
        people = {row["Name"]: row for row in csv.DictReader(lines)}
    assert people[name]["Mobile"] == ""
    asked = [question for question in UNANSWERABLE if name in json.dumps(question, ensure_ascii=False)]
    assert len(asked) == 1
