"""Money for a payer's number, which nothing of ours asked for."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from paygate import (
    Cashier,
    CreditReason,
    Kind,
    Money,
    Operation,
    Payment,
    PaymentStatus,
    Pays,
    ReviewCause,
)
from paygate.dialogue import Dialogue, at_once
from paygate.domain.attempt import AttemptState
from paygate.domain.callback import InboxState
from paygate.domain.movement import Movement, MovementKind
from paygate.domain.outcome import Approved, Outcome, Pending
from paygate.errors import (
    InvalidValue,
    ItemAlreadyBeingPaid,
    NothingToAssign,
    PayerNumberTaken,
    RecordNotFound,
    StillAtGateway,
    StillToDecide,
)
from paygate.gateway import Callback, Notice, Refunding, Traits
from paygate.testing import FakeClock, FakeGateway
from tests.service.world import assert_sound, usd

NUMBER = "VA-100"


class Bank(FakeGateway):
    """A bank with virtual accounts, which tells what the test says."""

    told: tuple[Notice, ...] = ()
    kinds: tuple[Kind, ...] = (Kind.TRANSFER,)

    @property
    def traits(self) -> Traits:
        rail = replace(super().traits.rails[Kind.REDIRECT], reports_settlement=True)
        return replace(super().traits, rails=dict.fromkeys(self.kinds, rail))

    def verify(self, callback: Callback) -> Dialogue[list[Notice]]:
        del callback
        return at_once(list(self.told))


class Slow(Bank):
    """A bank that sends money back later."""

    def refund(self, refunding: Refunding) -> Dialogue[Outcome]:
        del refunding
        return at_once(Pending(reference="re-1"))


class Branch:
    """A cashier with a bank, and invoices of two customers."""

    def __init__(self, bank: type[Bank] = Bank, credit_on: str = "accepted") -> None:
        self.clock = FakeClock()
        self.bank = bank(Kind.REDIRECT, clock=self.clock)
        account = {"gateway": self.bank, "credit_on": credit_on}
        self.cashier = Cashier.in_memory(gateways={"bank": account}, clock=self.clock)
        for number, customer, due in (
            ("NEW", "C-1", "2026-05-01"),
            ("OLD", "C-1", "2026-02-01"),
            ("HERS", "C-2", "2026-02-01"),
        ):
            self.cashier.issue(number=number, customer=customer, total=usd("84"), due=due)
        self.count = 0

    def tell(
        self, *movements: Movement, number: str = NUMBER, via: str = "bank", **said: Any
    ) -> list[Payment]:
        """Let the bank tell that money moved, and apply it."""
        self.count += 1
        said = {"event_id": f"evt-{self.count}", "type": "money", **said}
        self.bank.told = (Notice(movements=movements, payer_number=number, **said),)
        callback = Callback(
            method="POST", path="/", headers={}, body=b"", received_at=self.clock.now()
        )
        self.cashier.receive(via, callback)
        return self.cashier.apply_callbacks()

    def open(self, number: str) -> str:
        return str(self.cashier.invoice(number).open.decimal)

    def balance(self, customer: str = "C-1") -> Money:
        return self.cashier.balance(customer)["USD"]

    def types(self, payment: Payment) -> list[str]:
        return [event.type for event in self.cashier.events(aggregate=payment, limit=1000)]

    def reasons(self, payment: Payment) -> list[str]:
        """Return why *payment* was flagged for a person."""
        events = self.cashier.events(aggregate=payment, limit=1000)
        return [each.data["reason"] for each in events if each.type == "payment.needs_review"]

    def states(self) -> list[InboxState]:
        return [each.state for each in self.cashier.callbacks()]


@pytest.fixture
def branch() -> Iterator[Branch]:
    branch = Branch()
    yield branch
    assert_sound(branch.cashier)
    branch.cashier.close()


def came(amount: str, movement_id: str = "mv-1", **more: Any) -> Movement:
    return Movement(movement_id=movement_id, amount=usd(amount), **more)


def test_money_for_a_known_number_pays_the_oldest_invoices_and_the_rest_is_credit(
    branch: Branch,
) -> None:
    branch.cashier.assign_payer_number("C-1", NUMBER, via="bank")

    [first] = branch.tell(came("100"), reference="tr-1")
    [second] = branch.tell(came("70", "mv-2"), reference="tr-2")

    assert (first.customer, first.kind, first.status) == ("C-1", Kind.TRANSFER, "succeeded")
    assert (first.received, first.payer_number) == (usd("100"), NUMBER)
    assert (first.reference, second.reference) == ("tr-1", "tr-2")
    assert [(item.invoice, item.paid) for item in first.items] == [
        ("OLD", usd("84")),
        ("NEW", usd("16")),
    ]
    assert (branch.open("OLD"), branch.open("NEW"), second.credited) == ("0.00", "0.00", usd("2"))
    assert branch.cashier.credits("C-1")[0].reason is CreditReason.OVERPAYMENT
    assert branch.types(first)[:3] == ["payment.unasked", "receipt.booked", "payment.succeeded"]
    assert branch.cashier.status().concerns == []


def test_money_for_the_balance_pays_no_invoice(branch: Branch) -> None:
    branch.cashier.assign_payer_number("C-1", NUMBER, via="bank", pays="balance")

    [paid] = branch.tell(came("100"))

    assert (paid.credited, branch.open("OLD")) == (usd("100"), "84.00")
    assert branch.cashier.credits("C-1")[0].reason is CreditReason.TOP_UP


def test_money_for_an_unknown_number_waits_for_a_person(branch: Branch) -> None:
    [paid] = branch.tell(came("100"))

    assert (paid.customer, paid.status) == ("", PaymentStatus.SUCCEEDED)
    assert (paid.unallocated, paid.needs_review) == (usd("100"), True)
    assert branch.states() == [InboxState.APPLIED]
    status = branch.cashier.status()
    assert status.reviews.unidentified == 1
    assert "1 of them for unknown payer numbers" in status.concerns[0].text
    assert branch.cashier.payments(needs_review=True) == [paid]
    assert branch.reasons(paid) == [
        f"money came for payer number {NUMBER}, which no customer has; assign it"
    ]


def test_assign_says_whose_it_is_by_an_invoice(branch: Branch) -> None:
    [paid] = branch.tell(came("100"))

    found = branch.cashier.assign(paid, ["HERS"], reason="the bank's letter")

    assert (found.customer, found.payer, found.needs_review) == ("C-2", "C-2", False)
    assert (branch.open("HERS"), found.credited, branch.balance("C-2")) == (
        "0.00",
        usd("16"),
        usd("16"),
    )
    assert branch.cashier.status().reviews.count == 0
    assert branch.types(found)[-2:] == ["payment.identified", "payment.assigned"]
    assert branch.cashier.payments(customer="C-2") == [found]


def test_assign_says_whose_it_is_by_the_customer(branch: Branch) -> None:
    [paid] = branch.tell(came("100"))
    with pytest.raises(InvalidValue, match="customer="):
        branch.cashier.assign(paid, reason="who?")

    found = branch.cashier.assign(paid, customer="C-9", reason="the bank's letter")

    assert (found.customer, found.credited, branch.balance("C-9")) == (
        "C-9",
        usd("100"),
        usd("100"),
    )
    with pytest.raises(NothingToAssign):
        branch.cashier.assign(paid, customer="C-9", reason="again")


def test_an_invoice_of_somebody_else_is_not_paid(branch: Branch) -> None:
    [paid] = branch.tell(came("100"))

    with pytest.raises(InvalidValue, match="of customer C-2"):
        branch.cashier.assign(paid, ["HERS"], customer="C-1", reason="letter")

    assert branch.cashier.payment(paid) == paid


@pytest.mark.parametrize("known", [True, False])
def test_the_same_movement_told_again_is_booked_once(branch: Branch, known: bool) -> None:
    if known:
        branch.cashier.assign_payer_number("C-1", NUMBER, via="bank")
    [paid] = branch.tell(came("100"), reference="tr-1")

    branch.tell(came("100"), reference="tr-1")
    branch.tell(came("100"), reference="another name")
    branch.tell(answer=Approved(reference="tr-1", movements=(came("100"),)))
    if not known:
        branch.cashier.assign(paid, customer="C-1", reason="letter")
        before = branch.cashier.payment(paid)
        branch.tell(came("100"), reference="tr-1")
        assert branch.cashier.payment(paid) == before

    assert branch.cashier.payments() == [branch.cashier.payment(paid)]
    assert [receipt.amount for receipt in branch.cashier.receipts(paid)] == [usd("100")]
    assert set(branch.states()) == {InboxState.APPLIED}


def test_money_of_one_name_is_a_payment_for_each_movement(branch: Branch) -> None:
    branch.cashier.assign_payer_number("C-1", NUMBER, via="bank")

    branch.tell(came("30"), reference="the virtual account")
    branch.tell(came("30", "mv-2"), reference="the virtual account")

    assert [payment.received for payment in branch.cashier.payments()] == [usd("30")] * 2


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("known", [True, False])
def test_what_is_told_along_with_the_money_is_booked_as_well(
    branch: Branch, known: bool, answered: bool
) -> None:
    if known:
        branch.cashier.assign_payer_number("C-1", NUMBER, via="bank")
    back = came("60", "rt-1", kind=MovementKind.RETURN, undoes="mv-1")

    if answered:
        branch.tell(back, answer=Approved(reference="tr-1", movements=(came("60"),)))
    else:
        branch.tell(back, came("60"), reference="tr-1")

    [paid] = branch.cashier.payments()
    assert (paid.received, paid.returned, paid.credited) == (usd("60"), usd("60"), usd("0"))
    assert (paid.unallocated, branch.open("OLD"), paid.needs_review) == (usd("0"), "84.00", False)


def test_money_and_a_return_of_other_money_in_one_notice_are_each_their_own(
    branch: Branch,
) -> None:
    branch.cashier.assign_payer_number("C-1", "VA-1", via="bank", pays="balance")
    branch.cashier.assign_payer_number("C-2", "VA-2", via="bank", pays="balance")
    branch.tell(came("50"), number="VA-1")
    back = came("50", "rt-1", kind=MovementKind.RETURN, undoes="mv-1")

    for _ in range(2):
        branch.tell(came("30", "mv-2"), back, number="VA-2", reference="tr-2")

    assert (branch.balance("C-1"), branch.balance("C-2")) == (usd("0"), usd("30"))
    assert len(branch.cashier.payments()) == 2


@pytest.mark.parametrize("told", ["by number", "by name", "by another name"])
def test_a_return_is_of_the_money_that_it_undoes(branch: Branch, told: str) -> None:
    branch.cashier.assign_payer_number("C-1", NUMBER, via="bank", pays="balance")
    branch.tell(came("50"), reference="X")
    branch.cashier.release_payer_number(NUMBER, via="bank", reason="moved away")
    branch.cashier.assign_payer_number("C-2", NUMBER, via="bank", pays="balance")
    branch.tell(came("50", "mv-2"), reference="X")

    branch.tell(
        came("50", "rt-1", kind=MovementKind.RETURN, undoes="mv-2"),
        number=NUMBER if told == "by number" else "",
        reference="Y" if told == "by another name" else "X",
    )

    assert (branch.balance("C-1"), branch.balance("C-2")) == (usd("50"), usd("0"))


def test_what_undoes_a_refund_is_of_the_payment_of_that_refund(branch: Branch) -> None:
    branch.cashier.assign_payer_number("C-1", NUMBER, via="bank", pays="balance")
    for number in ("1", "2"):
        branch.tell(came("50", f"mv-{number}"), reference="X")
    [second, first] = branch.cashier.payments()
    branch.tell(came("50", "cb-2", kind=MovementKind.CHARGEBACK, undoes="mv-2"), reference="X")

    won = came("50", "won-2", kind=MovementKind.CHARGEBACK_WON, undoes="cb-2")
    branch.tell(won, number="", reference="X")

    assert branch.cashier.payment(second).received == usd("100")
    assert branch.cashier.payment(first).received == usd("50")


@pytest.mark.parametrize("number", [NUMBER, ""])
def test_a_refund_of_ours_that_is_told_by_its_name_ends_that_refund(number: str) -> None:
    branch = Branch(Slow)
    branch.cashier.assign_payer_number("C-1", NUMBER, via="bank", pays="balance")
    [paid] = branch.tell(came("50"), reference="tr-1")
    branch.cashier.refund(paid, key="r")

    back = came("50", "rf-1", kind=MovementKind.REFUND, undoes="mv-1")
    branch.tell(back, number=number, reference="another name")
    assert branch.cashier.callbacks()[0].state is InboxState.NEW
    assert branch.cashier.payment(paid).returned == usd("0")
    answer = Approved(reference="re-1", movements=(back,))
    branch.tell(number=number, reference="re-1", answer=answer)

    [_, refund] = branch.cashier.attempts(paid)
    assert refund.state is AttemptState.SUCCEEDED
    assert branch.cashier.payment(paid).returned == usd("50")


@pytest.mark.parametrize("number", [NUMBER, ""])
def test_a_return_of_one_of_several_waits_for_a_person_if_it_does_not_say_which(
    branch: Branch, number: str
) -> None:
    branch.cashier.assign_payer_number("C-1", NUMBER, via="bank", pays="balance")
    for name in ("mv-1", "mv-2"):
        branch.tell(came("50", name), reference="X")

    branch.tell(came("50", "rt-1", kind=MovementKind.RETURN), number=number, reference="X")

    assert branch.balance() == usd("100")
    callback = branch.cashier.callbacks()[0]
    assert callback.state is InboxState.NEW
    assert "several payments have the reference 'X'" in callback.error
    for _ in range(7):
        branch.clock.advance(timedelta(days=1))
        branch.cashier.recover()
    assert branch.cashier.callbacks()[0].state is InboxState.ORPHAN
    assert branch.balance() == usd("100")


@pytest.mark.parametrize("known", [True, False])
def test_a_movement_that_is_told_as_two_kinds_is_booked_once_and_reviewed(
    branch: Branch, known: bool
) -> None:
    if known:
        branch.cashier.assign_payer_number("C-1", NUMBER, via="bank")
    [paid] = branch.tell(came("100"), reference="tr-1")
    as_capture = came("100", kind=MovementKind.CAPTURE, settled=usd("99"), fee=usd("1"))

    for _ in range(2):
        branch.tell(as_capture, reference="tr-1")

    [found] = branch.cashier.payments()
    assert (found.received, found.settled, found.needs_review) == (usd("100"), True, True)
    text = "movement mv-1 is booked as charge, but is now reported as capture"
    assert branch.reasons(found).count(text) == 1
    alerts = [e for e in branch.cashier.events(aggregate=paid) if e.type == "payment.alert"]
    assert [event.data["reason"] for event in alerts] == [text]
    if known:
        assert not branch.cashier.reviewed(found, reason="the bank says once").needs_review


def test_money_of_one_processor_account_under_two_names_is_booked_once(branch: Branch) -> None:
    gateways = {"bank": branch.bank, "again": branch.bank}
    branch.cashier = cashier = Cashier.in_memory(gateways=gateways, clock=branch.clock)
    for via in gateways:
        cashier.assign_payer_number("C-1", NUMBER, via=via, pays="balance")

    for via in ("bank", "again", "again"):
        branch.tell(came("50"), via=via, reference="tr-1")

    [paid] = cashier.payments()
    assert (paid.account, paid.received, branch.balance()) == ("bank", usd("50"), usd("50"))
    [reason] = branch.reasons(paid)
    assert paid.needs_review
    assert "'bank', but account 'again' reports it as well" in reason


def test_the_way_out_of_a_hold_of_money_that_awaits_settlement_works() -> None:
    branch = Branch(credit_on="settled")
    branch.cashier.assign_payer_number("C-2", NUMBER, via="bank")
    [paid] = branch.tell(came("84"))
    with pytest.raises(ItemAlreadyBeingPaid) as refused:
        branch.cashier.record("HERS", by="cash", key="k")

    assert "reverse" in refused.value.ways[paid.id]
    branch.cashier.reverse(paid, reason="it never came", force=True)
    branch.cashier.record("HERS", by="cash", key="k2")

    assert branch.open("HERS") == "0.00"


def test_money_of_a_payment_of_ours_stays_its_own() -> None:
    branch = Branch(TwoKinds)
    branch.cashier.assign_payer_number("C-1", NUMBER, via="bank")
    page = branch.cashier.collect(
        "HERS", via="bank", kind="redirect", key="k", return_url="https://shop.example/back"
    )

    branch.tell(came("84"), reference=page.reference, kind=Kind.REDIRECT)

    assert branch.cashier.payment(page).status is PaymentStatus.SUCCEEDED
    assert (branch.open("HERS"), branch.open("OLD")) == ("0.00", "84.00")


@pytest.mark.parametrize("assigned", [True, False])
def test_money_that_is_returned_is_taken_off_again(branch: Branch, assigned: bool) -> None:
    [paid] = branch.tell(came("100"))
    if assigned:
        branch.cashier.assign(paid, ["OLD"], reason="letter")

    branch.tell(came("100", "rt-1", kind=MovementKind.RETURN, undoes="mv-1"))

    found = branch.cashier.payment(paid)
    assert (found.returned, found.unallocated, found.needs_review) == (usd("100"), usd("0"), False)
    assert (branch.open("OLD"), branch.balance()) == ("84.00", usd("0"))


def test_money_that_settles_before_it_is_assigned_is_the_customers_all_the_same(
    branch: Branch,
) -> None:
    [paid] = branch.tell(came("100"))
    branch.tell(came("100", settled=usd("99"), fee=usd("1")))

    found = branch.cashier.assign(paid, ["OLD"], reason="letter")

    assert found.settled
    assert branch.open("OLD") == "0.00"


def test_money_counts_when_it_settles_if_the_account_says_so() -> None:
    branch = Branch(credit_on="settled")
    branch.cashier.assign_payer_number("C-1", NUMBER, via="bank")

    [paid] = branch.tell(came("84"))
    assert (paid.awaiting, branch.open("OLD")) == (usd("84"), "84.00")
    branch.tell(came("84", settled=usd("84"), fee=usd("0")))

    assert branch.open("OLD") == "0.00"
    assert_sound(branch.cashier)


def test_money_is_booked_while_sending_is_stopped(branch: Branch) -> None:
    branch.cashier.assign_payer_number("C-1", NUMBER, via="bank")
    branch.cashier.stop_sending(reason="restored")

    [paid] = branch.tell(came("84"))

    assert paid.received == usd("84")


def test_a_notice_without_money_is_no_orphan(branch: Branch) -> None:
    branch.tell(reference="tr-1")
    branch.tell(came("84"), reference="tr-1")

    assert branch.states() == [InboxState.APPLIED, InboxState.IGNORED]


def test_a_fee_is_owed_by_nobody_while_nobody_is_known(branch: Branch) -> None:
    [paid] = branch.tell(came("84"))

    with pytest.raises(InvalidValue, match="assign it first"):
        branch.cashier.reverse(paid, reason="bounced", fee=usd("5"), force=True)
    branch.cashier.reverse(paid, reason="bounced", force=True)

    assert branch.cashier.payment(paid).unallocated == usd("0")
    assert branch.cashier.status().reviews.count == 0


def back(branch: Branch, *told: tuple[MovementKind, str, str], amount: str = "20") -> None:
    """Tell movements of the money mv-1, each by itself: its kind, its name, what it undoes."""
    for kind, name, undoes in told:
        moved = came(amount, name, kind=kind, undoes=undoes)
        branch.tell(moved, reference="tr-1")


def test_what_comes_back_without_having_gone_out_waits_for_a_person(branch: Branch) -> None:
    [paid] = branch.tell(came("20"), reference="tr-1")
    back(branch, (MovementKind.REFUND_FAILED, "rf-1", "re-1"))
    for _ in range(7):
        branch.clock.advance(timedelta(days=1))
        branch.cashier.recover()

    found = branch.cashier.payment(paid)
    assert (found.unallocated, found.credited, found.needs_review) == (usd("40"), usd("0"), True)
    back(branch, (MovementKind.REFUND, "re-1", "mv-1"))
    found = branch.cashier.payment(paid)
    assert (found.unallocated, found.credited, found.needs_review) == (usd("20"), usd("0"), True)
    assert branch.balance("") == usd("0")
    assert branch.cashier.assign(paid, customer="C-5", reason="letter").credited == usd("20")


@pytest.mark.parametrize(
    ("out", "in_again"),
    [
        (MovementKind.CHARGEBACK, MovementKind.CHARGEBACK_WON),
        (MovementKind.REFUND, MovementKind.REFUND_FAILED),
    ],
)
def test_what_comes_back_after_the_rest_was_assigned_is_a_new_decision(
    branch: Branch, out: MovementKind, in_again: MovementKind
) -> None:
    """The bank takes a part before anybody knows whose the money is, and gives it back after."""
    [paid] = branch.tell(came("84"), reference="tr-1")
    back(branch, (out, "out-1", "mv-1"))
    branch.cashier.assign(paid, ["OLD"], reason="letter")
    assert branch.open("OLD") == "20.00"

    back(branch, (in_again, "in-1", "out-1"))

    found = branch.cashier.payment(paid)
    assert (found.unallocated, branch.open("OLD"), found.conflicted) == (usd("20"), "20.00", True)
    [review] = found.reviews
    assert (review.cause, review.verbs[0]) == (ReviewCause.OTHER_MONEY, "assign")
    decided = branch.cashier.assign(paid, ["OLD"], reason="they call: it is for the same")
    assert (branch.open("OLD"), decided.needs_review) == ("0.00", False)
    assert (decided.unallocated, branch.balance()) == (usd("0"), usd("0"))


def test_what_went_back_twice_and_came_back_twice_can_be_assigned(branch: Branch) -> None:
    [paid] = branch.tell(came("20"), reference="tr-1")
    back(
        branch,
        (MovementKind.CHARGEBACK, "cb-1", "mv-1"),
        (MovementKind.RETURN, "rt-1", "mv-1"),
        (MovementKind.CHARGEBACK_WON, "won-1", "cb-1"),
        (MovementKind.REFUND_FAILED, "rf-1", "rt-1"),
    )

    found = branch.cashier.payment(paid)
    assert (found.unallocated, found.credited, found.needs_review) == (usd("20"), usd("0"), True)
    with pytest.raises(
        StillToDecide, match=r"the customer of .* is not known; name them with assign"
    ):
        branch.cashier.reviewed(paid, reason="seen")
    found = branch.cashier.assign(paid, customer="C-5", reason="letter")
    assert (found.credited, branch.balance("C-5")) == (usd("20"), usd("20"))


def test_more_that_goes_back_than_came_is_nobodys_debt(branch: Branch) -> None:
    [paid] = branch.tell(came("20"), reference="tr-1")
    back(
        branch,
        (MovementKind.CHARGEBACK, "cb-1", "mv-1"),
        (MovementKind.RETURN, "rt-1", "mv-1"),
    )

    found = branch.cashier.payment(paid)
    assert (found.unallocated, found.needs_review) == (-usd("20"), True)
    assert (branch.balance(""), branch.cashier.credits("")) == (usd("0"), [])
    with pytest.raises(
        StillToDecide, match=r"the customer who owes 20\.00 USD .* is not known"
    ) as refused:
        branch.cashier.reviewed(paid, reason="seen")
    assert refused.value.verbs == ("assign",)
    assert_sound(branch.cashier)

    branch.cashier.assign(paid, customer="C-5", reason="letter")

    assert branch.balance("C-5") == -usd("20")
    assert branch.cashier.payment(paid).unallocated == usd("0")
    back(branch, (MovementKind.CHARGEBACK_WON, "won-1", "cb-1"))
    assert branch.balance("C-5") == usd("0")


def test_what_comes_in_after_more_went_back_is_netted_first(branch: Branch) -> None:
    [paid] = branch.tell(came("20"), reference="tr-1")
    back(
        branch,
        (MovementKind.CHARGEBACK, "cb-1", "mv-1"),
        (MovementKind.RETURN, "rt-1", "mv-1"),
    )
    back(branch, (MovementKind.CHARGEBACK_WON, "won-1", "cb-1"), amount="15")

    assert branch.cashier.payment(paid).unallocated == -usd("5")
    assert_sound(branch.cashier)


@pytest.mark.sqlite
def test_credit_of_nobody_breaks_the_books(tmp_path: Path) -> None:
    cashier = Cashier.open(f"sqlite:///{tmp_path}/ledger.db")
    cashier.issue(number="A", customer="C-1", total=usd("5"), due="2026-02-01")
    cashier.record("A", by="cash", key="k", amount=usd("7"))
    assert cashier.fsck() == []

    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
        connection.execute("UPDATE paygate_credit SET customer = ''")

    found = [each for each in cashier.fsck() if each.rule == "unidentified-money-is-flagged"]
    cashier.close()
    assert [each.detail for each in found] == ["this credit or debit has no customer"]


@pytest.mark.parametrize("amounts", [["20"], ["15", "5"]])
def test_the_review_ends_when_all_was_sent_back_by_hand(branch: Branch, amounts: list[str]) -> None:
    [paid] = branch.tell(came("20"))
    sent = []
    for amount in amounts:
        assert branch.cashier.payment(paid).needs_review
        sent += branch.cashier.record_refund(
            paid, by="cash", reference="r", key=amount, amount=usd(amount), reason="not ours"
        )

    found = branch.cashier.payment(paid)
    assert (found.returned, found.unallocated, found.needs_review) == (usd("20"), usd("0"), False)
    branch.cashier.undo_record_refund(sent[-1], reason="it came back")
    found = branch.cashier.payment(paid)
    assert (found.unallocated, found.needs_review) == (usd(amounts[-1]), True)
    assert branch.cashier.status().reviews.unidentified == 1


@pytest.mark.parametrize("partly", [False, True])
def test_money_that_is_assigned_before_it_settles_awaits_that(partly: bool) -> None:
    branch = Branch(credit_on="settled")
    [paid] = branch.tell(came("100"), reference="tr-1")
    if partly:
        branch.tell(came("100", settled=usd("30")), reference="tr-1")

    found = branch.cashier.assign(paid, ["HERS"], reason="letter")

    assert (found.unallocated, found.credited) == (usd("0"), usd("0"))
    assert found.awaiting == usd("70" if partly else "100")
    hers = branch.cashier.invoice("HERS")
    assert (hers.open, hers.claimed) == (
        (usd("54"), usd("54")) if partly else (usd("84"), usd("84"))
    )
    assert_sound(branch.cashier)
    branch.clock.advance(timedelta(hours=1))
    branch.tell(came("100", settled=usd("100")), reference="tr-1")
    assert (branch.open("HERS"), branch.balance("C-2")) == ("0.00", usd("16"))
    assert branch.cashier.payment(paid).settled
    assert_sound(branch.cashier)


def test_money_that_is_assigned_and_goes_back_before_it_settles_frees_its_invoice() -> None:
    branch = Branch(credit_on="settled")
    [paid] = branch.tell(came("84"), reference="tr-1")
    branch.cashier.assign(paid, ["HERS"], reason="letter")

    branch.tell(came("84", "rt-1", kind=MovementKind.RETURN, undoes="mv-1"), reference="tr-1")

    hers = branch.cashier.invoice("HERS")
    assert (hers.open, hers.claimed, branch.balance("C-2")) == (usd("84"), usd("0"), usd("0"))
    assert_sound(branch.cashier)


def test_more_that_goes_back_than_came_is_owed_by_who_is_found_later(branch: Branch) -> None:
    [paid] = branch.tell(came("84"))
    branch.tell(came("84", "rt-1", kind=MovementKind.RETURN, undoes="mv-1"))
    branch.tell(came("84", "rt-2", kind=MovementKind.RETURN, undoes="mv-1"))
    branch.clock.advance(timedelta(days=2))
    branch.cashier.recover()

    assert_sound(branch.cashier)
    assert branch.cashier.payment(paid).needs_review


# --- What a driver must say ------------------------------------------------------------


class TwoKinds(Bank):
    kinds = (Kind.TRANSFER, Kind.REDIRECT)


def test_a_driver_says_the_kind_if_its_account_has_several() -> None:
    branch = Branch(TwoKinds)
    branch.cashier.assign_payer_number("C-1", NUMBER, via="bank")

    branch.tell(came("84"))
    branch.tell(came("84"), kind=Kind.CARD)
    [paid] = branch.tell(came("84"), kind=Kind.TRANSFER)

    assert branch.states() == [InboxState.APPLIED, InboxState.FAILED, InboxState.FAILED]
    assert paid.kind is Kind.TRANSFER


def test_a_driver_tells_one_movement_at_a_time(branch: Branch) -> None:
    for second in (came("10", "mv-2"), came("84", kind=MovementKind.CAPTURE)):
        branch.tell(came("84"), second)

        callback = branch.cashier.callbacks()[0]
        assert callback.state is InboxState.FAILED
        assert "more than one inward movement" in callback.error
    assert branch.cashier.payments() == []


# --- Numbers ----------------------------------------------------------------------------


def test_a_number_is_one_customers_until_it_is_released(branch: Branch) -> None:
    cashier = branch.cashier
    number = cashier.assign_payer_number("C-1", NUMBER, via="bank")
    assert cashier.assign_payer_number("C-1", NUMBER, via="bank") == number
    for customer, pays in (("C-2", Pays.OLDEST_DUE), ("C-1", Pays.BALANCE)):
        with pytest.raises(PayerNumberTaken) as refused:
            cashier.assign_payer_number(customer, NUMBER, via="bank", pays=pays)
        assert (refused.value.customer, refused.value.number) == ("C-1", NUMBER)

    cashier.release_payer_number(NUMBER, via="bank", reason="moved away")
    [unknown] = branch.tell(came("10"))
    cashier.assign_payer_number("C-2", NUMBER, via="bank")
    [hers] = branch.tell(came("20", "mv-2"))

    assert (unknown.customer, hers.customer) == ("", "C-2")
    assert [(each.number, each.customer) for each in cashier.payer_numbers()] == [(NUMBER, "C-2")]
    assert cashier.payer_numbers(customer="C-1") == []
    assert [event.type for event in cashier.events() if event.type.startswith("payer_number")] == [
        "payer_number.assigned",
        "payer_number.released",
        "payer_number.assigned",
    ]
    with pytest.raises(RecordNotFound):
        cashier.release_payer_number("nope", via="bank", reason="x")


def test_numbers_are_listed_a_page_at_a_time(branch: Branch) -> None:
    cashier = branch.cashier
    made = [cashier.assign_payer_number("C-1", f"V-{n}", via="bank") for n in range(3)]

    first = cashier.payer_numbers(via="bank", limit=2)

    assert first == made[:0:-1]
    assert cashier.payer_numbers(via="bank", after=first[-1]) == made[:1]
    assert cashier.payer_numbers(customer="C-1", via="bank", oldest_first=True) == made


class Slips(Bank):
    """A bank whose slips take money and send none."""

    @property
    def traits(self) -> Traits:
        [(kind, rail)] = super().traits.rails.items()
        keeps = replace(rail, operations=rail.operations - {Operation.REFUND, Operation.VOID})
        return replace(super().traits, rails={kind: keeps})


def test_money_of_nobody_that_no_account_sends_back_is_sent_in_another_way() -> None:
    branch = Branch(Slips)
    [paid] = branch.tell(came("100"))

    with pytest.raises(StillToDecide, match="by hand and record_refund"):
        branch.cashier.reviewed(paid, reason="seen")
    with pytest.raises(StillAtGateway, match="another way and record_refund") as held:
        branch.cashier.reverse(paid, reason="not ours")

    assert held.value.verbs == ("record_refund",)
    branch.cashier.record_refund(paid, by="transfer", reference="re-1", key="back")
    now = branch.cashier.payment(paid)
    assert (now.returned, now.needs_review) == (usd("100"), False)
    assert_sound(branch.cashier)
    branch.cashier.close()
