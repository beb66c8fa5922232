"""The books as a whole: totals, and whether they are sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.cashier import arguments
from paygate.cashier.base import OnLedger
from paygate.cashier.verbs import verb
from paygate.service.flow import look

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from paygate.domain.status import LedgerStatus
    from paygate.ledger.book import Violation
    from paygate.service.flow import Flow


class BookVerbs(OnLedger):
    """Verbs about the ledger as a whole."""

    @verb
    def status(self) -> Flow[LedgerStatus]:
        """
        Return the state of the ledger: totals, accounts, sinks, and what needs manual review.

        It uses indexes made for it. Invoices and payments are counted each time, which takes
        half a second in a ledger of a million.
        """
        from paygate.service import status

        return (yield from look(status.status))

    @verb
    def fsck(
        self,
        *,
        rules: Collection[str] | None = None,
        progress: Callable[[str, int, int], object] | None = None,
    ) -> Flow[list[Violation]]:
        """
        Check the file and the books, and return the violations; empty if they are sound.

        *rules* names the rules to check, by default all. *progress* is called before each
        rule with its name, its number and the number of rules. At most a hundred violations of
        a rule are listed; the others are counted.
        """
        from paygate.ledger import book

        named = arguments.maybe(arguments.names, rules, "rules")
        wanted = book.chosen(named)
        told = None
        if progress is not None:
            told = arguments.called(progress, "progress", "a name and two numbers")
        return (yield from look(lambda tx: book.check(tx, wanted, told)))

    @verb
    def tenant_is_new(self) -> Flow[bool]:
        """Return whether the ledger has events of other tenants, but none of this one."""
        from paygate.ledger import outbox

        return (yield from look(outbox.only_of_others))

    @verb
    def has_other_tenants(self) -> Flow[bool]:
        """Return whether the ledger has events of other tenants."""
        from paygate.ledger import outbox

        return (yield from look(outbox.has_others))
