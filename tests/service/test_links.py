"""Payment links: what they lead to, how they end, and that a form is paid once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from paygate import (
    AsyncCashier,
    Cashier,
    Kind,
    LinkFor,
    LinkStatus,
    LinkTry,
    Money,
    Payment,
    PaymentLink,
    PaymentStatus,
    Secret,
    Share,
)
from paygate.errors import (
    AlreadyPaid,
    InvalidAmount,
    InvalidSettings,
    InvalidValue,
    InvoiceIsVoid,
    ItemAlreadyBeingPaid,
    KeyReused,
    LinkEnded,
    LinkNotFound,
    OpenAmountChanged,
    PageKeysMissing,
    PageNotFound,
    PrepaymentReplaced,
    TryExpired,
    TryNotValid,
    WayNotOffered,
)
from paygate.service import withdrawing
from paygate.testing import FakeClock, FakeGateway
from tests.service.prepaying import BACK, usd

KEY = "A" * 43 + "="
OTHER = "B" * 43 + "="
BASE = "https://pay.example/pay/"


class Shop:
    """A cashier in memory with three invoices of C-1 and a way to follow links to them."""

    def __init__(
        self, *, page_keys: Any = (KEY,), tenant: str = "main", debits_count: str = "accepted"
    ) -> None:
        self.clock = FakeClock()
        self.card = FakeGateway(Kind.CARD, clock=self.clock)
        self.page = FakeGateway(Kind.REDIRECT, clock=self.clock)
        self.bank = FakeGateway(Kind.E_CHECK, clock=self.clock)
        self.cashier = Cashier.in_memory(
            gateways={
                "card": self.card,
                "page": self.page,
                "bank": {"gateway": self.bank, "credit_on": debits_count},
            },
            clock=self.clock,
            page_keys=list(page_keys),
            tenant=tenant,
        )
        for number, total, due in (("A", "30", 2), ("B", "25", 1), ("C", "12.50", 3)):
            self.issue(number, total, due=f"2031-01-0{due}")

    def issue(self, number: str, total: str, *, due: str = "2031-02-01", **more: Any) -> None:
        self.cashier.issue(number=number, customer="C-1", total=usd(total), due=due, **more)

    def link(self, *items: Any, key: str = "k", **more: Any) -> PaymentLink:
        return self.cashier.link(list(items) or None, key=key, **more)

    def follow(self, link: PaymentLink) -> PaymentLink:
        assert link.token is not None
        return self.cashier.link_of(link.token)

    def shown(self, link: PaymentLink) -> LinkTry:
        return self.cashier.begin_try(link)

    def pay(self, link: PaymentLink, given: LinkTry | None = None, **more: Any) -> Payment:
        assert link.token is not None
        wanted: dict[str, Any] = {"via": "card", "method": "tok_visa"} | more
        if wanted["via"] == "page":
            wanted |= {"method": None, "return_url": BACK}
        return self.cashier.pay_link(link.token, given=given or self.shown(link), **wanted)

    def status(self, link: PaymentLink) -> LinkStatus:
        return self.cashier.link_by_id(link).status

    def open(self, number: str) -> str:
        return str(self.cashier.invoice(number).open.decimal)

    def events(self, link: PaymentLink) -> list[str]:
        found = [each for each in self.cashier.events(limit=1000) if each.aggregate == link.id]
        return [each.type.removeprefix("link.") for each in found]

    def hear(self) -> None:
        for name in ("card", "page", "bank"):
            for callback in getattr(self, name).callbacks():
                self.cashier.receive(name, callback)
        self.cashier.apply_callbacks()


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    assert shop.cashier.fsck() == []
    shop.cashier.close()


# --- Paying -------------------------------------------------------------------------------


def test_a_link_leads_to_its_invoices_and_is_used_when_they_are_paid(shop: Shop) -> None:
    link = shop.link("A", "B")
    assert [each.name for each in link.items] == ["A", "B"]
    assert (link.open, link.status) == (usd("55"), LinkStatus.ACTIVE)

    paid = shop.pay(shop.follow(link))

    assert (paid.status, paid.amount, paid.link) == (PaymentStatus.SUCCEEDED, usd("55"), link.id)
    found = shop.follow(link)
    assert (found.status, found.payment, found.paid) == (LinkStatus.USED, paid.id, 1)
    assert shop.events(link) == ["created", "used"]
    assert shop.open("C") == "12.50"


def test_a_link_holds_nothing(shop: Shop) -> None:
    link = shop.link("A")

    shop.cashier.collect("A", via="card", method="tok_visa", key="beside")

    assert shop.status(link) is LinkStatus.USED
    with pytest.raises(LinkEnded) as refused:
        shop.shown(link)
    assert (refused.value.link, refused.value.status) == (link.id, "used")


def test_the_same_form_is_paid_once_whatever_else_it_says(shop: Shop) -> None:
    link = shop.link("A")
    given = shop.shown(link)
    paid = shop.pay(link, given)

    again = shop.pay(link, given)
    otherwise = shop.pay(link, given, via="bank", method="tok_bank")

    assert (again.id, again.repeated) == (paid.id, True)
    assert (otherwise.id, otherwise.repeated) == (paid.id, True)
    assert shop.card.moved("USD") == usd("30")


def test_a_declined_form_is_not_tried_again_and_a_new_one_is(shop: Shop) -> None:
    link = shop.link("A")
    given = shop.shown(link)
    declined = shop.pay(link, given, method="tok_declined")

    assert shop.pay(link, given).id == declined.id
    assert shop.card.moved("USD") == usd("0")
    assert shop.pay(link).status is PaymentStatus.SUCCEEDED


def test_a_used_form_leads_to_its_payment_after_the_link_was_revoked(shop: Shop) -> None:
    link = shop.link("A")
    given = shop.shown(link)
    paid = shop.pay(link, given)
    shop.cashier.revoke_link(link, reason="over")

    assert shop.pay(link, given).id == paid.id


def test_the_amount_that_was_shown_is_charged_or_nothing(shop: Shop) -> None:
    link = shop.link("A")
    given = shop.shown(link)
    assert given.amount == usd("30")
    shop.cashier.record("A", by="cash", amount=usd("10"), key="till")

    with pytest.raises(OpenAmountChanged) as changed:
        shop.pay(link, given)

    assert (changed.value.expected, changed.value.open) == (usd("30"), usd("20"))
    assert shop.card.moved("USD") == usd("0")
    shop.pay(link)
    assert shop.card.moved("USD") == usd("20")


def test_a_second_payer_is_refused_while_the_first_payment_is_under_way(shop: Shop) -> None:
    link = shop.link("A")
    first = shop.pay(link, via="bank", method="tok_bank")

    with pytest.raises(ItemAlreadyBeingPaid) as busy:
        shop.pay(link)

    assert busy.value.payments == [first.id]


def test_a_payer_is_shown_and_charged_what_no_other_payment_holds(shop: Shop) -> None:
    link = shop.link("A")
    before = shop.shown(link)
    part = Share("A", usd("12"))
    shop.cashier.collect([part], via="bank", method="tok_bank", key="part")

    with pytest.raises(OpenAmountChanged) as changed:
        shop.pay(link, before)
    assert (changed.value.expected, changed.value.open) == (usd("30"), usd("18"))
    assert shop.card.moved("USD") == usd("0")

    now = shop.shown(link)
    assert now.amount == usd("18")
    assert shop.pay(link, now).amount == usd("18")


def test_a_form_is_valid_for_a_day(shop: Shop) -> None:
    link = shop.link("A")
    given = shop.shown(link)
    shop.clock.advance(timedelta(hours=24, seconds=1))

    with pytest.raises(TryExpired):
        shop.pay(link, given)

    assert shop.pay(link).status is PaymentStatus.SUCCEEDED


def test_a_form_of_another_link_or_a_changed_one_is_refused(shop: Shop) -> None:
    link, other = shop.link("A"), shop.link("B", key="other")
    given = shop.shown(other).value
    parts = given.split(".")
    cheaper = ".".join([parts[0], "1", *parts[2:]])

    for value in (given, cheaper, "", "a.b.c.d", "…", "x" * 5_000, f"{given}."):
        with pytest.raises(TryNotValid):
            shop.pay(link, LinkTry(value=value, amount=usd("30")))
    assert shop.card.moved("USD") == usd("0")


def test_a_page_of_a_link_is_paid_and_another_way_supersedes_it(shop: Shop) -> None:
    link = shop.link("A")
    page = shop.pay(link, via="page")
    assert page.status is PaymentStatus.REQUIRES_ACTION
    assert shop.status(link) is LinkStatus.ACTIVE

    shop.pay(link)

    assert shop.cashier.payment(page).status is PaymentStatus.CANCELED
    assert shop.status(link) is LinkStatus.USED


# --- What it is for -------------------------------------------------------------------------


def test_a_link_to_a_balance_is_for_what_is_open_when_it_is_followed(shop: Shop) -> None:
    link = shop.link(customer="C-1", currency="USD")
    assert [each.name for each in link.items] == ["B", "A", "C"]
    shop.issue("D", "1")
    shop.cashier.void("C", reason="twice")

    paid = shop.pay(shop.follow(link))

    assert paid.amount == usd("56")
    assert shop.status(link) is LinkStatus.ACTIVE
    with pytest.raises(AlreadyPaid):
        shop.pay(link)
    shop.issue("E", "7")
    assert shop.pay(link).amount == usd("7")


def test_a_payer_chooses_within_bounds_and_pays_the_rest_later(shop: Shop) -> None:
    link = shop.link("A", amount=(usd("5"), usd("100")))
    assert (link.minimum, link.maximum) == (usd("5"), usd("30"))
    for amount in ("4", "30.01"):
        with pytest.raises(InvalidAmount, match="between"):
            shop.pay(link, amount=usd(amount))
    with pytest.raises(InvalidAmount):
        shop.pay(link)

    shop.pay(link, amount=usd("26"))

    assert shop.cashier.link_by_id(link).minimum == usd("4")
    shop.pay(link, amount=usd("4"))
    assert shop.status(link) is LinkStatus.USED
    assert shop.cashier.balance("C-1") == {}


def test_an_amount_that_exceeds_what_is_open_by_now_is_not_charged(shop: Shop) -> None:
    link = shop.link("A", amount=(usd("5"), usd("30")))
    given = shop.shown(link)
    shop.cashier.record("A", by="cash", amount=usd("10"), key="till")

    with pytest.raises(OpenAmountChanged):
        shop.pay(link, given, amount=usd("25"))

    assert shop.pay(link, given, amount=usd("20")).amount == usd("20")


def test_a_payer_of_a_balance_chooses_more_than_is_open_and_has_credit(shop: Shop) -> None:
    link = shop.link(customer="C-1", amount=(usd("10"), usd("500")))

    shop.pay(link, amount=usd("100"))

    assert shop.cashier.balance("C-1")["USD"] == usd("32.50")
    shop.pay(link, amount=usd("10"))
    assert shop.cashier.balance("C-1")["USD"] == usd("42.50")
    assert shop.status(link) is LinkStatus.ACTIVE


def test_an_amount_is_not_chosen_unless_the_link_says_so(shop: Shop) -> None:
    with pytest.raises(InvalidAmount, match="all that is open"):
        shop.pay(shop.link("A"), amount=usd("5"))


def test_a_link_is_paid_as_often_as_it_says(shop: Shop) -> None:
    link = shop.link("A", amount=(usd("1"), usd("30")), uses=1)
    given = shop.shown(link)
    pending = shop.pay(link, via="bank", method="tok_bank", amount=usd("5"))
    with pytest.raises(ItemAlreadyBeingPaid) as busy:
        shop.pay(link, amount=usd("5"))
    assert busy.value.payments == [pending.id]
    shop.clock.advance(timedelta(days=5))
    shop.hear()
    shop.cashier.recover()

    assert shop.status(link) is LinkStatus.USED
    assert shop.open("A") == "25.00"
    with pytest.raises(LinkEnded) as refused:
        shop.pay(link, given, amount=usd("5"))
    assert refused.value.payment == pending.id


def test_the_page_of_another_payer_is_withdrawn_when_a_link_for_one_payment_is_paid(
    shop: Shop,
) -> None:
    bounds = (usd("1"), usd("30"))
    link = shop.link(customer="C-2", currency="USD", amount=bounds, uses=1)
    pages = [shop.pay(link, via="page", amount=usd(each)) for each in ("5", "6")]
    assert [each.status for each in pages] == [PaymentStatus.REQUIRES_ACTION] * 2

    shop.page.pay(pages[0].reference)
    shop.hear()
    assert shop.status(link) is LinkStatus.USED
    shop.cashier.work_due()

    assert shop.cashier.payment(pages[1]).status is PaymentStatus.CANCELED
    assert shop.cashier.payment(pages[0]).status is PaymentStatus.SUCCEEDED
    assert shop.cashier.work_due() == []


# --- The accounts --------------------------------------------------------------------------


def test_a_link_names_the_accounts_and_the_kinds_that_its_payer_can_choose(shop: Shop) -> None:
    anything = shop.link("A")
    named = shop.link("A", key="named", accounts=["page", "card"])
    at_once = shop.link("A", key="at once", immediate_only=True)

    assert [each.account for each in shop.cashier.ways_to_pay(anything)] == ["card", "page", "bank"]
    assert [each.account for each in shop.cashier.ways_to_pay(named)] == ["page", "card"]
    ways = shop.cashier.ways_to_pay(at_once)
    assert [(each.account, each.immediate) for each in ways] == [("card", True)]
    hosted = {each.account: each.hosted for each in shop.cashier.ways_to_pay(anything)}
    assert hosted == {"card": False, "page": True, "bank": False}
    for link in (named, at_once):
        with pytest.raises(WayNotOffered) as refused:
            shop.pay(link, via="bank", method="tok_bank")
        assert refused.value.account == "bank"


# --- How it ends ---------------------------------------------------------------------------


def test_money_that_goes_back_makes_the_link_active_again(shop: Shop) -> None:
    link = shop.link("A", uses=1)
    paid = shop.pay(link)

    shop.cashier.refund(paid, key="back", to="reopen")

    assert shop.status(link) is LinkStatus.ACTIVE
    assert shop.events(link) == ["created", "used", "activated"]
    shop.pay(link)
    assert shop.status(link) is LinkStatus.USED


def test_a_debit_that_is_returned_before_it_counts_makes_the_link_active_again() -> None:
    """The invoice was held and never paid, so nothing of it changes when the debit comes back."""
    shop = Shop(debits_count="settled")
    link = shop.link("A", uses=1)
    paid = shop.pay(link, via="bank", method="tok_bank")
    shop.clock.advance(timedelta(days=3))
    shop.hear()
    assert (shop.status(link), shop.open("A")) == (LinkStatus.USED, "30.00")

    shop.bank.return_check(paid.reference)
    shop.hear()

    assert shop.status(link) is LinkStatus.ACTIVE
    assert shop.events(link) == ["created", "used", "activated"]
    assert shop.cashier.fsck() == []
    shop.pay(link)
    assert (shop.status(link), shop.open("A")) == (LinkStatus.USED, "0.00")
    shop.cashier.close()


GOES_BACK: dict[str, Callable[[Shop, Payment], object]] = {
    "the bank returns it": lambda shop, paid: shop.bank.return_check(paid.reference),
    "the bank takes it in a dispute": lambda shop, paid: shop.card.dispute(paid.reference),
    "a clerk reverses it": lambda shop, paid: shop.cashier.reverse(
        paid, reason="never came", force=True
    ),
    "a clerk refunds it": lambda shop, paid: shop.cashier.refund(paid, key="back"),
    "a clerk sends it back by hand": lambda shop, paid: shop.cashier.record_refund(
        paid, by="cash", reference="till 2", key="back"
    ),
}


@pytest.mark.parametrize("how", GOES_BACK)
def test_credit_that_goes_back_makes_the_link_active_again(shop: Shop, how: str) -> None:
    """What was paid on a balance without an invoice is on no item, and its link follows it too."""
    link = shop.link(customer="C-2", amount=(usd("10"), usd("50")), uses=1)
    by: dict[str, Any] = {"via": "bank", "method": "tok_bank"} if "returns" in how else {}
    paid = shop.pay(link, amount=usd("20"), **by)
    shop.clock.advance(timedelta(days=3))
    shop.hear()
    assert shop.status(link) is LinkStatus.USED
    assert shop.cashier.balance("C-2") == {"USD": usd("20")}

    GOES_BACK[how](shop, paid)
    shop.hear()

    assert shop.status(link) is LinkStatus.ACTIVE
    assert shop.events(link) == ["created", "used", "activated"]


def test_a_link_to_a_void_invoice_is_used(shop: Shop) -> None:
    link = shop.link("A")

    shop.cashier.void("A", reason="twice")

    assert shop.status(link) is LinkStatus.USED


def test_a_link_to_an_invoice_is_used_while_that_is_written_off(shop: Shop) -> None:
    link = shop.link("A")
    given_up = shop.cashier.write_off("A", reason="goodwill", key="w")
    assert shop.status(link) is LinkStatus.USED

    shop.cashier.undo_write_off(given_up)

    assert shop.status(link) is LinkStatus.ACTIVE


def test_a_link_expires(shop: Shop) -> None:
    until = shop.clock.now() + timedelta(minutes=5)
    link = shop.link("A", expires=until)
    given = shop.shown(link)
    page = shop.pay(link, via="page")
    shop.clock.advance(timedelta(minutes=5))

    with pytest.raises(PageNotFound):
        shop.follow(link)
    with pytest.raises(PageNotFound):
        shop.pay(link, given)
    assert shop.status(link) is LinkStatus.EXPIRED
    shop.cashier.work_due()

    assert shop.events(link) == ["created", "expired"]
    assert shop.cashier.payment(page).status is PaymentStatus.CANCELED
    assert [each.id for each in shop.cashier.links(status="expired")] == [link.id]


def test_a_process_that_dies_while_a_link_expires_leaves_no_page_open(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = shop.link("A", expires=shop.clock.now() + timedelta(minutes=5))
    page = shop.pay(link, via="page")
    shop.clock.advance(timedelta(minutes=5))

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(withdrawing, "withdraw_pages", die)
        with pytest.raises(KeyboardInterrupt):
            shop.cashier.recover()
    shop.cashier.recover()

    assert shop.cashier.payment(page).status is PaymentStatus.CANCELED
    assert shop.events(link) == ["created", "expired"]


def test_a_revoked_link_leads_nowhere_and_its_page_is_withdrawn(shop: Shop) -> None:
    link = shop.link("A")
    given = shop.shown(link)
    page = shop.pay(link, via="page")

    revoked = shop.cashier.revoke_link(link, reason="sent to the wrong person")

    assert (revoked.status, revoked.reason) == (LinkStatus.REVOKED, "sent to the wrong person")
    assert shop.cashier.payment(page).status is PaymentStatus.CANCELED
    with pytest.raises(PageNotFound):
        shop.pay(link, given)
    assert shop.cashier.revoke_link(link, reason="again").reason == "sent to the wrong person"
    assert shop.events(link) == ["created", "revoked"]
    with pytest.raises(LinkEnded):
        shop.cashier.reissue_link(link)


def test_a_process_that_dies_while_it_revokes_a_link_leaves_no_page_open(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = shop.link("A")
    page = shop.pay(link, via="page")

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(withdrawing, "withdraw_pages", die)
        with pytest.raises(KeyboardInterrupt):
            shop.cashier.revoke_link(link, reason="sent to the wrong person")
    assert shop.status(link) is LinkStatus.REVOKED
    shop.cashier.work_due()

    assert shop.cashier.payment(page).status is PaymentStatus.CANCELED
    assert shop.cashier.work_due() == []


def test_a_page_that_opens_after_its_link_has_ended_is_withdrawn(shop: Shop) -> None:
    link = shop.link("A")

    def revoke(_: object) -> bool:
        shop.cashier.revoke_link(link, reason="sent to the wrong person")
        return False

    shop.page.script("approved", matching=revoke)
    page = shop.pay(link, via="page")
    assert page.status is PaymentStatus.REQUIRES_ACTION
    shop.cashier.work_due()

    assert shop.cashier.payment(page).status is PaymentStatus.CANCELED
    assert shop.cashier.work_due() == []


def test_a_payment_under_way_goes_on_when_its_link_is_revoked(shop: Shop) -> None:
    link = shop.link("A")
    pending = shop.pay(link, via="bank", method="tok_bank")

    shop.cashier.revoke_link(link, reason="over")
    shop.clock.advance(timedelta(days=5))
    shop.hear()
    shop.cashier.recover()

    assert shop.cashier.payment(pending).status is PaymentStatus.SUCCEEDED
    assert shop.status(link) is LinkStatus.REVOKED


def test_a_new_address_ends_the_earlier_one(shop: Shop) -> None:
    link = shop.link("A")
    given = shop.shown(link)

    new = shop.cashier.reissue_link(link)

    assert new.address(BASE) != link.address(BASE)
    with pytest.raises(PageNotFound):
        shop.follow(link)
    with pytest.raises(TryNotValid):
        shop.pay(new, given)
    assert shop.follow(new).id == link.id
    assert shop.events(link) == ["created", "reissued"]


def test_an_expired_link_is_reissued_with_a_later_end(shop: Shop) -> None:
    link = shop.link("A", expires=shop.clock.now() + timedelta(hours=1))
    shop.clock.advance(timedelta(days=1))
    shop.cashier.work_due()
    with pytest.raises(InvalidValue, match="expires"):
        shop.cashier.reissue_link(link)

    new = shop.cashier.reissue_link(link, expires=shop.clock.now() + timedelta(days=1))

    assert shop.follow(new).status is LinkStatus.ACTIVE


def test_a_used_link_leads_to_its_payment_for_a_month(shop: Shop) -> None:
    link = shop.link("A")
    paid = shop.pay(link)
    shop.clock.advance(timedelta(days=29))
    assert shop.follow(link).payment == paid.id

    shop.clock.advance(timedelta(days=2))

    with pytest.raises(PageNotFound):
        shop.follow(link)


# --- Prepayments ----------------------------------------------------------------------------


def prepay(shop: Shop, amount: str = "49") -> Any:
    return shop.cashier.prepay("C-1", usd(amount), assignment_key="O-1", key="entry")


def test_a_link_to_a_prepayment_is_paid_before_its_invoice(shop: Shop) -> None:
    link = shop.link(prepay(shop))
    assert [each.name for each in link.items] == ["o-1"]

    shop.pay(link)
    shop.issue("I", "49", assignment_key="O-1")

    assert shop.open("I") == "0.00"
    assert shop.status(link) is LinkStatus.USED


def test_an_old_link_of_a_prepayment_leads_to_the_invoice_that_replaced_it(shop: Shop) -> None:
    link = shop.link(prepay(shop))
    given = shop.shown(link)
    assert link.of is LinkFor.PREPAYMENT

    shop.issue("I", "60", assignment_key="O-1")

    found = shop.follow(link)
    assert (found.id, found.of, found.status) == (link.id, LinkFor.INVOICES, LinkStatus.ACTIVE)
    assert ([each.name for each in found.items], found.open) == (["I"], usd("60"))
    with pytest.raises(OpenAmountChanged) as changed:
        shop.pay(link, given)
    assert (changed.value.expected, changed.value.open) == (usd("49"), usd("60"))
    assert shop.card.moved("USD") == usd("0")

    paid = shop.pay(found)

    assert (paid.amount, shop.open("I")) == (usd("60"), "0.00")
    assert shop.status(link) is LinkStatus.USED
    assert shop.events(link) == ["created", "moved", "used"]


def test_a_form_for_a_prepayment_pays_its_invoice_of_the_same_amount(shop: Shop) -> None:
    link = shop.link(prepay(shop))
    given = shop.shown(link)
    shop.issue("I", "49", assignment_key="O-1")

    paid = shop.pay(link, given)

    assert (paid.amount, shop.open("I")) == (usd("49"), "0.00")
    assert shop.pay(link, given).id == paid.id
    assert shop.card.moved("USD") == usd("49")


def test_a_link_leads_back_to_its_prepayment_when_the_invoice_is_voided(shop: Shop) -> None:
    link = shop.link(prepay(shop))
    shop.issue("I", "49", assignment_key="O-1")

    shop.cashier.void("I", reason="wrong")

    found = shop.follow(link)
    assert (found.of, found.open) == (LinkFor.PREPAYMENT, usd("49"))
    shop.issue("J", "50", assignment_key="O-1")
    assert [each.name for each in shop.follow(link).items] == ["J"]
    shop.pay(link)
    assert shop.open("J") == "0.00"
    assert shop.events(link) == ["created", "moved", "moved", "used"]


def test_a_page_of_a_prepayment_pays_the_invoice_that_replaced_it(shop: Shop) -> None:
    link = shop.link(prepay(shop))
    pending = shop.pay(link, via="bank", method="tok_bank")

    shop.issue("I", "49", assignment_key="O-1")

    assert [str(each.claimed) for each in shop.follow(link).items] == ["49.00 USD"]
    with pytest.raises(ItemAlreadyBeingPaid):
        shop.pay(link)
    shop.clock.advance(timedelta(days=5))
    shop.hear()
    shop.cashier.recover()
    assert shop.cashier.payment(pending).status is PaymentStatus.SUCCEEDED
    assert (shop.open("I"), shop.status(link)) == ("0.00", LinkStatus.USED)


def test_the_rest_of_a_prepayment_is_paid_on_its_invoice(shop: Shop) -> None:
    link = shop.link(prepay(shop), amount=(usd("1"), usd("49")))
    shop.pay(link, amount=usd("9"))

    shop.issue("I", "49", assignment_key="O-1")

    assert (shop.follow(link).open, shop.follow(link).maximum) == (usd("40"), usd("40"))
    shop.pay(link, amount=usd("40"))
    assert (shop.open("I"), shop.status(link)) == ("0.00", LinkStatus.USED)
    assert shop.card.moved("USD") == usd("49")


def test_money_that_goes_back_reopens_the_invoice_and_its_link(shop: Shop) -> None:
    link = shop.link(prepay(shop))
    paid = shop.pay(link)
    shop.issue("I", "49", assignment_key="O-1")
    assert shop.status(link) is LinkStatus.USED

    shop.cashier.refund(paid, key="back", to="reopen")

    assert (shop.open("I"), shop.status(link)) == ("49.00", LinkStatus.ACTIVE)
    assert [each.name for each in shop.follow(link).items] == ["I"]


def test_a_revoked_link_of_a_prepayment_does_not_lead_to_its_invoice(shop: Shop) -> None:
    link = shop.link(prepay(shop))
    shop.cashier.revoke_link(link, reason="sent to the wrong person")

    shop.issue("I", "49", assignment_key="O-1")

    with pytest.raises(PageNotFound):
        shop.follow(link)


def test_closing_a_prepayment_revokes_its_link(shop: Shop) -> None:
    made = prepay(shop)
    link = shop.link(made)

    shop.cashier.close_prepayment(made, reason="canceled")

    assert shop.status(link) is LinkStatus.REVOKED
    assert shop.events(link)[-1] == "revoked"


def test_closing_a_prepayment_ends_the_pages_of_its_link(shop: Shop) -> None:
    made = prepay(shop)
    page = shop.pay(shop.link(made), via="page")

    shop.cashier.close_prepayment(made, reason="canceled")
    shop.cashier.work_due()

    assert shop.cashier.payment(page).status is PaymentStatus.CANCELED


# --- Addresses and keys ----------------------------------------------------------------------


def test_the_same_call_returns_the_same_address(shop: Shop) -> None:
    link = shop.link("A", metadata={"campaign": "7"}, uses=2, language="de")

    again = shop.link("A", metadata={"campaign": "7"}, uses=2, language="de")

    assert again == link
    assert again.address(BASE) == link.address(BASE)
    assert link.address(BASE).startswith("https://pay.example/pay/l/")
    assert len(link.address(BASE)) == len("https://pay.example/pay/l/") + 22
    with pytest.raises(KeyReused):
        shop.link("A", uses=3)
    shop.pay(link)
    assert shop.link("A", metadata={"campaign": "7"}, uses=2, language="de").paid == 1


def test_a_token_shows_nowhere(shop: Shop) -> None:
    link = shop.link("A", return_to="https://shop.example/done?p={payment}&r={result}")
    assert link.token is not None
    token = link.token.reveal()
    page = shop.cashier.payment_page(shop.pay(link))

    assert token not in repr(link)
    assert page.token.reveal() not in repr(page)
    told = repr([each.as_json() for each in shop.cashier.events(limit=1000)])
    assert token not in told
    assert page.token.reveal() not in told


def test_every_token_that_leads_nowhere_is_refused_alike(shop: Shop) -> None:
    link, old = shop.link("A"), shop.link("B", key="old")
    assert link.token is not None
    assert old.token is not None
    shop.cashier.reissue_link(old)
    page = shop.cashier.payment_page(shop.pay(link))
    theirs = Shop(tenant="other").link("A")
    assert theirs.token is not None
    wrong: list[Any] = [
        old.token,
        theirs.token,
        page.token,
        "",
        "x",
        "é" * 22,
        "A" * 22,
        "A" * 10_000,
        link.token.reveal()[:-1],
        link.token.reveal() + "=",
        f" {link.token.reveal()}",
    ]
    told: set[str] = set()
    for token in wrong:
        with pytest.raises(PageNotFound) as refused:
            shop.cashier.link_of(token)
        told.add(str(refused.value))
    with pytest.raises(PageNotFound) as refused:
        shop.cashier.payment_of_page(link.token)
    told.add(str(refused.value))
    assert len(told) == 1
    with pytest.raises(InvalidValue, match="token"):
        shop.cashier.link_of(7)  # type: ignore[arg-type]


def test_a_retired_key_serves_its_links_until_it_is_removed() -> None:
    clock = FakeClock()

    def opened(store: Any, keys: list[str]) -> Cashier:
        made = Cashier.in_memory(gateways={"card": FakeGateway()}, clock=clock, page_keys=keys)
        made._store = store or made._store
        return made

    first = opened(None, [KEY])
    first.issue(number="A", customer="C", total=usd("5"), due="2031-01-01")
    old = first.link("A", key="k")
    both = opened(first._store, [OTHER, KEY])
    new = both.link("A", key="k2")

    assert both.link("A", key="k").address(BASE) == old.address(BASE)
    assert new.key_id != old.key_id
    assert old.token is not None
    assert both.link_of(old.token).id == old.id
    without = opened(first._store, [OTHER])
    with pytest.raises(PageNotFound):
        without.link_of(old.token)
    with pytest.raises(PageKeysMissing):
        without.link_by_id(old).address(BASE)
    assert new.token is not None
    assert without.link_of(new.token).id == new.id
    moved = without.reissue_link(old)
    assert (moved.key_id, moved.generation) == (new.key_id, 2)


def test_without_keys_there_are_no_links() -> None:
    with Cashier.in_memory() as cashier:
        cashier.issue(number="A", customer="C", total=usd("5"), due="2031-01-01")
        for call in (
            lambda: cashier.link("A", key="k"),
            lambda: cashier.link_of("A" * 22),
            lambda: cashier.payment_of_page("A" * 22),
        ):
            with pytest.raises(PageKeysMissing, match="page_keys"):
                call()


@pytest.mark.parametrize("keys", [[], ["short"], ["é" * 43], "A" * 44, [7]])
def test_keys_that_are_none_are_refused(keys: Any) -> None:
    with pytest.raises((InvalidSettings, InvalidValue), match="page"):
        Cashier.in_memory(page_keys=keys)


# --- The page of a payment ---------------------------------------------------------------------


def test_a_payment_has_a_page_of_its_own_for_ninety_days(shop: Shop) -> None:
    paid = shop.pay(shop.link("A"))

    page = shop.cashier.payment_page(paid)

    assert shop.cashier.payment_page(paid.id) == page
    assert page.address(BASE).startswith("https://pay.example/pay/p/")
    assert shop.cashier.payment_of_page(page.token).id == paid.id
    shop.clock.advance(timedelta(days=91))
    with pytest.raises(PageNotFound):
        shop.cashier.payment_of_page(page.token)
    shop.cashier.reverse(paid, reason="bounced", force=True)
    assert shop.cashier.payment_of_page(page.token).id == paid.id


# --- Bad input -------------------------------------------------------------------------------


def test_a_link_for_nothing_is_refused(shop: Shop) -> None:
    made = prepay(shop)
    shop.cashier.void("C", reason="twice")
    shop.cashier.record("B", by="cash", key="till")
    for items, more, error in (
        ([], {}, InvalidValue),
        (None, {}, InvalidValue),
        (None, {"customer": "C-1"}, InvalidValue),
        (["C"], {}, InvoiceIsVoid),
        (["B"], {}, AlreadyPaid),
        (["A", "A"], {}, InvalidValue),
        (["A", made], {}, InvalidValue),
        (["A"], {"currency": "EUR"}, InvalidValue),
        (["A"], {"customer": "C-2"}, InvalidValue),
        (["A"], {"uses": 0}, InvalidValue),
        (["A"], {"uses": True}, InvalidValue),
        (["A"], {"amount": (usd("5"), usd("4"))}, InvalidAmount),
        (["A"], {"amount": (usd("0"), usd("4"))}, InvalidAmount),
        (["A"], {"amount": (usd("1"), Money.of("EUR", "4"))}, InvalidAmount),
        (["A"], {"amount": usd("1")}, InvalidValue),
        (["A"], {"expires": shop.clock.now()}, InvalidValue),
        (["A"], {"expires": datetime(2031, 1, 1)}, InvalidValue),  # noqa: DTZ001
        (["A"], {"language": "../x"}, InvalidValue),
        (["A"], {"return_to": "javascript:alert(1)"}, InvalidValue),
        (["A"], {"return_to": "https://shop.example/{other}"}, InvalidValue),
        (["A"], {"metadata": {"a": 7}}, InvalidValue),
    ):
        with pytest.raises(error):
            shop.cashier.link(items, key="bad", **more)
    shop.issue("I", "49", assignment_key="O-1")
    with pytest.raises(PrepaymentReplaced):
        shop.cashier.link(made, key="bad")
    assert shop.cashier.links() == []


def test_an_unknown_link_is_not_found(shop: Shop) -> None:
    for call in (
        lambda: shop.cashier.link_by_id("lnk_none"),
        lambda: shop.cashier.begin_try("lnk_none"),
        lambda: shop.cashier.ways_to_pay("lnk_none"),
        lambda: shop.cashier.reissue_link("lnk_none"),
        lambda: shop.cashier.revoke_link("lnk_none", reason="x"),
        lambda: shop.cashier.links(after="lnk_none"),
    ):
        with pytest.raises(LinkNotFound):
            call()
    with pytest.raises(InvalidValue, match="reason"):
        shop.cashier.revoke_link(shop.link("A"), reason=" ")


# --- Reading --------------------------------------------------------------------------------


def test_links_are_listed_by_page_customer_and_status(shop: Shop) -> None:
    made = [shop.link("A", key=f"k{number}") for number in range(4)]
    shop.cashier.revoke_link(made[1], reason="over")
    other = shop.link(customer="C-9", currency="USD", key="theirs")

    pages = [shop.cashier.links(customer="C-1", limit=3)]
    pages.append(shop.cashier.links(customer="C-1", limit=3, after=pages[0][-1]))

    assert [each.id for page in pages for each in page] == [each.id for each in reversed(made)]
    assert [each.id for each in shop.cashier.links(status="revoked")] == [made[1].id]
    assert [each.id for each in shop.cashier.links(customer="C-9")] == [other.id]
    assert shop.cashier.links(oldest_first=True)[0].address(BASE) == made[0].address(BASE)
    assert shop.cashier.links(since=datetime(2031, 1, 1, tzinfo=UTC).date()) == []


@pytest.mark.anyio
async def test_the_async_face_follows_links() -> None:
    async with AsyncCashier.in_memory(
        gateways={"card": FakeGateway()}, page_keys=[Secret(KEY)]
    ) as cashier:
        await cashier.issue(number="A", customer="C", total=usd("5"), due="2031-01-01")
        link = await cashier.link("A", key="k")
        assert link.token is not None
        given = await cashier.begin_try(await cashier.link_of(link.token))
        paid = await cashier.pay_link(link.token, given=given, via="card", method="tok_visa")
        page = await cashier.payment_page(paid)
        assert (await cashier.payment_of_page(page.token)).id == paid.id
        assert (await cashier.link_by_id(link)).status is LinkStatus.USED
        assert await cashier.fsck() == []
