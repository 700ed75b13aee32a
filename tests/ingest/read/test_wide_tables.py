"""A small file with a huge table costs what its bytes cost: twice the file is twice the work and twice the text."""

from __future__ import annotations

import copy
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from runpy import run_path
from types import FrameType
from typing import Any

import pptx
import pytest
from lxml import etree
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.oxml.table import CT_Table
from pptx.util import Inches

import ingest
from benchmarks.house import SOURCE, opened
from ingest.chunk.chunk import chunk
from ingest.read.office.figures import chart_table
from ingest.read.parse import parse
from ingest.read.tables import MOST_COLUMNS, Repeats, named_row, names_that_fit, table_blocks
from ragapp.errors import Unreadable
from ragapp.settings import IngestSettings
from ragapp.types import Extracted

WIDE = run_path(str(Path(__file__).parents[1] / "hostile" / "make_wide.py"))
OURS = str(Path(ingest.__file__).parent)
SLIDES = str(Path(pptx.__file__).parent)
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
LIMIT = 64 << 20
N = 700


def read(folder: Path, name: str, content: bytes) -> Extracted:
    path = folder / name
    path.write_bytes(content)
    return parse(path, max_text_bytes=LIMIT)


def counted(work: Callable[[], Extracted]) -> tuple[Extracted, int]:
    """(what it makes, instructions that our own readers and python-pptx carried out): no clock, so that it always
    counts the same."""
    steps = 0

    def step(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal steps
        steps += event == "opcode"
        return step

    def enter(frame: FrameType, _event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.startswith((OURS, SLIDES)):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return step

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        return work(), steps
    finally:
        sys.settrace(before)


@pytest.mark.parametrize("name", sorted(WIDE["growing"](2)))
def test_twice_the_table_is_twice_the_work_and_the_text(tmp_path: Path, name: str) -> None:
    small, large = WIDE["growing"](N)[name], WIDE["growing"](2 * N)[name]
    read(tmp_path, name, small)  # what is imported and remembered once
    once, steps_once = counted(lambda: read(tmp_path, name, small))
    twice, steps_twice = counted(lambda: read(tmp_path, name, large))
    assert steps_twice <= 2.5 * steps_once + 20_000, (steps_once, steps_twice)
    # what every table may repeat is the constant
    assert len(twice.text) <= 2.2 * len(once.text) + (1 << 18), (len(once.text), len(twice.text))


def deck(rows: list[list[str]] | None = None, points: int = 0, said: int = 0) -> bytes:
    """A slide with a table, or with a chart of so many figures that says to have `said` of them."""
    made = pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[6])
    place = [Inches(1)] * 4
    if rows:
        table = slide.shapes.add_table(1, len(rows[0]), *place)._element.find(f".//{{{DRAWING}}}tbl")
        (model,) = table.findall(f"{{{DRAWING}}}tr")
        table.remove(model)
        for row in rows:
            line = copy.deepcopy(model)
            for cell, text in zip(line.iter(f"{{{DRAWING}}}p"), row, strict=True):
                etree.SubElement(etree.SubElement(cell, f"{{{DRAWING}}}r"), f"{{{DRAWING}}}t").text = text
            table.append(line)
    if points:
        figures = CategoryChartData()
        figures.categories = [f"c{number}" for number in range(points)]
        figures.add_series("Sold", [1] * points)
        chart = slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *place, figures).chart
        for count in chart._chartSpace.iter("{*}ptCount"):
            count.set("val", str(said or points))
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def test_twice_the_table_of_a_slide_is_twice_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_through = 0

    def counting(table: etree.ElementBase, path: str) -> list[etree.ElementBase]:
        nonlocal looked_through
        found = etree.ElementBase.findall(table, path)
        looked_through += len(found)
        return found

    # python-pptx looks through all rows for each, below what instructions can be counted of
    monkeypatch.setattr(CT_Table, "findall", counting, raising=False)
    made = read(tmp_path, "a.pptx", deck([["a", "b"]] * 500))
    assert made.text.count("a | b") >= 499
    assert looked_through <= 5 * 500


def test_a_chart_costs_what_it_holds_and_not_what_it_says_to_hold(tmp_path: Path) -> None:
    read(tmp_path, "a.pptx", deck(points=3))
    honest, steps = counted(lambda: read(tmp_path, "a.pptx", deck(points=3)))
    boasting, steps_boasting = counted(lambda: read(tmp_path, "a.pptx", deck(points=3, said=20_000)))
    assert "c0" in honest.text and boasting.text == honest.text
    assert steps_boasting <= 1.1 * steps


def test_a_chart_whose_series_share_no_place_is_refused_as_such() -> None:
    def chart(series: int) -> etree._Element:
        one = '<c:ser><c:val><c:pt idx="%d"><c:v>1</c:v></c:pt></c:val></c:ser>'
        space = "http://schemas.openxmlformats.org/drawingml/2006/chart"
        return etree.fromstring(
            f'<c:chartSpace xmlns:c="{space}">{"".join(one % at for at in range(series))}</c:chartSpace>'
        )

    assert len(chart_table(chart(100))[1]) == 101
    with pytest.raises(Unreadable, match=r"figures so far apart that \d+ empty ones lie between them"):
        chart_table(chart(5000))


@pytest.mark.parametrize("name", sorted(WIDE["too_wide"](2)))
def test_a_table_wider_than_a_sheet_of_excel_is_refused_with_its_columns(tmp_path: Path, name: str) -> None:
    columns = MOST_COLUMNS + 100
    with pytest.raises(Unreadable) as refused:
        read(tmp_path, name, WIDE["too_wide"](columns)[name])
    assert f"{columns} columns, and {MOST_COLUMNS} are the most" in str(refused.value)


@pytest.mark.parametrize("name", sorted(WIDE["too_wide"](2)))
def test_a_wide_one_is_read_whole(tmp_path: Path, name: str) -> None:
    made = read(tmp_path, name, WIDE["too_wide"](2000)[name])
    assert made.text.count("c") + made.text.count("1") >= 2000


def test_cells_far_apart_are_refused_as_such_and_few_are_read(tmp_path: Path) -> None:
    assert read(tmp_path, "few.xlsx", WIDE["scattered"](50)).text.split() == ["S", *["1"] * 50]
    with pytest.raises(Unreadable, match=r"cells so far apart that \d+ empty ones lie between them"):
        read(tmp_path, "far.xlsx", WIDE["scattered"](5000))


def test_a_wide_table_is_cut_into_chunks_in_time_that_grows_with_its_text(
    tmp_path: Path, count_tokens: Callable[[Sequence[str]], list[int]]
) -> None:
    measured: list[int] = []
    for columns in (2000, 4000, 8000):
        made = read(tmp_path, "wide.csv", WIDE["too_wide"](columns)["wide.csv"])
        seen = 0

        def counting(texts: Sequence[str]) -> list[int]:
            nonlocal seen
            seen += sum(map(len, texts))
            return count_tokens(texts)

        chunks = chunk(made, document_id="d", revision=1, count_tokens=counting, max_tokens=224)
        assert len(chunks) < len(made.text) / 50
        measured.append(seen)
    assert measured[1] <= 2.3 * measured[0] and measured[2] <= 2.3 * measured[1]


def test_names_are_repeated_whole_where_that_is_little_and_shortened_where_it_is_much() -> None:
    names = ("How satisfied are you with the opening hours of the canteen in the summer months, all in all?", "b")
    assert names_that_fit(names, [("1", "2")] * 100) == list(names)
    shortened = names_that_fit(names, [("1", "2")] * 100_000)
    assert [len(name) for name in shortened] == [40, 1] and names[0].startswith(shortened[0])


def test_a_shortened_name_stands_whole_once_above_its_rows() -> None:
    rows = [("a" * 5000, "b"), *[("1", "2")] * 1000]
    first, second, *_ = table_blocks(rows, 1, header=True)
    assert first.text == f"{'a' * 5000} | b"
    assert second.text == named_row(["a" * 80, "b"], ("1", "2"))


def test_what_a_cell_says_in_others_ends_where_its_table_has_said_enough() -> None:
    repeats = Repeats(factor=4, room=10)
    repeats.holds("abcde")
    assert [repeats.again("abcde") for _ in range(6)] == ["abcde"] * 5 + [""]


def test_a_run_says_why_and_goes_on(tmp_path: Path, docs: Path) -> None:
    (docs / "wide.csv").write_bytes(WIDE["too_wide"](20_000)["wide.csv"])
    (docs / "far.xlsx").write_bytes(WIDE["scattered"](5000))
    with opened(tmp_path / "data", docs) as house:
        report = house.intake.sync(SOURCE)
        reasons = {failure.source.rpartition("/")[2]: failure.reason for failure in report.failed}
        assert report.added == 1 and set(reasons) == {"wide.csv", "far.xlsx"}
        assert "20000 columns" in reasons["wide.csv"] and "empty ones" in reasons["far.xlsx"]


def test_what_a_limit_ends_is_not_tried_again_in_the_same_run(tmp_path: Path, docs: Path) -> None:
    with opened(tmp_path / "data", docs, IngestSettings(file_timeout_s=0.01, file_timeout_s_per_mib=0)) as house:
        report = house.intake.sync(SOURCE)
        (file,) = house.parts.catalog.jobs.files(report.job, states=("failed",))
        assert "ingest.file_timeout_s" in file.reason and file.attempts == 1
    with opened(tmp_path / "data", docs) as house:
        assert house.intake.sync(SOURCE).added == 1, "a later run looks again"
