"""One's own account, and which pages are there for whom."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from ragapp.serve.signin import hashed

from ..ragapp.serve.conftest import PASSWORD, Service
from .conftest import Visitor
from .test_accessible import faults

Visit = Callable[..., Visitor]
OTHER = "another horse, another battery"


def test_a_new_password_and_signing_out(lit: Service, visit: Visit) -> None:
    lit.house.catalog.people.add("eve", display="Eve <b>", password_hash=hashed(PASSWORD))
    eve = visit(lit, "eve")
    page = eve.page
    eve.go("Account")
    expect(page.get_by_text("Signed in as Eve <b> (eve)")).to_be_visible()
    page.locator(".account").wait_for()
    assert not faults(page)[0]
    page.get_by_label("Now", exact=True).fill("not it")
    page.get_by_label("From now on").fill(OTHER)
    page.get_by_role("button", name="Change the password").click()
    expect(page.locator(".account [role=status]")).not_to_be_empty()
    page.get_by_label("Now", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_text("It is changed")).to_be_visible()
    expect(page.get_by_text("It is changed")).to_have_count(0)  # the page came anew, in the new session
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Name").fill("eve")
    page.get_by_label("Password").fill(OTHER)
    page.get_by_role("button", name="Sign in").click()
    page.goto(f"{lit.url}/app/")
    eve.box.wait_for()


def test_a_token_is_shown_once_and_works(lit: Service, visit: Visit) -> None:
    bob = visit(lit, "bob")
    page = bob.page
    bob.go("Account")
    page.locator(".account").wait_for()  # it comes last, and moves what is below it
    page.get_by_text("New token").click()
    page.get_by_label("What it is for").fill("my script")
    # by the keyboard: the form's fields are loaded when it opens first, and push its button away from the mouse
    page.get_by_role("button", name="Make", exact=True).press("Enter")
    token = page.get_by_test_id("stCode").inner_text().strip()
    with lit.client(token) as program:
        assert program.get("/v1/session").json()["name"] == "bob"
    page.keyboard.press("r")  # Streamlit's key for drawing the page anew
    bob.settled()
    expect(page.get_by_test_id("stCode")).to_have_text(token)
    page.get_by_role("button", name="Copied").click()
    expect(page.get_by_test_id("stCode")).to_have_count(0)
    page.reload()
    expect(page.get_by_text("my script")).to_be_visible()
    expect(page.get_by_test_id("stCode")).to_have_count(0)


def test_readers_have_no_admins_pages(lit: Service, visit: Visit) -> None:
    bob = visit(lit, "bob")
    links = bob.page.get_by_test_id("stTopNavLinkContainer")
    links.first.wait_for()
    assert {link.inner_text().splitlines()[-1] for link in links.all()} == {
        "Ask", "Search", "Documents", "Models", "Usage", "Account",
    }  # fmt: skip
    bob.page.goto(f"{lit.url}/app/audit")
    expect(bob.page.get_by_text("Who did what")).to_have_count(0)
    assert "audit" not in bob.page.get_by_test_id("stMain").inner_text().lower()
