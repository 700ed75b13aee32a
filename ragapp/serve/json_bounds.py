"""What a request's JSON may be made of: its size is bounded before, but a MiB can be half a million values, each of
which is checked by itself and told of when it is wrong."""

from __future__ import annotations

import re
from http import HTTPStatus

import numpy as np
from fastapi import Request
from fastapi.requests import HTTPConnection

from ragapp.serve.problems import Refused

DEEPEST = 100
"""Objects and lists within one another."""
MOST_VALUES = 30_000
"""Values in one body: 2,000 messages of a conversation with all that a message may have."""
_TEXTS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_JSON = re.compile(r"application/(?:[\w.+-]*\+)?json\b", re.IGNORECASE)


async def modest(connection: HTTPConnection) -> None:
    """Refuse a JSON body that is nested too deep or holds too many values, before any of it is looked at."""
    # the page's WebSocket comes this way too, and has none
    if not isinstance(connection, Request) or not _JSON.match(connection.headers.get("content-type", "")):
        return
    body = await connection.body()
    if b"\x00" in body:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "The request can't be used: JSON is read as UTF-8; send it so.")
    depth, values = measured(body)
    if depth > DEEPEST:
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"The request can't be used: its JSON is nested {depth} deep, and {DEEPEST} is the most that is taken.",
        )
    if values > MOST_VALUES:
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"The request can't be used: it holds {values} values, and {MOST_VALUES} are the most that are taken.",
        )


def measured(body: bytes) -> tuple[int, int]:
    """(how deep JSON is nested, how many values it holds, about), in time that grows with its bytes alone."""
    bare = np.frombuffer(_TEXTS.sub(b"", body), dtype=np.uint8)
    opens = (bare == ord("[")) | (bare == ord("{"))
    closes = (bare == ord("]")) | (bare == ord("}"))
    steps = opens.astype(np.int8) - closes.astype(np.int8)
    depth = int(np.cumsum(steps, dtype=np.int32).max(initial=0))
    return depth, int((bare == ord(",")).sum()) + int(opens.sum())
