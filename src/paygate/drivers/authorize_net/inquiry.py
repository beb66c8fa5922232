"""What became of a transaction: its details, and what its state means for our operation."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final, TypeAlias

from paygate.driver import (
    Approved,
    BadResponse,
    CardChecks,
    DeclineCode,
    Declined,
    Dialogue,
    Ended,
    Ending,
    Fields,
    Finding,
    MethodFacts,
    Money,
    Movement,
    MovementKind,
    NotFound,
    Operation,
    Pending,
    Unknown,
    leaf,
    node,
)
from paygate.drivers.authorize_net import codes, fields
from paygate.drivers.authorize_net.messages import CallRefusal, answered
from paygate.drivers.authorize_net.transactions import checks_of, declined_as, facts_of, held

if TYPE_CHECKING:
    from paygate.drivers.authorize_net.messages import Channel

Booked: TypeAlias = frozenset[tuple[MovementKind, str]]
"""Movements that the books have."""

# --- One transaction -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """A debit of a bank account that the bank gave back, or what else it had to say of one."""

    id: str
    code: str
    on: date | None

    @property
    def is_notice(self) -> bool:
        """Whether it only corrects the account's data (C01 …); the money stays."""
        return self.code.upper().startswith("C")


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionDetails:
    """A transaction as it is now; *paid_with* is what paid, masked as a refund names it."""

    transaction: str
    order: str
    our_reference: str
    status: str
    kind: str
    related: str
    reason: str
    message: str
    authorized: Money
    settled: Money
    submitted: datetime | None
    settled_on: date | None
    returned: tuple[Returned, ...]
    paid_with: str = field(repr=False)
    profile: tuple[str, str]
    network: str
    checks: CardChecks | None
    facts: MethodFacts | None

    @property
    def is_refund(self) -> bool:
        """Whether it sends money back."""
        return self.kind == "refundTransaction" or self.status.startswith("refund")

    @property
    def has_settled(self) -> bool:
        """Whether it was settled, whatever came after."""
        return self.status in codes.SETTLED or self.status in codes.TAKEN_BACK

    @property
    def took(self) -> bool:
        """Whether its money is on the way to a settlement, or was settled."""
        return self.status in codes.CAPTURED or self.has_settled


def details(channel: Channel, transaction: str) -> Dialogue[TransactionDetails | None]:
    """Return one transaction as it is now; None if the account has none of that id."""
    about = leaf("transId", transaction)
    told = yield from channel.ask("getTransactionDetails", about, step="look_up")
    if isinstance(told, CallRefusal) and told.code == codes.NOTHING_FOUND:
        return None
    root, currency = answered(told), channel.settings.currency
    found = root.at("transaction")
    if found.text("transId", "") != transaction:
        raise BadResponse("Authorize.Net answered with another transaction than was asked for")
    card, bank = found.at("payment.creditCard"), found.at("payment.bankAccount")
    settled_at = found.instant("batch.settlementTimeUTC", None, zone=UTC)
    number = bank.text("accountNumber", "") or card.text("cardNumber", "")
    return TransactionDetails(
        transaction=transaction,
        our_reference=root.text("transrefId", ""),
        **{name: found.text(path, "") for name, path in _TEXTS.items()},
        authorized=found.money("authAmount", currency),
        settled=found.money("settleAmount", currency),
        submitted=found.instant("submitTimeUTC", None, zone=UTC),
        settled_on=None if settled_at is None else settled_at.date(),
        returned=tuple(map(_returned, found.each("returnedItems.returnedItem"))),
        paid_with=_masked_bank_account(bank) if bank else _masked_card(number),
        profile=(
            found.text("profile.customerProfileId", ""),
            found.text("profile.customerPaymentProfileId", ""),
        ),
        checks=checks_of(found, "AVSResponse", "cardCodeResponse", "CAVVResponse"),
        facts=facts_of("eCheck" if bank else card.text("cardType", ""), number),
    )


_TEXTS: Final = {
    "order": "order.invoiceNumber",
    "status": "transactionStatus",
    "kind": "transactionType",
    "related": "refTransId",
    "reason": "responseReasonCode",
    "message": "responseReasonDescription",
    "network": "networkTransId",
}


def _masked_card(number: str) -> str:
    return node("creditCard", leaf("cardNumber", number[-4:]), leaf("expirationDate", "XXXX"))


def _masked_bank_account(bank: Fields) -> str:
    names = ("accountType", "routingNumber", "accountNumber", "nameOnAccount")
    return node("bankAccount", *(leaf(name, bank.text(name, "")) for name in names))


def _returned(told: Fields) -> Returned:
    at = told.instant("dateUTC", None, zone=UTC)
    return Returned(
        id=told.id("id", pattern=fields.NUMBER),
        code=told.text("code", ""),
        on=None if at is None else at.date(),
    )


# --- What its state means ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An operation of ours, and what of its payment is booked; `partial` takes a part of it.

    `collected` is how much of the payment the books have as charged or captured.
    """

    operation: Operation
    amount: Money
    booked: Booked = frozenset()
    collected: Money | None = None
    partial: bool = False

    def fits(self, amount: Money) -> bool:
        """Return whether *amount* is what the operation asked for, or a part that it takes."""
        return amount == self.amount or (self.partial and amount < self.amount)

    def knows(self, kind: MovementKind, found: TransactionDetails) -> bool:
        """Return whether the books have that movement of the transaction."""
        return (kind, found.transaction) in self.booked


def outcome_of(found: TransactionDetails, asked: Asked) -> Finding:
    """Return what the state of a transaction means for the operation that made it."""
    match asked.operation:
        case Operation.CHARGE | Operation.AUTHORIZE | Operation.COMPLETE:
            return _collected(found, asked)
        case Operation.CAPTURE:
            return _captured(found, asked)
        case Operation.REFUND:
            return _refunded(found, asked)
        case _:
            return NotFound()


def _collected(found: TransactionDetails, asked: Asked) -> Finding:
    reference, status = found.transaction, found.status
    hold = asked.operation is Operation.AUTHORIZE
    if found.is_refund:
        raise BadResponse("Authorize.Net answered with a refund, and a payment was asked for")
    if status in codes.HELD:
        return Pending(reference=reference)
    if (found.took or status in codes.AUTHORIZED) and not asked.fits(found.authorized):
        return _other_amount(found, found.authorized, asked)
    approved = Approved(
        reference=reference,
        network_transaction_id=found.network,
        method_facts=found.facts,
        checks=found.checks,
    )
    if status in codes.AUTHORIZED:
        if hold:
            return held(approved, found.authorized)
        return Unknown(reason="it is authorised only, and was to be charged", reference=reference)
    kind = MovementKind.CAPTURE if hold else MovementKind.CHARGE
    if found.took:
        return replace(approved, movements=_moved(found, _inward(found, kind), asked))
    if status == "voided":
        return _voided(found, _taken_of_hold(found, asked) if hold else found.authorized, kind)
    return _ended(found)


def _moved(found: TransactionDetails, first: Movement, asked: Asked) -> tuple[Movement, ...]:
    return (first, *taken_back(found, asked.booked))


def _taken_of_hold(found: TransactionDetails, asked: Asked) -> Money | None:
    """Return what of a hold that is voided now was captured, None if nothing was.

    What it would have settled shows no more, so the books are believed. Authorize.Net captures
    a hold once.
    """
    return asked.collected if asked.knows(MovementKind.CAPTURE, found) else None


def _other_amount(found: TransactionDetails, amount: Money, asked: Asked) -> Unknown:
    """Return that it may be another's: ours has the amount that was asked for."""
    return Unknown(
        reason=f"Authorize.Net has {found.transaction} with {amount}, "
        f"and {asked.amount} was asked for",
        reference=found.transaction,
    )


def _voided(found: TransactionDetails, taken: Money | None, kind: MovementKind) -> Finding:
    """Return what was undone: money that was *taken* goes out again, a hold just ends."""
    if taken is None:
        return Ended(how=Ending.CANCELED, reference=found.transaction)
    return Approved(
        reference=found.transaction,
        movements=(_movement(found, kind, taken), void_of(found.transaction, taken)),
    )


def _ended(found: TransactionDetails) -> Finding:
    """Return the outcome of a transaction that ended without money."""
    if found.status == "expired":
        return Ended(how=Ending.EXPIRED, reference=found.transaction)
    if found.status not in codes.FAILED:
        # A void that failed, or a new state: the payment is flagged for manual review.
        return Unknown(
            reason=f"Authorize.Net says {found.status[:40]!r}", reference=found.transaction
        )
    if found.status == "settlementError":
        return _not_settled(found)
    declined = declined_as(found.reason, found.message, found.transaction)
    if found.status == "failedReview":
        declined = replace(declined, code=DeclineCode.FRAUD_SUSPECTED, retryable=False)
    elif found.status != "declined":
        declined = replace(declined, code=DeclineCode.TRY_AGAIN_LATER, retryable=True)
    raw_code = found.reason or found.status
    return replace(declined, raw_code=raw_code, method_facts=found.facts, checks=found.checks)


def _not_settled(found: TransactionDetails) -> Declined:
    """Return that the money did not come: it was approved, and no settlement took it."""
    return Declined(
        code=DeclineCode.GENERIC,
        raw_code=found.status,
        retryable=False,  # Authorize.Net may settle it again after all
        message="it was approved and could not be settled; ask Authorize.Net before you charge "
        "again",
        reference=found.transaction,
        final=True,
    )


def _captured(found: TransactionDetails, asked: Asked) -> Finding:
    if found.took:
        movements = _moved(found, _inward(found, MovementKind.CAPTURE), asked)
        return Approved(reference=found.transaction, movements=movements)
    if found.status in codes.AUTHORIZED:
        return NotFound()
    if found.status == "voided":
        # What it would have settled shows no more, but it is booked if we knew of it.
        knew = asked.knows(MovementKind.CAPTURE, found)
        return _voided(found, asked.amount if knew else None, MovementKind.CAPTURE)
    return _ended(found)


def _refunded(found: TransactionDetails, asked: Asked) -> Finding:
    if not found.is_refund:
        raise BadResponse("Authorize.Net answered with a payment, and a refund was asked for")
    if found.took:
        if not asked.fits(found.settled):
            return _other_amount(found, found.settled, asked)
        movements = _moved(found, refund_of(found), asked)
        return Approved(reference=found.transaction, movements=movements)
    if found.status in codes.HELD:
        return Pending(reference=found.transaction)
    if found.status == "voided":
        return _refund_voided(found, asked)
    return _ended(found)


def _refund_voided(found: TransactionDetails, asked: Asked) -> Finding:
    """Return that a refund was voided: what is booked of it comes back, and else nothing went."""
    name = found.transaction
    if not asked.knows(MovementKind.REFUND, found):
        return Ended(how=Ending.CANCELED, reference=name)
    went = _movement(found, MovementKind.REFUND, asked.amount)
    came = replace(went, kind=MovementKind.REFUND_FAILED, undoes=name, code=found.status)
    return Approved(reference=name, movements=(replace(went, undoes=found.related or None), came))


def _inward(found: TransactionDetails, kind: MovementKind) -> Movement:
    return _movement(found, kind, found.settled)


def _movement(found: TransactionDetails, kind: MovementKind, amount: Money) -> Movement:
    if not amount.minor:
        raise BadResponse("Authorize.Net says that money moved, with an amount of 0")
    return Movement(
        movement_id=found.transaction,
        amount=amount,
        kind=kind,
        effective=found.submitted,
        settled=found.settled if found.has_settled else None,
        settled_on=found.settled_on if found.has_settled else None,
    )


def voidable(found: TransactionDetails) -> Money:
    """Return what goes out again with a void: a hold moved nothing, and a charge all of it.

    One that somebody voided before us does not show its amount to settle any more.
    """
    if found.status in codes.CAPTURED:
        return found.settled
    if found.status == "voided" and found.kind == "authCaptureTransaction":
        return found.authorized
    return Money.zero(found.settled.currency)


def void_of(transaction: str, amount: Money) -> Movement:
    """Return that a charge was undone; the void has no name of its own."""
    return Movement(
        movement_id=transaction, amount=amount, kind=MovementKind.VOID, undoes=transaction
    )


def refund_of(found: TransactionDetails) -> Movement:
    """Return the money that a refund sent back."""
    movement = _movement(found, MovementKind.REFUND, found.settled)
    return replace(movement, undoes=found.related or None)


def refunded_of(channel: Channel, found: TransactionDetails) -> Dialogue[str]:
    """Return the payment of ours that a refund made elsewhere takes back, or "" if it is not ours.

    The Merchant Interface copies the invoice number of what is refunded, unless a clerk
    changes it; then what it refers to says whose it is.
    """
    if not found.related or fields.is_ours(found.order):
        return found.related
    original = yield from details(channel, found.related)
    return found.related if original is not None and fields.is_ours(original.order) else ""


def taken_back(found: TransactionDetails, booked: Booked = frozenset()) -> tuple[Movement, ...]:
    """Return what the payer's bank did to a transaction after it had settled."""
    kind = MovementKind.REFUND_FAILED if found.is_refund else MovementKind.RETURN
    movements = [
        Movement(
            movement_id=item.id,
            amount=found.settled,
            kind=kind,
            effective=item.on,
            undoes=found.transaction,
            code=item.code,
        )
        for item in found.returned
        if not item.is_notice
    ]
    return (*movements, *_disputed(found, booked))


# --- Disputes ------------------------------------------------------------------------------------
# Authorize.Net has no name for a dispute and shows only how it stands: "chargeback" while the bank
# has the money, "chargebackReversal" once it gave it back. A bank that takes it again after that
# makes it "chargeback" again, and only our books distinguish the second taking from the first: if
# every taking in them was given back, then this one is new. So the takings are numbered, the first
# by the transaction's id, the second by that and "#2", and what was given back has the number of
# its taking. What comes before the number that is reported comes again, and is booked already.


def _disputed(found: TransactionDetails, booked: Booked) -> list[Movement]:
    taken = _count(MovementKind.CHARGEBACK, found.transaction, booked)
    given = _count(MovementKind.CHARGEBACK_WON, found.transaction, booked)
    match found.status:
        case "chargeback":
            taken = max(taken, given + 1)
        case "chargebackReversal":
            taken = given = max(taken, 1)
        case _:
            return []
    movements: list[Movement] = []
    for number in range(1, taken + 1):
        movements.append(_dispute(found, MovementKind.CHARGEBACK, number))
        if number <= given:
            movements.append(_dispute(found, MovementKind.CHARGEBACK_WON, number))
    return movements


def _count(kind: MovementKind, transaction: str, booked: Booked) -> int:
    """Return how often the books have such a movement of the transaction."""
    number = 0
    while (kind, _turn(transaction, number + 1)) in booked:
        number += 1
    return number


def _turn(transaction: str, number: int) -> str:
    return transaction if number == 1 else f"{transaction}#{number}"


def _dispute(found: TransactionDetails, kind: MovementKind, number: int) -> Movement:
    name = _turn(found.transaction, number)
    return Movement(
        movement_id=name,
        amount=found.settled,
        kind=kind,
        undoes=found.transaction if kind is MovementKind.CHARGEBACK else name,
        code=found.status,
    )
