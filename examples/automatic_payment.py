"""A year of one customer who agreed to automatic payment, with a clock and a processor in memory.

Run it with::

    python examples/automatic_payment.py
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from cryptography.fernet import Fernet

from paygate import Cashier, Event, Mandate, Money
from paygate.testing import FakeClock, FakeGateway

FIRST = datetime(2027, 1, 1, 9, 0, tzinfo=UTC)
LAST = date(2027, 12, 31)
# What the card's bank says to the invoice of each month; otherwise it approves.
ANSWERS = {
    3: ["declined_insufficient_funds"],
    6: ["declined_insufficient_funds"] * 4,
    9: ["declined_lost_or_stolen"],
}
SHOWN = ("autopay.", "method.blocked", "method.forgotten", "invoice.paid")


def main() -> None:
    """Print what happens to the invoices of each month."""
    clock = FakeClock(FIRST)
    card = FakeGateway(clock=clock)
    keys = [Fernet.generate_key().decode()]
    with Cashier.in_memory(gateways={"card": card}, clock=clock, token_keys=keys) as cashier:
        store(cashier, "tok_visa", "card-1")
        seen = 0
        while clock.now().date() <= LAST:
            today = clock.now().date()
            if today.day == 1:
                bill(cashier, card, today)
            if today == date(2027, 9, 20):  # the customer enters a new card
                old, new = cashier.methods("C-1")[0], store(cashier, "tok_mastercard", "card-2")
                cashier.replace_method(old, replacement=new, key="replace-1")
            cashier.run_autopay()
            cashier.recover()
            events = cashier.events(after=seen, limit=1_000)
            for event in events:
                tell(today, event)
            seen = events[-1].position if events else seen
            clock.advance(timedelta(days=1))
        owed = [invoice.number for invoice in cashier.open_invoices(customer="C-1")]
        print(f"charged: {card.moved('USD')}, still open: {', '.join(owed) or 'nothing'}")
        assert cashier.fsck() == []


def store(cashier: Cashier, token: str, key: str) -> str:
    """Store a card with the customer's agreement, and return its id."""
    mandate = Mandate(text_version="2026-12", accepted_at=cashier.now())
    stored = cashier.enroll("C-1", via="card", method=token, key=key, mandate=mandate).method
    assert stored is not None
    return stored.id


def bill(cashier: Cashier, card: FakeGateway, today: date) -> None:
    """Issue the invoice of a month, due on the 15th."""
    number, due = f"{today:%Y-%m}", today.replace(day=15)
    cashier.issue(number=number, customer="C-1", total=Money.of("USD", "20.00"), due=due)
    card.script(*ANSWERS.get(today.month, []), invoice=number)


def tell(today: date, event: Event) -> None:
    """Print an event about automatic payment."""
    if event.type.startswith(SHOWN):
        about = event.data.get("number") or ", ".join(event.data.get("invoices", ()))
        day = f"again on {event.data['day']}" if "day" in event.data else ""
        print(today, event.type, about, day)


if __name__ == "__main__":
    main()
