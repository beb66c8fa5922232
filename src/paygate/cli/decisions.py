"""What only a person can decide: an outcome, where money goes, what is written off."""

from __future__ import annotations

from typing import Annotated

import typer

from paygate.cli import options, payments
from paygate.cli.opening import Where, read_amount, with_ledger
from paygate.domain.movement import Movement
from paygate.domain.outcome import Approved, Authorized, Declined, Ended
from paygate.errors import InvalidValue
from paygate.service.stating import End, asked_of, not_done

EvidenceOption = Annotated[str, typer.Option("--evidence", help="Where you saw it.")]
EndOption = Annotated[End, typer.Option("--ended", help="The outcome.")]


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
        asked = asked_of(cashier.attempts(payment), cashier.payment(payment), attempt)
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
