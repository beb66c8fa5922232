"""Erasing a person: nothing of their contact facts is left in the ledger, nor in its bytes."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from cryptography.fernet import Fernet

from paygate import Browser, Cashier, Customer, Kind, Money, PaymentStatus, PostalAddress, Timing
from paygate.dialogue import Dialogue, Note, Request, Response, at_once
from paygate.domain.outcome import DeclineCode, Declined, Finding, Outcome, Unknown
from paygate.driving import relay
from paygate.gateway import Charge, Completion, FeedPage, Inquiry, Notice
from paygate.testing import FakeClock, FakeGateway

BACK = "https://shop.example/back"
FACTS = (
    *("Ottoline", "Vranjic", "ottoline@mail.example", "+15550177", "17 Larkspur Walk"),
    *("Flat 9c", "Quillhaven", "ZX-7781", "203.0.113.77", "Foxglove/88"),
)
OTTOLINE = Customer(
    "K-31",
    name="Ottoline Vranjic",
    email="ottoline@mail.example",
    phone="+15550177",
    address=PostalAddress(
        line1="17 Larkspur Walk",
        line2="Flat 9c",
        city="Quillhaven",
        region="QH",
        postal_code="ZX-7781",
        country="CA",
    ),
    zone="America/Toronto",
)
BROWSER = Browser(ip="203.0.113.77", user_agent="Foxglove/88")


class Shop:
    """A shop on disk, with the processors that it uses."""

    def __init__(self, folder: Path) -> None:
        self.file, self.clock = folder / "shop.db", FakeClock()
        kinds = {"card": Kind.CARD, "page": Kind.REDIRECT, "slip": Kind.VOUCHER}
        self.gateways = {name: FakeGateway(kind, clock=self.clock) for name, kind in kinds.items()}
        self.keys: list[bytes] | None = [Fernet.generate_key()]

    def open(self) -> Cashier:
        return Cashier.open(
            f"sqlite:///{self.file}",
            gateways=self.gateways,
            clock=self.clock,
            token_keys=self.keys,
            timing=Timing(feed_pause=None),
        )

    def found(self) -> list[str]:
        """Return the facts that stand in a table, or anywhere in the bytes of the closed file."""
        connection = sqlite3.connect(self.file)
        texts = "\n".join(connection.iterdump())
        connection.close()
        data = b"".join(path.read_bytes() for path in self.file.parent.glob("shop.db*"))
        return [fact for fact in FACTS if fact in texts or fact.encode() in data]


@pytest.fixture(name="shop")
def shop_(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    with shop.open() as till:
        for number in ("N-1", "N-2", "N-3", "N-4", "N-5"):
            total = Money.of("USD", "20.00")
            till.issue(number=number, customer=OTTOLINE, total=total, due="2031-03-01")
        till.issue(number="N-6", customer="K-32", total=Money.of("USD", "20.00"), due="2031-03-01")
    return shop


def _pay_in_all_ways(till: Cashier) -> None:
    """Have requests with the person's facts of every sort: open, lost, answered and declined."""
    till.collect("N-1", via="page", key="k-1", return_url=BACK, browser=BROWSER)
    till.collect("N-2", via="slip", key="k-2", description="for Ottoline")
    stored = till.enroll(OTTOLINE, via="card", method="tok_visa", key="k-3").method
    assert stored is not None
    till.collect("N-3", via="card", method=stored, key="k-4", browser=BROWSER)
    till.collect("N-4", via="card", method="tok_declined", key="k-5")
    till.enroll(OTTOLINE, via="card", return_url=BACK, key="k-6")
    till.collect("N-6", via="page", key="k-7", return_url=BACK, payer=OTTOLINE)


@pytest.mark.sqlite
def test_what_is_erased_is_nowhere_in_the_file(shop: Shop) -> None:
    with shop.open() as till:
        _pay_in_all_ways(till)
    assert shop.found() == list(FACTS)

    with shop.open() as till:
        till.erase_contact(OTTOLINE)
        sound = till.fsck()

    assert shop.found() == []
    assert sound == []


SAYS = "Ottoline Vranjic of 17 Larkspur Walk, ottoline@mail.example, +15550177: no money"


class Gossip(FakeGateway):
    """A card account that says whom it is talking about."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(Kind.CARD, clock=clock)
        self.says: Outcome = Declined(
            code=DeclineCode.GENERIC, raw_code="51", retryable=False, message=SAYS
        )
        self.notices: list[Notice] = []

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        del charge
        return at_once(self.says)

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        del inquiry
        return at_once(cast("Finding", self.says))

    def feed(self, cursor: str) -> Dialogue[FeedPage]:
        page = FeedPage(notices=tuple(self.notices), cursor=cursor or "1", more=False)
        return at_once(page)


@pytest.mark.parametrize("payer", [None, OTTOLINE], ids=["the customer", "somebody else"])
@pytest.mark.parametrize("told", ["at once", "when asked", "by a feed"])
def test_whom_a_processor_talks_about_is_not_stored(
    shop: Shop, payer: Customer | None, told: str
) -> None:
    gossip = Gossip(shop.clock)
    shop.gateways["card"], declined = gossip, gossip.says
    if told != "at once":
        gossip.says = Unknown(reason=SAYS, reference="r-1")
    number = "N-1" if payer is None else "N-6"

    with shop.open() as till:
        payment = till.collect(number, via="card", method="tok_visa", key="k-1", payer=payer)
        if payer is not None:
            till.save_customer(payer)
        if told == "when asked":
            gossip.says = declined
            payment = till.inquire(payment)
        if told == "by a feed":
            gossip.notices = [
                Notice(event_id="e-1", type="declined", reference="r-1", answer=declined),
                Notice(event_id="e-2", type="declined", reference="nobody's", answer=declined),
                Notice(event_id="e-3", type="x", unreadable="it names ottoline@mail.example"),
            ]
            till.read_feeds()
            till.apply_callbacks()
            payment = till.payment(payment.id)
        till.erase_contact(OTTOLINE)
        said = repr(till.events(limit=1_000)) + payment.reason

    assert payment.status is PaymentStatus.DECLINED
    assert [fact for fact in FACTS if fact in said] == []
    assert shop.found() == []


def test_what_was_replaced_before_is_not_left_in_free_space(shop: Shop) -> None:
    with shop.open() as till:
        till.save_customer(Customer("K-31", name="O", email="o@new.example"))

    assert "ottoline@mail.example" not in shop.found()


def test_a_merchant_of_the_same_file_keeps_theirs(shop: Shop) -> None:
    url = f"sqlite:///{shop.file}"
    with Cashier.open(url, tenant="other") as other:
        other.save_customer(OTTOLINE)

    with shop.open() as till:
        till.erase_contact(OTTOLINE)

    with Cashier.open(url, tenant="other") as other:
        assert other.customer("K-31") == OTTOLINE


@pytest.mark.parametrize(("erased", "moved"), [(False, 1), (True, 0)])
def test_a_request_that_was_erased_is_not_sent_again_but_asked_about(
    shop: Shop, erased: bool, moved: int
) -> None:
    card = shop.gateways["card"]
    with shop.open() as till:
        stored = till.enroll(OTTOLINE, via="card", method="tok_visa", key="k-1").method
        card.script("unknown_lost", operation="charge")
        lost = till.collect("N-1", via="card", method=stored, key="k-2")
        assert lost.status is PaymentStatus.UNKNOWN
        if erased:
            till.erase_contact(OTTOLINE)

        for _ in range(12):
            shop.clock.advance(timedelta(minutes=20))
            till.recover()

        status = till.payment(lost).status
    assert len(card.journal) == moved
    assert status is (PaymentStatus.FAILED if erased else PaymentStatus.SUCCEEDED)


def test_a_page_that_was_open_can_still_be_paid(shop: Shop) -> None:
    page = shop.gateways["page"]
    with shop.open() as till:
        opened = till.collect("N-1", via="page", key="k", return_url=BACK)
        till.erase_contact(OTTOLINE)
        page.pay(opened.reference)

        paid = till.complete(opened)

    assert paid.payment.status is PaymentStatus.SUCCEEDED


class Noting(FakeGateway):
    """A page account that notes what its payers bring back."""

    brought: list[Mapping[str, str]]

    def complete(self, completion: Completion) -> Dialogue[Outcome]:
        """Move the money by the payer's coming back, as some processors do."""
        self.brought.append(completion.parameters)
        return relay(super().complete(completion), _moving)


def _moving(step: Request | Note) -> Dialogue[Response]:
    return (yield replace(cast("Request", step), moves_money=True))


def _requests_of(shop: Shop) -> str:
    connection = sqlite3.connect(shop.file)
    rows = connection.execute("SELECT body FROM paygate_attempt_request").fetchall()
    connection.close()
    return str(rows)


BROUGHT = {"payment": "pay_1", "code": "ac_DoNotShow77"}


@pytest.mark.sqlite
@pytest.mark.parametrize("with_keys", [True, False])
def test_what_a_payer_brings_back_is_kept_encrypted_until_it_is_answered(
    shop: Shop, with_keys: bool
) -> None:
    page = Noting(Kind.REDIRECT, clock=shop.clock)
    page.brought, shop.gateways["page"] = [], page
    if not with_keys:
        shop.keys = None
    with shop.open() as till:
        opened = till.collect("N-1", via="page", key="k", return_url=BACK)
        page.pay(opened.reference)
        page.script("unknown_lost", operation="complete")

        till.complete(opened, parameters=BROUGHT)

        assert till.attempts(opened)[-1].state.in_doubt
        assert "ac_DoNotShow77" not in _requests_of(shop)
        shop.clock.advance(timedelta(minutes=10))
        till.recover()
        # Without a key they are not kept, so the completion cannot be sent again as it was.
        assert page.brought == ([BROUGHT, BROUGHT] if with_keys else [BROUGHT])
    assert b"ac_DoNotShow77" not in shop.file.read_bytes()


@pytest.mark.sqlite
def test_what_a_payer_brought_back_is_forgotten_when_the_answer_is_there(shop: Shop) -> None:
    page = shop.gateways["page"]
    with shop.open() as till:
        opened = till.collect("N-1", via="page", key="k", return_url=BACK)

        waits = till.complete(opened, parameters=BROUGHT)

        assert waits.payment.status is PaymentStatus.REQUIRES_ACTION
        assert "parameters" not in _requests_of(shop)
        page.pay(opened.reference)
        assert till.complete(opened, parameters=BROUGHT).payment.status is PaymentStatus.SUCCEEDED
    assert _requests_of(shop) == "[]"


def test_what_a_payer_brought_back_is_erased_with_the_person(shop: Shop) -> None:
    page = Noting(Kind.REDIRECT, clock=shop.clock)
    page.brought, shop.gateways["page"] = [], page
    with shop.open() as till:
        opened = till.collect("N-1", via="page", key="k", return_url=BACK)
        page.pay(opened.reference)
        page.script("unknown_lost", operation="complete")
        till.complete(opened, parameters=BROUGHT)

        till.erase_contact(OTTOLINE)

        shop.clock.advance(timedelta(minutes=10))
        till.recover()
    assert page.brought == [BROUGHT]
