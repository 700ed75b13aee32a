"""The GGUF file in the package becomes weights and a tokenizer that say the same as the original."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from ragapp.engine.tokens import Tokenizer
from ragapp.models.gguf import convert


def test_the_config_is_that_of_smollm2_135m(chat_folder: Path) -> None:
    config = json.loads((chat_folder / "config.json").read_text())
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert (config["hidden_size"], config["num_hidden_layers"], config["vocab_size"]) == (576, 30, 49152)
    assert (config["max_position_embeddings"], config["rope_theta"]) == (8192, 100000)
    assert config["tie_word_embeddings"] is True


def test_all_weights_are_there_with_finite_values(chat_folder: Path) -> None:
    with safe_open(chat_folder / "model.safetensors", "numpy") as weights:
        names = set(weights.keys())
        query = weights.get_tensor("model.layers.0.self_attn.q_proj.weight")
    assert len(names) == 272
    assert query.shape == (576, 576)
    assert np.isfinite(query).all() and query.std() > 0.01


def test_numbers_are_split_into_digits_and_text_survives_a_round_trip(chat_folder: Path) -> None:
    tokenizer = Tokenizer(chat_folder)
    text = "It's 12345 Straße, don't\n\n  x 你好"
    tokens = tokenizer.encode(text)
    assert tokenizer.decode(tokens) == text
    assert {tokenizer.decode([token]) for token in tokenizer.encode("12345")} == set("12345")


def test_chat_marks_are_single_tokens(chat_folder: Path) -> None:
    tokenizer = Tokenizer(chat_folder)
    assert tokenizer.encode("<|im_start|>") == [1]
    assert tokenizer.encode("<|im_end|>") == [2]
    text = tokenizer.chat_text([{"role": "user", "content": "Hi"}])
    assert re.search(r"<\|im_start\|>user\nHi<\|im_end\|>\n<\|im_start\|>assistant\n$", text)


def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"not a model")
    with pytest.raises(ValueError):
        convert(tmp_path / "x.gguf", tmp_path / "out")
