"""A merchant whose customers agreed to automatic payment, on a clock that a test moves."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from cryptography.fernet import Fernet

from paygate import AutopayPolicy, AutopayRun, Cashier, Invoice, Kind, Mandate, Money
from paygate.domain.movement import MovementKind
from paygate.testing import FakeClock, FakeGateway
from tests.reading import every_event

if TYPE_CHECKING:
    from pathlib import Path

    from paygate import PaymentMethod
    from paygate.domain.event import Event

C = TypeVar("C", bound=Cashier)
KEYS = (Fernet.generate_key().decode(),)
TEXT = "2026-12"
PASSED_OVER = ("payment.", "receipt.", "method.stored", "method.default_set", "credit.used")


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


class Merchant:
    """A merchant with a card and a bank account; a day is news, run, people."""

    def __init__(
        self,
        folder: Path,
        start: str,
        policy: AutopayPolicy | None = None,
        *,
        url: str = "",
        **more: Any,
    ) -> None:
        self.clock = FakeClock(datetime.combine(date.fromisoformat(start), time(9), tzinfo=UTC))
        self.card = FakeGateway(Kind.CARD, clock=self.clock)
        self.bank = FakeGateway(Kind.E_CHECK, clock=self.clock)
        self.page = FakeGateway(Kind.REDIRECT, clock=self.clock)
        self.gateways: dict[str, Any] = {"card": self.card, "bank": self.bank, "page": self.page}
        self.url = url or f"sqlite:///{folder / 'ledger.db'}"
        self.policy, self.more = policy, more
        self.cashier = self.open(Cashier)
        self.seen = 0
        self.number = 0

    def open(self, face: type[C]) -> C:
        return face.open(
            self.url,
            gateways=self.gateways,
            clock=self.clock,
            autopay=self.policy,
            **{"token_keys": KEYS, **self.more},
        )

    def key(self) -> str:
        self.number += 1
        return f"key-{self.number}"

    def mandate(self, **more: Any) -> Mandate:
        terms = {"notice_days": 0, **more}  # the amounts are agreed, so nothing is announced
        return Mandate(text_version=TEXT, accepted_at=self.clock.now(), **terms)

    def store(
        self, customer: str = "C-1", token: str = "tok_visa", via: str = "card", **more: Any
    ) -> PaymentMethod:
        """Store a method with a mandate, which subscribes the customer."""
        mandate = more.pop("mandate", None) or self.mandate(**more)
        stored = self.cashier.enroll(
            customer, via=via, method=token, key=self.key(), mandate=mandate
        )
        assert stored.method is not None
        return stored.method

    def issue(
        self, number: str, amount: Money | str, due: str, customer: str = "C-1", **more: Any
    ) -> Invoice:
        total = usd(amount) if isinstance(amount, str) else amount
        return self.cashier.issue(number=number, customer=customer, total=total, due=due, **more)

    def on(self, day: str, hour: int = 9) -> None:
        """Let the time pass until *day*, with the news and the run of each day on the way."""
        wanted = date.fromisoformat(day)
        while self.clock.now().date() < wanted:
            following = self.clock.now().date() + timedelta(days=1)
            self.clock.set(datetime.combine(following, time(hour), tzinfo=UTC))
            if following < wanted:
                self.day()

    def day(self) -> AutopayRun:
        """Do what a worker does on a day: take in the news, then run."""
        self.news()
        return self.cashier.run_autopay()

    def news(self) -> None:
        for name in ("card", "bank", "page"):
            for callback in self.gateways[name].callbacks():
                self.cashier.receive(name, callback)
        self.cashier.apply_callbacks()
        self.cashier.recover()

    def told(self) -> list[str]:
        """Return what happened since the last call: invoices, and automatic payment."""
        events = list(every_event(self.cashier))
        new, self.seen = events[self.seen :], len(events)
        return [_line(each) for each in new if not each.type.startswith(PASSED_OVER)]

    def charged(self, via: str = "card") -> list[str]:
        """Return the money that the processor of *via* moved to us."""
        journal = self.gateways[via].journal
        return [str(each.amount) for each in journal if each.kind is MovementKind.CHARGE]

    def tried(self) -> list[tuple[str, str]]:
        """Return the automatic payments with their status, the oldest first."""
        found = self.cashier.payments(oldest_first=True, limit=1_000)
        return [(str(each.amount), each.status.value) for each in found if each.method]

    def opened(self, number: str) -> str:
        return str(self.cashier.invoice(number).open)

    def close(self) -> None:
        found = self.cashier.fsck()
        self.cashier.close()
        assert found == [], found


def _line(event: Event) -> str:
    data = event.data
    kind = event.type.removeprefix("invoice.").removeprefix("autopay.")
    about = data.get("number") or ",".join(data.get("invoices", ()))
    more = [str(data[name]) for name in ("day",) if name in data]
    return " ".join([kind, *([about] if about else []), *more])
