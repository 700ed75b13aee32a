"""The vectors of texts that were embedded a moment ago: a conversation looks at the same sentences again and again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
KEPT = 4096
"""Vectors that are kept, the latest used: 6 MiB of 384 dimensions, some eighty questions' worth of sentences."""


class RememberedVectors:
    """`encode` with a memory, which holds no text: what was removed is not in it. Safe to share between threads."""

    def __init__(self, encode: Callable[[Sequence[str]], Vectors], kept: int = KEPT) -> None:
        self._encode = encode
        self._kept = kept
        self._lock = threading.Lock()
        self._vectors: OrderedDict[bytes, Vectors] = OrderedDict()

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """float32 (n, dimensions), in the order given; only texts that are not remembered are embedded."""
        keys = {text: sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts}
        with self._lock:
            known = {text: self._vectors[key] for text, key in keys.items() if key in self._vectors}
        missing = list(dict.fromkeys(text for text in texts if text not in known))
        if missing:
            known |= dict(zip(missing, self._encode(missing), strict=True))
        with self._lock:
            for text in texts:
                self._vectors[keys[text]] = known[text]
                self._vectors.move_to_end(keys[text])
            while len(self._vectors) > self._kept:
                self._vectors.popitem(last=False)
        return np.stack([known[text] for text in texts])
