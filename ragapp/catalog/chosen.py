"""Who sees what is new in a collection, as things stand in the catalog at this moment."""

from __future__ import annotations

import json

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from ragapp.access import groups_of_new
from ragapp.catalog.process import is_running, own_mark
from ragapp.catalog.service_tables import CollectionRuleTable, PersonTable
from ragapp.catalog.tables import MetaTable

LOCAL_NAME = "local"
"""The account of single-user mode and of the command line on this machine."""
_SERVED = "served_with_accounts"
"""Names the process that serves the catalog to people who sign in."""


def chosen_groups(session: Session, collection: str, said: frozenset[str] | None) -> frozenset[str]:
    """Who sees a document that is new in a collection. Raises NobodyChosen."""
    rule = None if said is not None else session.get(CollectionRuleTable, collection)
    chosen = frozenset(json.loads(rule.groups)) if rule else None
    return groups_of_new(said, chosen, collection, shared=said is None and not chosen and is_shared(session))


def is_shared(session: Session) -> bool:
    """Whether others than the person at this machine may read: somebody has an account, or a service runs where people
    sign in."""
    account = or_(PersonTable.name != LOCAL_NAME, PersonTable.password != "", PersonTable.subject.is_not(None))
    if session.scalar(select(PersonTable.id).where(account).limit(1)) is not None:
        return True
    served = session.get(MetaTable, _SERVED)
    return served is not None and is_running(served.value)


def note_served(session: Session, with_accounts: bool) -> None:
    """This process serves the catalog to people who sign in, or does so no longer."""
    if with_accounts:
        session.merge(MetaTable(key=_SERVED, value=own_mark()))
    else:
        session.execute(delete(MetaTable).where(MetaTable.key == _SERVED))
