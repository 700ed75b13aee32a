"""What questions cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from ragapp.catalog.service_rows import UsageRow
from ragapp.serve.callers import Asker
from ragapp.serve.house import house_of

router = APIRouter(prefix="/v1/usage", tags=["usage"])
By = Literal["day", "collection", "person", "model", "door"]


class Spread(BaseModel):
    """Seconds that half, and 95 of 100, stayed within; null where there were none."""

    p50: float | None
    p95: float | None


class UsageOf(BaseModel):
    """What was asked of one kind, or in all."""

    key: str = Field(description="The day, collection, person's id, model or door; empty for all.")
    questions: int
    answered: int
    not_found: int
    failed: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    waited_s: Spread
    first_token_s: Spread
    total_s: Spread


class UsageReport(BaseModel):
    since: datetime
    until: datetime
    total: UsageOf
    by: list[UsageOf]


@router.get("", operation_id="usage")
def usage(
    request: Request,
    caller: Asker,
    by: Annotated[By, Query(description="What the figures are split by.")] = "day",
    days: Annotated[int, Query(ge=1, le=3660, description="So many days back.")] = 30,
) -> UsageReport:
    """Questions, tokens and seconds: everybody's for admins, one's own for everybody else."""
    until = datetime.now(UTC)
    since = until - timedelta(days=days)
    rows = [
        row
        for row in house_of(request).catalog.usage.rows(since, until)
        if caller.is_admin or row.person_id == caller.person.id
    ]
    split: dict[str, list[UsageRow]] = defaultdict(list)
    for row in rows:
        for key in _keys(row, by):
            split[key].append(row)
    return UsageReport(
        since=since, until=until, total=_sum("", rows), by=[_sum(key, split[key]) for key in sorted(split)]
    )


def _keys(row: UsageRow, by: By) -> Iterable[str]:
    if by == "collection":
        return sorted(row.collections) or ["(all)"]
    return [{"day": f"{row.at:%Y-%m-%d}", "person": row.person_id, "model": row.model, "door": row.door}[by]]


def _sum(key: str, rows: list[UsageRow]) -> UsageOf:
    return UsageOf(
        key=key,
        questions=len(rows),
        answered=sum(row.status == "answered" for row in rows),
        not_found=sum(row.status == "not_found" for row in rows),
        failed=sum(row.status in ("failed", "stopped") for row in rows),
        prompt_tokens=sum(row.prompt_tokens for row in rows),
        cached_tokens=sum(row.cached_tokens for row in rows),
        completion_tokens=sum(row.completion_tokens for row in rows),
        waited_s=_spread([row.waited_s for row in rows]),
        first_token_s=_spread([row.first_token_s for row in rows if row.first_token_s is not None]),
        total_s=_spread([row.total_s for row in rows]),
    )


def _spread(values: list[float]) -> Spread:
    ordered = sorted(values)

    def at(part: float) -> float | None:
        return round(ordered[round(part * (len(ordered) - 1))], 4) if ordered else None

    return Spread(p50=at(0.5), p95=at(0.95))
