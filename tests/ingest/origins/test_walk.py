"""The walk takes every regular file once and names what it leaves out; links never lead it astray."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.origins.origin import Entry, NotListed
from ingest.origins.walk import listing, printable, written
from ragapp.errors import Unreadable
from tests.rights import ordinary_user


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


def test_a_folder_without_rights_is_a_failure_not_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir(mode=0)
    (tmp_path / "x.md").write_text("x")
    script = (
        "import pathlib, sys\n"
        "from ingest.origins.walk import NotListed, listing\n"
        "for found in listing([pathlib.Path(sys.argv[1])]):\n"
        "    print(found.failed, found.source, found.reason) if isinstance(found, NotListed) else print(found.url)\n"
    )
    ran = subprocess.run(
        [*ordinary_user(), sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert ran.stdout.splitlines() == [
        f"True {tmp_path / 'shut'} the folder can't be read (Permission denied)",
        str(tmp_path / "x.md"),
    ], ran.stderr


@pytest.mark.parametrize("seconds", [999_999_999_999, -999_999_999_999, -62_135_596_801])
def test_a_time_that_no_calendar_holds_is_no_time(seconds: int, tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("a")
    status = path.stat()
    assert written(status) is not None
    assert written(os.stat_result((*status[:7], 0, seconds, 0))) is None


def test_printable_keeps_good_names() -> None:
    assert printable(Path("/a/ü 😀.md")) == "/a/ü 😀.md"


class TestLinksToWhatIsHidden:
    """Nobody comes to it but by the link, so the link's own name is the document's."""

    @staticmethod
    def names(root: Path) -> list[str]:
        return [os.path.relpath(f.url, root) for f in listing([root]) if isinstance(f, Entry)]

    def test_a_file_of_a_hidden_store_is_listed_where_its_link_stands(self, tmp_path: Path) -> None:
        (tmp_path / ".git" / "annex").mkdir(parents=True)
        (tmp_path / ".git" / "annex" / "SHA256-1").write_text("x")
        (tmp_path / "papers").mkdir()
        (tmp_path / "papers" / "a.md").symlink_to("../.git/annex/SHA256-1")
        (tmp_path / "b.md").symlink_to("papers/a.md")
        assert self.names(tmp_path) == ["b.md", "papers/a.md"]

    def test_a_mounted_configuration_is_listed_once(self, tmp_path: Path) -> None:
        (tmp_path / "..2024_05_01" / "rules").mkdir(parents=True)
        (tmp_path / "..2024_05_01" / "office.md").write_text("x")
        (tmp_path / "..2024_05_01" / "rules" / "travel.md").write_text("x")
        (tmp_path / "..data").symlink_to("..2024_05_01")
        for name in ("office.md", "rules"):
            (tmp_path / name).symlink_to(f"..data/{name}")
        assert self.names(tmp_path) == ["office.md", "rules/travel.md"]

    def test_each_name_of_a_hidden_folder_holds_all_of_it(self, tmp_path: Path) -> None:
        """Whichever of them a pattern leaves out, the other's documents stay."""
        (tmp_path / ".store" / "deep").mkdir(parents=True)
        (tmp_path / ".store" / "deep" / "a.md").write_text("x")
        (tmp_path / "one").symlink_to(".store")
        (tmp_path / "two").symlink_to(".store/deep")
        assert self.names(tmp_path) == ["one/deep/a.md", "two/a.md"]

    def test_a_walk_through_them_ends_and_stays_in_the_folder(self, tmp_path: Path) -> None:
        root, outside = tmp_path / "root", tmp_path / "outside"
        (root / ".store" / "deep").mkdir(parents=True)
        outside.mkdir()
        (outside / "secret.md").write_text("x")
        (root / "seen.md").write_text("x")
        (root / ".store" / "a.md").write_text("x")
        (root / "in").symlink_to(".store")
        for name, target in {"up": "..", "round": "../..", "other": "../deep", "out": outside}.items():
            (root / ".store" / "deep" / name).symlink_to(target)
        (root / ".store" / "deep" / "out.md").symlink_to(outside / "secret.md")
        (root / ".store" / "deep" / "seen.md").symlink_to(root / "seen.md")
        assert self.names(root) == ["in/a.md", "seen.md"]
        reasons = walk(root)[1]
        assert reasons["out"] == reasons["out.md"] == "a link that leads out of the folder"
        assert reasons["up"] == reasons["other"] == "a folder that was already walked"
        assert "own name" in reasons["round"] and "own name" in reasons["seen.md"]

    def test_many_links_between_hidden_folders_are_walked_once_for_each_way_in(self, tmp_path: Path) -> None:
        for number in range(20):
            (tmp_path / f".{number}").mkdir()
            (tmp_path / f".{number}" / "a.md").write_text("x")
            for name in ("left", "right"):
                (tmp_path / f".{number}" / name).symlink_to(f"../.{number + 1}")
        (tmp_path / ".20").mkdir()
        for name in ("one", "two"):
            (tmp_path / name).symlink_to(".0")
        assert len(self.names(tmp_path)) == 40
