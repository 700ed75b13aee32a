"""Whether the company's provider still vouches for whoever signed in there: asked again and again, not only once.

In the background, well before it is due; and at the door, where that could not be done. What the provider takes away is
gone here within `serve.oidc.refresh_minutes`. While it can't be reached, people go on for `serve.oidc.grace_minutes`
more, and then nobody who signed in there comes in until it answers again.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import zlib
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TookTooLong
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ragapp.answer.unseen import seen
from ragapp.catalog.service_rows import PersonRow, Role, StandingRow
from ragapp.errors import RagappError
from ragapp.names import is_internal
from ragapp.serve.oidc import Ended, Grant, grant_from, grant_text
from ragapp.serve.problems import status_of
from ragapp.types import EVERYONE

if TYPE_CHECKING:
    from ragapp.serve.house import House

_log = logging.getLogger(__name__)
_AT_ONCE = 4
"""People whom the provider is asked about at the same time."""
_EARLIEST, _LATEST = 0.5, 0.85
"""Shares of the time after which a renewal is due, so that all who came in the morning don't fall due together."""
_AGAIN_AFTER_S = 20.0
"""After a try that failed; until then nobody waits for another one at the door."""
_AT_THE_DOOR = 8
_WAIT_AT_THE_DOOR_S = 5.0
_WAIT_S = 25.0
"""How long somebody waits at the door for a try of another request."""
_LOOK_EVERY_S = 15.0
_CLOCK_BACK = timedelta(minutes=1)
_LONGEST_GROUP = 200


class Standing:
    """The standings of a house's people. Safe to share between threads."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._lock = threading.Lock()
        self._running: dict[str, Future[None]] = {}
        self._failed: dict[str, float] = {}
        self._down = float("-inf")
        self._doors = threading.BoundedSemaphore(_AT_THE_DOOR)

    def begin(self, person: PersonRow, grant: Grant) -> None:
        """Somebody signed in at the provider."""
        self._house.catalog.standings.begin(person.id, self._seal(person.id, grant), datetime.now(UTC))
        self._failed.pop(person.id, None)
        self._down = float("-inf")

    def good(self, person: PersonRow) -> bool:
        """Whether this person may be in at this moment. Waits for the provider only where it has not been asked in
        time and was not found out of reach a moment ago."""
        if person.subject is None:
            return True
        if self._house.provider is None:
            return False
        known = self._house.catalog.standings.get(person.id)
        if known is not None and known.ended is None and self._is_overdue(known) and not self._failed_lately(person.id):
            self._renew_at_the_door(person.id)
            known = self._house.catalog.standings.get(person.id)
        if known is None or known.ended is not None:
            return False
        settings = self._house.settings.serve.oidc
        most = timedelta(minutes=settings.refresh_minutes + settings.grace_minutes)
        return -_CLOCK_BACK <= datetime.now(UTC) - known.renewed <= most

    def _renew_at_the_door(self, person_id: str) -> None:
        """A few at a time, so that a provider that hangs holds up no more of the service's threads than that."""
        if self._doors.acquire(timeout=_WAIT_AT_THE_DOOR_S):
            try:
                if not self._failed_lately(person_id):
                    self.renew(person_id)
            finally:
                self._doors.release()

    def renew(self, person_id: str) -> None:
        """Ask the provider about a person; whoever comes meanwhile waits for the same try. Never raises."""
        with self._lock:
            running = self._running.get(person_id)
            mine = running or self._running.setdefault(person_id, Future())
        if running is not None:
            with suppress(TookTooLong):  # then the standing is looked at as it is
                running.result(timeout=_WAIT_S)
            return
        try:
            self._renew(person_id)
            self._failed.pop(person_id, None)
        except RagappError as trouble:
            self._failed[person_id] = time.monotonic()
            if status_of(trouble) == HTTPStatus.SERVICE_UNAVAILABLE:
                self._down = time.monotonic()
            _log.warning("the sign-in provider could not be asked about a person: %s", trouble)
        except Exception:  # noqa: BLE001 - whatever it is, the person's time runs on and ends
            self._failed[person_id] = time.monotonic()
            _log.exception("the sign-in provider could not be asked about a person")
        finally:
            with self._lock:
                self._running.pop(person_id, None)
            mine.set_result(None)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(min(_LOOK_EVERY_S, 6 * self._house.settings.serve.oidc.refresh_minutes))
            try:
                await self.look()
            except Exception:  # noqa: BLE001 - the next look may go well, and at the door it is looked at anyway
                _log.exception("people's standing at the provider could not be looked at")

    async def look(self) -> None:
        """Ask about everybody who is due."""
        if self._house.provider is None:
            return
        few = asyncio.Semaphore(_AT_ONCE)

        async def one(person_id: str) -> None:
            async with few:
                await asyncio.to_thread(self.renew, person_id)

        due = await asyncio.to_thread(self._due)
        await asyncio.gather(*(one(known.person_id) for known in due))

    def _due(self) -> list[StandingRow]:
        now, whole = datetime.now(UTC), timedelta(minutes=self._house.settings.serve.oidc.refresh_minutes)
        found = self._house.catalog.standings.due(now - _EARLIEST * whole, now)
        return [
            known
            for known in found
            if now - known.renewed >= _share(known) * whole and not self._failed_lately(known.person_id)
        ]

    def _renew(self, person_id: str) -> None:
        catalog, provider = self._house.catalog, self._house.provider
        known, person = catalog.standings.get(person_id), catalog.people.get(person_id)
        if known is None or known.ended is not None or provider is None or person.subject is None:
            return
        sealed = known.sealed

        def keep(grant: Grant) -> None:
            """At once: the old one is worth nothing any more at a provider that gives each out once."""
            nonlocal sealed
            fresh = self._seal(person_id, grant)
            if catalog.standings.keep(person_id, sealed, fresh):
                sealed = fresh

        try:
            grant = grant_from(self._house.seal.open(sealed, person_id))
            who = provider.renew(person.subject, grant, keep)
        except Ended as ended:
            if catalog.standings.end(person_id, sealed, datetime.now(UTC)):
                self._house.note(person_id, "session.end", person_id, by="provider")
                _log.info("the sign-in provider vouches for a person no more: %s", ended)
            return
        # rights before the time: a crash between them leaves it due, and not renewed with the old rights
        as_told(self._house, person, who.claims)
        catalog.standings.renew(person_id, sealed, datetime.now(UTC))

    def _seal(self, person_id: str, grant: Grant) -> str:
        return self._house.seal.seal(grant_text(grant), person_id)

    def _is_overdue(self, known: StandingRow) -> bool:
        age = datetime.now(UTC) - known.renewed
        return age < -_CLOCK_BACK or age > timedelta(minutes=self._house.settings.serve.oidc.refresh_minutes)

    def _failed_lately(self, person_id: str) -> bool:
        """Whether this person's try, or for want of the provider anybody's, failed a moment ago."""
        return time.monotonic() - max(self._down, self._failed.get(person_id, float("-inf"))) < _AGAIN_AFTER_S


def as_told(house: House, person: PersonRow, claims: Mapping[str, Any]) -> PersonRow:
    """The person with groups and role as the provider says; what was given here stays."""
    settings, people = house.settings.serve.oidc, house.catalog.people
    told = group_names(claims.get(settings.groups_claim))
    people.set_groups(person.id, told, "oidc")
    if settings.admin_group is not None:
        role: Role = "admin" if settings.admin_group in told else "reader"
        if role != person.role:
            # the provider's word holds even for the last admin: the next start prints a link for a new one
            people.set_role(person.id, role, keep_one=False)
    now = people.get(person.id)
    if (now.groups, now.role) != (person.groups, person.role):
        house.note(person.id, "person.change", person.id, role=now.role, groups=sorted(now.groups), by="provider")
    return now


def group_names(given: Any) -> frozenset[str]:
    """The claim's groups that can be groups here; whatever else it holds is left out."""
    told = [given] if isinstance(given, str) else given if isinstance(given, list) else []
    good = frozenset(
        group.strip()
        for group in told
        if isinstance(group, str)
        and group.strip()
        and len(group) <= _LONGEST_GROUP
        and group.isprintable()
        and seen(group) == group
        and not is_internal(group)
    )
    if len(good) < len(set(map(str, told))):
        _log.warning("%d groups of the sign-in provider can't be groups here", len(set(map(str, told))) - len(good))
    return good - {EVERYONE}


def _share(known: StandingRow) -> float:
    """A share of the time that is one person's own and differs from one renewal to the next."""
    seed = zlib.crc32(f"{known.person_id}{known.renewed.isoformat()}".encode()) / 0xFFFFFFFF
    return _EARLIEST + (_LATEST - _EARLIEST) * seed
