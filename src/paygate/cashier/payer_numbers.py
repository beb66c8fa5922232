"""Payers' numbers: under which customers pay without being asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.cashier import arguments
from paygate.cashier.base import OnAccounts
from paygate.cashier.verbs import verb
from paygate.domain.text import note
from paygate.service.flow import look

if TYPE_CHECKING:
    from paygate.domain.customer import Customer
    from paygate.domain.payer_number import PayerNumber, Pays
    from paygate.domain.words import PaysWord
    from paygate.service.flow import Flow


class PayerNumbers(OnAccounts):
    """Verbs about the numbers of payers."""

    @verb
    def assign_payer_number(
        self,
        customer: Customer | str,
        number: str,
        *,
        via: str,
        pays: Pays | PaysWord = "oldest_due",
    ) -> Flow[PayerNumber]:
        """
        Say that money for *number* at the gateway account *via* is the customer's.

        That is a virtual account, a customer reference number or another number under which
        a customer pays without being asked each time. *pays* says what its money pays:
        ``"oldest_due"`` their open invoices, the oldest due date first, ``"balance"`` none.
        The same again changes nothing. Raises `PayerNumberTaken` if another customer has it.
        Money that came for the number before waits for `assign`.
        """
        from paygate.domain.payer_number import Pays
        from paygate.service import unasked

        flow = unasked.assign(
            arguments.customer(customer, "customer"),
            arguments.number(number, "number"),
            account=self._account(via).name,
            pays=arguments.choice(Pays, pays, "pays"),
        )
        return (yield from flow)

    @verb
    def release_payer_number(self, number: str, *, via: str, reason: str) -> Flow[PayerNumber]:
        """
        End that *number* at account *via* is somebody's.

        Money for it waits for `assign` from then on, until it is given to somebody again.
        """
        from paygate.service import unasked

        flow = unasked.release(
            arguments.number(number, "number"),
            account=self._account(via).name,
            reason=note(reason, "reason"),
        )
        return (yield from flow)

    @verb
    def payer_numbers(
        self,
        *,
        customer: Customer | str | None = None,
        via: str | None = None,
        oldest_first: bool = False,
        after: PayerNumber | str = "",
        limit: int = 100,
    ) -> Flow[list[PayerNumber]]:
        """List the numbers that customers have, the newest first, a page at a time."""
        from paygate.ledger import payer_numbers

        who = arguments.maybe(arguments.customer_id, customer, "customer")
        account = None if via is None else self._account(via).name
        page = self._page(
            arguments.payer_number_id(after, "after"), limit, oldest_first=oldest_first
        )
        return (
            yield from look(lambda tx: payer_numbers.page(tx, page, customer=who, account=account))
        )
