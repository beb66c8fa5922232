"""Customers: they pay, click twice, open a second tab, leave a page and come back."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.kind import Kind, Operation
from paygate.domain.money import Money
from paygate.domain.payable import Share
from paygate.domain.payment import PaymentStatus
from paygate.domain.prepayment import OnRest
from paygate.ledger import methods
from paygate.testing.processor.effects import PAGES
from paygate.testing.processor.order import PAYABLE, State
from paygate.testing.simulation import bank, clerk
from paygate.testing.simulation.dice import weighted
from paygate.testing.simulation.world import KeyedCall

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paygate.service.flow import Flow
    from paygate.testing.processor.order import Order
    from paygate.testing.simulation.dice import Dice
    from paygate.testing.simulation.hosts import Host
    from paygate.testing.simulation.profiles import SimulatedAccount
    from paygate.testing.simulation.world import World

RETURN_URL: Final = "https://shop.example/back"

_CARDS: Final = {
    "tok_visa": 20,
    "tok_declined": 3,
    "tok_declined_insufficient_funds": 2,
    "tok_pending": 2,
    "tok_pending_declined": 1,
    "tok_action": 5,
    "tok_rejected_validation": 1,
}
_ODD_CARDS: Final = {"tok_partial": 8, "tok_other_amount": 5, "tok_other_currency": 4}
_CHECKS: Final = {
    "tok_bank": 14,
    "tok_declined": 2,
    "tok_bank_unpaid_r01": 3,
    "tok_bank_returned_r01": 6,
}
_ODD_CHECKS: Final = {"tok_partial": 3, "tok_other_amount": 2, "tok_other_currency": 2}
_PAGE: Final[dict[Kind, dict[str, Any]]] = {
    Kind.CARD: {"method": "tok_action"},
    Kind.REDIRECT: {"return_url": RETURN_URL},
    Kind.VOUCHER: {},
    Kind.QR: {},
    Kind.PUSH: {},
    Kind.BITCOIN: {},
}
"""The arguments with which a payment of each kind sends its payer elsewhere."""
_FOLLOW_UPS: Final = {"": 6, "capture": 8, "cancel": 1, "both": 3, "refund": 3}


def pay(world: World, name: str, rolls: Dice, numbers: Sequence[str] = ()) -> None:
    """Collect one or two of *numbers*, or of all invoices, through some account."""
    _collect(world, name, rolls, "collect", numbers)


def hold(world: World, name: str, rolls: Dice) -> None:
    """Authorize the amount of an invoice."""
    _collect(world, name, rolls, "authorize")


def open_page(world: World, name: str, rolls: Dice, wanted: Sequence[str] = ()) -> None:
    """Start a payment that its payer must finish elsewhere, if an account offers that."""
    able = {
        account: more
        for account, profile in world.profiles.items()
        if (more := _PAGE.get(profile.kind)) is not None
    }
    numbers = wanted or _open(world)
    if not able or not numbers:
        return
    account = rolls.choice(list(able))
    profile, key = world.profiles[account], f"page-{name}"
    needed: dict[str, Any] = able[account]
    holds = profile.traits.offers(profile.kind, Operation.AUTHORIZE) and rolls.random() < 0.6
    verb, number = "authorize" if holds else "collect", rolls.choice(numbers)

    def call(host: Host) -> Flow[Any]:
        make: Any = host.authorize if holds else host.collect
        flow: Flow[Any] = make(number, via=account, key=key, **needed)
        return flow

    _place(world, name, KeyedCall(verb, key, call), rolls)


def top_up(world: World, name: str, rolls: Dice) -> None:
    """Pay into the balance, without an invoice."""
    account, more = through(world, rolls)
    amount = Money("USD", rolls.choice((100, 777, 2000)))
    key = f"top-up-{name}"
    order = KeyedCall(
        "top_up", key, lambda host: host.top_up("C-1", amount, via=account, key=key, **more)
    )
    _place(world, name, order, rolls)


def click_again(world: World, name: str, rolls: Dice) -> None:
    """Repeat an earlier call with the same key, like a second click on the button."""
    if world.orders:
        order = rolls.choice(world.orders[-3:])
        world.place(name, order, rolls.choice(world.hosts), rolls)
        world.count("actor:click again")


def act_on_page(world: World, name: str, rolls: Dice) -> None:
    """Pay a page, slip or address in full, too much, too little, twice or late, or cancel it."""
    del name
    shown = list(_pages(world))
    if not shown:
        return
    account, order = rolls.choice(shown)
    gateway = world.gateways[account]
    how = weighted(rolls, {"pay": 8, "try": 2, "cancel": 1, "other": 2, "last try": 2})
    if order.state not in PAYABLE:
        if not world.profiles[account].late or not world.profiles[account].tells():
            return
        if not can_be_late(order):
            return
        how = "pay"
        world.disturbed.add(order.payment)
        world.count("processor:paid late or again")
    world.note(f"payer {how} {order.reference}")
    world.count(f"actor:page {how}")
    if how == "try":
        gateway.decline_try(order.reference)
    elif how == "last try":
        gateway.decline_try(order.reference, final=True)
    elif how == "cancel":
        gateway.cancel(order.reference)
    elif how == "other" and world.profiles[account].traits.rails[Kind(order.kind)].variable_amount:
        percent = rolls.choice((1, 50, 90, 130))
        gateway.pay(order.reference, Money(order.currency, max(1, order.minor * percent // 100)))
        world.count("processor:another amount on a page")
    else:
        gateway.pay(order.reference)


def can_be_late(order: Order) -> bool:
    """Return whether a page that has ended can still be paid, or an amount held for it."""
    if order.kind == Kind.CARD:
        return order.operation == "authorize" and order.state in (State.EXPIRED, State.CANCELED)
    return order.kind in PAGES


def come_back(world: World, name: str, rolls: Dice) -> None:
    """Return from the page, whatever the payer did there."""
    waiting = world.payments("status = 'requires_action'")
    waiting = [row for row in waiting if row["kind"] in (Kind.CARD, Kind.REDIRECT)]
    if waiting:
        payment = str(rolls.choice(waiting)["id"])
        host = rolls.choice(world.hosts)
        world.begin(name, host, host.complete(payment), rolls)
        world.count("actor:come back")


def store_method(world: World, name: str, rolls: Dice) -> None:
    """Store a card or bank account at an account, or forget a stored one."""
    stored = _stored(world)
    if stored and rolls.random() < 0.3:
        id_, key = str(rolls.choice(stored)["id"]), f"forget-{name}"
        order = KeyedCall("forget_method", key, lambda host: host.forget_method(id_, key=key))
        _place(world, name, order, rolls)
        return
    able = [
        profile
        for profile in world.profiles.values()
        if profile.traits.offers(profile.kind, Operation.ENROLL)
    ]
    if able:
        enroll(world, name, rolls.choice(able), rolls)


def enroll(world: World, name: str, profile: SimulatedAccount, rolls: Dice) -> None:
    """Store a method of the first customer at the account of *profile*."""
    token = "tok_visa" if profile.kind is Kind.CARD else "tok_bank"
    key, host = f"enroll-{name}", rolls.choice(world.hosts)
    flow = host.enroll("C-1", via=profile.name, key=key, method=token)
    world.begin(name, host, flow, rolls)
    world.count("actor:enroll")


def prepay(world: World, name: str, rolls: Dice) -> None:
    """Order something that is to be paid before its invoice."""
    key, customer = f"prepay-{name}", rolls.choice(("C-1", "C-1", "C-2"))
    amount = Money("USD", rolls.choice((500, 1234, 3000, 10_000)))
    on_rest = OnRest.KEEP if rolls.random() < 0.6 else OnRest.CREDIT
    purpose = clerk.purpose(customer, rolls)
    order = KeyedCall(
        "prepay",
        key,
        lambda host: host.prepay(
            customer, amount, assignment_key=purpose, key=key, on_rest=on_rest, data={"for": name}
        ),
    )
    _place(world, name, order, rolls)


def use_credit(world: World, name: str, rolls: Dice) -> None:
    """Pay an invoice from the balance."""
    numbers = _open(world)
    if numbers:
        number, key = rolls.choice(numbers), f"credit-{name}"
        order = KeyedCall(
            "pay_from_credit",
            key,
            lambda host: host.pay_from_credit(number, key=key),
            items=(number,),
        )
        _place(world, name, order, rolls)


ACTIONS: Final[dict[str, tuple[int, Callable[[World, str, Dice], None]]]] = {
    "pay": (12, pay),
    "hold": (6, hold),
    "top up": (1, top_up),
    "click again": (5, click_again),
    "page": (8, act_on_page),
    "come back": (4, come_back),
    "use credit": (2, use_credit),
    "prepay": (5, prepay),
    "store method": (3, store_method),
}


def _collect(world: World, name: str, rolls: Dice, verb: str, wanted: Sequence[str] = ()) -> None:
    numbers = wanted or _open(world)
    if not numbers or (not wanted and rolls.random() < 0.1):
        numbers = [str(row["number"]) for row in world.invoices()]
    if not numbers:
        return
    account, more = through(world, rolls)
    profile = world.profiles[account]
    if not profile.traits.offers(profile.kind, Operation.AUTHORIZE):
        verb = "collect"
    elif rolls.random() < 0.25:
        verb = "authorize"
    items: list[str | Share] = [rolls.choice(numbers)]
    shape = weighted(rolls, {"one": 11, "two": 3, "part": 3, "more": 3})
    if shape == "two" and len(numbers) > 1:
        items = list(rolls.sample(numbers, 2))
    elif shape == "part":
        items = [Share(str(items[0]), Money("USD", rolls.choice((100, 250))))]
    elif shape == "more" and verb == "collect":
        more["amount"] = Money("USD", 50_000)
    if verb == "collect" and shape == "one" and rolls.random() < 0.3:
        more["credit"] = Money("USD", 100)
        if profile.kind is Kind.E_CHECK and rolls.random() < 0.5:
            more["method"] = "tok_bank_returned_r01"
    if more.get("method") and rolls.random() < 0.1:
        more["save_method"] = True
    stored = _stored(world, account)
    if stored and rolls.random() < 0.5:
        items, more = _by_stored_method(world, rolls.choice(stored), items, more)
    key = f"pay-{name}"

    def call(host: Host) -> Flow[Any]:
        make = host.collect if verb == "collect" else host.authorize
        return make(items, via=account, key=key, **more)

    order = KeyedCall(verb, key, call)
    order.items = tuple(str(each.invoice if isinstance(each, Share) else each) for each in items)
    follow = weighted(rolls, _FOLLOW_UPS)
    order.after = lambda payment: _follow_up(world, name, follow, payment, rolls)
    _place(world, name, order, rolls)
    if rolls.random() < 0.15:
        # A double click: the second call may reach another host.
        click_again(world, f"{name}b", rolls)


def _by_stored_method(
    world: World, row: Any, items: list[str | Share], more: dict[str, Any]
) -> tuple[list[str | Share], dict[str, Any]]:
    """Return arguments that charge a stored method, for an invoice of its customer."""
    own: list[str | Share] = [
        str(each["number"])
        for each in world.invoices("total_minor > allocated_minor + written_off_minor")
        if each["customer"] == row["customer"]
    ]
    if not own:
        return items, more
    context = world.hosts[0].context
    method = world.store.read(context, lambda tx: methods.by_id(tx, str(row["id"])))
    world.count("stored method charged")
    return own[:1], {"method": method}


def _stored(world: World, account: str | None = None) -> Sequence[Any]:
    return world.store.look(
        "SELECT * FROM paygate_method WHERE forgotten_at IS NULL "
        "AND (:account IS NULL OR account = :account) ORDER BY id",
        account=account,
    )


def _follow_up(world: World, name: str, verb: str, payment: Any, rolls: Dice) -> None:
    """Continue with a payment as payers, clerks and banks do."""
    if payment.conflicted and verb:
        clerk.assign(world, f"{name}a", rolls)
    match verb, payment.status:
        case "capture" | "both", PaymentStatus.DECLINED:
            bank.approve_late(world, f"{name}l", rolls)
        case _, PaymentStatus.REQUIRES_ACTION if verb:
            act_on_page(world, name, rolls)
            if rolls.random() < 0.5:
                come_back(world, f"{name}r", rolls)
        case "both", PaymentStatus.AUTHORIZED:
            clerk.cancel(world, f"{name}v", rolls)
            clerk.capture(world, f"{name}c", rolls)
        case "capture", PaymentStatus.AUTHORIZED:
            clerk.capture(world, f"{name}c", rolls)
        case "cancel", PaymentStatus.AUTHORIZED | PaymentStatus.SUCCEEDED:
            clerk.cancel(world, f"{name}c", rolls)
        case "refund", PaymentStatus.SUCCEEDED:
            clerk.refund(world, f"{name}c", rolls)
        case _:
            pass


def _place(world: World, name: str, order: KeyedCall, rolls: Dice) -> None:
    world.orders.append(order)
    world.place(name, order, rolls.choice(world.hosts), rolls)
    world.count(f"actor:{order.verb}")


def through(world: World, rolls: Dice) -> tuple[str, dict[str, Any]]:
    """Return a drawn account, and the arguments that it needs for the payer's method."""
    account = rolls.choice(list(world.profiles))
    profile = world.profiles[account]
    match profile.kind:
        case Kind.CARD:
            tokens = _CARDS | (_ODD_CARDS if profile.odd else {})
        case Kind.E_CHECK:
            tokens = _CHECKS | (_ODD_CHECKS if profile.odd else {})
        case Kind.REDIRECT:
            return account, {"return_url": RETURN_URL}
        case _:
            return account, {}
    token = weighted(rolls, tokens)
    world.count(f"token:{token}")
    return account, {"method": token}


def _open(world: World) -> list[str]:
    left = "total_minor > allocated_minor + written_off_minor + moved_minor"
    rows = [*world.invoices(left), *world.prepayments(left)]
    return [str(row["number"]) for row in rows]


def _pages(world: World) -> list[tuple[str, Order]]:
    """Return the pages and slips that a payer was sent to and may still have open."""
    since = world.clock.now() - timedelta(days=20)
    shown: list[tuple[str, Order]] = []
    for account, gateway in world.gateways.items():
        processor = gateway.processor
        processor.catch_up()
        shown += [
            (account, order)
            for order in processor.truth.orders.values()
            if (account, order.reference) in world.shown and order.at > since
        ]
    return shown
