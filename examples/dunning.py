"""A customer who does not pay, from the due date to termination and back, as a calendar.

Run it with::

    python examples/dunning.py
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from paygate import Campaign, Cashier, Customer, Event, Money
from paygate.testing import FakeClock

FIRST = datetime(2027, 3, 1, 9, 0, tzinfo=UTC)
LAST = date(2027, 6, 30)
SHOWN = ("invoice.", "customer.", "promise.", "commitment.", "notice.")


def main() -> None:
    """Print what happens on each day on which something happens."""
    clock = FakeClock(FIRST)
    campaign = Campaign(business_days=True)
    with Cashier.in_memory(clock=clock, campaign=campaign) as cashier:
        customer = Customer("C-1", name="Ann", zone="Europe/Zurich", language="de")
        cashier.commit_to(customer, "fibre 1000", start="2027-03-01", months=24, key="fibre")
        cashier.issue(
            number="INV-1", customer=customer, total=Money.of("CHF", "59.00"), due="2027-03-15"
        )
        seen = 0
        while clock.now().date() <= LAST:
            people(cashier, clock.now().date())
            cashier.run_overdue()
            seen = show(cashier, clock.now().date(), seen)
            clock.advance(timedelta(days=1))
        assert cashier.fsck() == []


def people(cashier: Cashier, today: date) -> None:
    """Do what the customer and the clerks do on a day."""
    match today.isoformat():
        case "2027-03-24":  # the customer calls
            cashier.promise("C-1", until="2027-04-02")
        case "2027-06-07":
            cashier.record("INV-1", by="transfer", key="transfer-1")
        case "2027-06-08":
            cashier.reinstate("C-1", reason="paid, and wants to come back")
        case "2027-06-15":  # the bank takes the transfer back
            payment = cashier.payments(customer="C-1")[0]
            cashier.reverse(payment, reason="the transfer was recalled")
        case _:
            pass


def show(cashier: Cashier, today: date, seen: int) -> int:
    """Print the events of a day, and what comes next for the customer."""
    events = cashier.events(after=seen, limit=1_000)
    told = [line(each) for each in events if each.type.startswith(SHOWN)]
    if told:
        standing = cashier.standing("C-1")
        following = [
            f"next: {debt.next_stage} on {debt.next_on:%d %b}"
            for debt in standing.debts
            if debt.next_stage is not None and debt.next_on is not None
        ]
        print(f"{today:%a %d %b}  {standing.state:<10}  {'; '.join(told)}")
        for each in following:
            print(f"{'':24}{each}")
    return events[-1].position if events else seen


def line(event: Event) -> str:
    """Return an event in a few words."""
    if event.type == "notice.due":
        return f"notice {event.data['kind']} ({event.data['language']})"
    if event.type.startswith("promise."):
        return f"{event.type} {event.data['until']}"
    return event.type


if __name__ == "__main__":
    main()
