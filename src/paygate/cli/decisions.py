"""What only a person can decide: an outcome, where money goes, what is written off."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from paygate.cli import options, payments
from paygate.cli.opening import Where, read_amount, with_ledger
from paygate.domain.kind import Operation
from paygate.domain.movement import Movement, MovementKind
from paygate.domain.outcome import Approved, Authorized, DeclineCode, Declined, Ended, Ending
from paygate.errors import InvalidValue
from paygate.service.resolve import MOVES

if TYPE_CHECKING:
    from paygate.cashier.sync import Cashier
    from paygate.domain.money import Money

EvidenceOption = Annotated[str, typer.Option("--evidence", help="Where you saw it.")]


class End(StrEnum):
    """The outcome that a person can record for an attempt."""

    SUCCEEDED = "succeeded"
    HELD = "held"
    DECLINED = "declined"
    CANCELED = "canceled"
    EXPIRED = "expired"


EndOption = Annotated[End, typer.Option("--ended", help="The outcome.")]


def not_done(ended: End) -> Declined | Ended:
    """Return the outcome for an attempt that did nothing."""
    match ended:
        case End.CANCELED:
            return Ended(how=Ending.CANCELED)
        case End.EXPIRED:
            return Ended(how=Ending.EXPIRED)
        case _:
            return Declined(code=DeclineCode.GENERIC, raw_code="", retryable=False)


@with_ledger
def resolve(
    where: Where,
    payment: options.PaymentArgument,
    ended: EndOption,
    evidence: EvidenceOption,
    movement: Annotated[
        str, typer.Option(metavar="ID", help="The processor's own id of the money that moved.")
    ] = "",
    amount: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="How much; default: what was requested.")
    ] = None,
    reference: Annotated[str, typer.Option(help="The processor's name of the operation.")] = "",
    attempt: Annotated[
        str | None, typer.Option(metavar="ID", help="Which attempt, if several are in doubt.")
    ] = None,
) -> None:
    """Record the outcome of an attempt of a payment that could not be determined."""
    with where.open() as cashier:
        asked = _asked(cashier, payment, attempt)
        money = asked.amount if amount is None else read_amount(cashier, amount)
        outcome: Approved | Authorized | Declined | Ended
        match ended:
            case End.SUCCEEDED if asked.moves and not movement:
                raise InvalidValue(
                    "money moved, so name the movement: --movement is the processor's own id of it",
                    argument="movement",
                )
            case End.SUCCEEDED:
                moved = Movement(movement_id=movement, amount=money, kind=asked.kind)
                outcome = Approved(reference=reference, movements=(moved,) if movement else ())
            case End.HELD:
                outcome = Authorized(amount=money, reference=reference)
            case _:
                outcome = not_done(ended)
        made = cashier.resolve(payment, outcome, evidence=evidence, attempt=attempt)
    payments.tell(made, as_json=where.as_json)


@with_ledger
def reviewed(
    where: Where,
    payment: options.PaymentArgument,
    reason: options.ReasonOption,
) -> None:
    """Finish the review of a payment: you have checked it, and there is nothing to decide."""
    with where.open() as cashier:
        made = cashier.reviewed(payment, reason=reason)
    payments.tell(made, as_json=where.as_json)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the chosen attempt was requested to do."""

    amount: Money
    kind: MovementKind
    moves: bool = False


def _asked(cashier: Cashier, payment: str, attempt: str | None) -> _Asked:
    """Return the chosen attempt; if there is not exactly one, the cashier will refuse."""
    rows = cashier.attempts(payment)
    live = [row for row in rows if not row.state.final]
    meant = [row for row in rows if row.id == attempt]
    meant = meant or [row for row in live if row.state.in_doubt] or live
    if not meant:
        return _Asked(cashier.payment(payment).amount, MovementKind.CHARGE)
    operation = meant[0].operation
    if operation is Operation.COMPLETE:
        operation = rows[0].operation
    kind = MOVES[operation]
    # Voiding an authorization moves no money.
    moves = kind is not None and operation is not Operation.VOID
    return _Asked(meant[0].amount, kind or MovementKind.CHARGE, moves)


@with_ledger
def assign(
    where: Where,
    payment: options.PaymentArgument,
    reason: options.ReasonOption,
    invoices: Annotated[
        list[str] | None, typer.Argument(help="Invoices to put it on, in order.")
    ] = None,
    customer: Annotated[
        str | None, typer.Option(help="Whose it is, if no customer has the number it came for.")
    ] = None,
) -> None:
    """Put money other than requested on invoices; the rest becomes credit."""
    with where.open() as cashier:
        made = cashier.assign(payment, invoices or (), reason=reason, customer=customer)
    payments.tell(made, as_json=where.as_json)


def check_held(ended: End) -> None:
    """Refuse to record that an amount is held for a method."""
    if ended is End.HELD:
        raise InvalidValue("a method is either stored or not; no amount is held for it")
