"""Journeys of members and clerks in a browser, with the fake processor in its own process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from paygate import Kind
from paygate.web.desk import Role, Staff
from tests.browser.payers import Merchant, Payer, open_merchant, usd
from tests.browser.test_journeys import PAID, each_way
from tests.browser.test_journeys import payer as payer  # noqa: PLC0414  (a fixture)
from tests.browser.tools import axe


@pytest.fixture
def merchant() -> Iterator[Merchant]:
    with open_merchant() as found:
        yield found


def issue_three(merchant: Merchant) -> None:
    merchant.issue("INV-1", "30.00")
    merchant.cashier.issue(number="INV-2", customer="C-1", total=usd("25.00"), due="2020-12-01")
    merchant.issue("INV-3", "12.50")


def pays_everything(merchant: Merchant, one: Payer, words: dict[str, str]) -> None:
    one.open(merchant.portal)
    one.press(words["all"])
    one.choose(words["card"])
    one.press(words["continue"])
    one.press("Pay")
    one.sees(words["paid"])
    one.press(words["back"])
    one.sees(words["overview"])


ENGLISH = {
    "all": "Pay everything open ($67.50)",
    "card": "Card",
    "continue": "Continue",
    "paid": PAID,
    "back": "Back to Alder Telecom",
    "overview": "Invoices and payments",
}


@each_way
def test_j1_a_member_pays_three_invoices_on_the_processors_form(
    merchant: Merchant, payer: Callable[..., Payer], way: str
) -> None:
    issue_three(merchant)
    one = payer(way)

    pays_everything(merchant, one, ENGLISH)

    one.reads("Nothing is open.")
    assert merchant.received() == ["67.50"]
    assert [merchant.open(each) for each in ("INV-1", "INV-2", "INV-3")] == ["0.00"] * 3


def test_a_member_pays_what_is_overdue_with_one_press(
    merchant: Merchant, payer: Callable[..., Payer]
) -> None:
    issue_three(merchant)
    one = payer()
    one.open(merchant.portal)

    one.press("Overdue: pay now")
    one.choose("Card")
    one.press("Continue")
    one.press("Decline, and go back")
    one.sees("The payment was declined")
    one.choose("Card")
    one.press("Continue")
    one.press("Pay")

    one.sees(PAID)
    assert (merchant.received(), merchant.open("INV-2")) == (["25.00"], "0.00")


@pytest.mark.parametrize("way", ["mouse", "no script"])
def test_j12_a_stored_account_pays_what_was_allowed_and_nothing_else(
    merchant: Merchant, payer: Callable[..., Payer], way: str
) -> None:
    for number, total in (("INV-1", "30.00"), ("INV-2", "25.00")):
        due = (merchant.clock.now() + timedelta(days=1)).date()
        merchant.cashier.issue(number=number, customer="C-1", total=usd(total), due=due)
    one = payer(way)
    one.open(merchant.portal)
    one.press("Add a payment method")
    one.choose("Card")
    one.choose("New invoices, and what is open now")
    one.press("Continue")
    one.press("Pay")
    one.sees("Your payment method is stored")
    one.press("Back to your invoices")
    one.reads("Pays automatically")

    merchant.later(days=2)
    merchant.cashier.run_autopay()
    due = merchant.clock.now().date()
    merchant.cashier.issue(number="INV-3", customer="C-1", total=usd("12.50"), due=due)
    merchant.later(days=1)
    merchant.cashier.run_autopay()
    one.open(merchant.portal)
    one.page.get_by_role("link", name="Delete").click()
    one.reads("Automatic payments stop.")
    one.press("Delete")
    one.sees("Invoices and payments")
    due = merchant.clock.now().date()
    merchant.cashier.issue(number="INV-4", customer="C-1", total=usd("9.00"), due=due)
    merchant.later(days=1)
    merchant.cashier.run_autopay()

    assert merchant.received() == ["55.00", "12.50"]
    assert merchant.open("INV-4") == "9.00"


@each_way
def test_j17_a_session_that_ends_before_pay_now_pays_nothing(
    merchant: Merchant, payer: Callable[..., Payer], way: str
) -> None:
    issue_three(merchant)
    one = payer(way)
    one.open(merchant.portal)
    merchant.signed_in = False

    one.press("Overdue: pay now")

    one.sees("You were signed out")
    one.reads("Nothing was paid.")
    assert merchant.cashier.payments() == []
    assert merchant.cashier.links() == []


def test_j18_an_e_check_that_is_returned_is_paid_by_card(
    merchant: Merchant, payer: Callable[..., Payer]
) -> None:
    merchant.issue("INV-1", "30.00")
    one = payer()
    one.open(merchant.portal)
    one.page.get_by_role("checkbox").check()
    one.press("Pay now")
    one.choose("Bank account")
    one.press("Continue")
    one.press("Pay")
    one.sees("Your payment is on its way")
    one.press("Back to Alder Telecom")
    one.reads("Being paid")
    merchant.later(days=4)
    merchant.gateways[Kind.E_CHECK].return_check(merchant.last().reference, "R01")
    merchant.hear()
    one.open(merchant.portal)
    one.reads("Returned")

    one.page.get_by_role("checkbox").check()
    one.press("Pay now")
    one.choose("Card")
    one.press("Continue")
    one.press("Pay")

    one.sees(PAID)
    assert (merchant.received(), merchant.open("INV-1")) == (["30.00", "30.00"], "0.00")


def test_j19_a_member_pays_in_arabic_in_the_dark_by_keyboard_on_a_small_screen(
    merchant: Merchant, payer: Callable[..., Payer]
) -> None:
    issue_three(merchant)
    one = payer("keyboard", locale="ar", color_scheme="dark")
    one.page.set_viewport_size({"width": 320, "height": 700})
    one.open(merchant.portal)
    assert axe(one.page) == []
    assert one.page.evaluate("document.documentElement.scrollWidth") <= 320
    all_of_it = one.page.locator("button[value=all]").inner_text()

    pays_everything(
        merchant,
        one,
        {
            "all": all_of_it,
            "card": "بطاقة",
            "continue": "متابعة",
            "paid": "تم الدفع. شكرًا لك.",
            "back": "العودة إلى Alder Telecom",
            "overview": "الفواتير والدفعات",
        },
    )

    assert merchant.received() == ["67.50"]


@each_way
def test_j20_a_clerk_undoes_the_use_of_credit_and_then_reverses_the_check(
    merchant: Merchant, payer: Callable[..., Payer], way: str
) -> None:
    merchant.issue("INV-1", "30.00")
    paid = merchant.cashier.record("INV-1", amount=usd("50.00"), by="check", key="till")
    merchant.issue("INV-2", "20.00")
    used = merchant.cashier.pay_from_credit("INV-2", key="credit")
    merchant.staff = Staff(id="anna", role=Role.CLERK, session="s")
    one = payer(way)
    one.open(merchant.desk)
    one.type("Find a payment", paid.short_reference)
    one.press("Find")

    one.press("Reverse")
    one.type("Reason", "bounced")
    one.press("Reverse it")
    one.reads(used.id)
    one.open(f"{merchant.desk}payments/{used.id}")
    one.press("Undo the use of credit")
    one.press("Undo it")
    one.reads("The credit is returned.")
    one.open(f"{merchant.desk}payments/{paid.id}")
    one.press("Reverse")
    one.type("Reason", "bounced")
    one.press("Reverse it")
    one.reads("REV-1 was created.")

    assert [merchant.open(each) for each in ("INV-1", "INV-2")] == ["30.00", "20.00"]
    assert merchant.cashier.balance("C-1")["USD"] == usd("0.00")


def test_a_manager_approves_in_another_browser_what_a_clerk_asks_for(
    merchant: Merchant, payer: Callable[..., Payer]
) -> None:
    merchant.issue("INV-1", "300.00")
    paid = merchant.cashier.record("INV-1", amount=usd("300.00"), by="check", key="till")
    clerk, boss = payer(), payer()
    merchant.staff = Staff(id="anna", role=Role.CLERK, session="s")
    clerk.open(f"{merchant.desk}payments/{paid.id}/reverse")
    clerk.type("Reason", "bounced")
    clerk.press("Reverse it")
    clerk.reads("Send the address of this page to a manager")
    merchant.staff = Staff(id="boss", role=Role.MANAGER, session="b")

    boss.open(clerk.page.url)
    boss.press("Approve: Reverse it")

    boss.reads("REV-1 was created.")
    boss.reads("by anna, approved by boss")
