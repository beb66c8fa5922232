"""Account statements: what a customer owes, from when to when, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate.cashier import arguments
from paygate.cashier.base import OnLedger
from paygate.cashier.verbs import verb
from paygate.domain.statement import AccountStatement
from paygate.errors import InvalidValue
from paygate.service.flow import look

if TYPE_CHECKING:
    from datetime import date

    from paygate.domain.customer import Customer
    from paygate.domain.statement import StatementLine
    from paygate.ledger.tx import Tx
    from paygate.service.flow import Flow


_LAST: Final = "~"  # after every instant


class Statements(OnLedger):
    """Verbs about account statements."""

    @verb
    def statement(
        self,
        customer: Customer | str,
        *,
        currency: str,
        since: date | str | None = None,
        until: date | str | None = None,
        after: StatementLine | str = "",
        limit: int = 100,
    ) -> Flow[AccountStatement]:
        """
        Return a page of the account statement of *customer* in one currency, the oldest first.

        Its lines are what was booked from *since* to before *until*, in the order in which it was
        booked, with what the customer owed before the first and after the last line of the page:
        `AccountStatement.opening` and `closing`. Below zero the customer has credit. A page that is
        not full is the last one; pass the last line (or its id) as *after* for the next. The dates
        are those of `payments`. What was said about a past period never changes.
        """
        from paygate.ledger import account_statements
        from paygate.ledger.codec import read_instant_or_none

        who = arguments.customer_id(customer, "customer")
        code = arguments.currency(currency, "currency")
        if not code:
            raise InvalidValue("name the currency: a statement has one", argument="currency")
        page = self._page(
            arguments.statement_line(after, "after"),
            limit,
            oldest_first=True,
            since=since,
            until=until,
        )
        behind = str(page.after)

        def work(tx: Tx) -> AccountStatement:
            end = page.until or _LAST
            found = account_statements.lines(
                tx, who, code, since=page.since, until=end, after=behind, limit=page.limit
            )
            if behind:
                opening = account_statements.balance_after(tx, who, code, behind)
            else:
                opening = account_statements.balance_before(tx, who, code, page.since)
            closing = opening
            for each in found:
                closing += each.amount
            return AccountStatement(
                customer=who,
                currency=code,
                since=read_instant_or_none(page.since or None),
                until=read_instant_or_none(page.until or None),
                opening=opening,
                closing=closing,
                lines=tuple(found),
            )

        return (yield from look(work))
