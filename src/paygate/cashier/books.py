"""The books as a whole: how the ledger stands, and whether it is sound."""

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
        Return how the ledger stands: totals, accounts, sinks, and what needs a person.

        It reads by indexes of its own. Invoices and payments are counted each time, which takes
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
        Check the file and the books, and return what breaks a rule; empty if they are sound.

        *rules* names those to check, by default all. *progress* is called before each
        with its name, its number and how many there are. At most a hundred violations of
        a rule are named, and the others are counted.
        """
        from paygate.ledger import book

        named = arguments.maybe(arguments.names, rules, "rules")
        wanted = book.chosen(named)
        told = None
        if progress is not None:
            told = arguments.called(progress, "progress", "a name and two numbers")
        return (yield from look(lambda tx: book.check(tx, wanted, told)))
