"""What `model` may name: all documents, one collection, the bare model, or the embedder."""

from __future__ import annotations

from ragapp.access import Scope, may_see
from ragapp.serve.asking import narrowing
from ragapp.serve.callers import Caller
from ragapp.serve.house import House
from ragapp.serve.openai.errors import NoSuchModel
from ragapp.serve.rights import conversation_group
from ragapp.serve.wording import without_folder

ALL = "ragapp"
"""Every document that the caller sees."""
_OF_CONVERSATIONS = conversation_group("")


def short(model: str) -> str:
    """A model as programs call it: a package without its prefix, a folder by its last name, a hub id as it is."""
    return without_folder(model.removeprefix("package:"))


def chat_names(house: House) -> tuple[str, ...]:
    """What the bare model answers to; the first is the one that is listed."""
    return short(house.settings.chat.model), house.settings.chat.model


def embedder_names(house: House) -> tuple[str, ...]:
    return short(house.settings.embedder.model), house.settings.embedder.model


def seen_collections(house: House, caller: Caller) -> list[str]:
    """Collections in which the caller sees a document, or would see what is put in."""
    rules = house.catalog.collection_rules
    named = set(rules.counts(caller.principal))
    named |= {rule.name for rule in rules.list() if rule.groups and may_see(caller.principal, rule.groups)}
    return sorted(name for name in named if not name.startswith(_OF_CONVERSATIONS))


def listed(house: House, caller: Caller) -> list[str]:
    """Names of all models for this caller."""
    collections = [f"{ALL}/{name}" for name in seen_collections(house, caller)]
    return [ALL, *collections, chat_names(house)[0], embedder_names(house)[0]]


def is_bare(house: House, model: str) -> bool:
    """Whether the name means the model alone, without documents."""
    return model in chat_names(house)


def scope_of(house: House, caller: Caller, model: str) -> Scope | None:
    """The documents that a name means; None for all. Raises NoSuchModel."""
    if model == ALL:
        return None
    collection = model.removeprefix(f"{ALL}/")
    if collection == model or collection not in seen_collections(house, caller):
        raise NoSuchModel(model)
    return narrowing([collection])
