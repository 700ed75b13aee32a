"""Text from pictures of pages by the program tesseract: words with their places, as a page's own words have them.

unstructured's agent for tesseract is not used: it needs unstructured_inference, and with it a gigabyte of packages for
layout models, and it writes pages into temporary files, which a killed reader leaves behind. Here pages go in and
words come out through pipes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from ingest.read.pdf.lines import Glyphs, Line, lines_of
from ragapp.errors import KeptOut, SettingsError, Unreadable
from ragapp.types import Box

PROGRAM = "tesseract"
INSTALL = "it takes the program tesseract: apt install tesseract-ocr"
_DPI = 300
"""What tesseract was trained on and its manual asks for."""
_MOST_PIXELS = 25_000_000
_TIMEOUT_S = 120.0
"""For one page; a dense one takes 1 to 5 s."""
_LEAST_CONFIDENCE = 40
"""Of 100; below it words are mostly specks and pictures."""
_LEAST_FOR_MARKS = 80
"""The same for what has neither letter nor figure, such as a rule that is taken for a dash."""
_SAME_SIZE = 0.15
"""Share by which the sizes of lines differ through being measured."""
_BOX = re.compile(r"\bbbox (-?\d+) (-?\d+) (-?\d+) (-?\d+)")
_BASELINE = re.compile(r"\bbaseline (-?[\d.]+) (-?[\d.]+)")
_SIZE = re.compile(r"\bx_size ([\d.]+)")
_BELOW = re.compile(r"\bx_descenders (-?[\d.]+)")
_CONFIDENCE = re.compile(r"\bx_wconf (\d+)")


class NeedsOcr(Unreadable):
    """A file that holds nothing but pictures of text, which would be read if OCR were on."""


def check_ocr(languages: str) -> None:
    """Raises SettingsError where tesseract or its data for one of the `languages` ("eng+deu") is not installed."""
    if shutil.which(PROGRAM) is None:
        raise SettingsError(
            "ingest.ocr is on, but the program tesseract is not installed; install it (apt install tesseract-ocr), or "
            "set ingest.ocr to false."
        )
    said = subprocess.run(
        [PROGRAM, "--list-langs"], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False, errors="replace"
    )
    known = set((said.stdout + said.stderr).split())
    if missing := [language for language in languages.split("+") if language not in known]:
        packages = " ".join(f"tesseract-ocr-{language.replace('_', '-').lower()}" for language in missing)
        raise SettingsError(
            f"ingest.ocr_languages names {', '.join(missing)}, which tesseract has no data for; install it "
            f"(apt install {packages}), or choose among {', '.join(sorted(_languages(said.stdout)))}."
        )


def _languages(listed: str) -> list[str]:
    return [line for line in listed.splitlines()[1:] if line and line != "osd"]


def lines_of_picture(page: Any, number: int, known: Sequence[Glyphs], languages: str) -> list[Line] | None:
    """The lines that tesseract reads on an open page, without the words that are `known` there already; None where it
    fails. Raises KeptOut where it isn't installed."""
    width, height = page.get_size()
    scale = min(_DPI / 72, (_MOST_PIXELS / max(width * height, 1.0)) ** 0.5)
    if width * scale < 1 or height * scale < 1:
        return None
    hocr = _asked(_drawn(page, scale), languages, round(72 * scale))
    if hocr is None:
        return None
    new = (word for word in words_of(hocr, number, scale, (width, height)) if not _is_known(word, known))
    return lines_of(list(new))


def _drawn(page: Any, scale: float) -> bytes:
    """The page as displayed, in shades of grey, as a portable grey map."""
    bitmap = page.render(scale=scale, grayscale=True)
    try:
        wide, stride = bitmap.width, bitmap.stride
        pixels = memoryview(bitmap.buffer).cast("B")
        rows = (pixels[row * stride : row * stride + wide] for row in range(bitmap.height))
        return b"P5\n%d %d\n255\n" % (wide, bitmap.height) + b"".join(rows)
    finally:
        bitmap.close()


def _asked(picture: bytes, languages: str, dpi: int) -> bytes | None:
    command = [PROGRAM, "stdin", "stdout", "-l", languages, "--dpi", str(dpi), "-c", "tessedit_create_hocr=1"]
    try:
        done = subprocess.run(
            command,
            input=picture,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
            check=False,
            # several readers work at the same time, and tesseract's own threads mostly wait for one another
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        )
    except FileNotFoundError:
        raise KeptOut(f"holds pictures of pages, and for them {INSTALL}") from None
    except subprocess.TimeoutExpired:
        return None
    return done.stdout if done.returncode == 0 else None


def words_of(hocr: bytes, number: int, scale: float, size: tuple[float, float]) -> Iterator[Glyphs]:
    """Words of tesseract's answer in its reading order, placed on a page of `size` points; `scale` is in pixels a
    point. All words of a line are as tall as its letters can be, so that headings are told from text by their size."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True)
    root = etree.fromstring(hocr, parser) if hocr.strip() else None
    lines = [] if root is None else [line for line in root.iter("{*}span") if _SIZE.search(line.get("title", ""))]
    usual = median([_height(line) for line in lines]) if lines else 0.0
    for line in lines:
        words = [(text, word.get("title", "")) for word in line if (text := "".join(word.itertext()).strip())]
        sure = [(text, title) for text, title in words if _is_sure(text, title)]
        for place, (text, title) in enumerate(sure):
            divided = place == len(sure) - 1 and len(text) > 2 and text.endswith("-") and text[-2].isalpha()
            box = _placed(title, line.get("title", ""), usual, number, scale, size)
            end = place in (0, len(sure) - 1)
            font = False if end else None
            yield Glyphs(text[:-1] if divided else text, box, place == 0, divided, font, font)


def _height(line: Any) -> float:
    return float(_SIZE.search(line.get("title", "")).group(1))  # type: ignore[union-attr]


def _is_sure(text: str, title: str) -> bool:
    found = _CONFIDENCE.search(title)
    least = _LEAST_CONFIDENCE if any(character.isalnum() for character in text) else _LEAST_FOR_MARKS
    return bool(_BOX.search(title)) and found is not None and int(found.group(1)) >= least


def _placed(word: str, line: str, usual: float, number: int, scale: float, size: tuple[float, float]) -> Box:
    x0, y0, x1, y1 = _numbers(_BOX, word)
    baseline, below = _numbers(_BASELINE, line), _numbers(_BELOW, line)
    if baseline and below and "textangle" not in line:
        left, _, _, bottom = _numbers(_BOX, line)
        tall = _numbers(_SIZE, line)[0]
        steady = usual if abs(tall - usual) < _SAME_SIZE * usual else tall
        y1 = bottom + baseline[1] + baseline[0] * ((x0 + x1) / 2 - left) + abs(below[0]) * steady / max(tall, 1.0)
        y0 = y1 - steady
    width, height = size
    across = [round(min(max(value / scale, 0.0), width), 2) for value in (x0, x1)]
    down = [round(min(max(value / scale, 0.0), height), 2) for value in (y0, y1)]
    return Box(number, across[0], down[0], across[1], down[1])


def _numbers(pattern: re.Pattern[str], title: str) -> tuple[float, ...]:
    found = pattern.search(title)
    return tuple(map(float, found.groups())) if found else ()


def _is_known(word: Glyphs, known: Sequence[Glyphs]) -> bool:
    """Whether the middle of a word lies in one that the page has as text."""
    x, y = (word.box.x0 + word.box.x1) / 2, (word.box.y0 + word.box.y1) / 2
    return any(each.box.x0 <= x <= each.box.x1 and each.box.y0 <= y <= each.box.y1 for each in known)
