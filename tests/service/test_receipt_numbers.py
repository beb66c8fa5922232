"""Numbers of receipts and references of payments: unique, and found as a payer writes them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate import Cashier, Kind, Money, Payment
from paygate.domain import short_reference
from paygate.errors import NumberReused, PaymentNotFound
from paygate.testing import FakeClock, FakeGateway


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


@pytest.fixture
def till(tmp_path: Path) -> Iterator[Cashier]:
    clock = FakeClock()
    gateways = {"card": FakeGateway(Kind.CARD, clock=clock)}
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with Cashier.open(url, gateways=gateways, clock=clock) as cashier:
        yield cashier
        assert cashier.fsck() == []


def paid(till: Cashier, number: int) -> Payment:
    till.issue(number=f"N-{number}", customer="C-1", total=usd("30.00"), due="2031-03-01")
    return till.collect(f"N-{number}", via="card", method="tok_visa", key=f"k-{number}")


# --- Receipts -------------------------------------------------------------------------------------


def test_receipts_have_increasing_numbers_money_that_goes_out_included(till: Cashier) -> None:
    first, second = paid(till, 1), paid(till, 2)
    till.refund(first, key="r", amount=usd("5.00"))

    [charge, refund], [other] = till.receipts(first), till.receipts(second)

    assert charge.number < other.number < refund.number
    [told] = [
        event.data["receipt_number"]
        for event in till.events(aggregate=second.id)
        if event.type == "receipt.booked"
    ]
    assert told == other.number


def test_payments_at_once_have_receipts_with_different_numbers(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    gateway = FakeGateway(Kind.CARD)
    tills = [Cashier.open(url, gateways={"card": gateway}) for _ in range(4)]
    start = threading.Barrier(len(tills))

    def run(place: int) -> None:
        start.wait()
        for number in range(place * 5, place * 5 + 5):
            paid(tills[place], number)

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(tills))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    lines = tills[0].receipt_lines(oldest_first=True)
    assert len({line.receipt.number for line in lines}) == len(lines) == 20
    assert tills[0].fsck() == []
    for each in tills:
        each.close()


def test_a_receipt_gets_one_number_of_a_series_of_the_host(till: Cashier) -> None:
    [one], [other] = till.receipts(paid(till, 1)), till.receipts(paid(till, 2))

    numbered = till.number_receipt(one, "R-1")

    assert numbered.host_number == "R-1"
    assert till.number_receipt(one.id, "R-1") == numbered
    with pytest.raises(NumberReused, match="R-1 already"):
        till.number_receipt(one, "R-2")
    with pytest.raises(NumberReused, match=one.id):
        till.number_receipt(other, "R-1")
    assert till.number_receipt(other, "R-2").host_number == "R-2"


# --- References -----------------------------------------------------------------------------------


def test_support_finds_a_payment_by_its_reference_however_it_is_written(till: Cashier) -> None:
    payment = paid(till, 1)
    shown = short_reference.written(payment.short_reference)

    assert len(shown) == 9
    for spelling in (shown, shown.lower(), f" {shown.replace('-', ' ')} ", payment.short_reference):
        assert till.payment_by_reference(spelling).id == payment.id
    wide = shown.translate({ord(each): ord(each) + 0xFEE0 for each in shown if each != "-"})
    assert till.payment_by_reference(wide.replace("-", "\u2013")).id == payment.id


def test_letters_that_look_like_digits_are_read_as_digits() -> None:
    assert short_reference.read("oIl1-0000") == "01110000"


@pytest.mark.parametrize("wrong", ["", "7KQ2", "7KQ2-M4TU", "7KQ2-M4TD9", "7KQ2_M4TD", "pay_1"])
def test_what_cannot_be_a_reference_is_not_found(till: Cashier, wrong: str) -> None:
    with pytest.raises(PaymentNotFound, match="eight letters and digits"):
        till.payment_by_reference(wrong)


def test_a_reference_that_nobody_has_is_not_found(till: Cashier) -> None:
    with pytest.raises(PaymentNotFound, match="nobody has it"):
        till.payment_by_reference("0000-0000")


@given(st.text(), st.integers(0, 9))
def test_every_reference_is_read_back(id_: str, attempt: int) -> None:
    try:
        id_.encode()
    except UnicodeEncodeError:
        return
    made = short_reference.derived(id_, attempt)

    assert short_reference.read(made) == made
    assert short_reference.read(short_reference.written(made).lower()) == made


@pytest.mark.sqlite
def test_a_reference_that_is_taken_is_replaced_by_the_next(
    till: Cashier, monkeypatch: pytest.MonkeyPatch
) -> None:
    derived = short_reference.derived

    def unlucky(id_: str, attempt: int = 0) -> str:
        return derived(id_, attempt) if attempt > 1 else f"0000000{attempt}"

    monkeypatch.setattr(short_reference, "derived", unlucky)

    found = [paid(till, number).short_reference for number in range(3)]

    assert found[:2] == ["00000000", "00000001"]
    assert len(set(found)) == 3


# --- What waits on prepayments --------------------------------------------------------------------


def test_status_has_the_totals_of_prepayments(till: Cashier) -> None:
    for number, amount in enumerate(("50.00", None, "20.00")):
        entry = till.prepay("C-1", usd("50.00"), assignment_key=f"O-{number}", key=f"p-{number}")
        if amount:
            till.record(entry, by="cash", amount=usd(amount), key=f"r-{number}")

    [totals] = till.status().prepayments

    assert (totals.open, totals.partially_paid, totals.paid) == (1, 1, 1)
    assert (totals.waiting, totals.still_open) == (usd("70.00"), usd("80.00"))

    till.issue(
        number="N-1",
        customer="C-1",
        due="2031-03-01",
        assignment_key="O-2",
        total=usd("10.00"),
    )
    [totals] = till.status().prepayments

    assert (totals.waiting, totals.still_open) == (usd("60.00"), usd("50.00"))
