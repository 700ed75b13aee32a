"""Which documents a caller may know of, and which they may read: asked by every route that shows something of one."""

from __future__ import annotations

from ragapp.catalog.listing import Revision, Wanted
from ragapp.catalog.rows import DocumentRow
from ragapp.errors import Unreadable
from ragapp.serve.callers import Caller
from ragapp.serve.house import House
from ragapp.serve.naming import OF_CONVERSATIONS
from ragapp.serve.problems import not_found
from ragapp.serve.rights import asker
from ragapp.types import Extracted, Principal


def readable_document(house: House, caller: Caller, document_id: str) -> DocumentRow:
    """A live document that the caller's groups see, that lies in a collection they look after by name, or that they
    attached to a conversation of theirs. Raises Refused ("not found") for any other."""
    row = house.catalog.document(document_id)
    if row is None or row.state != "live":
        raise not_found("document")
    if row.collection in caller.person.curates and "curate" in caller.scopes:
        return row
    if not house.catalog.visible([row.id], _principal(house, caller, row)):
        raise not_found("document")
    return row


def known_document(house: House, caller: Caller, document_id: str) -> DocumentRow:
    """A document that the caller may read or look after; for an admin any, but for what people attached to their
    conversations. Raises Refused ("not found") for any other."""
    row = house.catalog.document(document_id)
    if row is None:
        raise not_found("document")
    if not row.collection.startswith(OF_CONVERSATIONS) and caller.may_curate(row.collection):
        return row
    return readable_document(house, caller, document_id)


def changeable_document(house: House, caller: Caller, document_id: str) -> DocumentRow:
    """A document of a collection that the caller looks after. Raises Refused."""
    row = known_document(house, caller, document_id)
    caller.must_curate(row.collection)
    return row


def wanted_documents(
    caller: Caller, *, collection: str = "", origin: str = "", state: str | None = None, like: str = ""
) -> Wanted:
    """What the caller's list of documents holds."""
    looked_after = caller.person.curates if "curate" in caller.scopes else frozenset()
    return Wanted(
        caller.principal,
        None if caller.is_admin else looked_after,
        OF_CONVERSATIONS,
        collection,
        origin,
        state,  # type: ignore[arg-type]
        like,
    )


def revision_of(house: House, caller: Caller, row: DocumentRow, revision: int | None) -> Revision:
    """What the live revision of a readable document was made of; or an earlier one, where the caller was shown some of
    it then: an answer of their own that is still kept cites it, or holds a passage of it. The same for curators and
    admins. Raises Refused ("not found") for any other, whether it is kept or never was."""
    if revision is None or revision == row.revision:
        return Revision(row.sha256, row.parser_version, row.file_type)
    found = house.catalog.listing.revision(row.id, revision)
    if found is None or not house.catalog.mentions.was_shown(caller.person.id, row.id, revision):
        raise not_found("version of this document")
    return found


def text_of(house: House, made_of: Revision) -> Extracted:
    """The extracted text. Raises Unreadable where it is damaged."""
    # behind the dot stand the chunker's version and a mark that it is to be made again
    extracted = house.rag.files.extracted(made_of.sha256, made_of.parser_version.split(".")[0])
    if extracted is None:
        raise Unreadable("The text of this document is damaged; an admin can mend it: ragapp doctor --repair")
    return extracted


def _principal(house: House, caller: Caller, row: DocumentRow) -> Principal:
    if not row.collection.startswith(OF_CONVERSATIONS):
        return caller.principal
    conversation_id = row.collection.removeprefix(OF_CONVERSATIONS)
    if house.catalog.conversations.get(conversation_id, caller.person.id) is None:
        return caller.principal
    return asker(house, caller, conversation_id)
