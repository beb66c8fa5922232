"""Authorize.Net's own forms: to pay on (Accept Hosted), and to store a method on.

We ask for a token, and the payer's browser posts it to the form: as a page of
its own or within an iframe. What the form tells the browser is not believed;
what was paid is looked up. A form cannot be withdrawn: its token ends by itself.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from paygate.driver import ActionRequired, BadResponse, Kind, PostForm, Secret, Unsupported
from paygate.drivers.authorize_net import fields, transactions
from paygate.drivers.authorize_net.markup import leaf, long_text, node
from paygate.drivers.authorize_net.messages import CallRefusal, busy, now_of

if TYPE_CHECKING:
    from datetime import datetime

    from paygate.driver import Charge, Enrollment, Outcome, Request, Response
    from paygate.drivers.authorize_net.messages import Channel
    from paygate.drivers.authorize_net.settings import AuthorizeNetSettings

TOKEN_LASTS: Final = timedelta(minutes=15)

ENDED_AFTER: Final = timedelta(hours=2)
"""After this long no payer can still be at a form, even one who opened it in the last second."""

COMMUNICATOR_PAGE: Final = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Payment</title></head>
<body>
<script>
// Opened by Authorize.Net's form inside of our page: what the form says is passed on to that page,
// as a message that only a page of this origin gets.
(function () {
  "use strict";
  function pass(text) {
    if (text) {
      window.parent.parent.postMessage({ authorizeNet: text }, window.location.origin);
    }
  }
  pass(window.location.hash.replace(/^#/, ""));
  window.addEventListener("message", function (event) {
    var theirs = /^https:\\/\\/[a-z]+\\.authorize\\.net$/.test(event.origin);
    if (theirs && typeof event.data === "string") {
      pass(event.data);
    }
  });
}());
</script>
</body>
</html>
"""
"""
A page to serve at the setting `communicator_url`.

Your page with the iframe gets messages ``{authorizeNet: "action=…&…"}``: of
``resizeWindow`` (width, height), ``cancel``, ``successfulSave`` and
``transactResponse``. After the last, complete the payment; what it says about
money is the browser's word.
"""


# --- To pay on ------------------------------------------------------------------------------


def check(settings: AuthorizeNetSettings, charge: Charge) -> None:
    """Raise `Unsupported` for what the form cannot do."""
    transactions.check_currency(settings, charge.amount)
    if charge.method is not None:
        raise Unsupported("the payer chooses on Authorize.Net's form; give no method")
    if not (charge.return_url or settings.communicator_url):
        raise Unsupported(
            "Authorize.Net's form needs a return_url, or the setting communicator_url"
        )
    _ = transactions.payer_fields(charge.payer)
    _ = transactions.recipient(charge.ship_to)


def build_payment_page(channel: Channel, charge: Charge) -> Request:
    """Ask for a form to pay one amount on."""
    order = fields.order_number(charge.key)
    about = charge.description or fields.listed(charge.invoices)
    return channel.call(
        "getHostedPaymentPage",
        node(
            "transactionRequest",
            leaf("transactionType", "authCaptureTransaction"),
            leaf("amount", f"{charge.amount.decimal:f}"),
            leaf("currencyCode", charge.amount.currency),
            node(
                "order",
                leaf("invoiceNumber", order),
                leaf("description", fields.plain(about, 255)),
            ),
            transactions.payer_fields(charge.payer),
            transactions.recipient(charge.ship_to),
        ),
        node("hostedPaymentSettings", *_payment_settings(channel.settings, charge)),
        step="page",
        order=order,
    )


def _payment_settings(settings: AuthorizeNetSettings, charge: Charge) -> list[str]:
    back = charge.return_url
    way_back: dict[str, object] = {"showReceipt": False}
    if back:
        way_back |= {"url": back, "urlText": "Continue", "cancelUrl": back, "cancelUrlText": "Back"}
    told: dict[str, dict[str, object]] = {
        "hostedPaymentReturnOptions": way_back,
        "hostedPaymentPaymentOptions": {
            "cardCodeRequired": True,
            "showCreditCard": True,
            "showBankAccount": settings.hosted_bank_accounts,
        },
        "hostedPaymentSecurityOptions": {"captcha": settings.captcha},
        "hostedPaymentBillingAddressOptions": {"show": True, "required": False},
        "hostedPaymentShippingAddressOptions": {
            # Nothing public says that a form sends on an address that it does not show.
            "show": charge.ship_to is not None,
            "required": False,
        },
        "hostedPaymentOrderOptions": {
            "show": True,
            **({"merchantName": settings.merchant_name} if settings.merchant_name else {}),
        },
    }
    if settings.communicator_url:
        told["hostedPaymentIFrameCommunicatorUrl"] = {"url": settings.communicator_url}
    return [
        transactions.setting(name, json.dumps(value, separators=(",", ":")))
        for name, value in told.items()
    ]


def parse_payment_page(channel: Channel, charge: Charge, response: Response) -> Outcome:
    """Read the token, with which the payer's browser opens the form."""
    order = fields.order_number(charge.key)
    url = f"{channel.settings.forms}/payment/payment"
    return _form(channel, "getHostedPaymentPage", response, url, order=order, reference=order)


def has_ended(opened_at: datetime, now: datetime | None) -> bool:
    """Tell whether nothing can come of a form any more: it says so nowhere itself."""
    return now is not None and now - opened_at > ENDED_AFTER


# --- To store a method on ---------------------------------------------------------------------


def build_profile_page(channel: Channel, enrollment: Enrollment, profile: str) -> Request:
    """Ask for a form to store a card or a bank account on."""
    card = enrollment.kind is Kind.CARD
    told = {
        "hostedProfileReturnUrl": enrollment.return_url,
        "hostedProfileReturnUrlText": "Continue",
        "hostedProfileIFrameCommunicatorUrl": channel.settings.communicator_url,
        "hostedProfilePageBorderVisible": "false",
        "hostedProfileValidationMode": channel.settings.validation if card else "",
        "hostedProfilePaymentOptions": "showCreditCard" if card else "showBankAccount",
    }
    return channel.call(
        "getHostedProfilePage",
        leaf("customerProfileId", profile),
        node(
            "hostedProfileSettings",
            *(transactions.setting(name, value) for name, value in told.items() if value),
        ),
        step="page",
        order=fields.order_number(enrollment.key),
    )


def parse_profile_page(
    channel: Channel, enrollment: Enrollment, place: str, response: Response
) -> Outcome:
    """Read the token, with which the payer's browser opens the form."""
    order = fields.order_number(enrollment.key)
    url = f"{channel.settings.forms}/customer/addPayment"
    return _form(channel, "getHostedProfilePage", response, url, order=order, reference=place)


def _form(
    channel: Channel, name: str, response: Response, url: str, *, order: str, reference: str
) -> Outcome:
    refused = busy(response)
    if refused is not None:
        return refused
    told = channel.answer(name, response, order=order)
    if isinstance(told, CallRefusal):
        return told.outcome()
    token = long_text(told, "token")
    if not token or not (token.isascii() and token.isprintable()):
        raise BadResponse("Authorize.Net opened a form without a token")
    now = now_of(response)
    return ActionRequired(
        # "token" is the name of the form's field.
        action=PostForm(url=url, token_field="token", token=Secret(token)),  # noqa: S106
        reference=reference,
        expires_at=None if now is None else now + TOKEN_LASTS,
    )
