"""What Stripe can do, and which conversation does it."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from paygate.driver import (
    AccountFacts,
    ActionRequired,
    CallbackStyle,
    InquiryBy,
    Keyed,
    Kind,
    Note,
    NotFound,
    OneTimeToken,
    Operation,
    Rail,
    Reply,
    SandboxTrigger,
    SandboxTriggers,
    StoredToken,
    Traits,
    limits_of,
)
from paygate.drivers.stripe import cards, events, pages, payments, refunds, wire
from paygate.drivers.stripe.codes import AMOUNTS
from paygate.drivers.stripe.settings import StripeSettings
from paygate.drivers.stripe.wire import Api

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.driver import (
        Applied,
        Callback,
        Capture,
        Charge,
        Completion,
        Dialogue,
        Enrollment,
        FeedPage,
        Finding,
        Forgetting,
        Inquiry,
        Money,
        Notice,
        Outcome,
        Refunding,
        Voiding,
        Withdrawal,
    )

DRIVER_VERSION: Final = "3"
"""Stored with every attempt; it grows when what we send, or read out of an answer, changes."""

# A kernel goes on sending what we wrote, after we gave up, for up to 15 minutes.
IN_FLIGHT: Final = timedelta(minutes=20)


class Stripe:
    """Stripe, API 2026-06-24.dahlia: cards, stored cards, and Stripe's own page for them."""

    name = "stripe"
    settings_model = StripeSettings

    def __init__(self, settings: StripeSettings) -> None:
        self._settings = settings
        self._api = Api(settings)
        self._verifier = events.StripeVerifier(settings)
        self._traits = Traits(
            live=settings.live,
            merchant_account=settings.account,
            driver_version=DRIVER_VERSION,
            rails=_rails(settings),
            idempotency=Keyed(ttl=timedelta(hours=24), replays_errors=True),
            # By its name, which we have before money can move; by a scan for the rest.
            inquiry=InquiryBy.LIST_SCAN,
            not_found_is_final_after=IN_FLIGHT,
            max_in_flight=IN_FLIGHT,
            callbacks=(
                CallbackStyle.ACKNOWLEDGED if settings.webhook_secrets else CallbackStyle.NONE
            ),
        )

    def __repr__(self) -> str:
        return f"Stripe({'live' if self._settings.live else 'test'} {self._settings.account})"

    @property
    def traits(self) -> Traits:
        return self._traits

    def public_settings(self) -> Mapping[str, str]:
        key = self._settings.publishable_key
        return {"publishable_key": key} if key else {}

    def sandbox_triggers(self) -> Mapping[Kind, SandboxTriggers]:
        """Return the test cards that Stripe documents, by their ids of a PaymentMethod."""
        card = SandboxTriggers(
            approve=SandboxTrigger(method=OneTimeToken.of("pm_card_visa")),
            decline=SandboxTrigger(method=OneTimeToken.of("pm_card_visa_chargeDeclined")),
        )
        return {Kind.CARD: card}

    # --- Collect ------------------------------------------------------------------------

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        """Charge a card, or open a page; `Unsupported` is raised before there is a dialogue."""
        if charge.kind is Kind.REDIRECT:
            pages.check(charge)
            return pages.open_to_pay(self._api, charge)
        return self._charge(charge, hold=False)

    def authorize(self, charge: Charge) -> Dialogue[Outcome]:
        """Hold an amount on a card, to be captured within some days."""
        return self._charge(charge, hold=True)

    def _charge(self, charge: Charge, *, hold: bool) -> Dialogue[Outcome]:
        payments.check(charge)
        stored = isinstance(charge.method, StoredToken)
        begin = payments.charge_stored if stored else payments.charge_token
        return begin(self._api, charge, hold=hold)

    def complete(self, completion: Completion) -> Dialogue[Outcome]:
        """Find out what the payer did on the bank's page or Stripe's; confirm what waits for it."""
        reference, asked = completion.reference, completion.amount
        yield Note(reference)
        finding = yield from self._find(reference, asked)
        if not isinstance(finding, NotFound):
            return finding
        if pages.is_page(reference) or _is_setup(reference):
            return ActionRequired(action=None, reference=reference)
        return (yield from payments.complete(self._api, asked, reference, completion.key))

    def withdraw(self, withdrawal: Withdrawal) -> Dialogue[Outcome]:
        """Make a page unpayable, or an intent that waits for the payer."""
        if pages.is_page(withdrawal.reference):
            return pages.expire(self._api, withdrawal)
        return payments.cancel(
            self._api, withdrawal.reference, withdrawal.key, step="withdraw", moves_money=False
        )

    # --- What follows -------------------------------------------------------------------

    def capture(self, capture: Capture) -> Dialogue[Outcome]:
        """Take what is held, or a part of it, once."""
        payments.check_capture(capture)
        return payments.capture(self._api, capture)

    def void(self, voiding: Voiding) -> Dialogue[Outcome]:
        """Release what is held. What was captured is refused: it can only be refunded."""
        return payments.cancel(
            self._api, voiding.reference, voiding.key, step="void", moves_money=True
        )

    def refund(self, refunding: Refunding) -> Dialogue[Outcome]:
        """Send money back."""
        return refunds.refund(self._api, refunding, refunds.about(refunding))

    # --- Stored cards -------------------------------------------------------------------

    def enroll(self, enrollment: Enrollment) -> Dialogue[Outcome]:
        """Keep a card, from a one-time token, on Stripe's page, or of a payment just made."""
        cards.check(enrollment)
        if enrollment.from_reference:
            return payments.keep_card(self._api, enrollment.from_reference)
        if enrollment.method is None:
            return pages.open_to_keep(self._api, enrollment)
        return cards.keep(self._api, enrollment)

    def forget(self, forgetting: Forgetting) -> Dialogue[Outcome]:
        """Let Stripe forget a card."""
        return cards.forget(self._api, forgetting, cards.card_of(forgetting.token))

    # --- Find out -----------------------------------------------------------------------

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        """Find an operation.

        `NotFound` of a charge means that it was not confirmed: Stripe has the
        intent as we made it, or has none with our reference. A confirmation may
        still be on its way, which is why that is final only after a while. An
        intent that Stripe named and now does not know is no such finding: the key
        is another account's, and money may have moved at the first.

        The reference of a charge of a stored card is its customer until Stripe has
        named the intent: it is looked for in the list of the customer.

        Without a reference nothing was sent that could move money by this ledger,
        because a name is stored before. A ledger that was restored from a backup may
        have lost the name: then what was done to a payment is looked for under the
        payment, and a charge in the list of its time.
        """
        api, reference = self._api, inquiry.reference or inquiry.parent_reference
        match inquiry.operation:
            case Operation.CHARGE | Operation.AUTHORIZE if not reference:
                return (yield from payments.scan(api, inquiry))
            case Operation.CHARGE | Operation.AUTHORIZE if reference.startswith("cus_"):
                return (yield from payments.scan(api, inquiry, customer=reference))
            case Operation.CHARGE | Operation.AUTHORIZE | Operation.COMPLETE if reference:
                return (yield from self._find(reference, inquiry.amount))
            case Operation.CAPTURE if reference:
                read = partial(payments.captured_of, api, reference=reference, asked=inquiry.amount)
                return (yield from api.find(wire.INTENT, reference, read))
            case Operation.VOID | Operation.WITHDRAW if pages.is_page(reference):
                read = partial(pages.expired_of, api, reference=reference)
                return (yield from api.find(wire.PAGE_ONLY, reference, read))
            case Operation.VOID | Operation.WITHDRAW if reference:
                read = partial(payments.canceled_of, api, reference=reference)
                return (yield from api.find(wire.INTENT, reference, read))
            case Operation.REFUND:
                return (yield from refunds.find(api, inquiry))
            case Operation.ENROLL if reference:
                return (yield from self._find_kept(reference))
            case _:
                # Nothing was sent, or a card is to be forgotten, which may be done again.
                return NotFound()

    def _find(self, reference: str, asked: Money) -> Dialogue[Finding]:
        """Find a payment by its intent or its page, or a card by its own."""
        if pages.is_page(reference):
            read = partial(pages.paid_of, self._api, asked=asked, reference=reference)
            return self._api.find(wire.PAGE_PAID, reference, read)
        if _is_setup(reference):
            return self._find_kept(reference)
        return payments.find_with_refunds(self._api, reference, asked)

    def _find_kept(self, reference: str) -> Dialogue[Finding]:
        """Find a card by its page, its SetupIntent, or the payment that left it."""
        if pages.is_page(reference):
            read = partial(pages.kept_of, self._api, reference=reference)
            return self._api.find(wire.PAGE_KEPT, reference, read)
        if _is_setup(reference):
            read = partial(cards.outcome_of, self._api, reference=reference)
            return self._api.find(wire.SETUP, reference, read)
        return payments.find_kept_card(self._api, reference)

    def check(self) -> Dialogue[AccountFacts]:
        """Prove the key without moving money: every account has a balance, and it has a mode."""
        balance = yield from self._api.ask("balance", step="check")
        self._api.check_live(balance)
        told = {each.text("currency", "").upper() for each in balance.each("available", ())}
        return AccountFacts(
            merchant_account=self._settings.account,
            live=self._settings.live,
            currencies=tuple(sorted(told & AMOUNTS.currencies)),
        )

    # --- Webhooks -----------------------------------------------------------------------

    def verify(self, callback: Callback) -> Dialogue[list[Notice]]:
        """Authenticate a webhook and read it."""
        yield from ()
        return [self._verifier.read(callback)]

    def feed(self, cursor: str) -> Dialogue[FeedPage]:
        """Read the events after *cursor*: those whose webhooks were lost are among them."""
        return events.feed(self._api, cursor)

    def reply(self, notice: Notice, result: Applied) -> Reply:
        """Thank for whatever Stripe signed: what it means to us is not Stripe's to know."""
        del notice, result
        return Reply()


def _is_setup(reference: str) -> bool:
    """Return whether *reference* is of a SetupIntent, and not of a payment."""
    return reference.startswith("seti_")


def _rails(settings: StripeSettings) -> dict[Kind, Rail]:
    limits = limits_of(settings.minimum, settings.maximum, AMOUNTS.currencies, "Stripe")
    of_page = {Operation.CHARGE, Operation.COMPLETE, Operation.WITHDRAW, Operation.REFUND}
    of_card = {
        Operation.AUTHORIZE,
        Operation.CAPTURE,
        Operation.VOID,
        Operation.ENROLL,
        Operation.FORGET,
    }
    return {
        Kind.CARD: Rail(
            operations=frozenset(of_page | of_card),
            currencies=AMOUNTS.currencies,
            limits=limits,
            methods=frozenset({OneTimeToken, StoredToken}),
            partial_capture=True,
        ),
        Kind.REDIRECT: Rail(
            operations=frozenset(of_page),
            currencies=AMOUNTS.currencies,
            limits=limits,
            needs_return_url=True,
            immediate=False,
            payer_present=True,
        ),
    }
