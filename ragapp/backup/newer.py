"""What a restore must not undo: credentials, locks and the audit are the newer of both, the backup's and the folder's.

Both catalogs are of the same version here. `revived` names what else the backup would give back that was taken away
since; `keep_newer` brings the backup's catalog in line before anybody opens it.
"""
# ruff: noqa: S608 - what is put together here are our own tables' and columns' names

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from ragapp.catalog.database import in_words

Rights = Literal["now", "backup"]
"""Accounts, groups and who sees what, where the two differ: as they are now, or as they were when it was made."""
_EXAMPLES = 5

_GONE_PEOPLE = (
    "id IN (SELECT what FROM now.audit WHERE action = 'person.remove') AND id NOT IN (SELECT id FROM now.people)"
)
"""Who was deleted since, and must stay forgotten whatever is chosen."""
_BACK = f"""
    active AND id NOT IN (SELECT id FROM now.people) AND NOT ({_GONE_PEOPLE}) AND (password != '' OR subject IS NOT NULL
    OR id IN (SELECT person_id FROM main.tokens WHERE revoked IS NULL))
"""
"""Who would come in again without being known now, and nobody can tell whether they were deleted."""
_WIDER = """
    SELECT DISTINCT then_.document_id FROM main.document_groups AS then_
    JOIN now.documents ON now.documents.id = then_.document_id
    WHERE NOT EXISTS (
        SELECT 1 FROM now.document_groups AS is_ WHERE is_.document_id = then_.document_id
        AND is_.group_name IN (then_.group_name, 'everyone')
    )
"""
_OTHER_GROUPS = """
    SELECT id FROM main.documents WHERE id IN (SELECT id FROM now.documents)
    AND (SELECT group_concat(group_name, char(0)) FROM (SELECT group_name FROM main.document_groups
         WHERE document_id = main.documents.id ORDER BY 1))
    IS NOT (SELECT group_concat(group_name, char(0)) FROM (SELECT group_name FROM now.document_groups
            WHERE document_id = main.documents.id ORDER BY 1))
"""


def revived(staged: Path, current: Path) -> tuple[str, ...]:
    """What the backup's catalog at `staged` would give back that the folder's own at `current` says was taken away
    since, each in words. Nothing of what `keep_newer` keeps from coming back whatever is chosen."""
    with _both(staged, current) as both:
        return tuple(_revived(both)) if _is_later(both) else ()


def credentials_of(staged: Path) -> tuple[str, ...]:
    """Accounts and tokens that are good by the backup alone, each in words."""
    with in_words(staged), closing(_opened(staged)) as catalog:
        people = catalog.execute("SELECT name FROM people WHERE active ORDER BY name").fetchall()
        tokens = catalog.execute(
            "SELECT tokens.name, people.name FROM tokens JOIN people ON people.id = person_id "
            "WHERE revoked IS NULL AND active ORDER BY 2, 1"
        ).fetchall()
    return (*(f"the account {name}" for (name,) in people), *(f"the token {name} of {owner}" for name, owner in tokens))


def keep_newer(staged: Path, current: Path | None, rights: Rights, made: str) -> None:
    """Bring the backup's catalog at `staged` in line with the folder's own at `current`, None where there is none or
    it can't be read. `made` is when the backup was made. Sessions and links of a backup are good for nothing."""
    with _both(staged, current) as both:
        both.execute("BEGIN IMMEDIATE")
        both.execute("DELETE FROM main.sessions")
        both.execute("DELETE FROM main.invites")
        if current is not None:
            if _is_later(both):
                _keep_credentials(both)
                if rights == "now":
                    _keep_rights(both)
                # what was made since opens what there is
                _copy(both, "tokens", "person_id IN (SELECT id FROM main.people)")
                _copy(both, "invites", "person_id IS NULL OR person_id IN (SELECT id FROM main.people)")
            _join_audits(both)
        both.execute(
            "INSERT INTO main.audit (at, person_id, action, what, detail, request_id) "
            "VALUES (?, '', 'backup.restore', '', ?, '')",
            (f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}", json.dumps({"made": made, "rights": rights})),
        )
        both.execute("COMMIT")


def _is_later(both: sqlite3.Connection) -> bool:
    """Whether the folder went on after the backup was made, as far as the audits tell; else the backup is the newer."""
    ((of_backup, of_folder),) = both.execute(
        "SELECT (SELECT max(at) FROM main.audit), (SELECT max(at) FROM now.audit)"
    ).fetchall()
    return not of_backup or (of_folder or "") >= of_backup


def _revived(both: sqlite3.Connection) -> Iterator[str]:
    def rows(wanted: str) -> list[tuple[str, ...]]:
        return both.execute(wanted).fetchall()

    for (name,) in rows(f"SELECT name FROM main.people WHERE {_BACK} ORDER BY 1"):
        yield f"{name} has an account again"
    known = "JOIN now.people AS person ON person.id = was.person_id"
    for name, token in rows(
        f"SELECT person.name, was.name FROM main.tokens AS was {known} WHERE was.revoked IS NULL "
        "AND was.id NOT IN (SELECT id FROM now.tokens) ORDER BY 1, 2"
    ):
        yield f"the token {token} of {name} is good again"
    for (name,) in rows(
        "SELECT person.name FROM main.people AS was JOIN now.people AS person USING (id) "
        "WHERE was.role = 'admin' AND person.role != 'admin' ORDER BY 1"
    ):
        yield f"{name} is an admin again"
    for name, group in rows(
        f"SELECT DISTINCT person.name, was.group_name FROM main.memberships AS was {known} "
        "WHERE NOT EXISTS (SELECT 1 FROM now.memberships AS is_ "
        "WHERE is_.person_id = was.person_id AND is_.group_name = was.group_name) ORDER BY 1, 2"
    ):
        yield f"{name} is in the group {group} again"
    for name, collection in rows(
        f"SELECT person.name, was.collection FROM main.curators AS was {known} "
        "WHERE NOT EXISTS (SELECT 1 FROM now.curators AS is_ "
        "WHERE is_.person_id = was.person_id AND is_.collection = was.collection) ORDER BY 1, 2"
    ):
        yield f"{name} looks after the collection {collection} again"
    wider = rows(f"SELECT source FROM main.documents WHERE id IN ({_WIDER}) ORDER BY 1")
    if wider:
        named = ", ".join(source for (source,) in wider[:_EXAMPLES])
        more = f" and {len(wider) - _EXAMPLES} more" if len(wider) > _EXAMPLES else ""
        yield f"{len(wider)} document{'s are' if len(wider) > 1 else ' is'} shown to more groups again ({named}{more})"
    for (name,) in rows(
        "SELECT was.name FROM main.origins AS was JOIN now.origins AS is_ USING (name, created) "
        "WHERE was.groups != is_.groups OR was.rules != is_.rules ORDER BY 1"
    ):
        yield f"the source {name} shows what it brings as it did then"
    for (name,) in rows(
        "SELECT was.collection FROM main.collection_rules AS was JOIN now.collection_rules AS is_ USING (collection) "
        "WHERE was.groups != is_.groups ORDER BY 1"
    ):
        yield f"the collection {name} shows what is put into it as it did then"


def _keep_credentials(both: sqlite3.Connection) -> None:
    both.execute(f"DELETE FROM main.people WHERE {_GONE_PEOPLE}")
    both.execute(
        "UPDATE main.people SET (password, subject, active, signed_in) = (SELECT password, subject, active, signed_in "
        "FROM now.people AS is_ WHERE is_.id = main.people.id) WHERE id IN (SELECT id FROM now.people)"
    )
    both.execute(
        "UPDATE main.tokens SET (revoked, used) = (SELECT coalesce(is_.revoked, main.tokens.revoked), is_.used "
        "FROM now.tokens AS is_ WHERE is_.id = main.tokens.id) WHERE id IN (SELECT id FROM now.tokens)"
    )


def _keep_rights(both: sqlite3.Connection) -> None:
    """All that `_revived` names, and what was given since."""
    both.execute(f"DELETE FROM main.people WHERE {_BACK}")
    both.execute("DELETE FROM main.tokens WHERE id NOT IN (SELECT id FROM now.tokens)")
    both.execute(
        "UPDATE main.people SET role = (SELECT role FROM now.people AS is_ WHERE is_.id = main.people.id) "
        "WHERE id IN (SELECT id FROM now.people)"
    )
    _copy(both, "people")
    for table in ("memberships", "curators"):
        both.execute(f"DELETE FROM main.{table}")
        _copy(both, table, "person_id IN (SELECT id FROM main.people)")
    _copy(both, "named_groups")
    both.execute(f"CREATE TEMP TABLE others AS {_OTHER_GROUPS}")
    both.execute("DELETE FROM main.document_groups WHERE document_id IN (SELECT id FROM temp.others)")
    _copy(both, "document_groups", "document_id IN (SELECT id FROM temp.others)")
    # the index in the backup has the older groups: it is to follow, and no older job may put them back
    both.execute("DELETE FROM main.group_changes WHERE document_id IN (SELECT id FROM temp.others)")
    both.execute(
        "INSERT INTO main.group_changes (document_id, revision, due, job) SELECT id, coalesce((SELECT last FROM "
        "main.revisions WHERE document_id = id), 0), 1, coalesce((SELECT max(id) FROM main.jobs), 0) FROM temp.others"
    )
    both.execute(
        "UPDATE main.origins SET (groups, rules) = (SELECT groups, rules FROM now.origins AS is_ "
        "WHERE is_.name = main.origins.name) WHERE (name, created) IN (SELECT name, created FROM now.origins)"
    )
    both.execute(
        "UPDATE main.collection_rules SET groups = (SELECT groups FROM now.collection_rules AS is_ "
        "WHERE is_.collection = main.collection_rules.collection) "
        "WHERE collection IN (SELECT collection FROM now.collection_rules)"
    )


def _join_audits(both: sqlite3.Connection) -> None:
    """Every row that either has, once. Rows keep their numbers where these are free."""
    columns = [name for name in _columns(both, "audit") if name != "id"]
    same = " AND ".join(f"was.{name} IS is_.{name}" for name in columns)
    new = f"FROM now.audit AS is_ WHERE NOT EXISTS (SELECT 1 FROM main.audit AS was WHERE {same})"
    both.execute(f"CREATE TEMP TABLE fresh AS SELECT is_.* {new} ORDER BY is_.id")
    named = ", ".join(columns)
    free = "id NOT IN (SELECT id FROM main.audit)"
    both.execute(f"INSERT INTO main.audit (id, {named}) SELECT id, {named} FROM temp.fresh WHERE {free}")
    left = " AND ".join(f"was.{name} IS temp.fresh.{name}" for name in columns)
    both.execute(
        f"INSERT INTO main.audit ({named}) SELECT {named} FROM temp.fresh "
        f"WHERE NOT EXISTS (SELECT 1 FROM main.audit AS was WHERE {left}) ORDER BY id"
    )


def _copy(both: sqlite3.Connection, table: str, where: str = "1") -> None:
    """Rows of the folder's own catalog that the backup's has not, as far as they fit in."""
    named = ", ".join(f'"{name}"' for name in _columns(both, table))
    both.execute(f"INSERT OR IGNORE INTO main.{table} ({named}) SELECT {named} FROM now.{table} WHERE {where}")


def _columns(both: sqlite3.Connection, table: str) -> list[str]:
    return [str(row[1]) for row in both.execute(f"PRAGMA main.table_info({table})")]


@contextmanager
def _both(staged: Path, current: Path | None) -> Iterator[sqlite3.Connection]:
    """A connection to the backup's catalog as `main` and the folder's own as `now`, which is only read."""
    with in_words(staged), closing(_opened(staged)) as connection:
        if current is not None:
            connection.execute("ATTACH ? AS now", (f"{current.absolute().as_uri()}?mode=ro",))
        yield connection


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path.absolute().as_uri(), uri=True, isolation_level=None)
    # without files beside it, since this one file is what will be moved
    for pragma in ("journal_mode=DELETE", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")
    return connection
