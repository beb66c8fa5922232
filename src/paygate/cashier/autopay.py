"""Automatic payment: charge what is due of the customers who agreed to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.cashier import arguments
from paygate.cashier.base import OnAccounts
from paygate.cashier.verbs import verb

if TYPE_CHECKING:
    from datetime import date

    from paygate.domain.autopay_run import AutopayRun
    from paygate.domain.method import MethodRequest, PaymentMethod
    from paygate.service.flow import Flow


class Autopay(OnAccounts):
    """Verbs that charge stored methods without their payers."""

    @verb
    def run_autopay(
        self, on: date | str | None = None, *, dry_run: bool = False
    ) -> Flow[AutopayRun]:
        """
        Charge the invoices of subscribed customers that are due on a day, by default today.

        The run of a day is stored, and each of its charges is made once: call it again at any time,
        in any process, also after a crash, and it continues. Once it is finished, it
        does nothing. An invoice is charged when the policy says (``Cashier.open(autopay=…)``), by
        the method that it chooses; invoices of one customer, currency and method are one charge,
        and free credit pays first. What was skipped is counted by reason.

        With ``dry_run=True``, nothing is changed and nothing is sent: `AutopayRun.plans` say what
        would be charged now. Raises `InvalidValue` for a day that has not begun.
        """
        from paygate.service import autopay_run

        day = arguments.maybe(arguments.day, on, "on")
        if arguments.flag(dry_run, "dry_run"):
            return (yield from autopay_run.dry_run(day, self._accounts))
        return (yield from autopay_run.run(day, self._accounts, self._timing))

    @verb
    def replace_method(
        self, method: PaymentMethod | str, *, replacement: PaymentMethod | str, key: str
    ) -> Flow[MethodRequest]:
        """
        Let *replacement*, another stored method of the customer, replace *method*; forget that.

        It becomes the default if *method* was, and is charged for the invoices that
        were pinned to it; the subscription continues. If the payer has not agreed to charges of
        it, automatic payment pauses until they do. The same key does it once.
        """
        from paygate.service import enroll

        return (
            yield from enroll.forget(
                arguments.stored(method, "method"),
                arguments.key(key),
                self._accounts,
                self._timing,
                by=arguments.stored(replacement, "replacement"),
            )
        )
