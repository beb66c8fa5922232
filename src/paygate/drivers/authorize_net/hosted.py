"""Authorize.Net's own forms: to pay on (Accept Hosted), and to store a method on.

We ask for a token, and the payer's browser posts it to the form, as a page of its own or within an
iframe. What the form says to the browser is not believed; what was paid is looked up. A form cannot
be withdrawn: its token expires.
"""

from __future__ import annotations

import re
from datetime import timedelta
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from paygate import driver
from paygate.driver import Unsupported, json_body, time_of
from paygate.drivers.authorize_net import fields, transactions
from paygate.drivers.authorize_net.messages import CallRefusal

if TYPE_CHECKING:
    from paygate.driver import Charge, Dialogue, Enrollment, Members, Outcome
    from paygate.drivers.authorize_net.messages import Channel
    from paygate.drivers.authorize_net.settings import AuthorizeNetSettings

TOKEN_LASTS: Final = timedelta(minutes=15)
_TOKEN: Final = re.compile(r"[\x20-\x7e]+")

ENDED_AFTER: Final = timedelta(hours=2)
"""After this long a form can no longer be paid on, which it does not report itself."""

COMMUNICATOR_PAGE: Final = (
    files("paygate.drivers.authorize_net").joinpath("communicator.html").read_text("utf-8")
)
"""
A page to serve at the setting `communicator_url`.

Your page with the iframe receives messages ``{authorizeNet: "action=…&…"}`` with the actions
``resizeWindow`` (width, height), ``cancel``, ``successfulSave`` and ``transactResponse``. After the
last one, complete the payment; what the message says about money is the browser's word.
"""


def check(settings: AuthorizeNetSettings, charge: Charge) -> None:
    """Raise `Unsupported` for what the form cannot do."""
    transactions.check_currency(settings, charge.amount)
    if charge.method is not None:
        raise Unsupported("the payer chooses on Authorize.Net's form; give no method")
    if not (charge.return_url or settings.communicator_url):
        raise Unsupported(
            "Authorize.Net's form needs a return_url, or the setting communicator_url"
        )
    _ = _request(charge)


def _request(charge: Charge) -> Members:
    return {
        "transactionType": "authCaptureTransaction",
        **transactions.amount_of(charge.amount, currency=True),
        "order": transactions.order_of(charge),
        **transactions.payer_fields(charge.payer),
        "shipTo": transactions.name_and_address(charge.ship_to or transactions.NOBODY),
    }


def open_payment_page(channel: Channel, charge: Charge) -> Dialogue[Outcome]:
    """Return a form to pay one amount on, which the payer's browser opens with a token."""
    order = fields.order_number(charge.key)
    return _form(
        channel,
        "getHostedPaymentPage",
        {
            "transactionRequest": _request(charge),
            "hostedPaymentSettings": _payment_settings(channel.settings, charge),
        },
        path="payment/payment",
        order=order,
        reference=order,
    )


def _payment_settings(settings: AuthorizeNetSettings, charge: Charge) -> Members:
    back = charge.return_url
    way_back: dict[str, object] = {"showReceipt": False}
    if back:
        way_back |= {"url": back, "urlText": "Continue", "cancelUrl": back, "cancelUrlText": "Back"}
    merchant = {"merchantName": settings.merchant_name} if settings.merchant_name else {}
    shipped = charge.ship_to is not None
    values: dict[str, dict[str, object]] = {
        "hostedPaymentReturnOptions": way_back,
        "hostedPaymentPaymentOptions": {
            "cardCodeRequired": True,
            "showCreditCard": True,
            "showBankAccount": settings.hosted_bank_accounts,
        },
        "hostedPaymentSecurityOptions": {"captcha": settings.captcha},
        "hostedPaymentBillingAddressOptions": {"show": True, "required": False},
        # No public source says that a form sends on an address that it does not show.
        "hostedPaymentShippingAddressOptions": {"show": shipped, "required": False},
        "hostedPaymentOrderOptions": {"show": True, **merchant},
    }
    if settings.communicator_url:
        values["hostedPaymentIFrameCommunicatorUrl"] = {"url": settings.communicator_url}
    written = {name: json_body(value).decode() for name, value in values.items()}
    return transactions.settings_of(written)


def open_profile_page(
    channel: Channel, enrollment: Enrollment, profile: str, place: str
) -> Dialogue[Outcome]:
    """Return a form to store a card or a bank account on, which is then found at *place*."""
    card = enrollment.kind is driver.Kind.CARD
    values = {
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
        {"customerProfileId": profile, "hostedProfileSettings": transactions.settings_of(values)},
        path="customer/addPayment",
        order=fields.order_number(enrollment.key),
        reference=place,
    )


def _form(
    channel: Channel, name: str, members: Members, *, path: str, order: str, reference: str
) -> Dialogue[Outcome]:
    response = yield channel.call(name, members, step="page", order=order)
    answer = channel.answer(name, response, order=order)
    if isinstance(answer, CallRefusal):
        return answer.outcome()
    token, now = driver.Secret(answer.id("token", pattern=_TOKEN)), time_of(response)
    return driver.ActionRequired(
        action=driver.PostForm(
            url=f"{channel.settings.forms}/{path}",
            token_field="token",  # noqa: S106  (the name of the form's field)
            token=token,
        ),
        reference=reference,
        expires_at=None if now is None else now + TOKEN_LASTS,
    )
