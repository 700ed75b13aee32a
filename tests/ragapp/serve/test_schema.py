"""The OpenAPI is the API: whatever is sent, nothing answers in a way that it doesn't name, and nothing breaks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psutil
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ragapp.serve.bodies import SMALL_BODY

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


REFUSED = {400, 401, 403, 404, 413, 422}
"""How a body beyond its size may be answered. 400 is OpenAI's word for 422, and what a JSON of no end is."""
MEMORY_MIB = 96
"""What the service may grow by while it is sent too much, whoever sends it and however."""


@pytest.mark.parametrize("caller", ["nobody", "bob", "root"])
def test_a_body_beyond_its_size_is_refused_in_one_sentence_and_takes_no_memory(office: Service, caller: str) -> None:
    schema, asked = schemathesis.openapi.from_url(f"{office.url}/openapi.json"), 0
    process = psutil.Process()
    with office.client(None if caller == "nobody" else office.token(caller)) as client:
        client.get("/v1/session")
        before = most = process.memory_info().rss
        for found in schema.get_all_operations():
            operation = found.ok()
            assert operation is not None, found.err()
            if not operation.body:
                continue
            kinds = [body.media_type for body in operation.body]
            path = re.sub(r"\{[^}]*\}", "1", operation.path)
            for content, headers in _too_large(kinds[0]):
                answer = client.request(operation.method.upper(), path, content=content, headers=headers)
                most = max(most, process.memory_info().rss)
                _is_one_sentence(operation.label, caller, answer)
                asked += 1
    assert asked > 60
    assert most - before < MEMORY_MIB << 20, f"{(most - before) >> 20} MiB more"


def _too_large(kind: str) -> Iterator[tuple[bytes | Iterator[bytes], dict[str, str]]]:
    """Bodies that no operation takes: of a size that is said or isn't, without end, and long where a word belongs."""
    headers = {"content-type": kind}
    if kind.startswith("multipart"):
        headers = {"content-type": "multipart/form-data; boundary=b"}
        part = b'--b\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n'
        # a field that is no file is kept in memory
        yield part % (b"collection", b"") + b"x" * (3 << 20) + b"\r\n--b--\r\n", headers
        yield b"".join(part % (b"f%d" % number, b"") + b"\r\n" for number in range(3000)) + b"--b--\r\n", headers
        yield b"--b\r\nX-Long: " + b"x" * (3 << 20), headers
        return
    yield b" " * (SMALL_BODY + 1), headers
    yield (b" " * 65536 for _ in range(3 * SMALL_BODY // 65536)), headers
    yield b"[" * (SMALL_BODY - 1), headers
    yield b'{"name": "' + b"x" * (SMALL_BODY - 100) + b'"}', headers


def _is_one_sentence(label: str, caller: str, answer: httpx.Response) -> None:
    assert answer.status_code in REFUSED, f"{label} by {caller}: {answer.status_code} {answer.text[:200]}"
    told = answer.json()
    said = str(told["detail"] if "detail" in told else told["error"]["message"])
    assert said and said.rstrip(".").count(". ") == 0 and len(said) < 1000, f"{label}: {said[:300]}"


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
