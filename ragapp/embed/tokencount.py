"""Counting tokens by an embedder's own tokenizer: light enough for every process that cuts text into chunks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ragapp.errors import ModelError

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class TokenCounter:
    """Counts tokens for the embedder in `folder`, which the settings call `name`. Safe to share between threads."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name

    def __call__(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special ones included, nothing cut. Raises ModelError where there is no tokenizer."""
        return [len(encoding) for encoding in self._tokenizer.encode_batch_fast([whole(text) for text in texts])]

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        from tokenizers import Tokenizer

        path = self._folder / "tokenizer.json"
        if not path.is_file():
            raise ModelError(f"The embedder {self._name} has no tokenizer.json in {self._folder}; choose another one.")
        tokenizer = Tokenizer.from_file(str(path))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer


def whole(text: str) -> str:
    """The text without halves of surrogate pairs, which no tokenizer takes."""
    return text.encode("utf-8", "replace").decode()
