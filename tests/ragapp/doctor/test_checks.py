"""What doctor finds where the machine itself is not well, and where its proof may write."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragapp.doctor.checks import run_checks
from ragapp.doctor.offline import in_a_folder_of_its_own
from ragapp.index.open import server_url
from ragapp.settings import IndexSettings, Settings


def test_a_driver_that_gives_no_answer_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_bytes(b"\x00no program")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    gpu = next(check for check in run_checks(Settings(data=tmp_path / "data")) if check.name == "gpu")
    assert (gpu.state, gpu.remedy) == ("warning", "mend the driver")


def test_the_proof_never_writes_into_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QDRANT_URL", "http://localhost:6333")
    settings = Settings(data=tmp_path, index=IndexSettings(url="http://localhost:6334"))
    own = in_a_folder_of_its_own(settings, tmp_path / "own")
    assert (own.data, server_url(own)) == (tmp_path / "own", None)
