"""Reversals and chargebacks: money that was booked and is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.cashier import arguments
from paygate.cashier.base import OnLedger
from paygate.cashier.verbs import verb
from paygate.domain.text import note
from paygate.service.flow import look

if TYPE_CHECKING:
    from datetime import date

    from paygate.domain.chargeback import Chargeback, DisputeState
    from paygate.domain.money import Money
    from paygate.domain.payment import Payment
    from paygate.domain.reversal import Reversal
    from paygate.domain.words import DisputeStateWord
    from paygate.ledger.tx import Tx
    from paygate.service.flow import Flow


class Reversals(OnLedger):
    """Verbs about money that was booked and is gone."""

    @verb
    def reverse(
        self,
        payment: Payment | str,
        *,
        reason: str,
        on: date | str | None = None,
        number: str | None = None,
        fee: Money | None = None,
        bank_charge: Money | None = None,
        force: bool = False,
    ) -> Flow[Reversal]:
        """
        Book the opposite of *payment*, for example because a check bounced.

        Every item becomes open again by what the payment paid on it, and credit that the payment
        used is returned. The gateway is not called, and no money is sent.
        *fee* issues an invoice for that amount to the customer, due on the day of the
        reversal; *bank_charge* books what the bank charged us. *number* is the
        number of the reversal document (default: ``REV-1``, ``REV-2`` …).

        Card or wallet money that a gateway still holds cannot be reversed (`StillAtGateway`):
        refund or cancel it. If it never arrived, and the gateway does not report that, *force*
        books the reversal anyway. What the gateway reports later is netted against the reversal.

        The same call again returns the same reversal. Raises `AlreadyReversed`,
        `CreditConsumed`, `HasRefunds`, `OutcomeUnknown`, `NothingToReverse` or
        `BadReversalDate`.
        """
        from paygate.service import opposite, reverse

        wish = opposite.ReverseOrder(
            payment=arguments.payment(payment, "payment"),
            reason=note(reason, "reason"),
            on=arguments.maybe(arguments.day, on, "on"),
            number=arguments.maybe(arguments.number, number, "number"),
            fee=arguments.maybe(arguments.money, fee, "fee"),
            bank_charge=arguments.maybe(arguments.money, bank_charge, "bank_charge"),
            period_closed=self._period_closed,
            force=arguments.flag(force, "force"),
        )
        return (yield from reverse.reverse(wish))

    @verb
    def undo_reversal(self, payment: Payment | str, *, reason: str) -> Flow[Payment]:
        """
        Undo the reversal of *payment*, whose money arrived after all; a second call does nothing.

        The money is put on the invoices of the payment as far as they are open; the rest becomes
        credit. A fee invoice stays: void it if the customer does not owe it. Money that the
        gateway or bank has reported as gone is not restored: `NothingToReverse`.
        """
        from paygate.service import undo_reversal

        return (
            yield from undo_reversal.undo(
                arguments.payment(payment, "payment"), reason=note(reason, "reason")
            )
        )

    @verb
    def chargebacks(
        self,
        *,
        payment: Payment | str | None = None,
        account: str | None = None,
        state: DisputeState | DisputeStateWord | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
        oldest_first: bool = False,
        after: Chargeback | str = "",
        limit: int = 100,
    ) -> Flow[list[Chargeback]]:
        """
        List chargebacks by the time they were opened, the newest first.

        Filter by *payment*, by gateway *account*, and by *state*: ``"opened"``, ``"lost"``
        or ``"won"``. The dates, the order and the pages are those of `payments`. Raises
        `PaymentNotFound`.
        """
        from paygate.domain.chargeback import DisputeState
        from paygate.ledger import chargebacks
        from paygate.service import finding

        of = arguments.maybe(arguments.payment, payment, "payment")
        wanted = arguments.member(DisputeState, state, "state")
        of_account = arguments.maybe(arguments.named, account, "account")
        page = self._page(
            arguments.chargeback_id(after, "after"),
            limit,
            oldest_first=oldest_first,
            since=since,
            until=until,
        )

        def work(tx: Tx) -> list[Chargeback]:
            if of is not None:
                finding.payment(tx, of)
            found = chargebacks.page(tx, page, payment=of, account=of_account, state=wanted)
            return finding.of_account(tx, of_account, found)

        return (yield from look(work))
