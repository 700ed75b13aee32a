"""Memory is looked at before an engine starts: by the container's limit, and for weights as wide as they will be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from ragapp.engine import launch
from ragapp.errors import ModelError
from ragapp.models.memory import FreeMemory
from ragapp.settings import ChatSettings, EngineSettings


@pytest.fixture
def short_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_has_gpu", lambda: False)
    monkeypatch.setattr(launch, "free_memory", lambda: FreeMemory(1.0, "raise the limit"))


def needed(folder: Path, dtype: str) -> float:
    """GiB that starting on a folder's weights is said to need."""
    plan = launch.Plan(folder, EngineSettings(kv_cache_gib=1), ChatSettings.model_validate({"dtype": dtype}))
    with pytest.raises(ModelError, match=r"1\.0 GiB are free; raise the limit, lower engine\.kv_cache_gib") as refused:
        launch._check_memory(plan)
    return float(str(refused.value).split(" needs ")[1].split()[0])


@pytest.mark.usefixtures("short_of_memory")
@pytest.mark.parametrize("stored", ["float16", "float32"])
def test_weights_count_as_wide_as_they_will_be_and_not_wider(tmp_path: Path, stored: str) -> None:
    save_file({"a": np.zeros(100 << 20, np.dtype(stored))}, tmp_path / "model.safetensors")
    assert needed(tmp_path, "float32") == pytest.approx(3.4)
    assert needed(tmp_path, "bfloat16") == pytest.approx(3.2)


@pytest.mark.usefixtures("short_of_memory")
def test_pickled_weights_count_too(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"torch_dtype": "bfloat16"}')
    with (tmp_path / "pytorch_model.bin").open("wb") as weights:
        weights.truncate(1 << 30)
    assert needed(tmp_path, "float32") == pytest.approx(5.0)
