"""Random calls at one ledger by a process of its own, as many as a test asks for."""

from __future__ import annotations

import random
from multiprocessing.synchronize import Barrier
from typing import Any, Final

from paygate import Cashier, Kind, Money, PaygateError
from paygate.errors import Refused, StoreError
from paygate.service.account import Timing
from paygate.testing import LoopbackGateway
from tests.ledger.postgres.races import BACK, DUE

CUSTOMERS: Final = tuple(f"C-{number}" for number in range(6))
TOKENS: Final = ("tok_visa", "tok_visa", "tok_visa", "tok_declined", "tok_unknown_executed")
PATIENCE_S: Final = 120.0


def open_cashier(url: str, processor: str) -> Cashier:
    gateways = {
        "card": LoopbackGateway(Kind.CARD, url=processor),
        "page": LoopbackGateway(Kind.REDIRECT, url=processor),
    }
    return Cashier.open(url, gateways=gateways, timing=Timing(feed_pause=None))


class Player:
    """Makes random calls, and remembers what came of them."""

    def __init__(self, cashier: Cashier, seed: int) -> None:
        self.cashier = cashier
        self.rolls = random.Random(seed)  # noqa: S311  (no secret)
        self.seed = seed
        self.made = 0
        self.done = 0
        self.refused = 0
        self.errors: list[str] = []
        self._calls = [
            *[self.issue] * 4,
            *[self.collect] * 6,
            *[self.pay_on_page] * 2,
            *[self.refund] * 3,
            *[self.record] * 2,
            self.authorize,
            self.capture,
            self.cancel,
            self.reverse,
            self.record_refund,
            self.pay_from_credit,
            self.void,
            self.write_off,
            self.recover,
            self.publish,
        ]
        cashier.subscribe("books", lambda _: None)

    def play(self, calls: int) -> None:
        for _ in range(calls):
            self.made += 1
            try:
                self.rolls.choice(self._calls)()
                self.done += 1
            except (StoreError, AssertionError) as error:
                self.errors.append(f"{type(error).__name__}: {error}")
            except (Refused, PaygateError):
                self.refused += 1

    @property
    def key(self) -> str:
        # Some keys are those of another process, which makes other calls with them.
        return f"{self.seed if self.rolls.random() < 0.9 else 0}-{self.made}"

    def amount(self) -> Money:
        return Money("USD", self.rolls.randint(1, 3000))

    def invoice(self) -> str:
        found = self.cashier.invoices(customer=self.rolls.choice(CUSTOMERS), limit=20)
        return self.rolls.choice(found).number if found else "none"

    def payment(self) -> Any:
        found = self.cashier.payments(customer=self.rolls.choice(CUSTOMERS), limit=10)
        return self.rolls.choice(found) if found else "pay_none"

    def issue(self) -> None:
        customer = self.rolls.choice(CUSTOMERS)
        number = f"{self.seed}-{self.made}"
        self.cashier.issue(number=number, customer=customer, total=self.amount(), due=DUE)

    def collect(self) -> None:
        token = self.rolls.choice(TOKENS)
        self.cashier.collect(self.invoice(), via="card", method=token, key=self.key)

    def pay_on_page(self) -> None:
        page = self.cashier.collect(self.invoice(), via="page", key=self.key, return_url=BACK)
        if self.rolls.random() < 0.7:
            gateway: Any = self.cashier._accounts["page"].gateway
            gateway.pay(page.reference)
            self.cashier.complete(page)

    def authorize(self) -> None:
        self.cashier.authorize(self.invoice(), via="card", method="tok_visa", key=self.key)

    def capture(self) -> None:
        self.cashier.capture(self.payment(), key=self.key)

    def cancel(self) -> None:
        self.cashier.cancel(self.payment(), key=self.key)

    def refund(self) -> None:
        amount = self.amount() if self.rolls.random() < 0.5 else None
        self.cashier.refund(self.payment(), amount=amount, key=self.key)

    def record(self) -> None:
        self.cashier.record(self.invoice(), by="check", amount=self.amount(), key=self.key)

    def reverse(self) -> None:
        self.cashier.reverse(self.payment(), reason="bounced")

    def record_refund(self) -> None:
        self.cashier.record_refund(
            self.payment(), amount=self.amount(), by="cash", reference="till", key=self.key
        )

    def pay_from_credit(self) -> None:
        self.cashier.pay_from_credit(self.invoice(), key=self.key)

    def void(self) -> None:
        self.cashier.void(self.invoice(), reason="issued twice")

    def write_off(self) -> None:
        self.cashier.write_off(self.invoice(), reason="small", key=self.key)

    def recover(self) -> None:
        self.cashier.recover(limit=5)

    def publish(self) -> None:
        self.cashier.publish()


def play(url: str, processor: str, seed: int, calls: int, together: Barrier, told: Any) -> None:
    """Make *calls* when everybody is ready, and tell what came of them."""
    from tests.support.holding import check_everywhere

    check_everywhere()
    with open_cashier(url, processor) as cashier:
        player = Player(cashier, seed)
        together.wait(PATIENCE_S)
        player.play(calls)
    told.send((player.done, player.refused, player.errors))
    told.close()
