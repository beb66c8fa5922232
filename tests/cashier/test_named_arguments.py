"""A usage error names the argument that is wrong, and what may be said instead."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from paygate import Cashier, Money, Payment, Share
from paygate.errors import KeyReused, UsageError
from paygate.testing import FakeGateway

CAD = Money.of("CAD", "5")
ONE, TWO = Money.of("USD", "1"), Money.of("USD", "2")


@pytest.fixture
def cashier() -> Iterator[Cashier]:
    fakes = {"card": FakeGateway("card"), "page": FakeGateway("redirect")}
    with Cashier.in_memory(gateways=fakes) as cashier:
        for number, customer in (("A", "C-1"), ("B", "C-1"), ("X", "C-2")):
            total = Money.of("USD", "30")
            cashier.issue(number=number, customer=customer, total=total, due="2026-02-01")
        yield cashier


def pay(cashier: Cashier, items: Any, **more: Any) -> Payment:
    given = {"via": "card", "method": "tok_visa", "key": "k", **more}
    return cashier.collect(items, **given)


WRONG: dict[str, tuple[str, Callable[[Cashier], object]]] = {
    "amount in another currency": ("amount", lambda c: pay(c, "A", amount=CAD)),
    "no amount": ("amount", lambda c: pay(c, "A", amount=Money.of("USD", "0"))),
    "a share of nothing": ("items", lambda c: pay(c, [Share("A", Money.of("USD", "0"))])),
    "shares of less": ("amount", lambda c: pay(c, [Share("A", ONE)], amount=TWO)),
    "cash of nothing": (
        "amount",
        lambda c: c.record("A", by="cash", key="k", amount=Money.of("USD", "0")),
    ),
    "an invoice of nothing": (
        "total",
        lambda c: c.issue(number="Z", customer="C-1", total=Money.of("USD", "0"), due="2026-02-01"),
    ),
    "credit of nothing": ("credit", lambda c: pay(c, "A", credit=Money.of("USD", "0"))),
    "nothing to write off": (
        "amount",
        lambda c: c.write_off("A", reason="r", key="w", amount=Money.of("USD", "0")),
    ),
    "credit in another currency": ("credit", lambda c: pay(c, "A", credit=CAD)),
    "share in another currency": ("items", lambda c: pay(c, [Share("A", CAD)])),
    "an invoice twice": ("items", lambda c: pay(c, ["A", "A"])),
    "invoices of two customers": ("items", lambda c: pay(c, ["A", "X"])),
    "an invoice of another customer": ("customer", lambda c: pay(c, "A", customer="C-2")),
    "an invoice that is not there": ("items", lambda c: pay(c, ["A", "nope"])),
    "a share of what is not there": ("items", lambda c: pay(c, [Share("nope", CAD)])),
    "no invoice, nobody": ("customer", lambda c: c.record([], by="cash", key="k")),
    "no invoice, no amount": ("amount", lambda c: c.record([], by="cash", key="k", customer="C-1")),
    "a page that begins nowhere": ("after", lambda c: c.payments(after="nope")),
    "no way back": ("return_url", lambda c: c.collect("A", via="page", key="k")),
    "no time zone": ("zone", lambda _: Cashier.in_memory(zone="Mars/Base")),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_usage_error_names_its_argument(cashier: Cashier, case: str) -> None:
    argument, wrong = WRONG[case]

    with pytest.raises(UsageError) as caught:
        wrong(cashier)

    assert caught.value.argument == argument
    assert cashier.payments() == []


def message(call: Callable[[], object]) -> str:
    with pytest.raises(UsageError) as caught:
        call()
    return caught.value.message


def test_only_what_comes_in_by_hand_is_named_to_who_records(cashier: Cashier) -> None:
    nothing: Any = None

    said = message(lambda: cashier.record("A", by=nothing, key="k"))

    assert said == "by must be one of terminal, check, cash, transfer, not None"


def test_a_due_date_is_no_instant(cashier: Cashier) -> None:
    assert "instant" not in message(lambda: cashier.open_invoices(due_since="soon"))
    assert "instant" in message(lambda: cashier.payments(since="soon"))


def test_recovery_has_no_pages(cashier: Cashier) -> None:
    said = message(lambda: cashier.recover(limit=0))

    assert "after=" not in said
    assert said.endswith("; for more, call recover again")


def test_a_key_of_a_refund_leads_to_its_payment(cashier: Cashier) -> None:
    paid = pay(cashier, "A")
    cashier.refund(paid, amount=Money.of("USD", "5"), key="back")

    with pytest.raises(KeyReused, match=f"see payment {paid.id}\\)"):
        cashier.refund(paid, amount=Money.of("USD", "6"), key="back")
