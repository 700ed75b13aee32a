"""Patterns, rules and fetching, whatever the source; local folders, and listings too long for the memory."""

from __future__ import annotations

import fnmatch
import hashlib
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ingest.origins.walk
from ingest.origins.filesystem import FileSystem
from ingest.origins.open import open_origin
from ingest.origins.origin import Entry, NotListed, Origin
from ingest.origins.pathrules import PathRules
from ingest.origins.patterns import Selection, matches
from ingest.origins.remote import TRIES, Remote
from ingest.origins.store import Thing
from ragapp.errors import KeptOut, PassingFault, SettingsError, SourceUnavailable, Unreadable

NAMES = st.text("ab.*?[]!-", min_size=1, max_size=6)


@given(st.text("ab.*?[]!-", min_size=1, max_size=8), NAMES)
def test_within_a_name_patterns_mean_what_fnmatch_says(pattern: str, name: str) -> None:
    if pattern != "**":
        assert matches(pattern, name) == fnmatch.fnmatchcase(name, pattern)


@given(
    st.text("ab.*?", min_size=1, max_size=6), st.lists(st.text("ab.", min_size=1, max_size=4), min_size=1, max_size=4)
)
def test_a_pattern_without_a_slash_is_looked_for_at_any_depth_as_pathlib_does(pattern: str, parts: list[str]) -> None:
    path = "/".join(part if part.strip(".") else "a" for part in parts)
    if pattern.strip(".") and "**" not in pattern:
        assert matches(pattern, path) == PurePosixPath(path).match(pattern)


@pytest.mark.parametrize(
    ("pattern", "path", "meant"),
    [
        ("hr/*.pdf", "hr/a.pdf", True),
        ("hr/*.pdf", "hr/x/a.pdf", False),
        ("hr/*.pdf", "x/hr/a.pdf", False),
        ("hr/**", "hr/x/a.pdf", True),
        ("hr/**/a.pdf", "hr/a.pdf", True),
        ("hr/**/a.pdf", "hr/x/y/a.pdf", True),
        ("**/old/*", "x/old/a", True),
        ("**", "any/thing", True),
        ("/*.pdf", "a.pdf", True),
        ("/*.pdf", "x/a.pdf", False),
        ("drafts/", "x/drafts/y/a", True),
        ("drafts/", "drafts.txt", False),
        ("/drafts/", "x/drafts/a", False),
        ("*.PDF", "a.pdf", False),
    ],
)
def test_patterns_over_folders(pattern: str, path: str, meant: bool) -> None:
    assert matches(pattern, path) is meant


@given(st.lists(st.sampled_from(["*.a", "x/", "/*"]), max_size=3), st.lists(st.sampled_from(["*.b", "y/"]), max_size=2))
def test_what_is_excluded_is_never_taken(include: list[str], exclude: list[str]) -> None:
    selection = Selection(tuple(include), tuple(exclude))
    for path in ("f.a", "f.b", "x/f.b", "y/f.a", "x/y/f.a"):
        assert not (selection.takes(path) and selection.leaves_out(path))


def test_the_last_rule_that_means_a_file_holds() -> None:
    rules = PathRules([("**", frozenset({"all"})), ("hr/", frozenset({"hr"})), ("hr/open/*", frozenset({"all"}))])
    assert rules.groups("hr/a") == frozenset({"hr"})
    assert rules.groups("hr/open/a") == frozenset({"all"})
    assert PathRules([("hr/", frozenset({"hr"}))]).groups("other") is None


def test_a_rule_that_names_nobody_is_refused_since_it_would_open_the_files() -> None:
    with pytest.raises(SettingsError, match="names no group"):
        PathRules([("hr/**", frozenset())])


def entries(origin: Origin) -> list[Entry]:
    return [found for found in origin.list() if isinstance(found, Entry)]


def test_local_files_are_read_where_they_lie(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    with open_origin(str(tmp_path), scratch=tmp_path / "scratch") as origin:
        (entry,) = entries(origin)
        assert entry.url == str(tmp_path / "a.txt")
        assert origin.digest(entry) == hashlib.sha256(b"a").hexdigest()
        with origin.fetch(entry) as path:
            assert path == tmp_path / "a.txt"
        with pytest.raises(PassingFault, match="changed"), origin.fetch(entry):
            (tmp_path / "a.txt").write_text("longer")


def test_a_local_folder_is_chosen_from_by_its_own_paths(tmp_path: Path) -> None:
    for name in ("hr/a.pdf", "hr/tmp/b.pdf", "c.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    rules = PathRules([("hr/", frozenset({"hr"}))])
    with open_origin(f"file://{tmp_path}", exclude=["hr/tmp/"], rules=rules, scratch=tmp_path) as origin:
        assert {Path(one.url).name: one.groups for one in entries(origin)} == {
            "a.pdf": frozenset({"hr"}),
            "c.txt": None,
        }


@pytest.fixture
def shut(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Folders that this user may not read, though it is root."""
    names: set[str] = set()
    real = os.scandir

    def scandir(path: os.PathLike[str] | str) -> object:
        if Path(path).name in names:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(ingest.origins.walk.os, "scandir", scandir)
    yield names


def test_a_folder_without_rights_is_named_and_the_others_are_listed(tmp_path: Path, shut: set[str]) -> None:
    for name in ("closed/a.txt", "open/b.txt"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("x")
    with open_origin(str(tmp_path), scratch=tmp_path) as origin:
        shut.add("closed")
        found = list(origin.list())
        left = [(one.source, one.failed) for one in found if isinstance(one, NotListed)]
        assert left == [(str(tmp_path / "closed"), True)]
        assert [Path(one.url).name for one in found if isinstance(one, Entry)] == ["b.txt"]
        shut.add(tmp_path.name)
        with pytest.raises(SourceUnavailable, match="can't be listed"):
            list(origin.list())


def test_what_goes_away_during_the_listing_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    for name in ("a", "b", "d"):
        (tmp_path / name).write_text("x")
    with open_origin(str(tmp_path), scratch=tmp_path) as origin:
        listing = origin.list()
        next(listing)
        (tmp_path / "b").unlink()
        (tmp_path / "c").rmdir()
        rest = list(listing)
    assert [Path(one.url).name for one in rest if isinstance(one, Entry)] == ["d"]
    assert [one.failed for one in rest if isinstance(one, NotListed)] == [False, False]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nowhere://x", "no source that is known"),
        ("s3://key:secret@bucket/x", "password"),
        ("sftp://user:secret@host/x", "password"),
        ("simplecache::s3://bucket", "one plain URL"),
        ("/no/such/folder", "no folder"),
        ("s3://", "names no bucket"),
        ("sftp:///x", "names no host"),
    ],
)
def test_addresses_that_can_not_be_are_said_in_one_sentence(url: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match=said) as refused:
        open_origin(url, scratch=tmp_path)
    assert "secret" not in str(refused.value)


class Shaky:
    """A store whose connection breaks after every few bytes."""

    url = "shaky://host"

    def __init__(self, body: bytes, faults: int) -> None:
        self.body, self.faults = body, faults
        self.offsets: list[int] = []

    def walk(self) -> Iterator[Thing]:
        yield Thing(b"a", b"a", len(self.body), None, "1")

    def read(self, locator: bytes, offset: int, fingerprint: str) -> Iterator[bytes]:
        self.offsets.append(offset)
        if self.faults:
            self.faults -= 1
            yield self.body[offset : offset + 3]
            raise ConnectionResetError("reset by peer")
        yield self.body[offset:]

    def close(self) -> None:
        self.offsets.clear()


def test_a_fetch_goes_on_where_the_connection_broke(tmp_path: Path) -> None:
    store = Shaky(b"0123456789", TRIES - 1)
    waits: list[float] = []
    origin = Remote(store, Selection(), PathRules(), tmp_path, sleep=waits.append)
    with origin.fetch(entries(origin)[0]) as path:
        assert path.read_bytes() == b"0123456789"
    assert store.offsets == [0, 3, 6, 9]
    assert waits == sorted(waits)
    store = Shaky(b"x" * 100, TRIES)
    origin = Remote(store, Selection(), PathRules(), tmp_path, sleep=waits.append)
    with pytest.raises(PassingFault, match="reset by peer"), origin.fetch(entries(origin)[0]):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_may_not_be_read_is_not_tried_again(tmp_path: Path) -> None:
    class Closed(Shaky):
        def read(self, locator: bytes, offset: int, fingerprint: str) -> Iterator[bytes]:
            raise PermissionError("denied")

    origin = Remote(Closed(b"x", 0), Selection(), PathRules(), tmp_path)
    with pytest.raises(Unreadable, match="does not let") as refused, origin.fetch(entries(origin)[0]):
        pass
    assert not isinstance(refused.value, PassingFault)


def test_a_file_that_rights_keep_out_is_told_from_one_that_is_broken(tmp_path: Path) -> None:
    class Closed(Shaky):
        def read(self, locator: bytes, offset: int, fingerprint: str) -> Iterator[bytes]:
            raise PermissionError("denied")

    origin = Remote(Closed(b"x", 0), Selection(), PathRules(), tmp_path)
    with pytest.raises(KeptOut), origin.fetch(entries(origin)[0]):
        pass


def test_a_fetch_hears_a_stop_between_pieces_and_while_it_waits(tmp_path: Path) -> None:
    waits: list[float] = []
    store = Shaky(b"0123456789", TRIES - 1)
    origin = Remote(store, Selection(), PathRules(), tmp_path, sleep=waits.append)
    with pytest.raises(PassingFault, match="stopped"), origin.fetch(entries(origin)[0], lambda: True):
        pass
    assert store.offsets == [0] and not waits
    origin = Remote(Shaky(b"0123456789", TRIES), Selection(), PathRules(), tmp_path, sleep=waits.append)
    with (
        pytest.raises(PassingFault, match="stopped"),
        origin.fetch(entries(origin)[0], lambda: sum(waits) > 2),
    ):
        pass
    assert sum(waits) == 2.5, "a long wait is one of many short ones"
    assert list(tmp_path.iterdir()) == []


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=4))
def test_no_name_a_store_can_give_makes_a_name_that_leads_out(parts: list[bytes]) -> None:
    class Named(Shaky):
        def walk(self) -> Iterator[Thing]:
            yield Thing(b"/".join(parts), b"x", 1, None, "1")

    for found in Remote(Named(b"x", 0), Selection(), PathRules(), Path("unused")).list():
        name = found.url if isinstance(found, Entry) else found.source
        name.encode("utf-8")
        assert "\0" not in name and "\n" not in name
        if isinstance(found, Entry):
            assert not {"", ".", ".."} & set(name.removeprefix("shaky://host/").split("/"))


class Vast:
    """A file system of fsspec's kind with a thousand folders of a thousand files."""

    def _strip_protocol(self, url: str) -> str:
        return url.partition("://")[2]

    def isdir(self, path: str) -> bool:
        return True

    def ls(self, path: str, detail: bool) -> list[dict[str, object]]:
        if path == "root":
            return [{"name": f"root/{n:04}", "type": "directory"} for n in range(1000)]
        return [{"name": f"{path}/{n:04}.txt", "type": "file", "size": 1, "etag": f"{n}"} for n in range(1000)]

    def invalidate_cache(self) -> None:
        return None


def test_a_million_files_are_listed_in_the_memory_of_one_folder(tmp_path: Path) -> None:
    origin = Remote(FileSystem("vast", "vast://root", Vast()), Selection(), PathRules(), tmp_path)
    listing = origin.list()
    for _ in range(2000):
        next(listing)
    tracemalloc.start()
    rest = sum(1 for _ in zip(listing, range(60_000), strict=False))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rest + sum(1 for _ in listing) >= 997_000
    assert peak < 4 << 20


def test_any_store_of_fsspec_serves(tmp_path: Path) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe_file("/share/hr/a.txt", b"one")
    try:
        with open_origin("memory://share", scratch=tmp_path) as origin:
            (entry,) = entries(origin)
            assert entry.url == "memory://share/hr/a.txt"
            with origin.fetch(entry) as path:
                assert path.read_bytes() == b"one"
            memory.pipe_file("/share/hr/a.txt", b"two")
            with pytest.raises(PassingFault, match="changed"), origin.fetch(entry):
                pass
    finally:
        memory.rm("/share", recursive=True)


def test_a_pattern_costs_what_its_length_costs() -> None:
    from ingest.origins import patterns

    assert len(patterns._compiled("**/" * 300 + "*.md")) == 2, "several ** say no more than one"
    assert matches("**/**/a/**/**/*.md", "x/y/a/b.md") and matches("a/**/**", "a/b")
    # each * takes the least that the rest of the pattern allows, once and for all: nothing is tried over again
    many = patterns._compiled("a/" + "*a" * 300)[1]
    assert many and many.pattern.count(".*?") == many.pattern.count("(?=(?P<") + many.pattern.count("(?>") > 250
