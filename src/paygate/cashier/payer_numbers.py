"""Payer numbers: numbers to which customers pay on their own initiative."""

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
    """Verbs about payer numbers."""

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
        Assign *number* at the gateway account *via* to the customer.

        It is the number of a virtual account, a customer reference number or another number
        to which a customer pays without a request. *pays* says what the money pays:
        ``"oldest_due"`` the customer's open invoices, the oldest due date first; ``"balance"``
        no invoice. Repeating the same assignment changes nothing. Raises `PayerNumberTaken` if
        another customer has the number. Money that arrived for the number before waits for
        `assign`.
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
        Release *number* at account *via*, so that it belongs to no customer.

        Money that arrives for it waits for `assign` until the number is assigned again.
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
