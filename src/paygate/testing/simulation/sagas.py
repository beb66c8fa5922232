"""Sagas: sequences of actions that are harmless alone and revealed bugs in combination.

By chance, they follow each other on one payment once in ten thousand schedules. So they
are played here in sequence, while all other actors and faults go on in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate.domain.kind import Kind
from paygate.domain.movement import MovementKind
from paygate.testing.processor.order import PAYABLE, State
from paygate.testing.simulation import bank, clerk, customers, workers

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.testing.processor.order import Order
    from paygate.testing.simulation.dice import Dice
    from paygate.testing.simulation.world import World


def lost_void_won(world: World, name: str, rolls: Dice) -> None:
    """Lose a dispute, void the invoice that it reopened, and then win the dispute."""
    found = _one(world, rolls, lambda order: bank.can_be_disputed(order) or bank.is_disputed(order))
    if found is None:
        return
    account, order = found
    if not any(entry.kind is MovementKind.CHARGEBACK for entry in order.movements):
        bank.take(world, account, order, rolls)
    if not bank.lost(order):
        bank.decide(world, account, order, won=False)
    _hear(world, f"{name}.h", account, rolls)
    clerk.void_lost(world, f"{name}.v", rolls)
    go_on(world, rolls)
    if rolls.random() < 0.8:
        bank.decide(world, account, order, won=True)
        _hear(world, f"{name}.w", account, rolls)
    world.count("saga:lost, void, won")


def won_then_lost(world: World, name: str, rolls: Dice) -> None:
    """Win a dispute whose money was taken, then lose it; it may be won again."""
    found = _one(world, rolls, lambda order: bank.can_be_disputed(order) and not bank.lost(order))
    if found is None:
        return
    account, order = found
    bank.take(world, account, order, rolls)
    _hear(world, f"{name}.h", account, rolls)
    bank.decide(world, account, order, won=True)
    if rolls.random() < 0.7:
        _hear(world, f"{name}.w", account, rolls)
    if not bank.stands(order):
        return
    bank.take(world, account, order, rolls)
    world.count("bank:taken again after it was won")
    if rolls.random() < 0.7:
        _hear(world, f"{name}.a", account, rolls)
    if rolls.random() < 0.7:
        bank.decide(world, account, order, won=rolls.random() < 0.5)
        _hear(world, f"{name}.e", account, rolls)


def refund_then_dispute(world: World, name: str, rolls: Dice) -> None:
    """Refund money that the bank then takes back, too; the dispute may be won."""
    found = _one(world, rolls, bank.can_be_disputed)
    if found is None:
        return
    account, order = found
    clerk.refund(world, f"{name}.r", rolls, payment=order.payment)
    go_on(world, rolls)
    if bank.can_be_disputed(order):
        bank.take(world, account, order, rolls)
        _hear(world, f"{name}.h", account, rolls)
        if rolls.random() < 0.6:
            bank.decide(world, account, order, won=True)
            _hear(world, f"{name}.w", account, rolls)
    world.count("saga:refund, then dispute")


def refund_in_dispute(world: World, name: str, rolls: Dice) -> None:
    """Refund money while the payer's bank disputes it."""
    found = _one(world, rolls, lambda order: bank.can_be_disputed(order) and not order.disputes)
    if found is None:
        return
    account, order = found
    bank.open_one(world, account, order, rolls)
    _hear(world, f"{name}.h", account, rolls)
    clerk.refund_disputed(world, f"{name}.r", rolls)
    go_on(world, rolls)
    if rolls.random() < 0.7:
        if bank.can_be_disputed(order) and rolls.random() < 0.5:
            bank.take(world, account, order, rolls)
        bank.decide(world, account, order, won=rolls.random() < 0.5)
        _hear(world, f"{name}.d", account, rolls)
    world.count("saga:refund in a dispute")


def come_back_unpaid(world: World, name: str, rolls: Dice) -> None:
    """Come back from a page without having paid; the invoice is paid elsewhere, or late."""
    found = _page(
        world,
        name,
        rolls,
        lambda order: order.state is State.ACTION and order.kind in (Kind.CARD, Kind.REDIRECT),
    )
    if found is None:
        return
    account, order = found
    host = rolls.choice(world.hosts)
    world.begin(f"{name}.b", host, host.complete(order.payment), rolls)
    go_on(world, rolls)
    if rolls.random() < 0.6:
        customers.pay(world, f"{name}.p", rolls)
        go_on(world, rolls)
    shown = (account, order.reference) in world.shown
    if rolls.random() < 0.6 and order.state in PAYABLE and shown:
        world.gateways[account].pay(order.reference)
        _hear(world, f"{name}.h", account, rolls)
    world.count("saga:came back without paying")


def paid_late(world: World, name: str, rolls: Dice) -> None:
    """End a page, pay its invoice elsewhere, and pay the page anyway."""
    found = _page(
        world, name, rolls, lambda order: order.state in PAYABLE and order.operation in _COLLECTS
    )
    if found is None or not world.profiles[found[0]].late:
        return
    account, order = found
    match rolls.randrange(3):
        case 0:
            clerk.withdraw_page(world, f"{name}.c", rolls, payment=order.payment)
        case 1:
            world.gateways[account].cancel(order.reference)
        case _:
            pass
    _hear(world, f"{name}.h", account, rolls)
    customers.pay(world, f"{name}.p", rolls)
    go_on(world, rolls)
    if (account, order.reference) in world.shown and (
        order.state in PAYABLE or customers.can_be_late(order)
    ):
        if order.state not in PAYABLE:
            world.disturbed.add(order.payment)
            world.count(f"processor:late {order.operation} of {order.kind}")
        world.gateways[account].pay(order.reference)
        _hear(world, f"{name}.l", account, rolls)
    world.count("saga:paid late")


def other_money_goes_back(world: World, name: str, rolls: Dice) -> None:
    """Send back money that differs from what was requested, and pay the invoice again."""
    row = clerk.conflicted(world, rolls)
    if row is None:
        return
    clerk.give_back_other(world, f"{name}.g", rolls)
    go_on(world, rolls)
    if rolls.random() < 0.3:
        clerk.assign(world, f"{name}.a", rolls)
    _hear(world, f"{name}.h", str(row["account"]), rolls)
    customers.pay(world, f"{name}.p", rolls)
    world.count("saga:other money goes back")


def withdraw_debit(world: World, name: str, rolls: Dice) -> None:
    """Withdraw a pending debit, whose money may arrive anyway."""
    found = _one(
        world, rolls, lambda order: order.operation == "charge" and order.state is State.PENDING
    )
    if found is None:
        return
    account, order = found
    clerk.cancel(world, f"{name}.c", rolls, payment=order.payment)
    _hear(world, f"{name}.h", account, rolls)
    world.count("saga:debit withdrawn")


def prepaid_order(world: World, name: str, rolls: Dice) -> None:
    """Prepay an order, pay it, and issue its invoice, in some order; then something goes wrong."""
    customers.prepay(world, f"{name}.o", rolls)
    go_on(world, rolls)
    steps = [_pay_ahead, _pay_ahead, issue_for]
    rolls.shuffle(steps)
    for number, step in enumerate(steps):
        step(world, f"{name}.{number}", rolls)
        if rolls.random() < 0.7:
            go_on(world, rolls)
        if rolls.random() < 0.3:
            _hear(world, f"{name}.{number}h", rolls.choice(list(world.profiles)), rolls)
    for number in range(rolls.choice((0, 1, 2))):
        rolls.choice(_AFTERWARDS)(world, f"{name}.a{number}", rolls)
        go_on(world, rolls)
    world.count("saga:prepaid order")


def wrong_invoice(world: World, name: str, rolls: Dice) -> None:
    """Pay ahead, issue a wrong invoice, void it and issue the right one; banks go on meanwhile."""
    customers.prepay(world, f"{name}.o", rolls)
    go_on(world, rolls)
    found = world.prepayments()
    if not found:
        return
    made = found[-1]
    whose = (str(made["customer"]), str(made["assignment_key"]))
    for number in range(rolls.choice((1, 1, 2))):
        customers.pay(world, f"{name}.p{number}", rolls, [str(made["number"])])
        go_on(world, rolls)
    clerk.issue(world, f"{name}.w", rolls, whose)
    go_on(world, rolls)
    if rolls.random() < 0.3:
        rolls.choice(_AFTERWARDS)(world, f"{name}.a", rolls)
    for number in range(rolls.choice((1, 2))):
        workers.wait(world, f"{name}.{number}t", rolls)
        for account in world.profiles:
            _hear(world, f"{name}.{number}{account}h", account, rolls)
        clerk.void_wrong(world, f"{name}.v{number}", rolls, f"INV-{name}.w")
        go_on(world, rolls)
    if rolls.random() < 0.3:
        clerk.undo_reversal(world, f"{name}.u", rolls)
    clerk.issue(world, f"{name}.r", rolls, whose)
    go_on(world, rolls)
    world.count("saga:wrong invoice")


def bounced_check(world: World, name: str, rolls: Dice) -> None:
    """Pay an invoice by check and then its prepayment; the check of the invoice bounces."""
    customers.prepay(world, f"{name}.o", rolls)
    go_on(world, rolls)
    issue_for(world, f"{name}.i", rolls)
    go_on(world, rolls)
    pairs = world.store.look(_PAIRS)
    if not pairs:
        return
    pair = rolls.choice(pairs)
    clerk.record(world, f"{name}.c", rolls, str(pair["invoice"]))
    go_on(world, rolls)
    clerk.record(world, f"{name}.p", rolls, str(pair["prepayment"]))
    go_on(world, rolls)
    for row in world.payments("kind = 'check'"):
        if row["key"] == f"check-{name}.c":
            clerk.reverse(world, f"{name}.r", rolls, str(row["id"]))
    go_on(world, rolls)
    world.count("saga:bounced check of a prepaid invoice")


def _pay_ahead(world: World, name: str, rolls: Dice) -> None:
    """Pay a prepayment by a page, a charge or a check, or its invoice if that has replaced it."""
    found = world.prepayments("total_minor > allocated_minor + moved_minor")
    numbers = [str(row["number"]) for row in found]
    if not numbers or rolls.random() < 0.2:
        customers.pay(world, name, rolls)
    elif rolls.random() < 0.3:
        customers.open_page(world, name, rolls, numbers)
        go_on(world, rolls)
        customers.act_on_page(world, f"{name}a", rolls)
    elif rolls.random() < 0.3:
        clerk.record(world, name, rolls)
    else:
        customers.pay(world, name, rolls, numbers)


def issue_for(world: World, name: str, rolls: Dice) -> None:
    """Issue an invoice with the key of a prepayment, now and then for another customer."""
    found = world.store.look(_WITH_KEY)
    if found:
        row = rolls.choice(found)
        other = "C-1" if row["customer"] == "C-2" else "C-2"
        customer = other if rolls.random() < 0.1 else row["customer"]
        clerk.issue(world, name, rolls, (customer, row["assignment_key"]))


_PAIRS: Final = """
SELECT v.number AS invoice, i.number AS prepayment FROM paygate_item i
JOIN paygate_item v ON v.kind = 'invoice' AND v.status = 'open'
  AND v.assignment_key = i.assignment_key AND v.customer = i.customer
WHERE i.kind = 'prepayment' AND i.status <> 'void' ORDER BY v.id, i.id
"""
_WITH_KEY: Final = """
SELECT customer, assignment_key FROM paygate_item
WHERE kind = 'prepayment' AND status <> 'void' ORDER BY id
"""
_AFTERWARDS: Final = (
    clerk.void,
    clerk.refund,
    clerk.reverse,
    clerk.cancel,
    clerk.close_prepayment,
    clerk.undo_credit,
    customers.prepay,
    issue_for,
    _pay_ahead,
)
_COLLECTS: Final = ("charge", "authorize")
SAGAS: Final = (
    lost_void_won,
    won_then_lost,
    refund_then_dispute,
    refund_in_dispute,
    come_back_unpaid,
    paid_late,
    other_money_goes_back,
    withdraw_debit,
)


def tell(world: World, name: str, rolls: Dice) -> None:
    """Play one of the sagas, if there is a payment for it."""
    rolls.choice(SAGAS)(world, name, rolls)


ACTIONS: Final[dict[str, tuple[int, Callable[[World, str, Dice], None]]]] = {
    "saga": (5, tell),
    "prepaid order": (3, prepaid_order),
    "wrong invoice": (3, wrong_invoice),
    "bounced check": (2, bounced_check),
}


def _one(world: World, rolls: Dice, wanted: Callable[[Order], bool]) -> tuple[str, Order] | None:
    found = bank.orders(world, wanted)
    return rolls.choice(found) if found else None


def _page(
    world: World, name: str, rolls: Dice, wanted: Callable[[Order], bool]
) -> tuple[str, Order] | None:
    """Return a page that meets *wanted*, or else open a new one."""
    found = _one(world, rolls, wanted)
    if found is None:
        customers.open_page(world, f"{name}.o", rolls)
        go_on(world, rolls)
        found = _one(world, rolls, wanted)
    return found


def _hear(world: World, name: str, account: str, rolls: Dice) -> None:
    """Deliver the callbacks of *account*, and let a host recover."""
    for index in workers.unheard(world, account):
        workers.send_callback(world, f"{name}{index}", account, index, rolls)
    host = rolls.choice(world.hosts)
    world.begin(f"{name}r", host, host.recover(), rolls)
    go_on(world, rolls)


def go_on(world: World, rolls: Dice) -> None:
    """Let the tasks go on, mostly to their end."""
    for _ in range(rolls.choice((6, 200, 200))):
        if not world.tasks:
            return
        world.move(world.tasks[rolls.randrange(len(world.tasks))])
