"""The service as a process: the port is open at once, a signal lets answers finish, and who may find it is told."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import timedelta
from pathlib import Path

import uvicorn

from ragapp.app import RagApp
from ragapp.backup.exchange import finish_restore
from ragapp.catalog.process import is_running, own_mark
from ragapp.errors import IndexLocked, RagappError
from ragapp.index.owner import Ownership
from ragapp.logs import open_process_log
from ragapp.open_files import raised
from ragapp.private import private_file
from ragapp.serve.app import build_app, build_house
from ragapp.serve.house import House
from ragapp.serve.page_care import PageCare
from ragapp.serve.wire import BACKLOG, configured
from ragapp.settings import Settings
from ragapp.types import EVERYONE

NOTE = "service.json"
"""In the data folder: where the running service listens, and the secret by which its owner's commands reach it."""
_LINK_LASTS = timedelta(hours=24)
_LAST_WORDS_S = 5


class _Server(uvicorn.Server):
    """Before the connections are closed, the answers in progress get their time."""

    def __init__(self, config: uvicorn.Config, house: House) -> None:
        super().__init__(config)
        self._house = house

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._settling = asyncio.create_task(_settle(self._house), name="settling")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._settling.cancel()
        await self._house.answers.close(self._house.settings.serve.stop_grace_s)
        await super().shutdown(sockets)


async def _settle(house: House) -> None:
    """Models and libraries, most of a million objects, are there to stay: to go through them all for what is garbage
    would hold everybody up for half a second, as often as a crowd comes."""
    await house.engine.ready()
    await asyncio.to_thread(gc.collect)
    gc.freeze()


@contextmanager
def held(data: Path) -> Iterator[Ownership]:
    """The data folder is this process's to serve, from before it is opened and anything in it is written.

    Raises IndexLocked, naming the process, where a service or a restore has it; CatalogError where it can't be written.
    """
    # one that an older version of ragapp runs has left its note and no lock
    if (other := _note(data)) and other["mark"] != own_mark() and is_running(other["mark"]):
        process = other["mark"].split(":")[1]
        raise IndexLocked(
            f"The data folder {data} is in use by process {process}, a service at {other['url']}; stop it first, or "
            "choose another --data."
        )
    holding = Ownership.of_folder(data)
    try:
        finish_restore(data)
        yield holding
    finally:
        holding.release()


def serve(
    rag: RagApp,
    say: Callable[[str], None],
    *,
    holding: Ownership | None = None,
    with_page: bool = False,
    first: Path | None = None,
) -> None:
    """Serve until a signal comes, `with_page` with the web page's process beside; the folder `first` is taken in.

    `holding` is the data folder's, of whoever took it (`held`) before anything was opened in it; else it is taken here.
    Raises RagappError where the port is taken, where Streamlit is missing, or where another process has the folder.
    """
    open_process_log(rag.settings)
    settings = rag.settings.serve
    with _listening(settings.host, settings.port) as opened:
        own_url = _url(settings.host, opened.getsockname()[1])
        if not (files := raised(settings.connections)).is_enough:
            say(f"{files.found[0].upper()}{files.found[1:]}; {files.remedy}.")
        url = settings.public_url or own_url
        house = build_house(rag, PageCare(own_url) if with_page else None)
        with told(rag.settings.data, own_url, house.handover_secret, holding):
            say(f"ragapp listens on {url}; the models are being loaded.")
            if first:
                say(f"There are no documents yet: the examples in {first} are being read.")
                house.work.add(note_examples(rag, first))
            if not settings.single_user and not house.catalog.people.admins():
                secret = house.catalog.credentials.invite(_LINK_LASTS, role="admin")
                say(f"Make the first account, an admin, here; the link works once, for 24 hours: {url}/join/{secret}")
            config = configured(
                build_app(house),
                house.connections,
                timeout_graceful_shutdown=_LAST_WORDS_S,
                proxy_headers=settings.public_url is not None,
                forwarded_allow_ips=list(settings.proxies),
            )
            # uvicorn raises the signal that ended it once more; Ctrl-C is how a service is stopped, and no fault
            with suppress(KeyboardInterrupt):
                asyncio.run(_Server(config, house).serve(sockets=[opened]))
            say("ragapp has stopped.")


def note_examples(rag: RagApp, folder: Path) -> int:
    """The examples as a waiting job; returns its id. They are nobody's secret, and said to be everyone's; where
    somebody chose who sees what is put into the collection, that holds."""
    rule = rag.catalog.collection_rules.get("default")
    return rag.intake.note_paths([folder], "default", None if rule and rule.groups else EVERYONE)


def running(data: Path) -> tuple[str, str] | None:
    """Address and secret of the service that has this data folder open; None where none runs."""
    note = _note(data)
    return (note["url"], note["secret"]) if note and is_running(note["mark"]) else None


def address(settings: Settings) -> str:
    """What browsers call the service: of the one that runs, else of the one that these settings would start."""
    if settings.serve.public_url:
        return settings.serve.public_url.rstrip("/")
    found = running(settings.data)
    return found[0] if found else _url(settings.serve.host, settings.serve.port)


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            opened.bind((host, port))
        except OSError as error:
            raise RagappError(
                f"The service can't listen on {host}:{port} ({error.strerror}); stop what listens there, or choose "
                "another serve.port."
            ) from None
        opened.listen(BACKLOG)
        opened.set_inheritable(False)
        yield opened
    finally:
        opened.close()


@contextmanager
def told(data: Path, url: str, secret: str, holding: Ownership | None = None) -> Iterator[None]:
    """Leave a note for this machine's commands, readable by the data folder's owner only, while the folder is held:
    by `holding`, or else for as long as the note is there. Raises IndexLocked where another process holds it."""
    with nullcontext(holding) if holding else held(data):
        path = data / NOTE
        draft = path.with_name(f".{NOTE}-{os.getpid()}")
        with open(draft, "w", encoding="utf-8", opener=private_file) as sink:
            json.dump({"url": url, "secret": secret, "mark": own_mark()}, sink)
        draft.replace(path)
        try:
            yield
        finally:
            # another's note is that one's to take away
            if (note := _note(data)) and note["secret"] == secret:
                path.unlink(missing_ok=True)


def _note(data: Path) -> dict[str, str] | None:
    try:
        note = json.loads((data / NOTE).read_text(encoding="utf-8"))
        return {name: str(note[name]) for name in ("url", "secret", "mark")}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _url(host: str, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - named, not bound
    return f"http://{shown}:{port}"
