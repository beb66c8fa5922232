"""Every magic value does what its row says, and a script goes before it."""

from contextlib import suppress
from dataclasses import replace

import pytest

from paygate.domain.kind import Kind
from paygate.domain.movement import MovementKind
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    DeclineCode,
    Declined,
    Ended,
    NotFound,
    Pending,
    RejectCause,
    Rejected,
    Unknown,
)
from paygate.domain.secret import RawBankAccount, RawCard, Secret
from paygate.errors import BadResponse, InvalidValue, NoResponse, NotSent
from paygate.gateway import StoredToken
from paygate.testing.processor.magic import (
    ACCOUNT_NUMBERS,
    CARD_NUMBERS,
    MAGIC,
    RETURNS,
    Magic,
    Plan,
    Verdict,
    Wire,
)
from tests.testing.helpers import Till, charge_of, usd

ROWS = [
    pytest.param(kind, row, id=f"{kind}-{row.token}")
    for row in MAGIC.values()
    for kind in sorted(row.kinds)
]

FAULTS: dict[Wire, type[Exception]] = {
    Wire.UNSENT: NotSent,
    Wire.REQUEST_LOST: NoResponse,
    Wire.REQUEST_LATE: NoResponse,
    Wire.RESPONSE_LOST: NoResponse,
    Wire.RESPONSE_LATE: NoResponse,
    Wire.GARBAGE: BadResponse,
    Wire.TRUNCATED: BadResponse,
    Wire.HUGE: BadResponse,
}
NEVER_EXECUTED = {Wire.UNSENT, Wire.REQUEST_LOST, Wire.ERROR_BEFORE}


@pytest.mark.parametrize(("kind", "row"), ROWS)
def test_the_answer_to_a_magic_value_is_what_its_row_says(kind: Kind, row: Magic) -> None:
    till, plan = Till(kind), row.plan

    if plan.wire in FAULTS:
        with pytest.raises(FAULTS[plan.wire]):
            till.charge(row.token)
        return
    outcome = till.charge(row.token)

    if plan.wire in (Wire.ERROR_BEFORE, Wire.ERROR_AFTER):
        assert isinstance(outcome, Unknown)
    elif plan.verdict is Verdict.DECLINE:
        assert isinstance(outcome, Declined)
        assert outcome.code is DeclineCode(plan.code)
        assert (outcome.raw_code, outcome.retryable) == (plan.raw_code, plan.retryable)
    elif plan.verdict is Verdict.REJECT:
        assert isinstance(outcome, Rejected)
        assert (outcome.cause, outcome.retryable) == (RejectCause(plan.code), plan.retryable)
    elif plan.verdict is Verdict.ASK_PAYER:
        assert isinstance(outcome, ActionRequired)
    elif plan.verdict is Verdict.WAIT or kind is Kind.E_CHECK:
        assert isinstance(outcome, Pending)
    else:
        assert isinstance(outcome, Approved)


@pytest.mark.parametrize(("kind", "row"), ROWS)
def test_what_becomes_of_a_magic_value_is_what_its_row_says(kind: Kind, row: Magic) -> None:
    till, plan = Till(kind), row.plan
    with suppress(NotSent, NoResponse, BadResponse):
        till.charge(row.token)

    till.clock.advance(days=10)
    finding = till.look_up()

    if plan.wire in NEVER_EXECUTED or plan.verdict is Verdict.REJECT:
        assert finding == NotFound()
    elif plan.verdict is Verdict.ASK_PAYER:
        assert isinstance(finding, Ended)
    elif plan.verdict is Verdict.DECLINE or plan.ends is Verdict.DECLINE:
        assert isinstance(finding, Declined)
    else:
        assert isinstance(finding, Approved)
        charge, *rest = finding.movements
        assert charge.amount.currency == ("EUR" if plan.other_currency else "USD")
        assert charge.amount.minor == 1000 * plan.percent // 100
        assert [(m.kind, m.code, m.undoes) for m in rest] == (
            [(MovementKind.RETURN, plan.returns, charge.movement_id)] if plan.returns else []
        )
        return
    assert till.fake.journal == ()


def test_the_table_covers_every_decline_every_cause_every_return_and_every_fault() -> None:
    plans = [row.plan for row in MAGIC.values()]

    assert {plan.code for plan in plans if plan.verdict is Verdict.DECLINE} == set(DeclineCode)
    assert {plan.code for plan in plans if plan.verdict is Verdict.REJECT} == set(RejectCause)
    assert {plan.returns for plan in plans} - {""} == set(RETURNS)
    assert {plan.wire for plan in plans} == set(Wire)
    assert all(row.text and row.kinds for row in MAGIC.values())


def test_a_token_that_is_not_in_the_table_is_rejected_and_says_where_they_are() -> None:
    outcome = Till().charge("tok_viza")

    assert isinstance(outcome, Rejected)
    assert outcome.cause is RejectCause.VALIDATION
    assert "tok_viza" not in outcome.message
    assert "reference/fake" in outcome.message
    assert "tok_bank" not in outcome.message


@pytest.mark.parametrize("number", CARD_NUMBERS)
def test_a_raw_card_behaves_like_its_token(number: str) -> None:
    card = RawCard(number=Secret(number), expires_month=12, expires_year=2099)
    raw, token = Till(), Till()

    asked = charge_of()
    outcome = raw.ask(raw.fake.charge(replace(asked, method=card)))

    assert outcome == token.charge(CARD_NUMBERS[number])


@pytest.mark.parametrize("number", ACCOUNT_NUMBERS)
def test_a_raw_bank_account_behaves_like_its_token(number: str) -> None:
    account = RawBankAccount(routing_number=Secret("110000000"), account_number=Secret(number))
    raw, token = Till(Kind.E_CHECK), Till(Kind.E_CHECK)

    asked = charge_of(kind=Kind.E_CHECK)
    outcome = raw.ask(raw.fake.charge(replace(asked, method=account)))

    assert outcome == token.charge(ACCOUNT_NUMBERS[number])


def test_a_stored_token_may_be_named_without_storing_it_first() -> None:
    till = Till()

    stored = StoredToken(Secret("pm_declined"))
    outcome = till.ask(till.fake.charge(replace(charge_of(), method=stored)))

    assert isinstance(outcome, Declined)


def test_a_lost_request_goes_through_when_it_is_sent_again() -> None:
    till = Till()
    with pytest.raises(NoResponse):
        till.charge("tok_unknown_lost")

    assert isinstance(till.charge("tok_unknown_lost"), Approved)
    assert till.moved == usd("10.00")


def test_an_unsent_request_stays_unsent() -> None:
    till = Till()
    for _ in range(3):
        with pytest.raises(NotSent):
            till.charge("tok_unsent")

    assert till.look_up() == NotFound()


def test_a_late_request_is_not_found_before_it_arrives() -> None:
    till = Till()
    with pytest.raises(NoResponse):
        till.charge("tok_timeout_late")

    assert till.look_up() == NotFound()
    till.clock.advance(minutes=1)

    assert isinstance(till.look_up(), Approved)


def test_a_late_request_does_nothing_if_its_repetition_came_first() -> None:
    till = Till()
    with pytest.raises(NoResponse):
        till.charge("tok_timeout_late")
    till.charge("tok_timeout_late")

    till.clock.advance(minutes=2)

    assert till.moved == usd("10.00")


# --- Scripts ------------------------------------------------------------------------------


def test_a_script_goes_before_the_magic_value_and_ends() -> None:
    till = Till()
    till.fake.script("declined_insufficient_funds", Plan(percent=25))

    first, second, third = (till.charge(key=key) for key in ("a", "b", "c"))

    assert isinstance(first, Declined)
    assert isinstance(second, Approved)
    assert second.movements[0].amount == usd("2.50")
    assert isinstance(third, Approved)
    assert third.movements[0].amount == usd("10.00")


def test_a_script_for_an_invoice_waits_for_it() -> None:
    till = Till()
    till.fake.script("declined", invoice="INV-7")
    till.fake.script("partial", our_ref="ref-c")
    till.fake.script("expired", matching=lambda body: body["minor"] == 77)

    assert isinstance(till.charge(key="a", invoices=("INV-6",)), Approved)
    assert isinstance(till.charge(key="b", invoices=("INV-6", "INV-7")), Declined)
    assert till.charge(key="c").movements[0].amount == usd("5.00")
    assert isinstance(till.charge(key="d", amount=usd("0.77")), Declined)


def test_a_script_reaches_inquiries_only_by_name() -> None:
    till = Till()
    till.charge()
    till.fake.script("declined")
    till.fake.script("unknown_lost", "garbage", "500", operation="look_up")

    with pytest.raises(NoResponse):
        till.look_up()
    with pytest.raises(BadResponse):
        till.look_up()
    with pytest.raises(BadResponse):
        till.look_up()
    assert isinstance(till.look_up(), Approved)
    assert isinstance(till.charge(key="b"), Declined)


def test_a_fault_before_the_debit_leaves_an_e_check_that_nobody_finds() -> None:
    till = Till(Kind.E_CHECK)
    till.fake.script("unknown_executed", operation="open")

    with pytest.raises(NoResponse):
        till.charge("tok_bank")

    till.clock.advance(days=10)
    assert till.look_up() == NotFound()
    assert till.fake.journal == ()


def test_a_script_with_an_unknown_name_is_refused_at_once() -> None:
    with pytest.raises(InvalidValue, match="reference/fake"):
        Till().fake.script("decline_it")
