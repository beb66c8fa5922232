"""The payment pages on a ledger: what a payer sees, and what moves, under both cashiers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from paygate import Customer, Kind, LinkStatus, PayerField, PaymentStatus
from paygate.testing import FakeClock, FakeGateway, Habits
from paygate.web.results import read_result
from tests.web.pages.paying import HOME, Screen, Shop, open_shop, usd

LOST = "This payment link is not valid"
BUSY = "This is already being paid"


def gateways(clock: FakeClock) -> dict[str, FakeGateway]:
    hosted: dict[str, Any] = {"methods": frozenset(), "needs_return_url": True}
    return {
        "card": FakeGateway(Kind.CARD, clock=clock, **hosted),
        "bank": FakeGateway(Kind.E_CHECK, clock=clock, **hosted),
        "wallet": FakeGateway(
            Kind.REDIRECT, clock=clock, habits=Habits(needs_complete=True), processor=None
        ),
        "cash": FakeGateway(Kind.VOUCHER, clock=clock),
        "pix": FakeGateway(Kind.QR, clock=clock),
        "phone": FakeGateway(Kind.PUSH, clock=clock),
        "bitcoin": FakeGateway(Kind.BITCOIN, clock=clock),
    }


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[ExitStack]:
    # The folder is deleted after the ledger in it is closed.
    with ExitStack() as stack:
        yield stack


@pytest.fixture(params=["Cashier", "AsyncCashier"])
def shop(request: pytest.FixtureRequest, opened: ExitStack, tmp_path: Path) -> Shop:
    return open_here(opened, tmp_path, awaited=request.param == "AsyncCashier")


@pytest.fixture
def one(opened: ExitStack, tmp_path: Path) -> Shop:
    """Return a shop for tests in which the cashier makes no difference."""
    return open_here(opened, tmp_path)


def open_here(opened: ExitStack, folder: Path, **more: Any) -> Shop:
    clock = FakeClock()
    return opened.enter_context(open_shop(folder, gateways(clock), clock, **more))


# --- A link ---------------------------------------------------------------------------------


def test_a_link_shows_what_is_due_and_the_ways_to_pay_and_stores_nothing(shop: Shop) -> None:
    shop.issue("INV-1", "30.00", due="2031-12-24")
    shop.issue("INV-2", "12.50")
    link = shop.link("INV-1", "INV-2")
    before = len(shop.cashier.events(limit=1000))

    screen = shop.get(shop.address(link))

    assert (screen.status, screen.title) == (200, "Pay $42.50 to Alder Telecom")
    assert "INV-1, due Dec 24, 2031" in screen.text
    assert screen.ways == [
        "card/card",
        "bank/e_check",
        "wallet/redirect",
        "cash/voucher",
        "pix/qr",
        "phone/push",
        "bitcoin/bitcoin",
    ]
    assert "C-1" not in screen.response.text
    assert len(shop.cashier.events(limit=1000)) == before
    assert shop.cashier.payments() == []


def test_a_card_is_paid_on_the_processors_page(shop: Shop) -> None:
    shop.issue("INV-1", "30.00")
    link = shop.link("INV-1")

    page = shop.pay(link, "card/card")
    going = shop.get(page)

    assert page.startswith(f"{shop.web.root}/p/")
    [refresh] = re.findall(r'http-equiv="refresh" content="0; url=([^"]*)"', going.response.text)
    assert going.links()["Continue"] == refresh
    assert refresh.startswith("https://fake.invalid/pay/")
    assert shop.paid("INV-1") == usd("0")

    shop.gateways["card"].pay(shop.payment_at(page).reference)
    shown = Screen(shop.client.get(f"{page}/back", follow_redirects=True))

    assert (shown.title, shop.paid("INV-1")) == ("Paid. Thank you.", usd("30"))
    assert "Visa ending 4242" in shown.text
    assert "000001" in shown.text
    reference = shop.payment_at(page).short_reference
    assert f"{reference[:4]}-{reference[4:]}" in shown.text
    assert "INV-1" in shown.text
    assert str(shown.response.url) == page
    assert shop.get(shop.address(link)).to == page
    assert shop.cashier.link_by_id(link).status is LinkStatus.USED
    assert "$30.00" in shop.get(f"{page}/receipt").text


def test_what_was_approved_is_completed_when_the_payer_is_back(shop: Shop) -> None:
    shop.issue("INV-1", "30.00")
    page = shop.pay(shop.link("INV-1"), "wallet/redirect")

    unpaid = shop.come_back(page)
    shop.gateways["wallet"].pay(shop.payment_at(page).reference)
    shop.clock.advance(timedelta(seconds=11))
    shop.get(f"{page}/back?token=of-the-processor")

    assert unpaid.title == "You have not paid yet"
    assert shop.get(page).title == "Paid. Thank you."
    assert shop.paid("INV-1") == usd("30")


def test_a_processor_may_post_the_payer_back(one: Shop) -> None:
    one.issue("INV-1", "30.00")
    page = one.pay(one.link("INV-1"), "card/card")
    one.gateways["card"].pay(one.payment_at(page).reference)

    back = one.post(f"{page}/back", {"status": "paid"}, origin="https://processor.example")

    assert back.to == page
    assert one.paid("INV-1") == usd("30")


def test_a_payer_who_left_pays_in_another_way(shop: Shop) -> None:
    shop.issue("INV-1", "30.00")
    first = shop.pay(shop.link("INV-1"), "card/card")

    left = shop.come_back(first)
    another = shop.get(left.links()["Pay another way"])
    second = shop.post(another.action, {**another.fields, "via": "bank/e_check"}).to
    bank = shop.payment_at(second)
    shop.gateways["bank"].pay(bank.reference)
    pending = shop.come_back_to(second)

    assert another.title == "Pay $30.00 to Alder Telecom"
    assert another.action == first
    assert pending.title == "Your payment is on its way"
    assert "3 working days" in pending.text
    # The first page was withdrawn before the second was opened.
    assert shop.get(first).title == "This payment was canceled"
    shop.clock.advance(timedelta(days=4))
    shop.hear("bank")
    assert shop.get(second).title == "Paid. Thank you."
    assert shop.paid("INV-1") == usd("30")


def test_a_decline_is_told_and_another_way_offered_on_its_page(shop: Shop) -> None:
    shop.issue("INV-1", "30.00")
    first = shop.pay(shop.link("INV-1"), "card/card")
    card = shop.gateways["card"]
    card.decline_try(shop.payment_at(first).reference, "insufficient_funds", final=True)

    declined = shop.come_back_to(first)
    second = shop.post(declined.action, {**declined.fields, "via": "card/card"}).to
    card.pay(shop.payment_at(second).reference)

    assert declined.title == "The payment was declined"
    assert "Your bank said no: there is not enough money." in declined.text
    assert shop.come_back_to(second).title == "Paid. Thank you."
    assert shop.paid("INV-1") == usd("30")


@pytest.mark.parametrize(
    ("via", "title", "shown"),
    [
        ("cash/voucher", "Cash payment slip", "Pay to"),
        ("pix/qr", "Scan the code to pay $30.00", "Code as text"),
        ("phone/push", "Approve on your phone", "Open your phone and approve $30.00."),
        ("bitcoin/bitcoin", "Pay with Bitcoin", "Send 0.00030000 BTC for $30.00."),
    ],
)
def test_what_is_paid_elsewhere_is_shown_and_followed(
    one: Shop, via: str, title: str, shown: str
) -> None:
    one.issue("INV-1", "30.00")
    page = one.pay(one.link("INV-1"), via)

    screen = one.get(page)
    before = one.get(f"{page}/state")
    account = via.partition("/")[0]
    one.gateways[account].pay(one.payment_at(page).reference)
    one.hear(account)
    after = one.get(f"{page}/state")

    assert screen.title == title
    assert shown in screen.text
    assert f'data-poll="{page}/state"' in screen.response.text
    assert before.response.json()["version"] in screen.response.text
    assert before.response.json()["version"] != after.response.json()["version"]
    one.clock.advance(timedelta(hours=1))
    one.hear(account)
    assert one.get(page).title == "Paid. Thank you."
    assert one.paid("INV-1") == usd("30")


def test_a_quote_that_is_over_is_renewed(one: Shop) -> None:
    one.issue("INV-1", "30.00")
    page = one.pay(one.link("INV-1"), "bitcoin/bitcoin")
    one.clock.advance(timedelta(hours=2))

    over = one.get(page)
    renewed = one.post(over.action, over.fields).to

    assert over.title == "The price has expired"
    assert renewed != page
    assert one.get(renewed).title == "Pay with Bitcoin"
    # Money for the old quote still counts.
    one.gateways["bitcoin"].pay(one.payment_at(page).reference)
    one.clock.advance(timedelta(hours=1))
    one.hear("bitcoin")
    assert one.paid("INV-1") == usd("30")


def test_a_payer_chooses_an_amount_in_the_language_of_the_page(shop: Shop) -> None:
    shop.issue("INV-1", "30.00")
    link = shop.link("INV-1", amount=(usd("5"), usd("30")), language="de")
    screen = shop.get(shop.address(link))

    def typed(amount: str) -> Screen:
        return shop.post(screen.action, {**screen.fields, "via": "card/card", "amount": amount})

    refused = {amount: typed(amount) for amount in ("4", "30,01", "1.234", "", "zwölf", "-5")}
    assert shop.cashier.payments() == []
    page = typed("12,50").to
    shop.gateways["card"].pay(shop.payment_at(page).reference)
    part = shop.come_back_to(page)
    rest = shop.get(part.links()["Rest zahlen"])
    last = shop.post(rest.action, {**rest.fields, "via": "card/card", "amount": "17,50"}).to
    shop.gateways["card"].pay(shop.payment_at(last).reference)

    assert {each.status for each in refused.values()} == {422}
    for amount, each in refused.items():
        assert each.html.one("input", name="amount").attributes["value"] == amount
        assert each.html.one("title").text.startswith("Fehler:")
    assert "zwischen 5,00 $ und 30,00 $" in refused["4"].text
    assert part.title == "12,50 $ erhalten"
    assert "17,50" in part.text
    assert shop.come_back_to(last).html.one("html").attributes["lang"] == "de"
    assert shop.paid("INV-1") == usd("30")
    assert shop.cashier.link_by_id(link).status is LinkStatus.USED


def test_only_what_the_ledger_lacks_about_the_payer_is_asked_for(
    opened: ExitStack, tmp_path: Path
) -> None:
    clock = FakeClock()
    needs = frozenset({PayerField.EMAIL, PayerField.PHONE})
    page = FakeGateway(Kind.REDIRECT, clock=clock, payer_fields=needs)
    other = FakeGateway(Kind.VOUCHER, clock=clock)
    shop = opened.enter_context(open_shop(tmp_path, {"page": page, "cash": other}, clock))
    shop.cashier.save_customer(Customer("C-1", email="secret@payer.example"))
    shop.issue("INV-1", "30.00")
    screen = shop.get(shop.address(shop.link("INV-1")))
    assert "secret@payer.example" not in screen.response.text
    assert set(screen.fields) == {"try", "phone"}

    wrong = shop.post(screen.action, {**screen.fields, "via": "page/redirect", "phone": "?"})
    paid = shop.post(
        screen.action, {**screen.fields, "via": "page/redirect", "phone": "+1 555 0100"}
    )

    assert (wrong.status, "Enter a telephone number" in wrong.text) == (422, True)
    assert wrong.html.one("input", name="phone").attributes["aria-invalid"] == "true"
    payment = shop.payment_at(paid.to)
    assert payment.customer == "C-1"
    stored = shop.cashier.customer("C-1")
    assert stored is not None
    assert stored.email == "secret@payer.example"


# --- What payers really do --------------------------------------------------------------------


def test_a_form_that_is_sent_twenty_times_at_once_pays_once(shop: Shop) -> None:
    shop.issue("INV-1", "30.00")
    screen = shop.get(shop.address(shop.link("INV-1")))
    fields = {**screen.fields, "via": "card/card"}

    with ThreadPoolExecutor(20) as pool:
        sent = [pool.submit(shop.post, screen.action, fields) for _ in range(20)]
        found = [each.result() for each in sent]

    assert len({each.to for each in found}) == 1
    [payment] = shop.cashier.payments()
    shop.gateways["card"].pay(payment.reference)
    shop.come_back_to(found[0].to)
    assert shop.gateways["card"].moved("USD") == usd("30")
    # Used, and sent again later with something else in it: the same payment.
    assert shop.post(screen.action, {**fields, "via": "bank/e_check"}).to == found[0].to


def test_the_second_of_two_tabs_takes_over_from_a_page_that_was_left(one: Shop) -> None:
    one.issue("INV-1", "30.00")
    link = one.link("INV-1")
    first, second = (one.get(one.address(link)) for _ in range(2))

    left = one.post(first.action, {**first.fields, "via": "card/card"}).to
    taken = one.post(second.action, {**second.fields, "via": "card/card"}).to

    assert left != taken
    assert one.get(left).title == "This payment was canceled"
    one.gateways["card"].pay(one.payment_at(taken).reference)
    assert one.come_back_to(taken).title == "Paid. Thank you."
    assert one.paid("INV-1") == usd("30")


def test_while_an_outcome_is_unknown_nothing_else_is_charged(shop: Shop) -> None:
    shop.issue("INV-1", "30.00")
    link = shop.link("INV-1")
    page = shop.pay(link, "wallet/redirect")
    wallet = shop.gateways["wallet"]
    wallet.pay(shop.payment_at(page).reference)
    wallet.script("unknown_executed", operation="complete")

    unknown = shop.come_back_to(page)
    screen = shop.get(shop.address(link))
    busy = shop.post(screen.action, {**screen.fields, "via": "card/card"})

    assert unknown.title == "We do not know yet whether this payment went through"
    assert "Please do not pay again." in unknown.text
    assert (busy.status, busy.title) == (422, BUSY)
    assert busy.links()["Show that payment"] == page
    assert shop.gateways["card"].moved("USD") == usd("0")
    shop.clock.advance(timedelta(minutes=10))
    assert shop.come_back_to(page).title == "Paid. Thank you."
    assert wallet.moved("USD") == usd("30")
    assert shop.paid("INV-1") == usd("30")


def test_an_amount_that_changed_is_shown_before_it_is_charged(shop: Shop) -> None:
    shop.issue("INV-1", "30.00")
    screen = shop.get(shop.address(shop.link("INV-1")))
    shop.cashier.record("INV-1", amount=usd("10"), by="cash", key="till")

    changed = shop.post(screen.action, {**screen.fields, "via": "card/card"})
    page = shop.post(changed.action, {**changed.fields, "via": "card/card"}).to
    shop.gateways["card"].pay(shop.payment_at(page).reference)

    assert (changed.status, changed.title) == (422, "The amount has changed")
    assert "It was $30.00; it is now $20.00." in changed.text
    assert changed.fields["try"] != screen.fields["try"]
    assert shop.come_back_to(page).title == "Paid. Thank you."
    assert shop.gateways["card"].moved("USD") == usd("20")
    assert shop.paid("INV-1") == usd("30")


def test_a_form_of_yesterday_is_shown_again(one: Shop) -> None:
    one.issue("INV-1", "30.00")
    screen = one.get(one.address(one.link("INV-1")))
    one.clock.advance(timedelta(hours=25))

    again = one.post(screen.action, {**screen.fields, "via": "card/card"})

    assert again.status == 422
    assert "Please check the amount and press Continue again." in again.text
    assert one.post(again.action, {**again.fields, "via": "card/card"}).status == 303


def test_money_for_a_slip_that_comes_after_a_card_is_credit(one: Shop) -> None:
    one.issue("INV-1", "30.00")
    slip = one.pay(one.link("INV-1"), "cash/voucher")
    another = one.get(one.get(slip).links()["Pay another way"])
    page = one.post(another.action, {**another.fields, "via": "card/card"}).to
    one.gateways["card"].pay(one.payment_at(page).reference)
    one.come_back_to(page)
    one.gateways["cash"].pay(one.payment_at(slip).reference)
    one.hear("cash")

    twice = one.get(slip)

    assert twice.title == "Already paid"
    assert "$30.00 is kept as your credit." in twice.text
    assert one.cashier.balance("C-1")["USD"] == usd("30")


def test_an_e_check_that_is_returned_can_be_paid_again(one: Shop) -> None:
    one.issue("INV-1", "30.00")
    page = one.pay(one.link("INV-1"), "bank/e_check")
    reference = one.payment_at(page).reference
    one.gateways["bank"].pay(reference)
    one.clock.advance(timedelta(days=4))
    one.hear("bank")
    one.gateways["bank"].return_check(reference)
    one.hear("bank")

    returned = one.get(page)
    again = one.get(returned.links()["Pay again"])
    card = one.post(again.action, {**again.fields, "via": "card/card"}).to
    one.gateways["card"].pay(one.payment_at(card).reference)

    assert returned.title == "This payment was returned"
    assert "The bank took $30.00 back" in returned.text
    assert one.come_back_to(card).title == "Paid. Thank you."
    assert one.paid("INV-1") == usd("30")


def test_a_refund_is_shown_on_the_page(one: Shop) -> None:
    one.issue("INV-1", "30.00")
    page = one.pay(one.link("INV-1"), "card/card")
    one.gateways["card"].pay(one.payment_at(page).reference)
    one.come_back_to(page)
    one.cashier.refund(one.payment_at(page), key="r", amount=usd("5"))

    assert one.get(page).title == "$5.00 was sent back"


# --- The way back -------------------------------------------------------------------------------


def test_the_processor_is_asked_once_in_ten_seconds(shop: Shop) -> None:
    shop.issue("INV-1", "30.00")
    page = shop.pay(shop.link("INV-1"), "card/card")
    asked = inquiries(shop, "card")

    for _ in range(5):
        shop.get(f"{page}/back")
    once = asked()
    for _ in range(1000):
        assert shop.get(f"{page}/state").response.json()["state"] == "go"
    shop.clock.advance(timedelta(seconds=11))
    shop.get(f"{page}/back")

    assert once == 1
    assert asked() > once


def test_who_pays_right_after_a_look_does_not_read_that_nothing_was_paid(shop: Shop) -> None:
    shop.issue("INV-1", "30.00")
    page = shop.pay(shop.link("INV-1"), "card/card")

    first = shop.come_back(page)
    shop.gateways["card"].pay(shop.payment_at(page).reference)
    soon = shop.come_back(page)
    shop.clock.advance(timedelta(seconds=11))
    later = shop.come_back_to(page)

    assert first.title == "You have not paid yet"
    assert soon.title == "We are waiting for the payment processor"
    assert list(soon.links()) == ["Check again"]
    assert later.title == "Paid. Thank you."


def test_a_processor_that_does_not_answer_is_waited_for(shop: Shop) -> None:
    shop.issue("INV-1", "30.00")
    page = shop.pay(shop.link("INV-1"), "wallet/redirect")
    wallet = shop.gateways["wallet"]
    wallet.processor.handle = no_answer  # type: ignore[method-assign]

    waiting = shop.come_back(page)

    assert waiting.title == "We are waiting for the payment processor"
    assert "Please do not pay again." in waiting.text
    assert list(waiting.links()) == ["Check again"]
    assert waiting.html.one("body").attributes["data-poll"] == (
        f"{page}/state?{urlsplit(str(waiting.response.url)).query}"
    )


def test_a_payer_is_sent_home_with_a_signed_result(one: Shop) -> None:
    one.issue("INV-1", "30.00")
    link = one.link("INV-1", return_to=f"{HOME}/done?p={{payment}}&r={{result}}")
    page = one.pay(link, "card/card")
    one.gateways["card"].pay(one.payment_at(page).reference)

    home = one.come_back_to(page).links()["Back to Alder Telecom"]

    query = parse_qs(urlsplit(home).query)
    payment = one.payment_at(page)
    result = read_result(query["r"][0], one.web, origin=HOME, now=one.clock.now())
    assert query["p"] == [payment.id]
    assert (result.link, result.payment, result.amount) == (link.id, payment.id, usd("30"))
    assert result.status is PaymentStatus.SUCCEEDED


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "https://shop.example.evil.example/", "shop-app://done"]
)
def test_nobody_is_sent_to_a_place_that_the_settings_do_not_name(one: Shop, elsewhere: str) -> None:
    one.issue("INV-1", "30.00")
    link = one.link("INV-1", return_to=elsewhere)
    page = one.pay(link, "card/card")
    one.gateways["card"].pay(one.payment_at(page).reference)

    assert list(one.come_back_to(page).links()) == ["Receipt to print"]
    assert "evil" not in one.get(f"{page}?return_to=https://evil.example/").response.text


# --- Bad input ----------------------------------------------------------------------------------


def test_every_token_that_leads_nowhere_gets_the_same_page(
    opened: ExitStack, tmp_path: Path
) -> None:
    one = open_here(opened, tmp_path, misses_per_minute=1000)
    one.issue("INV-1", "30.00")
    ended = {key: one.link("INV-1", key=key) for key in ("revoked", "reissued")}
    ended["expired"] = one.link(
        "INV-1", key="expired", expires=one.clock.now() + timedelta(minutes=1)
    )
    addresses = [one.address(each) for each in ended.values()]
    one.cashier.revoke_link(ended["revoked"], reason="a test")
    one.cashier.reissue_link(ended["reissued"])
    one.clock.advance(timedelta(minutes=2))
    other = one.cashier.for_tenant("other")
    other.issue(number="X", customer="C", total=usd("1"), due="2031-01-01")
    addresses.append(one.address(other.link("X", key="x")))
    root = one.web.root
    addresses += [f"{root}/l/{each}" for each in ("A" * 22, "x", "%00", "..%2f", "é" * 22)]
    addresses += [f"{root}/p/{'A' * 22}{more}" for more in ("", "/state", "/back", "/slip")]
    addresses += [f"{root}/p/{one.link('INV-1').token}", f"{root}/", f"{root}/l/", f"{root}/l"]

    found = [one.get(each) for each in addresses]
    posted = [one.post(each, {"try": "x", "via": "card/card"}) for each in addresses]

    assert {each.status for each in (*found, *posted)} == {404}
    assert len({each.response.content for each in (*found, *posted)}) == 1
    heads = [dict(each.response.headers) for each in (*found, *posted)]
    for head in heads:
        head.pop("date")
    assert all(each == heads[0] for each in heads)
    assert found[0].title == LOST
    assert one.cashier.payments() == []


def test_guessing_is_slowed_down(one: Shop) -> None:
    one.issue("INV-1", "30.00")
    address = one.address(one.link("INV-1"))

    found = [one.get(f"{one.web.root}/l/{number:022}").status for number in range(35)]
    guessed = one.get(address)
    one.clock.advance(timedelta(minutes=1))

    assert found == [404] * 30 + [429] * 5
    assert (guessed.status, guessed.title) == (429, "Please try again in a moment")
    assert one.get(address).status == 200


def test_whoever_tries_card_after_card_is_stopped(one: Shop) -> None:
    one.issue("INV-1", "30.00")
    address = one.address(one.link("INV-1"))

    def again() -> int:
        screen = one.get(address)
        return one.post(screen.action, {**screen.fields, "via": "card/card"}).status

    assert [again() for _ in range(21)] == [303] * 20 + [429]
    assert len(one.cashier.payments()) == 20
    one.clock.advance(timedelta(days=1))
    assert again() == 303


def test_forged_forms_do_not_stop_a_payer(one: Shop) -> None:
    one.issue("INV-1", "30.00")
    screen = one.get(one.address(one.link("INV-1")))
    forged = {**screen.fields, "try": "forged", "via": "card/card"}

    assert [one.post(screen.action, forged).status for _ in range(25)] == [422] * 25
    assert one.post(screen.action, {**screen.fields, "via": "card/card"}).status == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "{own}.evil.example"},
        {"origin": "https://evil.example", "host": "evil.example"},
        {"origin": "https://evil.example", "x_forwarded_host": "evil.example"},
        {"origin": "https://evil.example", "referer": "{own}/shop/pay"},
    ],
)
def test_a_form_from_another_site_pays_nothing(one: Shop, headers: dict[str, str]) -> None:
    one.issue("INV-1", "30.00")
    screen = one.get(one.address(one.link("INV-1")))
    sent = {name: value.replace("{own}", one.origin) for name, value in headers.items()}

    refused = one.post(screen.action, {**screen.fields, "via": "card/card"}, **sent)

    assert refused.status == 403
    assert one.cashier.payments() == []
    assert "evil" not in refused.response.text
    assert "access-control-allow-origin" not in refused.response.headers


@pytest.mark.parametrize("header", ["host", "x-forwarded-host", "forwarded", "x-original-url"])
def test_addresses_come_from_the_settings_only(one: Shop, header: str) -> None:
    one.issue("INV-1", "30.00")
    address = one.address(one.link("INV-1"))

    told = one.client.get(address, headers={header: "evil.example"})

    assert "evil.example" not in told.text
    assert f'action="{address}"' in told.text


@pytest.mark.parametrize(
    "fields",
    [
        {"via": "card/e_check"},
        {"via": "nobody/card"},
        {"via": "card"},
        {"via": ""},
        {"amount": "1.00", "via": "recorded/cash"},
        {"via": "card/card", "try": "tampered"},
        {"via": "card/card", "try": ""},
    ],
)
def test_a_tampered_form_pays_nothing(one: Shop, fields: dict[str, str]) -> None:
    one.issue("INV-1", "30.00")
    screen = one.get(one.address(one.link("INV-1")))

    told = one.post(screen.action, {**screen.fields, **fields})

    assert told.status == 422
    assert one.cashier.payments() == []


def test_the_try_of_another_link_pays_nothing(one: Shop) -> None:
    one.issue("INV-1", "30.00")
    one.issue("INV-2", "1.00")
    cheap = one.get(one.address(one.link("INV-2", key="2")))
    dear = one.get(one.address(one.link("INV-1", key="1")))

    told = one.post(dear.action, {**cheap.fields, "via": "card/card"})

    assert told.status == 422
    assert one.cashier.payments() == []


def test_an_amount_in_the_form_does_not_count_unless_the_payer_chooses(one: Shop) -> None:
    one.issue("INV-1", "30.00")
    screen = one.get(one.address(one.link("INV-1")))

    page = one.post(screen.action, {**screen.fields, "via": "card/card", "amount": "0.01"}).to

    assert one.payment_at(page).amount == usd("30")


def test_a_long_or_strange_body_is_refused(one: Shop) -> None:
    one.issue("INV-1", "30.00")
    address = one.address(one.link("INV-1"))
    own = {"origin": one.origin}

    long = one.client.post(address, content=b"a=" + b"x" * 30_000, headers=own)
    json = one.client.post(address, json={"via": "card/card"}, headers=own)
    many = one.client.post(
        address,
        content="&".join(["a=1"] * 2000),
        headers={**own, "content-type": "application/x-www-form-urlencoded"},
    )

    assert (long.status_code, json.status_code, many.status_code) == (413, 422, 400)
    assert one.cashier.payments() == []


def test_a_payment_of_a_link_that_was_revoked_meanwhile_is_not_made(one: Shop) -> None:
    one.issue("INV-1", "30.00")
    link = one.link("INV-1")
    screen = one.get(one.address(link))
    one.cashier.revoke_link(link, reason="a test")

    told = one.post(screen.action, {**screen.fields, "via": "card/card"})

    assert (told.status, told.title) == (404, LOST)
    assert one.cashier.payments() == []


def test_what_others_wrote_is_shown_as_text(one: Shop) -> None:
    number = "<script>alert(1)</script>&\"' שלום {amount}"
    one.issue(number, "30.00")
    page = one.pay(one.link(number), "cash/voucher")

    for screen in (one.get(page), one.get(f"{page}/slip")):
        assert not [each for each in screen.html.all("script") if "src" not in each.attributes]
        assert number in screen.text


def test_pages_are_not_kept_framed_or_indexed(one: Shop) -> None:
    one.issue("INV-1", "30.00")
    page = one.pay(one.link("INV-1"), "card/card")

    for url in (one.address(one.link("INV-1")), page, f"{page}/state", f"{page}/back", page + "x"):
        head = one.get(url).response.headers
        assert head["cache-control"] == "no-store"
        assert head["x-content-type-options"] == "nosniff"
        assert head["x-robots-tag"] == "noindex"
        assert "default-src 'none'" in head["content-security-policy"]
        assert "set-cookie" not in head


def test_a_page_of_a_form_names_its_processor_and_no_other_does(one: Shop) -> None:
    one.issue("INV-1", "30.00")
    link = one.link("INV-1")
    page = one.pay(link, "card/card")

    policies = {
        name: one.get(url).response.headers["content-security-policy"]
        for name, url in (("link", one.address(link)), ("go", page))
    }

    assert all("fake.invalid" not in each for each in policies.values())
    assert f"script-src {one.web.root}/page.js;" in policies["link"]
    assert "connect-src" not in policies["link"]


def test_if_the_ledger_cannot_be_reached_the_payer_is_told_to_wait(
    one: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from paygate.errors import StoreBusy

    one.issue("INV-1", "30.00")
    address = one.address(one.link("INV-1"))

    def busy(*_: Any, **__: Any) -> Any:
        raise StoreBusy("busy")

    monkeypatch.setattr(type(one.cashier), "link_of", busy)
    told = one.get(address)

    assert (told.status, told.title) == (503, "Please try again in a moment")
    assert "If you have just paid, do not pay again." in told.text
    assert told.response.headers["retry-after"]


def test_the_language_is_that_of_the_link_or_else_of_the_browser(one: Shop) -> None:
    one.issue("INV-1", "30.00")
    plain, german = one.link("INV-1"), one.link("INV-1", key="de", language="de")

    def spoken(link: Any, accept: str) -> str | None:
        screen = one.get(one.address(link), accept_language=accept)
        return screen.html.one("html").attributes["lang"]

    assert spoken(plain, "fr-CH, en;q=0.5") == "fr"
    assert spoken(plain, "tlh") == "en"
    assert spoken(german, "fr") == "de"


# --- Helpers ------------------------------------------------------------------------------------


def no_answer(request: Any) -> Any:
    from paygate.errors import NoResponse

    raise NoResponse("nothing came")


def inquiries(shop: Shop, account: str) -> Any:
    """Count the inquiries that the processor of *account* gets from now on."""
    processor = shop.gateways[account].processor
    handle, found = processor.handle, list[str]()

    def counted(request: Any) -> Any:
        if request.method == "GET":
            found.append(request.step)
        return handle(request)

    processor.handle = counted  # type: ignore[method-assign]
    return lambda: len(found)
