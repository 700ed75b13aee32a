"""Where a page of a list ended, as a program gets it and sends it back: sealed, so that nobody can make one up.

A cursor that names a row would tell whoever sends other names which rows there are. One that was not given out for this
list, this caller and these filters is refused in one sentence, whatever there is.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from ragapp.secret_file import own_secret
from ragapp.serve.problems import Refused

LONGEST = 16_384
"""Characters of a cursor: the longest name of a document, thrice over."""
_SEAL = hashlib.sha256().digest_size


@dataclass(frozen=True, slots=True)
class Cursors:
    """Seals with a key of its own, made of the data folder's secret; so a cursor outlives a restart."""

    secret: Path

    def seal(self, place: tuple[str, ...], *bound: str) -> str:
        """A place in a list as a cursor that is good for the list, caller and filters in `bound` alone."""
        told = json.dumps(place).encode()
        return base64.urlsafe_b64encode(self._seal(told, bound) + told).decode().rstrip("=")

    def open(self, cursor: str, *bound: str) -> tuple[str, ...]:
        """The place that a cursor stands for. Raises Refused for one that was not given out for `bound`."""
        try:
            kept = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            kept = b""
        seal, told = kept[:_SEAL], kept[_SEAL:]
        if not hmac.compare_digest(seal, self._seal(told, bound)):
            raise Refused(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "This place in the list was not given out for this list and these filters; begin with its first page.",
            )
        return tuple(json.loads(told))

    def _seal(self, told: bytes, bound: tuple[str, ...]) -> bytes:
        key = hmac.digest(own_secret(self.secret), b"places in lists", "sha256")
        # as a list, so that no part can pass for another
        return hmac.digest(key, json.dumps([*bound, told.decode("utf-8", "replace")]).encode(), "sha256")
