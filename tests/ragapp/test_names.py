"""Names that belong to the service, however somebody spells them."""

from __future__ import annotations

import pytest

from ragapp.errors import CatalogError
from ragapp.names import is_internal, refuse_internal

SPELLED = (
    "conversation/1",
    "Conversation/1",
    " conversation/1",
    "conversation /1",
    "con\u200bversation/1",
    "\u2066conversation/1",
    "\uff43onversation/1",
    "conversation\uff0f1",
    "CONVERSATION/",
    "conversation\t/1",
)


@pytest.mark.parametrize("name", SPELLED)
def test_a_conversations_own_name_in_any_letters(name: str) -> None:
    assert is_internal(name)
    with pytest.raises(CatalogError, match="can't be the name of a collection"):
        refuse_internal(["board", name], "collection")


@pytest.mark.parametrize(
    "name", ["conversation", "conversations/1", "board", "my conversation/1", "", "konversation/1"]
)
def test_other_names_are_peoples_to_give(name: str) -> None:
    assert not is_internal(name)
    refuse_internal([name], "group")
