"""Dense vectors by sentence-transformers, and what can be known of an embedder without loading it."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray

from ragapp.embed.tokencount import TokenCounter, whole
from ragapp.errors import ModelError
from ragapp.index.base import Vector
from ragapp.models.memory import free_memory, weights_bytes
from ragapp.models.processor import cpu_dtype, waiting_asleep
from ragapp.settings import EmbedderSettings

_SAMPLE = 1 << 20
"""Bytes hashed at either end of a weight file: enough to tell two models apart without reading gigabytes."""


_WORKING_GIB = 0.6
"""What the libraries and a batch take beside the weights on a CPU, measured with MiniLM."""
_TELLING = {"config.json", "modules.json", "sentence_bert_config.json", "tokenizer.json"}
"""Files that change vectors, beside the weights."""


def check_device(settings: EmbedderSettings) -> None:
    """Raises ModelError where the settings ask for a GPU that can't be used; imports torch only where they ask."""
    if settings.device != "cuda":
        return
    import torch

    if not torch.cuda.is_available():
        lacking = "finds no GPU" if torch.version.cuda else "is built without CUDA"
        raise ModelError(
            f"embedder.device is cuda, and the installed torch ({torch.__version__}) {lacking}; set embedder.device to "
            "auto or cpu, or see what ragapp doctor says of the GPU."
        )


class DenseEmbedder(Embeddings):
    """Texts to vectors of length 1. Loads its weights with the first text; safe to share between threads.

    `folder` holds a sentence-transformers model, `name` is what the settings call it. Raises ModelError where the
    folder holds none.
    """

    def __init__(self, folder: Path, settings: EmbedderSettings, name: str) -> None:
        self.folder = folder
        self.name = name
        self._settings = settings
        self._counter = TokenCounter(folder, name)
        self._lock = threading.RLock()
        self._loaded: Any = None
        self._peak = 0

    @cached_property
    def fingerprint(self) -> str:
        """12 hex digits that stand for the vector space: the weights, how they are used, and the question's prompt.

        What the model is called and where it lies is left out, so that a moved folder keeps its index.
        """
        digest = hashlib.sha256(f"{self.dimensions}\x00{self._settings.query_prompt}".encode())
        for path in sorted(self.folder.rglob("*")):
            if path.name not in _TELLING and path.suffix not in (".safetensors", ".bin"):
                continue
            digest.update(f"\x00{path.relative_to(self.folder)}\x00{path.stat().st_size}\x00".encode())
            with path.open("rb") as file:
                digest.update(file.read(_SAMPLE))
                if path.stat().st_size > 2 * _SAMPLE:
                    file.seek(-_SAMPLE, os.SEEK_END)
                    digest.update(file.read())
        return digest.hexdigest()[:12]

    @cached_property
    def dimensions(self) -> int:
        """Length of a vector."""
        size: int | None = None
        for module in self._read("modules.json") or []:
            part = self._read(f"{module['path']}/config.json" if module["path"] else "config.json") or {}
            kind = module["type"].rsplit(".", 1)[-1]
            if kind == "Pooling":
                size = part.get("word_embedding_dimension") or part.get("embedding_dimension")
            elif kind == "Dense":
                size = part.get("out_features")
        size = size or (self._read("config.json") or {}).get("hidden_size")
        if not size:
            raise ModelError(f"The folder {self.folder} holds no embedder (its config.json names no vector size).")
        return size

    @cached_property
    def max_tokens(self) -> int:
        """The longest text that is seen whole, special tokens included: what the model and a batch have room for."""
        limit = (self._read("sentence_bert_config.json") or {}).get("max_seq_length")
        if not limit:
            # a tokenizer may promise more than its model has places for
            tokenizer = (self._read("tokenizer_config.json") or {}).get("model_max_length")
            model = (self._read("config.json") or {}).get("max_position_embeddings")
            limit = min((known for known in (tokenizer, model) if known), default=512)
        return min(int(limit), self._settings.batch_tokens)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text by the embedder's own tokenizer, special ones included, nothing cut. Loads no weights."""
        return self._counter(texts)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32 (len(texts), dimensions), each row of length 1, in the order given.

        Texts of like length share a batch, so that little is spent on padding. What exceeds `max_tokens` is not seen
        by the model: the chunker builds chunks that fit.
        """
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        for batch in self._batches(self.count_tokens(texts)):
            vectors[batch] = self._forward([texts[position] for position in batch])
        return vectors

    def _batches(self, tokens: Sequence[int]) -> Iterator[list[int]]:
        """Positions of the texts, the longest first, as many at once as `batch_tokens` has room for."""
        order = sorted(range(len(tokens)), key=lambda position: -tokens[position])
        while order:
            longest = max(1, min(tokens[order[0]], self.max_tokens))
            size = self._settings.batch_tokens // longest
            yield order[:size]
            order = order[size:]

    def encode_query(self, text: str) -> Vector:
        """float32 (dimensions,) of length 1, with the model's prompt for questions before the text.

        Of a question longer than `max_tokens` only the beginning counts.
        """
        return cast(Vector, self._forward([self._settings.query_prompt + text])[0])

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return cast("list[list[float]]", self.encode(texts).tolist())

    def embed_query(self, text: str) -> list[float]:
        return cast("list[float]", self.encode_query(text).tolist())

    def peak_bytes(self) -> int:
        """GPU memory that the fullest batch takes, weights included, measured once; 0 on a CPU."""
        if self._settings.device == "cpu":
            return 0
        with self._lock:
            model = self._model()
            if model.device.type != "cuda" or self._peak:
                return self._peak
            import torch

            torch.cuda.reset_peak_memory_stats(model.device)
            self._forward(["word " * self.max_tokens] * (self._settings.batch_tokens // self.max_tokens))
            self._peak = int(torch.cuda.max_memory_reserved(model.device))
            return self._peak

    def _forward(self, texts: list[str]) -> NDArray[np.float32]:
        # one batch at a time: two at once share the same cores and gain nothing, and the tokenizer's
        # truncation state isn't safe to share
        with self._lock:
            vectors = self._model().encode(
                [whole(text) for text in texts],
                batch_size=len(texts),
                convert_to_numpy=True,
                show_progress_bar=False,
                prompt="",
            )
        # to length 1 here, not in the model's own number format, whose rounding would show in the length
        wide = np.asarray(vectors, np.float32)
        return cast("NDArray[np.float32]", wide / np.linalg.norm(wide, axis=1, keepdims=True).clip(1e-12))

    def _model(self) -> Any:
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded

    def _load(self) -> Any:
        check_device(self._settings)
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        with waiting_asleep():
            import torch
        from safetensors import SafetensorError
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()
        device, dtype = self._settings.device, self._settings.dtype
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        if device == "cpu":
            self._check_memory(cpu_dtype(dtype))
        try:
            model = SentenceTransformer(
                str(self.folder),
                device=device,
                local_files_only=True,
                model_kwargs={"dtype": cpu_dtype(dtype) if device == "cpu" else dtype},
            )
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            reason = " ".join(str(error).split())[:300]
            raise ModelError(f"The embedder {self.name} in {self.folder} can't be loaded: {reason}.") from error
        model.max_seq_length = self.max_tokens
        return model

    def _check_memory(self, dtype: str) -> None:
        """Refuse to load on a CPU what can't fit."""
        parts = {"", *(module["path"] for module in self._read("modules.json") or [])}
        needed = sum(weights_bytes(self.folder / part, dtype) for part in parts) / 2**30 + _WORKING_GIB
        free = free_memory()
        if free.gib < needed:
            raise ModelError(
                f"The embedder {self.name} needs {needed:.1f} GiB of memory, and {free.gib:.1f} GiB are free; "
                f"{free.remedy} or choose a smaller model."
            )

    def _read(self, name: str) -> Any:
        try:
            return json.loads((self.folder / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise ModelError(f"The embedder's file {self.folder / name} can't be read: {error}.") from error
