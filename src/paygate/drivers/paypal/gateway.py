"""What PayPal can do, and which dialogue does it."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from paygate import driver
from paygate.driver import Kind, Operation, form_body, limits_of
from paygate.drivers.paypal import events, orders, refunds, reports, vault, wire
from paygate.drivers.paypal.codes import AMOUNTS
from paygate.drivers.paypal.settings import PayPalSettings
from paygate.drivers.paypal.wire import BY, Api

if TYPE_CHECKING:
    from paygate.driver import Charge, Dialogue, Finding, Outcome, Rail, Traits

DRIVER_VERSION: Final = "1"
"""Stored with every attempt; raise it when what is sent, or read from an answer, changes."""

# A kernel goes on sending what we wrote for up to 15 minutes after we gave up.
IN_FLIGHT: Final = timedelta(minutes=20)

ORDERS_KEPT = driver.Keyed(ttl=timedelta(hours=6))
PAYMENTS_KEPT = driver.Keyed(ttl=timedelta(days=45))
VAULT_KEPT = driver.Keyed(ttl=timedelta(hours=3))
"""How long PayPal keeps our request ids."""


class PayPal:
    """PayPal: the payer approves on PayPal's page, or lets us charge their wallet later."""

    name = "paypal"
    settings_model = PayPalSettings

    def __init__(self, settings: PayPalSettings) -> None:
        self._settings = settings
        self._api = Api(settings)
        verifies = bool(settings.webhook_id)
        self._verifier = events.Verifier(self._api) if verifies else None
        self._traits = driver.Traits(
            live=settings.live,
            merchant_account=settings.merchant_id,
            driver_version=DRIVER_VERSION,
            rails={Kind.REDIRECT: _rail(settings)},
            idempotency=ORDERS_KEPT,
            idempotency_of={
                Operation.CAPTURE: PAYMENTS_KEPT,
                Operation.REFUND: PAYMENTS_KEPT,
                Operation.ENROLL: VAULT_KEPT,
                # PayPal describes no request id for it; ours is sent anyway.
                Operation.VOID: driver.NotIdempotent(),
            },
            inquiry=driver.InquiryBy.GATEWAY_REF,
            not_found_is_final_after=IN_FLIGHT,
            max_in_flight=IN_FLIGHT,
            callbacks=driver.CallbackStyle.ACKNOWLEDGED if verifies else driver.CallbackStyle.NONE,
            callback_proof=driver.CallbackProof.SIGNED,
            page_origins=settings.page_origins,
        )

    def __repr__(self) -> str:
        mode = "live" if self._settings.live else "sandbox"
        return f"PayPal({mode} {self._settings.merchant_id})"

    @property
    def traits(self) -> Traits:
        return self._traits

    def sign_in(self) -> Dialogue[driver.AccessToken]:
        """Get an access token with the app's client id and secret."""
        settings = self._settings
        pair = f"{settings.client_id}:{settings.client_secret.reveal()}".encode()
        response = yield driver.Request(
            method="POST",
            url=f"{settings.base}/v1/oauth2/token",
            step="sign_in",
            headers={
                "Authorization": f"Basic {base64.b64encode(pair).decode()}",
                "Content-Type": "application/x-www-form-urlencoded",
            },
            body=form_body([("grant_type", "client_credentials")]),
            repeatable=True,
        )
        if response.status == 401:
            raise driver.CredentialsRejected("PayPal does not accept the client id and secret")
        found = wire.expect_ok(response)
        value = driver.Secret(found.id("access_token", pattern=wire.ACCESS_TOKEN))
        return driver.AccessToken(value=value, expires_in_s=found.whole("expires_in"))

    # --- Collect ------------------------------------------------------------------------

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        """Open PayPal's page, or charge a stored wallet."""
        return self._begin(charge, "CAPTURE")

    def authorize(self, charge: Charge) -> Dialogue[Outcome]:
        """Open PayPal's page for an amount to be held, or hold it on a stored wallet."""
        return self._begin(charge, "AUTHORIZE")

    def _begin(self, charge: Charge, intent: str) -> Dialogue[Outcome]:
        orders.check(charge)
        if isinstance(charge.method, driver.StoredToken):
            return orders.charge_stored(self._api, charge, charge.method, intent)
        return orders.open_page(self._api, charge, intent)

    def complete(self, completion: driver.Completion) -> Dialogue[Outcome]:
        """Take the money of an order that the payer has approved."""
        return orders.complete(self._api, completion)

    def withdraw(self, withdrawal: driver.Withdrawal) -> Dialogue[Outcome]:
        """Withdraw a page: what was not taken by now is never taken."""
        return orders.withdraw(self._api, withdrawal.reference, withdrawal.payment)

    # --- What follows -------------------------------------------------------------------

    def capture(self, capture: driver.Capture) -> Dialogue[Outcome]:
        """Capture what is held, or a part of it."""
        AMOUNTS.whole(capture.amount)
        return orders.capture(self._api, capture)

    def void(self, voiding: driver.Voiding) -> Dialogue[Outcome]:
        """Release what is held."""
        return orders.void(self._api, voiding)

    def refund(self, refunding: driver.Refunding) -> Dialogue[Outcome]:
        """Send money back, all or part of a capture."""
        refunds.check(refunding)
        return refunds.refund(self._api, refunding)

    # --- Stored wallets -----------------------------------------------------------------

    def enroll(self, enrollment: driver.Enrollment) -> Dialogue[Outcome]:
        """Store a wallet on PayPal's page."""
        vault.check(enrollment)
        return vault.enroll(self._api, enrollment)

    def forget(self, forgetting: driver.Forgetting) -> Dialogue[Outcome]:
        """Delete a stored wallet at PayPal."""
        return vault.forget(self._api, forgetting.token.value.reveal(), forgetting.key)

    # --- Find out -----------------------------------------------------------------------

    def look_up(self, inquiry: driver.Inquiry) -> Dialogue[Finding]:
        """Find an operation by its order, or a refund by its own id.

        `NotFound` for an order means that nothing was taken from a stored wallet, or that PayPal
        has dropped an order that nobody approved. A request that is on its way may still take it.
        """
        api = self._api
        match inquiry.operation:
            case Operation.REFUND:
                return refunds.find(api, inquiry)
            case Operation.ENROLL:
                return vault.find(api, inquiry)
            case Operation.CAPTURE:
                of = inquiry.reference or inquiry.parent_reference
                return orders.find_capture(api, of, inquiry.payment, inquiry.our_ref)
            case Operation.VOID:
                return orders.find_void(api, inquiry)
            case Operation.WITHDRAW:
                return orders.find_withdrawal(api, inquiry)
            case Operation.FORGET:
                return driver.at_once(driver.NotFound())  # it may be repeated
            case _:
                return orders.find(api, inquiry)

    def check(self) -> Dialogue[driver.AccountFacts]:
        """Check the credentials, the webhook and, by the report, whose account it is."""
        settings = self._settings
        listed = yield from self._api.ask(reports.WEBHOOKS, step="check")
        known = [each.text("id", "") for each in listed.each("webhooks", ())]
        if settings.webhook_id and settings.webhook_id not in known:
            raise driver.BadResponse("webhook_id names no webhook of this app at PayPal")
        if settings.reports:
            balances = yield from self._api.ask("/v1/reporting/balances", step="balances")
            self._api.check_payee(balances, "account_id")
        return driver.AccountFacts(merchant_account=settings.merchant_id, live=settings.live)

    # --- Webhooks and reports -----------------------------------------------------------

    def verify(self, callback: driver.Callback) -> Dialogue[list[driver.Notice]]:
        """Authenticate a webhook and read it."""
        if self._verifier is None:
            raise driver.NotAuthentic("webhook_id is not set, so no webhook is believed")
        return self._verifier.read(callback)

    def reply(self, notice: driver.Notice, result: driver.Applied) -> driver.Reply:
        """Acknowledge every signed webhook: what it means to us does not concern PayPal."""
        del notice, result
        return driver.Reply()

    def feed(self, cursor: str) -> Dialogue[driver.FeedPage]:
        """Read the events of lost webhooks, and the settlements in the transaction report."""
        return reports.feed(self._api, cursor)


_ON_PAGES: Final = frozenset(
    {
        Operation.CHARGE,
        Operation.AUTHORIZE,
        Operation.COMPLETE,
        Operation.WITHDRAW,
        Operation.CAPTURE,
        Operation.VOID,
        Operation.REFUND,
    }
)
_STORING: Final = frozenset({Operation.ENROLL, Operation.FORGET})


def _rail(settings: PayPalSettings) -> Rail:
    stored = settings.vault
    return driver.Rail(
        takes=frozenset({driver.ChargeFact.STATEMENT_SUFFIX}),
        operations=_ON_PAGES | _STORING if stored else _ON_PAGES,
        currencies=AMOUNTS.currencies,
        limits=limits_of(settings.minimum, settings.maximum, AMOUNTS.currencies, BY),
        methods=frozenset({type(None), driver.StoredToken}) if stored else frozenset(),
        needs_return_url=not stored,
        immediate=False,
        payer_present=not stored,
        partial_capture=True,
        multiple_capture=True,
        refund_window=timedelta(days=180),
        reports_settlement=settings.reports,
        settles_within=timedelta(days=3) if settings.reports else None,
    )
