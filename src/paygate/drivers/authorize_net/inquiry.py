"""What became of a transaction: its details, and what its state means for our operation."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TYPE_CHECKING

from paygate.driver import (
    Approved,
    Authorized,
    BadResponse,
    CardChecks,
    DeclineCode,
    Declined,
    Ended,
    Ending,
    MethodFacts,
    Money,
    Movement,
    MovementKind,
    NotFound,
    Operation,
    Pending,
    Unknown,
)
from paygate.drivers.authorize_net import codes, fields
from paygate.drivers.authorize_net.markup import each, find, leaf, node, text
from paygate.drivers.authorize_net.messages import CallRefusal, instant, unanswered
from paygate.drivers.authorize_net.transactions import declined_as, facts_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from paygate.driver import Dialogue, Finding, Request, Response
    from paygate.drivers.authorize_net.messages import Channel

# --- One transaction -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """A debit of a bank account that the bank gave back, or what else it had to say of one."""

    id: str
    code: str
    on: date | None

    @property
    def is_notice(self) -> bool:
        """Tell whether it only corrects the account's data (C01 …); the money stays."""
        return self.code.upper().startswith("C")


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionDetails:
    """A transaction as it is now."""

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
    bank: bool
    card: str
    account: tuple[str, str, str, str] = field(repr=False)
    profile: tuple[str, str]
    network: str
    checks: CardChecks | None
    facts: MethodFacts | None

    @property
    def is_refund(self) -> bool:
        """Tell whether it sends money back."""
        return self.kind == "refundTransaction" or self.status.startswith("refund")

    @property
    def has_settled(self) -> bool:
        """Tell whether it was settled, whatever came after."""
        return self.status in codes.SETTLED or self.status in codes.TAKEN_BACK

    def paid_with(self) -> str:
        """Write what paid, in the masked form that a refund is sent back to."""
        if not self.bank:
            return node(
                "creditCard", leaf("cardNumber", self.card[-4:]), leaf("expirationDate", "XXXX")
            )
        kind, routing, number, holder = self.account
        return node(
            "bankAccount",
            leaf("accountType", kind),
            leaf("routingNumber", routing),
            leaf("accountNumber", number),
            leaf("nameOnAccount", holder),
        )


def build_details(channel: Channel, transaction: str, *, step: str = "look_up") -> Request:
    """Ask for one transaction."""
    return channel.call("getTransactionDetails", leaf("transId", transaction), step=step)


def parse_details(
    channel: Channel, transaction: str, response: Response
) -> TransactionDetails | None:
    """Read one transaction; None where the account has none of that id."""
    root = channel.answer("getTransactionDetails", response)
    if isinstance(root, CallRefusal):
        if root.code == codes.NOTHING_FOUND:
            return None
        raise unanswered(root)
    told = find(root, "transaction")
    if text(told, "transId") != transaction:
        raise BadResponse("Authorize.Net answered with another transaction than was asked for")
    bank = find(told, "payment/bankAccount")
    settled_at = instant(text(told, "batch/settlementTimeUTC"))
    return TransactionDetails(
        transaction=transaction,
        order=text(told, "order/invoiceNumber"),
        our_reference=text(root, "transrefId"),
        status=text(told, "transactionStatus"),
        kind=text(told, "transactionType"),
        related=text(told, "refTransId"),
        reason=text(told, "responseReasonCode"),
        message=text(told, "responseReasonDescription"),
        authorized=channel.money(text(told, "authAmount")),
        settled=channel.money(text(told, "settleAmount")),
        submitted=instant(text(told, "submitTimeUTC")),
        settled_on=None if settled_at is None else settled_at.date(),
        returned=tuple(_returned(one) for one in each(told, "returnedItems/returnedItem")),
        bank=bank is not None,
        card=text(told, "payment/creditCard/cardNumber"),
        account=(
            text(bank, "accountType"),
            text(bank, "routingNumber"),
            text(bank, "accountNumber"),
            text(bank, "nameOnAccount"),
        ),
        profile=(
            text(told, "profile/customerProfileId"),
            text(told, "profile/customerPaymentProfileId"),
        ),
        network=text(told, "networkTransId"),
        checks=codes.checks_of(
            text(told, "AVSResponse"), text(told, "cardCodeResponse"), text(told, "CAVVResponse")
        ),
        facts=facts_of(
            "eCheck" if bank is not None else text(told, "payment/creditCard/cardType"),
            text(bank, "accountNumber") or text(told, "payment/creditCard/cardNumber"),
        ),
    )


def _returned(told: Element) -> Returned:
    identity, at = text(told, "id"), instant(text(told, "dateUTC"))
    if not fields.is_number(identity):
        raise BadResponse("a returned item without its id")
    return Returned(id=identity, code=text(told, "code"), on=None if at is None else at.date())


# --- What its state means ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An operation of ours, and what of its payment is booked; `partial` takes a part of it.

    `collected` is how much of the payment the books have as charged or captured.
    """

    operation: Operation
    amount: Money
    booked: frozenset[tuple[MovementKind, str]] = frozenset()
    collected: Money | None = None
    partial: bool = False

    def fits(self, amount: Money) -> bool:
        """Return whether *amount* is what the operation asked for, or a part that it takes."""
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
    reference, status = found.transaction, found.status
    hold = asked.operation is Operation.AUTHORIZE
    if found.is_refund:
        raise BadResponse("Authorize.Net tells of a refund where a payment was asked for")
    if status in codes.HELD:
        return Pending(reference=reference)
    took = status in codes.CAPTURED or found.has_settled
    if (took or status in codes.AUTHORIZED) and not asked.fits(found.authorized):
        return _other_amount(found, found.authorized, asked)
    if status in codes.AUTHORIZED:
        if hold:
            return Authorized(
                amount=found.authorized,
                reference=reference,
                network_transaction_id=found.network,
                method_facts=found.facts,
                checks=found.checks,
            )
        return Unknown(reason="it is authorised only, and was to be charged", reference=reference)
    kind = MovementKind.CAPTURE if hold else MovementKind.CHARGE
    if took:
        return Approved(
            reference=reference,
            movements=(_inward(found, kind), *taken_back(found, asked.booked)),
            network_transaction_id=found.network,
            method_facts=found.facts,
            checks=found.checks,
        )
    if status == "voided":
        return _voided(found, _taken_of_hold(found, asked) if hold else found.authorized, kind)
    return _ended(found)


def _taken_of_hold(found: TransactionDetails, asked: Asked) -> Money | None:
    """Return what of a hold that is voided now was captured, None if nothing was.

    What it would have settled shows no more, so the books are believed. Authorize.Net captures
    a hold once.
    """
    knew = (MovementKind.CAPTURE, found.transaction) in asked.booked
    return asked.collected if knew else None


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
    """Return how a transaction ended without money."""
    if found.status == "expired":
        return Ended(how=Ending.EXPIRED, reference=found.transaction)
    if found.status not in codes.FAILED:
        # A void that failed, or something new: a person must look.
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
    if found.status in codes.CAPTURED or found.has_settled:
        captured = _inward(found, MovementKind.CAPTURE)
        back = taken_back(found, asked.booked)
        return Approved(reference=found.transaction, movements=(captured, *back))
    if found.status in codes.AUTHORIZED:
        return NotFound()
    if found.status == "voided":
        # What it would have settled shows no more, but it is booked if we knew of it.
        knew = (MovementKind.CAPTURE, found.transaction) in asked.booked
        return _voided(found, asked.amount if knew else None, MovementKind.CAPTURE)
    return _ended(found)


def _refunded(found: TransactionDetails, asked: Asked) -> Finding:
    if not found.is_refund:
        raise BadResponse("Authorize.Net tells of a payment where a refund was asked for")
    if found.status in codes.CAPTURED or found.has_settled:
        if not asked.fits(found.settled):
            return _other_amount(found, found.settled, asked)
        back = taken_back(found, asked.booked)
        return Approved(reference=found.transaction, movements=(refund_of(found), *back))
    if found.status in codes.HELD:
        return Pending(reference=found.transaction)
    if found.status == "voided":
        return _refund_voided(found, asked)
    return _ended(found)


def _refund_voided(found: TransactionDetails, asked: Asked) -> Finding:
    """Return that a refund was voided: what is booked of it comes back, and else nothing went."""
    name = found.transaction
    if (MovementKind.REFUND, name) not in asked.booked:
        return Ended(how=Ending.CANCELED, reference=name)
    went = _movement(found, MovementKind.REFUND, asked.amount)
    came = replace(went, kind=MovementKind.REFUND_FAILED, undoes=name, code=found.status)
    return Approved(reference=name, movements=(replace(went, undoes=found.related or None), came))


def _inward(found: TransactionDetails, kind: MovementKind) -> Movement:
    return _movement(found, kind, found.settled)


def _movement(found: TransactionDetails, kind: MovementKind, amount: Money) -> Movement:
    if not amount.minor:
        raise BadResponse("Authorize.Net says that money moved, and that it is none")
    return Movement(
        movement_id=found.transaction,
        amount=amount,
        kind=kind,
        effective=found.submitted,
        settled=found.settled if found.has_settled else None,
        settled_on=found.settled_on if found.has_settled else None,
    )


def voidable(found: TransactionDetails) -> Money:
    """Tell what goes out again with a void: a hold moved nothing, and a charge all of it.

    One that somebody voided before us does not show its amount to settle any more.
    """
    if found.status in codes.CAPTURED:
        return found.settled
    if found.status == "voided" and found.kind == "authCaptureTransaction":
        return found.authorized
    return Money.zero(found.settled.currency)


def void_of(transaction: str, amount: Money) -> Movement:
    """Tell that a charge was undone; the void has no name of its own."""
    return Movement(
        movement_id=transaction, amount=amount, kind=MovementKind.VOID, undoes=transaction
    )


def refund_of(found: TransactionDetails) -> Movement:
    """Tell the money that a refund sent back."""
    movement = _movement(found, MovementKind.REFUND, found.settled)
    return replace(movement, undoes=found.related or None)


def refunded_of(channel: Channel, found: TransactionDetails) -> Dialogue[str]:
    """Return the payment of ours that a refund made elsewhere takes back, or "" if it is not ours.

    The Merchant Interface copies the invoice number of what is refunded, unless a clerk
    changes it; then what it refers to says whose it is.
    """
    if not found.related or fields.is_ours(found.order):
        return found.related
    response = yield build_details(channel, found.related)
    original = parse_details(channel, found.related, response)
    return found.related if original is not None and fields.is_ours(original.order) else ""


def taken_back(
    found: TransactionDetails, booked: frozenset[tuple[MovementKind, str]] = frozenset()
) -> tuple[Movement, ...]:
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
# makes it "chargeback" again, and nothing tells the second taking from the first but our books: if
# every taking in them was given back, then this one is new. So the takings are numbered, the first
# by the transaction's id, the second by that and "#2", and what was given back has the number of
# its taking. What comes before the number that is told is told again, and is booked already.


def _disputed(
    found: TransactionDetails, booked: frozenset[tuple[MovementKind, str]]
) -> list[Movement]:
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


def _count(
    kind: MovementKind, transaction: str, booked: frozenset[tuple[MovementKind, str]]
) -> int:
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
