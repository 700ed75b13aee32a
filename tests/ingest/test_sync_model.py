"""Whatever happens to files, groups and the process: after a run the index is what a simple model says, and at no time
does anybody find a passage outside their groups.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from benchmarks.wordhash import WordHashEmbedder
from ingest.intake import Intake
from ingest.pipeline import Parts
from ragapp.access import scope
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.files import DocumentFiles
from ragapp.catalog.rows import OriginRow
from ragapp.embed.sparse import Bm25
from ragapp.index import edge
from ragapp.index.edge import EdgeIndex, open_edge
from ragapp.index.schema import BM25, DENSE
from ragapp.retrieve.hybrid import Retrieval
from ragapp.settings import EmbedderSettings, IngestSettings, RetrieveSettings
from ragapp.types import EVERYONE, Principal

GROUPS = ("sales", "legal")
NAMES = ("a.md", "b.md", "c.txt", "deep/d.md", "deep/e.txt")
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
    (Catalog, "set_groups"),
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
    """A synced folder, its files, and who may see them."""

    embedder: WordHashEmbedder

    @initialize()
    def begin(self) -> None:
        self.room = Path(tempfile.mkdtemp(prefix="ragapp-model-"))
        self.docs = self.room / "docs"
        self.docs.mkdir()
        self.files: dict[str, str] = {}
        self.shown_to: dict[str, frozenset[str]] = {}
        """Groups of documents, where somebody set them by hand."""
        self.clean = False
        self.open()
        self.intake.add(OriginRow("share", str(self.docs), groups=frozenset({EVERYONE})))

    def open(self) -> None:
        catalog = Catalog.open(self.room / "data")
        index = open_edge(self.room / "data", "model", self.embedder.dimensions)
        files = DocumentFiles(self.room / "data")
        self.parts = Parts(catalog, index, files, self.embedder, Bm25(), IngestSettings())
        self.intake = Intake(catalog, lambda: self.parts, self.room / "data")

    def close(self) -> None:
        self.parts.index.close()
        self.parts.catalog.close()

    def teardown(self) -> None:
        if hasattr(self, "room"):
            self.close()
            shutil.rmtree(self.room)

    # what people do

    @rule(name=st.sampled_from(NAMES), words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=4))
    def write(self, name: str, words: list[str]) -> None:
        path = self.docs / name
        path.parent.mkdir(exist_ok=True)
        text = f"# {words[0]}\n\nThe {' '.join(words)} of {name}.\n"
        path.write_text(text)
        self.files[name] = text
        self.clean = False

    @rule(name=st.sampled_from(NAMES))
    def delete(self, name: str) -> None:
        if self.files.pop(name, None) is not None:
            (self.docs / name).unlink()
            self.shown_to.pop(name, None)
            self.clean = False

    @rule(old=st.sampled_from(NAMES), new=st.sampled_from(NAMES))
    def move(self, old: str, new: str) -> None:
        if old in self.files and new not in self.files and Path(old).suffix == Path(new).suffix:
            (self.docs / new).parent.mkdir(exist_ok=True)
            (self.docs / old).rename(self.docs / new)
            self.files[new] = self.files.pop(old)
            self.shown_to.pop(old, None)
            self.clean = False

    @rule(groups=st.sampled_from([{EVERYONE}, {"sales"}, {"legal"}, set(GROUPS)]).map(frozenset))
    def show_to(self, groups: frozenset[str]) -> None:
        """The groups of the whole source; they hold from the next run on for documents that have others."""
        row = self.parts.catalog.origins.get("share")
        self.parts.catalog.origins.update(replace(row, groups=groups))
        self.clean = False

    @rule()
    def run(self) -> None:
        report = self.intake.sync("share", remove_gone=True)
        assert not report.failed
        self.clean = True

    @rule(step=st.integers(1, 25))
    def run_and_die(self, step: int) -> None:
        try:
            with dying_at(step):
                self.intake.sync("share", remove_gone=True)
            self.clean = True
        except Crashed:
            self.clean = False
        self.close()
        self.open()

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
        groups = catalog.origins.get("share").groups
        live = {Path(row.source).relative_to(self.docs).as_posix(): row for row in catalog.documents(state="live")}
        assert live.keys() == self.files.keys()
        assert index.count() == sum(row.chunks for row in live.values())
        for name, row in live.items():
            assert row.groups == groups
            everything = scope(Principal("auditor", groups))
            chunks = index.chunks(row.id, row.revision, range(row.chunks), everything)
            said = " ".join(hit.payload["text"] for hit in chunks)
            assert f"of {self._written_as(name)}." in said
            assert all(set(hit.payload["groups"]) == groups for hit in chunks)

    def _written_as(self, name: str) -> str:
        """The name that the file's text gives, which stays when the file is moved."""
        return self.files[name].rsplit(" of ", 1)[1].removesuffix(".\n")


@pytest.fixture(scope="module")
def machine(embedder_folder: Path) -> type[Share]:
    embedder = WordHashEmbedder(embedder_folder, EmbedderSettings(), "word hashes")
    return type("Share", (Share,), {"embedder": embedder})


FEW = settings(
    max_examples=25, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck), database=None
)


MANY = settings(
    FEW, max_examples=400, stateful_step_count=20, print_blob=False, phases=[Phase.generate], report_multiple_bugs=False
)


def test_whatever_happens_a_run_heals_it_and_nobody_sees_too_much(machine: type[Share]) -> None:
    run_state_machine_as_test(machine, settings=FEW)


class TestItBites:
    """The model finds each way in which one of the locks is left open."""

    @pytest.mark.parametrize("branch", [0, 1])
    def test_without_the_filter_of_a_branch(
        self, machine: type[Share], branch: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = edge._nearest

        def without(vector: Any, using: str, within: Any, limit: int, **more: Any) -> Any:
            return real(vector, using, None if using == (DENSE, BM25)[branch] else within, limit, **more)

        monkeypatch.setattr(edge, "_nearest", without)
        with pytest.raises(AssertionError):
            run_state_machine_as_test(machine, settings=MANY)

    def test_without_the_confirmation_of_the_catalog(
        self, machine: type[Share], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Catalog, "confirm", lambda self, revisions, principal: set(revisions))
        with pytest.raises((AssertionError, KeyError)):
            run_state_machine_as_test(machine, settings=MANY)
