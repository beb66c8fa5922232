"""Credit: the balance of customers with the merchant, and what is paid from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.cashier import arguments
from paygate.cashier.base import OnLedger
from paygate.cashier.verbs import verb
from paygate.service.flow import look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.domain.credit import Balance, Credit
    from paygate.domain.customer import Customer
    from paygate.domain.money import Money
    from paygate.domain.payable import Payable
    from paygate.domain.payment import Payment
    from paygate.service.flow import Flow


class Credits(OnLedger):
    """Verbs about customers' balances."""

    @verb
    def pay_from_credit(
        self,
        items: Sequence[Payable] | Payable,
        *,
        key: str,
        amount: Money | None = None,
    ) -> Flow[Payment]:
        """
        Pay invoices from the customer's credit, the oldest lots first.

        Without *amount*, it is as much as is open and as the credit covers.
        Raises `NotEnoughCredit`.
        """
        from paygate.service import credit

        wanted = arguments.maybe(arguments.money, amount, "amount")
        use = credit.Use(
            items=arguments.items(items, "items"), key=arguments.key(key), amount=wanted
        )
        return (yield from credit.pay_from_credit(use))

    @verb
    def undo_credit_use(self, payment: Payment | str) -> Flow[Payment]:
        """Return the credit that *payment* used; its invoices are open again."""
        from paygate.service import credit

        return (yield from credit.undo_credit_use(arguments.payment(payment, "payment")))

    @verb
    def credits(
        self, customer: Customer | str, *, after: Credit | str = "", limit: int = 100
    ) -> Flow[list[Credit]]:
        """
        List the lots of a customer's balance that are not used up, a page at a time.

        The oldest comes first, because it is used first.
        """
        from paygate.ledger import lots

        who = arguments.customer_id(customer, "customer")
        page = self._page(arguments.credit_id(after, "after"), limit, oldest_first=True)
        return (yield from look(lambda tx: lots.standing_page(tx, page, customer=who)))

    @verb
    def balance(self, customer: Customer | str) -> Flow[Balance]:
        """
        Return a customer's free credit by currency; negative if the customer owes us.

        A currency in which the customer has no credit has a balance of zero.
        """
        from paygate.service import credit

        who = arguments.customer_id(customer, "customer")
        return (yield from look(lambda tx: credit.balance(tx, who)))
