"""Journeys of payers, from the link to the money, with the fake processor in its own process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import httpx
import pytest

from paygate import Kind, LinkStatus
from paygate.web.results import read_result
from tests.browser.conftest import Shown
from tests.browser.payers import Merchant, Payer, open_merchant, usd
from tests.browser.tools import until

UNKNOWN = "We do not know yet whether this payment went through"
PAID = "Paid. Thank you."
each_way = pytest.mark.parametrize("way", ["mouse", "keyboard", "no script"])


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def merchant(opened: ExitStack) -> Merchant:
    return opened.enter_context(open_merchant())


@pytest.fixture
def slow(opened: ExitStack) -> Merchant:
    """Return a merchant whose processor moves money only when it is asked to complete."""
    return opened.enter_context(open_merchant("--needs-complete"))


@pytest.fixture
def payer(chromium: Any) -> Iterator[Callable[..., Payer]]:
    """Return a function that gives a payer a window; no page may complain."""
    contexts: list[Any] = []
    payers: list[Payer] = []

    def made(way: str = "mouse", **more: Any) -> Payer:
        context = chromium.new_context(
            viewport={"width": 390, "height": 800}, java_script_enabled=way != "no script", **more
        )
        contexts.append(context)
        found = Payer(Shown.of(context.new_page()), way)
        payers.append(found)
        return found

    yield made
    complaints = [each for one in payers for each in one.shown.complaints if not _expected(each)]
    for context in contexts:
        context.close()
    assert complaints == []


def _expected(complaint: str) -> bool:
    """Return whether Chromium only reports a status of ours or of the fake's."""
    return "Failed to load resource: the server responded with a status of 4" in complaint


def test_j2_a_wrong_card_is_corrected_on_the_processors_page(
    merchant: Merchant, payer: Callable[..., Payer]
) -> None:
    merchant.issue("INV-1", "30.00")
    one = payer()

    one.open(merchant.address(merchant.link("INV-1")))
    one.choose("Card")
    one.press("Continue")
    one.press("Decline this try")
    one.press("Pay")

    one.sees(PAID)
    assert (merchant.received(), merchant.open("INV-1")) == (["30.00"], "0.00")


@each_way
def test_j3_after_a_decline_the_form_is_sent_again_and_then_an_e_check(
    merchant: Merchant, payer: Callable[..., Payer], way: str
) -> None:
    merchant.issue("INV-1", "30.00")
    one = payer(way)
    address = merchant.address(merchant.link("INV-1"))

    one.open(address)
    one.choose("Card")
    one.press("Continue")
    one.press("Decline, and go back")
    one.sees("The payment was declined")
    declined = one.page.url
    one.open(address)
    one.back()
    one.sees("The payment was declined")
    assert one.page.url == declined
    one.choose("Bank account")
    one.press("Continue")
    one.press("Pay")
    one.sees("Your payment is on its way")
    merchant.later(days=4)
    one.press("Check again")

    one.sees(PAID)
    assert (merchant.received(), merchant.open("INV-1")) == (["30.00"], "0.00")
    assert len(merchant.cashier.payments()) == 2


def test_j4_twenty_posts_of_one_form_charge_once(
    merchant: Merchant, payer: Callable[..., Payer]
) -> None:
    merchant.issue("INV-1", "30.00")
    one = payer()
    address = merchant.address(merchant.link("INV-1"))
    one.open(address)
    given = one.page.locator("[name=try]").get_attribute("value")
    form = {"try": given, "via": "card/card"}

    with ThreadPoolExecutor(20) as pool, httpx.Client(timeout=30) as client:
        own = {"origin": merchant.origin}
        sent = [pool.submit(client.post, address, data=form, headers=own) for _ in range(20)]
        found = [each.result() for each in sent]
    one.open(found[0].headers["location"])
    one.press("Pay")

    one.sees(PAID)
    assert {each.headers["location"] for each in found} == {found[0].headers["location"]}
    assert merchant.received() == ["30.00"]


def test_j5_a_page_that_cannot_be_closed_is_paid_after_another(
    opened: ExitStack, payer: Callable[..., Payer]
) -> None:
    merchant = opened.enter_context(open_merchant())
    merchant.issue("INV-1", "30.00")
    # The processor refuses to close a page that its payer is about to pay.
    merchant.gateways[Kind.REDIRECT].script("rejected_state", operation="withdraw")
    address = merchant.address(merchant.link("INV-1"))
    one, two = payer(), payer()
    one.open(address)
    one.choose("You approve the payment at the payment processor")
    one.press("Continue")
    one.page.wait_for_url(f"{merchant.processor}/**")

    two.open(address)
    two.choose("Card")
    two.press("Continue")
    two.press("Pay")
    two.sees(PAID)
    one.press("Pay")

    one.sees("Already paid")
    merchant.hear()
    assert (merchant.received(), merchant.open("INV-1")) == (["30.00", "30.00"], "0.00")
    assert merchant.cashier.balance("C-1")["USD"] == usd("30.00")


@each_way
def test_j6_a_lost_answer_is_unknown_until_an_inquiry_finds_the_money(
    slow: Merchant, payer: Callable[..., Payer], way: str
) -> None:
    slow.issue("INV-1", "30.00")
    slow.gateways[Kind.REDIRECT].script("unknown_executed", operation="complete")
    address = slow.address(slow.link("INV-1"))
    one, two = payer(way), payer(way)
    # The form of another tab, opened before.
    two.open(address)
    one.open(address)
    one.choose("You approve the payment at the payment processor")
    one.press("Continue")
    one.press("Pay")

    one.sees(UNKNOWN)
    one.reads("Please do not pay again.")
    two.choose("Card")
    two.press("Continue")
    two.sees("This is already being paid")
    two.press("Show that payment")
    two.sees(UNKNOWN)
    slow.clock.advance(timedelta(minutes=3))
    one.press("Check again")

    one.sees(PAID)
    assert (slow.received(), slow.open("INV-1")) == (["30.00"], "0.00")
    assert slow.gateways[Kind.REDIRECT].moved("USD") == usd("30.00")


def test_j7_a_lost_request_is_cleared_and_paid_again(
    slow: Merchant, payer: Callable[..., Payer]
) -> None:
    slow.issue("INV-1", "30.00")
    slow.gateways[Kind.REDIRECT].script("unknown_lost", operation="complete")
    one = payer()
    one.open(slow.address(slow.link("INV-1")))
    one.choose("You approve the payment at the payment processor")
    one.press("Continue")
    one.press("Pay")
    one.sees(UNKNOWN)
    assert slow.received() == []

    slow.later(minutes=10)
    slow.later(minutes=10)
    one.press("Check again")

    one.sees(PAID)
    assert (slow.received(), slow.open("INV-1")) == (["30.00"], "0.00")


@each_way
def test_j8_an_amount_that_changed_is_confirmed_first(
    merchant: Merchant, payer: Callable[..., Payer], way: str
) -> None:
    merchant.issue("INV-1", "30.00")
    one = payer(way)
    one.open(merchant.address(merchant.link("INV-1")))
    one.choose("Card")
    merchant.cashier.record("INV-1", amount=usd("10.00"), by="cash", key="till")

    one.press("Continue")
    one.sees("The amount has changed")
    one.reads("It was $30.00; it is now $20.00.")
    one.choose("Card")
    one.press("Continue")
    one.press("Pay")

    one.sees(PAID)
    assert (merchant.received(), merchant.open("INV-1")) == (["10.00", "20.00"], "0.00")


def test_j9_an_amount_of_the_payers_own_in_german(
    merchant: Merchant, payer: Callable[..., Payer]
) -> None:
    merchant.issue("INV-1", "30.00")
    link = merchant.link("INV-1", amount=(usd("5.00"), usd("30.00")), language="de")
    one = payer()

    one.open(merchant.address(link))
    one.type("Betrag, den Sie jetzt zahlen", "4")
    one.choose("Karte")
    one.press("Weiter")
    one.page.get_by_role("alert").wait_for()
    assert one.page.evaluate("document.activeElement.id") == "problem"
    one.type("Betrag, den Sie jetzt zahlen", "12,50")
    one.press("Weiter")
    one.press("Pay")
    one.press("Rest zahlen")
    one.type("Betrag, den Sie jetzt zahlen", "17,50")
    one.choose("Karte")
    one.press("Weiter")
    one.press("Pay")

    one.sees("Bezahlt. Vielen Dank.")
    assert (merchant.received(), merchant.open("INV-1")) == (["12.50", "17.50"], "0.00")
    assert merchant.cashier.link_by_id(link).status is LinkStatus.USED


def test_j10_bitcoin_in_two_parts_is_counted(
    merchant: Merchant, payer: Callable[..., Payer]
) -> None:
    merchant.issue("INV-1", "30.00")
    one = payer()
    one.open(merchant.address(merchant.link("INV-1")))
    one.choose("Bitcoin")
    one.press("Continue")
    one.sees("Pay with Bitcoin")
    bitcoin, reference = merchant.gateways[Kind.BITCOIN], merchant.last().reference

    bitcoin.pay(reference, usd("20.00"))
    merchant.hear()
    one.page.reload()
    merchant.later(minutes=40)
    one.page.reload()
    one.sees("$20.00 received")
    one.reads("$10.00 is still to be paid.")
    bitcoin.pay(reference, usd("11.50"))
    merchant.hear()
    merchant.later(minutes=40)
    one.page.reload()

    one.sees(PAID)
    one.reads("$1.50 more than was due is kept as your credit with Alder Telecom.")
    assert (merchant.received(), merchant.open("INV-1")) == (["20.00", "11.50"], "0.00")
    assert merchant.cashier.balance("C-1")["USD"] == usd("1.50")


def test_j11_a_slip_is_paid_after_a_card(merchant: Merchant, payer: Callable[..., Payer]) -> None:
    merchant.issue("INV-1", "30.00")
    one = payer()
    one.open(merchant.address(merchant.link("INV-1")))
    one.choose("Cash at a store")
    one.press("Continue")
    one.sees("Cash payment slip")
    slip, page = merchant.last(), one.page.url
    one.press("Pay another way")
    one.choose("Card")
    one.press("Continue")
    one.press("Pay")
    one.sees(PAID)

    merchant.gateways[Kind.VOUCHER].pay(slip.reference)
    merchant.hear()
    one.open(page)

    one.sees("Already paid")
    assert (merchant.received(), merchant.open("INV-1")) == (["30.00", "30.00"], "0.00")
    assert merchant.cashier.balance("C-1")["USD"] == usd("30.00")


def test_j13_a_prepayment_is_paid_and_its_result_read_at_home(
    merchant: Merchant, payer: Callable[..., Payer]
) -> None:
    order = merchant.cashier.prepay("C-1", usd("49.00"), assignment_key="ORDER-7", key="order-7")
    home = f"{merchant.origin}/thanks?result={{result}}"
    link = merchant.cashier.link(order, key="k", return_to=home)
    one = payer()

    one.open(merchant.address(link))
    one.choose("Card")
    one.press("Continue")
    one.press("Pay")
    one.sees(PAID)
    one.press("Back to Alder Telecom")
    one.sees("Thanks")
    token = one.page.url.partition("result=")[2]
    merchant.cashier.issue(
        number="INV-7",
        customer="C-1",
        total=usd("49.00"),
        due="2099-01-01",
        assignment_key="ORDER-7",
    )

    found = read_result(token, merchant.web, origin=merchant.origin)
    assert (found.link, found.assignment_key, found.amount) == (link.id, "order-7", usd("49.00"))
    assert (merchant.received(), merchant.open("INV-7")) == (["49.00"], "0.00")


def test_j14_a_dialog_on_the_merchants_page_and_the_link_without_script(
    merchant: Merchant, payer: Callable[..., Payer]
) -> None:
    merchant.issue("INV-1", "30.00")
    merchant.issue("INV-2", "25.00")
    first = merchant.link("INV-1", key="1", accounts=["bitcoin"])
    one, two = payer(), payer("no script")

    one.open(merchant.embed(merchant.address(first)))
    one.page.evaluate(
        "window.results = []; addEventListener('paygate:result', (e) => results.push(e.detail))"
    )
    one.press("Pay now")
    inside = one.page.frame_locator("iframe")
    inside.get_by_role("button", name="Pay $30.00 with Bitcoin").click()
    inside.get_by_role("heading", name="Pay with Bitcoin").wait_for()
    one.page.evaluate("postMessage({paygate: 1, kind: 'result', value: 'forged'}, '*')")
    merchant.gateways[Kind.BITCOIN].pay(merchant.last().reference)
    merchant.later(minutes=40)
    inside.get_by_role("heading", name=PAID).wait_for()
    until(one.page, "results.length > 1")
    tokens = one.page.evaluate("results")

    two.open(merchant.embed(merchant.address(merchant.link("INV-2", key="2"))))
    two.press("Pay now")
    two.choose("Card")
    two.press("Continue")
    two.press("Pay")
    two.sees(PAID)

    assert "forged" not in tokens
    now = merchant.clock.now()
    last = read_result(tokens[-1], merchant.web, origin=merchant.origin, now=now)
    assert last.status.value == "succeeded"
    assert merchant.received() == ["30.00", "25.00"]


@each_way
def test_j15_who_left_the_processors_page_unpaid_pays_by_another_card(
    merchant: Merchant, payer: Callable[..., Payer], way: str
) -> None:
    merchant.issue("INV-1", "30.00")
    one = payer(way)
    one.open(merchant.address(merchant.link("INV-1")))
    one.choose("You approve the payment at the payment processor")
    one.press("Continue")
    one.page.wait_for_url(f"{merchant.processor}/**")
    page = merchant.cashier.payment_page(merchant.last()).address(merchant.web.root)

    one.open(f"{page}/back")
    one.sees("You have not paid yet")
    one.press("Pay another way")
    one.choose("Card")
    one.press("Continue")
    one.press("Pay")

    one.sees(PAID)
    one.open(page)
    one.sees("This payment was canceled")
    assert (merchant.received(), merchant.open("INV-1")) == (["30.00"], "0.00")


def test_j16_a_link_that_was_revoked_or_has_expired_pays_nothing(
    merchant: Merchant, payer: Callable[..., Payer]
) -> None:
    merchant.issue("INV-1", "30.00")
    revoked = merchant.link("INV-1", key="1")
    expires = merchant.clock.now() + timedelta(minutes=1)
    expired = merchant.link("INV-1", key="2", expires=expires)
    one, two = payer(), payer()
    for each, link in ((one, revoked), (two, expired)):
        each.open(merchant.address(link))
        each.choose("Card")
    merchant.cashier.revoke_link(revoked, reason="a test")
    merchant.later(minutes=2)

    bodies: list[str] = []
    for each in (one, two):
        each.press("Continue")
        each.sees("This payment link is not valid")
        bodies.append(each.page.content())
    one.open(f"{merchant.web.root}/l/{'A' * 22}")
    one.sees("This payment link is not valid")

    assert {one.page.content(), *bodies} == {bodies[0]}
    assert (merchant.received(), merchant.open("INV-1")) == ([], "30.00")


def test_j18_an_e_check_that_comes_back_is_paid_by_card(
    merchant: Merchant, payer: Callable[..., Payer]
) -> None:
    merchant.issue("INV-1", "30.00")
    one = payer()
    one.open(merchant.address(merchant.link("INV-1")))
    one.choose("Bank account")
    one.press("Continue")
    one.press("Pay")
    one.sees("Your payment is on its way")
    reference = merchant.last().reference
    merchant.later(days=4)
    merchant.gateways[Kind.E_CHECK].return_check(reference)
    merchant.hear()
    one.page.reload()

    one.sees("This payment was returned")
    one.press("Pay again")
    one.choose("Card")
    one.press("Continue")
    one.press("Pay")

    one.sees(PAID)
    out = [
        each.receipt.amount
        for each in merchant.cashier.receipt_lines()
        if not each.receipt.kind.inward
    ]
    assert (merchant.received(), out) == (["30.00", "30.00"], [usd("30.00")])
    assert merchant.open("INV-1") == "0.00"
