"""PDFs of many pages as a company prints them: two columns, headings, tables, a running head and page numbers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.lib.units import cm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, Frame, PageTemplate, Paragraph, Table

_WORDS = (
    "pump valve seal boiler office invoice holiday crane audit north contract water pressure station engineer manual "
    "measured within each before after report agreed quarter supplier housing inspection replaced according without "
    "the of and to in is for on with by at from as that this shall must may are were has been not more than all"
).split()
_SEED = 11


def print_handbook(path: Path, sections: int) -> None:
    """A handbook of about one page for each section, the same at each call."""
    chance = random.Random(_SEED)
    width, height = A4
    column = (width - 5 * cm) / 2
    frames = [Frame(2 * cm + number * (column + cm), 2 * cm, column, height - 5 * cm) for number in range(2)]
    document = BaseDocTemplate(str(path), pagesize=A4, title="Handbook", invariant=1)
    document.addPageTemplates(PageTemplate("columns", frames, onPage=_furniture))
    document.build(list(_story(sections, chance)))


def _furniture(canvas: Canvas, document: BaseDocTemplate) -> None:
    canvas.setFont("Helvetica", 8)
    canvas.drawString(2 * cm, A4[1] - 1.5 * cm, "Handbook of the works at Hull")
    canvas.drawRightString(A4[0] - 2 * cm, 1.2 * cm, f"Page {document.page}")


def _story(sections: int, chance: random.Random) -> Iterator[Flowable]:
    styles = getSampleStyleSheet()
    for number in range(1, sections + 1):
        yield Paragraph(f"{number} {' '.join(chance.choices(_WORDS, k=4)).title()}", styles["Heading2"])
        for _ in range(6):
            yield Paragraph(_prose(chance), styles["BodyText"])
        rows = [
            [f"P-{chance.randrange(1000)}", f"{chance.randrange(900)} Nm", f"{chance.random() * 99:.2f}"]
            for _ in range(8)
        ]
        yield Table([["Part", "Torque", "Price"], *rows], style=[("GRID", (0, 0), (-1, -1), 0.5, "black")])


def _prose(chance: random.Random) -> str:
    sentences = (" ".join(chance.choices(_WORDS, k=chance.randint(8, 18))).capitalize() for _ in range(4))
    return ". ".join(sentences) + "."
