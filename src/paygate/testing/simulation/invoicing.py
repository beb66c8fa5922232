"""Invoicing: drafts that are changed, voided and finalized, and runs that read orders again."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.invoice_lines import InvoiceLine, InvoiceText, TaxLine
from paygate.errors import NumberReused
from paygate.service.orders import InvoiceOrder
from paygate.testing.simulation.world import KeyedCall

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.service.flow import Flow
    from paygate.testing.simulation.dice import Dice
    from paygate.testing.simulation.hosts import Host
    from paygate.testing.simulation.world import World

_DRAFTS: Final = "SELECT id FROM paygate_item WHERE status = 'draft' ORDER BY id"
_SERIES: Final = "D-{n:03}"
_OF_RUNS: Final = "R-{n:04}"
_KNOWN_ORDERS: Final = 12
"""How many orders the billing system has; each run reads some of them."""
_DUE: Final = date(2031, 3, 1)


def draft(world: World, name: str, rolls: Dice) -> None:
    """Make a draft with a line and a tax."""
    key, customer = f"draft-{name}", rolls.choice(("C-1", "C-2"))
    text, due = _text(rolls.choice((1, 2, 7))), world.clock.now().date() + timedelta(days=30)
    order = KeyedCall(
        "draft",
        key,
        lambda host: host.draft(
            customer=customer, due=due, key=key, lines=text.lines, tax=text.tax
        ),
    )
    world.orders.append(order)
    world.place(name, order, rolls.choice(world.hosts), rolls)
    world.count("actor:draft")


def change(world: World, name: str, rolls: Dice) -> None:
    """Change a draft, or void it; another clerk may be finalizing it."""
    rows = world.store.look(_DRAFTS)
    if not rows:
        return
    which, host = str(rolls.choice(rows)["id"]), rolls.choice(world.hosts)
    if rolls.random() < 0.7:
        text = _text(rolls.choice((1, 3, 4)))
        flow: Flow[Any] = host.change_draft(which, lines=text.lines, tax=text.tax)
    else:
        flow = host.void(which, reason="not ordered")
    world.begin(name, host, flow, rolls)
    world.count("actor:change a draft")


def finalize(world: World, name: str, rolls: Dice) -> None:
    """Finalize a draft with the next number, perhaps in two processes at once."""
    rows = world.store.look(_DRAFTS)
    if not rows:
        return
    which = str(rolls.choice(rows)["id"])
    order = KeyedCall(
        "finalize",
        f"finalize-{name}",
        lambda host: _numbered(world, host.finalize(which, series=_SERIES)),
    )
    world.orders.append(order)
    for place in range(rolls.choice((1, 1, 2))):
        world.place(f"{name}.{place}", order, rolls.choice(world.hosts), rolls)
    world.count("actor:finalize")


def run(world: World, name: str, rolls: Dice) -> None:
    """Issue the invoices of some orders, of which other runs have read some before."""
    first = rolls.randrange(_KNOWN_ORDERS)
    count = rolls.choice((1, 3, 6))
    wanted = [_order(number % _KNOWN_ORDERS) for number in range(first, first + count)]
    group = rolls.choice((1, 2, 4))

    def begin(host: Host) -> Flow[Any]:
        return _numbered(world, host.invoice_run(wanted, series=_OF_RUNS, group=group))

    order = KeyedCall("invoice_run", f"run-{name}", begin, after=lambda _: _note(world, wanted))
    world.orders.append(order)
    for place in range(rolls.choice((1, 1, 2))):
        world.place(f"{name}.{place}", order, rolls.choice(world.hosts), rolls)
    world.count("actor:invoice run")


def _order(number: int) -> InvoiceOrder:
    """Return an order, which is always the same for a number."""
    text = _text(number + 1)
    # Nothing is random and nothing depends on the time: the billing system says the same again.
    return InvoiceOrder(
        id=f"O-{number}",
        customer=("C-1", "C-2")[number % 2],
        total=text.total,
        due=_DUE,
        text=text,
    )


def _text(number: int) -> InvoiceText:
    lines = (InvoiceLine.of("Support", "3.35", "USD", quantity=number, tax_category="S"),)
    return InvoiceText(lines=lines, tax=(TaxLine.of("VAT", "19", lines, category="S"),))


def _numbered(world: World, flow: Flow[Any]) -> Flow[Any]:
    """Run *flow*; a series whose number is taken is a violation, because only it writes them."""
    try:
        return (yield from flow)
    except NumberReused as error:
        world.violated("series", str(error))
        raise


def _note(world: World, wanted: list[InvoiceOrder]) -> None:
    world.invoiced.update(each.id for each in wanted)


# --- The verdict ------------------------------------------------------------------------------

_GAPS: Final = """
SELECT series, period, count(*) AS given, max(place) AS last FROM paygate_invoice
WHERE series <> '' GROUP BY series, period HAVING count(*) <> max(place)
"""
_TWICE: Final = """
SELECT key, count(*) AS invoices FROM paygate_invoice WHERE key LIKE 'O-%' GROUP BY key
"""
_TOTALS: Final = """
SELECT i.number, i.total_minor, i.status,
  d.lines, d.tax,
  (SELECT count(*) FROM paygate_posting p WHERE p.item = i.id) AS posted
FROM paygate_invoice d JOIN paygate_item i ON i.id = d.item
"""


def check_invoicing(world: World) -> None:
    """Check that series have no gaps, orders one invoice each, and drafts no money."""
    for row in world.store.look(_GAPS):
        text = f"{row['series']} {row['period']} has {row['given']} invoices up to {row['last']}"
        world.violated("series", text)
    found = {str(row["key"]): int(row["invoices"]) for row in world.store.look(_TWICE)}
    for order, count in found.items():
        if count > 1:
            world.violated("run", f"order {order} has {count} invoices")
    for order in sorted(world.invoiced - found.keys()):
        world.violated("run", f"order {order} was read, and has no invoice")
    for row in world.store.look(_TOTALS):
        parts = [*json.loads(row["lines"]), *json.loads(row["tax"])]
        if row["total_minor"] != sum(int(part["amount_minor"]) for part in parts):
            world.violated("totals", f"{row['number']} is not the sum of its lines and tax")
        if row["status"] == "draft" and row["posted"]:
            world.violated("drafts", f"{row['number']} is a draft with postings")
        world.count(f"invoice with lines: {row['status']}")


ACTIONS: Final[dict[str, tuple[int, Callable[[World, str, Dice], None]]]] = {
    "draft": (2, draft),
    "change draft": (1, change),
    "finalize": (2, finalize),
    "invoice run": (2, run),
}
