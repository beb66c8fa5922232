"""What a driver returns or raises that the protocol does not know harms nobody."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any

import pytest

from paygate import Cashier, Money
from paygate.dialogue import Note, Request, at_once
from paygate.domain.action import ApproveElsewhere, PayToAddress, Redirect, ShowCode, ShowVoucher
from paygate.domain.attempt import AttemptState
from paygate.domain.card_checks import CardCheck, CardChecks
from paygate.domain.chargeback import Dispute, DisputeState
from paygate.domain.kind import Kind
from paygate.domain.method import StoredMethod
from paygate.domain.movement import Movement
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Authorized,
    DeclineCode,
    Declined,
    Ended,
    NotFound,
    Pending,
    Rejected,
    Unknown,
    Unsent,
)
from paygate.domain.payment import Payment, PaymentStatus
from paygate.domain.secret import Secret
from paygate.gateway import AccountFacts, Callback, FeedPage, Notice
from paygate.service.fitting import CHECKED
from paygate.testing import FakeClock, FakeGateway

SUM = Money.of("USD", "47.00")
BACK = "https://shop.example/back"
KEYS = ["cGF5Z2F0ZS1kb29yLXRlc3RzLWV4YW1wbGUta2V5ISE="]
NOON = datetime(2031, 4, 1, 12)  # noqa: DTZ001  (that it has no zone is the point)
MOVED = Movement(movement_id="m-1", amount=SUM)


class Odd(Approved):
    """An outcome of the driver's own making."""


def foreign(kind: type, **facts: Any) -> Any:
    """Make a value past its own checks, as a driver in C or a mock could."""
    made: Any = object.__new__(kind)
    for name, value in facts.items():
        object.__setattr__(made, name, value)
    return made


class Unreadable(dict[str, str]):
    """A mapping that raises when it is read."""

    def items(self) -> Any:
        raise RuntimeError("sk_live_2")


class Nowhere(tzinfo):
    """A zone that raises when it is asked."""

    def utcoffset(self, _: datetime | None) -> timedelta:
        raise RuntimeError("sk_live_3")

    def dst(self, _: datetime | None) -> timedelta | None: ...

    def tzname(self, _: datetime | None) -> str | None: ...


WEST = timezone(timedelta(hours=-12))
LAST = datetime.max.replace(tzinfo=WEST)
BAD_MONEY: dict[str, Any] = {
    "nothing": Money.zero("USD"),
    "less than nothing": Money("USD", -1),
    "more than can be": Money("USD", 2**63 - 1),
    "a float": 47.0,
    "no known currency": foreign(Money, currency="ZZZ", minor=1),
    "half a cent": foreign(Money, currency="USD", minor=0.5),
}
DECLINE = Declined(code=DeclineCode.GENERIC, raw_code="05", retryable=False)
PAGE = ActionRequired(action=Redirect(url=BACK))
NONSENSE: dict[str, Any] = {
    "nothing": None,
    "a text": "paid",
    "a number": 1,
    "a class": Approved,
    "a class of its own": Odd(movements=(MOVED,)),
    "what only the core says": Unsent(reason="x"),
    "an empty outcome": foreign(Approved),
    "a reference that is no text": Pending(reference=4711),  # type: ignore[arg-type]
    "a reference that no store takes": Pending(reference="a\x00b"),
    "half a character": Pending(reference="\ud800"),
    "an instant without zone": Pending(expected_at=NOON),
    "a date for an instant": Pending(expected_at=date(2031, 4, 1)),  # type: ignore[arg-type]
    "a code of its own": replace(DECLINE, code="no_money"),  # type: ignore[arg-type]
    "perhaps": replace(DECLINE, retryable="perhaps"),  # type: ignore[arg-type]
    "a cause of its own": Rejected(cause="busy", retryable=True),  # type: ignore[arg-type]
    "closed somehow": Ended(how="somehow"),  # type: ignore[arg-type]
    "no reason": Unknown(reason=None),  # type: ignore[arg-type]
    "no action": ActionRequired(action=None),
    "an action that is a text": ActionRequired(action=BACK),  # type: ignore[arg-type]
    "an empty address": ActionRequired(action=Redirect(url="")),
    "a voucher without number": ActionRequired(action=ShowVoucher(reference=None)),  # type: ignore[arg-type]
    "a code of nothing": ActionRequired(action=ShowCode(payload="")),
    "to approve nowhere": ActionRequired(action=ApproveElsewhere(where="")),
    "an address for nothing": ActionRequired(
        action=PayToAddress(address="bc1q", amount=Money.zero("BTC"), uri="bitcoin:bc1q")
    ),
    "a page that ends sometime": replace(PAGE, expires_at=NOON),
    "movements that are none": Approved(movements=(SUM,)),  # type: ignore[arg-type]
    "a movement for all": Approved(movements=MOVED),  # type: ignore[arg-type]
    "a movement without id": Approved(movements=(replace(MOVED, movement_id=""),)),
    "a movement of a strange kind": Approved(movements=(replace(MOVED, kind="gift"),)),  # type: ignore[arg-type]
    "a movement at an instant": Approved(movements=(replace(MOVED, effective=NOON),)),
    "checks that are none": Approved(movements=(MOVED,), checks=["cvc"]),  # type: ignore[arg-type]
    "a dispute in no state": Approved(
        movements=(MOVED,),
        disputes=(Dispute(reference="d", state="lost", amount=SUM),),  # type: ignore[arg-type]
    ),
    "a dispute about nothing": Approved(
        movements=(MOVED,),
        disputes=(Dispute(reference="d", state=DisputeState.LOST, amount=Money.zero("USD")),),
    ),
    "a method that is a text": Approved(movements=(MOVED,), method="tok_1"),  # type: ignore[arg-type]
    "a token that is no secret": Approved(
        movements=(MOVED,),
        method=StoredMethod(token="tok_1", kind=Kind.CARD),  # type: ignore[arg-type]
    ),
    "a thirteenth month": Approved(
        movements=(MOVED,),
        method=StoredMethod(token=Secret("tok_1"), kind=Kind.CARD, expires_month=13),
    ),
    "a check with a strange result": Approved(
        movements=(MOVED,),
        checks=CardChecks(address=CardCheck("good")),  # type: ignore[arg-type]
    ),
    "card facts that are none": Approved(movements=(MOVED,), method_facts="4242"),  # type: ignore[arg-type]
    "fields that cannot be read": ActionRequired(
        action=Redirect(url=BACK, fields=Unreadable(a="b"))
    ),
    "an instant nowhere": Pending(expected_at=NOON.replace(tzinfo=Nowhere())),
    "a movement at the end of time": Approved(movements=(replace(MOVED, effective=LAST),)),
    "a movement on the last day": Approved(movements=(replace(MOVED, effective=date.max),)),
    "a movement on the first day": Approved(movements=(replace(MOVED, effective=date.min),)),
    "settled at the end of time": Approved(
        movements=(replace(MOVED, settled=SUM, settled_on=date.max),)
    ),
    "expected at the end of time": Pending(expected_at=LAST),
    "expected before there were computers": Pending(expected_at=datetime(1969, 7, 20, tzinfo=UTC)),
    "held until the end of time": Authorized(amount=SUM, expires_at=LAST),
    "a page for ever": replace(PAGE, expires_at=datetime.max.replace(tzinfo=UTC)),
    "a dispute until the end of time": Approved(
        movements=(MOVED,),
        disputes=(Dispute(reference="d", state=DisputeState.LOST, amount=SUM, respond_by=LAST),),
    ),
    **{f"{name} held": Authorized(amount=amount) for name, amount in BAD_MONEY.items()},
    **{
        f"{name} moved": Approved(movements=(replace(MOVED, amount=amount),))
        for name, amount in BAD_MONEY.items()
    },
}
ERRORS: dict[str, BaseException] = {
    "a bug": KeyError("sk_live_1"),
    "no memory": MemoryError(),
    "too deep": RecursionError(),
    "an end that is none": StopIteration("paid"),
    "a cancellation of nothing": asyncio.CancelledError("sk_live_1"),
    "an end of a generator": GeneratorExit("sk_live_1"),
}


def at_end(value: Any) -> Any:
    return lambda *_: at_once(value)


def _raises(error: BaseException) -> Callable[..., Any]:
    def call(*_: Any) -> Any:
        raise error

    return call


def _raises_later(error: BaseException) -> Callable[..., Any]:
    def call(*_: Any) -> Any:
        yield from ()
        raise error

    return call


def _yields(value: Any) -> Callable[..., Any]:
    def call(*_: Any) -> Any:
        yield value
        return None

    return call


FAULTS: dict[str, Callable[..., Any]] = {
    **{f"returns {name}": at_end(value) for name, value in NONSENSE.items()},
    **{f"raises {name}": _raises(error) for name, error in ERRORS.items()},
    **{f"raises {name} later": _raises_later(error) for name, error in ERRORS.items()},
    "is no dialogue": lambda *_: None,
    "is a text": lambda *_: "paid",
    "yields nothing": _yields(None),
    "yields a text": _yields("GET /"),
    "notes a number": _yields(Note(reference=4711)),  # type: ignore[arg-type]
    "sends no bytes": _yields(Request(method="GET", url=BACK, step="x", body="text")),  # type: ignore[arg-type]
}


class Shop:
    """One account whose driver is at fault, and one that works."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.odd: Any = FakeGateway(clock=self.clock)
        self.page: Any = FakeGateway("redirect", clock=self.clock)
        self.card = FakeGateway(clock=self.clock)
        self.cashier = Cashier.in_memory(
            gateways={"odd": self.odd, "page": self.page, "card": self.card},
            clock=self.clock,
            token_keys=KEYS,
        )
        self.count = 0

    def pay(self, via: str, token: str = "tok_visa") -> Payment:
        self.count += 1
        number = f"D-{self.count}"
        self.cashier.issue(number=number, customer="C-3", total=SUM, due="2031-05-01")
        more: dict[str, Any] = {"return_url": BACK} if via == "page" else {"method": token}
        return self.cashier.collect(number, via=via, key=number, **more)

    def works_elsewhere(self) -> None:
        """A payment of another account in doubt is found out by the same worker."""
        other = self.pay("card", "tok_unknown_executed")
        self.clock.advance(hours=1)
        self.cashier.recover()
        assert self.cashier.payment(other).status is PaymentStatus.SUCCEEDED
        assert self.cashier.fsck() == []


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_charge_that_was_never_sent_ends_unsent_and_frees_its_invoice(
    fault: str, shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.odd.charge = FAULTS[fault]

    payment = shop.pay("odd")

    assert (payment.status, payment.code) == (PaymentStatus.FAILED, "unsent")
    assert shop.cashier.invoice("D-1").claimed == Money.zero("USD")
    assert "driver fake of account odd" in caplog.text
    assert "sk_live" not in caplog.text + payment.reason
    assert [event for event in shop.cashier.events() if event.type == "payment.alert"]
    shop.works_elsewhere()


@pytest.mark.parametrize("nonsense", [*NONSENSE, "not found"])
def test_a_charge_that_was_sent_is_unknown_and_flagged(nonsense: str, shop: Shop) -> None:
    charge = shop.odd.charge

    def sends_and_forgets(asked: Any) -> Any:
        yield from charge(asked)
        return NONSENSE.get(nonsense, NotFound())

    shop.odd.charge = sends_and_forgets

    payment = shop.pay("odd")

    assert (payment.status, payment.needs_review) == (PaymentStatus.UNKNOWN, True)
    shop.works_elsewhere()
    assert shop.cashier.payment(payment).status is PaymentStatus.SUCCEEDED
    assert not shop.cashier.payment(payment).needs_review


@pytest.mark.parametrize("fault", FAULTS)
def test_an_inquiry_leaves_the_payment_unknown_and_flagged(fault: str, shop: Shop) -> None:
    payment = shop.pay("odd", "tok_unknown_executed")
    shop.odd.look_up = FAULTS[fault]

    after = shop.cashier.inquire(payment)

    assert (after.status, after.needs_review) == (PaymentStatus.UNKNOWN, True)
    shop.works_elsewhere()


OPERATIONS: dict[str, Callable[[Shop], Payment]] = {
    "capture": lambda shop: shop.cashier.capture(held(shop), key="x").payment,
    "void": lambda shop: shop.cashier.cancel(held(shop), key="x").payment,
    "refund": lambda shop: shop.cashier.refund(shop.pay("odd"), key="x").payment,
}


def held(shop: Shop) -> Payment:
    shop.cashier.issue(number="H-1", customer="C-3", total=SUM, due="2031-05-01")
    return shop.cashier.authorize("H-1", via="odd", method="tok_visa", key="h")


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_done_to_a_payment_can_be_done_again(
    operation: str, fault: str, shop: Shop
) -> None:
    setattr(shop.odd, operation, FAULTS[fault])

    payment = OPERATIONS[operation](shop)

    attempt = shop.cashier.attempts(payment)[-1]
    assert (attempt.state, attempt.code) == (AttemptState.FAILED, "unsent")
    shop.works_elsewhere()


@pytest.mark.parametrize("operation", ["complete", "withdraw"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_page_stays_as_it_is(operation: str, fault: str, shop: Shop) -> None:
    page = shop.pay("page")
    setattr(shop.page, operation, FAULTS[fault])

    verb = shop.cashier.complete if operation == "complete" else shop.cashier.withdraw_page
    after = verb(page).payment

    assert after.status is PaymentStatus.REQUIRES_ACTION
    assert shop.cashier.invoice("D-1").claimed == Money.zero("USD")
    shop.works_elsewhere()


@pytest.mark.parametrize("fault", FAULTS)
def test_storing_a_method_ends_and_nothing_is_stored(fault: str, shop: Shop) -> None:
    shop.odd.enroll = FAULTS[fault]

    change = shop.cashier.enroll("C-3", via="odd", method="tok_visa", key="e")

    assert (change.state, change.method) == (AttemptState.FAILED, None)
    shop.works_elsewhere()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_feed_that_cannot_be_read_stops_no_other(fault: str, shop: Shop) -> None:
    shop.odd.feed = FAULTS[fault]

    read = shop.cashier.read_feeds()

    assert set(read.failed) <= {"odd"}
    shop.works_elsewhere()


PAGES: dict[str, Any] = {
    "a cursor that is no text": FeedPage(notices=(), cursor=None, more=False),  # type: ignore[arg-type]
    "notices that are none": FeedPage(notices=None, cursor="1", more=False),  # type: ignore[arg-type]
    "perhaps more": FeedPage(notices=(), cursor="1", more="perhaps"),  # type: ignore[arg-type]
    "less than nothing read": FeedPage(notices=(), cursor="1", more=False, read=-1),
    "less than nothing behind": FeedPage(notices=(), cursor="1", more=False, behind=-1),
}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_that_does_not_fit_is_a_fault_of_its_feed(page: str, shop: Shop) -> None:
    shop.odd.feed = at_end(PAGES[page])

    assert list(shop.cashier.read_feeds().failed) == ["odd"]


NOTICES: dict[str, Any] = {
    "nothing": None,
    "a text": "paid",
    "an id that is no text": Notice(event_id=1, type="t"),  # type: ignore[arg-type]
    "an answer that is a text": Notice(event_id="e", type="t", answer="paid"),  # type: ignore[arg-type]
    "an answer that no outcome is": Notice(event_id="e", type="t", answer=NotFound()),  # type: ignore[arg-type]
    "movements that are none": Notice(event_id="e", type="t", movements=(SUM,)),  # type: ignore[arg-type]
    "an instant without zone": Notice(event_id="e", type="t", signed_at=NOON),
    "an instant at the end of time": Notice(event_id="e", type="t", occurred_at=LAST),
    "money at the end of time": Notice(
        event_id="e", type="t", movements=(replace(MOVED, settled=SUM, settled_on=date.max),)
    ),
    "a place below zero": Notice(event_id="e", type="t", address_index=-1),
}


@pytest.mark.parametrize("nonsense", NOTICES)
@pytest.mark.parametrize("channel", ["verify", "feed"])
def test_one_notice_that_cannot_be_read_holds_up_nothing_behind_it(
    channel: str, nonsense: str, shop: Shop
) -> None:
    payment = shop.pay("odd", "tok_unknown_executed")
    attempt = shop.cashier.attempts(payment)[0]
    good = Notice(
        event_id="good", type="t", our_ref=attempt.id, answer=Approved(movements=(MOVED,))
    )
    told = [NOTICES[nonsense], good]
    shop.odd.verify = at_end(told)
    shop.odd.feed = at_end(FeedPage(notices=tuple(told), cursor="1", more=False))

    if channel == "verify":
        came = Callback(
            method="POST", path="/", headers={}, body=b"x", received_at=datetime.now(UTC)
        )
        shop.cashier.receive("odd", came)
    else:
        shop.cashier.read_feeds()
    shop.cashier.apply_callbacks()

    assert shop.cashier.payment(payment).status is PaymentStatus.SUCCEEDED
    assert len(shop.cashier.callbacks()) == 2
    shop.works_elsewhere()


@pytest.mark.parametrize("figure", ["read", "behind"])
def test_what_a_feed_says_counts_though_a_figure_of_it_is_wrong(figure: str, shop: Shop) -> None:
    payment = shop.pay("odd", "tok_unknown_executed")
    attempt = shop.cashier.attempts(payment)[0]
    good = Notice(
        event_id="good", type="t", our_ref=attempt.id, answer=Approved(movements=(MOVED,))
    )
    page = FeedPage(notices=(good,), cursor="1", more=False)
    shop.odd.feed = at_end(replace(page, **{figure: -3}))  # type: ignore[arg-type]

    read = shop.cashier.read_feeds()
    shop.cashier.apply_callbacks()

    assert (read.stored, list(read.failed)) == (1, ["odd"])
    assert (read.read["odd"], read.behind["odd"]) == (0, None)
    assert f"FeedPage.{figure}" in read.failed["odd"]
    assert shop.cashier.payment(payment).status is PaymentStatus.SUCCEEDED


def test_each_notice_that_cannot_be_read_is_kept_once(shop: Shop) -> None:
    page = FeedPage(notices=(None, 5, None), cursor="", more=False)  # type: ignore[arg-type]
    shop.odd.feed = at_end(page)

    shop.cashier.read_feeds()
    shop.clock.advance(hours=1)
    shop.cashier.read_feeds()

    assert len(shop.cashier.callbacks()) == 3


@pytest.mark.parametrize("made", [None, "ok", foreign(object)])
def test_a_reply_that_is_none_is_a_plain_one(made: Any, shop: Shop) -> None:
    shop.odd.verify = at_end([])
    shop.odd.reply = lambda *_: made
    came = Callback(method="POST", path="/", headers={}, body=b"x", received_at=datetime.now(UTC))

    assert shop.cashier.receive("odd", came).status == 200


@pytest.mark.parametrize(
    "told",
    [None, "yes", AccountFacts(merchant_account="m", live="no")],  # type: ignore[arg-type]
)
def test_facts_of_an_account_that_do_not_fit_are_a_bad_reply(told: Any, shop: Shop) -> None:
    from paygate.errors import BadResponse

    shop.odd.check = at_end(told)

    with pytest.raises(BadResponse, match="odd"):
        shop.cashier.check("odd")


def test_the_log_names_the_driver_and_the_field_and_no_value(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.odd.charge = at_end(Pending(reference={"key": "sk_live_9"}))  # type: ignore[arg-type]

    with caplog.at_level(logging.ERROR):
        shop.pay("odd")

    assert "Pending.reference" in caplog.text
    assert "sk_live" not in caplog.text


@pytest.mark.parametrize("of", CHECKED, ids=lambda of: str(of.__name__))
def test_every_field_of_what_a_driver_returns_is_checked(of: type[Any]) -> None:
    assert CHECKED[of].keys() == {each.name for each in fields(of)}
