"""How much of what went wrong somebody is told: an admin and the log all of it, everybody else nothing of this machine.

Folders, files, addresses and processes of the machine help whoever may mend it. Others learn what happened, and under
which id an admin finds the rest.
"""

from __future__ import annotations

import logging
import re
from pathlib import PurePath

from ragapp.errors import RagappError
from ragapp.logs import request_id

_log = logging.getLogger(__name__)
_PLACE = re.compile(r"(?:^|[^\w/.])(?:~|\.{1,2})?/(?!/)[^\s/]|[A-Za-z]:\\|\bfile://", re.MULTILINE)
"""A path on this machine, whole or from a folder on. An address on the web is none."""
_FAILED = "It failed for a reason that an admin can see."


def told(error: RagappError, *, admin: bool) -> str:
    """The sentence for whoever asked. What is kept from them is logged under the request's id."""
    whole = str(error)
    if admin or not (error.for_admins or names_a_place(whole)):
        return whole
    _log.warning("not told to whoever asked: %s", whole)
    return f"{error.for_all}; tell an admin the request id {request_id()}, under which the log says why."


def told_text(reason: str, *, admin: bool) -> str:
    """A reason that was kept as text, for whoever reads it."""
    return reason if admin or not names_a_place(reason) else _FAILED


def without_folder(model: str) -> str:
    """A model that is a folder of this machine by its last name; any other as it is."""
    return PurePath(model).name if model.startswith(("/", ".", "~")) else model


def names_a_place(sentence: str) -> bool:
    """Whether a sentence names a folder or a file of this machine."""
    return _PLACE.search(sentence) is not None
