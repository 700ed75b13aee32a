"""Who may see what is in: shown, and changed for a synced source, a folder or pattern within it, or one document.

What a synced source brought keeps its groups by the source's own groups and rules, so that the next sync doesn't undo a
change: a folder or a document of such a source gets a rule by its path. What lies in a container (an attachment, a file
of an archive) is seen by whoever may see the container.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ingest.care.named import documents_named, folder_named, origin_named, with_members
from ingest.origins.pathrules import PathRules
from ingest.origins.patterns import matches
from ingest.origins.synced import path_within, rule_of, shown_to
from ragapp.access import names, said_groups
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.groups import Changing, refuse_unknown
from ragapp.catalog.rows import DocumentRow, OriginRow
from ragapp.errors import CatalogError, RagappError
from ragapp.names import refuse_internal


@dataclass(frozen=True, slots=True)
class Shown:
    """Who may see some documents: those of a source with its rules, or those that were named."""

    origin: OriginRow | None
    documents: tuple[DocumentRow, ...]

    @property
    def by_groups(self) -> dict[frozenset[str], int]:
        """How many documents each set of groups sees."""
        counts: dict[frozenset[str], int] = {}
        for row in self.documents:
            counts[row.groups] = counts.get(row.groups, 0) + 1
        return counts


@dataclass(frozen=True, slots=True)
class Change:
    """What a change of groups did."""

    groups: frozenset[str]
    documents: int
    """Documents that now have other groups than before, members of containers counted."""
    origins: tuple[str, ...] = ()
    """Synced sources whose groups or rules changed."""
    ruled: int = 0
    """Documents of a source that kept groups because a rule of their own says so."""
    behind: str = ""
    """Why the index could not follow at once; empty where it did. The change holds all the same."""


class Access:
    """Groups over one catalog. `follow` brings the index in line, as far as it can be opened."""

    def __init__(self, catalog: Catalog, follow: Callable[[], None]) -> None:
        self._catalog = catalog
        self._follow = follow

    def show(self, what: str = "") -> tuple[Shown, ...]:
        """Who may see a source, a document, a folder; everything where nothing is named."""
        origins = self._catalog.origins.list()
        if not what:
            own = [Shown(origin, self._catalog.documents(origin=origin.name)) for origin in origins]
            return (*own, Shown(None, self._catalog.documents(origin="")))
        if origin := origin_named(origins, what):
            return (Shown(origin, self._catalog.documents(origin=origin.name)),)
        return (Shown(None, documents_named(self._catalog, what)),)

    def set(self, what: str, groups: str | Iterable[str], *, path: str = "", new_group: bool = False) -> Change:
        """Let exactly `groups` see a source, what `path` (a pattern) means within it, a folder or a document.

        Everything changes in one commit of the catalog, and holds from then on, also for what a run that is at work
        brings in. What is chosen for a document so, no run shows to more; only this does. Raises CatalogError for no
        groups, for a group that nothing had before (unless `new_group`), and for a name that nothing has.
        """
        if not names(groups):
            raise CatalogError("Name at least one group; what nobody may see is better taken away: ragapp remove.")
        groups = said_groups(groups) or frozenset()
        refuse_internal(groups, "group")
        if not new_group:
            refuse_unknown(groups, self._catalog.access.known())
        # nobody else commits meanwhile: a document that came in between would keep the old groups
        with self._catalog.access.alone() as commit:
            origins = self._catalog.origins.list()
            origin = origin_named(origins, what)
            if origin:
                change = self._set_origin(commit, origin, groups, path)
            elif path:
                raise CatalogError(
                    f"--path is for a synced source, and there is none named {what}; see: ragapp sync list"
                )
            else:
                change = self._set_documents(commit, what, origins, groups)
        return replace(change, behind=self._behind())

    def _set_origin(self, commit: Changing, origin: OriginRow, groups: frozenset[str], path: str) -> Change:
        changed = _with_rule(origin, path, groups) if path else replace(origin, groups=groups)
        top = [row for row in self._catalog.documents(origin=origin.name) if not row.container]
        chosen = self._catalog.access.by_hand([row.id for row in top])
        # by hand, and so not of the source's to change, unless this is the rule for them
        stay = {row.id for row in top if row.id in chosen and not (path and _means(path, changed, row.source))}
        wanted = {row.id: row.groups if row.id in stay else shown_to(changed, row.source) for row in top}
        kept = 0 if path else sum(row.id in stay or rule_of(changed, row.source) is not None for row in top)
        done = self._commit(commit, wanted, top, changed, by_hand=False)
        return Change(groups, done, (origin.name,), kept)

    def _set_documents(
        self, commit: Changing, what: str, origins: Sequence[OriginRow], groups: frozenset[str]
    ) -> Change:
        rows = documents_named(self._catalog, what)
        for row in rows:
            if row.container:
                outer = self._catalog.document(row.container)
                raise CatalogError(
                    f"{row.source} is seen by whoever may see what it lies in; change that instead: "
                    f"ragapp access set {_quoted(outer.source if outer else row.container)}"
                )
        followed = {row.origin for row in rows} - {""}
        if not followed:
            return Change(groups, self._commit(commit, dict.fromkeys((row.id for row in rows), groups), rows, None))
        if len(rows) > 1:
            raise CatalogError(_by_source(what, followed, origins, groups))
        (row,) = rows
        origin = origin_named(origins, row.origin)
        inside = path_within(origin, row.source) if origin else None
        if origin is None or inside is None:
            return Change(groups, self._commit(commit, {row.id: groups}, rows, None))
        changed = _with_rule(origin, _exactly(inside), groups)
        return Change(groups, self._commit(commit, {row.id: groups}, rows, changed), (origin.name,))

    def _commit(
        self,
        commit: Changing,
        wanted: Mapping[str, frozenset[str]],
        rows: Sequence[DocumentRow],
        origin: OriginRow | None,
        *,
        by_hand: bool = True,
    ) -> int:
        """The rows whose groups change, what lies in them, and the source's own row."""
        families = with_members(self._catalog, rows)
        groups: dict[str, frozenset[str]] = {}
        for row in families:
            # a container comes before what it holds
            groups[row.id] = groups[row.container] if row.container in groups else wanted[row.id]
        changed = {row.id: groups[row.id] for row in families if row.groups != groups[row.id]}
        # by hand also what was so already: it is said anew, and no job that was asked before may undo it
        commit(groups if by_hand else changed, origin, by_hand=by_hand)
        return len(changed)

    def _behind(self) -> str:
        try:
            self._follow()
        except RagappError as error:
            return str(error)
        return ""


def _by_source(what: str, followed: set[str], origins: Sequence[OriginRow], groups: frozenset[str]) -> str:
    """How to change a folder that synced sources bring documents of."""
    commands = []
    for name in sorted(followed):
        origin = origin_named(origins, name)
        inside = path_within(origin, f"{folder_named(what)}/") if origin else ""
        path = f" --path {_quoted(_exactly(inside))}" if inside else ""
        commands.append(f"ragapp access set {name}{path} --groups {','.join(sorted(groups))}")
    return (
        f"{what} holds documents that a sync brings in, seen by those who may see their source or its folder: "
        + " and ".join(commands)
    )


def _with_rule(origin: OriginRow, pattern: str, groups: frozenset[str]) -> OriginRow:
    """The source with a rule put last, where it wins; an older rule of the same pattern goes."""
    rules = (*(rule for rule in origin.rules if rule[0] != pattern), (pattern, groups))
    PathRules(rules)
    return replace(origin, rules=rules)


def _means(pattern: str, origin: OriginRow, source: str) -> bool:
    """Whether a pattern means this document of a source."""
    path = path_within(origin, source)
    return path is not None and matches(pattern, path)


def _exactly(path: str) -> str:
    """The pattern that means this path alone."""
    return "/" + re.sub(r"([*?\[])", r"[\1]", path)


def _quoted(text: str) -> str:
    """As one word of a command that somebody will paste: whoever names files on a share must not write it for them."""
    return "'" + text.replace("'", "'\\''") + "'"
