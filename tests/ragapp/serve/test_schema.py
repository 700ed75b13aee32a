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
NOT_HERE = {
    # the engine rests here; test_answers and test_openai ask these of one that runs
    ("POST", "/v1/answers"),
    ("POST", "/openai/v1/chat/completions"),
    ("POST", "/openai/v1/embeddings"),
    # says 503 while models are loaded, which is what it is for
    ("GET", "/health/ready"),
}


@pytest.mark.parametrize("caller", ["nobody", "bob", "ada", "root"])
def test_nothing_answers_in_a_way_that_is_not_documented(office: Service, caller: str) -> None:
    headers = {} if caller == "nobody" else {"authorization": f"Bearer {office.token(caller)}"}
    schema = schemathesis.openapi.from_url(f"{office.url}/openapi.json")
    asked, faults = 0, []
    for found in schema.get_all_operations():
        operation = found.ok()
        assert operation is not None, found.err()
        if (operation.method.upper(), operation.path) in NOT_HERE:
            continue
        asked += 1
        try:
            given(case=operation.as_strategy())(_held_by(headers))()
        except BaseExceptionGroup as group:
            faults += [f"{operation.label}: {each}" for each in group.exceptions]
    assert not faults, "\n\n".join(faults)
    assert asked > 40


def _held_by(headers: dict[str, str]) -> Callable[[Any], None]:
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate], derandomize=True,
    )  # fmt: skip
    def hold(case: Any) -> None:
        case.validate_response(case.call(headers=headers, timeout=30), checks=CHECKS)

    return hold
