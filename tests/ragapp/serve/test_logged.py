"""The log of the service: one JSON object a line, under the id that the person was told, and no word of anybody's."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from ragapp.logs import log_path

from .conftest import Service, wait_until

QUESTION = "When does the canteen serve asparagus?"


def lines(service: Service) -> list[dict[str, Any]]:
    """What the log holds; every line must be an object."""
    return [json.loads(line) for line in log_path(service.house.settings).read_text(encoding="utf-8").splitlines()]


def of_request(service: Service, request_id: str) -> list[dict[str, Any]]:
    """Its lines, once the last of them stands there: it is written when the answer is on its way already."""

    def found() -> list[dict[str, Any]]:
        return [line for line in lines(service) if line.get("request") == request_id]

    wait_until(lambda: any(line["logger"] == "ragapp.serve.access" for line in found()))
    return found()


def test_a_request_is_a_line_with_its_id_route_status_and_seconds(office: Service) -> None:
    with office.signed_in("bob") as bob:
        answer = bob.get("/v1/search", params={"query": QUESTION})
        hidden = bob.get("/v1/documents/somebodys-document")
    line = of_request(office, answer.headers["x-request-id"])[-1]
    assert (line["method"], line["route"], line["status"]) == ("GET", "/v1/search", 200)
    assert 0 < line["seconds"] < 60 and line["level"] == "INFO" and line["at"].endswith("+00:00")
    refused = of_request(office, hidden.json()["request_id"])[-1]
    assert (refused["status"], refused["route"]) == (404, "/v1/documents/{document_id}")
    said = json.dumps(lines(office))
    assert "asparagus" not in said and "somebodys-document" not in said and "127.0.0.1" not in said


def test_what_fails_unexpectedly_is_found_by_the_id_that_the_person_was_told(
    office: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("the cog is loose")

    monkeypatch.setattr("ragapp.retrieve.hybrid.Retrieval.search", broken)
    with office.signed_in("bob") as bob:
        answer = bob.get("/v1/search", params={"query": QUESTION}, headers={"x-request-id": "loose-cog"})
    assert answer.status_code == 500 and answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["request_id"] == answer.headers["x-request-id"] == "loose-cog"
    assert "request id loose-cog" in problem["detail"] and "cog is" not in problem["detail"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    found = of_request(office, "loose-cog")
    assert ["ZeroDivisionError: the cog is loose" in line.get("error", "") for line in found].count(True) == 1
    assert [line["status"] for line in found if line["logger"] == "ragapp.serve.access"] == [500]
    counted = office.house.metrics.registry.get_sample_value(
        "ragapp_http_requests_total", {"method": "GET", "route": "/v1/search", "status": "500"}
    )
    assert counted == 1


@pytest.mark.parametrize("given", ["x" * 65, "two words", 'a"b', "ä"])
def test_an_id_that_could_forge_a_line_is_not_taken(office: Service, given: str) -> None:
    with office.client() as nobody:
        answer = nobody.get("/health/live", headers={"x-request-id": given.encode()})
    assert answer.headers["x-request-id"].isalnum() and len(answer.headers["x-request-id"]) == 16


def test_other_modules_lines_carry_the_id_too(office: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def speaking(*_: Any, **__: Any) -> Any:
        logging.getLogger("ragapp.retrieve").info("a thread\nof its own")
        raise ZeroDivisionError

    monkeypatch.setattr("ragapp.retrieve.hybrid.Retrieval.search", speaking)
    with office.signed_in("bob") as bob:
        bob.get("/v1/search", params={"query": QUESTION}, headers={"x-request-id": "deep"})
    (line,) = [line for line in of_request(office, "deep") if line["logger"] == "ragapp.retrieve"]
    assert (line["request"], line["message"]) == ("deep", "a thread\nof its own")
