"""What an admin asks of ingestion: sources that are watched."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.house import SOURCE, opened
from ingest.jobs import intake as module
from ingest.jobs.intake import Intake
from ingest.jobs.watch import Turn
from ingest.pipeline.report import IngestReport
from ragapp.errors import RagappError


def test_a_source_is_watched_on_after_whatever_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    turns = [Turn("start"), Turn("again")]
    told: list[IngestReport | RagappError] = []
    real = Intake.sync

    def fails_at_first(self: Intake, name: str, *given: Any) -> IngestReport:
        if not told:
            raise ValueError("year 31690708 is out of range")
        return real(self, name, *given)

    def at_once(*_: Any) -> Iterator[Turn]:
        yield from turns

    monkeypatch.setattr(module, "changes", at_once)
    monkeypatch.setattr(Intake, "sync", fails_at_first)
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "note.md").write_text("The crane is green.")
    with opened(tmp_path / "data", docs) as house:
        house.intake.watch([SOURCE], 600, threading.Event(), lambda _, went: told.append(went))
    assert isinstance(told[0], RagappError) and "year 31690708" in str(told[0]) and not turns[0].well
    assert isinstance(told[1], IngestReport) and told[1].added == 1
    assert "Traceback" in caplog.text
