"""The service's own pages work without scripts, load nothing from elsewhere, and take no form from elsewhere."""

from __future__ import annotations

import re
import threading
from datetime import timedelta

import httpx
import pytest
from lxml import html

from ragapp.catalog.service_rows import PersonRow
from ragapp.serve.routes import description

from .conftest import PASSWORD, Service

NEW_PASSWORD = "a quiet river under the bridge"


def form_of(response: httpx.Response) -> dict[str, str]:
    """What a browser would send of the page's form, before anything is typed."""
    (form,) = html.fromstring(response.text).forms
    return {name: value or "" for name, value in form.form_values()}


def fault_of(response: httpx.Response) -> str:
    (told,) = html.fromstring(response.text).xpath("//*[@role='alert']")
    return str(told.text_content()).strip()


def invite(office: Service, person: PersonRow | None = None, **more: object) -> str:
    person_id = person.id if person else None
    return office.house.catalog.credentials.invite(timedelta(hours=1), person_id=person_id, **more)  # type: ignore[arg-type]


def find(office: Service, name: str) -> PersonRow:
    found = office.house.catalog.people.find(name=name)
    assert found
    return found


class TestSigningIn:
    def test_with_the_form_and_on_to_where_one_wanted_to_go(self, office: Service) -> None:
        with office.client() as browser:
            form = form_of(browser.get("/sign-in", params={"next": "/docs?x=1"}))
            came = browser.post("/sign-in", data=form | {"name": "bob", "password": PASSWORD})
            assert (came.status_code, came.headers["location"]) == (303, "/docs?x=1")
            assert browser.get("/v1/session").json()["name"] == "bob"
            # in already: the form isn't shown again
            assert browser.get("/sign-in").status_code == 303

    def test_nobody_known_is_led_to_the_form(self, office: Service) -> None:
        with office.client() as browser:
            assert browser.get("/").headers["location"] == "/sign-in"

    @pytest.mark.parametrize(
        "next", ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example", "javascript:alert(1)"]
    )
    def test_a_link_leads_nowhere_else(self, office: Service, next: str) -> None:
        with office.client() as browser:
            shown = browser.get("/sign-in", params={"next": next})
            assert form_of(shown)["next"] == "/" and "evil" not in shown.text
            typed = form_of(shown) | {"name": "bob", "password": PASSWORD, "next": next}
            assert browser.post("/sign-in", data=typed).headers["location"] == "/"
            assert browser.get("/sign-in", params={"next": next}).headers["location"] == "/"

    @pytest.mark.parametrize(
        ("typed", "status", "said"),
        [
            ({"name": "bob", "password": "wrong"}, 401, "Name or password is wrong."),
            ({"name": "nobody", "password": PASSWORD}, 401, "Name or password is wrong."),
            ({"name": "bob"}, 422, "Fill in name and password."),
            ({"password": PASSWORD}, 422, "Fill in name and password."),
        ],
    )
    def test_a_fault_is_one_sentence_beside_the_form(
        self, office: Service, typed: dict[str, str], status: int, said: str
    ) -> None:
        with office.client() as browser:
            refused = browser.post("/sign-in", data=form_of(browser.get("/sign-in")) | typed)
            assert (refused.status_code, fault_of(refused)) == (status, said)
            assert form_of(refused)["name"] == typed.get("name", "")
            assert form_of(refused)["password"] == ""
            assert browser.get("/v1/session").status_code == 401

    def test_what_was_typed_is_text_in_the_page(self, office: Service) -> None:
        with office.client() as browser:
            typed = {"name": '"><img src=x onerror=alert(1)>', "password": "x"}
            refused = browser.post("/sign-in", data=form_of(browser.get("/sign-in")) | typed)
        assert "<img" not in refused.text and form_of(refused)["name"] == typed["name"]

    def test_after_too_many_tries_one_waits_at_both_doors(self, office: Service) -> None:
        with office.client() as browser:
            form = form_of(browser.get("/sign-in"))
            for _ in range(office.house.settings.serve.sign_in_tries):
                browser.post("/sign-in", data=form | {"name": "bob", "password": "guess"})
            refused = browser.post("/sign-in", data=form | {"name": "bob", "password": PASSWORD})
            assert refused.status_code == 429 and "Too many failed tries" in fault_of(refused)
            assert int(refused.headers["retry-after"]) > 0
            assert browser.post("/v1/session", json={"name": "bob", "password": PASSWORD}).status_code == 429

    def test_many_tries_at_once_are_no_way_around_the_limit(self, office: Service) -> None:
        most = office.house.settings.serve.sign_in_tries
        statuses: list[int] = []

        def guess() -> None:
            with office.client() as one:
                statuses.append(one.post("/v1/session", json={"name": "bob", "password": "guess"}).status_code)

        guessing = [threading.Thread(target=guess) for _ in range(2 * most)]
        for thread in guessing:
            thread.start()
        for thread in guessing:
            thread.join()
        # some may have been turned away because too many were being compared already
        assert set(statuses) == {401, 429} and statuses.count(401) <= most

    def test_signing_in_rightly_uses_up_no_tries(self, office: Service) -> None:
        for _ in range(office.house.settings.serve.sign_in_tries + 2):
            with office.signed_in("bob") as bob:
                assert bob.get("/v1/session").status_code == 200

    def test_an_older_session_of_the_browser_ends(self, office: Service) -> None:
        with office.client() as browser:
            form = form_of(browser.get("/sign-in"))
            browser.post("/sign-in", data=form | {"name": "bob", "password": PASSWORD})
            planted = browser.cookies["ragapp_session"]
            browser.post("/sign-in", data=form | {"name": "ada", "password": PASSWORD})
            assert browser.get("/v1/session").json()["name"] == "ada"
        with office.client(cookies={"ragapp_session": planted}) as thief:
            assert thief.get("/v1/session").status_code == 401


class TestForgedForms:
    def test_without_the_browsers_token(self, office: Service) -> None:
        with office.client() as browser, office.client() as attacker:
            form = form_of(browser.get("/sign-in")) | {"name": "bob", "password": PASSWORD}
            others = form_of(attacker.get("/sign-in"))["form_token"]
            for token in ("", "x", others, "é"):
                refused = browser.post("/sign-in", data=form | {"form_token": token})
                assert refused.status_code == 403 and "send it again" in fault_of(refused)
            # and without the cookie
            with office.client() as bare:
                assert bare.post("/sign-in", data=form).status_code == 403

    @pytest.mark.parametrize(
        "headers",
        [
            {"origin": "https://evil.example"},
            {"origin": "null"},
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
        ],
    )
    def test_from_another_site(self, office: Service, headers: dict[str, str]) -> None:
        with office.client() as browser:
            form = form_of(browser.get("/sign-in")) | {"name": "bob", "password": PASSWORD}
            assert browser.post("/sign-in", data=form, headers=headers).status_code == 403
            assert (
                browser.post("/v1/session", json={"name": "bob", "password": PASSWORD}, headers=headers).status_code
                == 403
            )
            assert browser.get("/v1/session").status_code == 401

    def test_from_the_own_page(self, office: Service) -> None:
        with office.client() as browser:
            form = form_of(browser.get("/sign-in")) | {"name": "bob", "password": PASSWORD}
            own = {"origin": office.url, "sec-fetch-site": "same-origin"}
            assert browser.post("/sign-in", data=form, headers=own).status_code == 303

    def test_nobody_is_signed_out_from_elsewhere(self, office: Service) -> None:
        with office.signed_in("bob") as bob:
            assert bob.post("/sign-out", data={"form_token": "x"}).status_code == 403
            assert bob.get("/v1/session").status_code == 200

    def test_two_tabs_share_their_token(self, office: Service) -> None:
        with office.client() as browser:
            first = form_of(browser.get("/sign-in"))
            browser.get("/sign-in")
            assert browser.post("/sign-in", data=first | {"name": "bob", "password": PASSWORD}).status_code == 303


class TestInvitations:
    def test_the_first_link_makes_the_admin(self, office: Service) -> None:
        secret = invite(office, role="admin")
        with office.client() as browser:
            shown = browser.get(f"/join/{secret}")
            assert "It is an admin" in shown.text
            typed = {"name": "zoe", "display": "Zoë", "password": NEW_PASSWORD, "again": NEW_PASSWORD}
            came = browser.post(f"/join/{secret}", data=form_of(shown) | typed)
            assert (came.status_code, came.headers["location"]) == (303, "/")
            me = browser.get("/v1/session").json()
            assert (me["name"], me["display"], me["role"]) == ("zoe", "Zoë", "admin")
            assert browser.get("/").text.count("Zoë") == 1
            gone = browser.get(f"/join/{secret}")
            assert gone.status_code == 410 and "used already" in fault_of(gone)

    def test_looking_doesnt_use_it_up_and_a_fault_doesnt_either(self, office: Service) -> None:
        secret = invite(office)
        with office.client() as browser:
            for _ in range(3):
                shown = browser.get(f"/join/{secret}")
            good = form_of(shown) | {"name": "zoe", "password": NEW_PASSWORD, "again": NEW_PASSWORD}
            for mistake, said in (
                ({"again": "something else"}, "differ"),
                ({"password": "short", "again": "short"}, "at least 12"),
                ({"name": "bob"}, "already"),
                ({"name": "local"}, "already"),
                ({"name": "\x00 "}, "Choose a name"),
                ({"form_token": "x"}, "send it again"),
            ):
                refused = browser.post(f"/join/{secret}", data=good | mistake)
                assert 400 <= refused.status_code < 500 and said in fault_of(refused)
            assert browser.post(f"/join/{secret}", data=good).status_code == 303

    def test_a_new_password_signs_every_other_browser_out(self, office: Service) -> None:
        secret = invite(office, find(office, "bob"))
        with office.signed_in("bob") as elsewhere, office.client() as browser:
            shown = browser.get(f"/join/{secret}")
            assert "bob" in shown.text
            # a name that is sent along renames nobody
            typed = {"password": NEW_PASSWORD, "again": NEW_PASSWORD, "name": "root"}
            assert browser.post(f"/join/{secret}", data=form_of(shown) | typed).status_code == 303
            assert elsewhere.get("/v1/session").status_code == 401
            assert browser.get("/v1/session").json()["name"] == "bob"

    def test_a_newer_link_voids_the_older(self, office: Service) -> None:
        first, second = (invite(office, find(office, "bob")) for _ in range(2))
        with office.client() as browser:
            assert browser.get(f"/join/{first}").status_code == 410
            assert browser.get(f"/join/{second}").status_code == 200

    def test_a_locked_account_stays_locked(self, office: Service) -> None:
        secret = invite(office, find(office, "bob"))
        office.house.catalog.people.set_active(find(office, "bob").id, False)
        with office.client() as browser:
            form = form_of(browser.get(f"/join/{secret}")) | {"password": NEW_PASSWORD, "again": NEW_PASSWORD}
            refused = browser.post(f"/join/{secret}", data=form)
            assert refused.status_code == 403 and "locked" in fault_of(refused)

    def test_without_a_link_nobody_learns_which_names_have_accounts(self, office: Service) -> None:
        with office.client() as browser:
            told = {
                browser.post(
                    "/v1/session/invite", json={"secret": "guess", "name": name, "password": NEW_PASSWORD}
                ).json()["detail"]
                for name in ("bob", "nobody")
            }
        assert len(told) == 1

    @pytest.mark.parametrize("secret", ["x", "%00", "..%2f..%2fetc", "<script>", "é"])
    def test_a_made_up_link(self, office: Service, secret: str) -> None:
        with office.client() as browser:
            assert browser.get(f"/join/{secret}").status_code in (404, 410)


class TestEveryPage:
    def test_signing_out(self, office: Service) -> None:
        with office.signed_in("bob") as bob:
            front = bob.get("/")
            assert "bob" in front.text and "everyone" in front.text
            left = bob.post("/sign-out", data=form_of(front))
            assert (left.status_code, left.headers["location"]) == (303, "/sign-in")
            assert bob.get("/v1/session").status_code == 401

    def test_nothing_comes_from_another_host_and_no_script_runs(self, office: Service) -> None:
        secret = invite(office)
        with office.signed_in("bob") as bob, office.client() as nobody:
            shown = [
                bob.get("/"),
                nobody.get("/sign-in"),
                nobody.get(f"/join/{secret}"),
                nobody.get("/docs"),
                nobody.get("/join/x"),
            ]
        for page in shown:
            policy = page.headers["content-security-policy"]
            assert "default-src 'none'" in policy and "script-src" not in policy and "unsafe" not in policy
            nonce = re.search(r"style-src 'nonce-([\w-]+)'", policy)
            assert nonce
            parsed = html.fromstring(page.text)
            assert not parsed.xpath("//script | //img | //iframe | //@onclick | //@style")
            assert parsed.xpath("//style/@nonce") == [nonce[1]]
            links = parsed.xpath("//@href | //@src | //@action")
            assert all(str(link).startswith(("/", "#", "data:,")) and not str(link).startswith("//") for link in links)
            assert page.headers["cache-control"] == "no-store"
            assert page.headers.get_list("referrer-policy") == ["same-origin"]
            assert page.headers["x-frame-options"] == "DENY"

    def test_every_field_has_a_label_and_every_page_a_language_title_and_heading(self, office: Service) -> None:
        secret = invite(office)
        with office.client() as nobody:
            for path in ("/sign-in", f"/join/{secret}", "/docs"):
                page = html.fromstring(nobody.get(path).text)
                assert page.get("lang") == "en" and page.findtext(".//title") and len(page.xpath("//h1")) == 1
                for field in page.xpath("//input[not(@type='hidden') and not(@hidden)]"):
                    assert page.xpath(f"//label[@for='{field.get('id')}']"), path
                    assert field.get("autocomplete")

    def test_the_docs_list_every_route_of_the_api(self, office: Service) -> None:
        with office.client() as nobody:
            listed, described = nobody.get("/docs").text, nobody.get("/openapi.json").json()
        assert all(path in listed for path in described["paths"])
        assert not any(path in described["paths"] for path in ("/", "/sign-in", "/join/{secret}", "/docs"))

    def test_what_anybody_may_ask_for_is_put_together_once(
        self, office: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Encoding it anew took a core's whole time where two hundred connections asked each second."""
        with office.client() as nobody:
            before = [nobody.get("/openapi.json").content, nobody.get("/docs").status_code]
            monkeypatch.setattr(description, "Description", None)
            after = [nobody.get("/openapi.json").content, nobody.get("/docs").status_code]
        assert before == after and after[1] == 200

    def test_the_form_cookie_is_out_of_reach(self, office: Service) -> None:
        with office.client() as nobody:
            flags = nobody.get("/sign-in").headers["set-cookie"].lower()
        assert "httponly" in flags and "samesite=lax" in flags


def test_a_token_in_the_address_opens_nothing(office: Service) -> None:
    token = office.token("root")
    with office.client() as nobody:
        for name in ("token", "access_token", "api_key", "authorization", "key"):
            assert nobody.get("/v1/session", params={name: token}).status_code == 401


def test_a_public_https_address_makes_the_cookies_secure(office: Service) -> None:
    serve = office.house.settings.serve.model_copy(update={"public_url": "https://rag.example"})
    office.house.rag.settings = office.house.settings.model_copy(update={"serve": serve})
    with office.client() as browser:
        form = browser.get("/sign-in")
        assert "secure" in form.headers["set-cookie"].lower()
        signed = browser.post(
            "/v1/session", json={"name": "bob", "password": PASSWORD}, headers={"origin": "https://rag.example"}
        )
        assert signed.status_code == 200 and "secure" in signed.headers["set-cookie"].lower()
