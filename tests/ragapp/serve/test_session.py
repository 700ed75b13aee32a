"""Signing in by name and password, and what keeps others from doing it."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest

from ragapp import RagApp, Settings
from ragapp.catalog.service_tables import SessionTable
from ragapp.engine.vllm import VllmEngine
from ragapp.serve import signin
from ragapp.serve.signin import Tries

from .conftest import PASSWORD, Service, running


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(office: Service) -> None:
    with office.client() as browser:
        answer = browser.post("/v1/session", json={"name": "bob", "password": PASSWORD})
    flags = answer.headers["set-cookie"].lower()
    assert "httponly" in flags and "samesite=lax" in flags and "path=/" in flags
    # on loopback without a proxy there is no https
    assert "secure" not in flags


@pytest.mark.parametrize(("name", "password"), [("bob", "wrong horse battery"), ("nobody", PASSWORD), ("bob", "")])
def test_wrong_name_and_wrong_password_are_told_alike(office: Service, name: str, password: str) -> None:
    with office.client() as browser:
        refused = browser.post("/v1/session", json={"name": name, "password": password})
    assert (refused.status_code, refused.json()["detail"]) == (401, "Name or password is wrong.")
    assert "set-cookie" not in refused.headers


def test_after_too_many_tries_even_the_right_password_waits(office: Service) -> None:
    with office.client() as browser:
        for _ in range(office.house.settings.serve.sign_in_tries):
            browser.post("/v1/session", json={"name": "bob", "password": "guess"})
        refused = browser.post("/v1/session", json={"name": "bob", "password": PASSWORD})
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0


def test_tries_are_forgotten_after_ten_minutes() -> None:
    now = [0.0]
    tries = Tries(2, lambda: now[0])
    for _ in range(2):
        tries.begin("name bob")
    with pytest.raises(Exception, match="Too many failed tries"):
        tries.begin("name bob")
    now[0] = 601
    tries.begin("name bob")


def test_a_flood_of_passwords_is_refused_beyond_a_few_and_others_go_on(office: Service) -> None:
    """Each comparison holds a thread; the service has 40 of them, and who is signed in needs them too."""
    free, begun, kept = threading.Event(), threading.Semaphore(0), signin.hasher().hash

    def slow(*_: object) -> bool:
        begun.release()
        assert free.wait(60)
        return True

    def sign_in(number: int) -> int:
        with office.client() as browser:
            told = browser.post("/v1/session", json={"name": f"nobody{number}", "password": PASSWORD})
        return told.status_code

    with (
        office.signed_in("bob") as bob,
        pytest.MonkeyPatch.context() as patch,
        ThreadPoolExecutor(60) as crowd,
    ):
        office.house.tries = Tries(1000)
        patch.setattr(signin, "hasher", lambda: SimpleNamespace(verify=slow, hash=kept))
        tries = [crowd.submit(sign_in, number) for number in range(60)]
        try:
            assert begun.acquire(timeout=60)
            assert Counter(each.result(60) for each in list(islice(as_completed(tries, 60), 52))) == {429: 52}
            assert bob.get("/v1/session").status_code == 200
        finally:
            free.set()
    # of those who waited none was turned away
    assert Counter(each.result(60) for each in tries) == {429: 52, 401: 8}


def test_what_changes_something_needs_the_sessions_token(office: Service) -> None:
    with office.signed_in("bob") as bob:
        good = bob.headers.pop("x-csrf-token")
        for sent in ({}, {"x-csrf-token": "x" * len(good)}, {"x-csrf-token": ""}):
            assert bob.post("/v1/tokens", json={"name": "x"}, headers=sent).status_code == 403
        assert bob.get("/v1/session").status_code == 200
        assert bob.post("/v1/tokens", json={"name": "x"}, headers={"x-csrf-token": good}).status_code == 201


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}]
)
def test_another_sites_page_is_refused_even_with_the_token(office: Service, headers: dict[str, str]) -> None:
    with office.signed_in("bob") as bob:
        refused = bob.post("/v1/tokens", json={"name": "x"}, headers=headers)
    assert refused.status_code == 403


def test_signing_in_again_leaves_no_older_session(office: Service) -> None:
    with office.client() as browser:
        browser.post("/v1/session", json={"name": "bob", "password": PASSWORD})
        first = browser.cookies["ragapp_session"]
        browser.post("/v1/session", json={"name": "bob", "password": PASSWORD})
        assert browser.cookies["ragapp_session"] != first
    with office.client(cookies={"ragapp_session": first}) as thief:
        assert thief.get("/v1/session").status_code == 401


def test_a_new_password_signs_every_other_browser_out(office: Service) -> None:
    with office.signed_in("bob") as here, office.signed_in("bob") as there:
        change = {"old": PASSWORD, "new": "a new and longer password"}
        assert here.put("/v1/session/password", json={**change, "old": "wrong"}).status_code == 401
        assert here.put("/v1/session/password", json=change).status_code == 204
        assert there.get("/v1/session").status_code == 401
        assert here.get("/v1/session").status_code == 200


def test_signing_out_ends_the_session_and_not_only_the_cookie(office: Service) -> None:
    with office.signed_in("bob") as bob:
        cookie = bob.cookies["ragapp_session"]
        assert bob.delete("/v1/session").status_code == 204
    with office.client(cookies={"ragapp_session": cookie}) as again:
        assert again.get("/v1/session").status_code == 401


def test_a_session_ends_with_its_time(office: Service) -> None:
    with office.signed_in("bob") as bob:
        with office.house.catalog._sessions.writing() as session:
            session.query(SessionTable).update({"expires": datetime.now(UTC) - timedelta(seconds=1)})
        assert bob.get("/v1/session").status_code == 401


def test_no_other_site_may_read_answers(office: Service) -> None:
    with office.client(office.token("bob")) as program:
        answer = program.get("/v1/session", headers={"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in answer.headers


def test_where_nobody_signs_in_a_key_that_is_no_token_means_nothing(
    tmp_path: Path, models_dir: Path, resting_engine: VllmEngine
) -> None:
    """OpenAI's clients can't do without one."""
    settings = Settings(data=tmp_path / "data", serve={"single_user": True})
    with RagApp(settings, models_dir=models_dir, engine=resting_engine) as rag, running(rag, engine=False) as service:
        with service.client("none") as client:
            assert client.get("/v1/session").json()["name"] == "local"
            assert client.get("/v1/people", headers={"host": "evil.example"}).status_code == 403
        with service.client(service.token("local", "ask")) as client:
            assert client.get("/v1/people").status_code == 403, "a token of few rights has few"
