"""Subscriptions: who has agreed to automatic payment, and for what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.cashier import arguments
from paygate.cashier.base import OnLedger
from paygate.cashier.verbs import verb
from paygate.domain.text import note
from paygate.errors import InvalidValue

if TYPE_CHECKING:
    from datetime import date

    from paygate.domain.autopay_run import AutopayRun
    from paygate.domain.customer import Customer
    from paygate.domain.invoice import Invoice
    from paygate.domain.mandate import Mandate
    from paygate.domain.method import PaymentMethod
    from paygate.domain.subscription import Subscription
    from paygate.service.flow import Flow


def _reason(given: str) -> str:
    reason = note(given, "reason")
    if not reason:
        raise InvalidValue(
            "give the reason, for whoever asks later: reason='moved away'", argument="reason"
        )
    return reason


class Subscriptions(OnLedger):
    """Verbs about subscriptions to automatic payment."""

    @verb
    def start_autopay(self, method: PaymentMethod | str, *, mandate: Mandate) -> Flow[Subscription]:
        """
        Store that the payer agreed to charges of a stored method without them.

        Storing a method with `enroll` and ``mandate=`` does the same in one step. The customer's
        invoices are charged by `run_autopay` from then on. Raises `MethodNotUsable` for a
        forgotten method.
        """
        from paygate.service import subscribing

        which = arguments.stored(method, "method")
        return (yield from subscribing.subscribe(which, arguments.mandate(mandate, "mandate")))

    @verb
    def end_autopay(self, customer: Customer | str, *, reason: str) -> Flow[Subscription]:
        """
        End a customer's automatic payment and all mandates; the methods stay stored.

        A payment that is under way finishes; nothing else is charged. Only a new mandate begins a
        new subscription. A second call changes nothing. Raises `NotSubscribed` if the customer
        never had one.
        """
        from paygate.service import subscribing

        who = arguments.id_of(customer, "customer")
        return (yield from subscribing.unsubscribe(who, _reason(reason)))

    @verb
    def pause_autopay(self, customer: Customer | str, *, reason: str) -> Flow[Subscription]:
        """Charge nothing of a customer automatically until `resume_autopay`."""
        from paygate.service import subscribing

        who = arguments.id_of(customer, "customer")
        return (yield from subscribing.pause(who, _reason(reason)))

    @verb
    def resume_autopay(self, customer: Customer | str) -> Flow[Subscription]:
        """
        Charge a customer's invoices automatically again.

        Raises `NotSubscribed` without a subscription, and if the payer has withdrawn the
        authorization: then only a new mandate resumes it.
        """
        from paygate.service import subscribing

        return (yield from subscribing.resume(arguments.id_of(customer, "customer")))

    @verb
    def subscription(self, customer: Customer | str) -> Flow[Subscription | None]:
        """Return a customer's last subscription, even an ended one; None if there never was one."""
        from paygate.service import subscribing

        return (yield from subscribing.of_customer(arguments.id_of(customer, "customer")))

    @verb
    def set_autopay(
        self,
        invoice: Invoice | str,
        *,
        on: bool = True,
        method: PaymentMethod | str | None = None,
    ) -> Flow[Invoice]:
        """
        Turn automatic payment of one invoice on or off, and pin the method that is charged for it.

        Without *method*, the method is chosen by the policy. Raises `MethodNotUsable` for a
        forgotten method, or one of another customer.
        """
        from paygate.service import subscribing

        which = arguments.invoice_id(invoice, "invoice")
        pinned = arguments.maybe(arguments.stored, method, "method")
        flag = arguments.flag(on, "on")
        return (yield from subscribing.set_autopay(which, on=flag, method=pinned))

    @verb
    def autopay_run(self, on: date | str | None = None) -> Flow[AutopayRun | None]:
        """Return the run of automatic payment of a day, or the last run; None without one."""
        from paygate.service import autopay_run

        return (yield from autopay_run.status(arguments.maybe(arguments.day, on, "on")))
