"""A Llama-family GGUF file made into the safetensors folder that vLLM loads; numpy only, a few seconds for 135M.

vLLM reads no GGUF. The weights are dequantised to float16, which holds every step of a 4-bit block; vLLM widens them
to the dtype in the settings. The tokenizer is rebuilt from the vocabulary and merges in the file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

_LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_OUTSIDE = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_CONTROL = 3
"""gguf's token type for tokens that steer the model and are never text (gguf.TokenType.CONTROL)."""


def convert(source: Path, target: Path) -> None:
    """Write config, tokenizer and weights of the GGUF file `source` into the folder `target`.

    Raises ValueError where the file is of another architecture or tokenizer than the ones known here.
    """
    from gguf import GGUFReader

    reader = GGUFReader(str(source))
    facts = dict(reader.fields)
    config = _config(facts, tied=all(tensor.name != "output.weight" for tensor in reader.tensors))
    target.mkdir(parents=True, exist_ok=True)
    _write(target / "config.json", config)
    _write(target / "generation_config.json", {key: config[key] for key in ("bos_token_id", "eos_token_id")})
    _write_tokenizer(facts, target, config["max_position_embeddings"])
    _write_weights(reader.tensors, config, target / "model.safetensors")


def _config(facts: dict[str, Any], *, tied: bool) -> dict[str, Any]:
    def fact(name: str) -> Any:
        return facts[name].contents()

    if (architecture := fact("general.architecture")) != "llama":
        raise ValueError(f"its architecture is {architecture}, and only llama can be converted")
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": fact("llama.embedding_length"),
        "intermediate_size": fact("llama.feed_forward_length"),
        "num_hidden_layers": fact("llama.block_count"),
        "num_attention_heads": fact("llama.attention.head_count"),
        "num_key_value_heads": fact("llama.attention.head_count_kv"),
        "max_position_embeddings": fact("llama.context_length"),
        "rms_norm_eps": round(fact("llama.attention.layer_norm_rms_epsilon"), 9),
        "rope_theta": fact("llama.rope.freq_base"),
        "vocab_size": fact("llama.vocab_size"),
        "tie_word_embeddings": tied,
        "bos_token_id": fact("tokenizer.ggml.bos_token_id"),
        "eos_token_id": fact("tokenizer.ggml.eos_token_id"),
        "pad_token_id": fact("tokenizer.ggml.padding_token_id"),
        "attention_bias": False,
        "mlp_bias": False,
        "torch_dtype": "float16",
    }


def _write_tokenizer(facts: dict[str, Any], target: Path, context_tokens: int) -> None:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    kind = facts["tokenizer.ggml.pre"].contents()
    if kind != "smollm":
        raise ValueError(f"its tokenizer is of the kind {kind}, and only smollm can be converted")
    tokens = facts["tokenizer.ggml.tokens"].contents()
    merges = [tuple(pair.split(" ", 1)) for pair in facts["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE(vocab={token: number for number, token in enumerate(tokens)}, merges=merges))
    # as in llama.cpp's table of pre-tokenizers: "smollm" splits numbers into digits, then cuts words as GPT-2 does
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    kinds = facts["tokenizer.ggml.token_type"].contents()
    control = [token for token, kind in zip(tokens, kinds, strict=True) if kind == _CONTROL]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    tokenizer.save(str(target / "tokenizer.json"))
    named = {
        f"{name}_token": tokens[facts[f"tokenizer.ggml.{key}_token_id"].contents()]
        for name, key in (("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding"))
    }
    _write(
        target / "tokenizer_config.json",
        named
        | {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": context_tokens,
            "clean_up_tokenization_spaces": False,
            "additional_special_tokens": control,
            "chat_template": facts["tokenizer.chat_template"].contents(),
        },
    )


def _write_weights(tensors: Any, config: dict[str, Any], path: Path) -> None:
    from gguf.quants import dequantize
    from safetensors.numpy import save_file

    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    weights = {}
    for tensor in tensors:
        name, part = _name(tensor.name)
        values = dequantize(tensor.data, tensor.tensor_type)
        if part in heads:
            values = _rotated_back(values, heads[part])
        weights[name] = np.ascontiguousarray(values, dtype=np.float16)
    save_file(weights, str(path), metadata={"format": "pt"})


def _name(gguf_name: str) -> tuple[str, str]:
    """(name in transformers' Llama, which part of a layer it is)."""
    if gguf_name in _OUTSIDE:
        return _OUTSIDE[gguf_name], ""
    _, layer, part, kind = gguf_name.split(".")
    return f"model.layers.{layer}.{_LAYER[part]}.{kind}", part


def _rotated_back(values: np.ndarray[Any, Any], heads: int) -> np.ndarray[Any, Any]:
    """Rows of q and k put back into halves: llama.cpp keeps the two halves of a rotary pair beside each other."""
    rows, columns = values.shape
    return values.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
