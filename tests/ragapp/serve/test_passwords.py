"""Passwords: which are taken, in which form they are kept, and what a changed one ends, at each door."""

from __future__ import annotations

import re
import threading
import time
import unicodedata
from datetime import timedelta

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragapp.serve.passwords import LONGEST_PASSWORD, fit
from ragapp.serve.problems import Refused
from ragapp.serve.signin import hasher, matches

from .conftest import PASSWORD, Service
from .test_signin_pages import fault_of, find, form_of, invite

COMMON = ["password1234", "passwordpassword", "qwertyuiop12", "iloveyou1234", "123456789012", "Sommer2026!!"]
FRESH = "nine herons over the weir"


class TestWhatIsTaken:
    @pytest.mark.parametrize("password", [*COMMON, "p@ssw0rd1234", "trustno1trustno1", "aaaaaaaaaaaaaaaaaaaa"])
    def test_a_common_one_and_its_near_kin_are_refused_with_why_and_what_to_do(self, password: str) -> None:
        with pytest.raises(Refused, match=r"too easy to guess.*; take a sentence"):
            fit(password)

    @pytest.mark.parametrize(
        "password", ["AdaLovelace1815", "lovelace lovelace", "ragapp ragapp", "ragapp-acme-2026", "Ada.Lovelace!!!!"]
    )
    def test_one_of_the_persons_and_the_companys_words_is_refused(self, password: str) -> None:
        with pytest.raises(Refused, match="take a sentence"):
            fit(password, ["ada", "Ada Lovelace", "ragapp", "acme"])

    @pytest.mark.parametrize(
        "password", [PASSWORD, FRESH, "Ada Lovelace walks to the mill", "дом у реки и лодка", "xö7#kQ%v2mWä"]
    )
    def test_a_sentence_or_a_random_one_is_taken_in_any_script_and_without_rules_on_signs(self, password: str) -> None:
        assert fit(password, ["ada", "Ada Lovelace"])

    @pytest.mark.parametrize("password", ["", "short", "eleven char", "ﬁ" * 5])
    def test_a_short_one_is_refused(self, password: str) -> None:
        with pytest.raises(Refused, match="at least 12 characters"):
            fit(password)

    def test_what_is_too_long_or_no_text_is_refused(self) -> None:
        with pytest.raises(Refused, match="at most"):
            fit("a word and " * (LONGEST_PASSWORD // 10))
        with pytest.raises(Refused, match="no text"):
            fit("a sentence with \ud800 in it")

    def test_whatever_is_sent_costs_little(self) -> None:
        """Of substitutions for letters zxcvbn tries each; with the length of its own limit that takes seconds."""
        began = time.process_time()
        fit("4@8({[<369&#!1/|0$5+7%2" * 40)
        assert time.process_time() - began < 5

    def test_one_persons_words_are_not_anothers(self) -> None:
        """zxcvbn keeps them in a table that all calls share."""
        faults: list[str] = []

        def choose(word: str, other: str) -> None:
            for _ in range(20):
                try:
                    fit(f"{word}{word}{word}".title(), [word])
                except Refused:
                    pass
                else:
                    faults.append(word)
                try:
                    fit(f"{other} mill by the {word} road", [word])
                except Refused as refused:
                    faults.append(str(refused))

        threads = [threading.Thread(target=choose, args=pair) for pair in (("zebulon", "quoll"), ("quoll", "zebulon"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not faults

    @settings(max_examples=60, deadline=None)
    @given(st.text(max_size=60))
    def test_any_text_is_taken_in_one_form_or_refused_in_one_sentence(self, password: str) -> None:
        try:
            kept = fit(password)
        except Refused as refused:
            assert str(refused).endswith("."), "one sentence"
        else:
            assert kept == unicodedata.normalize("NFKC", password) and fit(kept) == kept


class TestOneForm:
    def test_the_same_letters_of_another_keyboard_open(self, office: Service) -> None:
        person = find(office, "bob")
        word = "Élan vital über den Fluß"
        join = invite(office, person)
        with office.client() as browser:
            typed = {"secret": join, "password": unicodedata.normalize("NFD", word)}
            assert browser.post("/v1/session/invite", json=typed).status_code == 201
        with office.client() as browser:
            for form in ("NFC", "NFD"):
                body = {"name": "bob", "password": unicodedata.normalize(form, word)}  # type: ignore[arg-type]
                assert browser.post("/v1/session", json=body).status_code == 200

    def test_what_was_kept_before_passwords_had_one_form_opens_still(self) -> None:
        typed = unicodedata.normalize("NFD", "über die alte Brücke")
        assert matches(hasher().hash(typed), typed)
        assert not matches(hasher().hash(typed), "über die neue Brücke")
        assert not matches("", typed) and not matches(hasher().hash("x"), "\ud800")


class TestDoors:
    @pytest.mark.parametrize("password", COMMON)
    def test_http_refuses_a_common_one_and_the_old_holds(self, office: Service, password: str) -> None:
        with office.signed_in("bob") as bob:
            refused = bob.put("/v1/session/password", json={"old": PASSWORD, "new": password})
            assert refused.status_code == 422 and "easy to guess" in refused.json()["detail"]
            assert bob.get("/v1/session").status_code == 200
        with office.signed_in("bob"):
            pass

    def test_the_same_password_is_no_new_one(self, office: Service) -> None:
        with office.signed_in("bob") as bob:
            refused = bob.put("/v1/session/password", json={"old": PASSWORD, "new": PASSWORD})
        assert refused.status_code == 422 and "is the old one" in refused.json()["detail"]

    def test_the_links_page_says_it_and_the_link_stays_good(self, office: Service) -> None:
        link = f"/join/{invite(office)}"
        with office.client() as browser:
            form = form_of(browser.get(link)) | {"name": "eve", "password": "password1234", "again": "password1234"}
            refused = browser.post(link, data=form)
            assert refused.status_code == 422 and "too easy to guess" in fault_of(refused)
            refused = browser.post(
                link, data=form | {"name": "wolfgang", "password": "wolfgang 2026", "again": "wolfgang 2026"}
            )
            assert refused.status_code == 422 and "names that others know" in fault_of(refused)
            assert browser.post(link, data=form | {"password": FRESH, "again": FRESH}).status_code == 303


class TestWhatItEnds:
    """A password that was changed because it is known to others must not leave them what they made with it."""

    @pytest.fixture
    def tokens(self, office: Service) -> list[str]:
        return [office.token("bob"), office.token("bob", "ask")]

    def opens(self, office: Service, token: str) -> bool:
        with office.client(token) as program:
            return program.get("/v1/session").status_code == 200

    @pytest.mark.parametrize("asked", [False, True])
    def test_by_the_person_sessions_and_if_asked_tokens(self, office: Service, tokens: list[str], asked: bool) -> None:
        others = office.token("ada")
        with office.signed_in("bob") as here, office.signed_in("bob") as there:
            change = {"old": PASSWORD, "new": FRESH, "end_tokens": asked}
            assert here.put("/v1/session/password", json=change).status_code == 204
            assert there.get("/v1/session").status_code == 401
            assert here.get("/v1/session").status_code == 200, "the browser that changed it goes on in a new session"
        assert [self.opens(office, token) for token in tokens] == [not asked] * 2
        assert self.opens(office, others)

    @pytest.mark.parametrize("asked", [False, True])
    def test_by_the_links_page(self, office: Service, tokens: list[str], asked: bool) -> None:
        link = f"/join/{invite(office, find(office, 'bob'))}"
        with office.signed_in("bob") as there, office.client() as browser:
            shown = browser.get(link)
            assert "Revoke my API tokens" in shown.text
            form = form_of(shown) | {"password": FRESH, "again": FRESH} | ({"end_tokens": "yes"} if asked else {})
            assert browser.post(link, data=form).status_code == 303
            assert there.get("/v1/session").status_code == 401
        assert [self.opens(office, token) for token in tokens] == [not asked] * 2

    @pytest.mark.parametrize("asked", [False, True])
    def test_by_the_link_over_http(self, office: Service, tokens: list[str], asked: bool) -> None:
        body = {"secret": invite(office, find(office, "bob")), "password": FRESH, "end_tokens": asked}
        with office.signed_in("bob") as there, office.client() as browser:
            assert browser.post("/v1/session/invite", json=body).status_code == 201
            assert there.get("/v1/session").status_code == 401
        assert [self.opens(office, token) for token in tokens] == [not asked] * 2

    @pytest.mark.parametrize("asked", [False, True])
    def test_by_an_admins_reset_at_once(self, office: Service, tokens: list[str], asked: bool) -> None:
        bob = find(office, "bob")
        with office.signed_in("bob") as there, office.client(office.token("root")) as admin:
            made = admin.post(f"/v1/people/{bob.id}/link", json={"end_sessions": asked, "end_tokens": asked})
            assert made.status_code == 201
            assert (there.get("/v1/session").status_code == 401) is asked
        assert [self.opens(office, token) for token in tokens] == [not asked] * 2
        with office.client(office.token("root")) as admin:
            noted = next(row for row in admin.get("/v1/audit").json() if row["action"] == "person.link")
        assert noted["detail"]["end_tokens"] is asked

    def test_an_older_link_sets_no_other_password_afterwards(self, office: Service) -> None:
        lying = invite(office, find(office, "bob"))
        with office.signed_in("bob") as bob:
            assert bob.put("/v1/session/password", json={"old": PASSWORD, "new": FRESH}).status_code == 204
        with office.client() as finder:
            refused = finder.post(
                "/v1/session/invite", json={"secret": lying, "password": "another long sentence of mine"}
            )
        assert refused.status_code == 409

    def test_all_of_it_is_one_commit(self, office: Service, tokens: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        """A crash between the password and the sessions would leave a thief in."""
        people, bob = office.house.catalog.people, find(office, "bob")
        cookie, _ = office.house.catalog.credentials.open_session(bob.id, timedelta(hours=1))
        commits = []
        writing = people._sessions.writing
        monkeypatch.setattr(people._sessions, "writing", lambda: commits.append(1) or writing())
        people.set_password(bob.id, "kept", end_tokens=True)
        assert len(commits) == 1 and office.house.catalog.credentials.session(cookie) is None


def test_no_password_is_repeated_in_a_refusal(office: Service) -> None:
    secret = "hunter2hunter2"
    with office.signed_in("bob") as bob:
        told: httpx.Response = bob.put("/v1/session/password", json={"old": PASSWORD, "new": secret})
    assert told.status_code == 422 and not re.search(secret, told.text)
