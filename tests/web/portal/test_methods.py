"""Payment methods in the portal: stored at the processor, used automatically, replaced, deleted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from paygate import MandateScope, PaymentMethod
from tests.web.portal.visiting import Payer, Place, open_place, usd


@pytest.fixture
def place() -> Iterator[Place]:
    with open_place() as found:
        yield found


def begins(maria: Payer, scope: str, path: str = "/methods/new") -> str:
    """Ask for the processor's form, and return the address of the request's page."""
    return maria.send(path, scope=scope, kind="card/card").to


def fills_in(place: Place, maria: Payer, page: str) -> str:
    """Fill in the processor's form, come back, and return the title of the page."""
    [change] = place.cashier.method_changes(limit=1)
    place.gateways["card"].pay(change.reference)
    back = page.replace("/methods/stored/", "/methods/back/")
    return maria.get(maria.get(back).to).title


def stored(place: Place) -> list[PaymentMethod]:
    return [each for each in place.cashier.methods("C-1") if each.forgotten_at is None]


def test_a_card_is_stored_with_the_consent_that_was_given_before(place: Place) -> None:
    place.issue("INV-1", "30.00")
    place.issue("INV-2", "25.00")
    maria = place.sign_in(authenticated="password")
    asked = maria.get("/methods/new")
    assert "$55.00 for INV-1, INV-2" in asked.text

    page = begins(maria, "future_and_pending")
    assert maria.get(page).title == "Continue at the payment processor"
    assert fills_in(place, maria, page) == "Your payment method is stored"

    [method] = stored(place)
    mandate = place.cashier.mandate(method)
    assert mandate is not None
    assert mandate.scope is MandateScope.FUTURE_AND_PENDING
    assert list(mandate.pending) == ["INV-1", "INV-2"]
    assert (mandate.ip, mandate.authenticated, mandate.language) == ("127.0.0.1", "password", "en")
    assert mandate.user_agent.startswith("python-httpx")
    assert len(mandate.text_digest) == 64
    assert "Pays automatically" in maria.get().text


def test_a_card_is_stored_for_nothing_but_the_members_own_payments(place: Place) -> None:
    maria = place.sign_in()

    fills_in(place, maria, begins(maria, "nothing"))

    [method] = stored(place)
    assert place.cashier.mandate(method) is None
    assert place.cashier.subscription("C-1") is None
    assert "Use automatically" in maria.get().text


def test_what_is_allowed_must_be_chosen(place: Place) -> None:
    maria = place.sign_in()

    screens = [
        maria.send("/methods/new", kind="card/card"),
        maria.send("/methods/new", kind="card/card", scope="everything"),
        # Nothing is open, so this was not offered.
        maria.send("/methods/new", kind="card/card", scope="future_and_pending"),
        maria.send("/methods/new", kind="nobody/card", scope="future"),
    ]

    assert [each.status for each in screens] == [422] * 4
    assert place.cashier.method_changes() == []


def test_a_sum_that_changed_meanwhile_is_shown_first(place: Place) -> None:
    place.issue("INV-1", "30.00")
    maria = place.sign_in()
    fields = maria.get("/methods/new").fields()
    place.issue("INV-2", "25.00")

    sent = [*fields, ("kind", "card/card"), ("scope", "future_and_pending")]
    screen = maria.post("/methods/new", sent)

    assert screen.status == 422
    assert "$55.00 for INV-1, INV-2" in screen.text
    assert place.cashier.method_changes() == []


def test_a_form_that_is_sent_twice_asks_the_processor_once(place: Place) -> None:
    maria = place.sign_in()
    fields = [
        *maria.get("/methods/new").fields(),
        ("kind", "card/card"),
        ("scope", "nothing"),
    ]

    first, second = (maria.post("/methods/new", fields).to for _ in range(2))

    assert first == second
    assert len(place.cashier.method_changes()) == 1


def test_a_member_who_comes_back_early_goes_on(place: Place) -> None:
    maria = place.sign_in()
    page = begins(maria, "nothing")

    screen = maria.get(maria.get(page.replace("/stored/", "/back/")).to)

    assert screen.title == "It is not stored yet"
    assert "Continue at the payment processor" in screen.links
    assert stored(place) == []


def test_a_processor_may_send_the_member_back_by_a_form(place: Place) -> None:
    maria = place.sign_in()
    back = begins(maria, "nothing").replace("/stored/", "/back/")

    posted = maria.post(back, {"anything": "x"}, origin="https://processor.example")

    assert posted.to == back


def test_a_decline_and_doubt_are_told_apart(place: Place) -> None:
    maria = place.sign_in()
    page = begins(maria, "nothing")
    place.clock.advance(timedelta(days=2))
    place.cashier.recover()

    assert maria.get(page).title == "It was not stored"
    place.gateways["card"].script("unknown_lost")
    doubtful = maria.get(begins(maria, "nothing"))
    assert doubtful.title == "We do not know yet whether it was stored"


def test_a_stored_card_is_allowed_to_pay_automatically_and_stopped(place: Place) -> None:
    place.issue("INV-1", "30.00", due="2026-01-01")
    method = place.store()
    maria = place.sign_in()

    maria.send(f"/methods/{method}/use", scope="future_and_pending")
    place.cashier.run_autopay()
    assert place.open("INV-1") == usd("0.00")
    maria.send("/methods/stop")

    subscription = place.cashier.subscription("C-1")
    assert subscription is not None
    assert subscription.status.value == "ended"
    assert [each.id for each in stored(place)] == [method]
    assert "Stop automatic payments" not in maria.get().text


def test_an_old_method_is_deleted_only_when_the_new_one_is_stored(place: Place) -> None:
    old = place.store()
    maria = place.sign_in()

    page = begins(maria, "future", f"/methods/new/{old}")
    assert [each.id for each in stored(place)] == [old]
    fills_in(place, maria, page)

    [new] = stored(place)
    assert new.id != old
    assert new.is_default
    maria.get(page.replace("/stored/", "/back/"))
    assert [each.id for each in stored(place)] == [new.id]


def test_the_last_method_is_deleted_with_what_follows(place: Place) -> None:
    maria = place.sign_in()
    fills_in(place, maria, begins(maria, "future"))
    [method] = stored(place)
    path = f"/methods/{method.id}/delete"
    fields = maria.get(path).fields()
    assert "Automatic payments stop." in maria.get(path).text

    first, second = (maria.post(path, fields) for _ in range(2))

    assert (first.status, second.status) == (303, 303)
    assert stored(place) == []
    subscription = place.cashier.subscription("C-1")
    assert subscription is not None
    assert subscription.status.value == "ended"
    assert maria.get(path).status == 404


def test_a_request_is_found_by_its_key_only(place: Place) -> None:
    place.store()
    [made] = place.cashier.method_changes()

    assert place.cashier.method_changes(key="store-0") == [made]
    assert place.cashier.method_changes(key="store-1") == []
