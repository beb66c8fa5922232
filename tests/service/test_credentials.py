"""Wrong credentials: told at once, remembered for the account, and gone when they are right."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from paygate import Cashier, Money
from paygate.dialogue import Dialogue, at_once
from paygate.domain.outcome import Fault, Finding, Outcome, RejectCause, Rejected
from paygate.errors import BadResponse, CredentialsRejected
from paygate.gateway import AccountFacts, Charge, FeedPage, Inquiry
from paygate.ledger import accounts
from paygate.testing import FakeClock, FakeGateway


class Guarded(FakeGateway):
    """A processor that may not accept our key."""

    good = True

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        if self.good:
            return super().charge(charge)
        return at_once(Rejected(cause=RejectCause.CREDENTIALS, retryable=False, raw_code="E00007"))

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        if self.good:
            return super().look_up(inquiry)
        raise CredentialsRejected("the key is not accepted: E00007")

    def check(self) -> Dialogue[AccountFacts]:
        if not self.good:
            raise CredentialsRejected("the key is not accepted: E00007")
        return at_once(AccountFacts(merchant_account="x", live=False))

    def feed(self, _: str) -> Dialogue[FeedPage]:
        if not self.good:
            raise CredentialsRejected("the key is not accepted: E00007")
        return at_once(FeedPage(notices=(), cursor="1", more=False))


class Shop:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.card = Guarded(clock=self.clock)
        self.cashier = Cashier.in_memory(gateways={"card": self.card}, clock=self.clock)
        self.number = 0

    def pay(self, method: str = "tok_visa") -> str:
        self.number += 1
        number, total = f"INV-{self.number}", Money.of("USD", "84.00")
        self.cashier.issue(number=number, customer="K-1", total=total, due="2031-03-01")
        return self.cashier.collect(number, via="card", method=method, key=number).id

    def known(self) -> accounts.KnownAccount:
        [known] = self.cashier._store.read(self.cashier._context, accounts.all_known)
        return known

    def told(self) -> list[str]:
        events = self.cashier.events(limit=1000)
        return [each.type for each in events if each.aggregate == "account:card"]


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    assert shop.cashier.fsck() == []
    shop.cashier.close()


def test_an_account_is_known_from_the_moment_that_it_is_opened(shop: Shop) -> None:
    known = shop.known()

    assert (known.name, known.driver, known.has_feed) == ("card", "fake", True)
    assert (known.first_seen_at, known.rejected_since) == (shop.clock.now(), None)


def test_a_charge_that_is_rejected_for_them_is_remembered_until_one_is_not(shop: Shop) -> None:
    shop.card.good = False
    began = shop.clock.now()
    for _ in range(3):
        shop.pay()
        shop.clock.advance(hours=1)
    known = shop.known()
    shop.card.good = True
    shop.pay("tok_declined")

    assert (known.rejected_since, known.rejected_for) == (began, "E00007")
    assert known.rejected_at == began + (shop.clock.now() - began) * 2 / 3
    assert shop.known().rejected_since is None
    assert shop.told() == ["account.credentials_rejected", "account.credentials_accepted"]


def test_an_inquiry_that_is_rejected_for_them_was_not_answered(shop: Shop) -> None:
    payment = shop.pay("tok_unknown_executed")
    shop.card.good = False

    shop.clock.advance(minutes=10)
    shop.cashier.recover()

    [attempt] = shop.cashier.attempts(payment)
    assert (attempt.state, attempt.checks) == ("unknown", 0)
    assert shop.known().rejected_since == shop.clock.now()
    shop.card.good = True
    shop.cashier.inquire(payment)
    assert shop.cashier.payment(payment).status == "succeeded"
    assert shop.known().rejected_since is None


def test_a_check_says_whose_credentials_are_wrong_and_remembers_it(shop: Shop) -> None:
    shop.card.good = False
    with pytest.raises(CredentialsRejected, match="account 'card': wrong credentials: ") as no:
        shop.cashier.check("card")
    rejected = shop.known().rejected_since
    shop.card.good = True
    shop.cashier.check("card")

    assert (no.value.account, isinstance(no.value, BadResponse)) == ("card", True)
    assert "E00007" in no.value.message
    assert rejected is not None
    assert shop.known().rejected_since is None


def test_a_feed_that_is_refused_for_them_is_remembered(shop: Shop) -> None:
    shop.card.good = False
    read = shop.cashier.read_feeds()
    rejected = shop.known().rejected_since
    shop.card.good = True
    shop.cashier.read_feeds()

    assert "wrong credentials" in read.failed["card"]
    assert rejected is not None
    assert shop.known().rejected_since is None


def test_a_key_that_a_callback_proves_nothing_about_stays_rejected(shop: Shop) -> None:
    shop.pay("tok_pending")
    shop.card.good = False
    shop.pay()

    for callback in shop.card.callbacks():
        shop.cashier.receive("card", callback)
    shop.cashier.apply_callbacks()

    assert shop.known().rejected_since is not None


def test_wrong_credentials_are_a_silence_of_their_own() -> None:
    assert [each for each in Fault if each.silent] == [
        Fault.NOT_SENT,
        Fault.NO_RESPONSE,
        Fault.CREDENTIALS,
    ]
