"""What kept answers tell of documents: noted when an answer is kept, erased when a document or its old text goes.

A mention is marked as gone in the commit that takes the document, and from then on no answer is given out with it. The
kept record follows page by page, here or, after a crash, with the next opening of the index.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from ragapp.catalog.service_tables import AnswerTable, MentionTable
from ragapp.catalog.sessions import Sessions
from ragapp.catalog.tables import DocumentRevisionTable, DocumentTable

WITHHELD = "This answer rested on text that was removed, or that you may not see any more."
UNKNOWN = 0
"""In place of a revision, where an answer names a document alone."""
_PAGE = 100
_AT_ONCE = 500

Told = tuple[str, int]
"""Document id and revision."""


@dataclass(frozen=True, slots=True)
class Mention:
    """That an answer tells of a revision of a document."""

    document_id: str
    revision: int
    shown: bool
    """Its asker was given words of it, as a passage or a citation."""
    rests: bool
    """The answer's own words can come from it."""


class Mentions:
    """What the answers of one catalog tell of documents."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def was_shown(self, person_id: str, document_id: str, revision: int) -> bool:
        """Whether a kept answer of this person's own cites that revision, or showed a passage of it."""
        wanted = (
            select(MentionTable.answer_id)
            .join(AnswerTable, AnswerTable.id == MentionTable.answer_id)
            .where(
                MentionTable.document_id == document_id,
                MentionTable.revision == revision,
                MentionTable.shown,
                ~MentionTable.gone,
                AnswerTable.person_id == person_id,
            )
        )
        with self._sessions.reading() as session:
            return session.scalar(wanted.limit(1)) is not None

    def answers_on_earlier(self, live: Mapping[str, int]) -> int:
        """How many answers tell of another revision of these documents than the live one, given by document."""
        found: set[str] = set()
        with self._sessions.reading() as session:
            for ids in _pages(list(live)):
                wanted = select(MentionTable.answer_id, MentionTable.document_id, MentionTable.revision)
                for answer, document, revision in session.execute(wanted.where(MentionTable.document_id.in_(ids))):
                    if revision != live[document]:
                        found.add(answer)
        return len(found)

    def erase(self) -> int:
        """Take what is marked as gone out of the kept records; returns how many answers lost something."""
        erased = 0
        # looked up without the right to write, which somebody else may have: mostly there is nothing
        while answers := self._marked():
            with self._sessions.writing() as session:
                lost = gone_of(session, answers)
                for answer in session.scalars(select(AnswerTable).where(AnswerTable.id.in_(answers))).all():
                    kept = without(json.loads(answer.record), lost[answer.id])
                    answer.record = packed(kept)
                    _note(session, answer.id, kept)
            erased += len(answers)
        return erased

    def _marked(self) -> Sequence[str]:
        wanted = select(MentionTable.answer_id).where(MentionTable.gone).distinct().limit(_PAGE)
        with self._sessions.reading() as session:
            return session.scalars(wanted).all()

    def count(self) -> int:
        """How many mentions there are, gone ones too."""
        with self._sessions.reading() as session:
            return session.scalar(select(func.count()).select_from(MentionTable)) or 0


def mentions_of(record: Mapping[str, Any]) -> tuple[Mention, ...]:
    """All that an answer's record tells of documents, each revision once."""
    fields = record.get("fields") or {}
    turn = record.get("turn") or {}
    cited = {_told(each) for each in fields.get("citations", ())}
    shown = cited | {_told(each) for each in fields.get("passages", ())}
    rests = cited | {_told(each) for each in turn.get("passages", ())}
    rests |= {(document, revision) for document, revision in record.get("rests_on", ())}
    known = {document for document, _ in rests}
    rests |= {(document, UNKNOWN) for document in record.get("prompted", ()) if document not in known}
    named = {(document, UNKNOWN) for document in record.get("nearest_ids", ()) if document}
    told = sorted(shown | rests | named)
    return tuple(Mention(each[0], each[1], each in shown, each in rests) for each in told)


def without(record: Mapping[str, Any], gone: Collection[Told]) -> dict[str, Any]:
    """A record without all that tells of these. Passages go one by one; the text as a whole, since any of what it rests
    on may have lent its words to any sentence."""
    kept, fields = dict(record), dict(record.get("fields") or {})
    if not fields or not gone:
        return kept
    fields["passages"] = [each for each in fields.get("passages", ()) if _told(each) not in gone]
    near = list(zip(fields.get("nearest", ()), record.get("nearest_ids", ()), strict=False))
    near = [(each, document) for each, document in near if (document, UNKNOWN) not in gone]
    fields["nearest"] = [each for each, _ in near]
    kept["nearest_ids"] = [document for _, document in near]
    if any(each.rests and (each.document_id, each.revision) in gone for each in mentions_of(record)):
        fields |= {"answer": WITHHELD, "sentences": [], "citations": [], "withheld": True}
        kept |= {"prompted": [], "rests_on": []}
        if turn := record.get("turn"):
            kept["turn"] = {"question": turn["question"], "answer": WITHHELD, "prompt": "", "passages": []}
    return kept | {"fields": fields}


def packed(record: object) -> str:
    """A record as it is kept."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))


def keep(session: Session, answer_id: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """Note what an answer tells of documents as it is kept; returns the record without what went while it was made."""
    kept = without(record, _not_there(session, mentions_of(record)))
    _note(session, answer_id, kept)
    return kept


def mark_gone(session: Session, document_ids: Sequence[str]) -> None:
    """The documents go: nothing that an answer keeps of them may be read from this commit on."""
    for ids in _pages(document_ids):
        session.execute(update(MentionTable).where(MentionTable.document_id.in_(ids)).values(gone=True))


def mark_earlier_gone(session: Session, document_id: str, live: int) -> None:
    """The revisions before the live one go."""
    earlier = (MentionTable.document_id == document_id, MentionTable.revision != live)
    session.execute(update(MentionTable).where(*earlier).values(gone=True))


def gone_of(session: Session, answer_ids: Sequence[str]) -> dict[str, set[Told]]:
    """What is gone and not erased yet, by answer; every answer is a key."""
    found: dict[str, set[Told]] = {answer: set() for answer in answer_ids}
    for ids in _pages(answer_ids):
        wanted = select(MentionTable.answer_id, MentionTable.document_id, MentionTable.revision)
        for answer, document, revision in session.execute(
            wanted.where(MentionTable.answer_id.in_(ids), MentionTable.gone)
        ):
            found[answer].add((document, revision))
    return found


def _note(session: Session, answer_id: str, record: Mapping[str, Any]) -> None:
    session.execute(delete(MentionTable).where(MentionTable.answer_id == answer_id))
    rows = [
        {"answer_id": answer_id, "document_id": each.document_id, "revision": each.revision, "shown": each.shown}
        for each in mentions_of(record)
    ]
    if rows:
        session.execute(insert(MentionTable), [row | {"gone": False} for row in rows])


def _not_there(session: Session, mentions: Iterable[Mention]) -> set[Told]:
    """Of these what was removed, or redacted, since it was read."""
    told = {(each.document_id, each.revision) for each in mentions}
    live: set[str] = set()
    known: set[Told] = set()
    for ids in _pages(sorted({document for document, _ in told})):
        live |= set(
            session.scalars(select(DocumentTable.id).where(DocumentTable.id.in_(ids), DocumentTable.state == "live"))
        )
        revisions = select(DocumentRevisionTable.document_id, DocumentRevisionTable.revision)
        known |= set(session.execute(revisions.where(DocumentRevisionTable.document_id.in_(ids))).tuples())
    return {each for each in told if each not in known and not (each[1] == UNKNOWN and each[0] in live)}


def _told(each: Mapping[str, Any]) -> Told:
    return each["document_id"], each["revision"]


def _pages(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))
