"""The clerk: captures, cancels, refunds, reverses, writes off, and decides what is in doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from paygate.domain.money import Money
from paygate.domain.movement import Movement, MovementKind
from paygate.domain.outcome import Approved, Authorized, DeclineCode, Declined, Ended, Ending
from paygate.testing.processor.order import State
from paygate.testing.simulation.settlements import may_hold
from paygate.testing.simulation.tasks import ignore
from paygate.testing.simulation.world import KeyedCall

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.domain.words import RefundToWord
    from paygate.service.flow import Flow
    from paygate.testing.processor.order import Order
    from paygate.testing.simulation.dice import Dice
    from paygate.testing.simulation.hosts import Host
    from paygate.testing.simulation.world import World


def capture(world: World, name: str, rolls: Dice) -> None:
    """Capture an authorized amount, all or part of it."""
    held = world.payments("status = 'authorized'")
    if not held:
        return
    row, key = rolls.choice(held), f"capture-{name}"
    amount = _part(rolls, row["authorized_minor"] - row["collected_minor"])
    final = rolls.random() < 0.6
    _order(
        world,
        name,
        rolls,
        "capture",
        key,
        lambda host: host.capture(str(row["id"]), key=key, amount=amount, final=final),
    )


def cancel(world: World, name: str, rolls: Dice, payment: str | None = None) -> None:
    """Cancel a payment: void it, or refund it if it cannot be voided."""
    where = "status IN ('authorized', 'succeeded', 'requires_action', 'processing')"
    row = _some(world, rolls, where, payment)
    if row is not None:
        key = f"cancel-{name}"
        _order(world, name, rolls, "cancel", key, lambda host: host.cancel(row["id"], key=key))


def refund(world: World, name: str, rolls: Dice, payment: str | None = None) -> None:
    """Refund the rest of a payment, or part of it."""
    row = _some(world, rolls, "received_minor > returned_minor", payment)
    if row is None:
        return
    key, amount = f"refund-{name}", _part(rolls, row["received_minor"])
    to = rolls.choice(_REFUNDED_TO)
    _order(
        world,
        name,
        rolls,
        "refund",
        key,
        lambda host: host.refund(str(row["id"]), key=key, amount=amount, to=to),
    )
    if rolls.random() < 0.5:  # two clerks at once
        again, other = f"{key}b", _part(rolls, row["received_minor"])
        _order(
            world,
            f"{name}b",
            rolls,
            "refund",
            again,
            lambda host: host.refund(str(row["id"]), key=again, amount=other, to=to),
        )


def reverse(world: World, name: str, rolls: Dice, payment: str | None = None) -> None:
    """Reverse a payment by hand, such as a check that bounced."""
    row = _some(world, rolls, "kind IN ('check', 'cash', 'transfer')", payment)
    if row is None:
        return
    fee = Money("USD", 25) if rolls.random() < 0.5 else None
    payment = str(row["id"])
    key = f"reverse-{payment}"
    world.count("clerk:reverse with a fee" if fee else "clerk:reverse")
    _order(
        world,
        name,
        rolls,
        "reverse",
        key,
        lambda host: host.reverse(payment, reason="bounced", fee=fee, force=True),
        after=lambda _: world.fees.add(payment) if fee else None,
    )


def record(world: World, name: str, rolls: Dice, number: str = "") -> None:
    """Record a check, sometimes for more than the open amount, on the item *number* or any."""
    wanted = [
        row
        for row in (*world.invoices(), *world.store.look(_PREPAID))
        if number in ("", row["number"])
    ]
    if wanted:
        row, key = rolls.choice(wanted), f"check-{name}"
        amount = Money("USD", rolls.choice((50, 500, 4000)))
        _order(
            world,
            name,
            rolls,
            "record",
            key,
            lambda host: host.record(str(row["number"]), by="check", key=key, amount=amount),
            items=(str(row["number"]),),
        )


def write_off(world: World, name: str, rolls: Dice) -> None:
    """Write off part of an invoice, or undo a write-off."""
    undoable = world.store.look("SELECT id FROM paygate_write_off WHERE undone_at IS NULL")
    if undoable and rolls.random() < 0.5:
        id_ = str(rolls.choice(undoable)["id"])
        key = f"undo-{name}"
        _order(world, name, rolls, "undo_write_off", key, lambda host: host.undo_write_off(id_))
        return
    invoices = world.invoices()
    if invoices:
        number, key = str(rolls.choice(invoices)["number"]), f"write-off-{name}"
        amount = Money("USD", rolls.choice((1, 100)))
        _order(
            world,
            name,
            rolls,
            "write_off",
            key,
            lambda host: host.write_off(number, reason="goodwill", key=key, amount=amount),
        )


_REFUNDED_TO: Final[tuple[RefundToWord | None, ...]] = (
    *(None, "reopen", "credit_note", "from_credit", "from_credit"),
)
_RECORDED_TO: Final[tuple[RefundToWord | None, ...]] = (None, None, "reopen", "from_credit")


def purpose(customer: str, rolls: Dice) -> str:
    """Return an assignment key, of which each customer has a few; now and then another one's."""
    whose = "C-9" if rolls.random() < 0.05 else customer
    spelled = f"{whose}/order {rolls.choice((1, 2))}"
    return spelled if rolls.random() < 0.5 else f" {spelled.upper()}"


def issue(
    world: World, name: str, rolls: Dice, whose: tuple[str, str | None] | None = None
) -> None:
    """Issue another invoice, half of them with an assignment key, or the one of *whose*."""
    key, total = f"INV-{name}", Money("USD", rolls.choice((500, 1234, 3000, 10_000)))
    customer = rolls.choice(("C-1", "C-1", "C-2"))
    assignment_key = purpose(customer, rolls) if rolls.random() < 0.5 else None
    customer, assignment_key = whose or (customer, assignment_key)
    _order(
        world,
        name,
        rolls,
        "issue",
        key,
        lambda host: host.issue(
            number=key,
            customer=customer,
            total=total,
            due="2026-02-01",
            assignment_key=assignment_key,
        ),
    )


def close_prepayment(world: World, name: str, rolls: Dice) -> None:
    """Close a prepayment, whose order was canceled."""
    found = world.store.look(_PREPAID)
    if found:
        id_ = str(rolls.choice(found)["id"])
        _order(
            world,
            name,
            rolls,
            "close_prepayment",
            f"close-{id_}",
            lambda host: host.close_prepayment(id_, reason="canceled"),
        )


def void(world: World, name: str, rolls: Dice) -> None:
    """Void an invoice that should not have been issued."""
    invoices = world.invoices()
    if len(invoices) > 1:
        number = str(rolls.choice(invoices)["number"])
        _order(
            world,
            name,
            rolls,
            "void",
            f"void-{number}",
            lambda host: host.void(number, reason="twice"),
        )


def void_wrong(world: World, name: str, rolls: Dice, number: str) -> None:
    """Void the invoice *number*, which was wrong."""
    if any(row["number"] == number for row in world.invoices()):
        _order(
            world,
            name,
            rolls,
            "void",
            f"void-{name}",
            lambda host: host.void(number, reason="wrong"),
        )


def undo_reversal(world: World, name: str, rolls: Dice) -> None:
    """Undo a reversal that was a mistake: it was another check that bounced."""
    row = _some(world, rolls, "reversal IS NOT NULL AND kind IN ('check', 'cash', 'transfer')")
    if row is not None:
        payment = str(row["id"])
        _order(
            world,
            name,
            rolls,
            "undo_reversal",
            f"undo-{payment}",
            lambda host: host.undo_reversal(payment, reason="another one bounced"),
        )


def void_lost(world: World, name: str, rolls: Dice) -> None:
    """Void an invoice from which a dispute took money, and which nobody will pay any more."""
    rows = world.store.look(
        "SELECT DISTINCT i.number FROM paygate_chargeback_item c "
        "JOIN paygate_item i ON i.id = c.item WHERE i.status = 'open' ORDER BY i.number"
    )
    if rows:
        number = str(rolls.choice(rows)["number"])
        _order(
            world,
            name,
            rolls,
            "void",
            f"void-{number}",
            lambda host: host.void(number, reason="moved away"),
        )


def refund_disputed(world: World, name: str, rolls: Dice) -> None:
    """Refund money that the payer's bank has disputed."""
    row = _some(world, rolls, _DISPUTED)
    if row is None:
        return
    id_, key = str(row["id"]), f"refund-disputed-{name}"
    if rolls.random() < 0.3:
        _order(world, name, rolls, "cancel", key, lambda host: host.cancel(id_, key=key))
        return
    amount = _part(rolls, row["received_minor"])
    _order(world, name, rolls, "refund", key, lambda host: host.refund(id_, key=key, amount=amount))
    world.count("clerk:refund during a dispute")


def conflicted(world: World, rolls: Dice) -> Any:
    """Return a payment that received other money than was requested, or None."""
    return _some(world, rolls, "conflicted = 1 AND received_minor > returned_minor")


def give_back_other(world: World, name: str, rolls: Dice) -> None:
    """Send back money that differs from what was requested."""
    row = conflicted(world, rolls)
    if row is not None:
        id_, key = str(row["id"]), f"give-back-{name}"
        verb = rolls.choice(("cancel", "refund"))
        _order(world, name, rolls, verb, key, lambda host: getattr(host, verb)(id_, key=key))
        world.count("clerk:give back other money")


def record_refund(world: World, name: str, rolls: Dice) -> None:
    """Record a refund by hand, or undo such a record."""
    key = f"by-hand-{name}"
    refunds = world.store.look("SELECT * FROM paygate_receipt WHERE kind = 'refund' ORDER BY id")
    sent = [row for row in refunds if row["account"] not in world.profiles]
    if sent and rolls.random() < 0.6:
        id_ = str(rolls.choice(sent)["id"])
        _order(
            world,
            name,
            rolls,
            "undo_record_refund",
            key,
            lambda host: host.undo_record_refund(id_, reason="never sent"),
            # Others may have paid the invoice that the refund had opened.
            after=lambda payment: world.judged.add(payment.id),
        )
        return
    row = _some(world, rolls, "received_minor > returned_minor")
    if row is not None:
        amount = _part(rolls, row["received_minor"] - row["returned_minor"])
        to = rolls.choice(_RECORDED_TO)
        _order(
            world,
            name,
            rolls,
            "record_refund",
            key,
            lambda host: host.record_refund(
                str(row["id"]), by="cash", reference=f"till {name}", key=key, amount=amount, to=to
            ),
        )


def finish_review(world: World, name: str, rolls: Dice) -> None:
    """Finish the review of a payment without a decision."""
    row = _some(world, rolls, "needs_review = 1")
    if row is not None:
        host, payment = rolls.choice(world.hosts), str(row["id"])

        def finished(_: Any) -> None:
            world.judged.add(payment)

        flow = host.reviewed(payment, reason="as the dashboard says")
        world.begin(name, host, flow, rolls, then=finished)
        world.count("actor:reviewed")


def stop_sending(world: World, name: str, rolls: Dice) -> None:
    """Stop all sending, as after a restore, or resume it when all events have been read."""
    host = rolls.choice(world.hosts)
    if world.stopped is None:
        events = {
            name: len(gateway.processor.truth.events) for name, gateway in world.gateways.items()
        }

        def stopped(_: Any) -> None:
            if world.store.look(_SENDING_STOPPED):  # even if the call failed
                world.stopped = events

        flow = host.stop_sending(reason="restored from a backup")
        world.begin(name, host, flow, rolls, then=stopped, failed=stopped)
        world.count("actor:stop_sending")
    else:
        resume(world, name, host, rolls)


def resume(world: World, name: str, host: Host, rolls: Dice, *, force: bool = False) -> None:
    """Resume sending, if the ledger agrees that it has caught up."""

    def resumed(_: Any) -> None:
        for account, before in (world.stopped or {}).items():
            [[read]] = world.store.look(
                "SELECT coalesce(max(cursor), '') FROM paygate_feed WHERE account = :account",
                account=account,
            )
            if world.profiles[account].feed and int(read or 0) < before and not force:
                world.violated(
                    "resume",
                    f"sending resumed with {read or 0} of {before} events of {account} read",
                )
        world.stopped = None
        world.count("actor:resume_sending")

    flow = host.resume_sending(evidence="compared with the dashboard", force=force)
    world.begin(name, host, flow, rolls, then=resumed)


def undo_credit(world: World, name: str, rolls: Dice) -> None:
    """Give back credit that paid an invoice."""
    row = _some(world, rolls, "kind = 'credit'")
    if row is not None:
        key = f"undo-credit-{name}"
        _order(
            world, name, rolls, "undo_credit_use", key, lambda host: host.undo_credit_use(row["id"])
        )


def assign(world: World, name: str, rolls: Dice) -> None:
    """Assign money that no rule could allocate."""
    row = _some(world, rolls, "conflicted = 1 OR (customer = '' AND needs_review = 1)")
    if row is not None:
        whose = None if row["customer"] else rolls.choice(("C-1", "C-2"))
        numbers = [str(each["number"]) for each in world.invoices()][: rolls.randint(0, 2)]
        _order(
            world,
            name,
            rolls,
            "assign",
            f"assign-{name}",
            lambda host: host.assign(
                str(row["id"]), numbers, reason="as the payer said", customer=whose
            ),
        )


def resolve(world: World, name: str, rolls: Dice) -> None:
    """Record the outcome of a payment under review, as the processor's dashboard shows it."""
    row = _some(world, rolls, "needs_review = 1")
    if row is not None:
        decide(world, name, str(row["id"]), rolls)


def withdraw_page(world: World, name: str, rolls: Dice, payment: str | None = None) -> None:
    """Withdraw a page or slip."""
    row = _some(world, rolls, "status = 'requires_action'", payment)
    if row is not None:
        host = rolls.choice(world.hosts)
        world.begin(name, host, host.withdraw_page(str(row["id"])), rolls)
        world.count("actor:withdraw_page")


ACTIONS: Final[dict[str, tuple[int, Callable[[World, str, Dice], None]]]] = {
    "issue": (8, issue),
    "capture": (10, capture),
    "cancel": (3, cancel),
    "refund": (7, refund),
    "reverse": (7, reverse),
    "record": (4, record),
    "write off": (2, write_off),
    "void": (1, void),
    "undo reversal": (2, undo_reversal),
    "undo credit": (1, undo_credit),
    "assign": (3, assign),
    "resolve": (2, resolve),
    "withdraw page": (2, withdraw_page),
    "void lost": (2, void_lost),
    "refund disputed": (2, refund_disputed),
    "give back other": (2, give_back_other),
    "stop sending": (1, stop_sending),
    "record refund": (2, record_refund),
    "finish review": (2, finish_review),
    "close prepayment": (1, close_prepayment),
}


_SENDING_STOPPED: Final = "SELECT 1 FROM paygate_meta WHERE name = 'sending_stopped'"
_PREPAID: Final = """
SELECT id, number FROM paygate_item WHERE kind = 'prepayment' AND status <> 'void' ORDER BY id
"""
_DISPUTED: Final = (
    "id IN (SELECT payment FROM paygate_chargeback WHERE state = 'opened') "
    "AND received_minor > returned_minor"
)


def decide(world: World, name: str, payment: str, rolls: Dice) -> bool:
    """Resolve a doubtful attempt of *payment* as the processor shows it; return whether it did."""
    rows = world.store.look(
        "SELECT a.*, (SELECT operation FROM paygate_attempt m WHERE m.payment = a.payment "
        "ORDER BY m.id LIMIT 1) AS waited FROM paygate_attempt a "
        "WHERE a.payment = :payment AND a.state IN ('sending', 'unknown') ORDER BY a.id",
        payment=payment,
    )
    if not rows or world.network.late or world.tasks:
        return False
    row = rows[0]
    processor = world.gateways[row["account"]].processor
    processor.catch_up()
    found = processor.truth.found(row["operation"], row["id"])
    if row["operation"] == "complete" and not any(order.movements for order in found):
        found = [processor.truth.orders[row["about"]]] if row["about"] else []
    # Completing does the operation that waited for the payer.
    does = row["waited"] if row["operation"] == "complete" else row["operation"]
    outcome = _shown(found, str(does))
    if outcome is None:
        return False
    if isinstance(outcome, Approved) and _is_of_another(world, row, outcome):
        outcome = Ended(how=Ending.CANCELED)
    world.judged.add(payment)
    world.note(f"clerk decides {payment} {type(outcome).__name__}")
    world.count(f"clerk:resolve {type(outcome).__name__}")
    host = world.hosts[0]
    flow = host.resolve(
        payment, outcome, attempt=str(row["id"]), evidence="the processor's dashboard"
    )
    world.begin(name, host, flow, rolls)
    return True


def _is_of_another(world: World, row: Any, outcome: Approved) -> bool:
    """Return whether the movements of *outcome* are booked for another operation than *row*."""
    booked = {
        (each["kind"], each["movement_id"])
        for each in world.store.look(_BOOKED_ELSEWHERE, account=row["account"], id=row["id"])
    }
    shown = {(str(each.kind), each.movement_id) for each in outcome.movements}
    return row["operation"] in _FOLLOWS and bool(shown) and shown <= booked


def left(world: World) -> list[str]:
    """Return the payments that have not ended: in doubt, under review, or with a claim."""
    rows = world.store.look(_NOT_OVER)
    return [
        str(row["id"])
        for row in rows
        if not (
            row["status"] == "succeeded"
            and not row["needs_review"]
            and may_hold(world, row["id"], row["account"])
        )
    ]


def end(world: World, name: str, payment: str, rolls: Dice, *, first: bool) -> None:
    """End *payment* with the verb for its state, or else as the processor shows it."""
    [row] = world.payments(f"id = '{payment}'")
    host = world.hosts[0]
    flow: Flow[Any] | None = None
    status, key = row["status"], f"{name}-{payment}"
    if not row["customer"] and first:
        flow = host.assign(payment, [], reason="as the payer said", customer="C-1")
    elif row["conflicted"] and first:
        flow = host.assign(payment, [], reason="as the payer said")
    elif decide(world, name, payment, rolls):
        return
    elif status == "requires_action" and first:
        flow = host.withdraw_page(payment, key=key)
    elif status == "authorized" and first:
        flow = host.cancel(payment, key=key)
    elif waiting := world.store.look(_WAITING, payment=payment):
        world.judged.add(payment)
        flow = host.resolve(
            payment,
            Ended(how=Ending.CANCELED),
            attempt=str(waiting[0]["id"]),
            evidence="the processor's dashboard",
        )
    elif row["needs_review"]:
        flow = host.reviewed(payment, reason="seen")
    if flow is not None:
        world.begin(name, host, flow, rolls)
        world.count(f"clerk:ends {status}")


_WAITING: Final = """
SELECT a.id FROM paygate_attempt a JOIN paygate_payment p ON p.id = a.payment
WHERE a.payment = :payment AND (a.late_pending = 1
  OR (a.state IN ('pending', 'requires_action', 'authorized') AND (a.needs_review = 1
    OR p.status IN ('processing', 'unknown', 'requires_action', 'authorized'))))
ORDER BY a.id DESC
"""
_NOT_OVER: Final = """
SELECT id, account, status, needs_review FROM paygate_payment p
WHERE status IN ('processing', 'unknown', 'requires_action', 'authorized') OR needs_review = 1
  OR EXISTS (SELECT 1 FROM paygate_claim c WHERE c.payment = p.id AND c.state IN ('hard', 'soft'))
ORDER BY id
"""


def _shown(found: list[Order], operation: str) -> Approved | Authorized | Declined | Ended | None:
    """Return the outcome that the processor shows; None if it is not decided there either."""
    done = [order for order in found if order.state is State.APPROVED or order.movements]
    if done:
        wanted = _MOVEMENTS.get(operation, frozenset[MovementKind]())
        came = [entry for order in done for entry in order.movements if entry.kind in wanted]
        if operation == "authorize" and not came:
            return Authorized(amount=Money(done[0].currency, done[0].minor))
        return Approved(
            reference=done[0].reference,
            movements=tuple(
                Movement(
                    movement_id=entry.movement_id,
                    amount=entry.amount,
                    kind=entry.kind,
                    effective=entry.at,
                    undoes=entry.undoes or None,
                    code=entry.code,
                )
                for entry in came
            ),
        )
    live = [order for order in found if order.state not in _DEAD]
    if live:
        return None
    if operation == "withdraw" or any(order.state is State.DECLINED for order in found):
        return Declined(code=DeclineCode.GENERIC, raw_code="05", retryable=True)
    return Ended(how=Ending.CANCELED)


_FOLLOWS: Final = ("capture", "void", "refund")
_BOOKED_ELSEWHERE: Final = """
SELECT kind, movement_id FROM paygate_receipt WHERE account = :account AND attempt <> :id
"""
_MOVEMENTS: Final = {
    "charge": frozenset({MovementKind.CHARGE}),
    "authorize": frozenset({MovementKind.CAPTURE}),
    "capture": frozenset({MovementKind.CAPTURE}),
    "refund": frozenset({MovementKind.REFUND}),
    "void": frozenset({MovementKind.VOID}),
}
_DEAD: Final = frozenset(
    {State.OPENED, State.DECLINED, State.REJECTED, State.EXPIRED, State.CANCELED}
)


def _order(
    world: World,
    name: str,
    rolls: Dice,
    verb: str,
    key: str,
    call: Callable[[Host], Flow[Any]],
    after: Callable[[Any], None] = ignore,
    items: tuple[str, ...] = (),
) -> None:
    order = KeyedCall(verb, key, call, after, items=items)
    world.orders.append(order)
    world.place(name, order, rolls.choice(world.hosts), rolls)
    world.count(f"actor:{verb}")


def _some(world: World, rolls: Dice, where: str, payment: str | None = None) -> Any:
    rows = [row for row in world.payments(where) if payment in (None, row["id"])]
    return rolls.choice(rows) if rows else None


def _part(rolls: Dice, minor: int) -> Money | None:
    percent = rolls.choice((0, 0, 50, 100, 100, 130))
    return Money("USD", max(1, minor * percent // 100)) if percent else None
