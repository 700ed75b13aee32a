"""Ctrl-C in the middle of the catalog's work: it is done or undone whole, and nobody waits for its lock afterwards."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from ragapp.catalog.catalog import Catalog
from ragapp.catalog.interrupts import interrupts_wait
from ragapp.types import document_id

from .conftest import row


class CtrlC(BaseException):
    """As KeyboardInterrupt, which would end the tests."""


@pytest.fixture(autouse=True)
def raised() -> Iterator[None]:
    """SIGINT is raised as CtrlC."""

    def handler(*_: object) -> None:
        raise CtrlC

    before = signal.signal(signal.SIGINT, handler)
    yield
    signal.signal(signal.SIGINT, before)


class TestInterruptsWait:
    def test_it_is_raised_at_the_end_of_the_block(self) -> None:
        done = False
        with pytest.raises(CtrlC), interrupts_wait():
            signal.raise_signal(signal.SIGINT)
            done = True
        assert done
        with pytest.raises(CtrlC):
            signal.raise_signal(signal.SIGINT)

    def test_of_blocks_in_blocks_the_outer_one_counts(self) -> None:
        done = False
        with pytest.raises(CtrlC), interrupts_wait():
            with interrupts_wait():
                signal.raise_signal(signal.SIGINT)
            done = True
        assert done

    def test_it_is_raised_where_the_block_failed(self) -> None:
        with pytest.raises(CtrlC) as raised, interrupts_wait():
            signal.raise_signal(signal.SIGINT)
            raise ValueError
        assert isinstance(raised.value.__context__, ValueError)

    @pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL])
    def test_what_no_python_handles_stays_so(self, handler: signal.Handlers) -> None:
        signal.signal(signal.SIGINT, handler)
        with interrupts_wait():
            assert signal.getsignal(signal.SIGINT) is handler
        assert signal.getsignal(signal.SIGINT) is handler

    def test_other_threads_change_nothing(self) -> None:
        handlers = []

        def work() -> None:
            with interrupts_wait():
                handlers.append(signal.getsignal(signal.SIGINT))

        before = signal.getsignal(signal.SIGINT)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert handlers == [before]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Python loses what a destructor raises
def test_interrupted_at_any_moment_the_catalog_can_be_written(catalog: Catalog) -> None:
    chance = random.Random(7)
    ended = threading.Event()

    def others() -> None:
        while not ended.wait(0.002):
            catalog.next_revision("of another thread")

    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    other = threading.Thread(target=others)
    other.start()
    interrupted, kept, took = 0, [], 0.005
    try:
        for number in range(200):
            source = f"{number}.md"
            new = row(source, catalog.next_revision(document_id("default", source)))
            began = time.monotonic()
            try:
                signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-5, took))
                catalog.commit_document(new)
                took = time.monotonic() - began
                signal.setitimer(signal.ITIMER_REAL, 0)
            except CtrlC as error:
                # as long as it is handled its traceback keeps alive what was at work
                kept.append(error)
                interrupted += 1
            began = time.monotonic()
            assert catalog.next_revision(new.id) == 2
            assert time.monotonic() - began < 20, "it waited for a lock that nobody holds any more"
            now = catalog.document(new.id)
            assert now is None or (now.state, now.groups) == ("live", new.groups)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        ended.set()
        other.join()
    assert interrupted > 20
