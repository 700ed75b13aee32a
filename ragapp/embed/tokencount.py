"""Counting tokens by an embedder's own tokenizer: light enough for every process that cuts text into chunks."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragapp.errors import ModelError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_LONGEST_KNOWN = 40
"""Characters; longer words are seldom met again."""
_MOST_KNOWN = 300_000
"""Words that are remembered, some 30 MiB; a company's language has fewer, its part numbers may have more."""


class TokenCounter:
    """Counts tokens for the embedder in `folder`, which the settings call `name`. Safe to share between threads.

    Tokenizing is most of the time of cutting text into chunks, and the same words come again and again: a tokenizer
    that takes each word for itself is asked for each word once.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._known: dict[str, int] = {}

    def __call__(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special ones included, nothing cut. Raises ModelError where there is no tokenizer."""
        if not self._word_by_word:
            return self._lengths(texts)
        worded = [text.replace("\n", " ").split(" ") for text in texts]
        known = self._with(worded)
        special = known[""]
        return [sum(map(known.__getitem__, words)) - special * (len(words) - 1) for words in worded]

    def _with(self, worded: Iterable[Sequence[str]]) -> dict[str, int]:
        """The tokens of all these words, each with the special ones."""
        known = self._known
        new = list({word for words in worded for word in words if word not in known} - {""})
        counted = dict(zip(["", *new], self._lengths(["", *new]), strict=True)) if new or not known else {}
        kept = {word: tokens for word, tokens in counted.items() if len(word) <= _LONGEST_KNOWN}
        if len(known) + len(kept) > _MOST_KNOWN:
            # put in place and not changed: another thread may be counting with the old ones
            self._known = kept
            return {**known, **counted}
        known.update(kept)
        return known if len(kept) == len(counted) else {**known, **counted}

    def _lengths(self, texts: Iterable[str]) -> list[int]:
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

    @cached_property
    def _word_by_word(self) -> bool:
        return _takes_words_alone(json.loads(self._tokenizer.to_str()))


def _takes_words_alone(tokenizer: dict[str, Any]) -> bool:
    """Whether the tokens of a text are those of its words, between blanks and line ends, each taken for itself, as
    BERT's own tokenizer does. Of the others (byte pairs, SentencePiece) many join a word with the blank before it."""
    parts = ("normalizer", "pre_tokenizer", "model")
    kinds = tuple((tokenizer.get(part) or {}).get("type") for part in parts)
    spaced = any(token["lstrip"] or token["rstrip"] or " " in token["content"] for token in tokenizer["added_tokens"])
    return kinds == ("BertNormalizer", "BertPreTokenizer", "WordPiece") and not spaced


def whole(text: str) -> str:
    """The text without halves of surrogate pairs, which no tokenizer takes."""
    return text.encode("utf-8", "replace").decode()
