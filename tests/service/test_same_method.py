"""One card is one stored method, however often the customer stores it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from paygate import Cashier, Mandate, Money, PaymentMethod, Secret
from paygate.domain.outcome import Approved, Outcome
from paygate.gateway import StoredToken
from paygate.testing import FakeClock, FakeGateway

if TYPE_CHECKING:
    from paygate.dialogue import Dialogue
    from paygate.gateway import Charge, Enrollment

KEY = "b25lIGNhcmQgaXMgb25lIHN0b3JlZCBtZXRob2QgISE="
FIRST = Mandate(text_version="autopay-1", accepted_at=datetime(2025, 12, 2, tzinfo=UTC))
LATER = Mandate(text_version="autopay-2", accepted_at=datetime(2025, 12, 3, tzinfo=UTC))


class Profiles(FakeGateway):
    """Stores what it is told to, as a processor does that knows a card again."""

    token, fingerprint = "profile-1", ""
    charged_with = ""

    def enroll(self, enrollment: Enrollment) -> Dialogue[Outcome]:
        return self._known((yield from super().enroll(enrollment)))

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        if isinstance(charge.method, StoredToken):
            self.charged_with = charge.method.value.reveal()
        return self._known((yield from super().charge(charge)))

    def _known(self, outcome: Outcome) -> Outcome:
        if not isinstance(outcome, Approved) or outcome.method is None:
            return outcome
        method = replace(outcome.method, token=Secret(self.token), fingerprint=self.fingerprint)
        return replace(outcome, method=method)


@pytest.fixture
def card() -> Profiles:
    return Profiles(clock=FakeClock())


@pytest.fixture
def cashier(card: Profiles) -> Cashier:
    return Cashier.in_memory(gateways={"card": card}, clock=FakeClock(), token_keys=[KEY])


def stored(
    cashier: Cashier, key: str, customer: str = "C-1", mandate: Mandate | None = None
) -> PaymentMethod:
    change = cashier.enroll(customer, via="card", method="tok_visa", key=key, mandate=mandate)
    method = change.method
    assert method is not None
    return method


def test_a_profile_that_is_there_is_the_same_method_with_the_newer_mandate(
    cashier: Cashier,
) -> None:
    first = stored(cashier, "a", mandate=FIRST)

    again = stored(cashier, "b", mandate=LATER)

    assert again.id == first.id
    assert [method.id for method in cashier.methods("C-1")] == [first.id]
    assert again.mandate not in (None, first.mandate)
    assert cashier.methods("C-1", oldest_first=True)[0].is_default
    assert [event.type for event in cashier.events() if event.type.startswith("method.")] == [
        "method.stored",
        "method.renewed",
    ]


def test_without_a_new_mandate_the_old_one_stays(cashier: Cashier) -> None:
    first = stored(cashier, "a", mandate=FIRST)

    again = stored(cashier, "b")

    assert again.mandate == first.mandate


def test_a_card_known_by_its_number_is_charged_by_its_newest_token(
    cashier: Cashier, card: Profiles
) -> None:
    card.fingerprint = "of-the-number"
    first = stored(cashier, "a")
    card.token = "profile-2"
    stored(cashier, "b")
    cashier.issue(number="A", customer="C-1", total=Money.of("USD", "4.10"), due="2026-03-01")

    cashier.collect("A", via="card", method=first, key="pay")

    assert card.charged_with == "profile-2"
    assert [method.id for method in cashier.methods("C-1")] == [first.id]


def test_two_payments_that_store_one_card_store_it_once(cashier: Cashier) -> None:
    for number in ("A", "B"):
        total = Money.of("USD", "4.10")
        cashier.issue(number=number, customer="C-1", total=total, due="2026-03-01")

    first, second = (
        cashier.collect(number, via="card", method="tok_visa", key=number, save_method=True)
        for number in ("A", "B")
    )

    (method,) = cashier.methods("C-1")
    assert first.method == second.method == method.id


def test_a_card_of_another_customer_is_another_method(cashier: Cashier) -> None:
    first, other = stored(cashier, "a"), stored(cashier, "b", customer="C-2")

    assert first.id != other.id
    assert [method.id for method in cashier.methods("C-2")] == [other.id]


def test_what_was_deleted_is_stored_anew(cashier: Cashier) -> None:
    first = stored(cashier, "a")
    cashier.forget_method(first, key="f")

    again = stored(cashier, "b")

    assert again.id != first.id
    assert [method.id for method in cashier.methods("C-1")] == [again.id]


def test_the_same_call_again_returns_the_method_that_was_there(cashier: Cashier) -> None:
    first = stored(cashier, "a")
    stored(cashier, "b")

    assert stored(cashier, "b").id == first.id
