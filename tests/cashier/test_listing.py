"""Finding and listing: what a portal's page shows, in which order, and how it pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import product
from typing import Any

import pytest
from cryptography.fernet import Fernet

from paygate import (
    AsyncCashier,
    Cashier,
    Invoice,
    InvoiceStatus,
    Kind,
    Money,
    Payment,
    PaymentItem,
    PaymentStatus,
)
from paygate.domain.chargeback import DisputeState
from paygate.errors import (
    GatewayNotFound,
    InvalidValue,
    InvoiceNotFound,
    PaymentNotFound,
    RecordNotFound,
)
from paygate.testing import FakeClock, FakeGateway

KEYS = [Fernet.generate_key().decode()]


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


class Portal:
    """A merchant with three customers who pay by card, on a page, or in cash."""

    def __init__(self, **options: Any) -> None:
        self.clock = FakeClock()
        self.card = FakeGateway(Kind.CARD, clock=self.clock)
        self.page = FakeGateway(Kind.REDIRECT, clock=self.clock)
        self.cashier = Cashier.in_memory(
            gateways={"card": self.card, "page": self.page},
            clock=self.clock,
            token_keys=KEYS,
            **options,
        )
        self.count = 0

    def issue(self, customer: str = "C-1", total: str = "30", due: str = "2026-02-01") -> Invoice:
        self.count += 1
        number = f"INV-{self.count}"
        return self.cashier.issue(number=number, customer=customer, total=usd(total), due=due)

    def charge(self, invoice: Invoice, token: str = "tok_visa", **more: Any) -> Payment:
        self.count += 1
        key = f"key-{self.count}"
        return self.cashier.collect(invoice, via="card", method=token, key=key, **more)

    def hear(self) -> None:
        for name, fake in (("card", self.card), ("page", self.page)):
            for callback in fake.callbacks():
                self.cashier.receive(name, callback)
        self.cashier.apply_callbacks()


@pytest.fixture
def portal() -> Iterator[Portal]:
    portal = Portal()
    yield portal
    assert portal.cashier.fsck() == []
    portal.cashier.close()


@pytest.fixture
def busy(portal: Portal) -> Portal:
    """The same after two weeks in which every customer paid in every way, and some did not."""
    for _ in range(2):
        for customer in ("C-1", "C-2", "C-3"):
            portal.charge(portal.issue(customer))
            portal.clock.advance(hours=5)
            portal.charge(portal.issue(customer), "tok_declined")
            both = portal.issue(customer)
            portal.charge(both, "tok_declined")
            portal.cashier.collect(
                both, via="page", key=f"page-{both.number}", return_url="https://shop.example/"
            )
            portal.cashier.record(portal.issue(customer), by="cash", key=f"cash-{portal.count}")
            portal.charge(portal.issue(customer), "tok_other_amount")
        portal.clock.advance(days=7)
    return portal


def payments_page(
    cashier: Cashier, query: Mapping[str, str]
) -> tuple[list[tuple[str, str, str, str]], str | None]:
    """Return the rows of a portal's page of payments, and what its link "older" asks for."""
    names = ("customer", "invoice", "account", "status", "since", "until", "after")
    limit = int(query.get("limit", 25))
    wanted: dict[str, Any] = {name: query[name] for name in names if query.get(name)}
    page = cashier.payments(**wanted, limit=limit)
    rows = [
        (
            str(each.created_at and each.created_at.date()),
            ", ".join(item.invoice for item in each.items),
            str(each.amount),
            each.status.value,
        )
        for each in page
    ]
    return rows, page[-1].id if len(page) == limit else None


def test_a_portal_shows_the_last_payments_of_a_customer_and_pages_back(busy: Portal) -> None:
    query = {"customer": "C-2", "limit": "2"}
    rows, older = payments_page(busy.cashier, query)

    assert [(row[0], row[2], row[3]) for row in rows] == [
        ("2026-01-09", "30.00 USD", "succeeded"),
        ("2026-01-09", "30.00 USD", "succeeded"),
    ]
    assert older is not None
    rows, _ = payments_page(busy.cashier, query | {"after": older})
    assert [row[3] for row in rows] == ["requires_action", "declined"]
    assert rows[0][1] == rows[1][1], "the payer went to the page after the card was declined"


def test_a_portal_shows_the_payments_of_one_invoice(busy: Portal) -> None:
    tried = next(each for each in busy.cashier.payments() if each.account == "page")
    number = tried.items[0].invoice

    rows, older = payments_page(busy.cashier, {"invoice": number})

    assert [(row[1], row[3]) for row in rows] == [
        (number, "requires_action"),
        (number, "declined"),
    ]
    assert older is None


FILTERS: dict[str, list[Any]] = {
    "customer": [None, "C-2"],
    "account": [None, "card", "recorded"],
    "status": [None, "declined", PaymentStatus.SUCCEEDED],
    "needs_review": [None, True, False],
    "span": [
        (None, None),
        ("2026-01-02", None),
        (datetime(2026, 1, 1, 18, tzinfo=UTC), date(2026, 1, 9)),
    ],
}


def meets(payment: Payment, wanted: Mapping[str, Any]) -> bool:
    assert payment.created_at is not None
    made = payment.created_at.isoformat()
    since, until = (str(wanted[name] or "").replace(" ", "T") for name in ("since", "until"))
    return (
        wanted["customer"] in (None, payment.customer)
        and wanted["account"] in (None, payment.account)
        and wanted["status"] in (None, payment.status, payment.status.value)
        and wanted["needs_review"] in (None, payment.needs_review)
        and made >= since
        and (not until or made < until)
    )


def test_pages_by_any_filters_hold_what_meets_them_once_and_in_order(busy: Portal) -> None:
    everything = list(reversed(busy.cashier.payments(limit=1_000)))
    assert len(everything) == 36

    for values in product(*FILTERS.values()):
        wanted = dict(zip(FILTERS, values, strict=True))
        wanted["since"], wanted["until"] = wanted.pop("span")
        for oldest_first in (False, True):
            found: list[Payment] = []
            after: Payment | str = ""
            while page := busy.cashier.payments(
                **wanted, oldest_first=oldest_first, after=after, limit=13
            ):
                found += page
                after = page[-1]

            right = [each for each in everything if meets(each, wanted)]
            assert found == (right if oldest_first else right[::-1]), wanted


def test_what_is_paid_meanwhile_shifts_no_page(busy: Portal) -> None:
    first = busy.cashier.payments(limit=10)
    busy.charge(busy.issue())

    second = busy.cashier.payments(after=first[-1], limit=10)

    assert [*first, *second] == busy.cashier.payments(limit=21)[1:]


def test_a_date_begins_at_midnight_in_the_merchants_zone() -> None:
    portal = Portal(zone="America/Vancouver")
    portal.clock.set(datetime(2026, 3, 2, 7, 59, tzinfo=UTC))  # 23:59 on the first there
    portal.charge(portal.issue())
    portal.clock.advance(minutes=1)
    after_midnight = portal.charge(portal.issue())

    assert portal.cashier.payments(since="2026-03-02") == [after_midnight]
    assert len(portal.cashier.payments(since="2026-03-01", until="2026-03-02")) == 1
    there = timezone(timedelta(hours=-8))
    assert portal.cashier.payments(since=datetime(2026, 3, 2, tzinfo=there)) == [after_midnight]


def test_one_tenant_sees_nothing_of_another(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    fake = FakeGateway()
    with (
        Cashier.open(url, gateways={"card": fake}, tenant="north") as north,
        Cashier.open(url, gateways={"card": fake}, tenant="south") as south,
    ):
        north.issue(number="A", customer="C", total=usd("5"), due="2031-01-01")
        paid = north.collect("A", via="card", method="tok_visa", key="k")

        for listed in (south.payments, south.invoices, south.open_invoices, south.callbacks):
            assert listed() == []
        assert south.events() == []
        with pytest.raises(RecordNotFound):
            south.events(aggregate=paid)
        with pytest.raises(PaymentNotFound):
            south.payments(after=paid.id)
        with pytest.raises(PaymentNotFound):
            south.payment_by_key("k")
        with pytest.raises(InvoiceNotFound):
            south.payments(invoice="A")


async def test_the_async_face_lists_by_the_same_filters() -> None:
    async with AsyncCashier.in_memory(gateways={"card": FakeGateway()}) as cashier:
        for number in ("A", "B"):
            await cashier.issue(number=number, customer="C", total=usd("5"), due="2031-01-01")
            await cashier.collect(number, via="card", method="tok_visa", key=number)

        newest, oldest = await cashier.payments(status="succeeded", account="card")

        assert [each.items[0].invoice for each in (newest, oldest)] == ["B", "A"]
        assert await cashier.payments(invoice="A") == [oldest]
        assert await cashier.payments(after=newest, limit=1) == [oldest]
        assert await cashier.payment_by_key("B") == newest


# --- Invoices ------------------------------------------------------------------------------


def test_invoices_are_listed_by_how_they_stand(portal: Portal) -> None:
    draft = [portal.issue(customer) for customer in ("C-1", "C-2") for _ in range(4)]
    for paid, part, void, _ in (draft[:4], draft[4:]):
        portal.charge(paid)
        portal.charge(part, amount=usd("10"))
        portal.cashier.void(void, reason="issued twice")

    def numbers(**wanted: Any) -> list[str]:
        return [each.number for each in portal.cashier.invoices(**wanted)]

    assert numbers(status="paid") == ["INV-5", "INV-1"]
    assert numbers(status=InvoiceStatus.PARTIALLY_PAID, customer="C-1") == ["INV-2"]
    assert numbers(status="void", oldest_first=True) == ["INV-3", "INV-7"]
    assert numbers(status="open") == ["INV-8", "INV-4"]
    assert numbers(limit=3) == ["INV-8", "INV-7", "INV-6"]
    assert numbers(limit=2, after=draft[5]) == ["INV-5", "INV-4"]
    assert portal.cashier.invoices(until="2026-01-01") == []
    assert len(portal.cashier.invoices(since="2026-01-01")) == 8


def test_what_is_owed_is_listed_by_due_date(portal: Portal) -> None:
    for due in ("2026-03-01", "2026-02-01", "2026-04-01"):
        for customer in ("C-1", "C-2"):
            portal.issue(customer, due=due)
    portal.charge(portal.cashier.invoice("INV-1"))
    portal.charge(portal.cashier.invoice("INV-2"), amount=usd("1"))
    portal.cashier.write_off("INV-5", reason="bankrupt", key="w")

    def owed(*customer: str, **wanted: Any) -> list[str]:
        return [each.number for each in portal.cashier.open_invoices(*customer, **wanted)]

    assert owed() == ["INV-3", "INV-4", "INV-2", "INV-6"]
    assert owed("C-2") == ["INV-4", "INV-2", "INV-6"]
    assert owed(due_until=date(2026, 3, 1)) == ["INV-3", "INV-4"]
    assert owed("C-2", due_since="2026-03-01") == ["INV-2", "INV-6"]
    [first] = portal.cashier.open_invoices("C-2", limit=1)
    assert owed("C-2", after=first, limit=1) == ["INV-2"]


# --- Receipts ------------------------------------------------------------------------------


def test_receipts_of_all_payments_are_listed_with_their_invoices(portal: Portal) -> None:
    first, second = portal.issue(total="30"), portal.issue("C-2", total="12")
    paid = portal.charge(first, amount=usd("42"))
    portal.clock.advance(days=1)
    portal.cashier.refund(paid, key="back", amount=usd("35"), to="reopen")
    portal.clock.advance(days=1)
    noted = portal.cashier.record(second, by="check", key="till", reference="Nr. 7")

    check, refund, charge = portal.cashier.receipt_lines()

    assert [charge.receipt, refund.receipt] == portal.cashier.receipts(paid)
    assert [check.receipt] == portal.cashier.receipts(noted)
    assert (charge.customer, charge.driver, charge.invoices) == ("C-1", "fake", ("INV-1",))
    assert charge.reference == paid.reference
    assert (refund.customer, refund.driver, refund.invoices) == ("C-1", "fake", ("INV-1",))
    assert (check.customer, check.driver, check.invoices) == ("C-2", "", ("INV-2",))
    assert (check.reference, check.address, check.address_index) == ("Nr. 7", "", None)
    assert portal.cashier.receipt_lines(account="card", oldest_first=True) == [charge, refund]
    assert portal.cashier.receipt_lines(account="recorded") == [check]
    assert portal.cashier.receipt_lines(limit=1, after=check) == [refund]
    assert portal.cashier.receipt_lines(after=refund.receipt) == [charge]
    day = check.receipt.booked_at.date()
    assert portal.cashier.receipt_lines(since=day) == [check]
    assert portal.cashier.receipt_lines(until=day) == [refund, charge]


def test_a_line_of_a_receipt_names_each_invoice_once_also_after_it_was_paid_back(
    portal: Portal,
) -> None:
    numbers = [portal.issue(total=total).number for total in ("10", "20")]
    paid = portal.cashier.collect(numbers, via="card", method="tok_visa", key="both")
    portal.cashier.refund(paid, key="one", to="reopen", amount=usd("25"))

    refund, charge = portal.cashier.receipt_lines()

    assert charge.invoices == tuple(numbers)
    assert set(refund.invoices) == set(numbers)


# --- What a payment is for -------------------------------------------------------------------


def test_a_payment_names_its_invoices_with_what_it_holds_and_paid(portal: Portal) -> None:
    first, second = portal.issue(total="30"), portal.issue(total="12")
    nothing = usd("0")

    waits = portal.cashier.collect(
        [first, second], via="card", method="tok_pending", key="a", amount=usd("40")
    )
    held = (
        PaymentItem(invoice="INV-1", amount=usd("30"), claimed=usd("30"), paid=nothing),
        PaymentItem(invoice="INV-2", amount=usd("10"), claimed=usd("10"), paid=nothing),
    )
    assert waits.items == portal.cashier.payments()[0].items == held

    portal.clock.advance(days=2)
    portal.hear()
    paid = portal.cashier.payment(waits)
    assert [(each.claimed, each.paid) for each in paid.items] == [
        (nothing, usd("30")),
        (nothing, usd("10")),
    ]

    portal.cashier.refund(paid, amount=usd("4"), key="r")
    assert [str(each.paid) for each in portal.cashier.payment(paid).items] == [
        "30.00 USD",
        "6.00 USD",
    ]


def test_a_declined_payment_names_its_invoice(portal: Portal) -> None:
    declined = portal.charge(portal.issue(), "tok_declined")

    nothing = usd("0")
    assert declined.items == (
        PaymentItem(invoice="INV-1", amount=usd("30"), claimed=nothing, paid=nothing),
    )


def test_a_payment_names_the_invoice_that_its_money_was_assigned_to(portal: Portal) -> None:
    other = portal.charge(portal.issue(), "tok_other_amount")
    wanted = portal.issue(total="45")

    made = portal.cashier.assign(other, [wanted], reason="as the customer asked")

    assert {each.invoice: str(each.paid) for each in made.items} == {
        "INV-1": "0.00 USD",
        wanted.number: "45.00 USD",
    }
    assert portal.cashier.payments(invoice=wanted) == [made]


def test_a_payment_shows_what_is_on_its_way_back(portal: Portal) -> None:
    paid = portal.charge(portal.issue())
    assert (paid.refunding, paid.capturing) == (usd("0"), usd("0"))

    portal.card.script("unknown_executed", operation="refund")
    shown = portal.cashier.refund(paid, amount=usd("12"), key="r").payment

    assert (shown.returned, shown.refunding) == (usd("0"), usd("12"))
    portal.clock.advance(days=1)
    portal.cashier.recover()
    done = portal.cashier.payment(paid)
    assert (done.returned, done.refunding) == (usd("12"), usd("0"))


# --- By key ------------------------------------------------------------------------------------


def test_a_payment_is_found_by_the_key_of_each_verb(portal: Portal) -> None:
    cashier = portal.cashier
    collected = portal.charge(portal.issue())
    held = cashier.authorize(portal.issue(), via="card", method="tok_visa", key="k")
    topped = cashier.top_up("C-1", usd("50"), via="card", method="tok_visa", key="k")
    recorded = cashier.record(portal.issue(), by="cash", key="k")
    credited = cashier.pay_from_credit(portal.issue(), key="k")
    cashier.capture(held, key="c")
    cashier.refund(collected, amount=usd("5"), key="k")
    cashier.cancel(recorded_page(portal), key="x")

    found = {
        verb: cashier.payment_by_key("k", verb=verb).id
        for verb in ("authorize", "top_up", "record", "pay_from_credit", "refund")
    }

    assert found == {
        "authorize": held.id,
        "top_up": topped.id,
        "record": recorded.id,
        "pay_from_credit": credited.id,
        "refund": collected.id,
    }
    assert cashier.payment_by_key(collected.key).id == collected.id
    assert cashier.payment_by_key("c", verb="capture").id == held.id
    assert cashier.payment_by_key("x", verb="cancel").account == "page"
    assert {each.key for each in cashier.attempts(held)} == {"k", "c"}
    with pytest.raises(PaymentNotFound):
        cashier.payment_by_key("k")  # no collect had it
    with pytest.raises(InvalidValue, match="verb"):
        cashier.payment_by_key("k", verb="enroll")  # type: ignore[arg-type]


def recorded_page(portal: Portal) -> Payment:
    return portal.cashier.collect(
        portal.issue(), via="page", key="page", return_url="https://shop.example/"
    )


# --- The others ----------------------------------------------------------------------------------


def test_the_events_of_one_payment_are_read_in_order_and_paged(portal: Portal) -> None:
    paid = portal.charge(portal.issue())
    portal.charge(portal.issue())
    portal.cashier.refund(paid, key="r")

    told = portal.cashier.events(aggregate=paid)

    assert told == [each for each in portal.cashier.events() if each.aggregate == paid.id]
    assert [each.seq for each in told] == list(range(1, len(told) + 1))
    assert portal.cashier.events(aggregate=paid.id, after=told[1].position, limit=2) == told[2:4]
    about = portal.cashier.events(aggregate=portal.cashier.invoice("INV-1"))
    assert about[0].type == "invoice.generated"
    assert portal.cashier.events(aggregate="INV-1") == about


@pytest.mark.parametrize("unknown", ["nope", "pay_nope", "INV-77"])
def test_there_are_no_events_of_what_is_not_there(portal: Portal, unknown: str) -> None:
    portal.issue()

    with pytest.raises(RecordNotFound, match=f"'{unknown}'"):
        portal.cashier.events(aggregate=unknown)


@pytest.mark.parametrize("name", ["payments", "chargebacks", "callbacks", "orphans"])
def test_nothing_is_listed_of_an_account_that_nobody_ever_had(portal: Portal, name: str) -> None:
    listed = getattr(portal.cashier, name)
    assert listed(account="page") == []

    with pytest.raises(GatewayNotFound, match="'ghost'; it knows: card, page") as caught:
        listed(account="ghost")

    assert caught.value.argument == "account"


def test_there_are_no_dead_letters_of_a_sink_that_never_read(portal: Portal) -> None:
    portal.cashier.subscribe("crm", print)
    assert portal.cashier.replay_dead_letters("crm") == 0
    assert portal.cashier.dead_letters(sink="crm") == []

    with pytest.raises(RecordNotFound, match=r"no sink 'ghost'.*: crm"):
        portal.cashier.replay_dead_letters("ghost")
    with pytest.raises(RecordNotFound):
        portal.cashier.dead_letters(sink="ghost")


def test_chargebacks_callbacks_and_methods_begin_with_the_newest(portal: Portal) -> None:
    paid = [portal.charge(portal.issue()) for _ in range(3)]
    for payment in paid:
        portal.clock.advance(days=1)
        portal.card.dispute(payment.reference)
        portal.hear()
    for token in ("tok_visa", "tok_mastercard"):
        portal.clock.advance(days=1)
        portal.cashier.enroll("C-1", via="card", method=token, key=token)
    cashier = portal.cashier

    disputes = cashier.chargebacks()
    assert [each.payment for each in disputes] == [each.id for each in reversed(paid)]
    assert cashier.chargebacks(after=disputes[0], limit=1) == disputes[1:2]
    assert cashier.chargebacks(state=DisputeState.OPENED, oldest_first=True) == disputes[::-1]
    assert cashier.chargebacks(since="2026-01-03", until="2026-01-04") == disputes[1:2]
    assert cashier.chargebacks(account="card", state="won") == []
    assert cashier.chargebacks(account="page") == []
    assert cashier.chargebacks(payment=paid[1]) == disputes[1:2]

    told = cashier.callbacks(account="card")
    assert [each.id for each in told] == sorted((each.id for each in told), reverse=True)
    assert cashier.callbacks(account="card", state="applied", after=told[0], limit=2) == told[1:3]
    assert cashier.callbacks(account="page") == cashier.orphans() == []
    assert cashier.callbacks(oldest_first=True, limit=1) == told[-1:]
    assert cashier.callbacks(since="2026-01-04", state="applied") == told[:1]

    assert [each.brand for each in cashier.methods("C-1")] == ["mastercard", "visa"]
    newest, oldest = cashier.method_changes()
    assert newest.created_at > oldest.created_at
    assert cashier.method_changes(after=newest) == [oldest]
    assert cashier.method_changes(needs_review=True) == []


def test_credit_is_listed_in_the_order_in_which_it_is_spent(portal: Portal) -> None:
    for amount in ("3", "4", "5"):
        portal.clock.advance(days=1)
        portal.cashier.record([], customer="C-1", amount=usd(amount), by="cash", key=amount)
    portal.cashier.pay_from_credit(portal.issue(total="3"), key="use")

    first, second = portal.cashier.credits("C-1")

    assert (first.free, second.free) == (usd("4"), usd("5"))
    assert portal.cashier.credits("C-1", after=first) == [second]
    assert portal.cashier.balance("C-1") == {"USD": usd("9")}


# --- What means nothing --------------------------------------------------------------------------

LISTINGS: dict[str, Callable[..., object]] = {
    "payments": lambda cashier, **more: cashier.payments(**more),
    "invoices": lambda cashier, **more: cashier.invoices(**more),
    "open_invoices": lambda cashier, **more: cashier.open_invoices(**more),
    "receipt_lines": lambda cashier, **more: cashier.receipt_lines(**more),
    "chargebacks": lambda cashier, **more: cashier.chargebacks(**more),
    "callbacks": lambda cashier, **more: cashier.callbacks(**more),
    "orphans": lambda cashier, **more: cashier.orphans(**more),
    "events": lambda cashier, **more: cashier.events(**more),
    "methods": lambda cashier, **more: cashier.methods("C-1", **more),
    "method_changes": lambda cashier, **more: cashier.method_changes(**more),
    "credits": lambda cashier, **more: cashier.credits("C-1", **more),
    "recover": lambda cashier, **more: cashier.recover(**more),
    "apply_callbacks": lambda cashier, **more: cashier.apply_callbacks(**more),
}


@pytest.mark.parametrize("limit", [0, -1, 1_001, 10**30, True, "5", None, 2.5])
@pytest.mark.parametrize("name", LISTINGS)
def test_a_limit_is_1_to_1000(portal: Portal, name: str, limit: Any) -> None:
    with pytest.raises(InvalidValue, match=r"limit must be 1 to 1000") as refused:
        LISTINGS[name](portal.cashier, limit=limit)

    assert refused.value.facts["argument"] == "limit"
    assert len(refused.value.message) < 200


@pytest.mark.parametrize("after", [-1, "7", None, True])
@pytest.mark.parametrize("name", ["events", "callbacks", "orphans"])
def test_a_number_to_go_on_behind_is_none_below_zero(portal: Portal, name: str, after: Any) -> None:
    with pytest.raises(InvalidValue) as refused:
        LISTINGS[name](portal.cashier, after=after)

    assert refused.value.facts["argument"] == "after"


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("payments", "status"),
        ("invoices", "status"),
        ("chargebacks", "state"),
        ("callbacks", "state"),
    ],
)
def test_a_state_that_there_is_none_of_is_refused_with_those_there_are(
    portal: Portal, name: str, argument: str
) -> None:
    for wrong in ("succeded", "", 7, b"paid", ["paid"]):
        with pytest.raises(InvalidValue, match=argument) as refused:
            LISTINGS[name](portal.cashier, **{argument: wrong})
        assert refused.value.facts["argument"] == argument
        assert refused.value.facts["known"]


@pytest.mark.parametrize("argument", ["since", "until"])
@pytest.mark.parametrize("name", ["payments", "invoices", "chargebacks", "callbacks"])
def test_a_day_that_is_none_is_refused(portal: Portal, name: str, argument: str) -> None:
    naive = datetime(2026, 1, 1)  # noqa: DTZ001  (that is what is wrong with it)
    for wrong in ("last week", "", 7, b"2026-01-01", naive, "2026-02-30"):
        with pytest.raises(InvalidValue, match=argument) as refused:
            LISTINGS[name](portal.cashier, **{argument: wrong})
        assert refused.value.facts["argument"] == argument


def test_what_is_due_is_no_instant(portal: Portal) -> None:
    with pytest.raises(InvalidValue, match="due_until"):
        portal.cashier.open_invoices(due_until=datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("name", ["payments", "invoices", "open_invoices", "chargebacks"])
def test_no_page_begins_behind_what_is_not_there(portal: Portal, name: str) -> None:
    with pytest.raises(RecordNotFound, match="no page begins"):
        LISTINGS[name](portal.cashier, after="pay_nobody_made")


def test_a_period_that_ends_before_it_begins_is_refused(portal: Portal) -> None:
    cashier, day, before = portal.cashier, "2026-02-01", "2026-01-01"
    for listed in (cashier.payments, cashier.invoices, cashier.receipt_lines, cashier.callbacks):
        with pytest.raises(InvalidValue, match="until is before since") as refused:
            listed(since=day, until=before)
        assert refused.value.argument == "until"
        assert listed(since=day, until=day) == []

    with pytest.raises(InvalidValue, match="due_until is before due_since"):
        cashier.open_invoices(due_since=day, due_until=before)
