"""What processors tell by themselves: twice, in any order, too early, too late, or forged."""

import base64
import hashlib
import json
import os
import random
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from paygate import AsyncCashier, Cashier, Kind, Payment, PaymentStatus
from paygate.dialogue import Dialogue, at_once
from paygate.domain.callback import InboxState
from paygate.domain.card_checks import CardCheck, CardChecks, CheckResult
from paygate.domain.method import StoredMethod
from paygate.domain.movement import Movement, MovementKind
from paygate.domain.outcome import Approved, DeclineCode, Declined, Finding, Pending, Unknown
from paygate.domain.secret import Secret
from paygate.errors import BadResponse, GatewayNotFound, NotAuthentic, RecordNotFound, Unsupported
from paygate.gateway import (
    Applied,
    Callback,
    CallbackStyle,
    FeedPage,
    Inquiry,
    InquiryBy,
    Notice,
    NotIdempotent,
    Reply,
)
from paygate.ledger import attempts, holding, inbox
from paygate.ledger.tx import Tx
from paygate.service import notices
from paygate.service.apply import RETRY_PLAN
from paygate.testing import FakeClock, FakeGateway, Habits
from paygate.testing.processor import SIGNING_KEY
from paygate.testing.processor.callbacks import read_written, signed_events
from tests.service.world import (
    BACK,
    LEASE,
    PAYER,
    PowerCut,
    World,
    assert_sound,
    assert_truth,
    state_of,
    usd,
)
from tests.stores import sqlite_of


class Terse(FakeGateway):
    """A processor whose callbacks tell only what moved, or only that something happened."""

    hints = False

    def verify(self, callback: Callback) -> Dialogue[list[Notice]]:
        told = yield from super().verify(callback)
        return [
            replace(notice, answer=None, movements=() if self.hints else notice.movements)
            for notice in told
        ]


class Told(FakeGateway):
    """A processor that tells what the test says."""

    told: tuple[Notice, ...] = ()

    def verify(self, callback: Callback) -> Dialogue[list[Notice]]:
        yield from super().verify(callback)
        return list(self.told)


class Renamed(Told):
    """A processor that names a page's order only when it is paid."""

    def __init__(self, **given: Any) -> None:
        super().__init__(Kind.REDIRECT, **given)
        self.asked: list[Inquiry] = []

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        yield from ()
        self.asked.append(inquiry)
        money = Movement(movement_id="m-1", amount=inquiry.amount)
        return Approved(reference="new-name", movements=(money,))


class Shop:
    """A ledger in memory with one account of each kind, and what the processors have to tell."""

    def __init__(self, **gateways: FakeGateway) -> None:
        self.clock = FakeClock()
        self.card = FakeGateway(Kind.CARD, clock=self.clock)
        self.page = FakeGateway(Kind.REDIRECT, clock=self.clock)
        self.fakes = {"card": self.card, "page": self.page, **gateways}
        for name, fake in gateways.items():
            self.fakes[name] = fake
            fake.processor.clock = self.clock
        self.cashier = Cashier.in_memory(
            gateways=self.fakes, clock=self.clock, token_keys=[Fernet.generate_key()]
        )

    def collect(self, via: str = "card", token: str | None = "tok_visa", no: str = "A") -> Payment:
        self.cashier.issue(number=no, customer=PAYER, total=usd("30.00"), due="2026-02-01")
        more: dict[str, Any] = {"return_url": BACK} if token is None else {"method": token}
        return self.cashier.collect(no, via=via, key=f"pay-{no}", payer=PAYER, **more)

    def deliver(self, via: str) -> list[Reply]:
        """Let the processor send what it has to tell."""
        return [self.cashier.receive(via, told) for told in self.fakes[via].callbacks()]

    def pay_page(self, payment: Payment) -> list[Callback]:
        self.page.pay(payment.reference)
        return self.page.callbacks()

    def events(self) -> list[str]:
        return [event.type for event in self.cashier.events(limit=1000)]


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    assert_sound(shop.cashier)
    shop.cashier.close()


def example(shop: Shop) -> tuple[Payment, Callback]:
    """A payment that waits for its payer, and the callback that says that it was paid."""
    payment = shop.collect("page", None)
    return payment, shop.pay_page(payment)[-1]


# --- Acknowledged ----------------------------------------------------------------------


def test_a_callback_is_stored_and_answered_and_applied_later(shop: Shop) -> None:
    payment, told = example(shop)

    reply = shop.cashier.receive("page", told)

    assert (reply.status, reply.body) == (200, b"received")
    assert shop.cashier.payment(payment).status is PaymentStatus.REQUIRES_ACTION
    [stored] = shop.cashier.callbacks()
    assert (stored.state, stored.body) == (InboxState.NEW, told.body)

    [applied] = shop.cashier.apply_callbacks()

    assert (applied.id, applied.status) == (payment.id, PaymentStatus.SUCCEEDED)
    assert applied.received == usd("30.00")
    assert [each.state for each in shop.cashier.callbacks()] == [InboxState.APPLIED]


def test_the_same_callback_again_changes_nothing(shop: Shop) -> None:
    payment, told = example(shop)
    for _ in range(3):
        shop.cashier.receive("page", told)
        shop.cashier.apply_callbacks()
    end = shop.events()

    shop.cashier.receive("page", told)

    assert shop.cashier.apply_callbacks() == []
    assert len(shop.cashier.callbacks()) == 1
    assert shop.cashier.payment(payment).received == usd("30.00")
    assert shop.events() == end


@pytest.mark.sqlite
def test_no_credential_of_the_sender_is_stored(shop: Shop) -> None:
    _, told = example(shop)
    headers = {**told.headers, "authorization": "Basic c2VjcmV0", "cookie": "session=secret"}

    shop.cashier.receive("page", replace(told, headers=headers))

    connection = sqlite_of(shop.cashier)._writer()
    query = "SELECT raw_encrypted, account, event_id FROM paygate_inbox"
    [(sealed, account, event_id)] = connection.execute(query).fetchall()
    vault = shop.cashier._context.vault
    assert vault is not None
    raw = json.loads(vault.open(sealed, of=inbox._owner(account, event_id)).reveal())
    assert sorted(raw["headers"]) == sorted([
        ":method", ":path", ":query", "content-type", "fake-signature",
    ])  # fmt: skip


CHECKS = CardChecks(address=CardCheck(CheckResult.PASS, "Y"))


@pytest.mark.sqlite
@pytest.mark.parametrize("can_ask", [True, False])
def test_the_token_of_a_stored_method_is_not_kept_as_text(*, can_ask: bool) -> None:
    inquiry = InquiryBy.OUR_REF if can_ask else InquiryBy.NONE
    told = Told(Kind.CARD, inquiry=inquiry)
    shop = Shop(told=told)
    payment = shop.collect("told")
    [callback] = told.callbacks()
    method = StoredMethod(token=Secret("pm_secret"), kind=Kind.CARD, brand="visa", last4="4242")
    money = Movement(movement_id="m", amount=usd("1.00"), effective=date(2026, 1, 2))
    answer = Approved(movements=(money,), method=method, checks=CHECKS)
    notice = Notice(event_id="e", type="t", reference=payment.reference, answer=answer)
    told.told = (notice,)

    shop.cashier.receive("told", callback)

    connection = sqlite_of(shop.cashier)._writer()
    [row] = connection.execute("SELECT notice FROM paygate_inbox").fetchall()
    assert "pm_secret" not in row["notice"]
    expected = None if can_ask else replace(answer, method=None)
    assert notices.read_notice(row["notice"]) == replace(notice, answer=expected)


def test_an_operation_is_found_by_what_it_went_by_before() -> None:
    page = Renamed()
    shop = Shop(told=page)
    payment = shop.collect("told", None)
    shop.fakes["told"].pay(payment.reference)
    *_, callback = shop.fakes["told"].callbacks()
    hint = Notice(
        event_id="e-1", type="t", reference="new-name", earlier_reference=payment.reference
    )
    page.told = (hint,)

    shop.cashier.receive("told", callback)
    [applied] = shop.cashier.apply_callbacks()

    assert [inquiry.reference for inquiry in page.asked] == ["new-name"]
    assert (applied.received, applied.reference) == (usd("30.00"), "new-name")
    page.told = (replace(hint, event_id="e-2"),)
    shop.cashier.receive("told", callback)
    shop.cashier.apply_callbacks()
    assert {each.state for each in shop.cashier.callbacks()} == {InboxState.APPLIED}
    assert shop.cashier.payment(payment).received == usd("30.00")
    assert_sound(shop.cashier)


def test_a_declined_try_that_comes_after_the_money_is_no_news(shop: Shop) -> None:
    payment = shop.collect("page", None)
    shop.page.decline_try(payment.reference)
    shop.page.pay(payment.reference)
    for told in reversed(shop.page.callbacks()):
        shop.cashier.receive("page", told)
        shop.cashier.apply_callbacks()

    after = shop.cashier.payment(payment)
    assert (after.status, after.needs_review) == (PaymentStatus.SUCCEEDED, False)


@pytest.mark.parametrize("comes", [False, True])
def test_a_declined_try_that_nobody_can_be_asked_about_ends_no_pending_payment(
    *, comes: bool
) -> None:
    """The payer tried again and the money is on its way when the first try is told."""
    told = Told(Kind.REDIRECT, inquiry=InquiryBy.NONE)
    shop = Shop(told=told)
    payment = shop.collect("told", None)
    told.decline_try(payment.reference)
    [*_, callback] = told.callbacks()
    on_its_way = Notice(
        event_id="2",
        type="t",
        reference=payment.reference,
        answer=Pending(reference=payment.reference),
    )
    declined = Declined(code=DeclineCode.GENERIC, raw_code="05", retryable=True)
    overtaken = Notice(event_id="1", type="t", reference=payment.reference, answer=declined)
    for notice in (on_its_way, overtaken):
        told.told = (notice,)
        shop.cashier.receive("told", callback)
        shop.cashier.apply_callbacks()

    after = shop.cashier.payment(payment)
    assert (after.status, after.needs_review) == (PaymentStatus.PROCESSING, True)
    assert shop.cashier.invoice("A").claimed == usd("30.00")
    assert "payment.needs_review" in shop.events()

    if not comes:
        resolved = shop.cashier.resolve(payment, declined, evidence="the processor's dashboard")
        assert (resolved.status, resolved.needs_review) == (PaymentStatus.DECLINED, False)
        assert shop.cashier.invoice("A").claimed == usd("0.00")
        assert_sound(shop.cashier)
        return
    told.pay(payment.reference)
    [entry] = told.journal
    money = Movement(
        movement_id=entry.movement_id,
        amount=entry.amount,
        kind=entry.kind,
        effective=entry.at.date(),
    )
    approved = Approved(reference=payment.reference, movements=(money,))
    told.told = (Notice(event_id="3", type="t", reference=payment.reference, answer=approved),)
    shop.cashier.receive("told", callback)
    shop.cashier.apply_callbacks()
    paid = shop.cashier.payment(payment)
    assert (paid.status, paid.needs_review) == (PaymentStatus.SUCCEEDED, False)
    assert paid.received == usd("30.00")
    assert_sound(shop.cashier)


async def test_the_awaited_face_receives_too() -> None:
    clock = FakeClock()
    card = FakeGateway(clock=clock)
    async with AsyncCashier.in_memory(gateways={"card": card}, clock=clock) as cashier:
        await cashier.issue(number="A", customer="C-1", total=usd("5"), due="2026-02-01")
        await cashier.collect("A", via="card", method="tok_visa", key="k")
        [told] = card.callbacks()

        reply = await cashier.receive("card", told)

        assert reply.status == 200
        assert len(await cashier.apply_callbacks()) == 1


# --- Forged and stale -------------------------------------------------------------------


def test_every_byte_of_a_callback_and_of_its_signature_counts(shop: Shop) -> None:
    _, told = example(shop)
    before = state_of(shop.cashier)
    signature = told.headers["fake-signature"]

    for place in range(len(told.body)):
        body = bytearray(told.body)
        body[place] ^= 1
        with pytest.raises(NotAuthentic):
            shop.cashier.receive("page", replace(told, body=bytes(body)))
    for place in range(len(signature)):
        other = chr(ord(signature[place]) ^ 1)
        forged = f"{signature[:place]}{other}{signature[place + 1 :]}"
        headers = {**told.headers, "fake-signature": forged}
        with pytest.raises(NotAuthentic):
            shop.cashier.receive("page", replace(told, headers=headers))

    assert shop.cashier.apply_callbacks() == []
    assert shop.cashier.callbacks() == []
    assert state_of(shop.cashier) == before


@pytest.mark.parametrize("seconds", [-301, 301, 3600])
def test_a_recording_is_refused_by_the_core(seconds: int) -> None:
    clock = FakeClock()
    shop = Shop(told=Told(Kind.CARD, clock=clock))
    shop.collect("told")
    [told] = shop.fakes["told"].callbacks()
    signed = told.received_at - timedelta(seconds=seconds)
    assert isinstance(shop.fakes["told"], Told)
    shop.fakes["told"].told = (Notice(event_id="e", type="t", signed_at=signed),)

    with pytest.raises(NotAuthentic, match="replay"):
        shop.cashier.receive("told", told)

    assert shop.cashier.callbacks() == []


def test_accounts_that_take_no_callbacks_say_so() -> None:
    none = FakeGateway(callbacks=CallbackStyle.NONE)
    cashier = Cashier.in_memory(gateways={"none": none})
    callback = Callback(
        method="POST", path="/", headers={}, body=b"", received_at=FakeClock().now()
    )

    with pytest.raises(Unsupported):
        cashier.receive("none", callback)
    with pytest.raises(GatewayNotFound):
        cashier.receive("other", callback)


def test_a_callback_cannot_name_the_payment_of_another_account(shop: Shop) -> None:
    signing_key = "another processor"
    other = Told(Kind.CARD, clock=shop.clock, signing_key=signing_key)
    shop = Shop(other=other)
    payment, _ = example(shop)
    shop.collect("other", no="B")
    [told] = other.callbacks()
    [attempt] = shop.cashier.attempts(payment)
    money = Movement(movement_id="m", amount=usd("30.00"))
    answer = Approved(reference="r", movements=(money,))
    other.told = (Notice(event_id="e", type="t", our_ref=attempt.id, answer=answer),)

    shop.cashier.receive("other", told)
    shop.cashier.apply_callbacks()

    assert shop.cashier.payment(payment).status is PaymentStatus.REQUIRES_ACTION


# --- Unknown ----------------------------------------------------------------------------


def test_an_unknown_reference_waits_becomes_an_orphan_and_can_be_replayed(shop: Shop) -> None:
    stranger = Cashier.in_memory(gateways=shop.fakes, clock=shop.clock)
    stranger.issue(number="X", customer=PAYER, total=usd("9.00"), due="2026-02-01")
    stranger.collect("X", via="card", method="tok_visa", key="x")
    shop.deliver("card")

    for pause in RETRY_PLAN:
        assert shop.cashier.apply_callbacks() == []
        assert shop.cashier.orphans() == []
        shop.clock.advance(pause)
    shop.cashier.apply_callbacks()

    [orphan] = shop.cashier.orphans()
    assert "not in this ledger" in orphan.error
    assert "callback.orphaned" in shop.events()
    assert shop.cashier.replay_callback(orphan).state is InboxState.NEW
    assert shop.cashier.receipts(shop.collect()) != []
    with pytest.raises(RecordNotFound):
        shop.cashier.replay_callback(4711)


def test_a_callback_that_was_faster_than_our_own_answer_is_applied_when_we_know(shop: Shop) -> None:
    shop.card.script("unknown_executed")
    payment = shop.collect()
    assert payment.status is PaymentStatus.UNKNOWN

    shop.deliver("card")
    shop.cashier.apply_callbacks()

    assert shop.cashier.payment(payment).status is PaymentStatus.SUCCEEDED


def test_what_concerns_nothing_of_ours_is_stored_and_ignored() -> None:
    told = Told(Kind.CARD)
    shop = Shop(told=told)
    shop.collect("told")
    [callback] = told.callbacks()
    told.told = (Notice(event_id="e", type="balance.changed"),)

    assert shop.cashier.receive("told", callback).status == 200
    shop.cashier.apply_callbacks()

    [stored] = shop.cashier.callbacks(state="ignored")
    assert stored.type == "balance.changed"


@pytest.mark.parametrize("our_ref", ["", "cart-7"])
def test_what_another_system_made_at_the_same_account_is_ignored(our_ref: str) -> None:
    told = Told(Kind.CARD)
    shop = Shop(told=told)
    shop.collect("told")
    [callback] = told.callbacks()
    told.told = (
        Notice(event_id="e", type="paid", reference="pi_9", our_ref=our_ref, foreign=True),
    )

    shop.cashier.receive("told", callback)
    shop.cashier.apply_callbacks()

    [stored] = shop.cashier.callbacks(state="ignored")
    assert stored.error == "it has no reference of ours: another system's"
    assert shop.cashier.orphans() == []
    assert not [each for each in shop.events() if each.startswith("callback.")]


def test_money_that_another_system_sends_back_is_looked_at_again_before_it_is_ignored() -> None:
    """The payment may be ours, and its name at the processor not known yet."""
    told = Told(Kind.CARD)
    shop = Shop(told=told)
    payment = shop.collect("told")
    [callback] = told.callbacks()
    name = "pi_9"
    went = Movement(
        movement_id="re_1",
        amount=payment.amount,
        kind=MovementKind.REFUND,
        undoes=shop.cashier.receipts(payment)[0].movement_id,
    )
    told.told = (
        Notice(event_id="e", type="refund", reference=name, movements=(went,), foreign=True),
    )

    shop.cashier.receive("told", callback)
    shop.cashier.apply_callbacks()
    states = [each.state for each in shop.cashier.callbacks()]
    [attempt] = shop.cashier.attempts(payment)

    def note(tx: Tx) -> None:
        holding.hold_attempt(tx, attempt.id)
        attempts.note(tx, attempt.id, name)

    shop.cashier._store.write(shop.cashier._context, note)
    for pause in RETRY_PLAN:
        shop.clock.advance(pause)
        shop.cashier.apply_callbacks()

    assert states == [InboxState.NEW]
    assert shop.cashier.payment(payment).returned == payment.amount


def test_a_known_payment_is_found_though_its_object_has_no_name_of_ours() -> None:
    told = Told(Kind.CARD)
    shop = Shop(told=told)
    payment = shop.collect("told")
    [callback] = told.callbacks()
    notice = Notice(event_id="e", type="paid", reference=payment.reference, foreign=True)
    told.told = (notice,)

    shop.cashier.receive("told", callback)
    shop.cashier.apply_callbacks()

    assert [each.state for each in shop.cashier.callbacks()] == [InboxState.APPLIED]


def test_what_does_not_read_is_kept_as_failed_with_the_reason_and_holds_up_nobody() -> None:
    shop = Shop(told=Told())
    payment = shop.collect("told")
    back = Movement(movement_id="r-1", amount=usd("4.00"), kind=MovementKind.REFUND)
    whose = payment.reference
    fake = shop.fakes["told"]
    assert isinstance(fake, Told)
    fake.told = (
        Notice(event_id="e-1", type="refund", reference=whose, unreadable="of 4 galleons"),
        Notice(event_id="", type="", unreadable="no JSON"),
        Notice(event_id="e-2", type="refund", reference="of-others", unreadable="of 9 knuts"),
        Notice(event_id="e-3", type="refund", reference=whose, movements=(back,)),
    )

    replies = shop.deliver("told")
    shop.cashier.apply_callbacks()
    for pause in RETRY_PLAN:
        shop.clock.advance(pause)
        shop.cashier.apply_callbacks()

    assert {each.status for each in replies} == {200}
    of_others = (
        "it names the operation 'of-others', which is not in this ledger, and cannot be read "
        "(of 9 knuts)"
    )
    told = shop.cashier.callbacks(oldest_first=True)
    assert [(each.state, each.error) for each in told] == [
        (InboxState.FAILED, "of 4 galleons"),
        (InboxState.FAILED, "no JSON"),
        (InboxState.ORPHAN, of_others),
        (InboxState.APPLIED, ""),
    ]
    assert shop.cashier.payment(payment).returned == usd("4.00")
    assert shop.events().count("callback.failed") == 2
    replayed = shop.cashier.replay_callback(shop.cashier.callbacks(oldest_first=True)[0])
    assert (replayed.state, replayed.error) == (InboxState.FAILED, "of 4 galleons")


def test_a_dispute_that_is_told_with_its_end_is_booked_at_once() -> None:
    shop = Shop(told=Told())
    payment = shop.collect("told")
    [came] = shop.cashier.receipts(payment)
    taken = Movement(
        movement_id="dp-4",
        amount=usd("30.00"),
        kind=MovementKind.CHARGEBACK,
        undoes=came.movement_id,
    )
    back = replace(taken, kind=MovementKind.CHARGEBACK_WON, undoes="dp-4")
    fake = shop.fakes["told"]
    assert isinstance(fake, Told)
    whose = payment.reference
    fake.told = (Notice(event_id="e-1", type="won", reference=whose, movements=(taken, back)),)

    shop.deliver("told")
    shop.cashier.apply_callbacks()

    kinds = [each.kind for each in shop.cashier.receipts(payment)]
    assert kinds == [MovementKind.CHARGE, MovementKind.CHARGEBACK, MovementKind.CHARGEBACK_WON]
    assert shop.cashier.callbacks(state="applied")
    assert_sound(shop.cashier)


@pytest.mark.sqlite
def test_a_poisoned_callback_holds_up_nobody(shop: Shop) -> None:
    _, told = example(shop)
    shop.collect("card", no="B")
    shop.deliver("card")
    connection = sqlite_of(shop.cashier)._writer()
    connection.execute('UPDATE paygate_inbox SET notice = \'{"$": "Gibberish"}\'')
    shop.cashier.receive("page", told)

    [applied] = shop.cashier.apply_callbacks()
    assert applied.status is PaymentStatus.SUCCEEDED
    for pause in RETRY_PLAN:
        shop.clock.advance(pause)
        shop.cashier.apply_callbacks()

    [failed] = shop.cashier.callbacks(state=InboxState.FAILED)
    assert failed.error == "KeyError while it was applied"
    assert "callback.failed" in shop.events()


# --- What a callback may say ------------------------------------------------------------


def test_a_hint_makes_us_ask() -> None:
    terse = Terse(Kind.REDIRECT)
    terse.hints = True
    shop = Shop(terse=terse)
    payment = shop.collect("terse", None)
    terse.pay(payment.reference)
    shop.deliver("terse")

    shop.cashier.apply_callbacks()

    assert shop.cashier.payment(payment).received == usd("30.00")
    assert_sound(shop.cashier)


def test_a_hint_that_nobody_can_explain_now_is_asked_about_again() -> None:
    class Down(Terse):
        down = True

        def look_up(self, inquiry: Inquiry) -> Dialogue[Any]:
            if self.down:
                yield from ()
                return Unknown(reason="the processor is down")
            return (yield from super().look_up(inquiry))

    terse = Down(Kind.REDIRECT)
    terse.hints = True
    shop = Shop(terse=terse)
    payment = shop.collect("terse", None)
    terse.pay(payment.reference)
    shop.deliver("terse")
    shop.cashier.apply_callbacks()
    assert {each.error for each in shop.cashier.callbacks()} == {"the processor is down"}

    terse.down = False
    shop.clock.advance(minutes=1)
    shop.cashier.apply_callbacks()

    assert shop.cashier.payment(payment).status is PaymentStatus.SUCCEEDED


def test_what_moved_without_us_is_booked_on_the_payment(shop: Shop) -> None:
    payment = shop.collect()
    shop.card.dispute(payment.reference)
    shop.deliver("card")
    shop.cashier.apply_callbacks()

    disputed = shop.cashier.payment(payment)
    assert (disputed.disputed, disputed.returned) == (True, usd("30.00"))
    assert shop.cashier.invoice("A").open == usd("30.00")

    shop.card.win_dispute(payment.reference)
    shop.deliver("card")
    shop.cashier.apply_callbacks()

    won = shop.cashier.payment(payment)
    assert (won.disputed, won.received - won.returned) == (False, usd("30.00"))
    assert shop.cashier.invoice("A").open == usd("0.00")


@pytest.mark.parametrize("can_ask", [True, False])
def test_money_that_goes_back_waits_for_the_money_that_came(*, can_ask: bool) -> None:
    inquiry = InquiryBy.OUR_REF if can_ask else InquiryBy.NONE
    terse = Terse(Kind.REDIRECT, inquiry=inquiry)
    shop = Shop(terse=terse)
    payment = shop.collect("terse", None)
    terse.pay(payment.reference)
    terse.dispute(payment.reference)
    terse.win_dispute(payment.reference)
    for told in reversed(terse.callbacks()):
        shop.cashier.receive("terse", told)
        shop.cashier.apply_callbacks()
    shop.clock.advance(minutes=1)
    shop.cashier.apply_callbacks()
    shop.clock.advance(minutes=5)
    shop.cashier.apply_callbacks()

    end = shop.cashier.payment(payment)
    assert (end.status, end.received, end.returned) == (
        PaymentStatus.SUCCEEDED,
        usd("60.00"),
        usd("30.00"),
    )
    assert not end.disputed
    assert shop.cashier.invoice("A").open == usd("0.00")
    assert_sound(shop.cashier)


def test_a_return_of_what_never_came_ends_the_payment() -> None:
    told = Told(Kind.E_CHECK, inquiry=InquiryBy.NONE)
    shop = Shop(told=told)
    payment = shop.collect("told", "tok_bank")
    callback = told.callbacks()[-1]
    back = Movement(
        movement_id="m", kind=MovementKind.RETURN, amount=usd("30.00"), undoes="c", code="R01"
    )
    told.told = (Notice(event_id="e", type="t", reference=payment.reference, movements=(back,)),)
    shop.cashier.receive("told", callback)
    for pause in RETRY_PLAN:
        shop.cashier.apply_callbacks()
        shop.clock.advance(pause)
    shop.cashier.apply_callbacks()

    end = shop.cashier.payment(payment)
    assert (end.status, end.raw_code) == (PaymentStatus.DECLINED, "R01")
    assert shop.cashier.balance(PAYER) == {}
    assert_sound(shop.cashier)


def test_ready_completes_the_payment_whose_payer_lost_the_browser() -> None:
    page = FakeGateway(Kind.REDIRECT, habits=Habits(needs_complete=True))
    shop = Shop(ready=page)
    payment = shop.collect("ready", None)
    page.pay(payment.reference)
    shop.deliver("ready")

    shop.cashier.apply_callbacks()

    assert shop.cashier.payment(payment).received == usd("30.00")
    shop.deliver("ready")
    shop.cashier.apply_callbacks()
    assert {each.state for each in shop.cashier.callbacks()} == {InboxState.APPLIED}
    assert_sound(shop.cashier)


def test_ready_does_not_complete_what_another_payment_took_over() -> None:
    page = FakeGateway(Kind.REDIRECT, habits=Habits(needs_complete=True))
    shop = Shop(ready=page)
    payment = shop.collect("ready", None)
    page.pay(payment.reference)
    page.script("rejected_rate_limit", operation="withdraw")
    shop.cashier.collect("A", via="card", method="tok_visa", key="card", payer=PAYER)
    shop.deliver("ready")

    shop.cashier.apply_callbacks()

    after = shop.cashier.payment(payment)
    assert (after.superseded, after.received) == (True, usd("0.00"))
    assert page.journal == ()
    assert {each.state for each in shop.cashier.callbacks()} == {InboxState.APPLIED}


def test_ready_is_tried_again_when_the_completion_could_not_be_sent() -> None:
    page = FakeGateway(Kind.REDIRECT, habits=Habits(needs_complete=True))
    shop = Shop(ready=page)
    payment = shop.collect("ready", None)
    page.pay(payment.reference)
    shop.deliver("ready")
    page.script("unsent", operation="complete")

    shop.cashier.apply_callbacks()
    assert shop.cashier.payment(payment).status is PaymentStatus.REQUIRES_ACTION
    shop.clock.advance(minutes=1)
    shop.cashier.apply_callbacks()

    assert shop.cashier.payment(payment).received == usd("30.00")


# --- Answered ----------------------------------------------------------------------------


def kiosk() -> tuple[Shop, FakeGateway, Payment]:
    slip = FakeGateway(Kind.VOUCHER, callbacks=CallbackStyle.ANSWERED)
    shop = Shop(kiosk=slip)
    payment = shop.collect("kiosk", None)
    slip.callbacks()
    slip.pay(payment.reference)
    return shop, slip, payment


def test_an_answered_callback_is_applied_before_the_reply_which_says_so() -> None:
    shop, slip, payment = kiosk()
    [told] = slip.callbacks()

    reply = shop.cashier.receive("kiosk", told)

    assert json.loads(reply.body) == {"result": "booked"}
    assert shop.cashier.payment(payment).received == usd("30.00")
    assert_sound(shop.cashier)


def test_the_same_question_gets_the_same_bytes() -> None:
    shop, slip, _ = kiosk()
    [told] = slip.callbacks()
    reply = shop.cashier.receive("kiosk", told)
    end = shop.events()

    assert [shop.cashier.receive("kiosk", told) for _ in range(3)] == [reply] * 3
    assert shop.cashier.apply_callbacks() == []
    assert shop.events() == end


def test_a_kiosk_that_names_nothing_of_ours_hears_so_and_nothing_is_booked_later() -> None:
    shop, slip, _ = kiosk()
    [told] = slip.callbacks()
    other = Cashier.in_memory(gateways={"kiosk": slip}, clock=shop.clock)

    reply = other.receive("kiosk", told)

    assert (reply.status, json.loads(reply.body)) == (404, {"result": "unknown_reference"})
    assert [each.state for each in other.orphans()] == [InboxState.ORPHAN]
    assert other.receive("kiosk", told) == reply
    assert shop.cashier.receive("kiosk", told).status == 200


def test_a_kiosk_whose_word_is_a_hint_is_answered_after_we_asked() -> None:
    terse = Terse(Kind.VOUCHER, callbacks=CallbackStyle.ANSWERED)
    terse.hints = True
    shop = Shop(kiosk=terse)
    payment = shop.collect("kiosk", None)
    terse.callbacks()
    terse.pay(payment.reference)
    [told] = terse.callbacks()

    assert json.loads(shop.cashier.receive("kiosk", told).body) == {"result": Applied.BOOKED}


class Counter(FakeGateway):
    """A network of counters, which asks about a slip by its number before it takes cash."""

    def verify(self, callback: Callback) -> Dialogue[list[Notice]]:
        if callback.headers:
            return super().verify(callback)
        asked = callback.body.decode()
        return at_once([Notice(event_id=f"may {asked} be paid?", type="question", reference=asked)])


def counter(**given: Any) -> tuple[Shop, Counter, Payment]:
    slips = Counter(Kind.VOUCHER, callbacks=CallbackStyle.ANSWERED, **given)
    shop = Shop(slips=slips)
    payment = shop.collect("slips", None)
    slips.callbacks()
    return shop, slips, payment


def may_be_paid(shop: Shop, reference: str) -> tuple[int, str]:
    asked = Callback(
        method="POST", path="/", headers={}, body=reference.encode(), received_at=shop.clock.now()
    )
    reply = shop.cashier.receive("slips", asked)
    return reply.status, json.loads(reply.body)["result"]


def test_an_open_slip_may_be_paid_and_a_withdrawn_one_may_not() -> None:
    shop, _, payment = counter()

    before = may_be_paid(shop, payment.reference)
    again = may_be_paid(shop, payment.reference)
    shop.cashier.withdraw_page(payment)
    after = may_be_paid(shop, payment.reference)

    assert before == again == (200, Applied.OPEN)
    assert after == (410, Applied.WITHDRAWN)
    assert_sound(shop.cashier)


def test_a_slip_that_was_paid_is_not_paid_again() -> None:
    shop, slips, payment = counter()
    slips.pay(payment.reference)
    shop.deliver("slips")

    assert may_be_paid(shop, payment.reference) == (409, Applied.PAID)
    assert shop.cashier.payment(payment).received == usd("30.00")


def test_a_slip_whose_invoice_another_payment_took_over_may_not_be_paid() -> None:
    shop, _, payment = counter(withdrawable=False)
    shop.cashier.collect("A", via="card", method="tok_visa", key="other")

    assert may_be_paid(shop, payment.reference) == (410, Applied.WITHDRAWN)


def test_a_slip_that_ran_out_may_not_be_paid_though_nobody_has_noticed_yet() -> None:
    shop, _, payment = counter(inquiry=InquiryBy.NONE)
    shop.clock.advance(days=8)

    assert shop.cashier.payment(payment).status is PaymentStatus.REQUIRES_ACTION
    assert may_be_paid(shop, payment.reference) == (410, Applied.EXPIRED)


def test_a_slip_of_nobody_may_not_be_paid() -> None:
    shop, _, _ = counter()

    assert may_be_paid(shop, "slip_of_another") == (404, Applied.UNKNOWN_REFERENCE)


def test_several_notices_of_one_callback_are_all_applied() -> None:
    told = Told(Kind.CARD)
    shop = Shop(told=told)
    payment = shop.collect("told")
    [callback] = told.callbacks()
    back = [
        Movement(movement_id=f"m{number}", kind=MovementKind.REFUND, amount=usd("2.00"))
        for number in range(3)
    ]
    told.told = tuple(
        Notice(event_id="same", type="t", reference=payment.reference, movements=(movement,))
        for movement in back
    )
    shop.cashier.receive("told", callback)
    shop.cashier.receive("told", callback)

    shop.cashier.apply_callbacks()

    assert len(shop.cashier.callbacks()) == 3
    assert shop.cashier.payment(payment).returned == usd("6.00")
    assert_sound(shop.cashier)


# --- Any order ---------------------------------------------------------------------------


class Counted:
    """Ids that are the same in every run."""

    def __init__(self) -> None:
        self.last = 0

    def new(self, noun: str) -> str:
        self.last += 1
        return f"{noun}_{self.last:09}"


class Business:
    """Ten payments, each at the point where only callbacks can tell how it went on."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.fakes: dict[str, FakeGateway] = {
            kind.value: FakeGateway(kind, clock=self.clock)
            for kind in (Kind.CARD, Kind.E_CHECK, Kind.REDIRECT, Kind.VOUCHER)
        }
        self.fakes["terse"] = Terse(Kind.CARD, clock=self.clock)
        self.fakes["ready"] = FakeGateway(
            Kind.REDIRECT,
            clock=self.clock,
            habits=Habits(needs_complete=True),
            # The ledger is set back for each order, and then uses the same keys again.
            idempotency=NotIdempotent(),
        )
        self.cashier = Cashier.in_memory(gateways=self.fakes, clock=self.clock, ids=Counted())
        self.told: list[tuple[str, Callback]] = []
        self._live()
        self.start = sqlite3.connect(":memory:")
        sqlite_of(self.cashier)._writer().backup(self.start)
        self.then = self.clock.now()

    def _pay(self, number: int, via: str, token: str | None = None) -> Payment:
        self.cashier.issue(number=f"N{number}", customer=PAYER, total=usd("30"), due="2026-02-01")
        more: dict[str, Any] = {"return_url": BACK} if token is None else {"method": token}
        return self.cashier.collect(f"N{number}", via=via, key=f"k{number}", payer=PAYER, **more)

    def _live(self) -> None:
        pay, fakes = self._pay, self.fakes
        fakes["card"].script("unknown_executed")
        pay(1, "card", "tok_visa")
        won = pay(2, "card", "tok_visa").reference
        fakes["card"].dispute(won)
        fakes["card"].win_dispute(won)
        lost = pay(3, "terse", "tok_visa").reference
        fakes["terse"].dispute(lost, usd("12.00"))
        refunded = pay(4, "card", "tok_visa")
        fakes["card"].script("unknown_executed", operation="refund")
        self.cashier.refund(refunded, key="back", amount=usd("7.00"))
        pay(5, "e_check", "tok_bank")
        pay(6, "e_check", "tok_bank_unpaid_r01")
        pay(7, "e_check", "tok_bank")
        for number, via in ((8, "redirect"), (9, "voucher"), (10, "ready")):
            page = pay(number, via).reference
            if via == "redirect":
                fakes[via].decline_try(page)
            fakes[via].pay(page)
            if via == "voucher":
                fakes[via].pay(page, usd("5.00"))
        bounced = self.cashier.payments(oldest_first=True)[6].reference
        self.clock.advance(days=4)
        for fake in fakes.values():
            fake.advance()
        fakes["e_check"].return_check(bounced)
        self.told = [(via, told) for via, fake in fakes.items() for told in fake.callbacks()]

    def in_this_order(self, order: list[tuple[str, Callback]]) -> dict[str, list[Any]]:
        """Tell where the money stands after these callbacks, each applied as it comes."""
        self.start.backup(sqlite_of(self.cashier)._writer())
        for via, told in order:
            self.cashier.receive(via, told)
            self.cashier.apply_callbacks()
        for pause in RETRY_PLAN:
            if not self.cashier.callbacks(state="new", limit=1):
                break
            self.clock.advance(pause)
            self.cashier.apply_callbacks()
        assert self.cashier.callbacks(state="failed") == []
        return state_of(self.cashier)


# `nox -s orders` asks for many; in blocks, so that every core has some.
ORDERS = int(os.environ.get("PAYGATE_ORDERS") or "60")
BLOCK = 250


@pytest.mark.sqlite
@pytest.mark.parametrize("first", range(0, ORDERS, BLOCK))
def test_any_order_of_the_callbacks_of_ten_payments_gives_one_final_state(first: int) -> None:
    business = Business()
    assert len(business.cashier.payments()) == 10
    end = business.in_this_order(business.told)
    assert_sound(business.cashier)
    dice = random.Random(first)  # noqa: S311  (chance, and no secret)

    for turn in range(min(BLOCK, ORDERS - first)):
        order = [*business.told, *dice.choices(business.told, k=3)]
        dice.shuffle(order)
        assert business.in_this_order(order) == end, [told.body for _, told in order]
        if turn % 50 == 0:
            assert_sound(business.cashier)
    business.start.close()


# --- Crashes -----------------------------------------------------------------------------


def crash_world(folder: Path, style: CallbackStyle, *, ready: bool) -> tuple[World, list[Callback]]:
    world = World(folder)
    habits = Habits(needs_complete=ready)
    page = world.add("page", Kind.REDIRECT, callbacks=style, habits=habits)
    cashier = world.process()
    cashier.issue(number="A", customer=PAYER, total=usd("30.00"), due="2026-02-01")
    payment = cashier.collect("A", via="page", key="k", payer=PAYER, return_url=BACK)
    page.callbacks()
    page.pay(payment.reference)
    return world, page.callbacks()


@pytest.mark.parametrize("lost", [False, True], ids=["not done", "done, result lost"])
@pytest.mark.parametrize("ready", [False, True], ids=["paid", "ready"])
@pytest.mark.parametrize("style", [CallbackStyle.ACKNOWLEDGED, CallbackStyle.ANSWERED])
def test_a_callback_whose_taking_in_is_stopped_anywhere_is_booked_once(
    tmp_path: Path, style: CallbackStyle, *, ready: bool, lost: bool
) -> None:
    step = 0
    while True:
        step += 1
        folder = tmp_path / str(step)
        folder.mkdir()
        world, [told] = crash_world(folder, style, ready=ready)
        doomed = world.doomed(step, lost=lost)
        try:
            doomed.receive("page", told)
            doomed.apply_callbacks()
        except PowerCut:
            finished = False
        else:
            finished = True
        # The processor heard nothing, or not enough, and sends it again.
        cashier = world.process()
        cashier.receive("page", told)
        cashier.apply_callbacks()
        for pause in (LEASE, *RETRY_PLAN[:2]):
            world.clock.advance(pause)
            cashier.apply_callbacks()
            cashier.recover()

        assert_sound(cashier)
        assert_truth(world, cashier)
        [payment] = cashier.payments()
        assert (payment.status, payment.received) == (PaymentStatus.SUCCEEDED, usd("30.00"))
        assert {each.state for each in cashier.callbacks()} == {InboxState.APPLIED}
        world.close()
        if finished:
            break
    assert step > (5 if ready else 2)


def test_what_was_applied_is_not_due_again(shop: Shop) -> None:
    _, told = example(shop)
    shop.cashier.receive("page", told)

    assert len(shop.cashier.apply_callbacks()) == 1
    assert shop.cashier.apply_callbacks() == []


# --- Feeds -------------------------------------------------------------------------------


class Paged(FakeGateway):
    """A processor whose feed has one event a page, and stops where the test says."""

    broken_after = 1000

    def feed(self, cursor: str) -> Dialogue[FeedPage]:
        if int(cursor or 0) >= self.broken_after:
            raise BadResponse("the report is not there yet")
        page = yield from super().feed(cursor)
        after = int(cursor or 0) + len(page.notices[:1])
        more = len(page.notices) > 1 or page.more
        return FeedPage(notices=page.notices[:1], cursor=str(after), more=more)


def test_a_feed_tells_what_no_callback_told(shop: Shop) -> None:
    payment, _ = example(shop)

    assert shop.cashier.read_feeds().stored == 2
    assert shop.cashier.read_feeds().stored == 0
    shop.cashier.apply_callbacks()

    assert shop.cashier.payment(payment).received == usd("30.00")
    assert [stored.body for stored in shop.cashier.callbacks()] == [b"", b""]


def test_what_a_callback_told_a_feed_does_not_tell_again(shop: Shop) -> None:
    _, told = example(shop)
    shop.cashier.receive("page", told)

    assert shop.cashier.read_feeds().stored == 1


def test_recover_reads_a_feed_now_and_then(shop: Shop) -> None:
    payment, _ = example(shop)

    [told] = shop.cashier.recover()
    assert (told.id, told.status) == (payment.id, PaymentStatus.SUCCEEDED)
    shop.card.dispute(shop.collect(no="B").reference)
    assert shop.cashier.recover() == []
    shop.clock.advance(minutes=6)
    assert len(shop.cashier.recover()) == 1


def test_a_feed_that_is_broken_goes_on_where_it_stopped_and_holds_up_no_other(shop: Shop) -> None:
    paged = Paged(Kind.VOUCHER)
    shop = Shop(paged=paged)
    payment = shop.collect("paged", None)
    paged.pay(payment.reference)
    example_page = shop.collect("page", None, no="B")
    shop.page.pay(example_page.reference)
    paged.broken_after = 1

    read = shop.cashier.read_feeds()
    assert (read.stored, list(read.failed)) == (3, ["paged"])
    paged.broken_after = 1000
    assert shop.cashier.read_feeds().stored == 1
    shop.cashier.apply_callbacks()

    assert shop.cashier.payment(payment).received == usd("30.00")
    assert shop.cashier.payment(example_page).received == usd("30.00")


@pytest.mark.parametrize("lost", [False, True], ids=["not done", "done, result lost"])
def test_a_reader_that_is_stopped_anywhere_skips_nothing(tmp_path: Path, *, lost: bool) -> None:
    step = 0
    while True:
        step += 1
        folder = tmp_path / str(step)
        folder.mkdir()
        world = World(folder)
        page = Paged(Kind.REDIRECT, clock=world.clock)
        world.fakes["page"] = world.gateways["page"] = page
        cashier = world.process()
        cashier.issue(number="A", customer=PAYER, total=usd("30.00"), due="2026-02-01")
        payment = cashier.collect("A", via="page", key="k", payer=PAYER, return_url=BACK)
        page.pay(payment.reference)
        doomed = world.doomed(step, lost=lost)
        try:
            doomed.read_feeds()
        except PowerCut:
            finished = False
        else:
            finished = True
        world.clock.advance(minutes=6)
        cashier = world.process()
        cashier.read_feeds()
        cashier.apply_callbacks()

        assert len(cashier.callbacks()) == 2
        assert cashier.payment(payment).received == usd("30.00")
        assert_truth(world, cashier)
        world.close()
        if finished:
            break
    assert step == 8  # which feeds rest, the lease, two pages read and kept, the release, no more


# --- What came word for word ----------------------------------------------------------------

TOKEN = "tok_4711_of_a_stored_card"


@pytest.fixture
def carrier(tmp_path: Path) -> Iterator[tuple[World, Callback]]:
    """A ledger in a file, and a signed callback that carries a token in headers and body."""
    world = World(tmp_path)
    page = world.add("page", Kind.REDIRECT)
    cashier = world.process()
    cashier.issue(number="A", customer=PAYER, total=usd("30.00"), due="2026-02-01")
    payment = cashier.collect("A", via="page", key="k", payer=PAYER, return_url=BACK)
    page.callbacks()
    page.pay(payment.reference)
    [told] = page.callbacks()
    event = {**json.loads(told.body), "card": {"token": TOKEN}}
    [written] = signed_events([event], SIGNING_KEY, world.clock.now())
    written["headers"]["x-card"] = TOKEN
    yield world, read_written(written)
    world.close()


def open_under(world: World, *keys: bytes) -> Cashier:
    world.close()
    url = f"sqlite:///{world.folder / 'ledger.db'}"
    more: dict[str, Any] = {"token_keys": keys} if keys else {}
    cashier = Cashier.open(
        url, gateways=world.gateways, clock=world.clock, timing=world.timing, **more
    )
    world.running.append(cashier)
    return cashier


def bytes_on_disk(world: World) -> bytes:
    return b"".join(path.read_bytes() for path in world.folder.iterdir() if path.is_file())


@pytest.mark.parametrize("keyed", [True, False])
def test_a_token_in_a_callback_is_nowhere_on_the_disk(
    keyed: bool, carrier: tuple[World, Callback]
) -> None:
    world, told = carrier
    cashier = open_under(world, *([Fernet.generate_key()] if keyed else []))

    for _ in range(2):
        cashier.receive("page", told)
    assert TOKEN.encode() not in bytes_on_disk(world)
    [payment] = cashier.apply_callbacks()
    assert payment.received == usd("30.00")
    assert cashier.replay_callback(1).state is InboxState.APPLIED

    [stored] = cashier.callbacks()
    assert stored.body == (told.body if keyed else b"")
    assert stored.digest == hashlib.sha256(told.body).hexdigest()
    for spelled in (TOKEN.encode(), base64.b64encode(told.body)):
        assert spelled not in bytes_on_disk(world)
    world.close()  # which writes the log back into the file
    assert TOKEN.encode() not in bytes_on_disk(world)


def test_what_came_is_read_under_a_new_key_once_it_was_rotated(
    carrier: tuple[World, Callback],
) -> None:
    world, told = carrier
    old, new = Fernet.generate_key(), Fernet.generate_key()
    open_under(world, old).receive("page", told)

    def bodies(*keys: bytes) -> list[bytes]:
        return [stored.body for stored in open_under(world, *keys).callbacks()]

    assert bodies(new) == [b""]
    rotated = open_under(world, new, old).rotate_keys()
    assert (rotated.rotated, rotated.current) == (1, 0)
    assert bodies(new) == [told.body]
    assert bodies(old) == [b""]
    cashier = open_under(world, old)
    assert cashier.rotate_keys().rotated == 0  # what no key opens is left alone
    [payment] = cashier.apply_callbacks()
    assert payment.status is PaymentStatus.SUCCEEDED
    assert bodies(new) == [told.body]
