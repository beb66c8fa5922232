"""Asking a fake by hand: one operation after the other, no service and no transport."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, TypeVar

from paygate import driving
from paygate.dialogue import NOTED, Dialogue, Note, Request, Response
from paygate.domain.kind import Kind, Operation
from paygate.domain.money import Money
from paygate.domain.secret import OneTimeToken
from paygate.gateway import Charge, Inquiry
from paygate.testing import FakeClock, FakeGateway
from paygate.testing.clock import START

T = TypeVar("T")


def drive(dialogue: Dialogue[T], answer: Callable[[Request], Response]) -> T:
    """Answer every request of *dialogue* by *answer*, and throw in what that raises."""
    return driving.drive(dialogue, lambda step: NOTED if isinstance(step, Note) else answer(step))


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


def charge_of(
    token: str = "tok_visa",
    key: str = "k1",
    *,
    kind: Kind = Kind.CARD,
    amount: Money | None = None,
    **more: Any,
) -> Charge:
    takes_method = kind in (Kind.CARD, Kind.E_CHECK)
    return Charge(
        key=key,
        our_ref=more.pop("our_ref", f"ref-{key}"),
        payment=f"pay-{key}",
        amount=amount or usd("10.00"),
        kind=kind,
        method=OneTimeToken.of(token) if takes_method else None,
        return_url="https://shop.example/back",
        **more,
    )


def inquiry_about(
    charge: Charge, operation: Operation = Operation.CHARGE, reference: str = "", **more: Any
) -> Inquiry:
    return Inquiry(
        operation=operation,
        key=charge.key,
        our_ref=charge.our_ref,
        payment=charge.payment,
        reference=reference,
        amount=charge.amount,
        sent_at=START,
        **more,
    )


class Till:
    """A fake with a clock that stands still, and the operations as plain calls."""

    def __init__(self, kind: Kind = Kind.CARD, **more: Any) -> None:
        self.clock = FakeClock()
        self.fake = FakeGateway(kind, clock=self.clock, **more)
        self.kind = kind
        self.name_keys("f")

    def name_keys(self, prefix: str) -> None:
        """Start to count the keys of following operations again, under another name."""
        self._keys = (f"{prefix}{number}" for number in itertools.count(1))

    def ask(self, dialogue: Dialogue[T]) -> T:
        return drive(dialogue, self.fake.answer)

    def charge(self, token: str = "tok_visa", key: str = "k1", **more: Any) -> Any:
        return self.ask(self.fake.charge(charge_of(token, key, kind=self.kind, **more)))

    def look_up(self, key: str = "k1", **more: Any) -> Any:
        return self.ask(self.fake.look_up(inquiry_about(charge_of(key=key), **more)))

    def do(self, operation: str, request: type, **facts: Any) -> Any:
        """Do a following operation under a key of its own."""
        key = facts.pop("key", None) or next(self._keys)
        if operation not in ("enroll", "forget"):
            facts["payment"] = "pay"
        asked = request(key=key, our_ref=f"ref-{key}", **facts)
        return self.ask(getattr(self.fake, operation)(asked))

    @property
    def moved(self) -> Money:
        return self.fake.moved("USD")
