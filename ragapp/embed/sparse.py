"""BM25 word weights by qdrant_edge's own model: no download, and a Qdrant server would count the same.

One configuration serves documents and questions of every language, so that a word finds itself whatever stands around
it: nothing here guesses a language. Words are lower-cased and lose their accents (Größe, grosse and GRÖSSE are one),
English stop words go, English endings are cut (a word of another language loses the same letters on both sides).
Scripts that write without spaces are cut into single characters and pairs of neighbours, since where a dictionary
would cut depends on the sentence.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

from ragapp.index.base import SparseVector

_UNSPACED = re.compile(
    "["
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f"  # Burmese
    "\u1780-\u17ff"  # Khmer
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"  # kana and iteration marks
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"  # Han
    "]+"
)

_WORDS_IN_A_CHUNK = 100.0
"""Stems in a chunk of 224 tokens, about. On the span set 60 to 256 differ by less than 0.005 in recall."""


class Bm25:
    """Sparse vectors for documents and questions; safe to share between threads."""

    def encode_documents(self, texts: Sequence[str]) -> list[SparseVector]:
        """A weight for each different word of each text, by k = 1.2, b = 0.75 (Robertson's usual values)."""
        return [_sparse(self._model.embed_document(_spaced(text))) for text in texts]

    def encode_query(self, text: str) -> SparseVector:
        """Weight 1 for each different word; empty when the text holds stop words and punctuation only."""
        return _sparse(self._model.embed_query(_spaced(text)))

    def stems(self, text: str) -> frozenset[int]:
        """The hashed stems of a text without stop words, for comparing texts as the index does."""
        return frozenset(self.encode_query(text).indices)

    @cached_property
    def _model(self) -> Any:
        from qdrant_edge import Bm25 as Model
        from qdrant_edge import Bm25Config, TokenizerType

        return Model(
            Bm25Config(tokenizer=TokenizerType.Word, language="english", ascii_folding=True, avg_len=_WORDS_IN_A_CHUNK)
        )


def _spaced(text: str) -> str:
    """The text in one Unicode form, unspaced scripts as characters and pairs with spaces between."""
    # half of a surrogate pair, as a broken file name or terminal brings it, is no text that the model would take
    whole = text.encode("utf-8", "replace").decode()
    return _UNSPACED.sub(_characters_and_pairs, unicodedata.normalize("NFKC", whole))


def _characters_and_pairs(run: re.Match[str]) -> str:
    letters = run.group()
    pairs = (first + second for first, second in pairwise(letters))
    return f" {' '.join((*letters, *pairs))} "


def _sparse(vector: Any) -> SparseVector:
    return SparseVector(tuple(vector.indices), tuple(vector.values))
