"""Enrolling: have a gateway store a method, or delete one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.cashier import arguments
from paygate.cashier.base import OnAccounts
from paygate.cashier.verbs import verb

if TYPE_CHECKING:
    from paygate.domain.customer import Customer
    from paygate.domain.kind import Kind
    from paygate.domain.method import Mandate, MethodRequest, PaymentMethod
    from paygate.domain.payment import Payment
    from paygate.domain.words import KindWord
    from paygate.gateway import Method
    from paygate.service.enroll import Rotated
    from paygate.service.flow import Flow


class Enrolling(OnAccounts):
    """Verbs that store methods, and forget them."""

    @verb
    def enroll(
        self,
        customer: Customer | str,
        *,
        via: str,
        key: str,
        method: Method | str | None = None,
        from_payment: Payment | str | None = None,
        return_url: str = "",
        mandate: Mandate | None = None,
        kind: Kind | KindWord | None = None,
        currency: str = "",
    ) -> Flow[MethodRequest]:
        """
        Store a customer's method at the gateway account *via*; no money moves.

        It is that of *method* (a one-time token; a `str` is one), that of a payment
        that went through, or, with *return_url*, one that the customer enters on the
        gateway's page: then the result has an `action`, and `inquire_method` tells
        how it ended. A bank may also want to see the payer of a token; for that, give
        *return_url* beside it. *mandate* is what the customer allowed us to collect without him.
        *currency* is that of later charges, on which it may depend what the page offers.

        The same key returns the same result. Raises `TokenKeysMissing` where the cashier
        was opened without ``token_keys``, `NotEnrollable` where it makes no sense.
        """
        from paygate.service import enroll, return_address

        account = self._account(via)
        wish = enroll.EnrollOrder(
            customer=arguments.customer(customer, "customer"),
            account=account,
            key=arguments.key(key),
            kind=arguments.maybe(arguments.kind, kind, "kind"),
            method=arguments.maybe(arguments.new_method, method, "method"),
            from_payment=arguments.maybe(arguments.payment, from_payment, "from_payment"),
            return_url=return_address.without_payment(
                arguments.url(return_url, "return_url", live=account.traits.live)
            ),
            mandate=arguments.maybe(arguments.mandate, mandate, "mandate"),
            currency=arguments.currency(currency, "currency"),
        )
        return (yield from enroll.enroll(wish, self._timing))

    @verb
    def forget_method(self, method: PaymentMethod | str, *, key: str) -> Flow[MethodRequest]:
        """
        Charge a stored method no more, and have the gateway delete it.

        The first holds at once, whatever becomes of the second, which `recover` tries
        again until it is done. To forget what is forgotten does nothing.
        """
        from paygate.service import enroll

        return (
            yield from enroll.forget(
                arguments.stored(method, "method"), arguments.key(key), self._accounts, self._timing
            )
        )

    @verb
    def inquire_method(self, change: MethodRequest | str) -> Flow[MethodRequest]:
        """Ask the gateway how storing (or deleting) a method stands, by the id of the change."""
        from paygate.service import inquire

        return (
            yield from inquire.follow(
                arguments.change(change, "change"), self._accounts, self._timing
            )
        )

    @verb
    def rotate_keys(self) -> Flow[Rotated]:
        """
        Encrypt tokens, secrets of actions and callbacks under the first of the ``token_keys``.

        Open the cashier with the new key first and the old ones behind it; when this is
        done, the old ones can go. Stopped anywhere, it goes on where it is called again.
        Raises `TokenUnreadable` where none of the keys opens a token.
        """
        from paygate.service import enroll

        return (yield from enroll.rotate())
