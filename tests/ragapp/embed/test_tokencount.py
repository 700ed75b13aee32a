"""Tokens are counted word by word where that comes to the same, and as the tokenizer counts them in any case."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

import ragapp.embed.tokencount
from ragapp.embed.tokencount import TokenCounter, whole

ODD = st.sampled_from(
    [
        "[SEP]",
        "[UNK]x",
        "x" * 41,
        "x" * 120,
        "Ärger",
        "e\u0301",
        " \u0301",
        "\u00ad",
        "日本語",
        "\x1c",
        "\u2028",
        "\ud800",
        "##s",
        "İ",
        "ΑΣ",
    ]
)
TEXTS = st.lists(st.one_of(st.text(max_size=12), ODD, st.sampled_from([" ", "\n", "  ", "\t", "12.50", "don't"]))).map(
    "".join
)


@pytest.fixture(scope="module")
def tokenizer(embedder_folder: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(embedder_folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


@pytest.fixture(scope="module")
def counter(embedder_folder: Path) -> TokenCounter:
    return TokenCounter(embedder_folder, "minilm")


@given(texts=st.lists(TEXTS, max_size=4))
def test_counts_are_the_tokenizers_own(tokenizer: Tokenizer, counter: TokenCounter, texts: list[str]) -> None:
    assert counter(texts) == [len(tokenizer.encode(whole(text))) for text in texts]


def test_a_word_is_tokenized_once(tokenizer: Tokenizer, embedder_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counter = TokenCounter(embedder_folder, "minilm")
    first = counter(["the pump and the valve", "the valve"])
    monkeypatch.setattr(counter, "_lengths", lambda _: pytest.fail("known words were tokenized again"))
    assert counter(["the pump and the valve", "the valve"]) == first


def test_no_more_words_are_kept_than_memory_is_meant_for(
    tokenizer: Tokenizer, embedder_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ragapp.embed.tokencount, "_MOST_KNOWN", 10)
    counter = TokenCounter(embedder_folder, "minilm")
    texts = [f"number {number} of {number + 1} pumps" for number in range(40)]
    for text in texts:
        assert counter([text]) == [len(tokenizer.encode(text))]
    assert len(counter._known) <= 10


def test_a_tokenizer_that_joins_words_is_asked_for_whole_texts(tmp_path: Path) -> None:
    joining = Tokenizer(models.BPE({"a": 0, "Ġ": 1, "Ġa": 2}, [("Ġ", "a")]))
    joining.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    joining.save(str(tmp_path / "tokenizer.json"))
    assert TokenCounter(tmp_path, "joining")(["a a", "a"]) == [2, 1]
