"""Overdue: announce what is not paid in time, and remind, limit, suspend and restore customers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.cashier import arguments
from paygate.cashier.base import OnAccounts
from paygate.cashier.verbs import verb
from paygate.domain.text import note
from paygate.errors import InvalidValue

if TYPE_CHECKING:
    from datetime import date

    from paygate.domain.customer import Customer
    from paygate.domain.standing import OverdueRun, Promise, Standing
    from paygate.service.flow import Flow


class Overdues(OnAccounts):
    """Verbs about customers who do not pay in time."""

    @verb
    def run_overdue(
        self, on: date | str | None = None, *, dry_run: bool = False
    ) -> Flow[OverdueRun]:
        """
        Do the sweep of a day, by default today: announce what is overdue, and take the next stages.

        Each overdue invoice is announced once, and a customer reaches at most one stage of the
        campaign (``Cashier.open(campaign=…)``) in a sweep, in order and with its gap to the one
        before; a payment under way, a promise or a fault of ours holds it. The sweep is stored:
        call it again at any time, in any process, also after a crash, and it continues. Once it
        is finished, it does nothing.

        With ``dry_run=True``, nothing is changed: `OverdueRun.planned` says who would reach which
        stage now. Raises `InvalidValue` for a day that has not begun.
        """
        from paygate.service import overdue_run

        day = arguments.maybe(arguments.day, on, "on")
        if arguments.flag(dry_run, "dry_run"):
            return (yield from overdue_run.dry_run(day, self._accounts))
        return (yield from overdue_run.run(day, self._accounts))

    @verb
    def overdue_run(self, on: date | str | None = None) -> Flow[OverdueRun | None]:
        """Return the sweep over overdue invoices of a day, or the last one; None without one."""
        from paygate.service import overdue_run

        return (yield from overdue_run.status(arguments.maybe(arguments.day, on, "on")))

    @verb
    def standing(self, customer: Customer | str) -> Flow[Standing]:
        """
        Return how a customer stands: what is overdue, the state, and what comes next and when.

        A customer who is not known is clear.
        """
        from paygate.service import standing

        return (
            yield from standing.of_customer(arguments.id_of(customer, "customer"), self._accounts)
        )

    @verb
    def reinstate(self, customer: Customer | str, *, reason: str) -> Flow[Standing]:
        """
        Clear a customer whatever is overdue, even a terminated one, and return how they stand.

        What is still overdue begins a new episode with the first stage. Commitments that were
        terminated, and automatic payment that was paused, stay so.
        """
        from paygate.service import standing

        why = note(reason, "reason")
        if not why:
            raise InvalidValue(
                "give the reason, for whoever asks later: reason='paid in full'", argument="reason"
            )
        return (
            yield from standing.reinstate(
                arguments.id_of(customer, "customer"), why, self._accounts
            )
        )

    @verb
    def promise(
        self, customer: Customer | str, *, until: date | str, currency: str | None = None
    ) -> Flow[Promise]:
        """
        Store that a customer promises to pay what is overdue by the end of the day *until*.

        Their campaign waits until then, and the invoices are not charged automatically. If they
        owe several currencies, name one. Raises `NothingOverdue`, `TooManyPromises`, and
        `InvalidValue` for a day that is over or later than the campaign allows.
        """
        from paygate.service import standing

        day = arguments.day(until, "until")
        code = arguments.maybe(arguments.currency, currency, "currency") or None
        return (yield from standing.promise(arguments.id_of(customer, "customer"), day, code))
