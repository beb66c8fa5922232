"""The fake gateway, kind by kind and operation by operation."""

import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest

from paygate.domain.action import ApproveElsewhere, PayToAddress, Redirect, ShowCode, ShowVoucher
from paygate.domain.chargeback import DisputeState
from paygate.domain.customer import Customer, PayerField
from paygate.domain.kind import Kind, Operation
from paygate.domain.money import Money
from paygate.domain.movement import MovementKind
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Authorized,
    Declined,
    Ended,
    Ending,
    NotFound,
    Pending,
    RejectCause,
    Rejected,
    Unknown,
)
from paygate.domain.secret import OneTimeToken
from paygate.errors import InvalidSettings, InvalidValue, LiveModeMismatch, NotAuthentic
from paygate.gateway import (
    CAPABILITIES,
    Applied,
    CallbackStyle,
    Capture,
    CarriesProcessor,
    Charge,
    Checks,
    Completion,
    Enrollment,
    Feeds,
    Forgetting,
    Gateway,
    InquiryBy,
    Limits,
    LooksUp,
    Refunding,
    StoredToken,
    Verifies,
    Voiding,
    Withdrawal,
)
from paygate.registry import build
from paygate.testing import FakeGateway, FakeProcessor, Habits, LoopbackGateway, fake_traits
from paygate.testing.processor.magic import Plan, Verdict
from paygate.testing.processor.rails import RAILS
from tests.testing.helpers import Till, charge_of, drive, inquiry_about, usd


def test_the_fake_is_a_gateway_with_every_capability() -> None:
    fake = FakeGateway()

    for protocol in (Gateway, LooksUp, Verifies, Feeds, Checks, *CAPABILITIES.values()):
        assert isinstance(fake, protocol)
    assert isinstance(fake, CarriesProcessor)
    assert not isinstance(LoopbackGateway(url="http://127.0.0.1:1"), CarriesProcessor)


@pytest.mark.parametrize("kind", RAILS)
def test_a_fake_is_never_live_and_serves_one_kind(kind: Kind) -> None:
    traits = FakeGateway(kind).traits

    assert traits.live is False
    assert set(traits.rails) == {kind}
    assert traits.offers(kind, Operation.CHARGE)


@pytest.mark.parametrize("kind", RAILS)
def test_one_request_moves_money_for_cards_and_e_checks_and_none_elsewhere(kind: Kind) -> None:
    till, moving = Till(kind), []

    def answer(request):  # type: ignore[no-untyped-def]
        moving.append(request.moves_money)
        return till.fake.answer(request)

    token = "tok_bank" if kind is Kind.E_CHECK else "tok_visa"
    drive(till.fake.charge(charge_of(token, kind=kind)), answer)

    assert sum(moving) == (1 if kind in (Kind.CARD, Kind.E_CHECK) else 0)
    assert moving[-1] == (kind in (Kind.CARD, Kind.E_CHECK))


# --- E-checks ------------------------------------------------------------------------------


def test_an_e_check_settles_after_three_days() -> None:
    till = Till(Kind.E_CHECK)
    pending = till.charge("tok_bank")

    till.clock.advance(days=3, seconds=-1)
    assert till.look_up() == pending
    till.clock.advance(seconds=1)

    assert till.look_up().movements[0].amount == usd("10.00")
    assert till.moved == usd("10.00")


def test_a_returned_e_check_tells_of_the_charge_and_the_return() -> None:
    till = Till(Kind.E_CHECK)
    reference = till.charge("tok_bank").reference
    till.clock.advance(days=4)

    till.fake.return_check(reference, code="R10")

    charge, returned = till.look_up().movements
    assert (returned.kind, returned.undoes) == (MovementKind.RETURN, charge.movement_id)
    assert returned.code == "R10"
    assert till.moved == usd("0.00")


def test_a_return_before_settlement_declines_the_e_check() -> None:
    till = Till(Kind.E_CHECK)
    reference = till.charge("tok_bank").reference

    till.fake.return_check(reference)
    till.clock.advance(days=10)

    assert isinstance(till.look_up(), Declined)
    assert till.fake.journal == ()


# --- Pages, slips, addresses -----------------------------------------------------------------


def test_a_payer_pays_a_page() -> None:
    till = Till(Kind.REDIRECT)
    asked = till.charge()
    assert isinstance(asked.action, Redirect)
    assert till.fake.journal == ()

    till.fake.pay(asked.reference)

    assert till.look_up().movements[0].amount == usd("10.00")


def test_a_declined_try_leaves_the_page_payable_and_a_notice_tells_of_it() -> None:
    till = Till(Kind.REDIRECT)
    reference = till.charge().reference

    till.fake.decline_try(reference, code="insufficient_funds")

    assert isinstance(till.look_up(), ActionRequired)
    notice = notices(till)[-1]
    assert isinstance(notice.answer, Declined)
    till.fake.pay(reference)
    assert isinstance(till.look_up(), Approved)


def test_a_canceled_page_closes() -> None:
    till = Till(Kind.REDIRECT)

    till.fake.cancel(till.charge().reference)

    assert till.look_up().how is Ending.CANCELED


@pytest.mark.parametrize(
    ("kind", "hours"),
    [
        (Kind.REDIRECT, 1),
        (Kind.VOUCHER, 24 * 7),
        (Kind.BITCOIN, 1),
        (Kind.PUSH, 1),
        (Kind.QR, 1),
    ],
)
def test_what_nobody_pays_expires_and_late_money_still_comes(kind: Kind, hours: int) -> None:
    till = Till(kind)
    reference = till.charge().reference

    till.clock.advance(hours=hours)
    assert till.look_up().how is Ending.EXPIRED
    till.fake.pay(reference)
    till.clock.advance(hours=1)

    assert till.look_up().movements[0].amount == usd("10.00")


def test_a_voucher_is_paid_at_the_counter_by_its_number_in_any_amount() -> None:
    till = Till(Kind.VOUCHER)
    action = till.charge().action
    assert isinstance(action, ShowVoucher)

    till.fake.pay(action.reference, usd("4.00"))
    till.fake.pay(action.reference, usd("7.00"))

    first, second = till.look_up().movements
    assert (first.amount, second.amount) == (usd("4.00"), usd("7.00"))
    assert first.movement_id != second.movement_id


def test_a_push_is_approved_on_the_phone_once() -> None:
    till = Till(Kind.PUSH)
    asked = till.charge()
    assert isinstance(asked.action, ApproveElsewhere)
    assert asked.action.code

    till.fake.pay(asked.reference)

    [movement] = till.look_up().movements
    assert movement.amount == usd("10.00")


def test_a_push_that_the_payer_refuses_is_over() -> None:
    till = Till(Kind.PUSH)
    asked = till.charge()

    till.fake.decline_try(asked.reference, final=True)

    assert till.look_up().final


def test_a_code_is_scanned_and_paid_by_what_it_holds() -> None:
    till = Till(Kind.QR)
    action = till.charge().action
    assert isinstance(action, ShowCode)

    till.fake.pay(action.payload)

    assert till.look_up().movements[0].amount == usd("10.00")


def test_bitcoin_counts_when_it_is_confirmed() -> None:
    till = Till(Kind.BITCOIN)
    action = till.charge(amount=usd("30.00")).action
    assert isinstance(action, PayToAddress)
    assert action.amount == Money.of("BTC", "0.0003")

    till.fake.pay(action.address, Money.of("BTC", "0.0001"))
    assert isinstance(till.look_up(), Pending)
    till.fake.pay(action.address, usd("25.00"))
    till.clock.advance(minutes=30)

    first, second = till.look_up().movements
    assert (first.amount, second.amount) == (usd("10.00"), usd("25.00"))
    assert first.movement_id != second.movement_id


def test_a_payer_cannot_pay_what_is_no_page() -> None:
    till = Till()
    reference = till.charge().reference

    with pytest.raises(InvalidValue, match="approved"):
        till.fake.pay(reference)
    with pytest.raises(InvalidValue, match="no order"):
        till.fake.pay("ch_999")


@pytest.mark.parametrize("kind", [Kind.REDIRECT, Kind.VOUCHER, Kind.BITCOIN, Kind.PUSH, Kind.QR])
def test_a_closed_page_is_canceled_and_closing_twice_is_fine(kind: Kind) -> None:
    till = Till(kind)
    reference = till.charge().reference

    assert isinstance(till.do("withdraw", Withdrawal, reference=reference), Approved)
    assert isinstance(till.do("withdraw", Withdrawal, reference=reference), Approved)

    assert till.look_up().how is Ending.CANCELED


def test_a_paid_page_is_not_closed_any_more() -> None:
    till = Till(Kind.REDIRECT)
    reference = till.charge().reference
    till.fake.pay(reference)

    assert rejected(till.do("withdraw", Withdrawal, reference=reference)) is RejectCause.STATE


def test_what_cannot_be_withdrawn_is_not() -> None:
    till = Till(Kind.VOUCHER, withdrawable=False)
    reference = till.charge().reference

    assert rejected(till.do("withdraw", Withdrawal, reference=reference)) is RejectCause.PERMISSION


@pytest.mark.parametrize(("kind", "token"), [(Kind.REDIRECT, ""), (Kind.CARD, "tok_action")])
def test_an_approved_page_waits_to_be_completed(kind: Kind, token: str) -> None:
    till = Till(kind, habits=Habits(needs_complete=True))
    reference = till.charge(token).reference
    finish = {"reference": reference, "amount": usd("10.00")}
    still_open = till.do("complete", Completion, key="c", **finish)
    assert isinstance(still_open, ActionRequired)
    assert still_open.action == till.look_up().action

    till.fake.pay(reference)
    assert isinstance(till.look_up(), ActionRequired)
    assert notices(till)[-1].ready
    assert till.fake.journal == ()
    completed = till.do("complete", Completion, key="c", **finish)

    assert completed.movements[0].amount == usd("10.00")
    assert till.look_up().movements == completed.movements
    asked = charge_of(key="c")
    assert till.ask(till.fake.look_up(inquiry_about(asked, Operation.COMPLETE))) == completed
    assert till.moved == usd("10.00")


# --- Holding, taking, undoing -----------------------------------------------------------------


def test_a_hold_is_captured_in_parts_and_the_rest_released() -> None:
    till = Till()
    held = till.ask(till.fake.authorize(charge_of()))
    assert isinstance(held, Authorized)
    assert till.fake.journal == ()

    part = till.do("capture", Capture, reference=held.reference, amount=usd("4.00"), final=False)
    too_much = till.do("capture", Capture, reference=held.reference, amount=usd("6.01"))
    till.do("void", Voiding, reference=held.reference, amount=usd("6.00"))
    after = till.do("capture", Capture, reference=held.reference, amount=usd("1.00"))

    assert part.movements[0].kind is MovementKind.CAPTURE
    assert rejected(too_much) is RejectCause.VALIDATION
    assert rejected(after) is RejectCause.STATE
    assert till.moved == usd("4.00")


def test_a_dispute_takes_no_more_than_is_left_and_a_void_gives_back_what_stands() -> None:
    till = Till()
    reference = till.charge().reference
    till.fake.dispute(reference)
    till.fake.win_dispute(reference)

    voided = till.do("void", Voiding, reference=reference, amount=usd("10.00"))
    till.fake.dispute(reference)

    assert [movement.amount for movement in voided.movements] == [usd("10.00")]
    assert [entry.kind.value for entry in till.fake.journal] == [
        *("charge", "chargeback", "chargeback_won", "void")
    ]
    assert till.moved == usd("0")


def test_a_dispute_that_turns_again_is_the_same_one() -> None:
    till = Till()
    reference = till.charge().reference
    till.fake.dispute(reference)
    till.fake.win_dispute(reference)

    till.fake.dispute(reference)

    [first, second] = [each for each in till.fake.journal if each.kind.value == "chargeback"]
    assert second.movement_id == f"{first.movement_id}#2"
    assert till.moved == usd("0")


def test_what_is_taken_after_another_dispute_was_opened_is_taken_for_that_one() -> None:
    till = Till()
    reference = till.charge().reference
    till.fake.dispute(reference)
    till.fake.win_dispute(reference)
    till.fake.open_dispute(reference, usd("3.00"))

    till.fake.dispute(reference, usd("3.00"))
    till.fake.win_dispute(reference)
    till.fake.dispute(reference, usd("3.00"))

    [told] = till.look_up().disputes
    taken = [each.movement_id for each in till.fake.journal if each.kind.value == "chargeback"]
    assert taken[1:] == [told.reference, f"{told.reference}#2"]
    assert told.state is DisputeState.LOST


@pytest.mark.parametrize(
    ("plan", "outcome"),
    [
        (Plan(verdict=Verdict.WAIT, ends=Verdict.REJECT, code="state"), Rejected),
        (Plan(verdict=Verdict.WAIT, ends=Verdict.WITHDRAW), Ended),
        (Plan(verdict=Verdict.WAIT, ends=Verdict.DECLINE, code="generic"), Declined),
    ],
)
def test_a_refund_that_waits_ends_as_it_was_planned(plan: Plan, outcome: type) -> None:
    till = Till()
    charge = till.charge()
    till.fake.script(plan, operation="refund")
    asked = {"reference": charge.reference, "amount": usd("4.00")}
    back = charge.movements[0].movement_id
    waits = till.do("refund", Refunding, key="r", movement_id=back, **asked)
    assert isinstance(waits, Pending)

    till.clock.advance(days=2)

    assert isinstance(till.look_up("r", operation=Operation.REFUND), outcome)
    assert till.moved == usd("10.00")


def test_the_last_try_on_a_page_ends_it() -> None:
    till = Till(Kind.REDIRECT)
    reference = till.charge("").reference

    till.fake.decline_try(reference, final=True)

    found = till.look_up()
    assert isinstance(found, Declined)
    assert found.final


def test_what_is_paid_on_a_slow_page_is_on_its_way_first() -> None:
    till = Till(Kind.REDIRECT, habits=Habits(page_clears_after=timedelta(days=2)))
    reference = till.charge("").reference

    till.fake.pay(reference)
    assert isinstance(till.look_up(), Pending)
    till.clock.advance(days=2)

    assert till.look_up().movements[0].amount == usd("10.00")


def test_somebody_elses_events_say_nothing_of_ours() -> None:
    till = Till()
    till.fake.elsewhere(700)
    till.fake.elsewhere(700, readable=False)
    till.charge()

    readable, unreadable, ours = notices(till)

    assert readable.reference
    assert not readable.our_ref
    assert (unreadable.reference, unreadable.answer, unreadable.movements) == ("", None, ())
    assert ours.our_ref
    assert till.moved == usd("10.00")


def test_a_hold_expires() -> None:
    till = Till()
    held = till.ask(till.fake.authorize(charge_of("tok_action")))
    till.fake.pay(held.reference)
    till.clock.advance(hours=1)
    found = till.look_up(operation=Operation.AUTHORIZE)
    assert isinstance(found, Authorized)

    till.clock.advance(days=7)

    assert till.look_up(operation=Operation.AUTHORIZE) == Ended(
        how=Ending.EXPIRED, reference=held.reference
    )
    late = till.do("capture", Capture, reference=held.reference, amount=usd("1.00"))
    assert rejected(late) is RejectCause.STATE


def test_a_charge_can_be_voided_until_it_settles() -> None:
    till = Till()
    first, second = till.charge(key="a"), till.charge(key="b")

    voided = till.do("void", Voiding, reference=first.reference, amount=usd("10.00"))
    again = till.do("void", Voiding, reference=first.reference, amount=usd("10.00"))
    till.clock.advance(days=1)
    late = till.do("void", Voiding, reference=second.reference, amount=usd("10.00"))

    assert voided.movements[0].undoes == first.movements[0].movement_id
    assert rejected(again) is rejected(late) is RejectCause.STATE
    assert till.moved == usd("10.00")


def test_refunds_never_exceed_what_came_in() -> None:
    till = Till()
    paid = till.charge()
    what = {"reference": paid.reference, "movement_id": paid.movements[0].movement_id}

    first = till.do("refund", Refunding, amount=usd("6.00"), **what)
    second = till.do("refund", Refunding, amount=usd("4.01"), **what)
    till.fake.fail_refund(first.reference)
    third = till.do("refund", Refunding, amount=usd("10.00"), **what)

    assert first.movements[0].undoes == paid.movements[0].movement_id
    assert rejected(second) is RejectCause.VALIDATION
    assert isinstance(third, Approved)
    assert till.moved == usd("0.00")
    assert isinstance(till.look_up(), Approved)
    assert len(till.look_up().movements) == 1


def test_a_capture_can_be_refunded_through_its_authorisation() -> None:
    till = Till()
    held = till.ask(till.fake.authorize(charge_of()))
    taken = till.do("capture", Capture, reference=held.reference, amount=usd("10.00"))

    back = till.do(
        "refund",
        Refunding,
        reference=held.reference,
        movement_id=taken.movements[0].movement_id,
        amount=usd("3.00"),
    )

    assert isinstance(back, Approved)
    assert till.moved == usd("7.00")


def test_refunds_keep_to_the_rail() -> None:
    till = Till(partial_refund=False, refund_window=timedelta(days=30))
    paid = till.charge()
    what = {"reference": paid.reference, "movement_id": paid.movements[0].movement_id}

    assert rejected(till.do("refund", Refunding, amount=usd("1.00"), **what))
    till.clock.advance(days=31)
    assert rejected(till.do("refund", Refunding, amount=usd("10.00"), **what))


def test_a_dispute_takes_money_and_a_won_one_gives_it_back() -> None:
    till = Till()
    reference = till.charge().reference

    till.fake.dispute(reference, usd("4.00"))
    assert till.moved == usd("6.00")
    till.fake.win_dispute(reference)

    assert till.moved == usd("10.00")
    kinds = [movement.kind for movement in till.look_up().movements]
    assert kinds == [MovementKind.CHARGE, MovementKind.CHARGEBACK, MovementKind.CHARGEBACK_WON]


def test_a_dispute_that_only_took_money_can_be_lost_and_won_after_all() -> None:
    till = Till()
    reference = till.charge().reference
    till.fake.dispute(reference, usd("4.00"))
    assert till.look_up().disputes == ()

    till.fake.lose_dispute(reference)
    [lost] = till.look_up().disputes
    till.fake.win_dispute(reference)
    [won] = till.look_up().disputes

    taken = till.look_up().movements[1]
    assert (lost.reference, lost.state, lost.amount) == (taken.movement_id, "lost", usd("4.00"))
    assert (won.reference, won.state) == (taken.movement_id, "won")
    assert till.moved == usd("10.00")


def test_a_payout_keeps_its_day_and_may_grow() -> None:
    till = Till()
    reference = till.charge().reference

    till.fake.pay_out(reference, percent=50, fee=usd("0.20"))
    [part] = till.look_up().movements
    today = till.clock.now().date()
    till.clock.advance(days=1)
    till.fake.pay_out(reference, fee=usd("0.20"))
    [whole] = till.look_up().movements
    till.clock.advance(days=1)
    till.fake.pay_out(reference, fee=usd("0.20"))
    [again] = till.look_up().movements

    assert (part.settled, part.fee, part.settled_on) == (usd("4.90"), usd("0.20"), today)
    assert (whole.settled, whole.settled_on) == (usd("9.80"), today + timedelta(days=1))
    assert again == whole


def test_what_was_voided_is_not_paid_out_and_what_was_paid_out_is_not_voided() -> None:
    till = Till()
    voided, paid = till.charge(key="a"), till.charge(key="b")
    till.do("void", Voiding, reference=voided.reference, amount=usd("10.00"))

    till.fake.callbacks()
    till.fake.pay_out(voided.reference)
    till.fake.pay_out(paid.reference)

    assert len(till.fake.callbacks()) == 1
    assert till.look_up("a").movements[0].settled is None
    assert till.look_up("b").movements[0].settled == usd("10.00")
    late = till.do("void", Voiding, reference=paid.reference, amount=usd("10.00"))
    assert rejected(late) is RejectCause.STATE


def test_a_pending_refund_ends_with_the_clock() -> None:
    till = Till()
    paid = till.charge()
    till.fake.script("pending", operation="refund")

    pending = till.do(
        "refund",
        Refunding,
        reference=paid.reference,
        movement_id=paid.movements[0].movement_id,
        amount=usd("10.00"),
    )
    till.clock.advance(days=1)

    assert isinstance(pending, Pending)
    assert till.moved == usd("0.00")


# --- Methods -------------------------------------------------------------------------------


def test_a_stored_method_pays_until_it_is_forgotten() -> None:
    till = Till()
    customer = Customer("C-1")
    token = OneTimeToken.of("tok_declined_insufficient_funds")

    stored = till.do("enroll", Enrollment, customer=customer, kind=Kind.CARD, method=token)
    method = StoredToken(stored.method.token)
    declined = till.ask(till.fake.charge(with_method(method, "a")))
    till.do("forget", Forgetting, token=method)
    gone = till.ask(till.fake.charge(with_method(method, "b")))

    assert isinstance(declined, Declined)
    assert rejected(gone) is RejectCause.METHOD_GONE


def test_a_charge_can_store_its_method_on_the_way() -> None:
    till = Till()

    paid = till.charge("tok_mastercard", store_method=True)

    assert paid.method.brand == "mastercard"
    again = till.ask(till.fake.charge(with_method(StoredToken(paid.method.token), "again")))
    assert isinstance(again, Approved)


def test_a_method_can_be_stored_from_a_charge_or_on_the_fakes_own_page() -> None:
    till = Till()
    customer, paid = Customer("C-1"), till.charge("tok_amex")

    stored = till.do(
        "enroll", Enrollment, customer=customer, kind=Kind.CARD, from_reference=paid.reference
    )
    page = till.do(
        "enroll",
        Enrollment,
        key="page",
        customer=customer,
        kind=Kind.CARD,
        return_url="https://shop.example/cards",
    )
    till.fake.pay(page.reference)
    found = till.look_up("page", operation=Operation.ENROLL)

    assert stored.method.brand == "amex"
    assert isinstance(page, ActionRequired)
    assert found.method.brand == "visa"


# --- Inquiry --------------------------------------------------------------------------------


@pytest.mark.parametrize("inquiry", [InquiryBy.OUR_REF, InquiryBy.LIST_SCAN])
def test_an_operation_is_found_among_many_by_our_reference(inquiry: InquiryBy) -> None:
    till = Till(inquiry=inquiry, habits=Habits(page_size=2))
    paid = [till.charge(key=f"k{number}") for number in range(5)]

    for number in range(5):
        assert till.look_up(f"k{number}") == paid[number]
    assert till.look_up("k9") == NotFound()


def test_an_operation_is_found_by_the_processors_reference_only_if_we_know_it() -> None:
    till = Till(inquiry=InquiryBy.GATEWAY_REF)
    paid = till.charge()

    assert till.look_up(reference=paid.reference) == paid
    assert till.look_up(reference="ch_99") == NotFound()
    assert isinstance(till.look_up(), Unknown)


@pytest.mark.parametrize("by", [InquiryBy.GATEWAY_REF, InquiryBy.LIST_SCAN])
def test_a_capture_is_found_under_the_authorisation_that_it_follows(by: InquiryBy) -> None:
    till = Till(inquiry=by, habits=Habits(page_size=2))
    others = [
        till.ask(till.fake.authorize(charge_of(key=f"o{number}"))).reference for number in range(3)
    ]
    for number, other in enumerate(others):
        till.do("capture", Capture, key=f"x{number}", reference=other, amount=usd("10.00"))
    held = till.ask(till.fake.authorize(charge_of()))
    taken = till.do("capture", Capture, key="c1", reference=held.reference, amount=usd("10.00"))

    asked = {"operation": Operation.CAPTURE, "parent_reference": held.reference}

    assert till.look_up("c1", **asked) == taken
    assert till.look_up("c2", **asked) == NotFound()
    assert till.look_up("x0", **asked) == NotFound()


def test_an_account_without_inquiry_finds_nothing_out() -> None:
    till = Till(inquiry=InquiryBy.NONE)
    till.charge()

    assert isinstance(till.look_up(), Unknown)


def test_an_inquiry_may_lag_behind() -> None:
    till = Till(habits=Habits(inquiry_lag=timedelta(seconds=30)))
    till.charge()

    assert till.look_up() == NotFound()
    till.clock.advance(seconds=30)
    assert isinstance(till.look_up(), Approved)


# --- What the traits say ------------------------------------------------------------------------


def test_the_processor_keeps_to_limits_currencies_and_payer_fields() -> None:
    till = Till(
        limits={"USD": Limits(minimum_minor=100, maximum_minor=5000)},
        currencies=frozenset({"USD"}),
        payer_fields=frozenset({PayerField.EMAIL}),
    )
    payer = Customer("C-1", email="c@example.com")

    assert rejected(till.charge(key="a", payer=payer, amount=usd("0.99")))
    assert rejected(till.charge(key="b", payer=payer, amount=usd("50.01")))
    assert rejected(till.charge(key="c", payer=payer, amount=Money.of("EUR", "10.00")))
    assert rejected(till.charge(key="d"))
    assert isinstance(till.charge(key="e", payer=payer), Approved)


def test_an_operation_that_the_rail_lacks_is_refused() -> None:
    till = Till(Kind.E_CHECK)

    held = till.ask(till.fake.authorize(charge_of("tok_bank", kind=Kind.E_CHECK)))

    assert rejected(held) is RejectCause.PERMISSION


def test_gateways_of_several_kinds_share_a_processor() -> None:
    processor = FakeProcessor(fake_traits([Kind.CARD, Kind.VOUCHER]))
    card = FakeGateway(processor=processor)

    drive(card.charge(charge_of()), card.answer)

    assert FakeGateway("voucher", processor=processor).moved("USD") == usd("10.00")
    with pytest.raises(InvalidValue, match="serves"):
        FakeGateway("bitcoin", processor=processor)
    with pytest.raises(InvalidValue, match="set them on the processor"):
        FakeGateway(processor=processor, withdrawable=False)


def test_a_feed_tells_only_of_orders_of_its_own_kind() -> None:
    processor = FakeProcessor(fake_traits([Kind.CARD, Kind.VOUCHER]))
    card, slip = FakeGateway(processor=processor), FakeGateway("voucher", processor=processor)

    drive(card.charge(charge_of()), card.answer)

    told, silent = (drive(each.feed(""), each.answer) for each in (card, slip))
    assert len(told.notices) == 1
    assert silent.notices == ()
    assert (told.cursor, told.more) == (silent.cursor, silent.more)
    assert (len(card.callbacks()), slip.callbacks(), card.callbacks()) == (1, [], [])


@pytest.mark.parametrize("operation", ["look_up", "list", "events", "account"])
@pytest.mark.parametrize("plan", ["rejected_credentials", "declined_insufficient_funds"])
def test_what_only_reads_is_not_planned_to_decide(operation: str, plan: str) -> None:
    with pytest.raises(InvalidValue, match=f"{operation} only reads"):
        FakeGateway().script(plan, operation=operation)


def test_a_trait_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InvalidValue, match="idempotence"):
        FakeGateway(idempotence=None)  # type: ignore[call-arg]
    with pytest.raises(InvalidValue, match="terminal"):
        FakeGateway(Kind.TERMINAL)


def test_settings_build_a_gateway() -> None:
    settings = FakeGateway.settings_model(
        kind="voucher", currencies=["EUR"], limits={"EUR": [100, None]}
    )

    traits = FakeGateway(settings).traits  # type: ignore[arg-type]

    rail = traits.rails[Kind.VOUCHER]
    assert rail.currencies == frozenset({"EUR"})
    assert rail.limits == {"EUR": Limits(minimum_minor=100)}
    assert rail.variable_amount


def test_the_registry_builds_both_fakes_from_plain_settings() -> None:
    memory = build({"driver": "fake", "kind": "e_check", "not_found_is_final_after_s": None})
    remote = build({"driver": "fake-loopback", "url": "http://127.0.0.1:8080"})

    assert isinstance(memory, FakeGateway)
    assert memory.traits.not_found_is_final_after is None
    assert isinstance(remote, LoopbackGateway)
    with pytest.raises(InvalidSettings, match="speed"):
        build({"driver": "fake", "speed": 3})


# --- Callbacks and feed --------------------------------------------------------------------------


def test_callbacks_tell_what_happened_once_each() -> None:
    till = Till(Kind.E_CHECK)
    till.charge("tok_bank_returned_r01")

    first = notices(till)
    till.fake.advance(days=10)
    later = notices(till)

    assert [type(notice.answer) for notice in first] == [Pending]
    assert [notice.movements[0].kind for notice in later] == [
        MovementKind.CHARGE,
        MovementKind.RETURN,
    ]
    assert {notice.our_ref for notice in later} == {"ref-k1"}
    assert notices(till) == []


@pytest.mark.parametrize(
    "change",
    [
        {"body": b'{"id":"evt_1"}'},
        {"headers": {}},
        {"headers": {"fake-signature": "t=x,v1=é"}},
        {"headers": {"fake-signature": "nonsense,,=="}},
    ],
)
def test_a_callback_that_was_tampered_with_is_refused(change: dict[str, object]) -> None:
    till = Till()
    till.charge()
    (callback,) = till.fake.callbacks()

    with pytest.raises(NotAuthentic):
        till.ask(till.fake.verify(replace(callback, **change)))  # type: ignore[arg-type]


def test_a_callback_of_another_account_and_a_recorded_one_are_refused() -> None:
    till = Till()
    till.charge()
    (callback,) = till.fake.callbacks()
    late = replace(callback, received_at=callback.received_at + timedelta(minutes=6))

    with pytest.raises(NotAuthentic):
        till.ask(till.fake.verify(late))
    with pytest.raises(NotAuthentic):
        drive(FakeGateway(signing_key="other").verify(callback), till.fake.answer)


def test_the_reply_carries_the_result_only_where_it_is_wanted() -> None:
    acknowledged, answered = Till(), Till(callbacks=CallbackStyle.ANSWERED)
    answered.charge()
    (notice,) = notices(answered)

    assert acknowledged.fake.reply(notice, Applied.REFUSED).status == 200
    assert answered.fake.reply(notice, Applied.BOOKED).body == b'{"result": "booked"}'
    assert answered.fake.reply(notice, Applied.UNKNOWN_REFERENCE).status == 404


def test_the_feed_goes_on_from_its_cursor() -> None:
    till = Till(habits=Habits(page_size=2))
    for key in ("a", "b", "c"):
        till.charge(key=key)

    first = till.ask(till.fake.feed(""))
    second = till.ask(till.fake.feed(first.cursor))

    assert [notice.our_ref for notice in first.notices] == ["ref-a", "ref-b"]
    assert [notice.our_ref for notice in second.notices] == ["ref-c"]
    assert (first.more, second.more) == (True, False)
    assert till.ask(till.fake.feed(second.cursor)).notices == ()


def test_the_account_says_whose_it_is() -> None:
    till = Till(merchant_account="acme-test")

    facts = till.ask(till.fake.check())

    assert (facts.merchant_account, facts.live) == ("acme-test", False)


# --- Guards ---------------------------------------------------------------------------------------


def test_the_fake_refuses_to_stand_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYGATE_ENV", "Production")

    with pytest.raises(LiveModeMismatch, match="real gateway"):
        FakeGateway()
    with pytest.raises(LiveModeMismatch):
        LoopbackGateway(url="http://127.0.0.1:1")


@pytest.mark.parametrize("url", ["http://10.0.0.1:80", "http://example.com", "", "nonsense"])
def test_the_remote_fake_talks_to_loopback_only(url: str) -> None:
    with pytest.raises(InvalidValue, match=r"127\.0\.0\.1"):
        LoopbackGateway(url=url)


def test_making_a_fake_loads_neither_http_nor_pydantic() -> None:
    program = (
        "import sys; import paygate.testing; "
        "early = 'json' in sys.modules; paygate.testing.FakeGateway(); "
        "print(early, [m for m in ('pydantic', 'httpx', 'http.client', 'asyncio') "
        "if m in sys.modules])"
    )

    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert said.stdout.split() == ["False", "[]"]


def notices(till: Till) -> list:  # type: ignore[type-arg]
    """Verify the callbacks that came since the last time."""
    return [
        notice
        for callback in till.fake.callbacks()
        for notice in till.ask(till.fake.verify(callback))
    ]


def rejected(outcome: object) -> RejectCause:
    assert isinstance(outcome, Rejected), outcome
    return outcome.cause


def with_method(method: StoredToken, key: str) -> Charge:
    return replace(charge_of(key=key), method=method)
