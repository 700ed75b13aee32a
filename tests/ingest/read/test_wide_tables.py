"""A small file with a huge table costs what its bytes cost: twice the file is twice the work and twice the text."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from runpy import run_path
from types import FrameType
from typing import Any

import pytest

import ingest
from benchmarks.house import SOURCE, opened
from ingest.chunk.chunk import chunk
from ingest.read.parse import parse
from ingest.read.tables import MOST_COLUMNS, Repeats, named_row, names_that_fit, table_blocks
from ragapp.errors import Unreadable
from ragapp.settings import IngestSettings
from ragapp.types import Extracted

WIDE = run_path(str(Path(__file__).parents[1] / "hostile" / "make_wide.py"))
OURS = str(Path(ingest.__file__).parent)
LIMIT = 64 << 20
N = 700


def read(folder: Path, name: str, content: bytes) -> Extracted:
    path = folder / name
    path.write_bytes(content)
    return parse(path, max_text_bytes=LIMIT)


def counted(work: Callable[[], Extracted]) -> tuple[Extracted, int]:
    """(what it makes, instructions that our own readers carried out): no clock, so that it always counts the same."""
    steps = 0

    def step(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal steps
        steps += event == "opcode"
        return step

    def enter(frame: FrameType, _event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.startswith(OURS):
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
