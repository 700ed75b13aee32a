"""ragapp sync and jobs: a followed folder, what would be done, what was done, and taking it up again."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ragapp.catalog.catalog import Catalog

Run = Callable[..., Any]


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """Fourteen documents."""
    folder = tmp_path / "share"
    folder.mkdir()
    for number in range(14):
        text = f"# Note {number}\n\nPump {number} stands in hall {number + 20}.\n"
        (folder / f"note{number:02d}.md").write_text(text)
    return folder


@pytest.fixture
def followed(run: Run, share: Path) -> Path:
    assert run("sync", "add", "share", share, "--everyone").code == 0
    assert run("sync", "run", "share").code == 0
    return share


def test_a_dry_run_shows_what_would_be_done_and_does_nothing(run: Run, share: Path) -> None:
    run("sync", "add", "share", share, "--groups", "staff", "--exclude", "note1*.md")
    ran = run("sync", "run", "share", "--dry-run", "--json")
    assert ran.json["share"]["counts"] == {"new": 10}
    assert run("status", "--json").json["documents"] == 0
    assert run("jobs", "list", "--json").json == []


def test_new_changed_moved_and_gone(run: Run, followed: Path) -> None:
    (followed / "new.md").write_text("# New\n\nThe crane is green.\n")
    (followed / "note00.md").write_text("# Note 0\n\nPump 0 was sold.\n")
    (followed / "note01.md").rename(followed / "renamed.md")
    (followed / "note02.md").unlink()
    seen = run("sync", "run", "share", "--dry-run", "--json").json["share"]["counts"]
    assert seen == {"new": 1, "changed": 1, "moved": 1, "gone": 1, "unchanged": 11}
    done = run("sync", "run", "share", "--json").json["share"]
    assert (done["added"], done["changed"], done["removed"], done["unchanged"]) == (1, 2, 1, 11)
    assert done["embedded"] == 2, "what moved is not embedded again"
    sources = [Path(p["source"]).name for p in run("search", "pump 2 hall 22", "--json").json["passages"]]
    assert "renamed.md" in sources or "note03.md" in sources
    assert "note02.md" not in sources and "note01.md" not in sources


def test_a_source_that_loses_most_of_its_files_loses_none_here_until_it_is_meant(run: Run, followed: Path) -> None:
    for number in range(12):
        (followed / f"note{number:02d}.md").unlink()
    ran = run("sync", "run", "share")
    assert ran.code == 1
    assert "12 of the 14 documents of share are gone" in ran.err
    assert "ragapp sync run share --remove-gone" in ran.err
    assert run("status", "--json").json["documents"] == 14
    assert run("sync", "run", "share", "--remove-gone").code == 0
    assert run("status", "--json").json["documents"] == 2


def test_an_empty_or_missing_root_removes_nothing(run: Run, followed: Path) -> None:
    for path in followed.iterdir():
        path.unlink()
    ran = run("sync", "run", "share")
    assert (ran.code, "lists no file at all" in ran.err) == (1, True)
    followed.rmdir()
    ran = run("sync", "run", "share")
    assert (ran.code, "There is no folder" in ran.err) == (2, True)
    assert run("status", "--json").json["documents"] == 14


def test_jobs_say_what_failed_and_try_it_again(run: Run, followed: Path) -> None:
    (followed / "broken.pdf").write_bytes(b"\x00\x01")
    assert run("sync", "run", "share").code == 1
    newest = run("jobs", "list", "--json").json[0]
    assert (newest["source"], newest["state"], newest["failed"]) == ("share", "finished", 1)
    (failed,) = run("jobs", "show", newest["id"], "--json").json["files"]
    assert Path(failed["source"]).name == "broken.pdf"
    assert (failed["may_pass"], failed["attempts"]) == (False, 1)
    assert len(run("sync", "run", "share", "--json").json["share"]["failed"]) == 1, "known, and not read again"
    (followed / "broken.pdf").write_text("# Mended\n\nThe lathe is blue.\n")
    (followed / "broken.pdf").rename(followed / "mended.md")
    assert run("sync", "run", "share", "--json").json["share"]["added"] == 1


def test_what_is_not_there_is_said_in_a_sentence(run: Run, tmp_path: Path) -> None:
    assert "no source named nowhere" in run("sync", "run", "nowhere").err
    assert "There is no job 7" in run("jobs", "resume", "7").err
    assert "There is no folder" in run("sync", "add", "x", tmp_path / "nowhere", "--everyone").err
    assert run("sync", "add", "x", tmp_path).code == 2, "who may see it must be said"


def test_who_may_see_a_source_is_its_collection_s_rule_where_nothing_is_said(run: Run, share: Path) -> None:
    with closing(Catalog.open(Path(os.environ["RAGAPP_DATA"]))) as catalog:
        catalog.collection_rules.put("board", ["board"])
        assert run("sync", "add", "share", share, "--collection", "board").code == 0
        assert catalog.origins.get("share").groups == {"board"}
        for said in (["--groups", ","], ["--groups", "hr", "--everyone"]):
            assert run("sync", "add", "other", share, "--collection", "board", *said).code == 2
        assert len(catalog.origins.list()) == 1


def test_a_source_that_is_followed_no_longer_keeps_its_documents(run: Run, followed: Path) -> None:
    assert run("sync", "remove", "share", "--json").json == {"removed": "share", "documents_kept": 14}
    assert run("sync", "list", "--json").json == []
    assert run("status", "--json").json["documents"] == 14


def test_where_nothing_is_left_to_do_that_is_said_and_is_no_failure(run: Run, followed: Path) -> None:
    assert "14 added, 0 changed" in run("jobs", "show", 1).out
    ran = run("jobs", "retry", 1, "--failed")
    assert (ran.code, ran.out.partition(":")[0]) == (0, "job 1") and "give a folder" not in ran.err
    ran = run("ingest", "--stale")
    assert ran.code == 0 and "No document is stale" in ran.out and "give a folder" not in ran.err
