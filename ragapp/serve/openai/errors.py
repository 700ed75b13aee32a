"""Errors in OpenAI's shape, so that its client raises the kinds that programs catch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from ragapp.errors import QuestionTooLong, RagappError
from ragapp.logs import request_id
from ragapp.serve import wording
from ragapp.serve.line import LineFull
from ragapp.serve.problems import Refused, in_words, is_admins, sentence_of, status_of, wrong_address

PREFIX = "/openai/v1"
_log = logging.getLogger(__name__)
_CODES = {
    HTTPStatus.UNAUTHORIZED: "invalid_api_key",
    HTTPStatus.FORBIDDEN: "insufficient_permissions",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_exceeded",
}
_STATUSES = (400, 401, 403, 404, 409, 413, 422, 429, 500, 503, 507)


class ErrorOut(BaseModel):
    message: str = Field(examples=["The model ragapp/board doesn't exist, or you may not see it."])
    type: str = Field(examples=["invalid_request_error"])
    param: str | None = Field(examples=["model"])
    code: str | None = Field(examples=["model_not_found"])


class ErrorBody(BaseModel):
    """What went wrong, as OpenAI says it."""

    error: ErrorOut


ERRORS: dict[int | str, dict[str, Any]] = {
    # a body that is too large is refused before it is known for whom it is
    status: {"model": ErrorBody, "description": "One sentence on what went wrong."}
    | ({"content": {"application/problem+json": {}}} if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else {})
    for status in _STATUSES
}


class BadParameter(Refused):
    """A parameter that can't be used; `param` names it."""

    def __init__(self, param: str, sentence: str) -> None:
        super().__init__(HTTPStatus.BAD_REQUEST, sentence)
        self.param = param


class NoSuchModel(Refused):
    """The same for a collection that isn't there and for one that the caller may not see."""

    def __init__(self, model: str) -> None:
        super().__init__(HTTPStatus.NOT_FOUND, f"The model {model[:200]} doesn't exist, or you may not see it.")


def error_body(status: int, sentence: str, *, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """An error as OpenAI's client reads it."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        kind = "rate_limit_error"
    else:
        kind = "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
    code = code or _CODES.get(HTTPStatus(status))
    return {"error": {"message": sentence, "type": kind, "param": param, "code": code}}


def told(error: RagappError, *, admin: bool = False) -> tuple[int, dict[str, Any], dict[str, str]]:
    """(status, body, headers) of an error that was raised on purpose."""
    sentence = wording.told(error, admin=admin)
    headers: dict[str, str] = dict(getattr(error, "headers", {}))
    if isinstance(error, LineFull):
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, QuestionTooLong):
        return 400, error_body(400, sentence, param="messages", code="context_length_exceeded"), headers
    if isinstance(error, NoSuchModel):
        return 404, error_body(404, sentence, param="model", code="model_not_found"), headers
    status = status_of(error)
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        # OpenAI's client raises BadRequestError for 400 only
        status = HTTPStatus.BAD_REQUEST
    return status, error_body(status, sentence, param=getattr(error, "param", None)), headers


def unexpected() -> dict[str, Any]:
    """The body for what nobody foresaw; the log has the rest under the request's id."""
    sentence = f"The service failed unexpectedly; tell an admin the request id {request_id()}."
    return error_body(HTTPStatus.INTERNAL_SERVER_ERROR, sentence)


async def wrong_address_in_shape(request: Request, error: Exception) -> Response:
    """`wrong_address` for all of the service: what OpenAI's clients speak to answers as they read it."""
    if isinstance(error, HTTPException) and request.url.path.startswith(f"{PREFIX}/"):
        return _shaped(error)
    return await wrong_address(request, error)


def _shaped(error: HTTPException) -> Response:
    return JSONResponse(error_body(error.status_code, sentence_of(error)), error.status_code, dict(error.headers or {}))


class OpenAiRoute(APIRoute):
    """A route whose errors, those of its dependencies too, are in OpenAI's shape."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def answering(request: Request) -> Response:
            try:
                return await answer(request)
            except RagappError as error:
                status, body, headers = told(error, admin=is_admins(request))
            except RequestValidationError as error:
                faults = error.errors()
                param = next((str(part) for part in faults[0]["loc"][1:2]), None)
                status, body, headers = 400, error_body(400, in_words(faults), param=param), {}
            except HTTPException as error:
                return _shaped(error)
            except Exception:  # noqa: BLE001 - the last door of this path
                _log.exception("unexpected failure")
                status, body, headers = 500, unexpected(), {}
            return JSONResponse(body, status, headers)

        return answering
