"""Operate: capture, void, refund, complete or withdraw a payment.

Each is an attempt under the payment: checked and counted (see `tasks`), stored, asked once, merged.
A refund of more than one capture brought is sent in parts, each an attempt with its own key. All
parts are stored before the first is sent, so that recovery sends those that a crash left unsent.

None of them needs a token or card data, so every request can be rebuilt from what is stored: see
`requests`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from paygate import logs
from paygate.dialogue import deferred
from paygate.domain.decide import SHOWN_BY, Source
from paygate.domain.kind import Operation
from paygate.domain.money import Money
from paygate.domain.payment import PaymentStatus
from paygate.domain.result import result_of
from paygate.domain.secret import Sealed
from paygate.errors import GatewayNotFound, NotCancelable, NotCapturable, NotEnoughCredit
from paygate.gateway import digest_key
from paygate.ledger import attempts, holding, keys, lots, receipts, refunding
from paygate.service import claiming, dialogues, door, finding, merge, refunds, requests, tasks
from paygate.service.asking import Heard, ask
from paygate.service.flow import Flow, intend, look, transact
from paygate.service.reading import AnswerSource
from paygate.service.requests import Extras
from paygate.service.taking import RefundTo
from paygate.service.tasks import OperateOrder, Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paygate.domain.attempt import Attempt
    from paygate.domain.payment import Payment
    from paygate.domain.result import OperationResult
    from paygate.ledger.attempts import AttemptRow
    from paygate.ledger.elapsed import Lease
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount, Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredOperation:
    """A stored intent and the ids of its attempts.

    `rows` is empty if nothing is sent, because the key was used before or the payment has ended.
    """

    payment: str
    operation: Operation
    account: GatewayAccount
    attempts: tuple[str, ...] = ()
    rows: tuple[AttemptRow, ...] = ()
    extras: Extras = field(default_factory=Extras)


def operate(
    task: OperateOrder, accounts: Mapping[str, GatewayAccount], timing: Timing
) -> Flow[OperationResult]:
    """Do *task* once, even if this is called again or interrupted, and return its result."""
    stored = yield from intend(
        lambda tx: _store(tx, task, accounts, timing),
        lambda stored: stored.rows[0].attempt.id if stored.rows else "",
    )
    for row in stored.rows:
        yield from _send(row, stored, timing)
    return (yield from look(lambda tx: _result(tx, stored)))


def _result(tx: Tx, stored: StoredOperation) -> OperationResult:
    """Return the current result of a stored intent."""
    payment = finding.payment(tx, stored.payment)
    rows = [attempts.by_id(tx, each) for each in stored.attempts]
    made = [row.attempt for row in rows if row is not None]
    return made_of(tx, payment, stored.operation, made, repeated=not stored.rows)


def made_of(
    tx: Tx, payment: Payment, operation: Operation, attempts: Sequence[Attempt], *, repeated: bool
) -> OperationResult:
    """Return the result of *operation* from its *attempts* and the money that moved under each."""
    moved: dict[str, Money] = {}
    booked = receipts.moved_by(tx, payment.id)
    for attempt in attempts:
        kinds = SHOWN_BY.get(attempt.operation, frozenset())
        of_this = [movement for movement in booked.get(attempt.id, ()) if movement.kind in kinds]
        own = [each.minor for each in of_this if each.currency == attempt.amount.currency]
        if of_this:
            # A movement that was reported before this attempt's response is booked for another.
            moved[attempt.id] = Money(attempt.amount.currency, sum(own))
    return result_of(payment, operation, attempts, moved=moved, repeated=repeated)


def _send(row: AttemptRow, stored: StoredOperation, timing: Timing) -> Flow[None]:
    account = stored.account

    def take_lease(tx: Tx) -> Lease | None:
        holding.hold_attempt(tx, row.attempt.id)
        lease = tx.lease(timing.lease)
        return lease if attempts.send_again(tx, row, lease) else None

    lease = row.lease(timing.lease) if row.sends else (yield from transact(take_lease))
    if lease is None:
        return  # the earlier parts took so long that recovery sends this one
    dialogue = deferred(partial(dialogues.begin_operation, account.gateway, row, stored.extras))
    heard = Heard()
    answer = yield from ask(
        account.name,
        dialogue,
        what=row.attempt.operation.value,
        door=door.outcome(account, row.attempt.operation),
        about=row.in_log,
        heard=heard,
        lease=lease,
    )
    reading = AnswerSource(
        source=Source.RESPONSE,
        can_inquire=account.can_be_asked,
        request_id=heard.request_id,
        timing=timing,
    )
    yield from merge.merge(row.attempt.id, answer, reading)


def account_of(payment: Payment, accounts: Mapping[str, GatewayAccount]) -> GatewayAccount:
    """Return the account that *payment* went through, or raise `GatewayNotFound`."""
    account = accounts.get(payment.account)
    if account is None:
        raise GatewayNotFound(
            f"payment {payment.id} went through account {payment.account!r}, which is not "
            "configured here",
            name=payment.account,
            known=sorted(accounts),
        )
    return account


def _store(
    tx: Tx, task: OperateOrder, accounts: Mapping[str, GatewayAccount], timing: Timing
) -> StoredOperation:
    """Check, count and store the intent in this transaction; send nothing."""
    holding.hold_payment(tx, task.payment)
    payment = finding.payment(tx, task.payment)
    tasks.check_rail(payment, task.operation)
    account = account_of(payment, accounts)
    stored = StoredOperation(payment=payment.id, operation=task.operation, account=account)
    if _done_already(task, payment):
        return stored
    id_ = tx.new_id("att")
    print_ = keys.fingerprint(
        payment=payment.id,
        amount=str(task.amount),
        final=task.final,
        to=task.to,
        items=[claiming.name_of(item) for item in task.items],
    )
    key = task.key or _next_key(tx, task, payment)
    if keys.take(tx, task.operation, key, print_, id_) is not None:
        before = asked_before(tx, payment, task.operation, key)
        about = logs.About(account=account.name, payment=payment.id, operation=task.operation.value)
        tx.log("verb.repeated", "this key was used before; nothing was sent", about)
        return replace(stored, attempts=tuple(row.attempt.id for row in before))
    rail = account.rail(payment.kind, task.operation)
    main = attempts.main_of(tx, payment.id)
    steps, to = [Step(payment.amount)], None
    wanted: list[tuple[str, int]] = []
    match task.operation:
        case Operation.CAPTURE:
            tasks.check_own(tx, payment, main, NotCapturable)
            steps = [Step(tasks.begin_capture(tx, payment, task, rail))]
        case Operation.REFUND:
            wanted = refunds.wanted_items(tx, payment, task.items, task.amount, task.to)
            steps, to = tasks.begin_refund(tx, payment, task, rail, wanted)
        case Operation.VOID:
            tasks.check_own(tx, payment, main, NotCancelable)
            tasks.begin_void(tx, payment)
        case _:
            tasks.check_page(tx, payment, task, rail)
    extras = Extras(task.reason, Sealed({}) if task.parameters is None else task.parameters)
    ids = [id_, *(tx.new_id("att") for _ in steps[1:])]
    lease = tx.lease(timing.lease)
    for number, (each, step) in enumerate(zip(ids, steps, strict=True)):
        attempts.insert(
            tx,
            id_=each,
            payment=payment.id,
            operation=task.operation,
            account=account.name,
            kind=payment.kind,
            driver=account.gateway.name,
            driver_version=account.traits.driver_version,
            livemode=account.traits.live,
            merchant_account=account.traits.merchant_account,
            gateway_key=_gateway_key(tx, task.operation, key, number),
            key=task.key or "",
            amount=step.amount,
            lease=lease,
            request=requests.write_extras(tx, each, extras),
            person=payment.payer if extras.parameters and extras.parameters.open() else "",
            final=task.final,
            movement=step.movement,
            about=main.attempt.reference,
            refund_to=to,
            sends=0 if number else 1,
        )
    if to == RefundTo.FROM_CREDIT:
        _hold_credit(tx, payment, ids, steps)
    for each, share in zip(ids, _shared_out(wanted, steps), strict=True):
        refunding.name_items(tx, each, share)
    rows = [attempts.by_id(tx, each) for each in ids]
    return replace(stored, attempts=tuple(ids), rows=tuple(filter(None, rows)), extras=extras)


def asked_before(tx: Tx, payment: Payment, operation: Operation, key: str) -> list[AttemptRow]:
    """Return the attempts that were stored for *operation* under the caller's *key*, in order."""
    rows = attempts.of_payment(tx, payment.id)
    by_key = {row.gateway_key: row for row in rows if row.attempt.operation is operation}
    names = (_gateway_key(tx, operation, key, number) for number in range(len(rows)))
    return [by_key[name] for name in names if name in by_key]


def _gateway_key(tx: Tx, operation: Operation, key: str, number: int) -> str:
    """
    Return the key of a part, derived from its number, not from the movement that it refunds.

    If a restored ledger splits the refund differently, the processor sees another request under a
    key that it knows, and refuses it.
    """
    part = [str(number)] if number else []
    return digest_key(tx.tenant, operation, key, *part)


def _next_key(tx: Tx, task: OperateOrder, payment: Payment) -> str:
    """Return a key from the number of ended attempts: it is the same until this one has ended."""
    ended = sum(
        row.attempt.operation is task.operation and row.attempt.state.final
        for row in attempts.of_payment(tx, payment.id)
    )
    return f"{payment.id}:{ended}"


def _done_already(task: OperateOrder, payment: Payment) -> bool:
    """Return whether a callback has completed it already, or the page has ended."""
    match task.operation:
        case Operation.COMPLETE:
            return payment.status not in (
                PaymentStatus.REQUIRES_ACTION,
                PaymentStatus.PROCESSING,
                PaymentStatus.UNKNOWN,
            )
        case Operation.WITHDRAW:
            return payment.status in (PaymentStatus.CANCELED, PaymentStatus.EXPIRED)
        case _:
            return False


def _shared_out(wanted: list[tuple[str, int]], steps: list[Step]) -> list[list[tuple[str, int]]]:
    """Distribute the amounts per invoice over the parts of a refund."""
    shares: list[list[tuple[str, int]]] = []
    left = list(wanted)
    for step in steps:
        room, share = step.amount.minor, list[tuple[str, int]]()
        while left and room:
            item, minor = left.pop(0)
            take = min(minor, room)
            share.append((item, take))
            room -= take
            if take < minor:
                left.insert(0, (item, minor - take))
        shares.append(share)
    return shares


def _hold_credit(tx: Tx, payment: Payment, attempts: list[str], steps: list[Step]) -> None:
    """Reserve the credit that is to be paid out, so that nothing else uses it."""
    loose = payment.unallocated.minor + payment.awaiting.minor
    for attempt, step in zip(attempts, steps, strict=True):
        left = step.amount.minor - loose
        loose = max(-left, 0)
        for lot in lots.of_payment(tx, payment.id):
            take = min(left, lot.free.minor)
            if take > 0 and lots.reserve(tx, lot.id, take):
                refunding.hold_credit(tx, attempt, lot.id, take)
                left -= take
        if left > 0:
            raise NotEnoughCredit(
                f"payment {payment.id} has no unspent credit of {step.amount}; "
                "refund to 'reopen' or 'credit_note' instead"
            )
