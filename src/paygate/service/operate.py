"""What is done to a payment later: capture, void, refund, complete, close, cancel.

Each is an attempt of its own under the payment: checked and counted by one
conditional update, stored, asked once, merged. So no more is captured than was
authorised, no more goes back than came, and a void that may be under way keeps
everything else out, however many clerks press at once.

A refund of more than one capture brought goes out in parts, each an attempt of
its own under a key of its own; all are stored before the first is sent, so that
recovery sends what a crash left behind.

None of them needs a token or card data, so all can be built again from what is
stored: see `requests`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from paygate import logs
from paygate.dialogue import deferred
from paygate.domain.decide import SHOWN_BY, Source
from paygate.domain.kind import Kind, Operation
from paygate.domain.money import Money
from paygate.domain.payment import RECORDED, PaymentStatus
from paygate.domain.result import result_of
from paygate.domain.secret import Sealed
from paygate.errors import (
    CurrencyMismatch,
    InvalidAmount,
    NotCancelable,
    NotCapturable,
    NotEnoughCredit,
    NotPayable,
    NotRefundable,
    OutcomeUnknown,
    UnknownGateway,
    Unsupported,
)
from paygate.gateway import (
    digest_key,
)
from paygate.ledger import (
    attempts,
    claims,
    customers,
    keys,
    lots,
    receipts,
    refunding,
    under_way,
)
from paygate.printing import shown
from paygate.service import (
    claiming,
    dialogues,
    door,
    finding,
    merge,
    movements,
    parts,
    refunds,
    requests,
    ways,
)
from paygate.service.flow import Flow, Heard, ask, intend, look, transact
from paygate.service.reading import Reading
from paygate.service.requests import Extras
from paygate.service.taking import RefundTo

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paygate.domain.attempt import Attempt
    from paygate.domain.invoice import Invoice, Share
    from paygate.domain.payment import Payment
    from paygate.domain.result import OperationResult
    from paygate.gateway import Rail
    from paygate.ledger.attempts import AttemptRow
    from paygate.ledger.elapsed import Lease
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount, Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """
    What is to be done to a payment; *amount* is None for all of it.

    Without *key* it is done once, and again only after that came to an end.
    """

    operation: Operation
    payment: str
    key: str | None
    amount: Money | None = None
    final: bool = True
    to: RefundTo | None = None
    items: Sequence[Invoice | Share | str] = ()
    reason: str = ""
    force_reason: str = ""
    parameters: Sealed[Mapping[str, str]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A stored intent and the ids of its attempts.

    There are no `rows` if nothing is to be sent: the key was used before, or it was over.
    """

    payment: str
    operation: Operation
    account: GatewayAccount
    attempts: tuple[str, ...] = ()
    rows: tuple[AttemptRow, ...] = ()
    extras: Extras = field(default_factory=Extras)


@dataclass(frozen=True, slots=True)
class Step:
    """What one attempt asks for; a refund may need several."""

    amount: Money
    movement: str = ""


def operate(
    task: Task, accounts: Mapping[str, GatewayAccount], timing: Timing
) -> Flow[OperationResult]:
    """Do *task* once, however often this is called or interrupted; return what became of it."""
    stored = yield from intend(
        lambda tx: _store(tx, task, accounts, timing),
        lambda stored: stored.rows[0].attempt.id if stored.rows else "",
    )
    for row in stored.rows:
        yield from _send(row, stored, timing)
    return (yield from look(lambda tx: _result(tx, stored)))


def _result(tx: Tx, stored: Stored) -> OperationResult:
    """Return what has become of a stored intent by now."""
    payment = finding.payment(tx, stored.payment)
    rows = [attempts.by_id(tx, each) for each in stored.attempts]
    made = [row.attempt for row in rows if row is not None]
    return _made_of(tx, payment, stored.operation, made, repeated=not stored.rows)


def _made_of(
    tx: Tx, payment: Payment, operation: Operation, attempts: Sequence[Attempt], *, repeated: bool
) -> OperationResult:
    """Return what became of *operation*, which is *attempts*, with what moved under each."""
    moved: dict[str, Money] = {}
    booked = receipts.moved_by(tx, payment.id)
    for attempt in attempts:
        kinds = SHOWN_BY.get(attempt.operation, frozenset())
        of_this = [movement for movement in booked.get(attempt.id, ()) if movement.kind in kinds]
        own = [each.minor for each in of_this if each.currency == attempt.amount.currency]
        if of_this:
            # What was told of the payment before this attempt was answered is not booked for it.
            moved[attempt.id] = Money(attempt.amount.currency, sum(own))
    return result_of(payment, operation, attempts, moved=moved, repeated=repeated)


def _send(row: AttemptRow, stored: Stored, timing: Timing) -> Flow[None]:
    account = stored.account

    def take_lease(tx: Tx) -> Lease | None:
        lease = tx.lease(timing.lease)
        return lease if attempts.send_again(tx, row, lease) else None

    lease = row.lease(timing.lease) if row.sends else (yield from transact(take_lease))
    if lease is None:
        return  # the parts before it took so long that recovery sends this one
    dialogue = deferred(partial(dialogues.begin_operation, account.gateway, row, stored.extras))
    heard = Heard()
    answer = yield from ask(
        account.name,
        dialogue,
        door=door.outcome(account, row.attempt.operation),
        about=row.in_log,
        heard=heard,
        lease=lease,
    )
    reading = Reading(
        source=Source.RESPONSE,
        can_inquire=account.can_be_asked,
        request_id=heard.request_id,
        timing=timing,
    )
    yield from merge.merge(row.attempt.id, answer, reading)


@dataclass(frozen=True, slots=True)
class Cancel:
    """Which payment is to be undone, and why also while the payer's bank can return it."""

    payment: str
    key: str
    force_reason: str = ""


def cancel(
    wish: Cancel, accounts: Mapping[str, GatewayAccount], timing: Timing
) -> Flow[OperationResult]:
    """
    Undo a payment in the cheapest way that still works.

    A page is closed, an authorisation voided, a charge voided while that is
    possible and refunded after. A void of unknown outcome is left alone. The result is
    of the last that was asked.
    """
    payment, key = wish.payment, wish.key
    found, in_part = yield from look(lambda tx: _gone_in_part(tx, payment, key))
    _check_rail(found, Operation.VOID)
    account = _account_of(found, accounts)
    match found.status:
        case PaymentStatus.REQUIRES_ACTION:
            first = Operation.CLOSE
        case PaymentStatus.AUTHORIZED | PaymentStatus.SUCCEEDED:
            first = Operation.VOID
        case PaymentStatus.PROCESSING if account.offers(found.kind, Operation.VOID):
            first = Operation.VOID  # a debit can be withdrawn while the bank has it
        case PaymentStatus.CANCELED:
            return (yield from look(lambda tx: _undone_before(tx, found, key)))
        case _:
            raise (yield from look(lambda tx: _not_cancelable(tx, found)))
    refundable = found.status is PaymentStatus.SUCCEEDED
    voidable = account.offers(found.kind, first) and not in_part
    if voidable or not refundable:
        task = Task(operation=first, payment=payment, key=key)
        result = yield from operate(task, accounts, timing)
        # What never reached the gateway can be asked for again.
        refused = result.state.failed and not result.retryable
        if not (refused and refundable):
            return result
    back = Task(
        operation=Operation.REFUND,
        payment=payment,
        key=key,
        reason="canceled",
        force_reason=wish.force_reason,
    )
    return (yield from operate(back, accounts, timing))


def _not_cancelable(tx: Tx, payment: Payment) -> NotCancelable:
    """Make the error that says why *payment* cannot be canceled, and what can be done."""
    if payment.status in (PaymentStatus.PROCESSING, PaymentStatus.UNKNOWN):
        out = ways.out_of(tx, payment)
        return NotCancelable(
            f"payment {payment.id} is {payment.status} and cannot be canceled now: {out.text}",
            payment=payment.id,
            ways=list(out.verbs),
        )
    return NotCancelable(
        f"payment {payment.id} is {payment.status}; there is nothing to cancel",
        payment=payment.id,
        ways=[],
    )


def _gone_in_part(tx: Tx, which: str, key: str) -> tuple[Payment, bool]:
    """Tell a payment, and whether a part of it went back: a charge is voided whole, or not."""
    payment = finding.payment(tx, which)
    if payment.status is not PaymentStatus.SUCCEEDED or keys.used(tx, Operation.VOID, key):
        return payment, False
    in_part = 0 < payment.returned.minor < payment.received.minor
    return payment, in_part or keys.used(tx, Operation.REFUND, key)


def _undone_before(tx: Tx, payment: Payment, key: str) -> OperationResult:
    """Return what has undone *payment*, if that was asked for under *key*, or else that it is."""
    for operation in (Operation.VOID, Operation.CLOSE):
        before = [row.attempt for row in _asked_before(tx, payment, operation, key)]
        if before:
            return _made_of(tx, payment, operation, before, repeated=True)
    rows = attempts.of_payment(tx, payment.id)
    voided = any(row.attempt.operation is Operation.VOID for row in rows)
    return result_of(payment, Operation.VOID if voided else Operation.CLOSE, [], repeated=True)


def _check_rail(payment: Payment, operation: Operation) -> None:
    """Refuse to ask a gateway about money that came without one; name the verbs that help."""
    if payment.account == RECORDED:
        text, can = "was recorded by hand", ["record_refund", "reverse"]
        help_ = "record_refund what you send back, or reverse it if it was no money"
    elif payment.kind is Kind.CREDIT:
        text, can = "was made from credit", ["undo_credit_use"]
        help_ = "undo_credit_use gives the credit back"
    else:
        return
    text = f"payment {payment.id} {text}, and no gateway has it; {help_}"
    match operation:
        case Operation.REFUND:
            left = payment.received - payment.returned
            raise NotRefundable(text, payment=payment.id, left=left)
        case Operation.VOID:
            raise NotCancelable(text, payment=payment.id, ways=can)
        case Operation.CAPTURE:
            none = Money(payment.amount.currency, 0)
            raise NotCapturable(text, payment=payment.id, left=none)
        case _:
            raise NotPayable(text, payment=payment.id)


def _account_of(payment: Payment, accounts: Mapping[str, GatewayAccount]) -> GatewayAccount:
    account = accounts.get(payment.account)
    if account is None:
        raise UnknownGateway(
            f"payment {payment.id} went through account {payment.account!r}, which is not "
            "configured here",
            name=payment.account,
            known=sorted(accounts),
        )
    return account


def _store(tx: Tx, task: Task, accounts: Mapping[str, GatewayAccount], timing: Timing) -> Stored:
    """Check, count and store the intent in this transaction; send nothing."""
    payment = finding.payment(tx, task.payment)
    _check_rail(payment, task.operation)
    account = _account_of(payment, accounts)
    stored = Stored(payment=payment.id, operation=task.operation, account=account)
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
        before = _asked_before(tx, payment, task.operation, key)
        about = logs.About(account=account.name, payment=payment.id, operation=task.operation.value)
        tx.say("verb.repeated", "this key was used before; nothing was sent", about)
        return replace(stored, attempts=tuple(row.attempt.id for row in before))
    rail = account.rail(payment.kind, task.operation)
    main = attempts.main_of(tx, payment.id)
    steps, to = [Step(payment.amount)], None
    wanted: list[tuple[str, int]] = []
    match task.operation:
        case Operation.CAPTURE:
            _check_own(tx, payment, main, NotCapturable)
            steps = [Step(_check_capture(tx, payment, task, rail))]
        case Operation.REFUND:
            wanted = refunds.wanted_items(tx, payment, task.items, task.amount, task.to)
            steps, to = _check_refund(tx, payment, task, rail, wanted)
        case Operation.VOID:
            _check_own(tx, payment, main, NotCancelable)
            _check_void(tx, payment)
        case _:
            _check_page(tx, payment, task, rail)
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


def _asked_before(tx: Tx, payment: Payment, operation: Operation, key: str) -> list[AttemptRow]:
    """Return the attempts that were stored for *operation* under the caller's *key*, in order."""
    rows = attempts.of_payment(tx, payment.id)
    by_key = {row.gateway_key: row for row in rows if row.attempt.operation is operation}
    names = (_gateway_key(tx, operation, key, number) for number in range(len(rows)))
    return [by_key[name] for name in names if name in by_key]


def _gateway_key(tx: Tx, operation: Operation, key: str, number: int) -> str:
    """
    Derive the key of a part by its number, and not by the movement it sends back.

    If a ledger that lost a part of its memory spreads the money in another way, the
    processor sees another request under a key that it knows, and refuses it.
    """
    part = [str(number)] if number else []
    return digest_key(tx.tenant, operation, key, *part)


def _next_key(tx: Tx, task: Task, payment: Payment) -> str:
    """Make a key of how often this came to an end before: while it has not, it is the same."""
    ended = sum(
        row.attempt.operation is task.operation and row.attempt.state.final
        for row in attempts.of_payment(tx, payment.id)
    )
    return f"{payment.id}:{ended}"


def _done_already(task: Task, payment: Payment) -> bool:
    """Tell whether a callback was faster than the payer's way back, or the page has ended."""
    match task.operation:
        case Operation.COMPLETE:
            return payment.status not in (
                PaymentStatus.REQUIRES_ACTION,
                PaymentStatus.PROCESSING,
                PaymentStatus.UNKNOWN,
            )
        case Operation.CLOSE:
            return payment.status in (PaymentStatus.CANCELED, PaymentStatus.EXPIRED)
        case _:
            return False


def _check_own(
    tx: Tx, payment: Payment, main: AttemptRow, error: type[NotCapturable | NotCancelable]
) -> None:
    """Refuse to touch what is another payment's: one that looked the same was answered for it."""
    reference = main.attempt.reference
    first = attempts.named(tx, payment.account, our_ref="", reference=reference)
    if first is not None and first.attempt.payment != payment.id:
        raise error(
            f"the gateway took payment {payment.id} for a duplicate of {first.attempt.payment}: "
            f"{shown(reference)} is the money of that one, and this one moved none",
            payment=payment.id,
        )


def _check_capture(tx: Tx, payment: Payment, task: Task, rail: Rail) -> Money:
    now = under_way.of_payment(tx, payment.id)
    left = now.authorized - now.collected - now.capturing
    amount = Money(payment.amount.currency, left) if task.amount is None else task.amount
    if payment.status is not PaymentStatus.AUTHORIZED:
        raise NotCapturable(
            f"payment {payment.id} is {payment.status}; only an authorised one is captured",
            payment=payment.id,
        )
    _check_amount(payment, amount)
    if not rail.partial_capture and (amount.minor != now.authorized or not task.final):
        raise Unsupported(f"the account {payment.account!r} captures all at once, and only once")
    if not rail.multiple_capture and (not task.final or now.collected or now.capturing):
        raise Unsupported(f"the account {payment.account!r} captures once; capture with final=True")
    if not under_way.begin_capture(tx, payment.id, amount.minor):
        raise NotCapturable(
            f"{amount} of payment {payment.id} cannot be captured: "
            f"{Money(amount.currency, left)} is left"
            + (", and it is being voided" if now.voiding else ""),
            payment=payment.id,
            left=Money(amount.currency, left),
        )
    return amount


def _shared_out(wanted: list[tuple[str, int]], steps: list[Step]) -> list[list[tuple[str, int]]]:
    """Share what is to go back of each invoice out among the parts of a refund."""
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


def _check_refund(
    tx: Tx, payment: Payment, task: Task, rail: Rail, wanted: list[tuple[str, int]]
) -> tuple[list[Step], RefundTo]:
    now = under_way.of_payment(tx, payment.id)
    left = payment.received.minor - payment.returned.minor - now.refunding
    amount = Money(payment.amount.currency, left) if task.amount is None else task.amount
    if wanted and task.amount is None:
        amount = Money(payment.amount.currency, sum(minor for _, minor in wanted))
    if left <= 0:
        raise NotRefundable(
            f"nothing of payment {payment.id} is left to refund", payment=payment.id
        )
    refunds.check_dispute(tx, payment)
    _check_amount(payment, amount)
    if not rail.partial_refund and amount != payment.received:
        raise Unsupported(f"the account {payment.account!r} refunds all of a payment or nothing")
    if task.to is None:
        refunds.check_spent(tx, payment, amount)
    if not under_way.begin_refund(tx, payment.id, amount.minor):
        raise NotRefundable(
            f"{amount} of payment {payment.id} cannot be refunded: "
            f"{Money(amount.currency, left)} is left"
            + (", and it is being voided" if now.voiding else ""),
            payment=payment.id,
            left=Money(amount.currency, left),
        )
    spread = parts.spread(tx, payment, amount)
    oldest = min(part.receipt.effective for part in spread)
    today = customers.today(tx, payment.customer)
    if rail.refund_window is not None and today > oldest + rail.refund_window:
        raise NotRefundable(
            f"the account {payment.account!r} refunds within {rail.refund_window.days} days; "
            "send the money back another way and record that",
            payment=payment.id,
        )
    sent = [part.receipt for part in spread]
    refunds.check_returnable(tx, payment, sent, task.force_reason)
    steps = [Step(part.amount, part.receipt.movement_id) for part in spread]
    if wanted:
        return steps, task.to or RefundTo.REOPEN
    return steps, task.to or movements.default_refund_to(tx, payment, amount)


def _hold_credit(tx: Tx, payment: Payment, attempts: list[str], steps: list[Step]) -> None:
    """Keep the credit that is to be paid out from being used meanwhile."""
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
                f"payment {payment.id} made no credit of {step.amount} that is still there; "
                "refund to 'reopen' or 'credit_note' instead"
            )


_UNDOES = (Operation.CAPTURE, Operation.VOID, Operation.REFUND)


def _check_void(tx: Tx, payment: Payment) -> None:
    if attempts.in_doubt(tx, payment.id):
        raise OutcomeUnknown(
            f"something that was asked for payment {payment.id} has an unknown outcome; "
            "inquire first",
            payment=payment.id,
        )
    if payment.status is PaymentStatus.SUCCEEDED:
        refunds.check_dispute(tx, payment)
        refunds.check_spent(tx, payment, payment.received - payment.returned)
    if not under_way.begin_void(tx, payment.id):
        now = any(
            not row.attempt.state.final and row.attempt.operation in _UNDOES
            for row in attempts.of_payment(tx, payment.id)
        )
        why, can = "all of it went back", list[str]()
        if now:
            why, can = "something is under way; inquire or resolve it", ["inquire", "resolve"]
        elif payment.received > payment.returned:
            why, can = "a part of it went back; refund the rest", ["refund"]
        raise NotCancelable(
            f"payment {payment.id} cannot be voided: {why}", payment=payment.id, ways=can
        )


def _check_page(tx: Tx, payment: Payment, task: Task, rail: Rail) -> None:
    """Check that a page or slip waits for the payer; to complete it, hold its invoices again."""
    if payment.status is not PaymentStatus.REQUIRES_ACTION:
        raise NotPayable(
            f"payment {payment.id} is {payment.status} and waits for no payer", payment=payment.id
        )
    if attempts.in_doubt(tx, payment.id):
        raise OutcomeUnknown(
            f"payment {payment.id} is being completed or closed right now; inquire",
            payment=payment.id,
        )
    if task.operation is Operation.CLOSE:
        if not rail.closable:
            raise Unsupported(
                f"pages of the account {payment.account!r} cannot be closed; wait until this one "
                "ends, or resolve it as closed"
            )
        return
    its_claims = claims.of_payment(tx, payment.id)
    if payment.superseded or not claiming.harden(tx, payment.id, its_claims):
        # One whose claims were taken over still names what it was to pay.
        wanted = dict.fromkeys(claim.item for claim in its_claims if claim.state != "used")
        raise ways.taken_over(tx, payment, list(wanted), closable=rail.closable)


def _check_amount(payment: Payment, amount: Money) -> None:
    if amount.currency != payment.amount.currency:
        raise CurrencyMismatch(
            f"payment {payment.id} is in {payment.amount.currency}, not {amount.currency}",
            argument="amount",
        )
    if amount.minor <= 0:
        raise InvalidAmount(
            f"{amount} of payment {payment.id}: it must be more than zero", argument="amount"
        )
