"""What a processor tells is one fact for each event id, and a hint without proof is none."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from paygate import Cashier, Payment
from paygate.dialogue import Dialogue, Request, Response, at_once
from paygate.domain.callback import InboxState
from paygate.domain.movement import Movement, MovementKind
from paygate.domain.outcome import Finding
from paygate.errors import BadResponse, NoResponse, NotAuthentic, NotSent, NotVerified
from paygate.gateway import (
    Applied,
    Callback,
    CallbackProof,
    CallbackStyle,
    FeedPage,
    Inquiry,
    Notice,
    Reply,
    Traits,
)
from paygate.testing import FakeClock, FakeGateway
from tests.service.world import PAYER, assert_sound, usd


class Speaker(FakeGateway):
    """A processor that tells what the test says, and counts what it is asked."""

    told: tuple[Notice, ...] = ()
    fault: Exception | None = None
    asked = 0

    proof = CallbackProof.SIGNED_WITH_INSTANT

    @property
    def traits(self) -> Traits:
        return replace(super().traits, callback_proof=self.proof)

    def verify(self, callback: Callback) -> Dialogue[list[Notice]]:
        del callback
        if self.fault is not None:
            raise self.fault
        return at_once(list(self.told))

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        self.asked += 1
        return super().look_up(inquiry)

    def reply(self, notice: Notice, result: Applied) -> Reply:
        del notice
        return Reply(body=result.value.encode())

    def feed(self, cursor: str) -> Dialogue[FeedPage]:
        return at_once(FeedPage(notices=self.told, cursor=f"{cursor}+", more=False))


class Desk:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.running: list[Cashier] = []

    def open(
        self, proof: CallbackProof = CallbackProof.SIGNED_WITH_INSTANT, **traits: Any
    ) -> tuple[Cashier, Speaker]:
        speaker = Speaker(clock=self.clock, **traits)
        speaker.proof = proof
        cashier = Cashier.in_memory(gateways={"card": speaker}, clock=self.clock)
        self.running.append(cashier)
        return cashier, speaker

    def callback(self, body: bytes = b"x") -> Callback:
        return Callback(
            method="POST", path="/card", headers={}, body=body, received_at=self.clock.now()
        )


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    for cashier in desk.running:
        assert_sound(cashier)
        cashier.close()


def paid(cashier: Cashier, number: str = "N-1") -> Payment:
    cashier.issue(number=number, customer=PAYER, total=usd("90.00"), due="2026-02-01")
    return cashier.collect(number, via="card", method="tok_visa", key=number, payer=PAYER)


def returned(cashier: Cashier, payment: Payment, amount: str, **more: Any) -> Notice:
    [charge, *_] = cashier.receipts(payment)
    back = Movement(
        movement_id=f"back-{amount}",
        kind=MovementKind.RETURN,
        amount=usd(amount),
        undoes=charge.movement_id,
    )
    facts: dict[str, Any] = {"event_id": "evt-4", "type": "returned", **more}
    return Notice(reference=payment.reference, movements=(back,), **facts)


def conflicts(cashier: Cashier) -> list[str]:
    return [
        event.data["event_id"]
        for event in cashier.events(limit=100)
        if event.type == "callback.conflicted"
    ]


# --- One event, one fact ----------------------------------------------------------------------


def test_the_same_event_with_other_contents_is_kept_for_a_person(desk: Desk) -> None:
    cashier, speaker = desk.open()
    payment = paid(cashier)

    for amount in ("20.00", "50.00", "50.00"):
        speaker.told = (returned(cashier, payment, amount),)
        cashier.receive("card", desk.callback(amount.encode()))
        cashier.apply_callbacks()

    first, second = cashier.callbacks(oldest_first=True)
    assert (first.state, second.state) == (InboxState.APPLIED, InboxState.CONFLICTED)
    assert f"callback {first.id} reported the same event" in second.error
    assert cashier.payment(payment).returned == usd("20.00")
    assert conflicts(cashier) == ["evt-4"]


def test_a_conflict_that_a_person_finds_true_is_applied_by_a_replay(desk: Desk) -> None:
    cashier, speaker = desk.open()
    payment = paid(cashier)
    for amount in ("20.00", "50.00"):
        speaker.told = (returned(cashier, payment, amount),)
        cashier.receive("card", desk.callback(amount.encode()))
    cashier.apply_callbacks()
    [conflict] = cashier.callbacks(state="conflicted")

    replayed = cashier.replay_callback(conflict.id)

    assert replayed.state is InboxState.APPLIED
    assert cashier.payment(payment).returned == usd("70.00")


def test_a_repetition_may_have_other_bytes_and_another_signature(desk: Desk) -> None:
    cashier, speaker = desk.open()
    payment = paid(cashier)

    for number in range(3):
        at = desk.clock.advance(seconds=30)
        speaker.told = (returned(cashier, payment, "20.00", signed_at=at),)
        cashier.receive("card", desk.callback(b"try %d" % number))

    assert [stored.event_id for stored in cashier.callbacks()] == ["evt-4"]
    assert conflicts(cashier) == []


def test_the_same_bytes_are_a_repetition_though_a_newer_driver_reads_more_of_them(
    desk: Desk,
) -> None:
    cashier, speaker = desk.open()
    payment = paid(cashier)
    speaker.told = (returned(cashier, payment, "20.00"),)
    cashier.receive("card", desk.callback(b"same"))
    speaker.told = (returned(cashier, payment, "20.00", our_ref="named-since"),)

    cashier.receive("card", desk.callback(b"same"))

    assert len(cashier.callbacks()) == 1
    assert conflicts(cashier) == []


def test_a_feed_that_contradicts_a_callback_is_kept_for_a_person(desk: Desk) -> None:
    cashier, speaker = desk.open()
    payment = paid(cashier)
    speaker.told = (returned(cashier, payment, "20.00"),)
    cashier.receive("card", desk.callback())
    assert cashier.read_feeds().stored == 0
    speaker.told = (returned(cashier, payment, "21.00"),)

    assert cashier.read_feeds().stored == 1

    assert [stored.state for stored in cashier.callbacks(oldest_first=True)] == [
        InboxState.NEW,
        InboxState.CONFLICTED,
    ]
    assert conflicts(cashier) == ["evt-4"]


def test_a_kiosk_that_contradicts_itself_hears_so_each_time(desk: Desk) -> None:
    cashier, speaker = desk.open(callbacks=CallbackStyle.ANSWERED)
    payment = paid(cashier)
    speaker.told = (returned(cashier, payment, "20.00"),)
    booked = cashier.receive("card", desk.callback(b"1"))
    speaker.told = (returned(cashier, payment, "50.00"),)

    replies = [cashier.receive("card", desk.callback(b"2")).body for _ in range(2)]

    assert booked.body == b"booked"
    assert replies == [b"refused", b"refused"]
    assert cashier.payment(payment).returned == usd("20.00")


# --- Hints without proof ----------------------------------------------------------------------


def hint(payment: Payment) -> Notice:
    return Notice(event_id="tr_8", type="something", reference=payment.reference)


def test_a_hint_without_proof_is_asked_about_again_once_it_was_applied(desk: Desk) -> None:
    cashier, speaker = desk.open(CallbackProof.NONE)
    payment = paid(cashier)
    speaker.told = (hint(payment),)
    cashier.receive("card", desk.callback(b"id=tr_8"))
    cashier.apply_callbacks()
    speaker.dispute(payment.reference)
    speaker.lose_dispute(payment.reference)

    cashier.receive("card", desk.callback(b"id=tr_8"))
    cashier.apply_callbacks()

    assert cashier.payment(payment).returned == usd("90.00")
    [stored] = cashier.callbacks()
    assert (stored.state, stored.times) == (InboxState.APPLIED, 2)


def test_hints_without_proof_that_come_while_one_waits_make_one_inquiry(desk: Desk) -> None:
    cashier, speaker = desk.open(CallbackProof.NONE)
    speaker.told = (hint(paid(cashier)),)

    for _ in range(5):
        cashier.receive("card", desk.callback(b"id=tr_8"))
    cashier.apply_callbacks()
    cashier.apply_callbacks()

    assert speaker.asked == 1
    assert [stored.times for stored in cashier.callbacks()] == [5]


def test_a_hint_that_comes_while_another_is_applied_is_not_lost_with_it(desk: Desk) -> None:
    cashier, speaker = desk.open(CallbackProof.NONE)
    payment = paid(cashier)
    speaker.told = (hint(payment),)
    cashier.receive("card", desk.callback(b"id=tr_8"))
    find = speaker.look_up

    def look_up(inquiry: Inquiry) -> Dialogue[Finding]:
        found = yield from find(inquiry)
        if speaker.asked == 1:  # after the answer, and before it is merged
            speaker.dispute(payment.reference)
            speaker.lose_dispute(payment.reference)
            cashier.receive("card", desk.callback(b"id=tr_8"))
        return found

    speaker.look_up = look_up  # type: ignore[method-assign]
    cashier.apply_callbacks()
    assert [stored.state for stored in cashier.callbacks()] == [InboxState.NEW]

    cashier.apply_callbacks()

    assert speaker.asked == 2
    assert cashier.payment(payment).returned == usd("90.00")


def test_a_signed_hint_that_comes_again_is_a_repetition(desk: Desk) -> None:
    cashier, speaker = desk.open()
    speaker.told = (hint(paid(cashier)),)

    for number in range(3):
        cashier.receive("card", desk.callback(b"%d" % number))
        cashier.apply_callbacks()

    assert speaker.asked == 1


# --- What cannot be verified ------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        NotSent("the name api.example does not resolve"),
        NoResponse("nothing within 30 s"),
        BadResponse("status 503"),
        KeyError("certificate"),
    ],
)
def test_what_cannot_be_verified_now_is_not_called_a_forgery(desk: Desk, fault: Exception) -> None:
    cashier, speaker = desk.open()
    payment = paid(cashier)
    speaker.told = (returned(cashier, payment, "20.00"),)
    speaker.fault = fault

    with pytest.raises(NotVerified, match="will send it again") as refused:
        cashier.receive("card", desk.callback())

    assert not isinstance(refused.value, NotAuthentic)
    assert refused.value.account == "card"
    assert cashier.callbacks() == []
    speaker.fault = None
    cashier.receive("card", desk.callback())
    cashier.apply_callbacks()
    assert cashier.payment(payment).returned == usd("20.00")


class Fetching(Speaker):
    """A processor whose signed callbacks do not say what they are about: that is fetched."""

    fetched = 0

    def verify(self, callback: Callback) -> Dialogue[list[Notice]]:
        if callback.headers.get("signature") != "good":
            raise NotAuthentic("the signature is not ours")
        yield Request(method="GET", url="https://api.example/it", step="fetch")
        return [Notice(event_id=f"evt-{callback.body.decode()}", type="something")]

    def answer(self, request: Request) -> Response:
        self.fetched += request.step == "fetch"
        return Response(status=200) if request.step == "fetch" else super().answer(request)


def test_a_recording_without_an_instant_makes_one_request(desk: Desk) -> None:
    speaker = Fetching(clock=desk.clock)
    speaker.proof = CallbackProof.SIGNED
    cashier = Cashier.in_memory(gateways={"card": speaker}, clock=desk.clock)
    desk.running.append(cashier)
    signed = replace(desk.callback(b"recorded"), headers={"signature": "good"})

    replies = [cashier.receive("card", signed) for _ in range(4)]

    assert speaker.fetched == 1
    assert {reply.status for reply in replies} == {200}
    assert len(cashier.callbacks()) == 1
    with pytest.raises(NotAuthentic):
        cashier.receive("card", replace(signed, headers={"signature": "bad"}))
    cashier.receive("card", replace(signed, body=b"another"))
    assert speaker.fetched == 2


# --- Unknown types, and other applications ----------------------------------------------------


def test_a_type_that_nobody_knows_is_stored_and_answered_with_success(desk: Desk) -> None:
    cashier, speaker = desk.open()
    speaker.told = (Notice(event_id="evt-9", type="invented.yesterday"),)

    reply = cashier.receive("card", desk.callback())
    cashier.apply_callbacks()

    assert reply.status == 200
    [stored] = cashier.callbacks()
    assert (stored.type, stored.state) == ("invented.yesterday", InboxState.IGNORED)


def test_what_is_of_another_application_is_ignored_and_counted_and_no_orphan(desk: Desk) -> None:
    cashier, speaker = desk.open()
    speaker.told = tuple(Notice(event_id=f"evt-{number}", type="other") for number in range(3))

    cashier.receive("card", desk.callback())
    cashier.apply_callbacks()

    assert len(cashier.callbacks(state="ignored")) == 3
    assert cashier.orphans() == []
    assert [event for event in cashier.events() if event.type.startswith("callback.")] == []


def test_an_unknown_reference_is_retried_by_the_plan_and_ends_in_the_orphan_report(
    desk: Desk,
) -> None:
    cashier, speaker = desk.open()
    speaker.told = (Notice(event_id="evt-5", type="paid", reference="nobody's"),)
    cashier.receive("card", desk.callback())
    pauses: list[timedelta] = []

    while cashier.callbacks(oldest_first=True)[0].state is InboxState.NEW:
        cashier.apply_callbacks()
        again = cashier.callbacks(oldest_first=True)[0].next_try_at
        if again is not None:
            pauses.append(again - desk.clock.now())
            desk.clock.advance(pauses[-1])

    assert [pause.total_seconds() for pause in pauses] == [60, 300, 900, 3600, 21600, 86400]
    assert [orphan.event_id for orphan in cashier.orphans()] == ["evt-5"]
    assert [event.type for event in cashier.events()][-1] == "callback.orphaned"
