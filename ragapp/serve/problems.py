"""Errors as problem+json (RFC 9457): one sentence, the right status, and the request's id."""

from __future__ import annotations

import errno
import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from ragapp.errors import (
    BadQuestion,
    CatalogError,
    EngineError,
    IndexLocked,
    IndexUnavailable,
    ModelError,
    NobodyChosen,
    QuestionTooLong,
    RagappError,
    RightsChanged,
    SettingsError,
    SourceUnavailable,
    StorageFull,
    TooCostly,
    Unreadable,
)
from ragapp.logs import request_id
from ragapp.serve.line import LineFull
from ragapp.serve.wording import told

_log = logging.getLogger(__name__)
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_STATUS: tuple[tuple[type[RagappError], HTTPStatus], ...] = (
    (LineFull, HTTPStatus.TOO_MANY_REQUESTS),
    (QuestionTooLong, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (BadQuestion, HTTPStatus.UNPROCESSABLE_ENTITY),
    (TooCostly, HTTPStatus.UNPROCESSABLE_ENTITY),
    (Unreadable, HTTPStatus.UNPROCESSABLE_ENTITY),
    (SettingsError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (SourceUnavailable, HTTPStatus.UNPROCESSABLE_ENTITY),
    (StorageFull, HTTPStatus.INSUFFICIENT_STORAGE),
    (EngineError, HTTPStatus.SERVICE_UNAVAILABLE),
    (ModelError, HTTPStatus.SERVICE_UNAVAILABLE),
    (IndexUnavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (IndexLocked, HTTPStatus.SERVICE_UNAVAILABLE),
    (CatalogError, HTTPStatus.CONFLICT),
    (NobodyChosen, HTTPStatus.CONFLICT),
    (RightsChanged, HTTPStatus.CONFLICT),
)


class Refused(RagappError):
    """A request that is answered with an error's status and one sentence."""

    def __init__(self, status: HTTPStatus, sentence: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = headers or {}


def not_found(what: str) -> Refused:
    """The same for what isn't there and for what the asker may not see, so that nothing is given away."""
    return Refused(HTTPStatus.NOT_FOUND, f"There is no such {what}, or you may not see it.")


def forbidden(sentence: str) -> Refused:
    return Refused(HTTPStatus.FORBIDDEN, sentence)


def status_of(error: RagappError) -> HTTPStatus:
    if isinstance(own := getattr(error, "status", None), HTTPStatus):
        return own
    return next((status for kind, status in _STATUS if isinstance(error, kind)), HTTPStatus.BAD_REQUEST)


def problem(status: int, sentence: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """A problem as a response."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": sentence,
        "request_id": request_id(),
    }
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def answer_errors(app: FastAPI) -> None:
    """Have every error that is raised on purpose end as a problem; `unexpected` is for AroundRequests to call."""
    app.add_exception_handler(RagappError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)


async def _known(request: Request, error: Exception) -> Response:
    assert isinstance(error, RagappError)
    status, headers = status_of(error), dict(getattr(error, "headers", {}))
    if isinstance(error, LineFull):
        headers["Retry-After"] = str(error.retry_after_s)
    return problem(status, told(error, admin=is_admins(request)), headers)


def is_admins(request: HTTPConnection) -> bool:
    """Whether an admin sent this request, as far as it was looked up."""
    caller = getattr(request.state, "caller", None)
    return caller is not None and bool(caller.is_admin)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, in_words(error.errors()))


def in_words(faults: Any) -> str:
    """The first fault of a request as a sentence that names the field; what was sent is not repeated."""
    fault = faults[0]
    where = (
        ".".join(str(part) for part in fault["loc"] if part not in ("body", "query", "path", "header")) or "the body"
    )
    more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
    return f"The request can't be used: {where}: {fault['msg']}{more}."


async def wrong_address(_: Request, error: Exception) -> Response:
    """What the framework answers by itself: no such address, or not by this method."""
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, OSError) and error.__cause__.errno in _DISK_FULL:
        # what was being uploaded; its parser lets nothing else through
        return problem(HTTPStatus.INSUFFICIENT_STORAGE, "The disk is full; free some space and send it again.")
    return problem(error.status_code, sentence_of(error), dict(error.headers or {}))


def sentence_of(error: HTTPException) -> str:
    said = {
        HTTPStatus.NOT_FOUND: "There is nothing at this address; /docs lists what there is.",
        HTTPStatus.METHOD_NOT_ALLOWED: "This address doesn't take that method; /docs lists what it takes.",
    }
    if error.status_code == HTTPStatus.BAD_REQUEST:
        # the framework's parsers say it in a word or in several sentences
        why = str(error.detail).rstrip(".").replace(". ", ": ")
        return f"The request's body can't be read ({why[:200]})."
    return said.get(HTTPStatus(error.status_code), str(error.detail))


def unexpected(error: Exception) -> Response:
    """The problem for what nobody foresaw: the person gets the id under which the log holds the rest."""
    _log.error("unexpected failure", exc_info=error)
    return problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        f"The service failed unexpectedly; tell an admin the request id {request_id()}, under which its log says why.",
    )
