"""Whatever happens to files, groups and the process: after a run the index is what a simple model says, and at no time
does anybody find a passage outside their groups.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from benchmarks.wordhash import WordHashEmbedder
from ingest.care import access as accesses
from ingest.care.access import Access
from ingest.jobs.intake import Intake
from ingest.pipeline import write
from ingest.pipeline.pipeline import Parts
from ragapp.access import scope
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.files import DocumentFiles
from ragapp.catalog.groups import GroupChanges
from ragapp.catalog.removals import Removals
from ragapp.catalog.rows import OriginRow
from ragapp.embed.sparse import Bm25
from ragapp.index import edge
from ragapp.index.edge import EdgeIndex, open_edge
from ragapp.index.follow import follow
from ragapp.retrieve.hybrid import Retrieval
from ragapp.settings import EmbedderSettings, IngestSettings, RetrieveSettings
from ragapp.types import EVERYONE, Principal, document_id

GROUPS = ("sales", "legal")
NAMES = ("a.md", "b.md", "c.txt", "deep/d.md", "deep/e.txt")
BOXES = ("box.zip", "deep/box.zip")
MEMBERS = ("x.md", "in/y.txt", "inner.zip!/z.md")
"""What an archive may hold; the last lies in an archive of its own."""
SETS_OF_GROUPS = st.sampled_from([{EVERYONE}, {"sales"}, {"legal"}, set(GROUPS)]).map(frozenset)
SOME_WORDS = st.deferred(lambda: st.lists(st.sampled_from(WORDS), min_size=1, max_size=4))
WORDS = ("heron", "basalt", "clover", "dynamo", "ember", "fjord")
EVERYBODY = (
    Principal("nobody"),
    Principal("seller", frozenset({"sales"})),
    Principal("lawyer", frozenset({"legal"})),
    Principal("both", frozenset(GROUPS)),
)
STEPS = (
    (EdgeIndex, "upsert"),
    (EdgeIndex, "flush"),
    (EdgeIndex, "delete_document"),
    (EdgeIndex, "set_groups"),
    (Catalog, "commit_document"),
    (Catalog, "remove"),
    (GroupChanges, "change"),
    (GroupChanges, "bring_in_line"),
    (GroupChanges, "settle"),
    (Removals, "take_away"),
    (Removals, "settle"),
    (DocumentFiles, "keep_original"),
    (DocumentFiles, "keep_extracted"),
)
"""Where the process may die."""


class Crashed(BaseException):
    """Nothing catches it: the process is gone."""


@contextmanager
def dying_at(step: int) -> Iterator[None]:
    """Die before the nth write from now on; half of them also after it was done."""
    left = [step]

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                raise Crashed
            value = real(*args, **kwargs)
            left[0] -= 1
            if left[0] == 0:
                raise Crashed
            return value

        return call

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in STEPS:
            patch.setattr(owner, name, dying(getattr(owner, name)))
        yield


class Share(RuleBasedStateMachine):
    """A synced folder, its files, what lies in them, and who may see them."""

    embedder: WordHashEmbedder

    @initialize()
    def begin(self) -> None:
        self.room = Path(tempfile.mkdtemp(prefix="ragapp-model-"))
        self.docs = self.room / "docs"
        self.docs.mkdir()
        self.files: dict[str, dict[str, str]] = {}
        """By file its text under "", or the texts of its members."""
        self.clean = False
        self.open()
        self.intake.add(OriginRow("share", str(self.docs), groups=frozenset({EVERYONE})))

    def open(self) -> None:
        catalog = Catalog.open(self.room / "data")
        index = open_edge(self.room / "data", "model", self.embedder.dimensions)
        files = DocumentFiles(self.room / "data")
        follow(catalog, index, files)  # as RagApp does when it opens its index
        self.parts = Parts(catalog, index, files, self.embedder, Bm25(), IngestSettings(workers=1))
        self.intake = Intake(catalog, lambda: self.parts, self.room / "data")
        self.access = Access(catalog, lambda: follow(catalog, index, files))

    def close(self) -> None:
        self.parts.index.close()
        self.parts.catalog.close()

    def teardown(self) -> None:
        if hasattr(self, "room"):
            self.close()
            shutil.rmtree(self.room)

    # what people do

    @rule(name=st.sampled_from(NAMES), words=SOME_WORDS)
    def write(self, name: str, words: list[str]) -> None:
        text = _text(words, name)
        self._at(name).write_text(text)
        self.files[name] = {"": text}
        self.clean = False

    @rule(name=st.sampled_from(BOXES), held=st.dictionaries(st.sampled_from(MEMBERS), SOME_WORDS, min_size=1))
    def pack(self, name: str, held: dict[str, list[str]]) -> None:
        """An archive comes, or gains, loses and changes members."""
        texts = {member: _text(words, member) for member, words in held.items()}
        _zip(self._at(name), texts)
        self.files[name] = texts
        self.clean = False

    @rule(name=st.sampled_from((*NAMES, *BOXES)))
    def delete(self, name: str) -> None:
        if self.files.pop(name, None) is not None:
            (self.docs / name).unlink()
            self.clean = False

    @rule(old=st.sampled_from((*NAMES, *BOXES)), new=st.sampled_from((*NAMES, *BOXES)))
    def move(self, old: str, new: str) -> None:
        if old in self.files and new not in self.files and Path(old).suffix == Path(new).suffix:
            (self.docs / old).rename(self._at(new))
            self.files[new] = self.files.pop(old)
            self.clean = False

    @rule(groups=SETS_OF_GROUPS)
    def show_source_to(self, groups: frozenset[str]) -> None:
        self.access.set("share", groups, new_group=True)

    @rule(groups=SETS_OF_GROUPS)
    def show_folder_to(self, groups: frozenset[str]) -> None:
        self.access.set("share", groups, path="deep/", new_group=True)

    @rule(name=st.sampled_from((*NAMES, *BOXES)), groups=SETS_OF_GROUPS)
    def show_document_to(self, name: str, groups: frozenset[str]) -> None:
        if self.parts.catalog.by_source("default", str(self.docs / name)):
            self.access.set(str(self.docs / name), groups, new_group=True)

    @rule(groups=SETS_OF_GROUPS, path=st.sampled_from(("", "deep/")), step=st.integers(1, 8))
    def show_to_and_die(self, groups: frozenset[str], path: str, step: int) -> None:
        self._die(step, lambda: self.access.set("share", groups, path=path, new_group=True))

    @rule()
    def run(self) -> None:
        report = self.intake.sync("share", remove_gone=True)
        assert not report.failed
        self.clean = True

    @rule(step=st.integers(1, 40))
    def run_and_die(self, step: int) -> None:
        self.clean = self._die(step, lambda: self.intake.sync("share", remove_gone=True))

    def _die(self, step: int, work: Callable[[], object]) -> bool:
        """Whether it was done before it died."""
        try:
            with dying_at(step):
                work()
            done = True
        except Crashed:
            done = False
        self.close()
        self.open()
        return done

    def _at(self, name: str) -> Path:
        path = self.docs / name
        path.parent.mkdir(exist_ok=True)
        return path

    # what must hold

    @invariant()
    def nobody_finds_what_is_not_theirs(self) -> None:
        if not hasattr(self, "parts"):
            return
        live = {row.id: row for row in self.parts.catalog.documents(state="live")}
        retrieval = Retrieval(
            self.parts.index, self.parts.catalog, self.parts.dense, self.parts.bm25, RetrieveSettings(limit=50)
        )
        for principal in EVERYBODY:
            for passage in retrieval.search(" ".join(WORDS), principal).passages:
                row = live[passage.document_id]
                assert row.groups & principal.visible_groups, (principal, passage.source)
                assert row.revision == passage.revision
            self._each_branch_filters(principal)

    def _each_branch_filters(self, principal: Principal) -> None:
        dense, sparse = self.embedder.encode_query(" ".join(WORDS)), self.parts.bm25.encode_query(" ".join(WORDS))
        hits = self.parts.index.hybrid(dense, sparse, scope(principal), 50)
        for hit in (*hits.dense, *hits.bm25):
            assert set(hit.payload["groups"]) & principal.visible_groups, (principal, hit.payload["source"])

    @invariant()
    def after_a_run_the_index_is_what_the_files_are(self) -> None:
        if not getattr(self, "clean", False):
            return
        catalog, index = self.parts.catalog, self.parts.index
        live = {Path(row.source).relative_to(self.docs).as_posix(): row for row in catalog.documents(state="live")}
        texts = self._documents()
        assert live.keys() == texts.keys()
        assert index.count() == sum(row.chunks for row in live.values())
        for name, row in live.items():
            groups = self._shown_to(name.partition("!/")[0])
            assert row.groups == groups
            outer = name.rpartition("!/")[0]
            assert row.container == (document_id("default", str(self.docs / outer)) if outer else "")
            chunks = index.chunks(row.id, row.revision, range(row.chunks), scope(Principal("auditor", groups)))
            assert len(chunks) == row.chunks == (1 if texts[name] else 0)
            assert all(hit.payload["text"] in texts[name] for hit in chunks)
            assert all(set(hit.payload["groups"]) == groups for hit in chunks)

    def _documents(self) -> dict[str, str]:
        """By source the text of each document that should be in; archives have none."""
        found: dict[str, str] = {}
        for name, texts in self.files.items():
            for member, text in texts.items():
                parts = [name, *member.split("!/")] if member else [name]
                found |= {"!/".join(parts[:end]): "" for end in range(1, len(parts))}
                found["!/".join(parts)] = text
        return found

    def _shown_to(self, name: str) -> frozenset[str]:
        """By the source's rules, the last of which counts, and its own groups."""
        origin = self.parts.catalog.origins.get("share")
        meant = [groups for pattern, groups in origin.rules if name == pattern[1:] or name.startswith(pattern)]
        return meant[-1] if meant else origin.groups


def _text(words: list[str], name: str) -> str:
    return f"# {words[0]}\n\nThe {' '.join(words)} of {name}.\n"


def _zip(path: Path, texts: dict[str, str]) -> None:
    """An archive of these texts; what lies in "inner.zip" lies in an archive of its own."""
    inner = {name.partition("!/")[2]: text for name, text in texts.items() if "!/" in name}
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path, "w") as archive:
        for name, text in texts.items():
            if "!/" not in name:
                archive.writestr(name, text)
        if inner:
            _zip(Path(folder) / "inner.zip", inner)
            archive.write(Path(folder) / "inner.zip", "inner.zip")


@pytest.fixture(scope="module")
def machine(embedder_folder: Path) -> type[Share]:
    embedder = WordHashEmbedder(embedder_folder, EmbedderSettings(), "word hashes")
    return type("Share", (Share,), {"embedder": embedder})


FEW = settings(
    max_examples=15, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck), database=None
)


MANY = settings(
    FEW, max_examples=400, stateful_step_count=30, derandomize=True, print_blob=False, phases=[Phase.generate],
    report_multiple_bugs=False,
)  # fmt: skip
"""Until the first fault, which comes at the same place each time: how long chance takes is not what is tested."""


COURSE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("begin", {}),
    ("write", {"name": "a.md", "words": ["heron"]}),
    ("pack", {"name": "box.zip", "held": {"x.md": ["basalt"], "inner.zip!/z.md": ["clover"]}}),
    ("run", {}),
    ("show_source_to", {"groups": frozenset({"sales"})}),
    ("run", {}),
    ("show_document_to", {"name": "box.zip", "groups": frozenset({"legal"})}),
    ("pack", {"name": "box.zip", "held": {"in/y.txt": ["dynamo"]}}),
    ("run", {}),
)
"""What chance takes long to come to: an archive changes hands, and later loses what it held."""


def test_whatever_happens_a_run_heals_it_and_nobody_sees_too_much(machine: type[Share]) -> None:
    run_state_machine_as_test(machine, settings=FEW)


def taken(machine: type[Share]) -> None:
    """The course, with what must hold looked at after each step."""
    share = machine()
    try:
        for name, given in COURSE:
            getattr(share, name)(**given)
            share.nobody_finds_what_is_not_theirs()
            share.after_a_run_the_index_is_what_the_files_are()
    finally:
        share.teardown()


def test_the_course_is_safe(machine: type[Share]) -> None:
    taken(machine)


class TestItBites:
    """Chance finds a filter or a confirmation that is missing, and the course what concerns an archive's members."""

    @pytest.mark.parametrize("branch", ["nearest", "worded"])
    def test_without_the_filter_of_a_branch(
        self, machine: type[Share], branch: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = getattr(edge, branch)

        def without(asked: Any, within: Any, *given: Any, **more: Any) -> Any:
            return real(asked, None, *given, **more)

        monkeypatch.setattr(edge, branch, without)
        with pytest.raises(AssertionError):
            run_state_machine_as_test(machine, settings=MANY)

    def test_without_the_confirmation_of_the_catalog(
        self, machine: type[Share], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Catalog, "confirm", lambda self, revisions, principal: set(revisions))
        with pytest.raises((AssertionError, KeyError)):
            run_state_machine_as_test(machine, settings=MANY)

    def test_where_members_do_not_follow_their_container(
        self, machine: type[Share], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(accesses, "with_members", lambda catalog, rows: tuple(rows))
        with pytest.raises(AssertionError):
            taken(machine)

    def test_where_members_stay_that_their_container_lost(
        self, machine: type[Share], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(write, "_lost", lambda document, run: ())
        with pytest.raises(AssertionError):
            taken(machine)
