"""Stored methods: read them, and choose the default one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.cashier import arguments
from paygate.cashier.base import OnLedger
from paygate.cashier.verbs import verb
from paygate.service.flow import look

if TYPE_CHECKING:
    from datetime import date

    from paygate.domain.customer import Customer
    from paygate.domain.mandate import Mandate
    from paygate.domain.method import MethodRequest, PaymentMethod
    from paygate.ledger.tx import Tx
    from paygate.service.flow import Flow


class Methods(OnLedger):
    """Verbs that read stored methods."""

    @verb
    def methods(
        self,
        customer: Customer | str,
        *,
        oldest_first: bool = False,
        after: PaymentMethod | str = "",
        limit: int = 100,
    ) -> Flow[list[PaymentMethod]]:
        """List a page of a customer's stored methods, the newest first; see `payments`."""
        from paygate.ledger import methods

        who = arguments.customer_id(customer, "customer")
        page = self._page(arguments.stored(after, "after"), limit, oldest_first=oldest_first)
        return (yield from look(lambda tx: methods.page(tx, page, customer=who)))

    @verb
    def method(self, id_: str) -> Flow[PaymentMethod]:
        """Return a stored method, even a forgotten one, or raise `MethodNotFound`."""
        from paygate.service import finding

        which = arguments.stored(id_, "id_")
        return (yield from look(lambda tx: finding.method(tx, which)))

    @verb
    def method_changes(
        self,
        *,
        key: str | None = None,
        needs_review: bool | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
        oldest_first: bool = False,
        after: MethodRequest | str = "",
        limit: int = 100,
    ) -> Flow[list[MethodRequest]]:
        """
        List the requests to store or delete a method.

        The newest comes first, a page at a time, as in `payments`. With ``needs_review=True``
        only those flagged for manual review are listed. With *key*, only the one that `enroll` made
        with this idempotency key is listed: it finds a request whose id was lost.
        """
        from paygate.ledger import attempts, keys
        from paygate.service import keeping

        flagged = arguments.maybe(arguments.flag, needs_review, "needs_review")
        page = self._page(
            arguments.change(after, "after"),
            limit,
            oldest_first=oldest_first,
            since=since,
            until=until,
        )

        of_key = None if key is None else arguments.key(key)

        def work(tx: Tx) -> list[MethodRequest]:
            if of_key is not None:
                made = keys.result_of(tx, "enroll", of_key)
                return [] if made is None else [keeping.change_of(tx, made)]
            found = attempts.changes_page(tx, needs_review=flagged, which=page)
            return [keeping.change_of(tx, id_) for id_ in found]

        return (yield from look(work))

    @verb
    def mandate(self, method: PaymentMethod | str) -> Flow[Mandate | None]:
        """
        Return what the payer allowed us to collect from *method* (or its id); None if nothing.

        Raises `MethodNotFound`.
        """
        from paygate.ledger import mandates
        from paygate.service import finding

        which = arguments.stored(method, "method")

        def work(tx: Tx) -> Mandate | None:
            found = finding.method(tx, which)
            return None if found.mandate is None else mandates.by_id(tx, found.mandate)

        return (yield from look(work))

    @verb
    def set_default_method(self, method: PaymentMethod | str) -> Flow[PaymentMethod]:
        """Make a stored method its customer's default; the first one is the default by itself."""
        from paygate.service import enroll

        return (yield from enroll.set_default(arguments.stored(method, "method")))
