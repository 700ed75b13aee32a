"""The OpenAPI is the API: whatever is sent, nothing answers in a way that it doesn't name, and nothing breaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from .conftest import Service

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 8
"""For each operation and caller."""
ENGINES = {
    ("POST", "/v1/answers"),
    ("POST", "/openai/v1/chat/completions"),
    ("POST", "/openai/v1/embeddings"),
}
"""What is asked of a service whose engine runs."""
LOADING = ("GET", "/health/ready")
"""Says 503 while models are loaded, which is what it is for."""


@pytest.mark.parametrize("caller", ["nobody", "bob", "ada", "root"])
def test_nothing_answers_in_a_way_that_is_not_documented(office: Service, caller: str) -> None:
    assert _asked(office, caller, lambda operation: operation not in {*ENGINES, LOADING}) > 40


@pytest.mark.engine
@pytest.mark.parametrize("caller", ["nobody", "bob"])
def test_nor_does_what_the_engine_answers(service: Service, caller: str) -> None:
    assert _asked(service, caller, lambda operation: operation in {*ENGINES, LOADING}) == len(ENGINES) + 1


def _asked(service: Service, caller: str, wanted: Callable[[tuple[str, str]], bool]) -> int:
    """How many operations kept to what the schema says, asked by this person; raises AssertionError for those that
    didn't."""
    headers = {} if caller == "nobody" else {"authorization": f"Bearer {service.token(caller)}"}
    schema = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
    asked, faults = 0, []
    for found in schema.get_all_operations():
        operation = found.ok()
        assert operation is not None, found.err()
        if not wanted((operation.method.upper(), operation.path)):
            continue
        asked += 1
        try:
            given(case=operation.as_strategy())(_held_by(headers))()
        except BaseExceptionGroup as group:
            faults += [f"{operation.label}: {each}" for each in group.exceptions]
    assert not faults, "\n\n".join(faults)
    return asked


def _held_by(headers: dict[str, str]) -> Callable[[Any], None]:
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate], derandomize=True,
    )  # fmt: skip
    def hold(case: Any) -> None:
        case.validate_response(case.call(headers=headers, timeout=120), checks=CHECKS)

    return hold
