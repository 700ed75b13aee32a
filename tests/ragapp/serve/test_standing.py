"""An access that ended at the company's provider ends here within the minutes that are set; nothing is let in on a word
that is too old."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from ragapp.catalog.catalog import FILE_NAME
from ragapp.catalog.service_tables import StandingTable
from ragapp.serve import standing as module
from ragapp.serve.sealed import KEY_NAME, Seal
from ragapp.settings import OidcSettings

from .conftest import Service, wait_until
from .test_oidc import SECRET, Company, company, person, sign_in, use

__all__ = ["company"]


class Eve:
    """The office with the provider, and eve of the board, who signed in there and has a token."""

    def __init__(self, office: Service, company: Company, **settings: Any) -> None:
        self.office, self.company = office, company
        use(office, OidcSettings(issuer=company.issuer, client_secret=SECRET, admin_group="admins", **settings))  # type: ignore[arg-type]
        self.says(groups=["board"])
        self.browser = office.client()
        came = sign_in(self.browser)
        assert came.status_code == 303, came.text
        self.token = office.token("eve", "ask")

    def says(self, *, lie: str = "", refreshes: bool = True, revoked: bool = False, **claims: Any) -> None:
        self.claims = {"sub": "eve", "preferred_username": "eve", **claims}
        body = {"claims": self.claims, "lie": lie, "refreshes": refreshes, "revoked": ["eve"] if revoked else []}
        httpx.post(f"{self.company.issuer}/be", json=body).raise_for_status()

    @property
    def asked(self) -> int:
        return int(httpx.get(f"{self.company.issuer}/asked").json().get("refresh_token", 0))

    def passes(self, minutes: float) -> None:
        """Time passes, for the provider's word and for what failed."""
        with self.office.house.catalog._sessions.writing() as session:
            for row in session.query(StandingTable):
                row.renewed = row.renewed - timedelta(minutes=minutes)
        self.office.house.standing._failed.clear()
        self.office.house.standing._down = float("-inf")

    def comes_in(self) -> tuple[bool, bool]:
        """By browser, by token."""
        with self.office.client(self.token) as program:
            return tuple(each.get("/v1/session").status_code == 200 for each in (self.browser, program))  # type: ignore[return-value]

    def groups(self) -> set[str]:
        return set(person(self.office, "eve").groups)

    def look(self) -> None:
        asyncio.run(self.office.house.standing.look())


@pytest.fixture
def eves(office: Service, company: Company) -> Iterator[Eve]:
    made = Eve(office, company)
    yield made
    made.browser.close()
    company.says()


class TestWhatTheProviderTakesAway:
    def test_a_group_is_gone_in_the_background_before_anybody_asks(self, eves: Eve) -> None:
        eves.says(groups=["sales"])
        eves.office.house.catalog.people.set_groups(person(eves.office, "eve").id, ["project x"])
        eves.passes(14)
        eves.look()
        assert eves.groups() == {"sales", "project x"}, "what was given here stays"
        assert eves.comes_in() == (True, True)

    def test_a_group_is_gone_at_the_door_where_nobody_looked_before(self, eves: Eve) -> None:
        eves.says(groups=[])
        eves.passes(16)
        with eves.office.client(eves.token) as program:
            assert "31 million" not in program.get("/v1/search", params={"query": "Ostrava foundry"}).text
        assert eves.groups() == set()

    def test_an_admin_is_one_no_more(self, eves: Eve) -> None:
        eves.says(groups=["admins"])
        sign_in(eves.browser)
        assert person(eves.office, "eve").role == "admin"
        eves.says(groups=[])
        eves.passes(16)
        assert eves.browser.get("/v1/people").status_code == 403

    @pytest.mark.parametrize("in_the_background", [True, False])
    def test_an_account_that_ended_is_out_with_browsers_and_tokens(self, eves: Eve, in_the_background: bool) -> None:
        eves.says(revoked=True, groups=["board"])
        eves.passes(16)
        if in_the_background:
            eves.look()
        assert eves.comes_in() == (False, False)
        with eves.office.client(eves.token) as program:
            refused = program.get("/v1/session")
        assert refused.status_code == 401 and "vouch for this account again" in refused.json()["detail"]
        # back at the provider, a sign-in opens what was hers again
        eves.says(groups=["board"])
        assert sign_in(eves.browser).status_code == 303
        assert eves.comes_in() == (True, True)

    def test_it_is_in_the_audit(self, eves: Eve) -> None:
        eves.says(revoked=True)
        eves.passes(16)
        eves.look()
        with eves.office.client(eves.office.token("root")) as admin:
            rows = admin.get("/v1/audit").json()
        assert any(row["action"] == "session.end" and row["detail"] == {"by": "provider"} for row in rows)

    def test_local_accounts_are_nobodys_but_ours(self, eves: Eve) -> None:
        eves.says(lie="down")
        eves.passes(10_000)
        with eves.office.signed_in("ada") as ada:
            assert ada.get("/v1/session").status_code == 200


class TestTheServiceItself:
    def test_it_looks_by_itself(self, office: Service, company: Company) -> None:
        eves = Eve(office, company, refresh_minutes=0.02, grace_minutes=0)
        eves.says(groups=["sales"])
        # the running service's own task, with the pace of the settings
        task = threading.Thread(target=lambda: asyncio.run(_for(office.house.standing.run(), 4)), daemon=True)
        task.start()
        wait_until(lambda: eves.groups() == {"sales"}, 10)
        task.join()

    def test_nothing_is_asked_before_it_is_due(self, eves: Eve) -> None:
        before = eves.asked
        for _ in range(3):
            eves.comes_in()
        eves.look()
        assert eves.asked == before

    def test_those_who_could_not_come_in_are_not_asked_about(self, eves: Eve) -> None:
        eve = person(eves.office, "eve").id
        eves.office.house.catalog.credentials.close_sessions(eve)
        eves.office.house.catalog.credentials.revoke_tokens(eve)
        eves.passes(16)
        before = eves.asked
        eves.look()
        assert eves.asked == before

    def test_renewals_of_many_are_spread(self) -> None:
        now = datetime.now(UTC)
        shares = [module._share(module.StandingRow(str(number), now, None, "")) for number in range(200)]
        assert min(shares) >= 0.5 and max(shares) <= 0.85 and max(shares) - min(shares) > 0.25


class TestRotation:
    def test_each_token_is_used_once_and_the_next_is_kept(self, eves: Eve) -> None:
        for round_ in range(4):
            eves.says(groups=[f"round {round_}"])
            eves.passes(16)
            eves.look()
            assert eves.groups() == {f"round {round_}"} and eves.comes_in() == (True, True)

    def test_many_requests_at_once_ask_once(self, eves: Eve) -> None:
        """The second use of one token would end the account's access at a provider that rotates them."""
        eves.passes(16)
        before, seen = eves.asked, []
        asking = [threading.Thread(target=lambda: seen.append(eves.comes_in())) for _ in range(8)]
        for thread in [*asking, (look := threading.Thread(target=eves.look))]:
            thread.start()
        for thread in [*asking, look]:
            thread.join()
        assert eves.asked == before + 1 and seen == [(True, True)] * 8

    def test_the_new_token_is_kept_although_what_follows_fails(self, eves: Eve) -> None:
        eves.says(lie="garbage", groups=["board"])
        eves.passes(16)
        eves.look()
        eves.says(groups=["sales"])
        eves.passes(1)
        eves.look()
        assert eves.groups() == {"sales"} and eves.comes_in() == (True, True)

    def test_an_answer_that_was_lost_means_signing_in_again_and_no_more(self, eves: Eve) -> None:
        eves.says(lie="lost", groups=["board"])
        eves.passes(16)
        assert eves.comes_in() == (True, True), "the grace"
        eves.says(groups=["board"])
        eves.passes(1)
        assert eves.comes_in() == (False, False)
        sign_in(eves.browser)
        assert eves.comes_in() == (True, True)

    def test_an_older_grants_end_ends_no_newer_sign_in(self, eves: Eve) -> None:
        """A person signs in anew while the old refresh token is being refused."""
        eve, standings = person(eves.office, "eve").id, eves.office.house.catalog.standings
        before = standings.get(eve)
        assert before
        sign_in(eves.browser)
        assert not standings.end(eve, before.sealed, datetime.now(UTC))
        assert not standings.keep(eve, before.sealed, "other")
        assert eves.comes_in() == (True, True)


class TestAnOutage:
    def test_people_go_on_for_the_grace_and_not_a_minute_longer(self, eves: Eve) -> None:
        eves.says(lie="down")
        eves.passes(16)
        assert eves.comes_in() == (True, True)
        eves.passes(58)
        assert eves.comes_in() == (True, True)
        eves.passes(2)
        assert eves.comes_in() == (False, False)
        eves.says(groups=["board"])
        eves.passes(0)
        assert eves.comes_in() == (True, True), "it answers again: nobody was signed out for its outage"

    def test_without_grace_it_ends_at_once(self, office: Service, company: Company) -> None:
        eves = Eve(office, company, grace_minutes=0)
        eves.says(lie="down")
        eves.passes(16)
        assert eves.comes_in() == (False, False)

    def test_nobody_waits_for_a_provider_that_failed_a_moment_ago(self, eves: Eve) -> None:
        eves.says(lie="down")
        eves.passes(16)
        eves.comes_in()
        before = httpx.get(f"{eves.company.issuer}/asked").json()
        for _ in range(5):
            eves.comes_in()
        assert httpx.get(f"{eves.company.issuer}/asked").json() == before

    def test_a_provider_that_hangs_holds_up_few(self, eves: Eve, monkeypatch: pytest.MonkeyPatch) -> None:
        """However many come at once: the threads are the service's for everybody."""
        began, most, lock = [0], [0], threading.Lock()

        def hangs(person_id: str) -> None:
            with lock:
                began[0] += 1
                most[0] = max(most[0], began[0])
            time.sleep(0.3)
            with lock:
                began[0] -= 1

        standing, eve = eves.office.house.standing, person(eves.office, "eve")
        monkeypatch.setattr(standing, "renew", hangs)
        eves.passes(16)
        coming = [threading.Thread(target=standing.good, args=(eve,)) for _ in range(30)]
        for thread in coming:
            thread.start()
        for thread in coming:
            thread.join()
        assert most[0] <= 8

    def test_a_wrong_client_secret_is_no_word_on_the_person(self, eves: Eve) -> None:
        use(eves.office, OidcSettings(issuer=eves.company.issuer, client_secret="wrong"))  # type: ignore[arg-type]
        eves.passes(16)
        assert eves.comes_in() == (True, True)
        eves.passes(60)
        assert eves.comes_in() == (False, False)

    def test_without_a_provider_in_the_settings_nobody_of_it_comes_in(self, eves: Eve) -> None:
        eves.office.house.provider = None
        assert eves.comes_in() == (False, False)

    def test_a_clock_that_was_set_back_lengthens_nothing(self, eves: Eve) -> None:
        eves.says(revoked=True)
        eves.passes(-600)
        assert eves.comes_in() == (False, False)


class TestWhatIsBelieved:
    @pytest.mark.parametrize("lie", ["signature", "unsigned", "public key as secret", "audience", "expired", "issuer"])
    def test_a_forged_word_renews_nothing(self, eves: Eve, lie: str) -> None:
        eves.says(lie=lie, groups=["admins"])
        eves.passes(16)
        eves.comes_in()
        assert eves.groups() == {"board"}
        eves.passes(60)
        assert eves.comes_in() == (False, False)

    def test_a_word_on_somebody_else_ends_it(self, eves: Eve) -> None:
        eves.says(lie="somebody else", groups=["admins"])
        eves.passes(16)
        assert eves.comes_in() == (False, False) and eves.groups() == {"board"}

    def test_by_userinfo_where_a_refresh_brings_no_id_token(self, eves: Eve) -> None:
        eves.says(lie="no ID token", groups=["sales"])
        eves.passes(16)
        assert eves.comes_in() == (True, True) and eves.groups() == {"sales"}

    def test_a_key_that_was_exchanged_is_fetched(self, eves: Eve) -> None:
        eves.says(lie="new key", groups=["sales"])
        eves.passes(16)
        assert eves.comes_in() == (True, True) and eves.groups() == {"sales"}


class TestWithoutARefreshToken:
    def test_the_access_token_is_asked_with_as_long_as_it_lasts(self, office: Service, company: Company) -> None:
        httpx.post(f"{company.issuer}/be", json={"claims": {"sub": "x"}})
        eves = Eve(office, company)
        eves.says(refreshes=False, groups=["board"])
        sign_in(eves.browser)
        before = eves.asked
        eves.says(refreshes=False, groups=["sales"])
        eves.passes(16)
        assert eves.comes_in() == (True, True) and eves.groups() == {"sales"} and eves.asked == before
        eves.says(refreshes=False, revoked=True, groups=["sales"])
        eves.passes(16)
        assert eves.comes_in() == (False, False)


class TestHowItIsKept:
    def test_no_token_of_the_provider_lies_open(self, eves: Eve) -> None:
        """Neither in the catalog and its log, nor in ours, nor in what a person takes along."""
        from ragapp.serve.forgetting import all_about

        eves.passes(16)
        eves.look()
        data = eves.office.house.data
        for file in [*data.glob(f"{FILE_NAME}*"), *(data / "logs").glob("*")]:
            assert b"refresh-" not in file.read_bytes(), file
        eve = person(eves.office, "eve")
        row = eves.office.house.catalog.standings.get(eve.id)
        assert row and row.sealed and row.sealed not in repr(row)
        assert row.sealed not in str(all_about(eves.office.house.catalog, eve))
        assert (data / KEY_NAME).stat().st_mode & 0o077 == 0

    def test_a_backup_has_no_key_to_them(self, eves: Eve, tmp_path: Path) -> None:
        import tarfile

        eves.office.house.rag.backup(tmp_path / "b.tar")
        with tarfile.open(tmp_path / "b.tar") as tar:
            assert not any(KEY_NAME in name for name in tar.getnames())

    def test_what_is_sealed_for_one_is_nothing_for_another(self, tmp_path: Path) -> None:
        seal = Seal(tmp_path)
        kept = seal.seal("secret", "eve")
        assert seal.open(kept, "eve") == "secret" and Seal(tmp_path).open(kept, "eve") == "secret"
        (tmp_path / "other").mkdir()
        for wrong in (seal.open(kept, "bob"), Seal(tmp_path / "other").open(kept, "eve"), seal.open("x", "eve")):
            assert wrong is None

    def test_one_that_can_not_be_opened_means_signing_in_again(self, eves: Eve) -> None:
        (eves.office.house.data / KEY_NAME).unlink()
        eves.passes(16)
        assert eves.comes_in() == (False, False)
        sign_in(eves.browser)
        assert eves.comes_in() == (True, True)


async def _for(work: Any, seconds: float) -> None:
    task = asyncio.ensure_future(work)
    await asyncio.sleep(seconds)
    task.cancel()
