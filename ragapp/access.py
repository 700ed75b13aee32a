"""Who may see what: the one place where a principal becomes a visibility filter, and where what a caller said becomes
the groups that a document is shown to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from ragapp.conditions import Condition, Every, read_filter
from ragapp.errors import NobodyChosen, SettingsError
from ragapp.types import EVERYONE, Principal

LOCAL = Principal("local")
"""The person at their own machine, for whom documents are ingested as visible to everyone."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a query may touch: the groups of whoever asks, always, and narrowings that they chose."""

    groups: frozenset[str]
    collections: frozenset[str] = frozenset()
    """Empty for all."""
    sources: frozenset[str] = frozenset()
    file_types: frozenset[str] = frozenset()
    """Lower-case extensions without the dot."""
    since: datetime | None = None
    """Documents whose date (their own, else the file's) is not before this."""
    until: datetime | None = None
    without: frozenset[str] = frozenset()
    """Documents, by id, that the catalog hides already while the index has yet to follow."""
    where: Condition | None = None
    """What the metadata of a chunk must be."""


def scope(
    principal: Principal,
    *,
    collections: frozenset[str] = frozenset(),
    sources: frozenset[str] = frozenset(),
    file_types: frozenset[str] = frozenset(),
    since: datetime | None = None,
    until: datetime | None = None,
) -> Scope:
    """The scope of one query by `principal`; the groups come from nowhere else."""
    return Scope(principal.visible_groups, collections, sources, file_types, since, until)


def narrow(
    *,
    collections: str | Iterable[str] = (),
    sources: str | Iterable[str] = (),
    file_types: str | Iterable[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
) -> Scope:
    """What `narrowed=` takes: only documents of these collections, sources (as `Passage.source` names them) and file
    types ("pdf"), whose date (their own, else the file's) lies between `since` and `until`, both included.

    What is not named is not narrowed. Times without a zone are UTC. It says nothing about who may see what: the groups
    of whoever asks are put in when it is used, so that it can't show more than they see without it.
    """
    return Scope(
        frozenset(),
        names(collections),
        names(sources),
        frozenset(kind.lower().lstrip(".") for kind in names(file_types)),
        since,
        until,
    )


def names(given: str | Iterable[str]) -> frozenset[str]:
    """One name or several; one text is one name, not its letters."""
    return frozenset([given] if isinstance(given, str) else given)


def within(principal: Principal, narrowed: Scope | None) -> Scope:
    """The scope of a query by `principal`, narrowed as asked; the groups of `narrowed` are never taken."""
    return replace(narrowed, groups=principal.visible_groups, without=frozenset()) if narrowed else scope(principal)


def filtered(visible: Scope, wanted: object) -> Scope:
    """The scope narrowed once more, to what a `filter=` says of metadata (ragapp.conditions); None says nothing.

    Raises BadQuestion for what it doesn't understand.
    """
    if wanted is None:
        return visible
    read = read_filter(wanted)
    return replace(visible, where=Every((visible.where, read)) if visible.where else read)


def may_see(principal: Principal, groups: frozenset[str]) -> bool:
    """Whether a document with these groups is visible to the principal; a document without groups is to nobody."""
    return bool(principal.visible_groups & groups)


_LONGEST = 200
"""Characters of a group's name, as the catalog keeps it."""


def said_groups(said: str | Iterable[str] | None) -> frozenset[str] | None:
    """The groups that a caller named; None where nothing was said.

    Raises SettingsError for an empty list and for what is no name: who is meant by nobody can't be told, and everyone
    is said in as many words.
    """
    if said is None:
        return None
    given = names(said)
    for name in given:
        if not isinstance(name, str) or not 0 < len(name.strip()) <= _LONGEST:
            raise SettingsError(f"{name!r} can't be the name of a group; name it in 1 to {_LONGEST} letters.")
    if not given:
        raise SettingsError(f"No group is named; name at least one, and everyone is meant by {EVERYONE!r}.")
    return frozenset(name.strip() for name in given)


def groups_of_new(
    said: frozenset[str] | None, rule: frozenset[str] | None, collection: str, *, shared: bool
) -> frozenset[str]:
    """Who sees a document that is new in a collection, by whichever door it comes: whom the caller said, else whom the
    collection's `rule` names, else, on a machine of one's own, everyone, who is the person at it.

    Raises NobodyChosen where nothing was said and there is no rule, and the house is `shared` with others.
    """
    if said is not None:
        return said
    if rule:
        return rule
    if not shared:
        return frozenset({EVERYONE})
    raise NobodyChosen(
        f"Nobody has chosen who may see what is put into the collection {collection}; choose its groups first (PUT "
        f"/v1/collections/{collection}, or in the page), or say with what is sent who may see it: groups, or everyone."
    )


def widens(groups: frozenset[str], beyond: frozenset[str]) -> bool:
    """Whether `groups` would show a document to somebody whom the groups that it has now don't."""
    return EVERYONE not in beyond and not groups <= beyond
