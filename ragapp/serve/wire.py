"""HTTP/1.1 and WebSockets as uvicorn speaks them (with h11), within the limits that `connections` keeps."""

from __future__ import annotations

import asyncio
import fcntl
import json
import socket
import struct
import termios
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from ragapp.serve.bodies import SMALL_BODY
from ragapp.serve.connections import HELD, Connections, Held, Limits, Phase, Speaker, Why

BACKLOG = 128
"""Connections that the kernel keeps for us, and that asyncio takes in one turn of the loop. It takes three turns until
we see them and end what is beyond the limits, so that up to three times as many descriptors are in use besides."""
_VANISHED_MS = 60_000
"""What is not acknowledged for so long was sent to somebody who isn't there any more."""
_SWALLOWED = 16 << 20
"""Bytes that are read of a body that nobody wants, so that its sender comes to read why."""
_RETRY_S = 5
Fault = tuple[Why, HTTPStatus, str]
_TOO_MANY: Fault = (
    "too many",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "There are too many connections at the moment; try again in a few seconds.",
)
_TOO_SLOW: Fault = (
    "too slow",
    HTTPStatus.REQUEST_TIMEOUT,
    "The request took too long to arrive; send it again.",
)
_LONG_LINE: Fault = (
    "too large",
    HTTPStatus.REQUEST_URI_TOO_LONG,
    "The address of the request is too long; send less in it.",
)
_LARGE_HEAD: Fault = (
    "too large",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "The request's headers are too many or too large; send fewer.",
)
_NO_SENSE = "This is no HTTP request that can be read; send another."


def configured(app: Any, connections: Connections, **more: Any) -> uvicorn.Config:
    """How uvicorn is to serve `app`."""
    return uvicorn.Config(
        app,
        # as `serve` runs it, wherever else it is run
        loop="asyncio",
        http=partial(GuardedHttp, connections),  # type: ignore[arg-type]
        ws=GuardedWebSocket,
        ws_max_size=SMALL_BODY,
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        # later than ours, which knows of all phases
        timeout_keep_alive=round(connections.limits.idle_s) + 5,
        **more,
    )


class _Wire:
    """A transport. It is closed only after the other end had time to read the last word: closed with something unread,
    a socket throws away what was sent last."""

    def __init__(self, transport: asyncio.Transport, connections: Connections, unread: Callable[[], bool]) -> None:
        self._transport = transport
        self._connections = connections
        self._unread = unread
        self.held: Held | None = None
        self.lingers = False
        """All is said; what comes is thrown away."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self.lingers or self._transport.is_closing()

    def write(self, data: bytes) -> None:
        if not self.lingers:
            self._transport.write(data)

    def close(self) -> None:
        if self.is_closing():
            return
        assert self.held is not None
        now = self._connections.clock()
        self.held.turn("leaving", now)
        if waiting := self._transport.get_write_buffer_size():
            # the other end may put off for ever to read it
            self.held.stuck = (now, waiting + in_kernel(self._transport))
        if not (self._unread() and self._connections.leaves(self.held)):
            self._transport.close()
            return
        self.lingers = True
        with suppress(OSError, RuntimeError):
            self._transport.write_eof()
            self._transport.resume_reading()


class _Reading(h11.Connection):
    """h11's own reading, which also refuses a head that is too large but came whole, and counts."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(h11.SERVER, limits.head_bytes)
        self._limits = limits
        self.requests = 0
        self.body = 0
        """Bytes of bodies since somebody looked."""
        self.fault: Fault = ("no sense", HTTPStatus.BAD_REQUEST, _NO_SENSE)

    def next_event(self) -> Any:
        try:
            event = super().next_event()
        except h11.RemoteProtocolError as error:
            if error.error_status_hint == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
                self.fault = _LARGE_HEAD if b"\n" in self.trailing_data[0] else _LONG_LINE
            raise
        if isinstance(event, h11.Request):
            self.requests += 1
            self._look(event)
        elif isinstance(event, h11.Data):
            self.body += len(event.data)
        return event

    def _look(self, asked: h11.Request) -> None:
        size = len(asked.target) + sum(len(name) + len(value) for name, value in asked.headers)
        if len(asked.target) > self._limits.line_bytes:
            self.fault = _LONG_LINE
        elif len(asked.headers) > self._limits.headers or size > self._limits.head_bytes:
            self.fault = _LARGE_HEAD
        else:
            return
        raise h11.RemoteProtocolError(self.fault[2])


class GuardedHttp(H11Protocol):
    """One connection. All that it does is told to its keeper, who ends it where it takes too long."""

    def __init__(
        self,
        connections: Connections,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        # of its own, so that a request finds its connection there
        super().__init__(config, server_state, dict(app_state), _loop)
        self._keeper = connections
        self._swallowed = 0
        self._answered = 0
        self._seen = (0, 0)
        self._is_page = False
        self._reading = _Reading(connections.limits)
        self.conn = self._reading
        self._held: Held
        self._wire: _Wire

    # as asyncio and uvicorn call it

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._wire = _Wire(transport, self._keeper, self._expects_more)
        super().connection_made(self._wire)  # type: ignore[arg-type]
        _set_options(transport)
        self._held, room = self._keeper.take(self, self.client[0] if self.client else "")
        self._wire.held = self._held
        self.app_state[HELD] = self._held
        if not room:
            self._refuse(_TOO_MANY)

    def connection_lost(self, exc: Exception | None) -> None:
        self._keeper.gone(self._held)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._wire.is_closing():
            self._swallow(len(data))
            return
        if self._held.phase in ("silent", "idle"):
            self._held.turn("head", self._keeper.clock())
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        self._answered += 1
        super().on_response_complete()
        self._look()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._is_page = True
        super().handle_websocket_upgrade(event)

    def send_400_response(self, msg: str) -> None:
        """Instead of uvicorn's: with the right status, and not while something else is being said."""
        self._refuse(self._reading.fault)

    def shutdown(self) -> None:
        if self._wire.is_closing() or self._held.phase in ("silent", "head", "idle"):
            self.cut()
        else:
            super().shutdown()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._held.stuck = (self._keeper.clock(), self.unsent())

    def resume_writing(self) -> None:
        super().resume_writing()
        self._held.stuck = None

    # as its keeper calls it

    def reads(self) -> bool:
        return not self.flow.read_paused

    def unsent(self) -> int:
        return int(self._wire.get_write_buffer_size()) + in_kernel(self._wire)

    def end(self, why: Why) -> None:
        if why == "too slow" and self._held.phase in ("head", "body"):
            self._refuse(_TOO_SLOW)
        else:
            # there is nothing to answer
            self._keeper.note(why)
            self.cut()

    def cut(self) -> None:
        self._wire.abort()
        # asyncio tells us in its next turn only, and somebody needs the place now
        self._keeper.gone(self._held)

    # inside

    def _look(self) -> None:
        """Tell the keeper what this connection does now; anew for each request."""
        if self._wire.is_closing():
            return
        seen, phase = (self._reading.requests, self._answered), self._phase()
        if (phase, seen) != (self._held.phase, self._seen):
            self._held.turn(phase, self._keeper.clock())
            self._seen = seen
        elif phase == "body":
            self._held.got += self._reading.body
            if self.cycle.response_complete:
                self._swallow(self._reading.body)
        self._reading.body = 0

    def _phase(self) -> Phase:
        if self._is_page:
            return "page"
        if self.conn.their_state is h11.SEND_BODY:
            return "body"
        if self.cycle is not None and not self.cycle.response_complete:
            return "answer"
        if self.conn.trailing_data[0]:
            return "head"
        return "idle" if self._reading.requests else "silent"

    def _expects_more(self) -> bool:
        """Whether something of the other end's may come that we haven't read."""
        return not self._is_page and self.conn.their_state in (h11.IDLE, h11.SEND_BODY, h11.ERROR)

    def _swallow(self, count: int) -> None:
        self._swallowed += count
        if self._swallowed > _SWALLOWED:
            self.cut()

    def _refuse(self, fault: Fault) -> None:
        if self._wire.is_closing():
            return
        why, status, sentence = fault
        self._keeper.note(why)
        cycle = self.cycle
        answering = cycle is not None and not cycle.response_complete
        if not (answering and cycle.response_started):
            self._wire.write(_answer(status, sentence))
        if answering:
            cycle.disconnected = True
            cycle.message_event.set()
        self._wire.close()


class GuardedWebSocket(WebSocketsSansIOProtocol):
    """The page's connection, after the request that began it; it counts until it ends."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._held: Held = app_state[HELD]
        self._http: Speaker = self._held.speaker
        self._held.speaker = self

    def connection_lost(self, exc: Exception | None) -> None:
        self._held.keeper.gone(self._held)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._held.stuck = (self._held.keeper.clock(), self.unsent())

    def resume_writing(self) -> None:
        super().resume_writing()
        self._held.stuck = None

    def reads(self) -> bool:
        return not self.read_paused

    def unsent(self) -> int:
        return self._http.unsent()

    def end(self, why: Why) -> None:
        self._held.keeper.note(why)
        self.cut()

    def cut(self) -> None:
        self._http.cut()


def _answer(status: HTTPStatus, sentence: str) -> bytes:
    """A problem as it goes over the wire, where no app makes a response of it."""
    body = json.dumps({"type": "about:blank", "title": status.phrase, "status": int(status), "detail": sentence})
    retry = f"Retry-After: {_RETRY_S}\r\n" if status == HTTPStatus.SERVICE_UNAVAILABLE else ""
    return (
        f"HTTP/1.1 {int(status)} {status.phrase}\r\nContent-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\n{retry}X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n{body}"
    ).encode()


def _set_options(transport: asyncio.Transport) -> None:
    opened = transport.get_extra_info("socket")
    if opened is None:
        return
    with suppress(OSError):
        # asyncio leaves this out where the socket was made by somebody else, as ours is: a head and its body are two
        # writes, and the second would wait 40 ms until the other end had said that it got the first
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _VANISHED_MS)


def in_kernel(transport: Any) -> int:
    """Bytes that the kernel has of us and the other end hasn't; 0 where it doesn't say."""
    opened = transport.get_extra_info("socket")
    try:
        (count,) = struct.unpack("i", fcntl.ioctl(opened.fileno(), termios.TIOCOUTQ, bytes(4)))
    except (OSError, AttributeError, ValueError):
        return 0
    return int(count)
