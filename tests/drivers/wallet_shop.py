"""A cashier whose only account is at a simulated wallet, in the process of the test."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Any, Protocol

from paygate import Cashier, Customer, Money, Payment
from paygate.dialogue import Request, Response
from paygate.errors import NoResponse
from paygate.gateway import Callback
from paygate.testing import FakeClock

ADA = Customer("C-1", name="Ada Obi", email="ada@example.com", phone="+234 803 555 0143")
BACK = "https://shop.example/back?payment={payment}"


class Processor(Protocol):
    """A simulated wallet."""

    def now(self) -> datetime: ...

    def call(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, str, bytes] | None: ...


class InProcess:
    """Carries requests to a simulated wallet without a network."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor
        self.sent: list[Request] = []

    def exchange(self, request: Request, /) -> Response:
        self.sent.append(request)
        answer = self.processor.call(request.method, request.url, request.headers, request.body)
        if answer is None:
            raise NoResponse("the connection broke")
        status, kind, body = answer
        date = format_datetime(self.processor.now(), usegmt=True)
        return Response(status=status, headers={"date": date, "content-type": kind}, body=body)

    def close(self) -> None:
        """Nothing is open."""

    def abandon(self) -> None:
        """Nothing is open."""


class WalletShop:
    """A merchant who takes one wallet."""

    def __init__(self, processor: Any, clock: FakeClock, account: dict[str, Any]) -> None:
        self.processor, self.clock = processor, clock
        self.wire = InProcess(processor)
        self.cashier = Cashier.in_memory(
            gateways={"wallet": account}, clock=clock, transport=self.wire
        )
        self.count = 0

    def owe(self, total: Money) -> str:
        self.count += 1
        number = f"INV-{self.count}"
        self.cashier.issue(number=number, customer=ADA, total=total, due="2031-12-01")
        return number

    def page(self, total: Money, **given: Any) -> Payment:
        """Send the payer to the page."""
        number = self.owe(total)
        facts = {"key": number, "return_url": BACK, "payer": ADA, **given}
        return self.cashier.collect(number, via="wallet", **facts)

    def back(self, payment: Payment) -> Payment:
        """Let the payer come back: the processor is asked."""
        return self.cashier.inquire(payment)

    def deliver(self, body: bytes, query: str = "", method: str = "POST") -> int:
        """Receive one callback; return the status of the reply."""
        sent = Callback(
            method=method,
            path="/callbacks/wallet",
            headers={},
            query=query,
            body=body,
            received_at=self.clock.now(),
        )
        status = self.cashier.receive("wallet", sent).status
        self.cashier.apply_callbacks()
        return status

    def poll(self, **later: float) -> None:
        """Let time pass, and do what is due."""
        self.clock.advance(None, **(later or {"minutes": 16}))
        self.cashier.recover()

    def now(self, payment: Payment) -> Payment:
        return self.cashier.payment(payment.id)

    def open(self, number: str = "INV-1") -> str:
        return str(self.cashier.invoice(number).open)

    def receipts(self) -> list[str]:
        """Return what was booked, as kind, id and amount."""
        lines = self.cashier.receipt_lines(oldest_first=True)
        return [
            f"{each.receipt.kind} {each.receipt.movement_id} {each.receipt.amount}"
            for each in lines
        ]
