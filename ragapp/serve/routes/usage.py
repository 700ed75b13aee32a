"""What questions cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from ragapp.catalog.service_rows import UsageRow
from ragapp.serve.callers import Asker
from ragapp.serve.costs import prices
from ragapp.serve.house import House, house_of

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


class Elsewhere(BaseModel):
    """What the same tokens would have cost at an API's list price."""

    name: str
    usd: float
    source: str
    read: date = Field(description="When the price was read there.")


class Costs(BaseModel):
    hours: float = Field(description="From the first question of these days until now.")
    here_usd: float | None = Field(description="These hours at costs.hour_usd; null where that is not set.")
    elsewhere: list[Elsewhere]


class UsageReport(BaseModel):
    since: datetime
    until: datetime
    total: UsageOf
    by: list[UsageOf]
    costs: Costs | None = Field(description="For admins.")


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
    total = _sum("", rows)
    return UsageReport(
        since=since,
        until=until,
        total=total,
        by=[_sum(key, split[key]) for key in sorted(split)],
        costs=_costs(house_of(request), rows, total, until) if caller.is_admin else None,
    )


def _costs(house: House, rows: list[UsageRow], total: UsageOf, until: datetime) -> Costs:
    settings = house.settings.costs
    hours = (until - min(row.at for row in rows)) / timedelta(hours=1) if rows else 0.0
    tokens = total.prompt_tokens, total.cached_tokens, total.completion_tokens
    return Costs(
        hours=round(hours, 2),
        here_usd=None if settings.hour_usd is None else round(hours * settings.hour_usd, 2),
        elsewhere=[
            Elsewhere(name=price.name, usd=price.of(*tokens), source=price.source, read=price.read)
            for price in prices(settings.prices)
        ],
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
