"""Decisions: what a clerk finds out or decides about a payment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.cashier import arguments
from paygate.cashier.base import OnLedger
from paygate.cashier.verbs import verb
from paygate.domain.text import note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.domain.attempt import Attempt
    from paygate.domain.customer import Customer
    from paygate.domain.invoice import Invoice
    from paygate.domain.method import MethodRequest
    from paygate.domain.outcome import Approved, Declined, Ended
    from paygate.domain.payment import Payment
    from paygate.service.flow import Flow
    from paygate.service.resolve import Resolution


class Decisions(OnLedger):
    """Verbs that record what a clerk found out or decided."""

    @verb
    def resolve(
        self,
        payment: Payment | str,
        outcome: Resolution,
        *,
        evidence: str,
        attempt: Attempt | str | None = None,
    ) -> Flow[Payment]:
        """
        Record the outcome of an attempt that could not be determined automatically.

        The attempt is the one in doubt, or else the one that is pending; if there are several
        (`SeveralInDoubt`), *attempt* says which one. *evidence* is where you saw the outcome, and
        is kept in the event. An `Approved` needs the movement, so that a late response
        does not book it again; `Authorized` says that an amount is held. Raises
        `OutcomeDoesNotFit` for an outcome that is not possible for the operation, and
        `AlreadyFinal` if there is nothing to resolve.
        """
        from paygate.service import resolve

        named = arguments.maybe(arguments.attempt, attempt, "attempt")
        flow = resolve.resolve(
            arguments.payment(payment, "payment"),
            arguments.outcome(outcome, "outcome"),
            evidence=note(evidence, "evidence"),
            attempt=named,
        )
        return (yield from flow)

    @verb
    def reviewed(self, payment: Payment | str, *, reason: str) -> Flow[Payment]:
        """
        Finish the review of *payment*: you have checked it, and there is nothing to decide.

        *reason* is what you found, and is kept in the event `payment.reviewed`. A payment that
        is not under review stays as it is. Raises `StillToDecide`, whose `verbs` are those that
        decide, if an outcome is unknown, a different amount is held, or money waits to be
        assigned.
        """
        from paygate.service import resolve

        return (
            yield from resolve.reviewed(
                arguments.payment(payment, "payment"), reason=note(reason, "reason")
            )
        )

    @verb
    def resolve_method(
        self,
        change: MethodRequest | str,
        outcome: Approved | Declined | Ended,
        *,
        evidence: str,
    ) -> Flow[MethodRequest]:
        """
        Record the outcome of storing or deleting a method that could not be determined.

        To record that it was stored, give the method with its token at the gateway:
        ``Approved(method=StoredMethod(…))``. Otherwise as `resolve`.
        """
        from paygate.service import resolve

        flow = resolve.resolve_method(
            arguments.change(change, "change"),
            arguments.outcome_of_method(outcome, "outcome"),
            evidence=note(evidence, "evidence"),
        )
        return (yield from flow)

    @verb
    def assign(
        self,
        payment: Payment | str,
        invoices: Sequence[Invoice | str] | Invoice | str = (),
        *,
        reason: str,
        customer: Customer | str | None = None,
    ) -> Flow[Payment]:
        """
        Decide what money of *payment* pays, if its amount or currency was not the requested one.

        It is put on *invoices*, in order, and the rest becomes credit of the
        customer; without invoices, all of it becomes credit. If it came for a payer number
        that no customer has, *customer* says whose it is; without it, the customer is that of the
        first invoice. Raises `NothingToAssign` if no money waits to be assigned.
        """
        from paygate.service import assign

        flow = assign.assign(
            arguments.payment(payment, "payment"),
            arguments.invoices(invoices, "invoices"),
            reason=note(reason, "reason"),
            customer=arguments.maybe(arguments.customer, customer, "customer"),
        )
        return (yield from flow)
