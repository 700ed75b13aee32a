"""An embedder that costs nothing: each word is a direction. For runs where the machinery is on trial, not the model."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ragapp.embed.dense import DenseEmbedder

_WORD = re.compile(r"\w+")


class WordHashEmbedder(DenseEmbedder):
    """Tokens, limits and dimensions of the real embedder, and vectors from the words' hashes."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in enumerate(texts):
            for word in _WORD.findall(text.lower()):
                code = zlib.crc32(word.encode("utf-8", "replace"))
                vectors[row, code % self.dimensions] += 1 if code & 1 << 30 else -1
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors[:, 0] += (lengths[:, 0] == 0).astype(np.float32)
        return vectors / np.maximum(lengths, 1e-9) if len(texts) else vectors

    def encode_query(self, text: str) -> NDArray[np.float32]:
        return self.encode([text])[0]
