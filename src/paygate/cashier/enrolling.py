"""Enrolling: have a gateway store a method, or delete one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.cashier import arguments
from paygate.cashier.base import OnAccounts
from paygate.cashier.verbs import verb

if TYPE_CHECKING:
    from paygate.domain.customer import Customer
    from paygate.domain.kind import Kind
    from paygate.domain.mandate import Mandate
    from paygate.domain.method import MethodRequest, PaymentMethod
    from paygate.domain.payment import Payment
    from paygate.domain.words import KindWord
    from paygate.gateway import Method
    from paygate.service.enroll import Rotated
    from paygate.service.flow import Flow


class Enrolling(OnAccounts):
    """Verbs that store and delete methods."""

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

        The method is given in one of three ways: *method* is a one-time token (a `str` is one);
        the method is that of a payment that succeeded; or, with *return_url*, the customer enters
        it on the gateway's page. In the last case the result has an `action`, and
        `inquire_method` returns the outcome. A bank may also require the payer's authentication
        for a token; for that, give *return_url* as well. *mandate* is the customer's permission
        to collect without them. *currency* is the currency of later charges, which may decide
        what the page offers.

        The same key returns the same result. Raises `TokenKeysMissing` if the cashier
        was opened without ``token_keys``, and `NotEnrollable` if the method cannot be stored.
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
        Stop charging a stored method, and have the gateway delete it.

        It can no longer be charged from now on, whether the gateway deletes it or not; `recover`
        repeats the deletion until it is done. For a method already forgotten, this does nothing.
        """
        from paygate.service import enroll

        return (
            yield from enroll.forget(
                arguments.stored(method, "method"), arguments.key(key), self._accounts, self._timing
            )
        )

    @verb
    def inquire_method(self, change: MethodRequest | str) -> Flow[MethodRequest]:
        """Ask the gateway for the state of storing or deleting a method, by the request's id."""
        from paygate.service import inquire

        return (
            yield from inquire.follow(
                arguments.change(change, "change"), self._accounts, self._timing
            )
        )

    @verb
    def rotate_keys(self) -> Flow[Rotated]:
        """
        Encrypt all tokens, action secrets, callbacks and settings under the first token key.

        Open the cashier with the new key first and the old ones after it; when this verb has
        finished, you can remove the old ones. If it is interrupted, call it again and it
        continues. Raises `TokenUnreadable` if none of the keys can decrypt a token.
        """
        from paygate.service import enroll

        return (yield from enroll.rotate())
