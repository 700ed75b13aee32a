"""Retrieval: one hybrid query, fused, confirmed by the catalog, shaped into passages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from ragapp.access import Scope, filtered, narrow, within
from ragapp.catalog.catalog import Catalog
from ragapp.embed.dense import DenseEmbedder
from ragapp.embed.sparse import Bm25
from ragapp.errors import BadQuestion
from ragapp.index.base import Index
from ragapp.retrieve.context import joined, passage, windows, without_near_duplicates
from ragapp.retrieve.fuse import FusedHit, fuse
from ragapp.settings import RetrieveSettings
from ragapp.types import Passage, Principal


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What retrieval found for one question.

    `candidates` are all confirmed chunks of both branches, best first, as the judge of evidence needs them;
    `passages` are what may go to a reader.
    """

    query: str
    passages: tuple[Passage, ...]
    candidates: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Retrieval:
    """The parts that a search needs, handed in once."""

    index: Index
    catalog: Catalog
    dense: DenseEmbedder
    bm25: Bm25
    settings: RetrieveSettings

    def search(
        self, query: str, principal: Principal, narrowed: Scope | None = None, limit: int | None = None
    ) -> Retrieved:
        """Passages that `principal` may see, best first: `limit` of them where there are so many, and without it those
        that the settings' number of chunks makes.

        `narrowed` may only narrow by collection, source, time or file type; its groups are never taken.
        """
        visible = replace(within(principal, narrowed), without=self.catalog.access.hidden_ahead(principal))
        # whoever asks for more passages than that must not get fewer than there are
        many = max(self.settings.candidates, limit or 0)
        hits = self.index.hybrid(self.dense.encode_query(query), self.bm25.encode_query(query), visible, many)
        candidates = [passage(hit) for hit in self._confirmed(fuse(hits, many), principal)]
        unique = without_near_duplicates(candidates)
        # neighbours become one passage, so that a number of passages may take more chunks
        chosen = unique if limit else unique[: self.settings.limit]
        sizes = self.dense.count_tokens([found.text for found in chosen])
        fitting = windows(chosen, sizes, self.settings.passage_tokens)
        found = [each for window in fitting for each in joined(window)]
        return Retrieved(query, tuple(found[: limit or len(found)]), tuple(candidates))

    def _confirmed(self, hits: list[FusedHit], principal: Principal) -> list[FusedHit]:
        """Only hits whose document is live at that revision and visible, by one look into the catalog."""
        wanted = {(hit.payload["document_id"], hit.payload["revision"]) for hit in hits}
        live = self.catalog.confirm(wanted, principal)
        return [hit for hit in hits if (hit.payload["document_id"], hit.payload["revision"]) in live]


class HybridRetriever(BaseRetriever):
    """LangChain's face of retrieval, bound to one principal when it is built."""

    # a name that it doesn't know would be passed over, though its caller counts on it
    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    search: Callable[..., Retrieved]
    """`Retrieval.search`, or a stage in its place."""
    principal: Principal
    narrowed: Scope | None = None
    k: int | None = None

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, **kwargs: Any
    ) -> list[Document]:
        limit, wanted = kwargs.pop("k", None) or self.k, kwargs.pop("filter", None)
        if kwargs:
            raise BadQuestion(
                f"The retriever doesn't know {', '.join(sorted(kwargs))} here; it takes k and filter, and narrowed "
                "when it is built."
            )
        narrowed = self.narrowed if wanted is None else filtered(self.narrowed or narrow(), wanted)
        found = self.search(query, self.principal, narrowed, limit)
        return [as_langchain(item) for item in found.passages]


def as_langchain(found: Passage) -> Document:
    """A passage as a LangChain document; the metadata has the names of `ragapp search --json`."""
    return Document(
        id=f"{found.document_id}:{found.revision}:{found.ordinals[0] if found.ordinals else found.start}",
        page_content=found.text,
        metadata={
            "source": found.source,
            "title": found.title,
            "heading": found.heading,
            "page": found.page,
            "start": found.start,
            "end": found.end,
            "score": found.score,
            "ranks": {stage: score.rank for stage, score in found.scores.items()},
            "document_id": found.document_id,
            "revision": found.revision,
            "collection": found.collection,
        },
    )
