"""The engine's life inside the service: loaded in the background, watched, started again in bounded tries."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass
from typing import Literal

from ragapp.app import RagApp
from ragapp.errors import RagappError

_log = logging.getLogger(__name__)
_LOOK_EVERY_S = 0.5
_WINDOW_S = 600.0
_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether questions can be answered now, and if not, why, in one sentence."""

    state: Literal["loading", "ready", "restarting", "failed"]
    detail: str = ""
    restarts: int = 0


class EngineCare:
    """Loads models and index, then looks after the engine. `run` is a task of the service's loop."""

    def __init__(self, rag: RagApp, most_restarts: int) -> None:
        self._rag = rag
        self._most = most_restarts
        self._restarts: deque[float] = deque()
        self._now = Readiness("loading", "The models are being loaded.")
        self._ready = asyncio.Event()

    @property
    def readiness(self) -> Readiness:
        return self._now

    @property
    def is_ready(self) -> bool:
        return self._now.state == "ready"

    async def ready(self) -> None:
        """Wait until questions can be answered."""
        await self._ready.wait()

    async def run(self) -> None:
        """Until cancelled."""
        wait_s = _FIRST_WAIT_S
        while True:
            if await self._start():
                wait_s = _FIRST_WAIT_S
                await self._watch()
                if not self._may_restart():
                    self._say("failed", f"The engine died {self._most + 1} times in ten minutes; see logs/engine.log.")
                    await asyncio.sleep(_LONGEST_WAIT_S)
                    continue
                self._say("restarting", "The engine died and is being started again; ask again in a moment.")
            else:
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    async def _start(self) -> bool:
        try:
            await asyncio.to_thread(self._load)
        except RagappError as error:
            self._say("failed", str(error))
            return False
        except Exception as error:  # noqa: BLE001 - the next try may go well, and whoever waits must hear of this one
            _log.exception("the models could not be loaded")
            self._say("failed", f"The models could not be loaded ({type(error).__name__}); logs/ragapp.log says why.")
            return False
        self._say("ready", "")
        return True

    def _load(self) -> None:
        # stages before the engine: what is wrong with the index is known in a second
        _ = self._rag.stages
        self._rag.engine.start()

    async def _watch(self) -> None:
        """Until the engine is not running any more, or can't say how it is."""
        try:
            while self._rag.engine.health().state == "running":  # noqa: ASYNC110 - vLLM tells of its death only who looks
                await asyncio.sleep(_LOOK_EVERY_S)
        except Exception:  # noqa: BLE001 - such an engine is started again, as one that died
            _log.exception("the engine could not be looked at")

    def _may_restart(self) -> bool:
        now = time.monotonic()
        while self._restarts and now - self._restarts[0] > _WINDOW_S:
            self._restarts.popleft()
        self._restarts.append(now)
        return len(self._restarts) <= self._most

    def _say(self, state: Literal["loading", "ready", "restarting", "failed"], detail: str) -> None:
        if state != self._now.state:
            _log.log(logging.INFO if state == "ready" else logging.WARNING, "engine %s %s", state, detail)
        self._now = Readiness(state, detail, len(self._restarts))
        if state == "ready":
            self._ready.set()
        else:
            self._ready.clear()
