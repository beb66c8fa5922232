"""Stating: the form by which a clerk records the outcome of a request that is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from paygate.domain.movement import Movement
from paygate.domain.outcome import Approved, Authorized
from paygate.service.stating import End, asked_of, not_done
from paygate.web.desk.problems import ProblemsError
from paygate.web.desk.showing import words
from paygate.web.desk.views import Choice, Input, english
from paygate.web.pages.views import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paygate.domain.attempt import Attempt
    from paygate.domain.outcome import Declined, Ended
    from paygate.domain.payment import Payment
    from paygate.web.desk.visit import DeskVisit

_ENDS: Final[Mapping[End, str]] = {
    End.SUCCEEDED: "It succeeded",
    End.HELD: "An amount is held",
    End.DECLINED: "It was declined",
    End.CANCELED: "It was canceled",
    End.EXPIRED: "It expired",
}


def stating_inputs(visit: DeskVisit, payment: Payment, attempts: Sequence[Attempt]) -> list[Input]:
    """Return the fields for the outcome of one of the *attempts*."""
    live = [each for each in attempts if not each.state.final]
    which = Input(
        name="attempt",
        label=english("Which request"),
        type="choice",
        value=visit.given("attempt"),
        choices=[
            Choice(
                each.id,
                english(
                    "{operation} of {amount}",
                    operation=words(each.operation.value),
                    amount=each.amount,
                ),
            )
            for each in live
        ],
    )
    currency = payment.amount.currency
    return [
        *([which] if len(live) > 1 else []),
        Input(
            name="ended",
            label=english("Outcome"),
            type="choice",
            value=visit.given("ended"),
            choices=[Choice(each.value, english(_ENDS[each])) for each in End],
        ),
        Input(
            name="movement",
            label=english("The processor's id of the money that moved"),
            value=visit.given("movement"),
            hint=english("Needed if money moved"),
        ),
        Input(
            name="amount",
            label=english("Amount, in {currency}", currency=currency),
            type="amount",
            value=visit.given("amount"),
            hint=english("Empty, it is what was requested"),
        ),
        Input(
            name="reference",
            label=english("The processor's name of the operation"),
            value=visit.given("reference"),
        ),
        Input(name="evidence", label=english("Where you saw it"), value=visit.given("evidence")),
    ]


def reads_outcome(
    visit: DeskVisit, payment: Payment, attempts: Sequence[Attempt]
) -> dict[str, Any]:
    """Return the arguments of `resolve`, or raise `ProblemsError`."""
    attempt = visit.given("attempt") or None
    asked = asked_of(attempts, payment, attempt)
    money = visit.amount("amount", payment.amount.currency) or asked.amount
    movement, reference = visit.given("movement"), visit.given("reference")
    try:
        ended = End(visit.given("ended"))
    except ValueError:
        raise ProblemsError(Problem("ended", english("Choose the outcome"))) from None
    outcome: Approved | Authorized | Declined | Ended
    match ended:
        case End.SUCCEEDED if asked.moves and not movement:
            message = english("Enter the processor's id of the money that moved")
            raise ProblemsError(Problem("movement", message))
        case End.SUCCEEDED:
            moved = Movement(movement_id=movement, amount=money, kind=asked.kind)
            outcome = Approved(reference=reference, movements=(moved,) if movement else ())
        case End.HELD:
            outcome = Authorized(amount=money, reference=reference)
        case _:
            outcome = not_done(ended)
    return {
        "outcome": outcome,
        "evidence": visit.required("evidence", "Enter where you saw it"),
        "attempt": attempt,
    }
