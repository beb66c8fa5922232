"""Payment links: clerks make and end them, and payers open them in two tabs and click twice."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.money import Money
from paygate.testing.simulation import bank, clerk, customers, sagas, workers
from paygate.testing.simulation.dice import weighted
from paygate.testing.simulation.world import KeyedCall, Tab

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paygate.domain.payment import Payment
    from paygate.service.flow import Flow
    from paygate.testing.simulation.dice import Dice
    from paygate.testing.simulation.hosts import Host
    from paygate.testing.simulation.world import World

_LASTS: Final = (timedelta(hours=1), timedelta(days=1), timedelta(days=20))
_BOUNDS: Final = (Money("USD", 100), Money("USD", 20_000))


def make(world: World, name: str, rolls: Dice, wanted: Sequence[Any] = ()) -> None:
    """Make a link for items, of which there may be *wanted* ones, or for a whole balance."""
    left = "total_minor > allocated_minor + written_off_minor + moved_minor"
    rows = [*wanted] or [*world.invoices(left), *world.prepayments(left)]
    key, more = f"link-{name}", _terms(world, rolls)
    items: list[str] | None = None
    if rows and (wanted or rolls.random() < 0.8):
        first = rolls.choice(rows)
        items = [str(first["number"])]
        if first["kind"] == "invoice" and rolls.random() < 0.3:
            items += [
                str(each["number"])
                for each in world.invoices(left)
                if each["customer"] == first["customer"] and each["id"] != first["id"]
            ][:1]
    else:
        more |= {"customer": rolls.choice(("C-1", "C-2")), "currency": "USD"}
    order = KeyedCall("link", key, lambda host: host.link(items, key=key, **more))
    world.orders.append(order)
    world.place(name, order, rolls.choice(world.hosts), rolls)
    world.count("actor:link")


def _terms(world: World, rolls: Dice) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if rolls.random() < 0.3:
        more["amount"] = _BOUNDS
    if rolls.random() < 0.3:
        more["uses"] = 1
    if rolls.random() < 0.5:
        more["expires"] = world.clock.now() + rolls.choice(_LASTS)
    if rolls.random() < 0.1:
        more["immediate_only"] = True
    return more


def open_tab(world: World, name: str, rolls: Dice) -> None:
    """Follow a link, and get its form; the tab stays open."""
    rows = world.store.look(_LINKS)
    if not rows:
        return
    which = str(rolls.choice(rows[-3:])["id"])

    def follow(host: Host) -> Flow[Tab | None]:
        known = yield from host.link_by_id(which)
        if known.token is None:
            return None
        link = yield from host.link_of(known.token)
        given = yield from host.begin_try(link)
        return Tab(token=known.token, given=given, chosen=link.chosen_by_payer)

    def then(tab: Tab | None) -> None:
        if tab is not None:
            world.tabs.append(tab)

    host = rolls.choice(world.hosts)
    world.begin(name, host, follow(host), rolls, then=then)
    world.count("actor:open a link")


def send_form(world: World, name: str, rolls: Dice) -> None:
    """Send the form of a tab, once or by a double click, perhaps again and in another way."""
    if not world.tabs:
        return
    tab = rolls.choice(world.tabs[-4:])
    account, more = customers.through(world, rolls)
    tab.ways.append({"via": account, **more})
    order = tab.order
    if order is None:
        amount = Money("USD", rolls.choice((100, 500, 1234))) if tab.chosen else None
        order = tab.order = KeyedCall(
            "pay_link",
            f"form-{name}",
            lambda host: host.pay_link(tab.token, given=tab.given, amount=amount, **tab.ways[-1]),
            after=lambda payment: _check_shown(world, tab, payment),
        )
        world.orders.append(order)
    else:
        world.count("actor:a form is sent again")
    world.place(name, order, rolls.choice(world.hosts), rolls)
    if rolls.random() < 0.3:
        world.place(f"{name}b", order, rolls.choice(world.hosts), rolls)
        world.count("actor:double click on a link")
    world.count("actor:pay_link")


def _check_shown(world: World, tab: Tab, payment: Payment) -> None:
    """Check that what the payer saw is charged, unless they chose the amount."""
    if not tab.chosen and payment.amount != tab.given.amount:
        world.violated("links", f"{payment.id} is {payment.amount}, not {tab.given.amount}")
    world.count(f"link paid: {payment.status}")


def end(world: World, name: str, rolls: Dice) -> None:
    """Revoke a link, or give it another address, which may last longer."""
    rows = world.store.look(_LINKS)
    if not rows:
        return
    which, host = str(rolls.choice(rows[-3:])["id"]), rolls.choice(world.hosts)
    if rolls.random() < 0.5:
        order = KeyedCall(
            "revoke_link",
            f"revoke-{name}",
            lambda host: host.revoke_link(which, reason="sent to the wrong person"),
        )
        world.orders.append(order)
        world.place(name, order, host, rolls)
        world.count("actor:revoke_link")
        return
    later = world.clock.now() + timedelta(days=2) if rolls.random() < 0.5 else None
    world.begin(name, host, host.reissue_link(which, expires=later), rolls)
    world.count("actor:reissue_link")


def linked_order(world: World, name: str, rolls: Dice) -> None:
    """Send the link of an order; it ends, or an invoice replaces the order, while it is paid."""
    customers.prepay(world, f"{name}.o", rolls)
    sagas.go_on(world, rolls)
    made = world.prepayments()[-1:]
    make(world, f"{name}.l", rolls, made if rolls.random() < 0.8 else ())
    sagas.go_on(world, rolls)
    for number in range(rolls.choice((1, 2))):
        open_tab(world, f"{name}.t{number}", rolls)
        sagas.go_on(world, rolls)
    for number in range(3):
        meanwhile = weighted(rolls, _MEANWHILE)
        if meanwhile is not None:
            meanwhile(world, f"{name}.m{number}", rolls)
        send_form(world, f"{name}.p{number}", rolls)
        sagas.go_on(world, rolls)
    if rolls.random() < 0.4:
        take_back(world, f"{name}.b", rolls)
        sagas.go_on(world, rolls)
    world.count("saga:the link of an order")


def take_back(world: World, name: str, rolls: Dice) -> None:
    """Take back what was paid through a link: the payer's bank takes it, or a clerk returns it."""
    rows = world.payments("link IS NOT NULL AND received_minor > returned_minor")
    paid = [str(row["id"]) for row in rows]
    if not paid:
        return
    found = bank.orders(world, lambda order: order.payment in paid and bank.stands(order))
    if found and rolls.random() < 0.6:
        account, order = rolls.choice(found)
        bank.take_back(world, account, order, rolls)
    else:
        clerk.refund(world, name, rolls, rolls.choice(paid))
    world.count("actor:what was paid through a link goes back")


_LINKS: Final = "SELECT id FROM paygate_link ORDER BY id"
_MEANWHILE: Final[dict[Callable[[World, str, Dice], None] | None, int]] = {
    None: 3,
    end: 2,
    workers.wait: 2,
    open_tab: 2,
    sagas.issue_for: 3,
}

ACTIONS: Final[dict[str, tuple[int, Callable[[World, str, Dice], None]]]] = {
    "link": (3, make),
    "open link": (4, open_tab),
    "send form": (5, send_form),
    "end link": (1, end),
    "linked order": (3, linked_order),
}
