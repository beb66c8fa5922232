"""A year of one customer who agreed to automatic payment, with a clock and processors in memory.

The card is declined, reported as lost and replaced. In October the customer adds a bank account,
whose debits are announced ten days before; the one of November comes back.

Run it with::

    python examples/automatic_payment.py
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from cryptography.fernet import Fernet

from paygate import AutopayPolicy, Cashier, Event, Kind, Mandate, Money, RetryPolicy
from paygate.testing import FakeClock, FakeGateway

FIRST = datetime(2027, 1, 1, 9, 0, tzinfo=UTC)
LAST = date(2027, 12, 31)
# What the card's bank says to the invoice of each month; otherwise it approves.
ANSWERS = {
    3: ["declined_insufficient_funds"],
    6: ["declined_insufficient_funds"] * 4,
    9: ["declined_lost_or_stolen"],
    11: ["bank_returned_r01"],
}
SHOWN = ("autopay.", "method.blocked", "method.forgotten", "invoice.paid", "invoice.reopened")
# The processor does not present returned debits again by itself, so we do, after 3 and 5 days.
POLICY = AutopayPolicy(retry=RetryPolicy(represent=(3, 5)))


def main() -> None:
    """Print what happens to the invoices of each month."""
    clock = FakeClock(FIRST)
    card, bank = FakeGateway(clock=clock), FakeGateway(Kind.E_CHECK, clock=clock)
    keys = [Fernet.generate_key().decode()]
    with Cashier.in_memory(
        gateways={"card": card, "bank": bank}, clock=clock, token_keys=keys, autopay=POLICY
    ) as cashier:
        store(cashier, "tok_visa", "card-1")
        seen = 0
        while clock.now().date() <= LAST:
            today = clock.now().date()
            if today.day == 1:
                bill(cashier, bank if today.month > 10 else card, today)
            if today == date(2027, 9, 20):  # the customer enters a new card
                old, new = cashier.methods("C-1")[0], store(cashier, "tok_mastercard", "card-2")
                cashier.replace_method(old, replacement=new, key="replace-1")
            if today == date(2027, 10, 20):  # the customer prefers a bank account from now on
                account = store(cashier, "tok_bank", "bank-1", via="bank")
                cashier.set_default_method(account)
            cashier.run_autopay()
            for callback in bank.callbacks():  # a debit has settled, or was returned
                cashier.receive("bank", callback)
            cashier.apply_callbacks()
            cashier.recover()
            events = cashier.events(after=seen, limit=1_000)
            for event in events:
                tell(today, event)
            seen = events[-1].position if events else seen
            clock.advance(timedelta(days=1))
        owed = [invoice.number for invoice in cashier.open_invoices(customer="C-1")]
        charged = card.moved("USD") + bank.moved("USD")
        print(f"charged: {charged}, still open: {', '.join(owed) or 'nothing'}")
        assert cashier.fsck() == []


def store(cashier: Cashier, token: str, key: str, via: str = "card") -> str:
    """Store a card or bank account with the customer's agreement, and return its id."""
    mandate = Mandate(text_version="2026-12", accepted_at=cashier.now())
    stored = cashier.enroll("C-1", via=via, method=token, key=key, mandate=mandate).method
    assert stored is not None
    return stored.id


def bill(cashier: Cashier, gateway: FakeGateway, today: date) -> None:
    """Issue the invoice of a month, due on the 15th."""
    number, due = f"{today:%Y-%m}", today.replace(day=15)
    cashier.issue(number=number, customer="C-1", total=Money.of("USD", "20.00"), due=due)
    gateway.script(*ANSWERS.get(today.month, []), invoice=number)


def tell(today: date, event: Event) -> None:
    """Print an event about automatic payment."""
    if event.type.startswith(SHOWN):
        about = event.data.get("number") or ", ".join(event.data.get("invoices", ()))
        when = "on" if event.type == "autopay.announced" else "again on"
        day = f"{when} {event.data['day']}" if "day" in event.data else ""
        print(today, event.type, about, day)


if __name__ == "__main__":
    main()
