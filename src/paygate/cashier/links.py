"""Payment links: addresses that lead a payer to what they owe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.cashier import arguments
from paygate.cashier.base import OnAccounts, OnLedger, stored_or_given
from paygate.cashier.verbs import verb
from paygate.domain.text import note, optional
from paygate.errors import InvalidValue
from paygate.service.flow import look

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from paygate.domain.customer import Browser, Customer
    from paygate.domain.kind import Kind
    from paygate.domain.link import LinkStatus, LinkTry, PaymentLink, PaymentPage, WayToPay
    from paygate.domain.method import PaymentMethod
    from paygate.domain.money import Money
    from paygate.domain.payable import Payable
    from paygate.domain.payment import Payment
    from paygate.domain.secret import Secret
    from paygate.domain.words import KindWord, LinkStatusWord
    from paygate.gateway import Method
    from paygate.ledger.tx import Tx
    from paygate.service.flow import Flow


class Links(OnLedger):
    """Verbs about payment links that send nothing."""

    @verb
    def link(
        self,
        items: Sequence[Payable] | Payable | None = None,
        *,
        key: str,
        customer: Customer | str | None = None,
        currency: str | None = None,
        amount: tuple[Money, Money] | None = None,
        uses: int | None = None,
        expires: datetime | None = None,
        accounts: Sequence[str] = (),
        immediate_only: bool = False,
        language: str = "",
        return_to: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> Flow[PaymentLink]:
        """
        Make a payment link for invoices or a prepayment, or for all that a customer owes.

        *items* are invoices of one customer, or one prepayment. Without them the link is for the
        open invoices of *customer* in *currency*, whichever these are when it is followed.
        All that is open is paid, unless the payer chooses the *amount*, between the least and the
        most: then it is put on the items in their order, and on the balance of a customer what
        exceeds them.

        The link can be paid until nothing is open, at most *uses* times, and until it *expires* (an
        instant with a time zone). A payer can choose from the gateway *accounts* (all, if
        none are named), with *immediate_only* only kinds of payment whose result is immediate.
        The payment pages read *language* (such as ``"de"``), *return_to*, the address to which the
        payer is sent home, in which ``{payment}`` and ``{result}`` are filled in, and *metadata*,
        up to 20 texts by name, which its events repeat.

        `PaymentLink.address` returns the address to hand out. *key* makes it safe to call again:
        the same link with the same address. A link holds nothing of what it is for. Raises
        `AlreadyPaid`, `InvoiceIsVoid`, `PrepaymentReplaced` or `PrepaymentIsClosed` if nothing can
        be paid, and `PageKeysMissing` if the cashier was opened without ``page_keys``.
        """
        from paygate.service import links

        order = links.LinkOrder(
            items=() if items is None else arguments.items(items, "items"),
            customer=arguments.maybe(arguments.customer, customer, "customer"),
            currency=arguments.maybe(arguments.currency, currency, "currency"),
            bounds=arguments.maybe(arguments.bounds, amount, "amount"),
            key=arguments.key(key),
            uses=arguments.maybe(arguments.whole, uses, "uses"),
            expires_at=arguments.maybe(arguments.moment, expires, "expires"),
            accounts=arguments.names(accounts, "accounts"),
            immediate_only=arguments.flag(immediate_only, "immediate_only"),
            language=arguments.language(language),
            return_to=arguments.return_to(return_to),
            metadata=arguments.metadata(metadata),
        )
        if items is not None and not order.items:
            raise InvalidValue(
                "a link for nothing cannot be paid: name invoices or a prepayment, or pass "
                "customer= and leave items out",
                argument="items",
            )
        return (yield from links.create(order))

    @verb
    def reissue_link(
        self, link: PaymentLink | str, *, expires: datetime | None = None
    ) -> Flow[PaymentLink]:
        """
        Give a payment link another address; the earlier one leads nowhere from now on.

        An expired link can be paid again with a later *expires*. Raises `LinkEnded` for a link
        that was revoked, or whose prepayment an invoice has replaced.
        """
        from paygate.service import links

        which = arguments.link(link, "link")
        until = arguments.maybe(arguments.moment, expires, "expires")
        return (yield from links.reissue(which, until))

    @verb
    def link_by_id(self, link: PaymentLink | str) -> Flow[PaymentLink]:
        """Return a payment link's current state, by its id, or raise `LinkNotFound`."""
        from paygate.service import linked

        which = arguments.link(link, "link")
        return (yield from look(lambda tx: linked.read(tx, which)))

    @verb
    def link_of(self, token: Secret[str] | str) -> Flow[PaymentLink]:
        """
        Return the payment link to which the token of an address leads.

        It is active, or was used in the last 30 days. Raises `PageNotFound`, always with the same
        message, for every other token: an unknown one, and one that was replaced, revoked or has
        expired.
        """
        from paygate.service import linked

        text = arguments.token_of(token, "token")
        return (yield from look(lambda tx: linked.by_token(tx, text.reveal())))

    @verb
    def begin_try(self, link: PaymentLink | str) -> Flow[LinkTry]:
        """
        Return a try for the form of a page: a signed text, and the amount to show.

        It stores nothing. Pass its value to `pay_link`, within a day. Raises `LinkEnded` if the
        link cannot be paid.
        """
        from paygate.service import pay_link

        return (yield from pay_link.begin_try(arguments.link(link, "link")))

    @verb
    def links(
        self,
        *,
        customer: Customer | str | None = None,
        status: LinkStatus | LinkStatusWord | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
        oldest_first: bool = False,
        after: PaymentLink | str = "",
        limit: int = 100,
    ) -> Flow[list[PaymentLink]]:
        """
        List payment links by date, the newest first, a page at a time.

        *status* is a `LinkStatus` or its text, such as ``"active"``; a link counts as expired from
        its time on when a process has done the job of that. The dates, the order and the pages are
        those of `payments`.
        """
        from paygate.domain.link import LinkStatus
        from paygate.ledger import links
        from paygate.service import linked

        who = arguments.maybe(arguments.customer_id, customer, "customer")
        standing = arguments.member(LinkStatus, status, "status")
        page = self._page(
            arguments.link_id(after, "after"),
            limit,
            oldest_first=oldest_first,
            since=since,
            until=until,
        )

        def work(tx: Tx) -> list[PaymentLink]:
            found = links.page(tx, page, customer=who, status=standing)
            return [linked.with_token(tx, each) for each in found]

        return (yield from look(work))

    @verb
    def payment_page(self, payment: Payment | str) -> Flow[PaymentPage]:
        """
        Return the page of a payment, for example to send a payer there again.

        Its address has a token of its own, unlike that of a link, so it can be given to the
        processor. It is stored at the first call, and stays the same.
        """
        from paygate.service import links

        return (yield from links.page_of(arguments.payment(payment, "payment")))

    @verb
    def payment_of_page(self, token: Secret[str] | str) -> Flow[Payment]:
        """
        Return the payment to whose page the token of an address leads.

        Raises `PageNotFound`, always with the same message, for an unknown token, and 90 days after
        the last change of the payment.
        """
        from paygate.service import links

        text = arguments.token_of(token, "token")
        return (yield from links.payment_of_page(text.reveal()))


class PayingLinks(OnAccounts):
    """Verbs that let a payer pay a link."""

    @verb
    def ways_to_pay(self, link: PaymentLink | str) -> Flow[list[WayToPay]]:
        """Return the kinds of payment, at which accounts, that the payer of a link can choose."""
        from paygate.service import pay_link

        return (yield from pay_link.list_ways(arguments.link(link, "link"), self._accounts))

    @verb
    def pay_link(
        self,
        token: Secret[str] | str,
        *,
        given: LinkTry | str,
        via: str,
        kind: Kind | KindWord | None = None,
        method: Method | PaymentMethod | str | None = None,
        amount: Money | None = None,
        payer: Customer | None = None,
        return_url: str = "",
        browser: Browser | None = None,
        description: str = "",
        receipt_email: str = "",
    ) -> Flow[Payment]:
        """
        Pay a link: what a page does with the form that its payer sends.

        *given* is the value of a try (see `begin_try`), which can be used once: the same form again
        returns the same payment, with `repeated`, and charges nothing, even if the link has ended
        since. The amount that the try has shown is charged, or nothing (`OpenAmountChanged`); if
        the payer chooses, *amount* is. The other arguments are those of `collect`.

        Raises `PageNotFound` for a token that leads nowhere, `TryNotValid` for a try of another
        link, `TryExpired` for one that is older than a day, `LinkEnded`, `WayNotOffered`,
        `ItemAlreadyBeingPaid`, and what `collect` raises.
        """
        from paygate.domain.link import LinkTry
        from paygate.service import pay_link

        account = self._account(via)
        value = given.value if isinstance(given, LinkTry) else given
        order = pay_link.PayLinkOrder(
            token=arguments.token_of(token, "token").reveal(),
            given=arguments.named(value, "given"),
            account=account,
            kind=arguments.maybe(arguments.kind, kind, "kind"),
            method=(yield from stored_or_given(method)),
            amount=arguments.maybe(arguments.money, amount, "amount"),
            payer=arguments.maybe(arguments.person, payer, "payer"),
            return_url=arguments.return_url(return_url, live=account.traits.live),
            browser=arguments.maybe(arguments.browser, browser, "browser"),
            description=note(description, "description"),
            receipt_email=optional(receipt_email, "receipt_email"),
        )
        return (yield from pay_link.pay(order, self._timing, self._accounts))

    @verb
    def revoke_link(self, link: PaymentLink | str, *, reason: str) -> Flow[PaymentLink]:
        """
        Revoke a payment link: it leads nowhere from now on, and its pages are withdrawn.

        A payment of it that is under way goes on. Repeating this changes nothing.
        """
        from paygate.service import pay_link

        why = note(reason, "reason")
        if not why.strip():
            raise InvalidValue(
                "give the reason to revoke it: reason='sent to the wrong person'",
                argument="reason",
            )
        which = arguments.link(link, "link")
        return (yield from pay_link.revoke(which, why, self._accounts, self._timing))
