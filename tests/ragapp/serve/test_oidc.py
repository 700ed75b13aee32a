"""Signing in through a real OpenID Connect provider process: who it vouches for comes in, and no lie does."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from ragapp import Settings
from ragapp.catalog.service_rows import PersonRow
from ragapp.errors import SettingsError
from ragapp.serve.oidc import Provider
from ragapp.serve.routes.oidc import OIDC_COOKIE
from ragapp.settings import OidcSettings

from .conftest import PASSWORD, Service

SECRET = "a secret with % and + in it"


@dataclass(frozen=True)
class Company:
    """The provider and the ways to have it say something."""

    issuer: str

    def says(self, lie: str = "", id_token_claims: list[str] | None = None, **claims: Any) -> None:
        body = {"claims": {"sub": "1", **claims}, "lie": lie, "id_token_claims": id_token_claims}
        httpx.post(f"{self.issuer}/be", json=body).raise_for_status()


@pytest.fixture(scope="module")
def company() -> Iterator[Company]:
    script = Path(__file__).with_name("company_provider.py")
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield Company(process.stdout.readline().strip())
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture
def firm_office(office: Service, company: Company, tmp_path: Path) -> Service:
    """The office with the company's provider; its secret lies in a file."""
    company.says()
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    settings = OidcSettings(issuer=company.issuer, client_secret_file=tmp_path / "secret", admin_group="ragapp admins")
    use(office, settings)
    return office


def use(office: Service, settings: OidcSettings) -> None:
    serve = office.house.settings.serve.model_copy(update={"oidc": settings})
    office.house.rag.settings = office.house.settings.model_copy(update={"serve": serve})
    office.house.provider = Provider(settings)


@contextmanager
def browser(office: Service) -> Iterator[httpx.Client]:
    with office.client() as client:
        yield client


def sign_in(client: httpx.Client, onward: str = "/") -> httpx.Response:
    """Follow every step as a browser does; the last answer of the service, not followed further."""
    there = client.get("/v1/oidc/start", params={"next": onward})
    if there.status_code != 303:
        return there
    back = httpx.get(there.headers["location"])
    assert back.status_code == 302, back.text
    return client.get(back.headers["location"])


def person(office: Service, name: str) -> PersonRow:
    found = office.house.catalog.people.find(name=name)
    assert found
    return found


class TestComingIn:
    def test_the_first_sign_in_makes_a_reader_with_the_providers_groups(
        self, firm_office: Service, company: Company
    ) -> None:
        company.says(preferred_username="eve", name="Eve Example", groups=["board", "sales"])
        with browser(firm_office) as eve:
            came = sign_in(eve, "/docs")
            assert (came.status_code, came.headers["location"]) == (303, "/docs")
            me = eve.get("/v1/session").json()
            assert (me["name"], me["display"], me["role"]) == ("eve", "Eve Example", "reader")
            assert me["groups"] == ["board", "sales"]
            found = eve.get("/v1/search", params={"query": "Ostrava foundry"}).json()
            assert any("31 million" in passage["text"] for passage in found["passages"])
            assert OIDC_COOKIE not in eve.cookies

    def test_a_group_that_the_provider_takes_away_is_gone_and_one_given_here_stays(
        self, firm_office: Service, company: Company
    ) -> None:
        company.says(preferred_username="eve", groups=["board"])
        with browser(firm_office) as eve:
            sign_in(eve)
            firm_office.house.catalog.people.set_groups(person(firm_office, "eve").id, ["project x"])
            company.says(preferred_username="eve", groups=[])
            sign_in(eve)
            assert eve.get("/v1/session").json()["groups"] == ["project x"]
            found = eve.get("/v1/search", params={"query": "Ostrava foundry"}).text
            assert "31 million" not in found

    def test_an_account_is_known_by_its_subject_and_not_by_its_name(
        self, firm_office: Service, company: Company
    ) -> None:
        company.says(preferred_username="ada", groups=[])
        with browser(firm_office) as other:
            sign_in(other)
            me = other.get("/v1/session").json()
        # the local ada looks after the board's documents; a provider's ada is somebody else
        assert (me["name"], me["groups"], me["curates"]) == ("ada-2", [], [])
        company.says(preferred_username="renamed")
        with browser(firm_office) as again:
            sign_in(again)
            assert again.get("/v1/session").json()["id"] == me["id"]

    def test_the_admin_group_makes_admins_and_unmakes_them(self, firm_office: Service, company: Company) -> None:
        with browser(firm_office) as eve:
            for groups, role in ((["ragapp admins"], "admin"), ([], "reader")):
                company.says(preferred_username="eve", groups=groups)
                sign_in(eve)
                assert eve.get("/v1/session").json()["role"] == role

    @pytest.mark.parametrize("name", ["local", "", "x" * 5000, "new\nline", "<b>", 7, None])
    def test_odd_names_become_good_ones(self, firm_office: Service, company: Company, name: object) -> None:
        company.says(sub="odd", preferred_username=name)
        with browser(firm_office) as odd:
            assert sign_in(odd).status_code == 303
            called = odd.get("/v1/session").json()["name"]
        assert called and called != "local" and called.isprintable() and len(called) <= 200

    @pytest.mark.parametrize(
        "groups", ["board", ["board", "everyone"], ["board", 3, None, "conversation/1", "", "x" * 300, "a\nb"]]
    )
    def test_odd_groups_are_left_out(self, firm_office: Service, company: Company, groups: object) -> None:
        company.says(preferred_username="eve", groups=groups)
        with browser(firm_office) as eve:
            sign_in(eve)
            assert eve.get("/v1/session").json()["groups"] == ["board"]

    def test_what_is_not_in_the_id_token_comes_from_userinfo(self, firm_office: Service, company: Company) -> None:
        company.says(id_token_claims=["sub"], preferred_username="eve", groups=["board"])
        with browser(firm_office) as eve:
            sign_in(eve)
            me = eve.get("/v1/session").json()
        assert (me["name"], me["groups"]) == ("eve", ["board"])

    def test_a_new_signing_key_is_fetched(self, firm_office: Service, company: Company) -> None:
        with browser(firm_office) as eve:
            assert sign_in(eve).status_code == 303
            company.says("new key")
            assert sign_in(eve).status_code == 303

    def test_a_session_from_before_is_ended(self, firm_office: Service) -> None:
        with browser(firm_office) as eve:
            eve.post("/v1/session", json={"name": "bob", "password": PASSWORD})
            before = eve.cookies["ragapp_session"]
            sign_in(eve)
        with firm_office.client(cookies={"ragapp_session": before}) as thief:
            assert thief.get("/v1/session").status_code == 401


class TestRefused:
    @pytest.mark.parametrize(
        "lie",
        [
            "nonce", "no nonce", "audience", "second audience", "expired", "no expiry", "issuer", "no subject",
            "access token", "signature", "unsigned", "public key as secret", "no ID token", "garbage",
        ],
    )  # fmt: skip
    def test_a_lying_id_token_lets_nobody_in(self, firm_office: Service, company: Company, lie: str) -> None:
        company.says(lie, preferred_username="eve", groups=["ragapp admins"])
        people = len(firm_office.house.catalog.people.list())
        with browser(firm_office) as eve:
            refused = sign_in(eve)
            assert refused.status_code == 403
            assert "be trusted" in refused.text and 'role="alert"' in refused.text
            assert eve.get("/v1/session").status_code == 401
        assert len(firm_office.house.catalog.people.list()) == people

    def test_another_persons_userinfo(self, firm_office: Service, company: Company) -> None:
        company.says("userinfo", id_token_claims=["sub"], groups=["board"])
        with browser(firm_office) as eve:
            assert "another person" in sign_in(eve).text
            assert eve.get("/v1/session").status_code == 401

    @pytest.mark.parametrize(("lie", "status", "said"), [("denied", 403, "access_denied"), ("down", 503, "reached")])
    def test_a_provider_that_refuses_or_fails(
        self, firm_office: Service, company: Company, lie: str, status: int, said: str
    ) -> None:
        company.says(lie)
        with browser(firm_office) as eve:
            refused = sign_in(eve)
        assert refused.status_code == status and said in refused.text

    def test_words_of_the_address_are_not_shown(self, firm_office: Service, company: Company) -> None:
        company.says("error page")
        with browser(firm_office) as eve:
            assert "0900" not in sign_in(eve).text

    def test_metadata_of_another_issuer(self, firm_office: Service, company: Company) -> None:
        company.says("metadata")
        with browser(firm_office) as eve:
            assert "another issuer" in sign_in(eve).text

    def test_a_wrong_client_secret(self, firm_office: Service, company: Company) -> None:
        use(firm_office, OidcSettings(issuer=company.issuer, client_secret="wrong"))  # type: ignore[arg-type]
        with browser(firm_office) as eve:
            refused = sign_in(eve)
        assert refused.status_code == 403 and "invalid_client" in refused.text

    def test_a_locked_account(self, firm_office: Service, company: Company) -> None:
        company.says(preferred_username="eve")
        with browser(firm_office) as eve:
            sign_in(eve)
            firm_office.house.catalog.people.set_active(person(firm_office, "eve").id, False)
            refused = sign_in(eve)
            assert refused.status_code == 403 and "locked" in refused.text

    def test_a_provider_that_is_gone_is_told_at_once_the_second_time(self, office: Service) -> None:
        use(office, OidcSettings(issuer="http://127.0.0.1:9"))
        with browser(office) as eve:
            for _ in range(2):
                refused = eve.get("/v1/oidc/start")
                assert refused.status_code == 503 and "127.0.0.1:9" in refused.text

    def test_without_a_provider_there_is_nothing_to_start(self, office: Service) -> None:
        with browser(office) as eve:
            for path in ("start", "callback"):
                assert eve.get(f"/v1/oidc/{path}").status_code == 404


class TestTheWayBack:
    def test_only_the_browser_that_started_comes_in(self, firm_office: Service) -> None:
        """Else an attacker's link would sign somebody into the attacker's account."""
        with browser(firm_office) as attacker, browser(firm_office) as victim:
            there = attacker.get("/v1/oidc/start").headers["location"]
            back = httpx.get(there).headers["location"]
            for _ in range(2):
                refused = victim.get(back)
                assert refused.status_code == 400 and "not started in this browser" in refused.text
                victim.get("/v1/oidc/start")
            assert victim.get("/v1/session").status_code == 401

    def test_an_answer_works_once(self, firm_office: Service) -> None:
        with browser(firm_office) as eve:
            back = httpx.get(eve.get("/v1/oidc/start").headers["location"]).headers["location"]
            kept = eve.cookies[OIDC_COOKIE]
            assert eve.get(back).status_code == 303
            assert eve.get(back).status_code == 400
            eve.cookies.set(OIDC_COOKIE, kept)
            assert eve.get(back).status_code == 403

    @pytest.mark.parametrize("cookie", ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdGF0ZSI6IngifQ."])
    def test_a_cookie_that_was_not_signed_here(self, firm_office: Service, cookie: str) -> None:
        with firm_office.client(cookies={OIDC_COOKIE: cookie}) as eve:
            assert eve.get("/v1/oidc/callback", params={"state": "x", "code": "y"}).status_code == 400

    def test_it_has_ten_minutes(self, firm_office: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        with browser(firm_office) as eve:
            back = httpx.get(eve.get("/v1/oidc/start").headers["location"]).headers["location"]
            later = time.time() + 601
            monkeypatch.setattr(time, "time", lambda: later)
            assert eve.get(back).status_code == 400

    def test_state_nonce_and_challenge_go_along_and_the_verifier_stays(self, firm_office: Service) -> None:
        with browser(firm_office) as eve:
            started = eve.get("/v1/oidc/start")
        asked = parse_qs(urlsplit(started.headers["location"]).query)
        assert {"state", "nonce", "code_challenge"} <= asked.keys()
        assert (asked["code_challenge_method"], asked["response_type"]) == (["S256"], ["code"])
        flags = next(value for value in started.headers.get_list("set-cookie") if OIDC_COOKIE in value).lower()
        assert "httponly" in flags and "samesite=lax" in flags and "path=/v1/oidc" in flags

    @pytest.mark.parametrize(
        "onward", ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example"]
    )
    def test_it_leads_nowhere_else(self, firm_office: Service, onward: str) -> None:
        with browser(firm_office) as eve:
            assert sign_in(eve, onward).headers["location"] == "/"


class TestSettings:
    @pytest.mark.parametrize("issuer", ["http://login.example", "login.example", "ftp://login.example", "https://"])
    def test_an_issuer_that_others_could_listen_in_on(self, issuer: str) -> None:
        with pytest.raises(SettingsError, match=r"serve\.oidc\.issuer"):
            Provider(OidcSettings(issuer=issuer))

    def test_a_secret_file_that_is_not_there_or_empty(self, tmp_path: Path) -> None:
        (tmp_path / "empty").touch()
        for name in ("missing", "empty"):
            with pytest.raises(SettingsError, match=name):
                Provider(OidcSettings(issuer="https://login.example", client_secret_file=tmp_path / name))

    def test_the_secret_is_in_no_text_of_the_settings(self) -> None:
        settings = Settings(serve={"oidc": {"issuer": "https://login.example", "client_secret": "geheim"}})  # type: ignore[arg-type]
        assert "geheim" not in repr(settings) and "geheim" not in repr(Provider(settings.serve.oidc))
