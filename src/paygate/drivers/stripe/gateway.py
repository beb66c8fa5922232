"""What Stripe can do, and which dialogue does it."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from paygate import driver
from paygate.driver import Kind, Operation, limits_of
from paygate.drivers.stripe import cards, events, pages, payments, refunds, wire
from paygate.drivers.stripe.codes import AMOUNTS
from paygate.drivers.stripe.settings import StripeSettings
from paygate.drivers.stripe.wire import Api

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.driver import Charge, Dialogue, Finding, Outcome, Rail, Traits

DRIVER_VERSION: Final = "3"
"""Stored with every attempt; raise it when what is sent, or read from an answer, changes."""

# A kernel goes on sending what we wrote for up to 15 minutes after we gave up.
IN_FLIGHT: Final = timedelta(minutes=20)

PAGE_ORIGINS: Final = frozenset(
    {"https://checkout.stripe.com", "https://hooks.stripe.com", "https://js.stripe.com"}
)
"""Stripe's page, the step at the payer's bank, and the script; the script asks the API as well."""


class Stripe:
    """Stripe, API 2026-06-24.dahlia: cards, stored cards, and Stripe's own page for them."""

    name = "stripe"
    settings_model = StripeSettings

    def __init__(self, settings: StripeSettings) -> None:
        self._settings = settings
        self._api = Api(settings)
        self._verifier = events.StripeVerifier(settings)
        verifies = bool(settings.webhook_secrets)
        self._traits = driver.Traits(
            live=settings.live,
            merchant_account=settings.charged_account,
            driver_version=DRIVER_VERSION,
            rails=_rails(settings),
            idempotency=driver.Keyed(ttl=timedelta(hours=24), replays_errors=True),
            # By its name, which is known before money can move; by a scan for the rest.
            inquiry=driver.InquiryBy.LIST_SCAN,
            not_found_is_final_after=IN_FLIGHT,
            max_in_flight=IN_FLIGHT,
            callbacks=driver.CallbackStyle.ACKNOWLEDGED if verifies else driver.CallbackStyle.NONE,
            page_origins=_page_origins(settings),
        )

    def __repr__(self) -> str:
        live = "live" if self._settings.live else "test"
        return f"Stripe({live} {self._settings.charged_account})"

    @property
    def traits(self) -> Traits:
        return self._traits

    def public_settings(self) -> Mapping[str, str]:
        key = self._settings.publishable_key
        return {"publishable_key": key} if key else {}

    def sandbox_triggers(self) -> Mapping[Kind, driver.SandboxTriggers]:
        """Return the test cards that Stripe documents, as ids of PaymentMethods."""
        good, bad = "pm_card_visa", "pm_card_visa_chargeDeclined"
        approve = driver.SandboxTrigger(method=driver.OneTimeToken.of(good))
        decline = driver.SandboxTrigger(method=driver.OneTimeToken.of(bad))
        return {Kind.CARD: driver.SandboxTriggers(approve=approve, decline=decline)}

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
        stored = isinstance(charge.method, driver.StoredToken)
        begin = payments.charge_stored if stored else payments.charge_token
        return begin(self._api, charge, hold=hold)

    def complete(self, completion: driver.Completion) -> Dialogue[Outcome]:
        """Find out what the payer did on the bank's page or Stripe's, and confirm if it is ours."""
        reference, asked = completion.reference, completion.amount
        yield driver.Note(reference)
        finding = yield from self._find(reference, asked)
        if not isinstance(finding, driver.NotFound):
            return finding
        if pages.is_page(reference) or _is_setup(reference):
            return driver.ActionRequired(action=None, reference=reference)
        return (
            yield from payments.confirm(self._api, asked, reference, completion.key, "complete")
        )

    def withdraw(self, withdrawal: driver.Withdrawal) -> Dialogue[Outcome]:
        """Make a page unpayable, or cancel an intent that waits for the payer."""
        if pages.is_page(withdrawal.reference):
            return pages.expire(self._api, withdrawal)
        return payments.cancel(
            self._api, withdrawal.reference, withdrawal.key, step="withdraw", moves_money=False
        )

    # --- What follows -------------------------------------------------------------------

    def capture(self, capture: driver.Capture) -> Dialogue[Outcome]:
        """Capture what is held, or a part of it, once."""
        payments.check_capture(capture)
        return payments.capture(self._api, capture)

    def void(self, voiding: driver.Voiding) -> Dialogue[Outcome]:
        """Release what is held. What was captured is refused: it can only be refunded."""
        return payments.cancel(
            self._api, voiding.reference, voiding.key, step="void", moves_money=True
        )

    def refund(self, refunding: driver.Refunding) -> Dialogue[Outcome]:
        """Send money back."""
        return refunds.refund(self._api, refunding, refunds.about(refunding))

    # --- Stored cards -------------------------------------------------------------------

    def enroll(self, enrollment: driver.Enrollment) -> Dialogue[Outcome]:
        """Store a card from a one-time token, on Stripe's page, or of a payment just made."""
        cards.check(enrollment)
        if enrollment.from_reference:
            return payments.keep_card(self._api, enrollment.from_reference)
        if enrollment.method is None:
            return pages.open_to_keep(self._api, enrollment)
        return cards.keep(self._api, enrollment)

    def forget(self, forgetting: driver.Forgetting) -> Dialogue[Outcome]:
        """Detach a card at Stripe, so that it can no longer be charged."""
        return cards.forget(self._api, forgetting, cards.card_of(forgetting.token))

    # --- Find out -----------------------------------------------------------------------

    def look_up(self, inquiry: driver.Inquiry) -> Dialogue[Finding]:
        """Find an operation.

        `NotFound` for a charge means that it was not confirmed: Stripe has the intent as it was
        created, or none with our reference. A confirmation may still be on its way, so this is
        final only after a while. An intent that Stripe named and no longer knows raises instead:
        the key belongs to another account, and money may have moved at the first.

        The reference of a charge of a stored card is its customer until Stripe has named the
        intent, which is then looked for in the list of the customer.

        Without a reference this ledger sent nothing that could move money, because the reference
        is stored first. A ledger restored from a backup may have lost it: what followed a payment
        is then looked for under the payment, and a charge in the list of its time.
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
                # Nothing was sent, or a card is to be forgotten, which may be repeated.
                return driver.NotFound()

    def _find(self, reference: str, asked: driver.Money) -> Dialogue[Finding]:
        """Find a payment by its intent or its page, or a card by its own."""
        if pages.is_page(reference):
            read = partial(pages.paid_of, self._api, asked=asked, reference=reference)
            return self._api.find(wire.PAGE_PAID, reference, read)
        if _is_setup(reference):
            return self._find_kept(reference)
        return payments.find_with_refunds(self._api, reference, asked)

    def _find_kept(self, reference: str) -> Dialogue[Finding]:
        """Find a card by its page, its SetupIntent, or the payment that kept it."""
        if pages.is_page(reference):
            read = partial(pages.kept_of, self._api, reference=reference)
            return self._api.find(wire.PAGE_KEPT, reference, read)
        if _is_setup(reference):
            read = partial(cards.outcome_of, self._api, reference=reference)
            return self._api.find(wire.SETUP, reference, read)
        return payments.find_kept_card(self._api, reference)

    def check(self) -> Dialogue[driver.AccountFacts]:
        """Check the key without moving money: every account has a balance, which has a mode."""
        balance = yield from self._api.ask("balance", step="check")
        self._api.check_live(balance)
        listed = {each.text("currency", "").upper() for each in balance.each("available", ())}
        return driver.AccountFacts(
            merchant_account=self._settings.charged_account,
            live=self._settings.live,
            currencies=tuple(sorted(listed & AMOUNTS.currencies)),
        )

    # --- Webhooks -----------------------------------------------------------------------

    def verify(self, callback: driver.Callback) -> Dialogue[list[driver.Notice]]:
        """Authenticate a webhook and read it."""
        yield from ()
        return [self._verifier.read(callback)]

    def feed(self, cursor: str) -> Dialogue[driver.FeedPage]:
        """Read the events after *cursor*, among them those of lost webhooks."""
        return events.feed(self._api, cursor)

    def reply(self, notice: driver.Notice, result: driver.Applied) -> driver.Reply:
        """Acknowledge every signed webhook: what it means to us does not concern Stripe."""
        del notice, result
        return driver.Reply()


def _is_setup(reference: str) -> bool:
    """Return whether *reference* names a SetupIntent rather than a payment."""
    return reference.startswith("seti_")


_ON_PAGES: Final = frozenset(
    {Operation.CHARGE, Operation.COMPLETE, Operation.WITHDRAW, Operation.REFUND}
)
_ON_CARDS: Final = _ON_PAGES | {
    Operation.AUTHORIZE,
    Operation.CAPTURE,
    Operation.VOID,
    Operation.ENROLL,
    Operation.FORGET,
}


def _page_origins(settings: StripeSettings) -> frozenset[str]:
    """Return where payers meet Stripe: its page, the banks' pages behind it, and its script."""
    own = [each for each in (settings.checkout_domain, settings.api_base) if each]
    return PAGE_ORIGINS.union(map(driver.origin_of, own))


def _rails(settings: StripeSettings) -> dict[Kind, Rail]:
    limits = limits_of(settings.minimum, settings.maximum, AMOUNTS.currencies, "Stripe")
    return {
        Kind.CARD: driver.Rail(
            operations=_ON_CARDS,
            currencies=AMOUNTS.currencies,
            limits=limits,
            methods=frozenset({driver.OneTimeToken, driver.StoredToken}),
            takes=frozenset(driver.ChargeFact),
            partial_capture=True,
        ),
        Kind.REDIRECT: driver.Rail(
            operations=_ON_PAGES,
            currencies=AMOUNTS.currencies,
            limits=limits,
            takes=frozenset(driver.ChargeFact) - {driver.ChargeFact.MOTO},
            needs_return_url=True,
            immediate=False,
            payer_present=True,
        ),
    }
