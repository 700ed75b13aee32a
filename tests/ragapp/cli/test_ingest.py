"""ragapp ingest: what is said, in text and in JSON, and the exit code."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from ragapp.catalog.catalog import Catalog
from tests.rights import ordinary_user

from .conftest import Run


def test_a_folder_is_taken_in_and_a_second_time_left_alone(run: Run, documents: Path) -> None:
    first = run("ingest", documents, "--json").json
    assert (first["added"], first["failed"], first["unchanged"]) == (3, [], 0)
    assert first["chunks"] >= 3
    again = run("ingest", documents)
    assert again.code == 0
    assert again.out.startswith("0 added, 0 changed, 3 unchanged, 0 removed, 0 failed; 0 chunks")


def test_a_changed_file_is_renewed_and_only_its_new_text_embedded(run: Run, documents: Path) -> None:
    (documents / "long.md").write_text("# A\n\nThe first part stays.\n\n# B\n\nThe second part changes.\n")
    run("ingest", documents)
    (documents / "long.md").write_text("# A\n\nThe first part stays.\n\n# B\n\nThe second part is new.\n")
    report = run("ingest", documents, "--json").json
    assert (report["changed"], report["unchanged"], report["embedded"]) == (1, 3, 1)
    found = run("search", "second part", "--json").json["passages"]
    assert any("is new" in p["text"] for p in found)
    assert not any("changes" in p["text"] for p in found)


def test_a_file_that_can_not_be_read_is_one_line_and_the_run_goes_on(run: Run, documents: Path) -> None:
    (documents / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    (documents / "empty.txt").write_bytes(b"")
    (documents / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    ran = run("ingest", documents)
    assert ran.code == 1
    for name in ("broken.pdf", "empty.txt", "picture.png"):
        assert len([line for line in ran.err.splitlines() if line.startswith("failed") and name in line]) == 1
    assert run("search", "caretaker", "--json").json["passages"]


def test_what_rights_keep_out_is_one_line_each_and_the_others_are_in(
    documents: Path, tmp_path: Path, models_dir: Path
) -> None:
    (documents / "secret.md").write_text("# Secret\n\nNot for this user.\n")
    (documents / "secret.md").chmod(0)
    (documents / "shut").mkdir(mode=0)
    data = tmp_path / "data"
    data.mkdir()
    (data / "models").symlink_to(models_dir)
    ran = subprocess.run(
        [*ordinary_user(), sys.executable, "-m", "ragapp", "ingest", str(documents), "--data", str(data)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1, ran.stderr
    assert sorted(line for line in ran.stderr.splitlines() if line.startswith("failed")) == [
        f"failed   {documents / 'secret.md'}: can't be opened (Permission denied)",
        f"failed   {documents / 'shut'}: the folder can't be read (Permission denied)",
    ]
    assert ran.stdout.startswith("3 added, 0 changed, 0 unchanged, 0 removed, 2 failed; ")


def test_a_new_version_that_can_not_be_read_hides_nothing(run: Run, documents: Path) -> None:
    run("ingest", documents)
    (documents / "office.md").write_bytes(b"")
    assert run("ingest", documents).code == 1
    assert "7:30" in run("search", "When does the office open?").out


def test_hidden_files_are_named_not_taken(run: Run, documents: Path) -> None:
    (documents / ".hidden.md").write_text("# No")
    ran = run("ingest", documents)
    assert ran.code == 0
    assert "skipped" in ran.err
    assert ".hidden.md: hidden" in ran.err


@pytest.mark.parametrize("name", ["new\nline.md", "smile 😀.md"])
def test_names_of_any_kind_stay_on_one_line(run: Run, documents: Path, name: str) -> None:
    (documents / name).write_text("# Odd name\n\nThe odd file speaks of zebras.")
    assert run("ingest", documents).code == 0
    assert "zebras" in run("search", "zebras", "--json").json["passages"][0]["text"]


def test_a_path_that_is_not_there(run: Run, tmp_path: Path) -> None:
    ran = run("ingest", tmp_path / "nowhere")
    assert (ran.code, ran.out) == (2, "")
    assert "There is no file or folder" in ran.err
    assert ran.err.count("\n") == 1


def test_an_empty_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    ran = run("ingest", tmp_path / "empty")
    assert ran.code == 2
    assert "nothing to ingest" in ran.err


def test_nothing_readable(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.bin").write_bytes(bytes(range(256)))
    ran = run("ingest", tmp_path / "in")
    assert ran.code == 2
    assert ran.err.splitlines()[1:] == [f"failed   {tmp_path / 'in' / 'a.bin'}: has the format .bin, which is not read"]
    assert ran.out.startswith("0 added, 0 changed, 0 unchanged, 0 removed, 1 failed; 0 chunks")


def test_quiet_says_only_the_result(run: Run, documents: Path) -> None:
    ran = run("ingest", documents, "--quiet")
    assert ran.err == ""
    assert ran.out.count("\n") == 1


def test_groups_keep_documents_from_those_outside(run: Run, documents: Path) -> None:
    run("ingest", documents, "--groups", "board, audit")
    assert run("search", "caretaker", "--json").json["passages"] == []


@pytest.mark.parametrize(
    "said",
    [["--groups", ""], ["--groups", " , "], ["--groups", "board", "--everyone"], ["--stale", "--groups", "board"]],
)
def test_who_may_see_it_is_said_in_one_way_or_refused(run: Run, documents: Path, said: list[str]) -> None:
    ran = run("ingest", *([] if "--stale" in said else [documents]), *said)
    assert ran.code == 2 and ran.out == ""
    assert run("status", "--json").json["documents"] == 0


def test_where_nothing_is_said_the_collection_s_rule_holds(run: Run, documents: Path) -> None:
    with closing(Catalog.open(Path(os.environ["RAGAPP_DATA"]))) as catalog:
        catalog.collection_rules.put("board", ["board"])
        assert run("ingest", documents, "--collection", "board").code == 0
        assert {row.groups for row in catalog.documents()} == {frozenset({"board"})}
        assert run("ingest", documents / "more", "--collection", "board", "--everyone").code == 0
        (shown,) = (row for row in catalog.documents() if row.source.endswith("prices.csv"))
        assert shown.groups == {"everyone"}


def test_where_people_have_accounts_it_must_be_said(run: Run, documents: Path) -> None:
    with closing(Catalog.open(Path(os.environ["RAGAPP_DATA"]))) as catalog:
        catalog.people.add("ada")
        ran = run("ingest", documents)
        assert ran.code == 2 and "Nobody has chosen who may see" in ran.err and ran.err.count("\n") == 1
        assert run("ingest", documents, "--everyone").code == 0
        assert {row.groups for row in catalog.documents()} == {frozenset({"everyone"})}


def test_what_was_narrowed_by_hand_is_named_and_shown_to_no_more(run: Run, documents: Path) -> None:
    run("ingest", documents)
    assert run("access", "set", documents / "office.md", "--groups", "hr", "--new-group").code == 0
    ran = run("ingest", documents, "--everyone")
    kept = (
        f"kept     {documents / 'office.md'}: seen by those chosen for it by hand; change that with: ragapp access set"
    )
    assert ran.code == 0 and [line for line in ran.err.splitlines() if line.startswith("kept")] == [kept]
    job = run("jobs", "list", "--json").json[0]["id"]
    assert "office.md: stays with hr, as was chosen by hand" in run("jobs", "show", job, "--all").out
    assert run("ingest", documents, "--everyone", "--quiet").err == kept + "\n"
    assert "office.md" not in run("search", "caretaker").out
    assert run("access", "set", documents / "office.md", "--everyone").code == 0
    assert "office.md" in run("search", "caretaker").out


def test_collections_narrow_a_search(run: Run, documents: Path) -> None:
    run("ingest", documents / "office.md", "--collection", "house")
    run("ingest", documents / "travel.txt", "--collection", "travel")
    found = run("search", "London hotels and the caretaker", "--collection", "house", "--json").json["passages"]
    assert {Path(p["source"]).name for p in found} == {"office.md"}
    for command in ("search", "ask"):
        slip = run(command, "the caretaker", "--collection", "hose")
        assert (slip.code, slip.err) == (2, "There is no collection hose; did you mean house?\n")
