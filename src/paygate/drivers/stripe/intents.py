"""What a PaymentIntent and a SetupIntent have in common: the card, and what is left to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from paygate.driver import (
    ActionRequired,
    BadResponse,
    Ended,
    Ending,
    NotFound,
    OneTimeToken,
    Pending,
    Redirect,
    ScriptStep,
    Secret,
    StoredToken,
    Unknown,
    Unsupported,
)
from paygate.drivers.stripe import codes

if TYPE_CHECKING:
    from paygate.driver import Fields, Finding, Form, Method
    from paygate.drivers.stripe.settings import StripeSettings

STRIPE_JS: Final = "https://js.stripe.com/v3/"
"""The processor's own form, where `handleNextAction` continues an intent by its client secret."""

_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,255}")


def method_form(method: Method | None) -> Form:
    """Name what is charged, or raise `Unsupported`."""
    match method:
        case OneTimeToken(value):
            token = value.reveal()
            if token.startswith("tok_"):
                raise Unsupported(
                    "Stripe charges a PaymentMethod (pm_…), not a token (tok_…); "
                    "let the form make one with createPaymentMethod"
                )
            form = [("payment_method", token)]
        case StoredToken(value):
            # Stripe wants the customer whom a stored card is attached to: "cus_…/pm_…".
            customer, _, token = value.reveal().rpartition("/")
            form = [("customer", customer)] if customer else []
            form.append(("payment_method", token))
        case _:
            raise Unsupported(
                "the Stripe driver charges a one-time token or a stored card, "
                "never a card number that passed through us"
            )
    if not all(_TOKEN.fullmatch(value) for _, value in form):
        raise Unsupported("that is not the id of a Stripe PaymentMethod (pm_…)")
    return form


def unfinished(settings: StripeSettings, told: Fields, reference: str) -> Finding:
    """Return what a state of an intent means that is not success; `NotFound` before it began."""
    match told.text("status", ""):
        case "processing":
            return Pending(reference=reference)
        case "requires_action":
            return _action_of(settings, told, reference)
        case "canceled":
            return canceled(told, reference)
        case "requires_payment_method":
            return _last_error(told, reference)
        case "requires_confirmation":
            return NotFound()
        case status:
            return new_state(status, reference)


def canceled(told: Fields, reference: str) -> Ended:
    """Return how an intent ended that is canceled."""
    reason = told.text("cancellation_reason", "")
    how = Ending.EXPIRED if reason in codes.RAN_OUT else Ending.CANCELED
    return Ended(how=how, reference=reference)


def new_state(status: str, reference: str) -> Unknown:
    """Return what a state means that this driver does not know."""
    return Unknown(reason=f"Stripe says {status[:40]!r}", reference=reference)


def _last_error(told: Fields, reference: str) -> Finding:
    """Return the decline that put an intent back to the beginning, which only the error tells."""
    name = f"last_{told.text('object', '').removesuffix('_intent')}_error"
    if told.value(name) is None:
        return NotFound()
    error = told.at(name)
    if not error.text("code", "") and not error.text("type", ""):
        raise BadResponse("Stripe tells of a failed try, and not what failed")
    return codes.declined(error, reference)


def _action_of(settings: StripeSettings, told: Fields, reference: str) -> ActionRequired:
    """Send the payer to the bank's page if Stripe names one, else on in Stripe's script."""
    page = "next_action.redirect_to_url.url"
    if told.text(page, ""):
        url = told.url(page, also=[settings.api_base])
        return ActionRequired(action=Redirect(url=url), reference=reference)
    client_secret = told.text("client_secret", "")
    if not client_secret:
        raise BadResponse("Stripe wants the payer to act, and does not say how")
    step = ScriptStep(
        script_url=STRIPE_JS,
        publishable_key=settings.publishable_key,
        client_secret=Secret(client_secret),
    )
    return ActionRequired(action=step, reference=reference)
