"""Pages that hold only a picture: found, counted, named; and read by tesseract where that is asked for."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from ingest.read.parse import parse
from ingest.read.pdf.ocr import NeedsOcr, check_ocr, words_of
from ragapp.errors import SettingsError, Unreadable
from ragapp.types import Extracted

Read = Callable[..., Extracted]
Rows = Callable[[Extracted], list[tuple[str, str]]]
Sound = Callable[[Extracted], None]
WIDTH, HEIGHT = A4
WRITTEN = (
    ("Helvetica-Bold", 22, 760, "Inspection of the weir"),
    ("Helvetica", 11, 700, "The weir at Northmoor was inspected in the spring and"),
    ("Helvetica", 11, 686, "found to be sound. Its sluice gates move freely, and the"),
    ("Helvetica", 11, 672, "next inspection is due in four years."),
)

with_tesseract = pytest.mark.skipif(
    shutil.which("tesseract") is None, reason="tesseract is not installed (apt install tesseract-ocr)"
)


def pdf(*pages: Callable[[Canvas], None]) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4)
    for draw in pages:
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def text(canvas: Canvas) -> None:
    canvas.drawString(72, 700, "A page of text that says that pumps move water from the river to the town by day")
    canvas.drawString(72, 686, "and by night, in summer and in winter.")


def letter(canvas: Canvas) -> None:
    for font, size, y, line in WRITTEN:
        canvas.setFont(font, size)
        canvas.drawString(72, y, line)


def scanned(draw: Callable[[Canvas], None], turn: int = 0) -> Callable[[Canvas], None]:
    """The page as a scanner gives it: a picture of it, and nothing else."""
    import pypdfium2 as pdfium

    with pdfium.PdfDocument(pdf(draw)) as document:
        image: Image.Image = document[0].render(scale=200 / 72, grayscale=True).to_pil()

    def page(canvas: Canvas) -> None:
        canvas.setPageRotation(turn)
        # a turned page's box is turned by reportlab
        size = (HEIGHT, WIDTH) if turn in (90, 270) else (WIDTH, HEIGHT)
        canvas.drawImage(ImageReader(image.rotate(turn, expand=True)), 0, 0, *size)

    return page


def stamped(canvas: Canvas) -> None:
    scanned(letter)(canvas)
    canvas.drawString(72, 820, "Received 2024-03-01")


def outlines(canvas: Canvas) -> None:
    for number in range(60):
        canvas.rect(50 + 7 * number, 700, 3, 9, fill=1)


def rule(canvas: Canvas) -> None:
    canvas.line(72, 400, 300, 400)


def blank(canvas: Canvas) -> None:
    del canvas


def test_pages_that_are_pictures_are_named_in_a_note(read: Read, rows: Rows) -> None:
    mixed = read("a.pdf", pdf(text, scanned(letter), text, scanned(letter), stamped, outlines))
    assert mixed.notes == ("4 of 6 pages (2, 4-6) are only a picture and left out; ingest.ocr reads such pages",)
    assert (mixed.left_out, mixed.by_ocr) == (4, 0)
    assert "Received 2024-03-01" in mixed.text, "what such a page has as text is kept"


def test_one_page_is_one_page(read: Read) -> None:
    assert read("a.pdf", pdf(text, scanned(letter))).notes == (
        "1 of 2 pages (2) is only a picture and left out; ingest.ocr reads such pages",
    )


def test_a_picture_among_text_is_no_page_of_pictures(read: Read) -> None:
    def figure(canvas: Canvas) -> None:
        text(canvas)
        canvas.drawImage(ImageReader(Image.new("L", (9, 9), 100)), 72, 300, 300, 300)

    assert read("a.pdf", pdf(figure)).notes == ()


def test_a_page_with_a_rule_and_a_blank_one_hold_no_text(read: Read) -> None:
    assert read("a.pdf", pdf(text, rule, blank)).notes == ("2 of 3 pages hold no text",)


def test_nothing_but_pictures_is_a_reason_that_names_the_way_out(read: Read) -> None:
    with pytest.raises(NeedsOcr, match=r"^holds only pictures of pages, .*ingest\.ocr .*apt install tesseract-ocr"):
        read("a.pdf", pdf(scanned(letter), outlines))


def test_neither_text_nor_pictures_is_no_matter_for_ocr(read: Read) -> None:
    with pytest.raises(Unreadable, match=r"^holds no text$") as refused:
        read("a.pdf", pdf(rule))
    assert not isinstance(refused.value, NeedsOcr)


@with_tesseract
@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_tesseract_reads_pictures_with_places_and_headings(
    turn: int, tmp_path: Path, rows: Rows, is_sound: Sound
) -> None:
    path = tmp_path / "scan.pdf"
    path.write_bytes(pdf(scanned(letter, turn)))
    read = parse(path, max_text_bytes=1 << 20, ocr="eng")
    is_sound(read)
    assert rows(read) == [
        ("title", "Inspection of the weir"),
        ("text", " ".join(line for _, _, _, line in WRITTEN[1:])),
    ]
    assert read.notes == ("1 of 1 pages (1) is only a picture, read by OCR",)
    assert (read.left_out, read.by_ocr) == (0, 1)
    word = next(each for each in read.words if read.text[each.start : each.end] == "Northmoor")
    assert word.box.page == 1
    assert word.box.x0 == pytest.approx(136, abs=6)
    assert word.box.y0 < HEIGHT - 700 - 2 < word.box.y1, "its box encloses where it was written"


@with_tesseract
def test_words_that_a_page_has_as_text_are_not_read_twice(tmp_path: Path) -> None:
    path = tmp_path / "scan.pdf"
    path.write_bytes(pdf(stamped))
    read = parse(path, max_text_bytes=1 << 20, ocr="eng")
    assert read.text.count("2024-03-01") == 1
    assert read.text.index("Received") < read.text.index("Inspection")


@with_tesseract
def test_pictures_without_text_are_told_from_scans_once_they_were_read(tmp_path: Path) -> None:
    path = tmp_path / "photo.pdf"
    path.write_bytes(pdf(lambda c: c.drawImage(ImageReader(Image.new("L", (90, 90), 120)), 0, 0, WIDTH, HEIGHT)))
    with pytest.raises(Unreadable, match="on which tesseract finds no text"):
        parse(path, max_text_bytes=1 << 20, ocr="eng")


@with_tesseract
def test_a_language_without_data_is_named_with_its_package() -> None:
    check_ocr("eng")
    with pytest.raises(SettingsError, match=r"names xx_yy, .*apt install tesseract-ocr-xx-yy.*choose among .*eng"):
        check_ocr("eng+xx_yy")


def test_the_missing_program_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SettingsError, match=r"ingest\.ocr is on, .*not installed.*apt install tesseract-ocr.*to false"):
        check_ocr("eng")
    path = tmp_path / "scan.pdf"
    path.write_bytes(pdf(scanned(letter)))
    with pytest.raises(Unreadable, match="apt install tesseract-ocr"):
        parse(path, max_text_bytes=1 << 20, ocr="eng")


def hocr(*words: tuple[str, int]) -> bytes:
    spans = "".join(
        f"<span class='ocrx_word' title='bbox {100 * n} 100 {100 * n + 80} 130; x_wconf {sure}'>{word}</span>"
        for n, (word, sure) in enumerate(words)
    )
    line = "bbox 0 100 900 140; baseline 0 -10; x_size 40; x_descenders 10; x_ascenders 10"
    return f"<html><body><p><span class='ocr_line' title='{line}'>{spans}</span></p></body></html>".encode()


def test_what_tesseract_doubts_is_left_out() -> None:
    said = hocr(("Gate", 96), ("xq", 12), ("|", 60), ("12", 91), ("exami-", 90))
    words = list(words_of(said, 3, 4.0, (225.0, 300.0)))
    assert [(word.text, word.breaks, word.hyphen) for word in words] == [
        ("Gate", True, False),
        ("12", False, False),
        ("exami", False, True),
    ]
    box = words[0].box
    assert (box.page, box.x0, box.y0, box.x1, box.y1) == (3, 0.0, 25.0, 20.0, 35.0)


@pytest.mark.parametrize("answer", [b"", b"<html/>", b"not hocr at all", hocr()])
def test_an_answer_without_words_is_an_empty_page(answer: bytes) -> None:
    assert list(words_of(answer, 1, 4.0, (100.0, 100.0))) == []
