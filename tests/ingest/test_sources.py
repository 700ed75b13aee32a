"""The walk takes every regular file once and names what it leaves out; links never lead it astray."""

import os
from pathlib import Path

import pytest

from ingest.origins import Entry, NotListed
from ingest.sources import listing, printable, written
from ragapp.errors import Unreadable


def walk(*paths: Path) -> tuple[set[str], dict[str, str]]:
    found = list(listing(list(paths)))
    files = {Path(f.url).name for f in found if isinstance(f, Entry)}
    return files, {Path(f.source).name: f.reason for f in found if isinstance(f, NotListed)}


def test_folders_are_walked_with_all_that_is_in_them(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("x.md", "a/y.txt", "a/b/z.pdf"):
        (tmp_path / name).write_text("x")
    assert walk(tmp_path) == ({"x.md", "y.txt", "z.pdf"}, {})


def test_a_file_given_twice_is_taken_once(tmp_path: Path) -> None:
    (tmp_path / "x.md").write_text("x")
    assert len(list(listing([tmp_path / "x.md", tmp_path / "x.md"]))) == 1


def test_hidden_files_are_named_not_taken(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".env").write_text("x")
    (tmp_path / "~$open.docx").write_text("x")
    files, left = walk(tmp_path)
    assert files == set()
    assert left == {".git": "hidden", ".env": "hidden", "~$open.docx": "hidden"}


def test_links_are_not_followed_out_of_the_folder_or_round(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("x")
    root = tmp_path / "root"
    (root / "deep").mkdir(parents=True)
    (root / "real.txt").write_text("x")
    (root / "out").symlink_to(outside)
    (root / "out.txt").symlink_to(outside / "secret.txt")
    (root / "deep" / "round").symlink_to(root)
    (root / "dead").symlink_to(root / "nowhere")
    (root / "self").symlink_to(root / "self")
    (root / "again.txt").symlink_to(root / "real.txt")
    files, left = walk(root)
    assert files == {"real.txt"}
    assert left["out"] == left["out.txt"] == "a link that leads out of the folder"
    assert "nowhere" in left["dead"]
    assert "circle" in left["self"]
    assert "own name" in left["round"]
    assert "own name" in left["again.txt"]


def test_a_link_given_by_name_is_taken(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("x")
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    assert walk(tmp_path / "link.txt")[0] == {"link.txt"}


def test_pipes_are_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert walk(tmp_path) == (set(), {"pipe": "neither a file nor a folder"})


def test_names_that_are_no_text_can_be_stored_and_printed(tmp_path: Path) -> None:
    names = [b"bad\xff.txt", b"new\nline.txt", "😀.txt".encode()]
    for name in names:
        (tmp_path / os.fsdecode(name)).write_text("x")
    sources = {f.url for f in listing([tmp_path]) if isinstance(f, Entry)}
    assert {Path(s).name for s in sources} == {"bad\\xff.txt", "new\nline.txt", "😀.txt"}
    for source in sources:
        source.encode("utf-8")


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"no file or folder .*nowhere"):
        list(listing([tmp_path / "nowhere"]))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_rights_is_a_failure_not_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir(mode=0)
    found = list(listing([tmp_path]))
    assert [f.failed for f in found if isinstance(f, NotListed)] == [True]


@pytest.mark.parametrize("seconds", [999_999_999_999, -999_999_999_999, -62_135_596_801])
def test_a_time_that_no_calendar_holds_is_no_time(seconds: int, tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("a")
    status = path.stat()
    assert written(status) is not None
    assert written(os.stat_result((*status[:7], 0, seconds, 0))) is None


def test_printable_keeps_good_names() -> None:
    assert printable(Path("/a/ü 😀.md")) == "/a/ü 😀.md"
