"""What somebody was sent, and what two such replies have in common."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

_MASKED: tuple[tuple[str, str], ...] = (
    (r"rag_[A-Za-z0-9_-]{20,}", "rag_TOKEN"),
    (r'"(request_id|csrf|next|id)": ?"[A-Za-z0-9_=.-]{24,}(?<!-[0-9a-f]{12})"', r'"\1": "SECRET"'),
    (r'"(request_id)": ?"[^"]*"', r'"\1": "REQUEST"'),
    (r"request id \w+", "request id REQUEST"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)?", "TIME"),
    (r'"(\w+_s|seconds|created|exp|iat|p50|p95)": ?[0-9.e+-]+', r'"\1": SECONDS'),
    # a job's number counts all jobs; it is said in docs/security.md
    (r'"(id|job|job_id)": ?\d+', r'"\1": NUMBER'),
    (r"(chatcmpl|call|resp)-?[A-Za-z0-9_-]{16,}", r"\1-ID"),
)
"""What differs between two services that were asked the same: clocks, secrets and random ids, and nothing else."""
_RANDOM_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|\b[0-9a-f]{32}\b")
_HEADERS = ("content-type", "content-disposition", "retry-after", "etag", "location", "cache-control")


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply, by whatever door."""

    status: int
    headers: str
    body: str
    """Bytes that are no UTF-8 are escaped, so that nothing is lost."""
    asked: str = ""
    """Path and query of the request, where it was one."""
    looked_as: str = ""
    """The id of whom an admin looked as."""

    @property
    def said(self) -> str:
        """Everything in it, in small letters, for looking for words."""
        return f"{self.headers}\n{self.body}".lower()

    def masked(self, aliases: Mapping[str, str]) -> str:
        """The reply without what two services never have in common; `aliases` stand for ids that are made of others."""
        text = f"{self.status}\n{self.headers}\n{self.body}"
        for name, alias in aliases.items():
            text = text.replace(name, alias)
        for pattern, instead in _MASKED:
            text = re.sub(pattern, instead, text)
        numbered: dict[str, str] = {}
        return _RANDOM_ID.sub(lambda found: numbered.setdefault(found.group(), f"ID{len(numbered)}"), text)


def of_response(response: httpx.Response) -> Reply:
    """An HTTP response as a reply."""
    kept = "\n".join(f"{name}: {response.headers[name]}" for name in _HEADERS if name in response.headers)
    asked = response.request.url.raw_path.decode()
    return Reply(response.status_code, kept, response.content.decode("utf-8", "backslashreplace"), asked)


def difference(one: str, other: str) -> str:
    """The first lines in which two masked replies differ; empty where they are the same."""
    if one == other:
        return ""
    lines = [_in_lines(each) for each in (one, other)]
    told = [line for line in difflib.unified_diff(*lines, "with", "without", lineterm="", n=0) if line[:2] != "@@"]
    return "\n".join(line[:300] for line in told[2:14])


def _in_lines(text: str) -> list[str]:
    return re.sub(r"([,{\[])", r"\1\n", text).splitlines()[:20_000]
