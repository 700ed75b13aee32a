"""What the catalog gives and takes of the service: people, conversations, answers, and records of what was done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from ragapp.types import Principal

Role = Literal["reader", "admin"]
AnswerState = Literal["queued", "running", "answered", "not_found", "failed", "stopped"]
Door = Literal["api", "openai", "mcp"]
TokenScope = Literal["ask", "curate", "admin"]
"""What an API token may be used for: to ask, search and read; to bring documents in; to administer."""


@dataclass(frozen=True, slots=True)
class PersonRow:
    """Somebody who may sign in, as the catalog knows them at this moment."""

    id: str
    name: str
    display: str
    role: Role
    active: bool
    groups: frozenset[str]
    curates: frozenset[str]
    """Collections that this person looks after."""
    created: datetime
    signed_in: datetime | None = None
    subject: str | None = None
    has_password: bool = False

    @property
    def principal(self) -> Principal:
        return Principal(self.name, self.groups)

    def may_curate(self, collection: str) -> bool:
        return self.role == "admin" or collection in self.curates


@dataclass(frozen=True, slots=True)
class TokenRow:
    """An API token without its secret."""

    id: str
    person_id: str
    name: str
    scopes: frozenset[TokenScope]
    created: datetime
    expires: datetime | None
    revoked: datetime | None
    used: datetime | None


@dataclass(frozen=True, slots=True)
class StandingRow:
    """What the company's provider last said of a person."""

    person_id: str
    renewed: datetime
    """When it vouched for them last."""
    ended: datetime | None
    """When it was found to do so no more."""
    sealed: str = field(repr=False)
    """The grant by which it is asked again, encrypted."""


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A signed-in browser."""

    person_id: str
    csrf: str
    expires: datetime


@dataclass(frozen=True, slots=True)
class InviteRow:
    """What a link that works once is good for."""

    person_id: str | None
    role: Role
    groups: frozenset[str]
    expires: datetime


@dataclass(frozen=True, slots=True)
class ConversationRow:
    id: str
    person_id: str
    title: str
    collections: frozenset[str]
    created: datetime
    changed: datetime


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """A question and what became of it."""

    id: str
    person_id: str
    conversation_id: str | None
    door: Door
    question: str
    state: AnswerState
    created: datetime
    reason: str = ""
    """Why it failed, in one sentence; empty otherwise."""
    record: Mapping[str, Any] = field(default_factory=dict)
    """The answer as the service writes it; empty until it is complete."""
    ended: datetime | None = None


@dataclass(frozen=True, slots=True)
class FeedbackRow:
    answer_id: str
    good: bool
    reason: str
    created: datetime


@dataclass(frozen=True, slots=True)
class UsageRow:
    """What one question cost; no text."""

    at: datetime
    person_id: str
    door: Door
    collections: frozenset[str]
    model: str
    status: AnswerState
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    waited_s: float
    """Seconds in the queue."""
    first_token_s: float | None
    """Seconds from being taken up to the first token."""
    total_s: float


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One thing that somebody did."""

    id: int
    at: datetime
    person_id: str
    person: str
    """The name at this moment; empty for nobody known, or for somebody whose data was deleted."""
    action: str
    what: str
    detail: Mapping[str, Any]
    request_id: str


@dataclass(frozen=True, slots=True)
class AttachmentRow:
    """A file of one conversation."""

    document_id: str
    name: str
    expires: datetime


@dataclass(frozen=True, slots=True)
class CollectionRow:
    """A collection and who sees what is put into it; None where nobody has said so yet."""

    name: str
    title: str
    groups: frozenset[str] | None
