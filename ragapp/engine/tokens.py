"""A model's tokenizer and chat template from its folder, without the seconds that importing transformers takes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from ragapp.errors import ModelError


class Tokenizer:
    """Encodes text and chats as the model was trained to read them. Safe to share between threads.

    `folder` holds tokenizer.json and tokenizer_config.json (with its chat template, or chat_template.jinja beside it).
    """

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer as Fast

        self._folder = folder
        try:
            self._fast = Fast.from_file(str(folder / "tokenizer.json"))
            self._config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        except Exception as error:  # noqa: BLE001 - the tokenizers library raises just that
            raise ModelError(
                f"The tokenizer in {folder} can't be read ({' '.join(str(error).split())}); delete that folder "
                "so that it is fetched anew."
            ) from None
        self._fast.no_padding()
        self._fast.no_truncation()
        self.template = self._read_template()
        self._special = {
            name: value["content"] if isinstance(value, dict) else value
            for name, value in self._config.items()
            if name.endswith("_token") and value
        }
        commands = sorted(
            (token.content for token in self._fast.get_added_tokens_decoder().values() if token.special), key=len
        )
        self._commands = re.compile("|".join(re.escape(command) for command in reversed(commands)) or r"(?!)")
        self._render = _compiled(self.template)

    @property
    def knows_tools(self) -> bool:
        """Whether the chat template has a place for tools."""
        return "tools" in self.template

    def encode(self, text: str, *, special: bool = False) -> list[int]:
        """Token ids of a text; `special` adds what the model wants around one, which a chat template does by itself."""
        return list(self._fast.encode(text, add_special_tokens=special).ids)

    def decode(self, tokens: Sequence[int]) -> str:
        return str(self._fast.decode(list(tokens)))

    def chat(
        self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] | None = None
    ) -> list[int]:
        """Token ids of a chat (role, content, …) up to where the assistant's reply begins."""
        return self.encode(self.chat_text(messages, tools))

    def chat_text(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] | None = None) -> str:
        """The chat as the model's own template writes it. Raises ModelError where the template refuses it.

        Special tokens spelled out in a message are taken apart: a document could end its message with them and begin
        another in the system's name.
        """
        from jinja2 import TemplateError

        given = {"tools": list(tools)} if tools else {}
        try:
            shown = self._harmless(messages)
            return str(self._render(messages=shown, add_generation_prompt=True, **self._special, **given))
        except TemplateError as error:
            raise ModelError(f"The chat template of the model in {self._folder} refuses this chat: {error}.") from None

    def _harmless(self, messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        return [
            {**message, "content": self._commands.sub(lambda found: f"{found[0][0]} {found[0][1:]}", content)}
            if isinstance(content := message.get("content"), str)
            else message
            for message in messages
        ]

    def _read_template(self) -> str:
        beside = self._folder / "chat_template.jinja"
        if beside.is_file():
            return beside.read_text(encoding="utf-8")
        template = self._config.get("chat_template")
        if isinstance(template, list):
            template = {entry["name"]: entry["template"] for entry in template}.get("default")
        if not template:
            raise ModelError(f"The model in {self._folder} has no chat template; name an instruct or chat model.")
        return str(template)


def _compiled(template: str) -> Any:
    """The template with what transformers' documentation promises to chat templates."""
    from jinja2.exceptions import TemplateError
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def raise_exception(message: str) -> NoReturn:
        raise TemplateError(message)

    def tojson(value: Any, indent: int | None = None, **_: Any) -> str:
        return json.dumps(value, ensure_ascii=False, indent=indent)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment.from_string(template).render
