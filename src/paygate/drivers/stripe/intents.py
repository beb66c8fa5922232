"""What PaymentIntents and SetupIntents have in common: the card, and what is left to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from paygate import driver
from paygate.drivers.stripe import codes

if TYPE_CHECKING:
    from paygate.driver import Fields, Finding
    from paygate.drivers.stripe.settings import StripeSettings

STRIPE_JS: Final = "https://js.stripe.com/v3/"
"""Stripe's script, in which `handleNextAction` continues an intent by its client secret."""

_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,255}")


def method_form(method: driver.Method | None) -> dict[str, str]:
    """Return the fields that name what is charged, or raise `Unsupported`."""
    match method:
        case driver.OneTimeToken(value):
            token = value.reveal()
            if token.startswith("tok_"):
                raise driver.Unsupported(
                    "Stripe charges a PaymentMethod (pm_…), not a token (tok_…); "
                    "let the form make one with createPaymentMethod"
                )
            form = {"payment_method": token}
        case driver.StoredToken(value):
            # Stripe needs the customer to whom a stored card is attached: "cus_…/pm_…".
            customer, _, token = value.reveal().rpartition("/")
            form = {"customer": customer} if customer else {}
            form["payment_method"] = token
        case _:
            raise driver.Unsupported(
                "the Stripe driver charges a one-time token or a stored card, "
                "never a card number that passed through us"
            )
    if not all(map(_TOKEN.fullmatch, form.values())):
        raise driver.Unsupported("that is not the id of a Stripe PaymentMethod (pm_…)")
    return form


def unfinished(settings: StripeSettings, intent: Fields, reference: str) -> Finding:
    """Return what an intent that has not succeeded means; `NotFound` if it was never confirmed."""
    match intent.text("status", ""):
        case "processing":
            return driver.Pending(reference=reference)
        case "requires_action":
            return _action_of(settings, intent, reference)
        case "canceled":
            return canceled(intent, reference)
        case "requires_payment_method":
            return _last_error(intent, reference)
        case "requires_confirmation":
            return driver.NotFound()
        case status:
            return new_state(status, reference)


def canceled(intent: Fields, reference: str) -> driver.Ended:
    """Return whether a canceled intent expired or was canceled by somebody."""
    expired = intent.text("cancellation_reason", "") in codes.RAN_OUT
    how = driver.Ending.EXPIRED if expired else driver.Ending.CANCELED
    return driver.Ended(how=how, reference=reference)


def new_state(status: str, reference: str, of: str = "") -> driver.Unknown:
    """Return the outcome of a state that this driver does not know."""
    return driver.Unknown(reason=f"Stripe says {status[:40]!r}{of}", reference=reference)


def _last_error(intent: Fields, reference: str) -> Finding:
    """Return the decline after which an intent wants another card; only its error shows it."""
    name = f"last_{intent.text('object', '').removesuffix('_intent')}_error"
    if intent.value(name) is None:
        return driver.NotFound()
    error = intent.at(name)
    if not error.text("code", "") and not error.text("type", ""):
        raise driver.BadResponse("Stripe reports a failed attempt without saying what failed")
    return codes.declined(error, reference)


def _action_of(settings: StripeSettings, intent: Fields, reference: str) -> driver.ActionRequired:
    """Send the payer to the bank's page if Stripe names one, or else to Stripe's script."""
    page = "next_action.redirect_to_url.url"
    if intent.text(page, ""):
        url = intent.url(page, also=[settings.api_base])
        return driver.ActionRequired(action=driver.Redirect(url=url), reference=reference)
    client_secret = intent.text("client_secret", "")
    if not client_secret:
        raise driver.BadResponse("Stripe requires an action of the payer and does not say which")
    step = driver.ScriptStep(
        script_url=STRIPE_JS,
        publishable_key=settings.publishable_key,
        client_secret=driver.Secret(client_secret),
    )
    return driver.ActionRequired(action=step, reference=reference)
