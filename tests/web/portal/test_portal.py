"""The member portal: what a member owes, how they pay it, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from paygate import Cashier, Customer, Payment, PostalAddress
from paygate.errors import InvalidValue
from paygate.testing import FakeGateway
from paygate.web.portal import Fragment, Member, portal
from paygate.web.settings import WebSettings
from tests.web.portal.visiting import ROOT, Place, open_place, usd

SIGN_IN = "https://alder.example/sign-in"


@pytest.fixture
def place() -> Iterator[Place]:
    with open_place(sign_in_url=SIGN_IN) as found:
        yield found


def issue_three(place: Place) -> None:
    place.issue("INV-1", "30.00", due="2025-12-15")
    place.issue("INV-2", "25.00")
    place.issue("INV-3", "12.50", due="2026-01-03")


def last(place: Place) -> Payment:
    return place.cashier.payments(limit=1)[0]


def test_a_member_sees_what_is_open_and_the_overdue_ones_are_chosen(place: Place) -> None:
    issue_three(place)
    place.issue("INV-9", "99.00", customer="C-2")

    screen = place.sign_in(name="Maria").get()

    for said in ("Maria", "INV-1", "17 days overdue", "Due in 2 days", "$67.50", "$12.50"):
        assert said in screen.html.text
    assert "INV-9" not in screen.html.text
    assert "Overdue: pay now" in screen.text
    assert [each for name, each in screen.fields() if name == "invoice"] == ["INV-1"]


def test_without_anything_overdue_the_button_says_pay_now(place: Place) -> None:
    place.issue("INV-2", "25.00")

    text = place.sign_in().get().text

    assert "Pay now" in text
    assert "Overdue" not in text


def test_chosen_invoices_lead_to_a_link_of_half_an_hour(place: Place) -> None:
    issue_three(place)
    maria = place.sign_in(language="de")

    to = maria.chooses("INV-1", "INV-3").to
    [link] = place.cashier.links()

    assert to == link.address(place.web.root)
    assert (link.open, link.language) == (usd("42.50"), "de")
    assert link.expires_at == place.cashier.now() + timedelta(minutes=30)
    assert link.return_to == f"{place.web.origin}{ROOT}/"


def test_everything_open_is_paid_at_once(place: Place) -> None:
    issue_three(place)

    place.sign_in().chooses(do="all")

    [link] = place.cashier.links()
    assert link.open == usd("67.50")


def test_choosing_nothing_is_explained_at_the_form(place: Place) -> None:
    issue_three(place)

    screen = place.sign_in().chooses()

    assert (screen.status, place.cashier.links()) == (422, [])
    assert screen.text.count("Choose at least one invoice") == 2
    assert next(screen.html.all("title")).text.startswith("Error:")


def test_one_form_is_one_link_even_with_another_choice_after_going_back(place: Place) -> None:
    issue_three(place)
    maria = place.sign_in()
    screen = maria.get()
    token = dict(screen.fields())["token"]
    common = [("token", token), ("currency", "USD"), ("do", "chosen")]

    one = [maria.post(screen.action, [*common, ("invoice", "INV-1")]).to for _ in range(2)]
    other = maria.post(screen.action, [*common, ("invoice", "INV-2")]).to

    assert one[0] == one[1] != other
    assert len(place.cashier.links()) == 2


def test_a_stored_card_pays_on_the_next_page(place: Place) -> None:
    issue_three(place)
    method = place.store()
    maria = place.sign_in()

    page = maria.chooses("INV-1", "INV-2").to
    screen = maria.get(page)
    assert (screen.title, screen.values) == ("Pay $55.00 to Alder Telecom", [method, "another"])
    assert "Visa ending 4242" in screen.text
    assert maria.send(page).status == 422
    paid = maria.send(page, via=method).to

    assert maria.get(paid).title == "Paid. Thank you."
    assert maria.get(paid).links["Back to Alder Telecom"] == f"{place.web.origin}{ROOT}/"
    assert (place.open("INV-1"), place.open("INV-2")) == (usd("0.00"), usd("0.00"))


def test_another_way_leads_to_the_payment_pages(place: Place) -> None:
    issue_three(place)
    place.store()
    maria = place.sign_in()

    to = maria.send(maria.chooses("INV-1").to, via="another").to

    assert to == place.cashier.links()[0].address(place.web.root)


def test_a_form_that_is_sent_twice_charges_once(place: Place) -> None:
    place.issue("INV-1", "30.00")
    method = place.store()
    maria = place.sign_in()
    page = maria.chooses("INV-1").to
    fields = [*maria.get(page).fields(), ("via", method)]

    first, second = (maria.post(page, fields) for _ in range(2))

    assert first.to == second.to
    assert place.gateways["card"].moved("USD") == usd("30.00")


def test_a_decline_is_fixed_with_another_try(place: Place) -> None:
    place.issue("INV-1", "30.00")
    method = place.store()
    place.gateways["card"].script("declined_insufficient_funds")
    maria = place.sign_in()

    declined = maria.get(maria.send(maria.chooses("INV-1").to, via=method).to)
    assert declined.title == "The payment was declined"
    assert "there is not enough money" in declined.text
    again = maria.get(maria.send(maria.chooses("INV-1").to, via=method).to)

    assert again.title == "Paid. Thank you."
    assert len(place.cashier.payments()) == 2


def test_an_amount_that_changed_meanwhile_is_shown_first(place: Place) -> None:
    place.issue("INV-1", "30.00")
    method = place.store()
    maria = place.sign_in()
    page = maria.chooses("INV-1").to
    fields = [*maria.get(page).fields(), ("via", method)]
    place.cashier.record("INV-1", amount=usd("10.00"), by="cash", key="till")

    changed = maria.post(page, fields)
    assert (changed.status, changed.title) == (422, "The amount has changed")
    assert "It was $30.00; it is now $20.00." in changed.text
    sent = [*changed.fields(), ("via", method)]
    maria.post(page, sent)

    assert place.gateways["card"].moved("USD") == usd("20.00")


def test_what_is_being_paid_has_no_checkbox_but_a_way_to_its_payment(place: Place) -> None:
    place.issue("INV-1", "30.00")
    method = place.store()
    place.gateways["card"].script("unknown_executed")
    maria = place.sign_in()
    page = maria.chooses("INV-1").to
    late = [*maria.get(page).fields(), ("via", method)]
    place.cashier.collect(["INV-1"], via="card", method=place.cashier.method(method), key="x")

    screen = maria.get()
    assert "Being paid" in screen.text
    assert "Please do not pay it again." in screen.text
    assert list(screen.html.all("input", name="invoice")) == []
    shown = maria.get(screen.links["Show the state of INV-1"])
    assert "Please do not pay again." in shown.text
    assert maria.get(shown.links["Show its page"]).title.startswith("We do not know yet")
    busy = maria.post(page, late)

    assert (busy.status, busy.title) == (422, "This is already being paid")
    assert len(place.cashier.payments()) == 1


def test_invoices_of_two_currencies_have_forms_of_their_own(place: Place) -> None:
    place.issue("INV-1", "30.00")
    place.cashier.issue(number="E-1", customer="C-1", total=_eur("7.00"), due="2031-12-01")
    maria = place.sign_in()
    screen = maria.get()

    forms = [dict(screen.fields(each))["currency"] for each in range(len(screen.forms))]
    assert sorted(forms) == ["EUR", "USD"]
    euro = [each for each in screen.fields(forms.index("EUR")) if each[0] != "invoice"]
    wrong = maria.post(screen.action, [*euro, ("invoice", "INV-1"), ("do", "chosen")])

    assert wrong.status == 422
    assert maria.post(screen.action, [*euro, ("invoice", "E-1"), ("do", "chosen")]).status == 303


def _eur(amount: str) -> Any:
    from paygate import Money

    return Money.of("EUR", amount)


def test_without_a_session_nothing_is_shown_and_nothing_is_paid(place: Place) -> None:
    place.issue("INV-1", "30.00")
    maria = place.sign_in()
    screen = maria.get()
    place.members.clear()

    assert maria.get().to == SIGN_IN
    posted = maria.post(screen.action, [*screen.fields(), ("invoice", "INV-1"), ("do", "all")])

    assert (posted.status, posted.title) == (401, "You were signed out")
    assert "Nothing was paid." in posted.text
    assert place.cashier.links() == []


def test_a_form_counts_only_from_the_portal_in_the_session_that_saw_it(place: Place) -> None:
    place.issue("INV-1", "30.00")
    maria, again = place.sign_in(), place.sign_in()
    fields = [*maria.get().fields(), ("invoice", "INV-1"), ("do", "chosen")]

    foreign = maria.post("/pay", fields, origin="https://evil.example")
    stolen = again.post("/pay", fields)
    bare = maria.post("/pay", [("currency", "USD"), ("do", "all")])
    place.clock.advance(hours=25)
    late = maria.post("/pay", fields)

    assert [each.status for each in (foreign, stolen, bare, late)] == [403] * 4
    assert "Nothing was done yet." in foreign.text
    assert place.cashier.links() == []


def test_payments_are_listed_newest_first_with_receipts_and_tags(place: Place) -> None:
    for number in range(1, 23):
        place.issue(f"INV-{number}", "10.00")
        place.cashier.record(f"INV-{number}", amount=usd("10.00"), by="check", key=f"k{number}")
        place.clock.advance(minutes=1)
    place.cashier.reverse(last(place), reason="bounced")
    maria = place.sign_in()

    first = maria.get("/payments")
    rest = maria.get(first.links["Older payments"])

    assert "INV-22" in first.text
    assert "Returned" in first.text
    assert "INV-2 " not in first.text
    assert len(list(rest.html.all("tr"))) == 3


def test_a_receipt_names_the_payer_who_is_signed_in(place: Place) -> None:
    place.cashier.save_customer(
        Customer("C-1", name="Maria Lindqvist", address=PostalAddress(city="Portland"))
    )
    place.issue("INV-1", "30.00")
    payment = place.cashier.record("INV-1", amount=usd("30.00"), by="check", key="till")
    maria = place.sign_in()

    screen = maria.get(maria.get().links["Receipt"])
    assert screen.title == "Receipt 000001"
    for said in ("Maria Lindqvist", "Portland", "INV-1", "$30.00"):
        assert said in screen.text
    details = maria.get(f"/payments/{payment.id}")
    assert (details.title, details.status) == ("Payment of $30.00", 200)


def test_credit_is_shown_with_its_origin(place: Place) -> None:
    place.issue("INV-1", "30.00")
    place.cashier.record("INV-1", amount=usd("32.50"), by="check", key="till")
    maria = place.sign_in()

    screen = maria.get()
    assert "$2.50" in screen.text
    assert "You paid more than was due" in maria.get(screen.links["Where it comes from"]).text


def test_a_page_is_put_into_a_template_of_the_host() -> None:
    shown: list[Fragment] = []

    def render(_: Any, fragment: Fragment) -> str:
        shown.append(fragment)
        return f"<title>{fragment.title}</title><body>{fragment.html}</body>"

    with open_place(render=render) as place:
        place.issue("INV-1", "30.00")
        maria = place.sign_in()
        screen = maria.get()
        style = maria.get(shown[0].stylesheet).response

    assert shown[0].title == "Invoices and payments"
    assert screen.html.one("div", class_="paygate wide").one("main").text == screen.text
    assert list(screen.html.all("style")) == list(screen.html.all("script")) == []
    assert screen.response.headers["cache-control"] == "no-store"
    assert style.headers["content-type"].startswith("text/css")
    rules = style.text.replace("}", "}\n").splitlines()
    outside = [
        each
        for each in rules
        for selector in each.rpartition("@media")[0 if "@media" in each else 2].split("{")[:1]
        if selector
        and not all(part.strip().startswith(".paygate") for part in selector.split(","))
        and selector.strip() != "}"
    ]
    assert outside == []


def test_a_portal_needs_keys_and_a_safe_address() -> None:
    def nobody(_: object) -> Member | None:
        return None

    with Cashier.in_memory(gateways={"card": FakeGateway()}) as cashier:
        bare = WebSettings(payee="Alder", base_url="https://alder.example/pay")
        with pytest.raises(InvalidValue, match="keys"):
            portal(cashier, bare, customer_of=nobody)
        with pytest.raises(InvalidValue, match="url"):
            portal(cashier, bare, customer_of=nobody, url="http://alder.example/my")


@pytest.mark.parametrize("wrong", [{"customer": ""}, {"session": ""}, {"name": "\n"}])
def test_members_are_checked(wrong: dict[str, Any]) -> None:
    given: dict[str, Any] = {"customer": "C-1", "session": "s", **wrong}

    with pytest.raises(InvalidValue):
        Member(**given)
