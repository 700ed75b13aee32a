"""Our own stages of the answer chain, built from the parts they work with."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel

from ragapp.answer import condense
from ragapp.answer.chain import Asked, Piece, Stages
from ragapp.answer.citations import Cited, cite
from ragapp.answer.grounding import Judgement, judge, stands
from ragapp.answer.prompt import Budget, Prompt, PromptWriter
from ragapp.answer.quotes import quotes
from ragapp.embed.remembered import RememberedVectors
from ragapp.embed.sparse import Bm25
from ragapp.engine.reply import usage_of
from ragapp.retrieve.hybrid import Retrieval, Retrieved
from ragapp.settings import Settings
from ragapp.types import Passage, Principal


def build_stages(
    settings: Settings,
    *,
    retrieval: Retrieval,
    chat: BaseChatModel,
    context_tokens: int,
    bm25: Bm25,
    prompts: Path,
    secret: bytes,
) -> Stages:
    """Stages over one retrieval and one chat model, whose prompt and answer have room in `context_tokens` together.
    `prompts` holds answer.md and condense.md."""
    writer = PromptWriter((prompts / "answer.md").read_text(encoding="utf-8").strip(), secret)
    rewrite = (prompts / "condense.md").read_text(encoding="utf-8").strip()
    budget = Budget(
        context_tokens,
        settings.chat.max_answer_tokens,
        settings.retrieve.passage_tokens,
        chat.get_num_tokens,
    )

    embed = RememberedVectors(retrieval.dense.encode)

    async def condensed(asked: Asked) -> condense.Condensed:
        writer.room(asked.question, budget)  # a question that can't be answered needn't be searched for
        if settings.answer.condense == "model":
            salt = cache_salt(asked.principal)
            return await condense.with_model(asked.question, asked.history, chat, rewrite, salt)
        return condense.with_words(asked.question, asked.history)

    def retrieve(query: str, asked: Asked) -> Retrieved:
        return retrieval.search(query, asked.principal, asked.narrowed)

    def judged(query: str, retrieved: Retrieved) -> Judgement:
        return judge(query, retrieved.passages, retrieved.candidates, bm25.stems, embed, settings.answer)

    def pack(asked: Asked, passages: Sequence[Passage], judgement: Judgement) -> Prompt:
        likeliest = [statement.text for statement in judgement.statements]
        prompt = writer.pack(asked.question, asked.history, passages, budget, likeliest)
        if settings.answer.wording == "free":
            return prompt

        def fits(answer: str) -> bool:
            return budget.count(answer) < budget.answer  # and a token that ends it

        return replace(prompt, choices=quotes(judgement.statements, passages, prompt.passages, bm25.stems, fits))

    async def generate(prompt: Prompt, asked: Asked) -> AsyncIterator[Piece]:
        limits: dict[str, Any] = {"max_tokens": settings.chat.max_answer_tokens}
        if prompt.choices is not None:
            if not prompt.choices:
                return  # there is nothing to quote, and the model may have no words of its own
            limits["choice"] = prompt.choices
        async for chunk in chat.astream(list(prompt.messages), cache_salt=cache_salt(asked.principal), **limits):
            cut = chunk.response_metadata.get("finish_reason") == "length"
            yield Piece(str(chunk.text), usage_of(chunk), cut)

    def cited(sentence: str, passages: Sequence[Passage], question: str) -> Cited:
        return cite(sentence, passages, question, bm25.stems, settings.answer.min_support)

    def check(sentence: Cited) -> bool:
        return stands(sentence, settings.answer)

    return Stages(condensed, retrieve, judged, pack, generate, cited, check)


def cache_salt(principal: Principal) -> str:
    """What keeps one set of groups' prefix cache apart from another's."""
    return hashlib.sha256("\x00".join(sorted(principal.visible_groups)).encode()).hexdigest()[:16]
