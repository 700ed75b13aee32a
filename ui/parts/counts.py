"""Numbers as a person writes them."""

from __future__ import annotations


def number_of(count: int, what: str) -> str:
    """`1 chunk`, `1,204 chunks`."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
