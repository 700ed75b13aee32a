"""Conversations, the questions in and outside them, and what was made of them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import takewhile
from typing import Any

from sqlalchemy import and_, delete, func, literal, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ragapp.catalog.mentions import gone_of, keep, packed, without
from ragapp.catalog.rows import MEMBER
from ragapp.catalog.service_rows import AnswerRow, AnswerState, AttachmentRow, ConversationRow, Door, FeedbackRow
from ragapp.catalog.service_tables import AnswerTable, AttachmentTable, ConversationTable, FeedbackTable
from ragapp.catalog.sessions import Sessions
from ragapp.catalog.tables import DocumentTable
from ragapp.errors import CatalogError

_UNFINISHED = ("queued", "running")


class Conversations:
    """What people asked, each for themselves. `person_id` is part of every question to it."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def start(self, person_id: str, title: str, collections: Iterable[str] = ()) -> ConversationRow:
        row = new_row(person_id, title, collections)
        with self._sessions.writing() as session:
            session.add(_kept(row))
        return row

    def get(self, conversation_id: str, person_id: str) -> ConversationRow | None:
        """None where there is none, and where it is somebody else's."""
        with self._sessions.reading() as session:
            found = session.get(ConversationTable, conversation_id)
            return _conversation(found) if found and found.person_id == person_id else None

    def list(self, person_id: str, *, like: str = "", limit: int = 100, offset: int = 0) -> tuple[ConversationRow, ...]:
        """A person's conversations, the last used first; `like`: with this in the title or in a question."""
        wanted = select(ConversationTable).where(ConversationTable.person_id == person_id)
        if like:
            asked = select(AnswerTable.conversation_id).where(
                AnswerTable.person_id == person_id, AnswerTable.question.icontains(like, autoescape=True)
            )
            titled = ConversationTable.title.icontains(like, autoescape=True)
            wanted = wanted.where(or_(titled, ConversationTable.id.in_(asked)))
        wanted = wanted.order_by(ConversationTable.changed.desc()).limit(limit).offset(offset)
        with self._sessions.reading() as session:
            return tuple(_conversation(found) for found in session.scalars(wanted))

    def rename(self, conversation_id: str, person_id: str, title: str) -> None:
        self._change(conversation_id, person_id, title=title[:200])

    def set_collections(self, conversation_id: str, person_id: str, collections: Iterable[str]) -> None:
        self._change(conversation_id, person_id, collections=json.dumps(sorted(collections)))

    def delete(self, conversation_id: str, person_id: str) -> None:
        """Take a conversation away with its questions, answers and feedback; its attachments are the caller's."""
        with self._sessions.writing() as session:
            session.execute(
                delete(ConversationTable).where(
                    ConversationTable.id == conversation_id, ConversationTable.person_id == person_id
                )
            )

    # questions and answers

    def ask(
        self, answer_id: str, person_id: str, conversation_id: str | None, door: Door, question: str,
        *, begins: ConversationRow | None = None, replaces: Iterable[str] = (),
    ) -> AnswerRow:  # fmt: skip
        """Note a question before anything is done for it; as one with that, begin its conversation, and take the
        answers away that it is asked instead of. Raises CatalogError where its person or conversation is no more."""
        now = datetime.now(UTC)
        answer = AnswerTable(
            id=answer_id, person_id=person_id, conversation_id=conversation_id, door=door, question=question,
            status="queued", reason="", record="{}", created=now, ended=None,
        )  # fmt: skip
        try:
            with self._sessions.writing() as session:
                if begins:
                    session.add(_kept(begins))
                    session.flush()
                session.execute(
                    delete(AnswerTable).where(
                        AnswerTable.id.in_(list(replaces)),
                        AnswerTable.conversation_id == conversation_id,
                        AnswerTable.person_id == person_id,
                    )
                )
                session.add(answer)
                session.flush()
                if conversation_id:
                    session.execute(
                        update(ConversationTable).where(ConversationTable.id == conversation_id).values(changed=now)
                    )
        except IntegrityError:
            raise CatalogError("Whoever asked this, or its conversation, is no more; sign in and ask again.") from None
        return _answer(answer)

    def settle(self, answer_id: str, state: AnswerState, reason: str, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """What became of a question. Returns the record as it is kept: without what was removed meanwhile."""
        with self._sessions.writing() as session:
            settled = update(AnswerTable).where(AnswerTable.id == answer_id).values(status=state, reason=reason)
            done = session.execute(settled.values(ended=datetime.now(UTC)))
            if not done.rowcount:  # type: ignore[attr-defined]
                return record  # taken away while it was answered
            kept = keep(session, answer_id, record)
            session.execute(update(AnswerTable).where(AnswerTable.id == answer_id).values(record=packed(kept)))
            return kept

    def answer(self, answer_id: str, person_id: str) -> AnswerRow | None:
        """None where there is none, and where it is somebody else's."""
        with self._sessions.reading() as session:
            found = session.get(AnswerTable, answer_id)
            return _answers(session, [found])[0] if found and found.person_id == person_id else None

    def answers(self, conversation_id: str, person_id: str) -> tuple[AnswerRow, ...]:
        """A conversation's questions and answers in their order."""
        wanted = (
            select(AnswerTable)
            .where(AnswerTable.conversation_id == conversation_id, AnswerTable.person_id == person_id)
            .order_by(AnswerTable.created, AnswerTable.id)
        )
        with self._sessions.reading() as session:
            return _answers(session, session.scalars(wanted).all())

    def before(self, row: AnswerRow) -> tuple[AnswerRow, ...]:
        """The questions and answers before this one in its conversation, in their order; none outside of one."""
        if row.conversation_id is None:
            return ()
        return tuple(takewhile(lambda each: each.id != row.id, self.answers(row.conversation_id, row.person_id)))

    def asked(self, person_id: str, questions: Iterable[str], limit: int = 100) -> tuple[AnswerRow, ...]:
        """A person's newest answers to these very questions."""
        wanted = (
            select(AnswerTable)
            .where(AnswerTable.person_id == person_id, AnswerTable.question.in_(list(questions)))
            .order_by(AnswerTable.created.desc())
            .limit(limit)
        )
        with self._sessions.reading() as session:
            return _answers(session, session.scalars(wanted).all())

    def all_answers(self, person_id: str) -> tuple[AnswerRow, ...]:
        """All that a person asked, in conversations and outside them, in order."""
        wanted = select(AnswerTable).where(AnswerTable.person_id == person_id)
        with self._sessions.reading() as session:
            return _answers(session, session.scalars(wanted.order_by(AnswerTable.created, AnswerTable.id)).all())

    def forget_answer(self, answer_id: str, person_id: str) -> None:
        """Take one question and its answer away."""
        with self._sessions.writing() as session:
            session.execute(delete(AnswerTable).where(AnswerTable.id == answer_id, AnswerTable.person_id == person_id))

    def interrupted(self, reason: str) -> int:
        """Settle what a service that is no more left unfinished; returns how many."""
        with self._sessions.writing() as session:
            done = session.execute(
                update(AnswerTable)
                .where(AnswerTable.status.in_(_UNFINISHED))
                .values(status="failed", reason=reason, ended=datetime.now(UTC))
            )
            return int(done.rowcount)  # type: ignore[attr-defined]

    def forget_before(self, moment: datetime) -> int:
        """Delete questions and answers older than this, and conversations that are empty then; returns how many."""
        with self._sessions.writing() as session:
            gone = session.execute(delete(AnswerTable).where(AnswerTable.created < moment))
            held = select(AnswerTable.conversation_id).where(AnswerTable.conversation_id.is_not(None))
            session.execute(
                delete(ConversationTable).where(ConversationTable.changed < moment, ConversationTable.id.not_in(held))
            )
            return int(gone.rowcount)  # type: ignore[attr-defined]

    # feedback

    def give_feedback(self, answer_id: str, good: bool, reason: str) -> FeedbackRow:
        row = FeedbackTable(answer_id=answer_id, good=good, reason=reason, created=datetime.now(UTC))
        with self._sessions.writing() as session:
            session.merge(row)
        return FeedbackRow(answer_id, good, reason, row.created)

    def feedback(self, *, good: bool | None = None, limit: int = 100) -> tuple[tuple[FeedbackRow, AnswerRow], ...]:
        """The newest feedback of everybody with the answers it is about: for admins."""
        wanted = select(FeedbackTable, AnswerTable).join(AnswerTable, AnswerTable.id == FeedbackTable.answer_id)
        if good is not None:
            wanted = wanted.where(FeedbackTable.good == good)
        with self._sessions.reading() as session:
            found = session.execute(wanted.order_by(FeedbackTable.created.desc()).limit(limit)).all()
            answers = _answers(session, [answer for _, answer in found])
            return tuple(
                (FeedbackRow(given.answer_id, given.good, given.reason, given.created), answer)
                for (given, _), answer in zip(found, answers, strict=True)
            )

    def feedback_on(self, answer_ids: Iterable[str]) -> dict[str, FeedbackRow]:
        wanted = select(FeedbackTable).where(FeedbackTable.answer_id.in_(list(answer_ids)))
        with self._sessions.reading() as session:
            return {
                given.answer_id: FeedbackRow(given.answer_id, given.good, given.reason, given.created)
                for given in session.scalars(wanted)
            }

    # files of one conversation

    def attach(self, conversation_id: str, document_id: str, name: str, expires: datetime) -> None:
        """Note that a document belongs to a conversation, before it is taken in."""
        with self._sessions.writing() as session:
            session.merge(
                AttachmentTable(document_id=document_id, conversation_id=conversation_id, name=name, expires=expires)
            )

    def attached(self, conversation_id: str) -> tuple[AttachmentRow, ...]:
        """The files of a conversation by name, taken in already or not."""
        wanted = (
            select(AttachmentTable)
            .where(AttachmentTable.conversation_id == conversation_id)
            .order_by(AttachmentTable.name)
        )
        with self._sessions.reading() as session:
            return tuple(AttachmentRow(file.document_id, file.name, file.expires) for file in session.scalars(wanted))

    def attachments(self, conversation_id: str) -> tuple[str, ...]:
        """Ids of the documents that belong to a conversation."""
        wanted = select(AttachmentTable.document_id).where(AttachmentTable.conversation_id == conversation_id)
        with self._sessions.reading() as session:
            return tuple(session.scalars(wanted))

    def expired_attachments(self, now: datetime) -> tuple[str, ...]:
        """Documents whose time is over, or whose conversation is no more."""
        living = select(ConversationTable.id)
        wanted = select(AttachmentTable.document_id).where(
            or_(AttachmentTable.expires <= now, AttachmentTable.conversation_id.not_in(living))
        )
        with self._sessions.reading() as session:
            return tuple(session.scalars(wanted))

    def loose(self, collections_of_conversations: str) -> tuple[str, ...]:
        """Documents in collections whose names begin so, and end with the conversation's id, that belong to none: it
        went while they came in, or the file that they lay in was taken off."""
        attached = select(AttachmentTable.document_id)
        inside = AttachmentTable.name + MEMBER
        # by its name, since a member comes in before its container
        file_of_it = select(AttachmentTable.document_id).where(
            literal(collections_of_conversations) + AttachmentTable.conversation_id == DocumentTable.collection,
            or_(AttachmentTable.name == "", func.substr(DocumentTable.source, 1, func.length(inside)) == inside),
        )
        wanted = select(DocumentTable.id).where(
            DocumentTable.collection.startswith(collections_of_conversations, autoescape=True),
            or_(
                and_(DocumentTable.container == "", DocumentTable.id.not_in(attached)),
                and_(DocumentTable.container != "", ~file_of_it.correlate(DocumentTable).exists()),
            ),
        )
        with self._sessions.reading() as session:
            return tuple(session.scalars(wanted))

    def detach(self, document_ids: Iterable[str]) -> None:
        """The documents were removed."""
        with self._sessions.writing() as session:
            session.execute(delete(AttachmentTable).where(AttachmentTable.document_id.in_(list(document_ids))))

    def count(self, person_id: str) -> int:
        with self._sessions.reading() as session:
            return session.scalar(select(func.count()).where(ConversationTable.person_id == person_id)) or 0

    def _change(self, conversation_id: str, person_id: str, **values: object) -> None:
        with self._sessions.writing() as session:
            session.execute(
                update(ConversationTable)
                .where(ConversationTable.id == conversation_id, ConversationTable.person_id == person_id)
                .values(changed=datetime.now(UTC), **values)
            )


def new_row(person_id: str, title: str, collections: Iterable[str] = ()) -> ConversationRow:
    """A conversation that is not kept yet."""
    now = datetime.now(UTC)
    return ConversationRow(str(uuid.uuid4()), person_id, title[:200], frozenset(collections), now, now)


def _kept(row: ConversationRow) -> ConversationTable:
    return ConversationTable(
        id=row.id, person_id=row.person_id, title=row.title, collections=json.dumps(sorted(row.collections)),
        created=row.created, changed=row.changed,
    )  # fmt: skip


def _conversation(found: ConversationTable) -> ConversationRow:
    collections = frozenset(json.loads(found.collections))
    return ConversationRow(found.id, found.person_id, found.title, collections, found.created, found.changed)


def _answers(session: Session, found: Sequence[AnswerTable]) -> tuple[AnswerRow, ...]:
    """Answers as they may be given out: without what went and is not erased yet."""
    gone = gone_of(session, [answer.id for answer in found])
    return tuple(_answer(answer, gone[answer.id]) for answer in found)


def _answer(found: AnswerTable, gone: Collection[tuple[str, int]] = ()) -> AnswerRow:
    return AnswerRow(
        found.id, found.person_id, found.conversation_id, found.door, found.question, found.status,  # type: ignore[arg-type]
        found.created, found.reason, without(json.loads(found.record), gone), found.ended,
    )  # fmt: skip
