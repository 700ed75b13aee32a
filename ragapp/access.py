"""Who may see what: the one place where a principal becomes a visibility filter."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from ragapp.types import Principal

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
        _names(collections),
        _names(sources),
        frozenset(kind.lower().lstrip(".") for kind in _names(file_types)),
        since,
        until,
    )


def _names(given: str | Iterable[str]) -> frozenset[str]:
    """One name or several."""
    return frozenset([given] if isinstance(given, str) else given)


def within(principal: Principal, narrowed: Scope | None) -> Scope:
    """The scope of a query by `principal`, narrowed as asked; the groups of `narrowed` are never taken."""
    return replace(narrowed, groups=principal.visible_groups, without=frozenset()) if narrowed else scope(principal)


def may_see(principal: Principal, groups: frozenset[str]) -> bool:
    """Whether a document with these groups is visible to the principal; a document without groups is to nobody."""
    return bool(principal.visible_groups & groups)
