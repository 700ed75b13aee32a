"""RagApp: the one place that builds the parts from Settings and hands them to each other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from ragapp.access import LOCAL, Scope
from ragapp.bundled import configs_folder
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.files import DocumentFiles
from ragapp.errors import IndexUnavailable
from ragapp.logs import log_path, open_log
from ragapp.models.registry import Role
from ragapp.models.weights import resolve
from ragapp.privacy import keep_in_the_house
from ragapp.secret_file import own_secret
from ragapp.settings import Settings
from ragapp.types import Answer, Passage, Principal

if TYPE_CHECKING:
    from ingest.care.access import Access
    from ingest.care.redaction import Redaction
    from ingest.care.removal import Removal
    from ingest.jobs.intake import Intake
    from ingest.pipeline.report import IngestReport, Watcher
    from ragapp.answer.bridge import LoopThread
    from ragapp.answer.chain import AnswerChain, Stages
    from ragapp.answer.events import Event
    from ragapp.answer.rights import WhoAsks
    from ragapp.backup.write import Backup
    from ragapp.embed.dense import DenseEmbedder
    from ragapp.embed.sparse import Bm25
    from ragapp.engine.chat import ChatVllm
    from ragapp.engine.vllm import VllmEngine
    from ragapp.index.base import Index
    from ragapp.index.vectorstore import RagVectorStore
    from ragapp.retrieve.hybrid import HybridRetriever, Retrieval

Say = Callable[[str], None]
T = TypeVar("T")


def _silent(_: str) -> None:
    """Nobody wants to be told."""


@dataclass(frozen=True, slots=True)
class Status:
    """What is in, and what it is served with."""

    documents: int
    chunks: int
    failed: int
    bytes: int
    chat_model: str
    embedder: str
    profile: str
    data: Path


class RagApp:
    """Documents in, cited answers out. Parts are built when first needed; `close()`, or leaving a `with`, lets go.

    Safe to share between threads, and usable from an event loop by the methods whose names begin with "a".
    `say` is told in plain sentences what takes long; `models_dir` and `engine` are shared with other apps where handed
    in, and such an engine is left running.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        say: Say = _silent,
        models_dir: Path | None = None,
        engine: VllmEngine | None = None,
        **arguments: Any,
    ) -> None:
        self.settings = settings or Settings(**arguments)
        self._handed_engine = engine
        self._models_dir = models_dir or self.settings.data / "models"
        keep_in_the_house(self.settings)
        self._log = open_log(self.settings)
        self._say = say
        self._lock = threading.RLock()
        self._parts: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the engine, let go of the index, put logging back as it was. Closing twice is harmless."""
        try:
            with self._lock:
                # first out of reach, since what is built is handed out without the lock
                parts, self._parts = self._parts, {}
                for name in ("loop", "engine", "index", "catalog"):
                    part = parts.get(name)
                    if part is not None and part is not self._handed_engine:
                        part.close()
        finally:
            self._log.close()  # last, since what closes may have something to say

    def ingest(
        self,
        *paths: str | Path,
        collection: str = "default",
        groups: str | Iterable[str] | None = None,
        watcher: Watcher | None = None,
    ) -> IngestReport:
        """Take in files and folders. A file that can't be read is a row in the report; the run goes on.

        `groups` says who may see them: one group, several, or EVERYONE; an empty list is refused. Without it, known
        documents stay as they are, and new ones are seen by whom their collection's rule names; where it has none, by
        everyone on a machine of one's own, and they are refused (NobodyChosen) where other people have accounts. What
        was chosen by hand for a document is not shown to more by sending it again.
        """
        return self.intake.ingest([Path(path) for path in paths], collection, groups, watcher)

    def ask(
        self,
        question: str,
        *,
        principal: Principal | WhoAsks = LOCAL,
        history: Sequence[Any] = (),
        narrowed: Scope | None = None,
    ) -> Answer:
        """The answer to a question; `history` holds earlier answers (Answer, Turn, or pairs of question and answer).

        Raises RightsChanged where what it rests on is hidden from the principal while it is made. `principal` may be a
        function that says who asks at the moment: their groups then hold as they are at each step.
        """
        return self.chain(principal, narrowed).invoke({"question": question, "history": history})

    async def aask(
        self,
        question: str,
        *,
        principal: Principal | WhoAsks = LOCAL,
        history: Sequence[Any] = (),
        narrowed: Scope | None = None,
    ) -> Answer:
        """`ask` for an event loop."""
        # building the parts takes seconds the first time, which the caller's loop must not wait for
        chain = await asyncio.to_thread(self.chain, principal, narrowed)
        return await chain.ainvoke({"question": question, "history": history})

    def stream(
        self,
        question: str,
        *,
        principal: Principal | WhoAsks = LOCAL,
        history: Sequence[Any] = (),
        narrowed: Scope | None = None,
        tokens: bool = False,
    ) -> Iterator[Event]:
        """The answer as events: passages, then citations and sentences as each is checked, then the whole."""
        return self.chain(principal, narrowed).stream({"question": question, "history": history}, tokens=tokens)

    async def astream(
        self,
        question: str,
        *,
        principal: Principal | WhoAsks = LOCAL,
        history: Sequence[Any] = (),
        narrowed: Scope | None = None,
        tokens: bool = False,
    ) -> AsyncGenerator[Event]:
        """`stream` for an event loop."""
        chain = await asyncio.to_thread(self.chain, principal, narrowed)
        asked = {"question": question, "history": history}
        async with aclosing(chain.astream(asked, tokens=tokens)) as events:
            async for event in events:
                yield event

    def search(
        self, query: str, *, limit: int | None = None, principal: Principal = LOCAL, narrowed: Scope | None = None
    ) -> tuple[Passage, ...]:
        """Passages for a query, best first, with the rank and score that each stage gave them."""
        return self.retrieval.search(query, principal, narrowed, limit).passages

    def chain(
        self, principal: Principal | WhoAsks = LOCAL, narrowed: Scope | None = None, stages: Stages | None = None
    ) -> AnswerChain:
        """The answer chain as a LangChain runnable, asking as `principal`."""
        from ragapp.answer.chain import AnswerChain

        return AnswerChain(
            stages or self.stages,
            principal,
            self._loop,
            self.catalog,
            model=self.settings.chat.model,
            narrowed=narrowed,
            log_text=self.settings.privacy.log_text,
        )

    def retriever(
        self, principal: Principal = LOCAL, narrowed: Scope | None = None, limit: int | None = None
    ) -> HybridRetriever:
        """Retrieval as a LangChain retriever, asking as `principal`."""
        from ragapp.retrieve.hybrid import HybridRetriever

        return HybridRetriever(search=self.retrieval.search, principal=principal, narrowed=narrowed, k=limit)

    def vectorstore(
        self, principal: Principal = LOCAL, *, collection: str = "default", groups: str | Iterable[str] | None = None
    ) -> RagVectorStore:
        """All that is in as a LangChain vector store, as far as `principal` sees it.

        Texts that are added through it become documents of `collection`, seen by `groups`, which mean what they mean to
        `ingest`. Whoever adds for groups that `principal` is not in can't change or delete it with this store.
        """
        from ragapp.index.vectorstore import Placement, RagVectorStore, StoreParts

        parts = StoreParts(self.index, self.catalog, self.files, self.embedder, self._bm25)
        return RagVectorStore(parts, principal, Placement(collection, groups))

    def status(self) -> Status:
        """Counts and names; opens neither models nor index."""
        totals = self.catalog.totals()
        return Status(
            totals.documents,
            totals.chunks,
            totals.failed,
            totals.bytes,
            self.settings.chat.model,
            self.settings.embedder.model,
            self.settings.profile,
            self.settings.data,
        )

    @property
    def intake(self) -> Intake:
        """Ingestion beyond `ingest`: synced sources, jobs, renewing what is stale."""
        return self._part("intake", self._build_intake)

    @property
    def access(self) -> Access:
        """Who may see what is in."""
        return self._part("access", self._build_access)

    def plan_removal(self, *names: str, source: str = "") -> Removal:
        """What `remove` would take away: documents and folders by name, or all of a synced source."""
        from ingest.care.removal import plan_removal

        return plan_removal(self.catalog, names, source)

    def remove(self, removal: Removal, tell: Callable[[int], None] | None = None) -> int:
        """Take documents away for good: catalog, chunks, originals and text. Returns how many."""
        from ingest.care.removal import remove

        return remove(removal, self.catalog, self.index, self.files, tell)

    def plan_redaction(self, *names: str) -> Redaction:
        """What `redact` would take away: all revisions before the newest of documents and folders by name."""
        from ingest.care.redaction import plan_redaction

        return plan_redaction(self.catalog, self.files, names)

    def redact(self, redaction: Redaction, tell: Callable[[int], None] | None = None) -> int:
        """Take the old text of documents away everywhere: chunks, originals, text, and what kept answers hold of it.
        Returns how many documents had some. `index.clear_out()` after it rewrites the index's files too."""
        from ingest.care.redaction import redact

        return redact(redaction, self.catalog, self.index, self.files, tell)

    def backup(self, target: str | Path) -> Backup:
        """Everything but models and logs in one file, while searches go on."""
        from ragapp.backup.write import write_backup

        return write_backup(Path(target), self.settings.data, self.catalog, self.index, self.files, self._say)

    @property
    def stages(self) -> Stages:
        """The chain's stages as ragapp has them; change one with `dataclasses.replace` and hand it to `chain`."""
        return self._part("stages", self._build_stages)

    @property
    def retrieval(self) -> Retrieval:
        return self._part("retrieval", self._build_retrieval)

    @property
    def catalog(self) -> Catalog:
        return self._part("catalog", self._open_catalog)

    @property
    def files(self) -> DocumentFiles:
        return self._part("files", lambda: DocumentFiles(self.settings.data))

    @property
    def embedder(self) -> DenseEmbedder:
        return self._part("embedder", self._build_embedder)

    @property
    def engine(self) -> VllmEngine:
        """The vLLM engine; starts with the first question, or by its `start()`."""
        return self._part("engine", self._build_engine)

    @property
    def chat(self) -> ChatVllm:
        """The engine as a LangChain chat model."""
        return self._part("chat", self._build_chat)

    @property
    def index(self) -> Index:
        return self._part("index", self._build_index)

    def index_as_it_is(self) -> Index:
        """The index even where it lacks all that the catalog names: for mending it."""
        return self._part("index", self._open_index)

    @property
    def _bm25(self) -> Bm25:
        from ragapp.embed.sparse import Bm25

        return self._part("bm25", Bm25)

    @property
    def _loop(self) -> LoopThread:
        from ragapp.answer.bridge import LoopThread

        return self._part("loop", lambda: LoopThread("ragapp-answer"))

    def _part(self, name: str, build: Callable[[], T]) -> T:
        # what is built is had at once, also while another part takes minutes
        part = self._parts.get(name)
        if part is None:
            with self._lock:
                part = self._parts.get(name)
                if part is None:
                    part = self._parts[name] = build()
        return cast("T", part)

    def _folder(self, model: str, role: Role, revision: str | None) -> Path:
        return resolve(
            model,
            role=role,
            models_dir=self._models_dir,
            offline=self.settings.offline,
            accepted_licences=self.settings.accepted_licences,
            revision=revision,
            say=self._say,
        )

    def _build_embedder(self) -> DenseEmbedder:
        from ragapp.embed.dense import DenseEmbedder, check_device

        wanted = self.settings.embedder
        check_device(wanted)  # before anything is downloaded for it
        return DenseEmbedder(self._folder(wanted.model, "embedder", wanted.revision), wanted, wanted.model)

    def _build_engine(self) -> VllmEngine:
        if self._handed_engine:
            return self._handed_engine
        from ragapp.engine.vllm import VllmEngine

        chat = self.settings.chat
        folder = self._folder(chat.model, "chat", chat.revision)
        # on a GPU the embedder loads first, so that its peak can be taken off the engine's share
        peak = self.embedder.peak_bytes()
        log = log_path(self.settings).with_name("engine.log")
        return VllmEngine(
            folder,
            self.settings.engine,
            chat,
            embedder_peak_bytes=peak,
            log_file=log,
            traces=self.settings.serve.traces or "",
            cache=self._models_dir / "vllm",
        )

    def _build_intake(self) -> Intake:
        from ingest.jobs.intake import Intake
        from ingest.origins.protected import Protected
        from ingest.pipeline.pipeline import Parts

        def parts() -> Parts:
            return Parts(self.catalog, self.index, self.files, self.embedder, self._bm25, self.settings.ingest)

        protected = Protected.of(self.settings)
        return Intake(self.catalog, parts, self.settings.data, self.settings.ingest.read_pictures_in, protected)

    def _build_access(self) -> Access:
        from ingest.care.access import Access
        from ragapp.index.follow import follow

        return Access(self.catalog, lambda: follow(self.catalog, self.index, self.files))

    def _build_chat(self) -> ChatVllm:
        from ragapp.engine.chat import ChatVllm

        return ChatVllm(engine=self.engine)

    def _build_index(self) -> Index:
        index = self._open_index()
        if self.catalog.totals().chunks and not index.count():
            index.close()
            raise IndexUnavailable(
                f"The catalog in {self.settings.data} has documents, and the index has none of their chunks; "
                "put the index folder back, or make them anew from the originals: ragapp doctor --repair"
            )
        return index

    def _open_index(self) -> Index:
        from ragapp.index.follow import follow
        from ragapp.index.open import open_index

        embedder = self.embedder
        self.catalog.claim_embedder(self.settings.embedder.model, embedder.fingerprint)
        index = open_index(self.settings, embedder.fingerprint, embedder.dimensions)
        try:
            # what a crash left between a commit of the catalog and the index's copy of it
            follow(self.catalog, index, self.files)
        except BaseException:
            index.close()
            raise
        return index

    def _open_catalog(self) -> Catalog:
        from ragapp.backup.exchange import finish_restore

        finish_restore(self.settings.data)
        return Catalog.open(self.settings.data)

    def _build_retrieval(self) -> Retrieval:
        from ragapp.retrieve.hybrid import Retrieval

        return Retrieval(self.index, self.catalog, self.embedder, self._bm25, self.settings.retrieve)

    def _build_stages(self) -> Stages:
        from ragapp.answer.stages import build_stages

        return build_stages(
            self.settings,
            retrieval=self.retrieval,
            chat=self.chat,
            context_tokens=self.engine.context_tokens,
            bm25=self._bm25,
            prompts=configs_folder() / "prompts",
            secret=own_secret(self.settings.data / "secret"),
        )
