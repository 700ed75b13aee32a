"""Who asks, and whether they may see what their answer rests on, is looked up while it is made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from ragapp import RagApp
from ragapp.answer.bridge import LoopThread
from ragapp.answer.chain import AnswerChain, Asked, Piece, Stages
from ragapp.answer.citations import Cited
from ragapp.answer.condense import Condensed
from ragapp.answer.events import Done, Event, PassagesFound, SentenceReady, TokenArrived
from ragapp.answer.grounding import Judgement
from ragapp.answer.history import WITHHELD
from ragapp.answer.prompt import Prompt
from ragapp.answer.stages import cache_salt
from ragapp.errors import RightsChanged
from ragapp.retrieve.hybrid import Retrieved
from ragapp.types import Passage, Principal, Turn

from .conftest import Shown

Make = Callable[..., Passage]
BOARD = Principal("ada", frozenset({"board"}))
NOBODY = Principal("ada")


@dataclass
class Told:
    """A chain of one passage, and what its stages were given."""

    chain: AnswerChain
    shown: Shown
    asks: list[Principal]
    """Who asks: now it is the last one, and where there is none, they may not any more."""
    before: dict[str, Callable[[], None]] = field(default_factory=dict)
    """What happens before a stage."""
    given: dict[str, Asked] = field(default_factory=dict)
    freed: int = 0


@pytest.fixture
def told(passage: Make, shown: Shown) -> Iterator[Told]:
    found = passage("The firm buys the foundry.", "merger")

    def at(stage: str, asked: Asked) -> None:
        kept.given[stage] = asked
        kept.before.get(stage, lambda: None)()

    def condense(asked: Asked) -> Condensed:
        at("condense", asked)
        return Condensed(asked.question)

    def retrieve(query: str, asked: Asked) -> Retrieved:
        at("retrieve", asked)
        return Retrieved(query, (found,), (found,))

    def pack(asked: Asked, passages: object, judgement: object) -> Prompt:
        at("pack", asked)
        given = [each for turn in asked.history for each in turn.passages]
        return Prompt((), (*given, found), (found,), asked.question)

    async def generate(prompt: Prompt, asked: Asked) -> AsyncIterator[Piece]:
        try:
            at("generate", asked)
            for number, piece in enumerate(("The first.\nThe", " second.\nThe", " third.\n")):
                kept.before.get(f"piece {number}", lambda: None)()
                yield Piece(piece)
            kept.before.get("the end", lambda: None)()
        finally:
            kept.freed += 1

    stages = Stages(
        condense, retrieve, lambda *_: Judgement(""), pack, generate,
        lambda sentence, *_: Cited(sentence, (), 1.0, frozenset()), lambda _: True,
    )  # fmt: skip
    loop = LoopThread("test")
    asks = [BOARD]

    def who() -> Principal:
        if not asks:
            raise RightsChanged("Your rights changed: you are locked out.")
        return asks[-1]

    kept = Told(AnswerChain(stages, who, loop, shown, model="none"), shown, asks)
    yield kept
    loop.close()


def heard(told: Told, question: object = "What is bought?", *, tokens: bool = False) -> list[Event]:
    """The events until rights were taken."""
    events: list[Event] = []
    with pytest.raises(RightsChanged, match="rights changed"):
        for event in told.chain.stream(question, tokens=tokens):
            events.append(event)
    return events


def hide(told: Told) -> Callable[[], None]:
    return lambda: told.shown.hidden.add("merger")


@pytest.mark.parametrize(("moment", "sentences"), [("piece 0", 0), ("piece 1", 1), ("piece 2", 2), ("the end", 2)])
def test_a_document_that_is_hidden_lets_no_sentence_out_any_more(told: Told, moment: str, sentences: int) -> None:
    told.before[moment] = hide(told)
    events = heard(told)
    assert sum(isinstance(event, SentenceReady) for event in events) == sentences
    assert not any(isinstance(event, Done) for event in events)
    assert told.freed == 1, "the engine's request is let go"


def test_no_token_either(told: Told) -> None:
    told.before["piece 1"] = hide(told)
    events = heard(told, tokens=True)
    assert [event.text for event in events if isinstance(event, TokenArrived)] == ["The first.\nThe"]


@pytest.mark.parametrize("moment", ["retrieve", "pack"])
def test_the_model_is_not_asked_where_it_was_hidden_before(told: Told, moment: str) -> None:
    told.before[moment] = hide(told)
    events = heard(told)
    assert sum(isinstance(event, PassagesFound) for event in events) == (moment == "pack")
    assert told.freed == 0


def test_invoke_raises_too(told: Told) -> None:
    told.before["piece 1"] = hide(told)
    with pytest.raises(RightsChanged):
        told.chain.invoke("What is bought?")


def test_groups_are_those_of_the_moment_before_retrieval(told: Told) -> None:
    told.before["condense"] = lambda: told.asks.append(Principal("ada", frozenset({"new"})))
    list(told.chain.stream("What is bought?"))
    assert told.given["condense"].principal == BOARD
    for stage in ("retrieve", "pack", "generate"):
        assert told.given[stage].principal.groups == {"new"}
    # so is the prefix cache's salt: what these groups' questions left there is theirs alone
    assert cache_salt(told.given["generate"].principal) != cache_salt(BOARD)


def test_whoever_may_not_ask_any_more_ends_it_between_two_sentences(told: Told) -> None:
    told.before["piece 1"] = told.asks.clear
    events = heard(told)
    assert sum(isinstance(event, SentenceReady) for event in events) == 1


class TestWhatAnAnswerRestsOn:
    def test_all_that_its_prompt_held_and_what_earlier_answers_rested_on(self, told: Told, passage: Make) -> None:
        first = Turn("First?", "So.", (passage("So.", "hours"),), "prompt", frozenset({"hours", "older"}))
        answer = told.chain.invoke({"question": "And then?", "history": [first]})
        assert answer.turn.passages[0].document_id == "merger" and len(answer.turn.passages) == 1
        assert answer.turn.rests_on == {"merger", "hours", "older"}

    def test_of_a_turn_by_hand_all_up_to_it(self, told: Told, passage: Make) -> None:
        turns = [Turn("First?", "So.", (passage("So.", "hours"),), "prompt"), Turn("Second?", "So it is.")]
        assert told.chain.invoke({"question": "And?", "history": turns}).turn.rests_on == {"merger", "hours"}

    def test_what_was_hidden_before_the_turn_is_not_used(self, told: Told, passage: Make) -> None:
        turns = [
            Turn("First?", "So.", (passage("So.", "hours"),), "prompt", frozenset({"hours"})),
            Turn("Second?", "So it is.", (), "prompt", frozenset({"hours"})),
            Turn("Third?", "Other.", (), "prompt", frozenset({"other"})),
        ]
        told.shown.hidden.add("hours")
        answer = told.chain.invoke({"question": "And?", "history": turns})
        assert [turn.answer for turn in told.given["condense"].history] == [WITHHELD, WITHHELD, "Other."]
        assert answer.turn.rests_on == {"merger", "other"}

    @pytest.mark.parametrize("moment", ["condense", "pack", "piece 2"])
    def test_what_an_earlier_answer_rested_on_is_hidden_while_it_is_made(
        self, told: Told, passage: Make, moment: str
    ) -> None:
        first = Turn("First?", "So.", (), "prompt", frozenset({"older"}))
        told.before[moment] = lambda: told.shown.hidden.add("older")
        events = heard(told, {"question": "And then?", "history": [first]})
        assert not any(isinstance(event, Done) for event in events)
        assert "retrieve" not in told.given or moment != "condense"

    def test_an_answer_is_handed_back_with_it(self, told: Told) -> None:
        first = told.chain.invoke("What is bought?")
        told.shown.hidden.add("merger")
        with pytest.raises(RightsChanged):  # what is found again is hidden too
            told.chain.invoke({"question": "And?", "history": [first]})
        assert told.given["condense"].history == (Turn("What is bought?", WITHHELD),)


@pytest.mark.parametrize("take", ["groups", "document"])
def test_in_python_the_catalog_confirms_before_each_event(fresh: RagApp, tmp_path: Path, take: str) -> None:
    note = tmp_path / "merger.md"
    note.write_text("# Merger\n\nThe firm buys the Ostrava foundry for 31 million euro.\n")
    fresh.ingest(note, groups=["board"])
    (row,) = fresh.catalog.documents()

    async def generate(prompt: Prompt, asked: Asked) -> AsyncIterator[Piece]:
        yield Piece("The first.\nThe")
        if take == "groups":
            fresh.access.set(row.id, frozenset({"nobody"}), new_group=True)
        else:
            fresh.remove(fresh.plan_removal(row.id))
        yield Piece(" second.\nThe")

    fresh._parts["stages"] = replace(
        fresh.stages, generate=generate, check=lambda _: True, judge=lambda *_: Judgement("")
    )
    said: list[Event] = []
    with pytest.raises(RightsChanged):
        for event in fresh.stream("What does the firm buy?", principal=BOARD):
            said.append(event)
    assert not any(isinstance(event, Done) for event in said)
    assert "second" not in repr(said)


def test_a_look_costs_no_query_where_nothing_was_committed(fresh: RagApp, monkeypatch: pytest.MonkeyPatch) -> None:
    from ragapp.answer.rights import Resting

    asked: list[object] = []
    visible = fresh.catalog.visible

    def counted(ids: object, principal: Principal) -> set[str]:
        asked.append(ids)
        return visible(ids, principal)  # type: ignore[arg-type]

    monkeypatch.setattr(fresh.catalog, "visible", counted)
    resting = Resting(lambda: BOARD, fresh.catalog, frozenset({"a"}))
    with pytest.raises(RightsChanged):
        resting.look()
    with pytest.raises(RightsChanged):
        resting.look()
    monkeypatch.setattr(fresh.catalog, "visible", lambda ids, _: (asked.append(ids), set(ids))[1])
    asked.clear()
    for _ in range(3):
        resting.look()
    assert len(asked) == 1
    fresh.catalog.people.add("somebody")
    resting.look()
    assert len(asked) == 2
