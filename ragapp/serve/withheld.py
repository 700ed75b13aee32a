"""What of an earlier answer its asker may see at this moment: rights are looked up at every reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ragapp.answer.unseen import seen, seen_line
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.mentions import UNKNOWN, WITHHELD, mentions_of, without
from ragapp.catalog.service_rows import AnswerRow, PersonRow
from ragapp.types import Principal

_NAMED = frozenset({"title", "heading", "source"})
_EMPTY: dict[str, Any] = {"answer": WITHHELD, "sentences": [], "citations": [], "withheld": True}


def rests_on(row: AnswerRow, catalog: Catalog, before: Sequence[AnswerRow] | None = None) -> frozenset[str]:
    """Ids of the documents that an answer's words can come from: all that its prompt held, those of earlier turns too.

    Answers of versions that noted the new ones alone rest on all that was noted up to them in their conversation:
    `before`, or what is looked up.
    """
    noted = _noted(row)
    if "rests_on" in row.record or not row.record:
        return noted
    return noted.union(*map(_noted, catalog.conversations.before(row) if before is None else before))


def _noted(row: AnswerRow) -> frozenset[str]:
    cited = frozenset(cited["document_id"] for cited in row.record.get("fields", {}).get("citations", []))
    held = frozenset(document for document, _ in row.record.get("rests_on", ()))
    return cited | held | frozenset(row.record.get("prompted", ()))


def readable(
    row: AnswerRow, principal: Principal, catalog: Catalog, before: Sequence[AnswerRow] | None = None
) -> dict[str, Any]:
    """The fields of an answer that may be read now. Passages go one by one; the text as a whole, since any document
    in the prompt may have lent its words to any sentence. `before`: the answers before it in its conversation."""
    kept = row.record.get("fields", {})
    if not kept:
        return {}
    fields = _seen(dict(kept))
    resting = rests_on(row, catalog, before)
    named = resting | {found["document_id"] for found in fields["passages"]} | set(row.record.get("nearest_ids", []))
    visible = catalog.visible(named, principal)
    fields["passages"] = [found for found in fields["passages"] if found["document_id"] in visible]
    near = zip(fields["nearest"], row.record.get("nearest_ids", []), strict=True)
    fields["nearest"] = [each for each, document in near if document in visible]
    return fields if resting <= visible else fields | _EMPTY


def _seen(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields with what isn't seen marked, also in answers that were kept before it was. Quotes stay exact."""
    for kind in ("passages", "citations", "nearest"):
        fields[kind] = [
            found | {name: seen_line(found[name]) for name in _NAMED & found.keys()} for found in fields[kind]
        ]
    sentences = [sentence | {"text": seen(sentence["text"])} for sentence in fields["sentences"]]
    return fields | {"answer": seen(fields["answer"]), "sentences": sentences}


def readable_by_another(row: AnswerRow, person: PersonRow, catalog: Catalog) -> dict[str, Any]:
    """The fields of somebody else's answer that this person may read now: of earlier revisions only what answers of
    their own showed them."""
    told = [each for each in mentions_of(row.record) if each.revision != UNKNOWN]
    live = catalog.known({each.document_id for each in told})
    earlier = {
        (each.document_id, each.revision)
        for each in told
        if not (each.document_id in live and live[each.document_id].revision == each.revision)
        and not catalog.mentions.was_shown(person.id, each.document_id, each.revision)
    }
    return readable(replace(row, record=without(row.record, earlier)), person.principal, catalog)
