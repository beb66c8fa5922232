"""Commitments: what customers have agreed to, and until when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.cashier import arguments
from paygate.cashier.base import OnLedger
from paygate.cashier.verbs import verb
from paygate.domain.commitment import Commitment, OnDefault
from paygate.domain.text import note
from paygate.errors import InvalidValue

if TYPE_CHECKING:
    from datetime import date

    from paygate.domain.customer import Customer
    from paygate.service.flow import Flow


class Commitments(OnLedger):
    """Verbs about commitments."""

    @verb
    def commit_to(
        self,
        customer: Customer | str,
        name: str,
        *,
        start: date | str,
        months: int,
        key: str,
        terms: str = "",
        on_default: OnDefault | str = OnDefault.TERMINATE,
        replaces: Commitment | str | None = None,
    ) -> Flow[Commitment]:
        """
        Store that a customer has agreed to something from the day *start* for a number of months.

        The months are counted from the start, to the last day of a month if the day is missing:
        12 months from 29 February end on 28 February. The sweep ends it when its term is over.
        It is terminated if its customer is terminated for nonpayment, unless *on_default* is
        ``keep``; by `end_commitment`; or by another one that *replaces* it. *terms* are the host's,
        one line. The same key does it once.
        """
        from paygate.service import committing

        old = replaces.id if isinstance(replaces, Commitment) else replaces
        order = committing.CommitOrder(
            customer=arguments.customer(customer, "customer"),
            name=name,
            terms=terms,
            start=arguments.day(start, "start"),
            months=arguments.whole(months, "months", high=1_200),
            on_default=arguments.choice(OnDefault, on_default, "on_default"),
            key=arguments.key(key),
            replaces=arguments.maybe(arguments.named, old, "replaces"),
        )
        return (yield from committing.commit(order))

    @verb
    def end_commitment(self, commitment: Commitment | str, *, reason: str) -> Flow[Commitment]:
        """
        Terminate a commitment before its term; one that has ended stays as it is.

        Raises `CommitmentNotFound`.
        """
        from paygate.service import committing

        id_ = commitment.id if isinstance(commitment, Commitment) else commitment
        why = note(reason, "reason")
        if not why:
            raise InvalidValue(
                "give the reason, for whoever asks later: reason='moved away'", argument="reason"
            )
        return (yield from committing.terminate(arguments.named(id_, "commitment"), why))

    @verb
    def commitments(self, customer: Customer | str) -> Flow[list[Commitment]]:
        """Return the commitments of a customer, also those that have ended, the oldest first."""
        from paygate.service import committing

        return (yield from committing.of_customer(arguments.id_of(customer, "customer")))
