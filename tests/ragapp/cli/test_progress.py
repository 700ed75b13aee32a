"""What a run shows of itself: counts, what is read now, and a time left that is not silly."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ragapp.cli.progress import BarWatcher, JsonWatcher, LineWatcher, SilentWatcher


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_time_left_goes_by_bytes_and_is_not_told_too_early(clock: Clock) -> None:
    watcher = SilentWatcher(clock)
    watcher.found(1000, 1_000_000)
    watcher.started("/in/small.txt", 1000)
    clock.now += 1
    watcher.file_done("/in/small.txt", "added")
    assert watcher.seconds_left is None
    watcher.started("/in/large.txt", 249_000)
    clock.now += 24
    watcher.file_done("/in/large.txt", "changed")
    assert watcher.seconds_left == pytest.approx(75)
    assert "about 75 s left" in watcher.line()


def test_what_lies_in_a_container_is_not_among_the_files_found(clock: Clock) -> None:
    watcher = SilentWatcher(clock)
    watcher.found(1, 100)
    for source in ("/in/a.zip!/x.md", "/in/a.zip!/y.md", "/in/a.zip"):
        watcher.started(source, 100)
        watcher.file_done(source, "added")
    assert (watcher.files, watcher.bytes) == (1, 100)


def test_a_terminal_shows_what_is_read_now_and_no_control_characters(clock: Clock) -> None:
    watcher = BarWatcher(clock)
    watcher.found(2, 10)
    watcher.started("/in/\x1b[31mred[bold].txt", 5)
    clock.now += 7
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(watcher._shown())
    shown = console.export_text()
    assert "reading /in/‹U+001B›[31mred[bold].txt  7 s" in shown
    assert "\x1b" not in shown


def test_a_file_that_was_read_is_not_shown_as_being_read_while_it_waits_for_the_embedder(clock: Clock) -> None:
    watcher = BarWatcher(clock)
    watcher.found(2, 10)
    watcher.started("/in/a.txt", 5)
    watcher.read("/in/a.txt", 0)
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(watcher._shown())
    assert "reading" not in (shown := console.export_text()) and "1 file read, to be embedded" in shown
    watcher.file_done("/in/a.txt", "added")
    assert (watcher.waiting, watcher.bytes) == (set(), 5)


def test_lines_come_now_and_then(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    watcher = LineWatcher(clock)
    watcher.found(2, 10)
    watcher.embedded(3)
    clock.now += 6
    watcher.embedded(3)
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "found 2 files to read"
    assert said[1].startswith("0/2 files, 0 pages, 6 chunks, 1.0 chunks/s")
    assert len(said) == 2


def test_lines_for_machines(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with JsonWatcher(clock) as watcher:
        watcher.found(1, 10)
        watcher.started("a\nb.pdf", 10)
        clock.now += 2
        watcher.read("/in/a.pdf", 4)
        watcher.file_done("a\nb.pdf", "failed", "is empty")
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [event["event"] for event in events] == ["found", "started", "file", "progress", "done"]
    assert (events[2]["source"], events[2]["reason"]) == ("a\nb.pdf", "is empty")
    assert (events[-1]["files"], events[-1]["pages"], events[-1]["ok"]) == (1, 4, True)


def test_the_command_line_speaks_json_lines(run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Keys\n\nIda Nowak keeps the keys.\n")
    ran = run("ingest", tmp_path / "a.md", "--json-progress", "--json")
    events = [json.loads(line) for line in ran.err.splitlines()]
    assert {"event": "found", "files": 1, "bytes": (tmp_path / "a.md").stat().st_size} in events
    assert (events[-1]["event"], events[-1]["chunks"]) == ("done", 1)
    assert ran.json["added"] == 1
