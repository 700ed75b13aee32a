"""What the service's routes work with: built once, handed in through the app's state."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from starlette.requests import HTTPConnection

from ragapp.app import RagApp
from ragapp.catalog import chosen
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.service_rows import PersonRow
from ragapp.errors import CatalogError
from ragapp.logs import request_id
from ragapp.serve.line import Line
from ragapp.serve.metrics import Metrics
from ragapp.serve.sealed import Seal
from ragapp.serve.signin import Tries
from ragapp.serve.standing import Standing
from ragapp.settings import Settings

if TYPE_CHECKING:
    from ragapp.serve.answers import Answers
    from ragapp.serve.care import EngineCare
    from ragapp.serve.connections import Connections
    from ragapp.serve.cursors import Cursors
    from ragapp.serve.drawing import Drawing
    from ragapp.serve.oidc import Provider
    from ragapp.serve.page_care import PageCare
    from ragapp.serve.page_proxy import PageProxy
    from ragapp.serve.spooling import Spooling
    from ragapp.serve.traces import Traces
    from ragapp.serve.work import Work

LOCAL_NAME = chosen.LOCAL_NAME


@dataclass(slots=True)
class House:
    """The service's parts."""

    rag: RagApp
    line: Line
    tries: Tries
    metrics: Metrics
    answers: Answers
    engine: EngineCare
    work: Work
    drawing: Drawing
    connections: Connections
    spooling: Spooling
    cursors: Cursors
    """Where pages of lists ended, sealed."""
    embedding: Line = field(default_factory=lambda: Line(1, 100, 10))
    """Programs that want vectors; one at a time, since the embedder takes no more and questions need it too."""
    compiling: Line = field(default_factory=lambda: Line(1, 100, 10))
    """Schemas that wait to be compiled; one at a time, by turns, so that a costly one delays no other request."""
    traces: Traces | None = None
    """Where spans are made, if they are."""
    provider: Provider | None = None
    """Where people sign in with the company's accounts, where there is one."""
    page: PageProxy | None = None
    """The web page behind the service, where there is one."""
    page_care: PageCare | None = None
    """The page's process, where the service looks after it."""
    handover_secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    """Lets the command line on this machine in; lies in a file that only the data folder's owner can read."""
    seal: Seal = field(init=False, repr=False)
    standing: Standing = field(init=False, repr=False)
    """Whether the company's provider still vouches for people."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.seal = Seal(self.data)
        self.standing = Standing(self)

    @property
    def settings(self) -> Settings:
        return self.rag.settings

    @property
    def catalog(self) -> Catalog:
        return self.rag.catalog

    @property
    def data(self) -> Path:
        return self.rag.settings.data

    def active(self, person_id: str) -> PersonRow | None:
        """A person as they are at this moment; None where they are locked out or no more, or where the company's
        provider, at which they signed in, vouches for them no more. May wait for that provider."""
        try:
            person = self.catalog.people.get(person_id)
        except CatalogError:
            return None
        if not person.active or not self.standing.good(person):
            return None
        # what the provider said just now may have changed groups and role
        return self.catalog.people.get(person_id) if person.subject is not None else person

    def local_person(self) -> PersonRow:
        """The person at this machine: an admin without a password, made at first use."""
        with self._lock:
            known = self.catalog.people.find(name=LOCAL_NAME)
            return known or self.catalog.people.add(LOCAL_NAME, display="This machine", role="admin")

    def note(self, person_id: str, action: str, what: str = "", **detail: object) -> None:
        """Into the audit, with the request's id."""
        self.catalog.audit.note(person_id, action, what, detail, request_id())


def house_of(request: HTTPConnection) -> House:
    """The house of the app that got this request."""
    return cast("House", request.app.state.house)
