"""Decisions: what a person finds out or decides about a payment."""

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
    """Verbs that record what a person found out or decided."""

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
        Say how an attempt of a payment ended that we could not find out about.

        It is the one in doubt, or else the one that waits; where there are several
        (`SeveralInDoubt`), *attempt* says which. *evidence* is where you saw it, and
        stays in the event. An `Approved` needs the movement, so that a late answer
        does not book it again; `Authorized` says that an amount is held. Raises
        `OutcomeDoesNotFit` for what such an operation cannot end in, `AlreadyFinal`
        where there is nothing to resolve.
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
        Finish the review of *payment*: you have looked, and there is nothing to decide.

        *reason* is what you found, and stays in the event `payment.reviewed`. A payment that
        is under no review stays as it is. Raises `StillToDecide`, whose `verbs` say what
        decides, if an outcome is unknown, another amount is held, or money waits to be
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
        Say how storing (or deleting) a method ended that we could not find out about.

        To say that it was stored needs the method with its token at the gateway:
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
        Decide where money of *payment* goes that is not what was asked for.

        It goes on *invoices*, in order, and the rest becomes credit of the
        customer; without invoices all of it does. If it came for a payer's number
        that nobody has, *customer* says whose it is, or the first of the invoices does.
        Raises `NothingToAssign` where no money waits.
        """
        from paygate.service import assign

        flow = assign.assign(
            arguments.payment(payment, "payment"),
            arguments.invoices(invoices, "invoices"),
            reason=note(reason, "reason"),
            customer=arguments.maybe(arguments.customer, customer, "customer"),
        )
        return (yield from flow)
