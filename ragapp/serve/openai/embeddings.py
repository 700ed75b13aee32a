"""Texts as vectors, by the embedder that the index uses."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING

import numpy as np

from ragapp.serve.callers import Caller
from ragapp.serve.house import House
from ragapp.serve.openai.errors import BadParameter, NoSuchModel
from ragapp.serve.openai.names import embedder_names
from ragapp.serve.openai.shapes import EmbeddingOut, EmbeddingsIn, EmbeddingsOut, TokensOut
from ragapp.serve.rights import Rights

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST = 2048
"""Texts in one request, as with OpenAI."""
_AT_ONCE = 32
"""Texts between two looks whether the client is still there."""


def texts_of(house: House, asked: EmbeddingsIn) -> tuple[list[str], list[int]]:
    """(texts, their tokens). Raises NoSuchModel and BadParameter. Blocks."""
    if asked.model not in embedder_names(house):
        raise NoSuchModel(asked.model)
    embedder = house.rag.embedder
    if asked.dimensions not in (None, embedder.dimensions):
        raise BadParameter("dimensions", f"This model's vectors have {embedder.dimensions} dimensions and no others.")
    given = [asked.input] if isinstance(asked.input, str) else asked.input
    if not given or len(given) > MOST:
        raise BadParameter("input", f"Between 1 and {MOST} texts are taken at once, and these are {len(given)}.")
    texts = [text for text in given if isinstance(text, str)]
    if len(texts) < len(given):
        raise BadParameter(
            "input", "Tokens of another model's tokenizer mean nothing here; send text (with LangChain: "
            "check_embedding_ctx_length=False).",
        )  # fmt: skip
    counts = embedder.count_tokens(texts)
    for at, (text, count) in enumerate(zip(texts, counts, strict=True)):
        if not text.strip():
            raise BadParameter(f"input.{at}", f"Text {at} is empty; leave it out.")
        if count > embedder.max_tokens:
            raise BadParameter(
                f"input.{at}", f"Text {at} has {count} tokens, and this model reads {embedder.max_tokens}; cut it up."
            )
    return texts, counts


async def embedded(house: House, caller: Caller, asked: EmbeddingsIn) -> EmbeddingsOut:
    """The texts' vectors, in the order given. Raises LineFull where too many requests wait, and RightsChanged where who
    asks may not any more when their turn comes."""
    rights = Rights(house, caller)
    texts, counts = await asyncio.to_thread(texts_of, house, asked)
    ticket = house.embedding.join(caller.person.id)
    try:
        async for _ in house.embedding.places(ticket):
            pass
        slices = []
        for first in range(0, len(texts), _AT_ONCE):
            await asyncio.to_thread(rights.look)
            slices.append(await asyncio.to_thread(house.rag.embedder.encode, texts[first : first + _AT_ONCE]))
        await asyncio.to_thread(rights.look)
    finally:
        house.embedding.leave(ticket)
    await asyncio.to_thread(house.note, caller.person.id, "model.embed", "", texts=len(texts), door="openai")
    vectors = np.concatenate(slices)
    packed = asked.encoding_format == "base64"
    total = sum(counts)
    return EmbeddingsOut(
        data=[EmbeddingOut(index=at, embedding=_written(vector, packed)) for at, vector in enumerate(vectors)],
        model=asked.model,
        usage=TokensOut(prompt_tokens=total, total_tokens=total),
    )


def _written(vector: NDArray[np.float32], packed: bool) -> list[float] | str:
    if packed:
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    return [float(value) for value in vector]
