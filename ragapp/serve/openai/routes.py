"""The routes under /openai/v1."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse

from ragapp.serve.callers import Asker
from ragapp.serve.house import house_of
from ragapp.serve.openai import bare, grounded
from ragapp.serve.openai.call import call
from ragapp.serve.openai.embeddings import embedded
from ragapp.serve.openai.errors import ERRORS, PREFIX, NoSuchModel, OpenAiRoute
from ragapp.serve.openai.names import is_bare, listed
from ragapp.serve.openai.shapes import ChatIn, EmbeddingsIn, EmbeddingsOut, ModelOut, ModelsOut
from ragapp.serve.problems import Refused
from ragapp.serve.streaming import Streamed, while_there

router = APIRouter(prefix=PREFIX, tags=["openai"], route_class=OpenAiRoute, responses=ERRORS)
_COMPLETION: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "OpenAI's chat.completion, or its chunks where `stream` is set. Answers from documents carry "
        "`ragapp` on the message, or on the last delta with text: answer_id, state, citations, passages, nearest.",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "text/event-stream": {},
        },
    }
}
_LEFT = 499
"""What nobody reads any more."""


@router.get("/models", operation_id="openai_models")
def models(request: Request, caller: Asker) -> ModelsOut:
    """What `model` may name: `ragapp` for all documents, `ragapp/NAME` for a collection, the model without documents,
    and the embedder."""
    return ModelsOut(data=[ModelOut(id=name) for name in listed(house_of(request), caller)])


@router.get("/models/{model:path}", operation_id="openai_model")
def model(request: Request, model: Annotated[str, Path(max_length=300)], caller: Asker) -> ModelOut:
    """One of the models."""
    if model not in listed(house_of(request), caller):
        raise NoSuchModel(model)
    return ModelOut(id=model)


@router.post("/chat/completions", operation_id="openai_chat", responses=_COMPLETION, response_class=JSONResponse)
async def chat(request: Request, asked: ChatIn, caller: Asker) -> Response:
    """A chat completion: from documents where `model` is `ragapp` or `ragapp/NAME`, from the bare model by its name."""
    house = house_of(request)
    if is_bare(house, asked.model):
        reply = bare.Reply.begin(house, await call(house, caller, asked))
        if asked.stream:
            return Streamed(bare.chunks(reply, asked), aclosing(reply))
        return _json(await while_there(request, bare.whole(reply, asked.model)))
    live = await house.answers.ask(await asyncio.to_thread(grounded.asking, house, caller, asked))
    if asked.stream:
        return Streamed(grounded.chunks(house.answers, live, asked), house.answers.reading(live))
    return _json(await while_there(request, grounded.whole(house.answers, live, asked.model)))


@router.post("/embeddings", operation_id="openai_embeddings", response_model=EmbeddingsOut)
async def embeddings(request: Request, asked: EmbeddingsIn, caller: Asker) -> Any:
    """Vectors of texts, of length 1, by the embedder that the index uses."""
    made = await while_there(request, embedded(house_of(request), caller, asked))
    return made or Response(status_code=_LEFT)


@router.api_route("/{rest:path}", methods=["GET", "POST", "DELETE"], include_in_schema=False)
def nothing(rest: str, caller: Asker) -> None:
    """OpenAI's other routes, told apart from a wrong address by a sentence."""
    raise Refused(
        HTTPStatus.NOT_FOUND,
        f"There is no {rest[:100]} here; of OpenAI's API there are models, chat/completions and embeddings.",
    )


def _json(body: dict[str, Any] | None) -> Response:
    return JSONResponse(body) if body is not None else Response(status_code=_LEFT)
