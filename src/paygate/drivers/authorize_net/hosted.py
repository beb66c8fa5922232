"""Authorize.Net's own forms: to pay on (Accept Hosted), and to store a method on.

We ask for a token, and the payer's browser posts it to the form: as a page of its own or within an
iframe. What the form says to the browser is not believed; what was paid is looked up. A form cannot
be withdrawn: its token ends by itself.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from paygate.driver import (
    ActionRequired,
    Charge,
    Dialogue,
    Enrollment,
    Kind,
    Outcome,
    PostForm,
    Secret,
    Unsupported,
    json_body,
    leaf,
    node,
)
from paygate.drivers.authorize_net import fields, transactions
from paygate.drivers.authorize_net.messages import CallRefusal, now_of

if TYPE_CHECKING:
    from datetime import datetime

    from paygate.drivers.authorize_net.messages import Channel
    from paygate.drivers.authorize_net.settings import AuthorizeNetSettings

TOKEN_LASTS: Final = timedelta(minutes=15)
_TOKEN: Final = re.compile(r"[\x20-\x7e]+")

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


def open_payment_page(channel: Channel, charge: Charge) -> Dialogue[Outcome]:
    """Ask for a form to pay one amount on; the payer's browser opens it with a token."""
    order = fields.order_number(charge.key)
    return _form(
        channel,
        "getHostedPaymentPage",
        node(
            "transactionRequest",
            leaf("transactionType", "authCaptureTransaction"),
            transactions.amount_of(charge.amount, currency=True),
            transactions.order_of(order, charge),
            transactions.payer_fields(charge.payer),
            transactions.recipient(charge.ship_to),
        ),
        node("hostedPaymentSettings", _payment_settings(channel.settings, charge)),
        path="payment/payment",
        order=order,
        reference=order,
    )


def _payment_settings(settings: AuthorizeNetSettings, charge: Charge) -> str:
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
    return transactions.settings_of({name: json_body(each).decode() for name, each in told.items()})


def has_ended(opened_at: datetime, now: datetime | None) -> bool:
    """Return whether nothing can come of a form any more: it says so nowhere itself."""
    return now is not None and now - opened_at > ENDED_AFTER


# --- To store a method on ---------------------------------------------------------------------


def open_profile_page(
    channel: Channel, enrollment: Enrollment, profile: str, place: str
) -> Dialogue[Outcome]:
    """Ask for a form to store a card or a bank account on, which is found at *place*."""
    card = enrollment.kind is Kind.CARD
    told = {
        "hostedProfileReturnUrl": enrollment.return_url,
        "hostedProfileReturnUrlText": "Continue",
        "hostedProfileIFrameCommunicatorUrl": channel.settings.communicator_url,
        "hostedProfilePageBorderVisible": "false",
        "hostedProfileValidationMode": channel.settings.validation if card else "",
        "hostedProfilePaymentOptions": "showCreditCard" if card else "showBankAccount",
    }
    return _form(
        channel,
        "getHostedProfilePage",
        leaf("customerProfileId", profile),
        node("hostedProfileSettings", transactions.settings_of(told)),
        path="customer/addPayment",
        order=fields.order_number(enrollment.key),
        reference=place,
    )


def _form(
    channel: Channel, name: str, *children: str, path: str, order: str, reference: str
) -> Dialogue[Outcome]:
    response = yield channel.call(name, *children, step="page", order=order)
    told = channel.done(name, response, order=order)
    if isinstance(told, CallRefusal):
        return told.outcome()
    url, token = f"{channel.settings.forms}/{path}", Secret(told.id("token", pattern=_TOKEN))
    now = now_of(response)
    return ActionRequired(
        # "token" is the name of the form's field.
        action=PostForm(url=url, token_field="token", token=token),  # noqa: S106
        reference=reference,
        expires_at=None if now is None else now + TOKEN_LASTS,
    )
