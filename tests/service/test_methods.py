"""Stored methods: enrolled, charged, forgotten; their tokens, which nobody ever sees."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from paygate import (
    AsyncCashier,
    Cashier,
    ChargeReason,
    Customer,
    Kind,
    Mandate,
    MethodRequest,
    Money,
    Payment,
    PaymentMethod,
    PaymentStatus,
    PostalAddress,
    Secret,
)
from paygate.dialogue import Dialogue, at_once
from paygate.domain.attempt import AttemptState
from paygate.domain.callback import InboxState
from paygate.domain.kind import Operation
from paygate.domain.mandate import MandateScope
from paygate.domain.method import StoredMethod
from paygate.domain.movement import Movement
from paygate.domain.outcome import Approved, Outcome, Unknown
from paygate.errors import (
    InvalidSettings,
    InvalidValue,
    KeyReused,
    MethodNotFound,
    MethodNotUsable,
    NotEnrollable,
    TokenKeysMissing,
    TokenUnreadable,
    Unsupported,
)
from paygate.gateway import (
    Callback,
    CallbackStyle,
    Charge,
    Enrollment,
    FeedPage,
    InquiryBy,
    Notice,
)
from paygate.testing import FakeClock, FakeGateway

KEY, OTHER_KEY = Fernet.generate_key().decode(), Fernet.generate_key().decode()
MANDATE = Mandate(
    text_version="autopay-3",
    accepted_at=datetime(2026, 1, 1, tzinfo=UTC),
    reference="M-17",
    ip="192.0.2.7",
    user_agent="Firefox",
)
BACK = "https://shop.example/back"
SOON = timedelta(minutes=3)


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


class Calls(FakeGateway):
    """A processor that calls each payer by a name of its own."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(Kind.CARD, clock=clock)
        self.charged: list[Charge] = []
        self.enrolled: list[Enrollment] = []
        self.calls = "cus_1"

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        self.charged.append(charge)
        return self._naming(super().charge(charge))

    def enroll(self, enrollment: Enrollment) -> Dialogue[Outcome]:
        self.enrolled.append(enrollment)
        return self._naming(super().enroll(enrollment))

    def _naming(self, dialogue: Dialogue[Outcome]) -> Dialogue[Outcome]:
        outcome = yield from dialogue
        if isinstance(outcome, Approved) and outcome.method is not None:
            kept = replace(outcome.method, customer_reference=self.calls)
            return replace(outcome, method=kept)
        return outcome


class Shop:
    """A shop with a ledger on disk, whose bytes can be read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.card = FakeGateway(Kind.CARD, clock=self.clock)
        self.page = FakeGateway(Kind.REDIRECT, clock=self.clock)
        self.running: list[Cashier] = []
        self.cashier = self.open()

    def open(self, *keys: str, url: str = "ledger.db", **gateways: Any) -> Cashier:
        made = Cashier.open(
            f"sqlite:///{self.folder / url}",
            gateways={"card": self.card, "page": self.page, **gateways},
            clock=self.clock,
            token_keys=keys or (KEY,),
        )
        self.running.append(made)
        return made

    def without_keys(self) -> Cashier:
        made = Cashier.open(
            f"sqlite:///{self.folder / 'ledger.db'}",
            gateways={"card": self.card},
            clock=self.clock,
        )
        self.running.append(made)
        return made

    def invoice(self, number: str = "A", customer: str = "C-1") -> str:
        self.cashier.issue(number=number, customer=customer, total=usd("30"), due="2026-02-01")
        return number

    def enroll(self, token: str = "tok_visa", key: str = "e", **more: Any) -> MethodRequest:
        return self.cashier.enroll("C-1", via="card", method=token, key=key, **more)

    def stored(self, token: str = "tok_visa", key: str = "e", **more: Any) -> PaymentMethod:
        method = self.enroll(token, key, **more).method
        assert method is not None
        return method

    def pay(self, method: PaymentMethod, number: str = "A", **more: Any) -> Payment:
        self.invoice(number)
        return self.cashier.collect(number, via="card", method=method, key=f"pay-{number}", **more)

    def recover(self, after: timedelta = SOON) -> None:
        self.clock.advance(after)
        self.cashier.recover()

    def events(self) -> list[str]:
        found = self.cashier.events(limit=1000)
        return [each.type for each in found if each.type.startswith("method.")]

    @property
    def tokens(self) -> dict[str, str]:
        """The processor's own list: tokens that it keeps, and what they behave like."""
        return self.card.processor._truth.methods


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    yield shop
    assert shop.cashier.fsck() == []
    for cashier in shop.running:
        cashier.close()


# --- Enrolling -------------------------------------------------------------------------


def test_a_one_time_token_becomes_a_stored_method(shop: Shop) -> None:
    change = shop.enroll()

    assert (change.state, change.operation) == (AttemptState.SUCCEEDED, Operation.ENROLL)
    [method] = shop.cashier.methods("C-1")
    assert change.method == method
    assert (method.brand, method.last4, method.kind) == ("visa", "4242", Kind.CARD)
    assert (method.expires, method.is_default) == (date(2099, 12, 31), True)
    assert shop.events() == ["method.stored"]


def test_the_same_key_stores_once_and_another_request_is_refused(shop: Shop) -> None:
    first, second = shop.enroll(), shop.enroll()

    assert first == second
    assert len(shop.tokens) == 1
    with pytest.raises(KeyReused):
        shop.enroll(mandate=MANDATE)


def test_the_method_of_a_payment_is_stored(shop: Shop) -> None:
    shop.invoice()
    payment = shop.cashier.collect("A", via="card", method="tok_visa", key="k")

    change = shop.cashier.enroll("C-1", via="card", key="e", from_payment=payment)

    assert change.method is not None
    assert shop.pay(change.method, "B").status is PaymentStatus.SUCCEEDED


def test_the_method_of_a_payment_that_did_not_go_through_is_not(shop: Shop) -> None:
    shop.invoice()
    payment = shop.cashier.collect("A", via="card", method="tok_declined", key="k")

    with pytest.raises(NotEnrollable) as refused:
        shop.cashier.enroll("C-1", via="card", key="e", from_payment=payment)
    assert refused.value.why == "not_paid"
    with pytest.raises(InvalidValue, match="is not C-2's"):
        shop.cashier.enroll("C-2", via="card", key="e", from_payment=payment)


def test_the_payer_enters_it_on_the_gateways_page(shop: Shop) -> None:
    change = shop.cashier.enroll("C-1", via="card", key="e", return_url=BACK)
    assert (change.state, change.method) == (AttemptState.REQUIRES_ACTION, None)
    assert change.action is not None

    shop.card.pay(change.reference)
    done = shop.cashier.inquire_method(change)

    assert done.state is AttemptState.SUCCEEDED
    assert shop.cashier.methods("C-1") == [done.method]
    assert shop.events() == ["method.requires_action", "method.stored"]


def test_a_page_that_nobody_fills_in_expires(shop: Shop) -> None:
    change = shop.cashier.enroll("C-1", via="card", key="e", return_url=BACK)

    shop.recover(timedelta(hours=7))

    assert shop.cashier.inquire_method(change).state is AttemptState.EXPIRED
    assert shop.cashier.methods("C-1") == []


def test_a_payment_stores_its_method_where_that_is_asked(shop: Shop) -> None:
    shop.invoice()

    payment = shop.cashier.collect(
        "A", via="card", method="tok_visa", key="k", save_method=True, mandate=MANDATE
    )

    [method] = shop.cashier.methods("C-1")
    assert payment.method is None or payment.method == method.id
    assert shop.cashier.payment(payment).method == method.id
    mandate = shop.cashier.mandate(method)
    assert mandate is not None
    assert mandate == replace(MANDATE, id=mandate.id, first_amount=usd("30"), actor="host")
    shop.invoice("B")
    shop.cashier.collect("B", via="card", method="tok_visa", key="l")
    assert shop.cashier.methods("C-1") == [method]


def test_a_declined_payment_stores_nothing(shop: Shop) -> None:
    shop.invoice()

    shop.cashier.collect("A", via="card", method="tok_declined", key="k", save_method=True)

    assert shop.cashier.methods("C-1") == []


def test_an_authorisation_and_a_challenge_store_it_as_well(shop: Shop) -> None:
    shop.invoice("A")
    shop.invoice("B")
    shop.cashier.authorize("A", via="card", method="tok_visa", key="a", save_method=True)
    waits = shop.cashier.collect("B", via="card", method="tok_action", key="b", save_method=True)

    assert len(shop.cashier.methods("C-1")) == 1
    shop.card.pay(waits.reference)
    shop.cashier.inquire(waits)

    assert len(shop.cashier.methods("C-1")) == 2


def test_a_lost_answer_is_no_lost_card(shop: Shop) -> None:
    change = shop.enroll("tok_unknown_executed")
    assert (change.state, change.method) == (AttemptState.UNKNOWN, None)

    shop.recover()

    [method] = shop.cashier.methods("C-1")
    assert shop.enroll("tok_unknown_executed").method == method
    assert len(shop.tokens) == 1


def test_a_token_that_never_arrived_ends_as_failed(shop: Shop) -> None:
    change = shop.enroll("tok_unknown_lost")

    for _ in range(4):
        shop.recover(timedelta(minutes=20))

    done = shop.cashier.inquire_method(change)
    assert (done.state, done.code, done.retryable) == (AttemptState.FAILED, "not_found", True)
    assert shop.events() == ["method.unknown", "method.not_stored"]


def test_a_page_that_was_never_asked_for_is_asked_for_again(shop: Shop) -> None:
    shop.card.script("unknown_lost", operation="enroll")
    change = shop.cashier.enroll("C-1", via="card", key="e", return_url=BACK)
    assert change.state is AttemptState.UNKNOWN

    shop.recover()

    assert shop.cashier.inquire_method(change).state is AttemptState.REQUIRES_ACTION


def test_an_approval_that_does_not_say_what_it_stored_is_no_approval(shop: Shop) -> None:
    from paygate.domain.outcome import Approved

    class Silent(FakeGateway):
        def enroll(self, enrollment: Any) -> Any:
            answer = yield from super().enroll(enrollment)
            return Approved(reference=answer.reference)

        look_up = None  # type: ignore[assignment]

    silent = Silent(clock=shop.clock)
    cashier = shop.open(url="other.db", silent=silent)

    change = cashier.enroll("C-1", via="silent", method="tok_visa", key="e")

    assert change.state is AttemptState.UNKNOWN
    assert "without returning the stored method" in change.reason


class Generous(FakeGateway):
    """A gateway that tells of money when it stores or deletes a method."""

    says: Any = None

    def enroll(self, enrollment: Any) -> Any:
        answer = yield from super().enroll(enrollment)
        return self._with_money(answer)

    def forget(self, forgetting: Any) -> Any:
        answer = yield from super().forget(forgetting)
        return self._with_money(answer)

    def look_up(self, _: Any) -> Any:
        yield from ()
        return Unknown(reason="?")

    def _with_money(self, answer: Any) -> Any:
        if not self.says:
            return answer
        return replace(answer, movements=(Movement(movement_id="m-8", amount=usd("8")),))


@pytest.mark.parametrize("operation", [Operation.ENROLL, Operation.FORGET])
def test_an_approval_that_tells_of_money_is_a_fault_and_can_be_resolved(
    operation: Operation, shop: Shop
) -> None:
    gateway = Generous(clock=shop.clock)
    cashier = shop.open(url="other.db", generous=gateway)
    stored = StoredMethod(token=Secret("tok-8"), kind=Kind.CARD)
    if operation is Operation.ENROLL:
        gateway.says = True
        change = cashier.enroll("C-1", via="generous", method="tok_visa", key="e")
    else:
        method = cashier.enroll("C-1", via="generous", method="tok_visa", key="e").method
        assert method is not None
        gateway.says = True
        change = cashier.forget_method(method, key="f")

    assert (change.state, change.needs_review) == (AttemptState.UNKNOWN, True)
    assert [each.id for each in cashier.method_changes(needs_review=True)] == [change.id]
    done = cashier.resolve_method(change, Approved(method=stored), evidence="their dashboard")
    assert (done.state, done.needs_review) == (AttemptState.SUCCEEDED, False)
    assert cashier.method_changes(needs_review=True) == []
    assert cashier.fsck() == []


@pytest.mark.parametrize("ended", [False, True])
def test_a_notice_that_tells_of_money_leaves_no_ended_change_under_review(
    ended: bool, shop: Shop
) -> None:
    if not ended:
        shop.card.script("unknown_executed", operation="enroll")
    change = shop.enroll()
    answer = Approved(movements=(Movement(movement_id="m-8", amount=usd("8")),))
    notice = Notice(event_id="e-8", type="t", our_ref=change.id, answer=answer)
    page = FeedPage(notices=(notice,), cursor="1", more=False)
    card: Any = shop.card
    card.feed = lambda *_: at_once(page)

    cashier = shop.open()
    cashier.read_feeds()
    cashier.apply_callbacks()

    changes = cashier.method_changes()
    assert [each.id for each in changes] == [change.id]
    assert not any(each.needs_review for each in changes if each.state.final)
    assert len(cashier.method_changes(needs_review=True)) == sum(e.needs_review for e in changes)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, "pass what to store"),
        ({"method": "tok_visa", "from_payment": "pay_1"}, "pass what to store"),
    ],
)
def test_one_thing_is_stored_at_a_time(shop: Shop, more: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidValue, match=says):
        shop.cashier.enroll("C-1", via="card", key="e", **more)


def test_a_rail_that_needs_the_payer_cannot_be_for_automatic_use(shop: Shop) -> None:
    with pytest.raises(NotEnrollable) as refused:
        shop.cashier.enroll("C-1", via="page", key="e", return_url=BACK, mandate=MANDATE)
    assert refused.value.why == "payer_present"

    with pytest.raises(Unsupported):
        shop.cashier.enroll("C-1", via="page", key="e", return_url=BACK)


def test_a_mandate_is_kept_as_it_was_given(shop: Shop) -> None:
    wide = replace(MANDATE, scope=MandateScope.FUTURE_AND_PENDING)
    method = shop.stored(mandate=wide)

    kept = shop.cashier.mandate(method)

    assert kept is not None
    assert kept == replace(wide, id=kept.id, actor="host")
    assert shop.cashier.mandate(shop.stored(key="f")) is None


# --- Charging ---------------------------------------------------------------------------


def test_a_stored_method_pays(shop: Shop) -> None:
    method = shop.stored()

    payment = shop.pay(method)

    assert (payment.status, payment.method) == (PaymentStatus.SUCCEEDED, method.id)
    assert shop.pay(method).id == payment.id


def test_a_stored_method_pays_without_the_payer_by_mandate_only(shop: Shop) -> None:
    method = shop.stored()
    with pytest.raises(MethodNotUsable) as refused:
        shop.pay(method, payer_present=False)
    assert refused.value.why == "no_mandate"

    allowed = shop.stored(key="f", mandate=MANDATE)
    payment = shop.pay(allowed, payer_present=False)

    assert (payment.status, payment.mandate) == (PaymentStatus.SUCCEEDED, allowed.mandate)
    with pytest.raises(InvalidValue, match="only a stored method"):
        shop.cashier.collect("A", via="card", method="tok_visa", key="z", payer_present=False)


def test_somebody_elses_method_does_not_pay(shop: Shop) -> None:
    method = shop.stored()
    shop.invoice("X", customer="C-2")

    with pytest.raises(MethodNotUsable) as refused:
        shop.cashier.collect("X", via="card", method=method, key="x")
    paid = shop.cashier.collect("X", via="card", method=method, key="x", payer=Customer("C-1"))

    assert refused.value.why == "of_another"
    assert "of customer C-1" in refused.value.message
    assert "cannot pay for C-2" in refused.value.message
    assert paid.status is PaymentStatus.SUCCEEDED


def test_a_method_of_another_account_does_not_pay(shop: Shop) -> None:
    method = shop.stored()
    shop.invoice()

    with pytest.raises(MethodNotUsable, match="cannot be charged via 'page'"):
        shop.cashier.collect("A", via="page", method=method, key="x", return_url=BACK)


def test_an_expired_method_does_not_pay(shop: Shop) -> None:
    method = shop.stored()
    shop.clock.advance(days=366 * 80)

    with pytest.raises(MethodNotUsable) as refused:
        shop.pay(method)
    assert refused.value.why == "expired"


def test_a_stored_charge_is_sent_again_under_the_same_key(shop: Shop) -> None:
    method = shop.stored()
    shop.card.script("unknown_lost", operation="charge")
    payment = shop.pay(method)
    assert payment.status is PaymentStatus.UNKNOWN

    shop.recover()

    assert shop.cashier.payment(payment).status is PaymentStatus.SUCCEEDED
    assert shop.card.moved("USD") == usd("30")


def test_a_charge_is_not_sent_again_when_its_method_was_forgotten(shop: Shop) -> None:
    method = shop.stored()
    shop.card.script("unknown_lost", operation="charge")
    payment = shop.pay(method)
    shop.cashier.forget_method(method, key="f")

    for _ in range(3):
        shop.recover(timedelta(minutes=20))

    ended = shop.cashier.payment(payment)
    assert (ended.status, ended.code) == (PaymentStatus.FAILED, "not_found")
    assert shop.card.moved("USD") == usd("0")


def test_a_charge_is_not_sent_again_where_the_keys_are_missing(shop: Shop) -> None:
    method = shop.stored()
    shop.card.script("unknown_lost", operation="charge")
    payment = shop.pay(method)

    shop.clock.advance(SOON)
    shop.without_keys().recover()

    assert shop.cashier.payment(payment).status is PaymentStatus.UNKNOWN
    shop.recover()
    assert shop.cashier.payment(payment).status is PaymentStatus.SUCCEEDED


# --- Default and forgotten ----------------------------------------------------------------


def test_one_method_is_the_default(shop: Shop) -> None:
    first, second = shop.stored(), shop.stored(key="f")
    assert (first.is_default, second.is_default) == (True, False)

    shop.cashier.set_default_method(second)

    assert [each.is_default for each in shop.cashier.methods("C-1")] == [True, False]
    assert shop.events()[-1] == "method.default_set"


def test_what_is_forgotten_is_not_charged_and_deleted_at_the_gateway(shop: Shop) -> None:
    method = shop.stored()

    done = shop.cashier.forget_method(method, key="f")

    assert (done.operation, done.state) == (Operation.FORGET, AttemptState.SUCCEEDED)
    assert shop.cashier.methods("C-1") == []
    assert list(shop.tokens.values()) == [""]
    assert shop.cashier.method(method.id).forgotten_at is not None
    with pytest.raises(MethodNotUsable) as refused:
        shop.pay(method)
    assert refused.value.why == "forgotten"
    with pytest.raises(MethodNotUsable):
        shop.cashier.set_default_method(method)
    assert shop.events() == ["method.stored", "method.forgotten", "method.deleted"]


class Keeping:
    """A processor that stores methods, and has no way to delete one."""

    def __init__(self, gateway: FakeGateway) -> None:
        self._gateway = gateway
        self.name = gateway.name
        rails = {
            kind: replace(rail, operations=rail.operations & {Operation.CHARGE, Operation.ENROLL})
            for kind, rail in gateway.traits.rails.items()
        }
        self.traits = replace(
            gateway.traits,
            rails=rails,
            callbacks=CallbackStyle.NONE,
            inquiry=InquiryBy.NONE,
        )
        self.charge, self.enroll, self.answer = gateway.charge, gateway.enroll, gateway.answer


def test_what_a_processor_cannot_delete_is_forgotten_here(shop: Shop) -> None:
    cashier = shop.open(KEY, card=Keeping(shop.card))
    method = shop.stored()

    done = cashier.forget_method(method, key="f")

    assert (done.operation, done.state) == (Operation.FORGET, AttemptState.SUCCEEDED)
    assert list(shop.tokens.values()) == ["tok_visa"]
    assert cashier.methods("C-1") == []
    with pytest.raises(MethodNotUsable):
        shop.pay(method)


def test_to_forget_twice_is_harmless(shop: Shop) -> None:
    method = shop.stored()

    first = shop.cashier.forget_method(method, key="f")

    assert shop.cashier.forget_method(method, key="f") == first
    assert shop.cashier.forget_method(method.id, key="g") == first
    with pytest.raises(MethodNotFound):
        shop.cashier.forget_method("met_0", key="h")


@pytest.mark.parametrize("fault", ["unsent", "unknown_lost", "unknown_executed", "500"])
def test_a_deletion_is_tried_until_it_is_done(shop: Shop, fault: str) -> None:
    method = shop.stored()
    shop.card.script(fault, operation="forget")

    change = shop.cashier.forget_method(method, key="f")
    assert change.state is AttemptState.UNKNOWN
    assert shop.cashier.methods("C-1") == []
    for _ in range(4):
        shop.recover(timedelta(hours=30))

    assert shop.cashier.inquire_method(change).state is AttemptState.SUCCEEDED
    assert list(shop.tokens.values()) == [""]


def test_a_deletion_that_fails_again_and_again_is_tried_ever_more_seldom(shop: Shop) -> None:
    """A processor may keep its server error under our key, and give the same one for a day."""
    method = shop.stored()
    shop.card.script(*["500"] * 40, operation="forget")
    change = shop.cashier.forget_method(method, key="f")

    waited = SOON
    tried = 40 - shop.card.processor.script.left
    while waited < timedelta(hours=24):
        shop.recover(SOON)
        waited += SOON

    assert shop.cashier.inquire_method(change).state is AttemptState.UNKNOWN
    assert 40 - shop.card.processor.script.left - tried < 10


def test_a_deletion_that_is_refused_for_good_can_be_tried_anew(shop: Shop) -> None:
    method = shop.stored()
    shop.card.script("rejected_credentials", operation="forget")

    failed = shop.cashier.forget_method(method, key="f")
    done = shop.cashier.forget_method(method, key="g")

    assert (failed.state, done.state) == (AttemptState.FAILED, AttemptState.SUCCEEDED)
    assert shop.events()[2:] == ["method.delete_failed", "method.deleted"]


def test_what_the_gateway_has_not_is_deleted(shop: Shop) -> None:
    method = shop.stored()
    shop.card.script("rejected_method_gone", operation="forget")

    assert shop.cashier.forget_method(method, key="f").state is AttemptState.SUCCEEDED


# --- Keys ---------------------------------------------------------------------------------


def test_without_keys_nothing_is_stored_and_nothing_sent(shop: Shop) -> None:
    cashier = shop.without_keys()
    shop.invoice()

    with pytest.raises(TokenKeysMissing):
        cashier.enroll("C-1", via="card", method="tok_visa", key="e")
    with pytest.raises(TokenKeysMissing):
        cashier.collect("A", via="card", method="tok_visa", key="k", save_method=True)

    assert shop.tokens == {}
    assert cashier.payments() == []


def test_a_card_that_was_stored_meanwhile_waits_for_the_keys(shop: Shop) -> None:
    shop.enroll("tok_unknown_executed")

    shop.clock.advance(SOON)
    shop.without_keys().recover()
    assert shop.cashier.methods("C-1") == []

    shop.recover(timedelta(hours=1))
    assert len(shop.cashier.methods("C-1")) == 1


def test_money_is_booked_though_its_method_cannot_be_kept(shop: Shop) -> None:
    shop.invoice()
    payment = shop.cashier.collect(
        "A", via="card", method="tok_unknown_executed", key="k", save_method=True
    )

    shop.clock.advance(SOON)
    shop.without_keys().recover()

    assert shop.cashier.payment(payment).status is PaymentStatus.SUCCEEDED
    assert shop.cashier.methods("C-1") == []
    assert "payment.alert" in [event.type for event in shop.cashier.events(limit=100)]


@pytest.mark.parametrize("bad", ["", "short", "not base64 at all!", "c2hvcnRlciB0aGFuIDMyIGJ5dGVz"])
def test_a_key_that_is_none_is_refused_at_once(shop: Shop, bad: str) -> None:
    with pytest.raises(InvalidSettings, match="token key 2") as refused:
        Cashier.in_memory(token_keys=[KEY, bad])
    assert KEY not in str(refused.value)
    if bad:
        assert bad not in str(refused.value)
    with pytest.raises(InvalidSettings, match="empty"):
        Cashier.in_memory(token_keys=[])


def test_another_key_does_not_open_it(shop: Shop) -> None:
    method = shop.stored()
    cashier = shop.open(OTHER_KEY)
    shop.invoice()

    def calls() -> Iterator[Callable[[], object]]:
        yield lambda: cashier.collect("A", via="card", method=method, key="k")
        yield lambda: cashier.forget_method(method, key="f")
        yield cashier.rotate_keys

    for call in calls():
        with pytest.raises(TokenUnreadable) as refused:
            call()
        assert refused.value.method == method.id
    assert cashier.payments() == []
    assert cashier.method(method.id).forgotten_at is None


def test_a_rotation_puts_all_under_the_first_key(shop: Shop) -> None:
    methods = [shop.stored(key=f"e-{number}") for number in range(3)]
    both = shop.open(OTHER_KEY, KEY)

    first, second = both.rotate_keys(), both.rotate_keys()

    assert (first.rotated, first.current) == (3, 0)
    assert (second.rotated, second.current) == (0, 3)
    shop.cashier = shop.open(OTHER_KEY)
    assert shop.pay(methods[0]).status is PaymentStatus.SUCCEEDED
    with pytest.raises(TokenUnreadable):
        shop.open(KEY).forget_method(methods[1], key="f")


def test_a_rotation_goes_on_where_it_stopped(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    from paygate.service import enroll

    monkeypatch.setattr(enroll, "_PAGE", 2)
    for number in range(5):
        shop.stored(key=f"e-{number}")
    both = shop.open(OTHER_KEY, KEY)
    flow = enroll.rotate()
    step: Any = next(flow)
    both._do(step)
    flow.close()

    done = both.rotate_keys()

    assert (done.rotated, done.current) == (3, 2)


@pytest.mark.sqlite
def test_a_token_in_another_row_does_not_open(shop: Shop) -> None:
    import sqlite3

    mine, theirs = shop.stored(), shop.stored(key="f")
    with sqlite3.connect(shop.folder / "ledger.db") as connection:
        connection.execute(
            "UPDATE paygate_method SET token_encrypted = (SELECT token_encrypted FROM "
            "paygate_method WHERE id = ?) WHERE id = ?",
            (theirs.id, mine.id),
        )
    connection.close()

    with pytest.raises(TokenUnreadable, match="belongs to another method"):
        shop.pay(mine)


def test_the_token_shows_nowhere(
    shop: Shop, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[object] = []
    method = shop.stored(mandate=MANDATE)
    seen += [method, shop.pay(method), shop.cashier._context, shop.cashier.methods("C-1")]
    shop.card.script("declined", operation="charge")
    seen.append(shop.pay(method, "B"))
    shop.card.script("unknown_lost", operation="charge")
    seen.append(shop.pay(method, "D"))
    shop.recover()
    seen.append(shop.cashier.forget_method(method, key="f"))
    seen += shop.cashier.events(limit=1000)
    seen += [shop.cashier.history(payment) for payment in shop.cashier.payments()]

    [token] = shop.tokens
    told = capsys.readouterr()
    texts = [repr(seen), caplog.text, told.out, told.err]
    files = [path.read_bytes() for path in shop.folder.iterdir()]

    for secret in (token, KEY, "tok_visa"):
        assert not any(secret in text for text in texts)
        assert not any(secret.encode() in content for content in files)


def test_the_token_is_taken_out_of_what_a_processor_repeats(shop: Shop) -> None:
    from paygate.domain.outcome import DeclineCode, Declined

    class Telltale(FakeGateway):
        def charge(self, charge: Any) -> Any:
            yield from super().charge(charge)
            text = f"no luck with {charge.method.value.reveal()}"
            return Declined(code=DeclineCode.GENERIC, raw_code="05", retryable=True, message=text)

    cashier = shop.open(url="other.db", card=Telltale(clock=shop.clock))
    method = cashier.enroll("C-1", via="card", method="tok_visa", key="e").method
    cashier.issue(number="A", customer="C-1", total=usd("30"), due="2026-02-01")

    payment = cashier.collect("A", via="card", method=method, key="k")

    assert payment.reason == "no luck with ••••"


def test_keys_may_be_secrets_and_bytes() -> None:
    for key in (KEY, KEY.encode(), Secret(KEY)):
        with Cashier.in_memory(gateways={"card": FakeGateway()}, token_keys=[key]) as cashier:
            done = cashier.enroll("C-1", via="card", method="tok_visa", key="e")
            assert done.state is AttemptState.SUCCEEDED


async def test_the_async_face_has_the_same_verbs() -> None:
    gateways = {"card": FakeGateway()}
    async with AsyncCashier.in_memory(gateways=gateways, token_keys=[KEY]) as cashier:
        change = await cashier.enroll("C-1", via="card", method="tok_visa", key="e")
        assert change.method is not None
        assert (await cashier.rotate_keys()).current == 1
        done = await cashier.forget_method(change.method, key="f")

    assert done.state is AttemptState.SUCCEEDED


# --- Callbacks ------------------------------------------------------------------------------


def test_a_callback_tells_that_the_page_was_filled_in(shop: Shop) -> None:
    change = shop.cashier.enroll("C-1", via="card", key="e", return_url=BACK)
    shop.card.pay(change.reference)

    for callback in shop.card.callbacks():
        shop.cashier.receive("card", callback)
    shop.cashier.recover()

    assert len(shop.cashier.methods("C-1")) == 1
    assert shop.cashier.orphans() == []


class Terse(FakeGateway):
    """A gateway that tells that something happened, and only if it is asked, what."""

    def verify(self, callback: Callback) -> Any:
        (notice,) = yield from super().verify(callback)
        return [replace(notice, answer=None)]


@pytest.mark.parametrize("driver", [FakeGateway, Terse])
def test_an_answered_callback_about_a_method_is_applied_before_the_reply(
    driver: type[FakeGateway],
) -> None:
    card = driver(callbacks=CallbackStyle.ANSWERED)
    with Cashier.in_memory(gateways={"card": card}, token_keys=[KEY]) as cashier:
        change = cashier.enroll("C-1", via="card", key="e", return_url=BACK)
        card.callbacks()
        card.pay(change.reference)
        [told] = card.callbacks()

        reply = cashier.receive("card", told)

        assert json.loads(reply.body) == {"result": "booked"}
        assert [method.last4 for method in cashier.methods("C-1")] == ["4242"]
        assert cashier.receive("card", told) == reply
        assert (cashier.orphans(), cashier.apply_callbacks()) == ([], [])
        [kept] = cashier.callbacks()
        assert kept.state is InboxState.APPLIED
        [method] = cashier.methods("C-1")
        paid = cashier.top_up("C-1", usd("5"), via="card", method=method, key="t")
        assert paid.status is PaymentStatus.SUCCEEDED


def test_an_answered_callback_that_a_method_was_refused_is_applied() -> None:
    card = FakeGateway(callbacks=CallbackStyle.ANSWERED)
    with Cashier.in_memory(gateways={"card": card}, token_keys=[KEY]) as cashier:
        change = cashier.enroll("C-1", via="card", key="e", return_url=BACK)
        card.callbacks()
        card.cancel(change.reference)
        [told] = card.callbacks()

        reply = cashier.receive("card", told)

        assert json.loads(reply.body) == {"result": "booked"}
        assert cashier.method_changes(oldest_first=True)[0].state is AttemptState.CANCELED
        assert cashier.methods("C-1") == []


def test_a_callback_that_is_faster_than_we_does_not_lose_the_method(shop: Shop) -> None:
    shop.invoice()
    waits = shop.cashier.collect("A", via="card", method="tok_action", key="k", save_method=True)
    shop.card.pay(waits.reference)

    for callback in shop.card.callbacks():
        shop.cashier.receive("card", callback)
    shop.cashier.recover()

    paid = shop.cashier.payment(waits)
    assert paid.status is PaymentStatus.SUCCEEDED
    assert [method.id for method in shop.cashier.methods("C-1")] == [paid.method]


def test_a_page_that_stores_nothing_says_what_its_traits_lack(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.invoice("A")

    with pytest.raises(Unsupported, match="traits do not offer enroll for redirect") as refused:
        shop.cashier.collect("A", via="page", key="p", return_url=BACK, save_method=True)

    assert "with enroll" in str(refused.value)
    assert shop.cashier.payments() == []


# --- What the processor calls a customer, and what a host says of a charge -------------------


def test_the_processors_name_of_a_customer_is_kept_for_the_account(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    calls = Calls(shop.clock)
    other = Calls(shop.clock)
    shop.cashier = shop.open(calls=calls, other=other)
    first = shop.cashier.enroll("C-1", via="calls", method="tok_visa", key="e1", currency="USD")
    calls.calls = "cus_2"

    shop.cashier.enroll("C-1", via="calls", method="tok_amex", key="e2")
    shop.cashier.enroll("C-2", via="calls", method="tok_visa", key="e3")
    shop.cashier.enroll("C-1", via="other", method="tok_visa", key="e4")
    shop.invoice("A")
    shop.cashier.collect("A", via="calls", method="tok_visa", key="p", save_method=True)

    assert first.method is not None
    assert [(each.currency, each.customer_reference) for each in calls.enrolled] == [
        ("USD", ""),
        ("", "cus_1"),
        ("", ""),
    ]
    assert [each.customer_reference for each in other.enrolled] == [""]
    assert [each.customer_reference for each in calls.charged] == ["cus_2"]


def test_what_a_host_says_of_a_charge_reaches_the_driver_also_when_it_is_sent_again(
    tmp_path: Path,
) -> None:
    shop = Shop(tmp_path)
    calls = Calls(shop.clock)
    shop.cashier = shop.open(calls=calls)
    stored = shop.cashier.enroll("C-1", via="calls", method="tok_visa", key="e", mandate=MANDATE)
    assert stored.method is not None
    shop.invoice("A")
    shop.invoice("B")
    calls.script("unknown_lost", operation="charge")

    shop.cashier.collect(
        ["A", "B"],
        via="calls",
        method=stored.method,
        key="p",
        payer_present=False,
        reason="recurring",
        statement_suffix="ROW 12",
        receipt_email="desk@club.example",
        metadata={"boat": "Ida"},
        ship_to=Customer("C-9", name="Bo", address=PostalAddress(line1="Pier 4", country="CH")),
        moto=True,
    )
    shop.recover()

    first, again = calls.charged
    assert replace(again, asked_at=first.asked_at) == first
    assert first.reason is ChargeReason.RECURRING
    assert [(line.reference, line.amount) for line in first.lines] == [
        ("A", usd("30")),
        ("B", usd("30")),
    ]
    assert (first.statement_suffix, first.receipt_email) == ("ROW 12", "desk@club.example")
    assert first.metadata == {"boat": "Ida"}
    assert first.ship_to is not None
    assert (first.ship_to.name, first.ship_to.address.line1, first.moto) == ("Bo", "Pier 4", True)


def test_what_credit_pays_has_no_line_at_the_gateway(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    calls = Calls(shop.clock)
    shop.cashier = shop.open(calls=calls)
    shop.invoice("A")
    shop.invoice("B")
    shop.cashier.top_up("C-1", usd("40"), via="calls", method="tok_visa", key="t")

    shop.cashier.collect(["A", "B"], via="calls", method="tok_visa", key="p", credit=usd("40"))

    assert [[(each.reference, each.amount) for each in one.lines] for one in calls.charged] == [
        [],
        [("B", usd("20"))],
    ]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"reason": "often"}, "reason must be one of recurring"),
        ({"metadata": {"paygate_attempt": "x"}}, "must not begin with 'paygate'"),
        ({"metadata": {"": "x"}}, "1 to 40"),
        ({"metadata": {"a[b": "x"}}, "brackets"),
        ({"metadata": {str(each): "x" for each in range(21)}}, "at most 20"),
        ({"metadata": {"a": "x" * 501}}, "at most 500"),
        ({"metadata": {"a": 5}}, "texts by name"),
        ({"statement_suffix": "x" * 23}, "at most 22"),
        ({"statement_suffix": "ROW*12"}, "none of"),
        ({"receipt_email": 5}, "receipt_email must be text"),
        ({"ship_to": "Bo, Pier 4"}, "ship_to must be a Customer"),
        ({"moto": "yes"}, "moto must be True or False"),
    ],
)
def test_what_no_processor_could_keep_is_refused_before_anything_is_stored(
    tmp_path: Path, given: dict[str, Any], says: str
) -> None:
    shop = Shop(tmp_path)
    shop.invoice("A")

    with pytest.raises(InvalidValue, match=says):
        shop.cashier.collect("A", via="card", method="tok_visa", key="p", **given)

    assert shop.cashier.payments() == []
