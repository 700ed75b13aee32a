"""A folder of real files: each is text with all of its words, or one reason."""

import html
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.chunk.chunk import chunk
from ingest.read.formats import supported
from ingest.read.parse import parse
from ragapp.errors import Unreadable
from ragapp.types import Extracted

UNREADABLE = {
    "password_protected.xlsx": "encrypted",
    "empty.xlsx": "holds no text",
    "picture.pptx": "holds no text",
    "fake-text-all-whitespace.txt": "white space",
    "empty.eml": "white space",
    "single_table.pdf": "OCR",
}
_TEXT_RUNS = re.compile(rb"<(?:w|a):t(?: [^>]*)?>([^<]+)</(?:w|a):t>")
_WORD = re.compile(r"\w+")


def test_each_file_is_read_or_has_its_reason(
    real_documents: Path, is_sound: Callable[[Extracted], None], count_tokens: Callable[..., list[int]]
) -> None:
    read = 0
    for path in sorted(p for p in real_documents.rglob("*") if p.is_file()):
        assert path.suffix.removeprefix(".") in supported()
        try:
            found = parse(path, max_text_bytes=64 << 20)
        except Unreadable as reason:
            assert UNREADABLE.get(path.name, "?") in str(reason), path.name
            continue
        assert path.name not in UNREADABLE
        is_sound(found)
        chunks = chunk(found, document_id="d", revision=1, count_tokens=count_tokens, max_tokens=224)
        visible = (found.text[e.start : e.end] for e in found.elements if not e.hidden)
        assert "".join("".join(c.text.split()) for c in chunks) == "".join("".join(text.split()) for text in visible)
        read += 1
    assert read >= 80


def runs_of(path: Path) -> set[str]:
    """The words of all text runs of an Office file, taken from its XML without any understanding."""
    words: set[str] = set()
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if re.fullmatch(r"word/document\.xml|ppt/slides/slide\d+\.xml", name):
                content = b" ".join(_TEXT_RUNS.findall(archive.read(name))).decode("utf-8")
                words |= set(_WORD.findall(html.unescape(content)))
    return words


@pytest.mark.parametrize("pattern", ["*.docx", "*.pptx"])
def test_no_word_of_an_office_file_is_lost(pattern: str, real_documents: Path) -> None:
    for path in real_documents.glob(pattern):
        if path.name in UNREADABLE:
            continue
        text = parse(path, max_text_bytes=64 << 20).text
        lost = {word for word in runs_of(path) if word not in text}
        assert not lost, path.name


def test_no_word_of_a_pdf_is_lost(real_documents: Path) -> None:
    import pypdfium2

    for path in (real_documents / "pdf").glob("*.pdf"):
        if path.name in UNREADABLE:
            continue
        found = parse(path, max_text_bytes=64 << 20)
        squeezed = "".join(_WORD.findall(found.text))
        document = pypdfium2.PdfDocument(path)
        plain = " ".join(page.get_textpage().get_text_range() for page in document)
        lost = {word for word in _WORD.findall(plain.replace("\ufffe", " ")) if word not in squeezed}
        assert not lost, path.name


def test_unstructured_is_the_release_whose_model_loader_is_replaced() -> None:
    from ingest.read.office.offline import make_offline, spacy_model

    make_offline()
    from unstructured.nlp import tokenize

    assert tokenize._load_spacy_model is spacy_model
    assert tokenize.sent_tokenize("The pump runs. It moves water.") == ["The pump runs.", "It moves water."]
