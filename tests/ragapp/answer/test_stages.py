"""Our own stages where they must not do what the model would."""

from __future__ import annotations

from ragapp import RagApp
from ragapp.access import LOCAL
from ragapp.answer.chain import Asked
from ragapp.answer.prompt import Prompt


async def test_where_there_is_nothing_to_quote_the_model_is_not_asked(app: RagApp) -> None:
    prompt = Prompt((), (), (), "Question: what?", choices=())
    assert [piece async for piece in app.stages.generate(prompt, Asked("what?", LOCAL))] == []
