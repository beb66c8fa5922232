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
        Book the opposite of *payment*, as for a check that bounced.

        Every open item goes back to what it was before the payment, and so do
        credits it used. The gateway is not called: no money is sent anywhere.
        *fee* issues an invoice for it to the customer, due on the day of the
        reversal; *bank_charge* posts what the bank took from us. *number* is the
        number of the reversal's document (else ``REV-1``, ``REV-2`` …).

        Money of a card or wallet that a gateway still has is not reversed: `StillAtGateway`;
        refund or cancel it. If it never came, and the gateway does not report that, *force*
        books it. What the gateway reports after all nets against the reversal.

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
        Undo the reversal of *payment*, which was money after all; undoing it again does nothing.

        The money goes on the invoices of the payment as far as they are open, the rest becomes
        credit. A fee invoice stays: void it if the customer does not owe it. What the gateway or
        bank has said to be gone is not put back: `NothingToReverse`.
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
        List chargebacks by when they were opened, the newest first.

        Those of a *payment*, of a gateway *account*, and in a *state*: ``"opened"``, ``"lost"``
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
