"""Collecting: collect money from a payer through a gateway account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.cashier import arguments
from paygate.cashier.base import OnAccounts, stored_or_given
from paygate.cashier.verbs import verb
from paygate.domain.kind import Operation
from paygate.domain.text import note, optional

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paygate.domain.charging import ChargeReason
    from paygate.domain.customer import Browser, Customer
    from paygate.domain.kind import Kind
    from paygate.domain.mandate import Mandate
    from paygate.domain.method import PaymentMethod
    from paygate.domain.money import Money
    from paygate.domain.payable import Payable
    from paygate.domain.payment import Payment
    from paygate.domain.words import ChargeReasonWord, KindWord
    from paygate.gateway import Method
    from paygate.service.flow import Flow


class Collecting(OnAccounts):
    """Verbs that collect."""

    @verb
    def collect(
        self,
        items: Sequence[Payable] | Payable,
        *,
        via: str,
        key: str,
        method: Method | PaymentMethod | str | None = None,
        amount: Money | None = None,
        credit: Money | None = None,
        expect: Money | None = None,
        kind: Kind | KindWord | None = None,
        customer: Customer | str | None = None,
        payer: Customer | None = None,
        return_url: str = "",
        browser: Browser | None = None,
        description: str = "",
        save_method: bool = False,
        mandate: Mandate | None = None,
        payer_present: bool = True,
        reason: ChargeReason | ChargeReasonWord | None = None,
        statement_suffix: str = "",
        receipt_email: str = "",
        metadata: Mapping[str, str] | None = None,
        ship_to: Customer | None = None,
        moto: bool = False,
    ) -> Flow[Payment]:
        """
        Collect open invoices through the gateway account *via*.

        The money is put on *items* in the order given. Without *amount*, all that is
        open is collected; an amount beyond that becomes credit of the customer. *credit* is
        the part to pay from the customer's balance. *expect* is the open amount that the payer
        was shown: if it has changed, nothing is charged (`OpenAmountChanged`).

        *method* is a one-time token (a `str` is one) or a stored `PaymentMethod`. An account
        whose payers pay on the processor's page needs *return_url* instead: the full URL of the
        page to which the payer comes back; ``{payment}`` in it is replaced by the payment's id, and
        ``{page}`` by the token of its payment page. *kind* is required if the account has several
        kinds of payment.

        *save_method* also stores the method. Give the payer's *mandate* if you want to charge it
        later without the payer: with ``payer_present=False``. *reason* says under which
        agreement that is, such as ``"recurring"``.

        If the processor has fields for them, it also receives *statement_suffix*, which appears
        on the payer's card statement; *receipt_email*, to which it sends a receipt; *metadata*, up
        to 20 texts by name; and *ship_to*, the name, telephone and address of the recipient of the
        goods. *moto* says that the payer gave the card by mail or telephone.

        *key* makes it safe to call again: the same key returns the same payment
        and never charges twice. After a decline, use a new key. Once the attempt is stored, the
        payment is returned whatever happens on the network: check its `status`. Before that, a
        `UsageError` or a `Refused` is raised, such as `ItemAlreadyBeingPaid`.
        """
        from paygate.service import collect

        account = self._account(via)
        order = collect.CollectOrder(
            items=arguments.items(items, "items"),
            account=account,
            key=arguments.key(key),
            kind=arguments.maybe(arguments.kind, kind, "kind"),
            method=(yield from stored_or_given(method)),
            amount=arguments.maybe(arguments.money, amount, "amount"),
            credit=arguments.maybe(arguments.money, credit, "credit"),
            expect=arguments.maybe(arguments.any_money, expect, "expect"),
            customer=arguments.maybe(arguments.customer, customer, "customer"),
            payer=arguments.maybe(arguments.person, payer, "payer"),
            return_url=arguments.return_url(return_url, live=account.traits.live),
            browser=arguments.maybe(arguments.browser, browser, "browser"),
            description=note(description, "description"),
            save_method=arguments.flag(save_method, "save_method"),
            mandate=arguments.maybe(arguments.mandate, mandate, "mandate"),
            payer_present=arguments.flag(payer_present, "payer_present"),
            reason=arguments.charge_reason(reason, "reason"),
            statement_suffix=arguments.statement_suffix(statement_suffix),
            receipt_email=optional(receipt_email, "receipt_email"),
            metadata=arguments.metadata(metadata),
            ship_to=arguments.maybe(arguments.person, ship_to, "ship_to"),
            moto=arguments.flag(moto, "moto"),
        )
        return (yield from collect.collect(order, self._timing, self._accounts))

    @verb
    def authorize(
        self,
        items: Sequence[Payable] | Payable,
        *,
        via: str,
        key: str,
        method: Method | PaymentMethod | str | None = None,
        amount: Money | None = None,
        kind: Kind | KindWord | None = None,
        payer: Customer | None = None,
        return_url: str = "",
        browser: Browser | None = None,
        description: str = "",
        save_method: bool = False,
        mandate: Mandate | None = None,
        payer_present: bool = True,
        reason: ChargeReason | ChargeReasonWord | None = None,
        statement_suffix: str = "",
        receipt_email: str = "",
        metadata: Mapping[str, str] | None = None,
        ship_to: Customer | None = None,
        moto: bool = False,
    ) -> Flow[Payment]:
        """
        Hold the amount of open invoices, to be captured later; see `collect`.

        The payment holds the invoices until the final `capture`, until `cancel`,
        or until the authorization expires.
        """
        from paygate.service import collect

        account = self._account(via)
        order = collect.CollectOrder(
            items=arguments.items(items, "items"),
            account=account,
            key=arguments.key(key),
            name="authorize",
            operation=Operation.AUTHORIZE,
            kind=arguments.maybe(arguments.kind, kind, "kind"),
            method=(yield from stored_or_given(method)),
            amount=arguments.maybe(arguments.money, amount, "amount"),
            payer=arguments.maybe(arguments.person, payer, "payer"),
            return_url=arguments.return_url(return_url, live=account.traits.live),
            browser=arguments.maybe(arguments.browser, browser, "browser"),
            description=note(description, "description"),
            save_method=arguments.flag(save_method, "save_method"),
            mandate=arguments.maybe(arguments.mandate, mandate, "mandate"),
            payer_present=arguments.flag(payer_present, "payer_present"),
            reason=arguments.charge_reason(reason, "reason"),
            statement_suffix=arguments.statement_suffix(statement_suffix),
            receipt_email=optional(receipt_email, "receipt_email"),
            metadata=arguments.metadata(metadata),
            ship_to=arguments.maybe(arguments.person, ship_to, "ship_to"),
            moto=arguments.flag(moto, "moto"),
        )
        return (yield from collect.collect(order, self._timing, self._accounts))

    @verb
    def top_up(
        self,
        customer: Customer | str,
        amount: Money,
        *,
        via: str,
        key: str,
        method: Method | PaymentMethod | str | None = None,
        kind: Kind | KindWord | None = None,
        payer: Customer | None = None,
        return_url: str = "",
        browser: Browser | None = None,
        description: str = "",
        save_method: bool = False,
        mandate: Mandate | None = None,
        payer_present: bool = True,
        reason: ChargeReason | ChargeReasonWord | None = None,
        statement_suffix: str = "",
        receipt_email: str = "",
        metadata: Mapping[str, str] | None = None,
        ship_to: Customer | None = None,
        moto: bool = False,
    ) -> Flow[Payment]:
        """Collect *amount* for a customer's balance, without an invoice; see `collect`."""
        from paygate.service import collect

        account = self._account(via)
        order = collect.CollectOrder(
            items=(),
            account=account,
            key=arguments.key(key),
            name="top_up",
            kind=arguments.maybe(arguments.kind, kind, "kind"),
            method=(yield from stored_or_given(method)),
            amount=arguments.money(amount, "amount"),
            customer=arguments.customer(customer, "customer"),
            payer=arguments.maybe(arguments.person, payer, "payer"),
            return_url=arguments.return_url(return_url, live=account.traits.live),
            browser=arguments.maybe(arguments.browser, browser, "browser"),
            description=note(description, "description"),
            save_method=arguments.flag(save_method, "save_method"),
            mandate=arguments.maybe(arguments.mandate, mandate, "mandate"),
            payer_present=arguments.flag(payer_present, "payer_present"),
            reason=arguments.charge_reason(reason, "reason"),
            statement_suffix=arguments.statement_suffix(statement_suffix),
            receipt_email=optional(receipt_email, "receipt_email"),
            metadata=arguments.metadata(metadata),
            ship_to=arguments.maybe(arguments.person, ship_to, "ship_to"),
            moto=arguments.flag(moto, "moto"),
        )
        return (yield from collect.collect(order, self._timing, self._accounts))
