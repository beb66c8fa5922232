"""What became of a transaction: its details, and what its state means for our operation."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final, TypeAlias

from paygate import driver
from paygate.driver import Ended, Ending, Money, Movement, MovementKind, NotFound, Operation
from paygate.drivers.authorize_net import codes, fields
from paygate.drivers.authorize_net.messages import CallRefusal, answered
from paygate.drivers.authorize_net.transactions import TransactionFacts, facts_of

if TYPE_CHECKING:
    from paygate.driver import Dialogue, Fields, Finding, Members
    from paygate.drivers.authorize_net.messages import Channel

Booked: TypeAlias = frozenset[tuple[MovementKind, str]]
"""Movements that the books have."""

# --- One transaction -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionDetails(TransactionFacts):
    """A transaction as it is now.

    `returned` is what banks returned of it, and `paid_with` the masked method that a refund names.
    """

    order: str
    our_reference: str
    status: str
    kind: str
    related: str
    authorized: Money
    settled: Money
    submitted: datetime | None
    settled_on: date | None
    returned: tuple[Fields, ...] = field(repr=False)
    paid_with: Members = field(repr=False)
    profile: tuple[str, str]

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
        """Whether its money was settled, or is to be."""
        return self.status in codes.CAPTURED or self.has_settled


def details(channel: Channel, transaction: str) -> Dialogue[TransactionDetails | None]:
    """Return one transaction as it is now; None if the account has none of that id.

    A text that cannot be an id is not sent.
    """
    if not fields.is_number(transaction):
        return None
    about = {"transId": transaction}
    answer = yield from channel.ask("getTransactionDetails", about, step="look_up")
    if isinstance(answer, CallRefusal) and answer.code == codes.NOT_FOUND:
        return None
    root, currency = answered(answer), channel.settings.currency
    found = root.at("transaction")
    if found.text("transId", "") != transaction:
        raise driver.BadResponse("Authorize.Net answered about another transaction")
    card, bank = found.at("payment.creditCard"), found.at("payment.bankAccount")
    number = bank.text("accountNumber", "") or card.text("cardNumber", "")
    masked_card = {"cardNumber": number[-4:], "expirationDate": "XXXX"}
    masked_bank = {name: bank.text(name, "") for name in _BANK}
    return TransactionDetails(
        transaction=transaction,
        our_reference=root.text("transrefId", ""),
        **{name: found.text(path, "") for name, path in _TEXTS.items()},
        authorized=found.money("authAmount", currency),
        settled=found.money("settleAmount", currency),
        submitted=found.instant("submitTimeUTC", None, zone=UTC),
        settled_on=_day(found, "batch.settlementTimeUTC"),
        returned=tuple(found.each("returnedItems.returnedItem")),
        paid_with={"bankAccount": masked_bank} if bank else {"creditCard": masked_card},
        profile=(
            found.text("profile.customerProfileId", ""),
            found.text("profile.customerPaymentProfileId", ""),
        ),
        checks=codes.checks_of(found, "AVSResponse", "cardCodeResponse", "CAVVResponse"),
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
_BANK: Final = ("accountType", "routingNumber", "accountNumber", "nameOnAccount")


def _day(found: Fields, path: str) -> date | None:
    at = found.instant(path, None, zone=UTC)
    return None if at is None else at.date()


# --- What its state means ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An operation of ours, and what the books have of its payment.

    `collected` is the booked amount of its charges or captures; with `partial` a part of `amount`
    is accepted.
    """

    operation: Operation
    amount: Money
    booked: Booked = frozenset()
    collected: Money | None = None
    partial: bool = False

    def fits(self, amount: Money) -> bool:
        """Return whether *amount* is what the operation asked for, or a part that it accepts."""
        return amount == self.amount or (self.partial and amount < self.amount)


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
    hold = asked.operation is Operation.AUTHORIZE
    authorized = found.status in codes.AUTHORIZED
    if found.is_refund:
        raise driver.BadResponse("Authorize.Net answered about a refund instead of a payment")
    if found.status in codes.HELD:
        return driver.Pending(reference=found.transaction)
    if (found.took or authorized) and not asked.fits(found.authorized):
        return _other_amount(found.transaction, found.authorized, asked)
    if authorized:
        if hold:
            return found.held(found.authorized)
        reason = "it is only authorized, and was to be charged"
        return driver.Unknown(reason=reason, reference=found.transaction)
    kind = MovementKind.CAPTURE if hold else MovementKind.CHARGE
    if found.took:
        return found.approved(*_moved(found, kind, asked))
    return _voided(found, asked, kind) if found.status == "voided" else _ended(found)


def _moved(found: TransactionDetails, kind: MovementKind, asked: Asked) -> tuple[Movement, ...]:
    """Return the money that a transaction moved, and what banks took back of it."""
    is_refund = kind is MovementKind.REFUND
    first = refund_of(found) if is_refund else _movement(found, kind, found.settled)
    return (first, *taken_back(found, asked.booked))


def _other_amount(name: str, amount: Money, asked: Asked) -> driver.Unknown:
    """Return that the transaction *name* may not be ours."""
    reason = f"Authorize.Net has {name} with {amount}, and {asked.amount} was asked for"
    return driver.Unknown(reason=reason, reference=name)


def _voided(found: TransactionDetails, asked: Asked, kind: MovementKind) -> Finding:
    """Return that the money went out again; a hold that was not captured just ends.

    Once a hold is voided, its captured amount is no longer shown, so the books are believed.
    Authorize.Net captures a hold once.
    """
    captured = asked.amount if asked.operation is Operation.CAPTURE else asked.collected
    taken = captured if kind is MovementKind.CAPTURE else found.authorized
    booked = kind is not MovementKind.CAPTURE or (kind, found.transaction) in asked.booked
    if taken is None or not booked:
        return Ended(how=Ending.CANCELED, reference=found.transaction)
    return driver.Approved(
        reference=found.transaction,
        movements=(_movement(found, kind, taken), *void_of(found.transaction, taken)),
    )


def _ended(found: TransactionDetails) -> Finding:
    """Return the outcome of a transaction that ended without money."""
    if found.status == "expired":
        return Ended(how=Ending.EXPIRED, reference=found.transaction)
    if found.status not in codes.FAILED:
        # A void that failed, or a new state: the payment is flagged for manual review.
        reason = f"Authorize.Net says {found.status[:40]!r}"
        return driver.Unknown(reason=reason, reference=found.transaction)
    if found.status == "settlementError":
        return driver.Declined(
            code=driver.DeclineCode.GENERIC,
            raw_code=found.status,
            retryable=False,  # Authorize.Net may settle it after all
            message="it was approved and could not be settled; ask Authorize.Net before you "
            "charge again",
            reference=found.transaction,
            final=True,
        )
    declined = replace(found.declined(), raw_code=found.reason or found.status)
    if found.status == "failedReview":
        return replace(declined, code=driver.DeclineCode.FRAUD_SUSPECTED, retryable=False)
    if found.status != "declined":
        return replace(declined, code=driver.DeclineCode.TRY_AGAIN_LATER, retryable=True)
    return declined


def _captured(found: TransactionDetails, asked: Asked) -> Finding:
    if found.took:
        movements = _moved(found, MovementKind.CAPTURE, asked)
        return driver.Approved(reference=found.transaction, movements=movements)
    if found.status in codes.AUTHORIZED:
        return NotFound()
    if found.status == "voided":
        return _voided(found, asked, MovementKind.CAPTURE)
    return _ended(found)


def _refunded(found: TransactionDetails, asked: Asked) -> Finding:
    if not found.is_refund:
        raise driver.BadResponse("Authorize.Net answered about a payment instead of a refund")
    if found.took:
        if not asked.fits(found.settled):
            return _other_amount(found.transaction, found.settled, asked)
        movements = _moved(found, MovementKind.REFUND, asked)
        return driver.Approved(reference=found.transaction, movements=movements)
    if found.status in codes.HELD:
        return driver.Pending(reference=found.transaction)
    if found.status != "voided":
        return _ended(found)
    # It was voided: if it is booked, the money comes back.
    name = found.transaction
    if (MovementKind.REFUND, name) not in asked.booked:
        return Ended(how=Ending.CANCELED, reference=name)
    went = _movement(found, MovementKind.REFUND, asked.amount)
    came = replace(went, kind=MovementKind.REFUND_FAILED, undoes=name, code=found.status)
    went = replace(went, undoes=found.related or None)
    return driver.Approved(reference=name, movements=(went, came))


def _movement(found: TransactionDetails, kind: MovementKind, amount: Money) -> Movement:
    if not amount.minor:
        raise driver.BadResponse("Authorize.Net says that money moved, with an amount of 0")
    return Movement(
        movement_id=found.transaction,
        amount=amount,
        kind=kind,
        effective=found.submitted,
        settled=found.settled if found.has_settled else None,
        settled_on=found.settled_on if found.has_settled else None,
    )


def voidable(found: TransactionDetails) -> Money:
    """Return what a void sends out again: nothing of a hold, and all of a charge.

    A charge that somebody voided before us no longer shows its amount to settle.
    """
    if found.status in codes.CAPTURED:
        return found.settled
    if found.status == "voided" and found.kind == "authCaptureTransaction":
        return found.authorized
    return Money.zero(found.settled.currency)


def void_of(transaction: str, taken: Money) -> tuple[Movement, ...]:
    """Return that the money a charge took went out again; the void has no id of its own."""
    void = Movement(
        movement_id=transaction, amount=taken, kind=MovementKind.VOID, undoes=transaction
    )
    return (void,) if taken else ()


def refund_of(found: TransactionDetails) -> Movement:
    """Return the money that a refund sent back."""
    movement = _movement(found, MovementKind.REFUND, found.settled)
    return replace(movement, undoes=found.related or None)


def refunded_of(channel: Channel, found: TransactionDetails) -> Dialogue[str]:
    """Return the payment of ours that was refunded elsewhere; "" if it is not ours.

    The Merchant Interface copies the invoice number of the payment, unless a clerk changes it;
    then the payment itself says whether it is ours.
    """
    if not found.related or fields.is_ours(found.order):
        return found.related
    original = yield from details(channel, found.related)
    return found.related if original is not None and fields.is_ours(original.order) else ""


def taken_back(found: TransactionDetails, booked: Booked = frozenset()) -> tuple[Movement, ...]:
    """Return what the payer's bank did to a transaction after it had settled."""
    kind = MovementKind.REFUND_FAILED if found.is_refund else MovementKind.RETURN
    returned = [
        Movement(
            movement_id=item.id("id", pattern=fields.NUMBER),
            amount=found.settled,
            kind=kind,
            effective=_day(item, "dateUTC"),
            undoes=found.transaction,
            code=item.text("code", ""),
        )
        for item in found.returned
        # The codes C01, C02 … only correct the account's data; the money stays.
        if not item.text("code", "").upper().startswith("C")
    ]
    return (*returned, *_disputed(found, booked))


# --- Disputes ------------------------------------------------------------------------------------
# Authorize.Net has no id for a dispute and shows only its state: "chargeback" while the bank has
# the money, "chargebackReversal" once it gave it back. If the bank takes it again, the state is
# "chargeback" again, and only our books distinguish the second taking from the first: if every
# taking in them was given back, this one is new. So the takings are numbered, the first by the
# transaction's id, the second by that and "#2", and a return has the number of its taking. Earlier
# movements are reported again, and are booked already.


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
    """Return how many of these movements of the transaction the books have."""
    number = 0
    while (kind, _numbered(transaction, number + 1)) in booked:
        number += 1
    return number


def _numbered(transaction: str, number: int) -> str:
    return transaction if number == 1 else f"{transaction}#{number}"


def _dispute(found: TransactionDetails, kind: MovementKind, number: int) -> Movement:
    name = _numbered(found.transaction, number)
    return Movement(
        movement_id=name,
        amount=found.settled,
        kind=kind,
        undoes=found.transaction if kind is MovementKind.CHARGEBACK else name,
        code=found.status,
    )
