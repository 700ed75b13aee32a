"""A request's body: not read before it is known who sends it and that they may, and never more of it than may be.

FastAPI reads a body before it asks any of a route's dependencies, and keeps files on the disk while it does. So the
right is asked for here, when a body is first wanted, and again by the route, since rights may change while it comes.
"""

from __future__ import annotations

from http import HTTPStatus

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message, Receive, Scope

from ragapp.errors import RagappError
from ragapp.serve.callers import Caller, Needs, OpenToAll, Right, brings_nothing
from ragapp.serve.problems import status_of
from ragapp.serve.spooling import Spooled, Spooling, fits_the_disk

SMALL_BODY = 1 << 20
"""Bytes; for everything but uploads."""
_UNKNOWN_BODY = 16 << 10
"""Bytes that anybody may send: a name, a password, an invitation."""
_DISCARDED = 64 << 10
"""Bytes of a body nobody wanted for which a connection is not given up."""


class Shut(HTTPException):
    """No more of this body is taken. The framework hands this kind on from where it reads."""

    def __init__(self, status: HTTPStatus, sentence: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(int(status), sentence, headers)


class Body:
    """One request's body as the app reads it; `end` is to be called however the request ends."""

    def __init__(self, scope: Scope, receive: Receive, largest: int, spooling: Spooling) -> None:
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"")
        self.length = int(length) if length.isdigit() else None
        """As its sender says; None where nothing is said."""
        self._comes = bool(self.length) or b"transfer-encoding" in headers
        self._scope = scope
        self._receive = receive
        self._most = largest
        self._spooling = spooling
        self._spooled: Spooled | None = None
        self._admitted = False
        self._read = 0
        self.answered = False
        """The response has begun, and can't become another any more."""

    @property
    def is_too_large(self) -> bool:
        return self.length is not None and self.length > self._most

    @property
    def too_large(self) -> str:
        most = f"{self._most >> 20} MiB" if self._most >= SMALL_BODY else f"{self._most >> 10} KiB"
        return f"The request is larger than {most}, the most that is taken here."

    @property
    def is_left(self) -> bool:
        """Whether so much of it is on its way and not wanted that its connection had better end."""
        return self._comes and (self.length is None or self.length - self._read > _DISCARDED)

    async def receive(self) -> Message:
        """The next of it. Raises Shut where it may not come."""
        if self._comes and not self._admitted:
            await self._admit()
        message = await self._receive()
        if message["type"] == "http.request":
            self._comes = self._comes and message.get("more_body", False)
            came = len(message.get("body", b""))
            self._read += came
            if fault := self._fault(came):
                if self.answered:
                    return {"type": "http.disconnect"}
                raise fault
        return message

    def end(self) -> None:
        if self._spooled:
            self._spooled.end()

    async def _admit(self) -> None:
        self._admitted = True
        right = right_of(self._scope.get("route"))
        if right == "public":
            self._most = min(self._most, _UNKNOWN_BODY)
        else:
            request = Request(self._scope)
            # strangers in a crowd cost no thread
            caller = (
                _admitted(request, right)
                if brings_nothing(request)
                else await run_in_threadpool(_admitted, request, right)
            )
            if self._most > SMALL_BODY:
                self._spooled = self._spooling.begin(caller.person.id)
        if self.is_too_large:
            raise Shut(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self.too_large)
        if self._spooled and not fits_the_disk(self.length or 0):
            raise Shut(
                HTTPStatus.INSUFFICIENT_STORAGE,
                "There is no room on the disk for this upload; tell an admin, and send it again later.",
            )

    def _fault(self, came: int) -> Shut | None:
        if self._read > self._most:
            return Shut(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self.too_large)
        if self._spooled and not self._spooled.grow(came):
            return Shut(
                HTTPStatus.TOO_MANY_REQUESTS,
                "Too much is being uploaded at the moment; send one after the other.",
                {"Retry-After": "30"},
            )
        return None


def _admitted(request: Request, right: Right) -> Caller:
    try:
        return Needs(right)(request)
    except RagappError as error:
        raise Shut(status_of(error), str(error), dict(getattr(error, "headers", {}))) from None


def right_of(route: object) -> Right:
    """What a route needs; of whatever is no route of ours, nothing."""
    return _right_in(route.dependant) or "public" if isinstance(route, APIRoute) else "public"


def _right_in(dependant: Dependant) -> Right | None:
    if isinstance(dependant.call, Needs | OpenToAll):
        return dependant.call.right
    return next((found for each in dependant.dependencies if (found := _right_in(each))), None)
