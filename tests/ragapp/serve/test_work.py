"""The service's one worker: no error ends it, and what is done is not done again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.jobs import intake
from ingest.jobs.sync import Task
from ragapp import RagApp
from ragapp.errors import StorageFull
from ragapp.serve.metrics import Metrics
from ragapp.serve.work import Work

from .conftest import wait_until


@pytest.fixture
def work(fresh: RagApp, monkeypatch: pytest.MonkeyPatch) -> Iterator[Work]:
    monkeypatch.setattr("ragapp.serve.work._REST_S", 0)
    work = Work(fresh, lambda: False, Metrics())
    work.start()
    yield work
    work.close()


@pytest.fixture
def note(tmp_path: Path) -> Path:
    path = tmp_path / "note.md"
    path.write_text("# Kiln\n\nThe kiln is lit at dawn.")
    return path


def test_a_job_that_can_not_be_begun_or_put_back_on_a_full_disk_goes_on_when_there_is_room(
    fresh: RagApp, work: Work, note: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, refused = fresh.catalog.jobs, list[str]()

    def fill(name: str, real: Callable[[int], Any]) -> None:
        def full(job_id: int) -> Any:
            if refused.count(name) < 2:
                refused.append(name)
                raise StorageFull("The disk is full.")
            return real(job_id)

        monkeypatch.setattr(jobs, name, full)

    fill("begin", jobs.begin)
    fill("put_back", jobs.put_back)
    job_id = fresh.intake.note_paths([note], "default", None)
    work.add(job_id)
    wait_until(lambda: (row := jobs.job(job_id)) is not None and row.state == "finished")
    assert refused == ["begin", "put_back"] * 2


def test_a_job_whose_failure_could_not_be_noted_is_done_again(
    fresh: RagApp, work: Work, note: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, run, refused = fresh.catalog.jobs, intake.run_job, list[str]()

    def run_full(*arguments: Any) -> Any:
        if refused:
            return run(*arguments)
        refused.append("run")
        raise StorageFull("The disk is full.")

    def note_full(*_: Any) -> None:
        refused.append("note")
        raise StorageFull("The disk is full.")

    monkeypatch.setattr(intake, "run_job", run_full)
    monkeypatch.setattr(jobs, "give_up", note_full)
    job_id = fresh.intake.note_paths([note], "default", None)
    work.add(job_id)
    wait_until(lambda: (row := jobs.job(job_id)) is not None and row.state == "finished")
    assert refused == ["run", "note"]


def test_a_job_that_can_not_be_looked_up_costs_the_next_one_nothing(
    fresh: RagApp, work: Work, note: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = fresh.catalog.jobs.job
    lost, next_one = (fresh.intake.note_paths([note], name, None) for name in ("lost", "next"))

    def broken(job_id: int) -> Any:
        if job_id == lost:
            raise ZeroDivisionError("the cog is loose")
        return look(job_id)

    monkeypatch.setattr(fresh.catalog.jobs, "job", broken)
    work.add(lost)
    work.add(next_one)
    wait_until(lambda: (row := look(next_one)) is not None and row.state == "finished")


def test_what_finished_just_as_the_service_stopped_is_not_done_again(
    fresh: RagApp, work: Work, note: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    do, done = fresh.intake.do, threading.Event()

    def last(*args: Any, **options: Any) -> Any:
        report = do(*args, **options)
        # the service stops between the job's end and the worker's look at it
        work._stop.set()
        done.set()
        return report

    monkeypatch.setattr(fresh.intake, "do", last)
    job_id = fresh.intake.note_paths([note], "default", None)
    work.add(job_id)
    assert done.wait(60)
    work.close()
    row = fresh.catalog.jobs.job(job_id)
    assert row and (row.state, row.added) == ("finished", 1)


def test_what_fails_because_the_service_stops_is_taken_up_by_the_next(
    fresh: RagApp, work: Work, note: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = threading.Event()

    def torn(*_: Any) -> None:
        work._stop.set()
        stopped.set()
        raise ZeroDivisionError("the index was closed")

    monkeypatch.setattr("ingest.jobs.intake.run_job", torn)
    job_id = fresh.intake.note_paths([note], "default", None)
    work.add(job_id)
    assert stopped.wait(60)
    work.close()
    row = fresh.catalog.jobs.job(job_id)
    assert row and row.state == "waiting"


def test_a_file_that_somebody_waits_for_leaves_the_search_graph_to_the_job_behind_it(
    fresh: RagApp, work: Work, note: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, run, left = fresh.catalog.jobs, intake.run_job, list[bool | None]()
    attached, behind = (fresh.intake.note_paths([note], "default", None) for _ in range(2))

    def asked(job_id: int, task: Task, *rest: Any) -> Any:
        left.append(task.leave_graph and task.leave_graph())
        if job_id == attached:
            work.add(behind)
            left.append(task.leave_graph and task.leave_graph())
        return run(job_id, task, *rest)

    monkeypatch.setattr(intake, "run_job", asked)
    work.add(attached, first=True)
    wait_until(lambda: (row := jobs.job(behind)) is not None and row.state == "finished")
    assert left == [False, True, None]
