"""Checkout Sessions: Stripe's own page, for a payment or to keep a card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlencode

from paygate.driver import (
    ActionRequired,
    Approved,
    BadResponse,
    Ended,
    Ending,
    Kind,
    NotFound,
    Pending,
    Redirect,
    RejectCause,
    Rejected,
    Unknown,
    Unsupported,
    listed,
)
from paygate.drivers.stripe import stored, wire
from paygate.drivers.stripe.codes import AMOUNTS
from paygate.drivers.stripe.messages import (
    METADATA_MAX,
    expect_ok,
    get,
    instant,
    long_text,
    must_look,
    named,
    our_ids,
    post,
    read_object,
    refusal,
    text,
    whole,
)

if TYPE_CHECKING:
    from paygate.driver import Charge, Enrollment, Form, Money, Outcome, Request, Response
    from paygate.drivers.stripe.settings import StripeSettings

CLIENT_REFERENCE_MAX: Final = 200
ITEMS_MAX: Final = 100
"""Lines that a page shows at most."""


def is_session(reference: str) -> bool:
    """Tell a page from an intent by its id."""
    return reference.startswith("cs_")


# --- A page to pay on ---------------------------------------------------------------------


def check(charge: Charge) -> None:
    """Raise `Unsupported` for what the page cannot do."""
    AMOUNTS.whole(charge.amount)
    wire.check_shipping(charge)
    if charge.kind is not Kind.REDIRECT:
        raise Unsupported(f"the Stripe driver has no page for {charge.kind}")
    if charge.method is not None:
        raise Unsupported("the payer chooses the card on Stripe's page; give no method")
    if charge.moto:
        raise Unsupported(
            "a payer who gives the card on Stripe's page does not give it by telephone; "
            "leave moto out"
        )
    if not charge.return_url:
        raise Unsupported("Stripe's page needs a return_url to send the payer back to")


def build_payment(settings: StripeSettings, charge: Charge, customer: str = "") -> Request:
    """Open a page for one amount. It is for cards, whose result does not take days."""
    form: Form = [
        ("mode", "payment"),
        *_way_back(charge.return_url),
        ("payment_method_types[0]", "card"),
        *_items(charge),
        ("client_reference_id", charge.our_ref[:CLIENT_REFERENCE_MAX]),
        *our_ids(charge.payment, charge.our_ref),
        # The metadata of a page is not copied to the payment that is made on it.
        *our_ids(charge.payment, charge.our_ref, within="payment_intent_data"),
    ]
    if charge.invoices:
        form.append(
            (
                "payment_intent_data[metadata][paygate_invoices]",
                listed(charge.invoices, METADATA_MAX),
            )
        )
    if charge.description:
        form.append(("payment_intent_data[description]", charge.description[:1000]))
    if charge.store_method:
        form.append(("payment_intent_data[setup_future_usage]", "off_session"))
    if customer:
        form.append(("customer", customer))
    elif charge.store_method:
        form.append(("customer_creation", "always"))
    if charge.payer is not None and charge.payer.email and not customer:
        form.append(("customer_email", charge.payer.email))
    form += wire.of_the_host(charge, within="payment_intent_data")
    return post(settings, "/v1/checkout/sessions", form, key=charge.key, step="page")


def _items(charge: Charge) -> Form:
    """Write what the page shows: a line for each invoice, or one for all."""
    name = charge.description or listed(charge.invoices, METADATA_MAX) or charge.payment
    shown = [(line.reference, line.amount) for line in charge.lines]
    # What a payer pays beyond the invoices has no line, and Stripe charges the sum of the lines.
    if len(shown) < 2 or len(shown) > ITEMS_MAX or _sum(charge) != charge.amount.minor:
        shown = [(name, charge.amount)]
    form: Form = []
    for number, (text_, amount) in enumerate(shown):
        item = f"line_items[{number}][price_data]"
        form += [
            (f"{item}[currency]", amount.currency.lower()),
            (f"{item}[unit_amount]", str(AMOUNTS.whole(amount))),
            (f"{item}[product_data][name]", text_[:250]),
            (f"line_items[{number}][quantity]", "1"),
        ]
    return form


def _sum(charge: Charge) -> int:
    return sum(line.amount.minor for line in charge.lines)


def parse_payment(settings: StripeSettings, charge: Charge, response: Response) -> Outcome:
    """Read where the payer is to go."""
    if response.status != 200:
        return refusal(settings, response, money_may_move=False)
    outcome = paid_of(settings, charge.amount, "", response)
    if isinstance(outcome, NotFound):
        raise BadResponse("Stripe opened a page that it does not know")
    return outcome


# --- A page to keep a card on -------------------------------------------------------------


def build_setup(settings: StripeSettings, enrollment: Enrollment, customer: str) -> Request:
    """Open a page where the payer gives a card for later."""
    form: Form = [
        ("mode", "setup"),
        *_way_back(enrollment.return_url),
        ("payment_method_types[0]", "card"),
        ("customer", customer),
        ("client_reference_id", enrollment.our_ref[:CLIENT_REFERENCE_MAX]),
        *our_ids("", enrollment.our_ref),
        *our_ids("", enrollment.our_ref, within="setup_intent_data"),
    ]
    if enrollment.currency:
        form.append(("currency", enrollment.currency.lower()))
    return post(settings, "/v1/checkout/sessions", form, key=enrollment.key, step="page")


def parse_setup(settings: StripeSettings, response: Response) -> Outcome:
    """Read where the payer is to go."""
    if response.status != 200:
        return refusal(settings, response, money_may_move=False)
    outcome = kept_of(settings, "", response)
    if isinstance(outcome, NotFound):
        raise BadResponse("Stripe opened a page that it does not know")
    return outcome


def _way_back(url: str) -> Form:
    return [("success_url", url), ("cancel_url", url)]


# --- What became of a page -----------------------------------------------------------------


def build_get(settings: StripeSettings, reference: str, *expand: str) -> Request:
    """Ask for one page and what was made on it."""
    query = urlencode([(f"expand[{number}]", name) for number, name in enumerate(expand)])
    return get(settings, f"/v1/checkout/sessions/{named(reference)}?{query}", step="look_up")


def build_get_paid(settings: StripeSettings, reference: str) -> Request:
    """Ask for a page with its payment."""
    return build_get(settings, reference, "payment_intent.latest_charge")


def build_get_kept(settings: StripeSettings, reference: str) -> Request:
    """Ask for a page with its card."""
    return build_get(settings, reference, "setup_intent.payment_method")


def paid_of(
    settings: StripeSettings, asked: Money, reference: str, response: Response
) -> Outcome | NotFound:
    """
    Tell what became of a page to pay on.

    Once it is paid, its reference is that of the PaymentIntent: disputes and refunds
    name that, and not the page.
    """
    session = expect_ok(response)
    identity = read_object(settings, session, "checkout.session", reference)
    theirs = text(session, "currency").upper()
    if (whole(session, "amount_total"), theirs) != (AMOUNTS.whole(asked), asked.currency):
        raise BadResponse("Stripe's page asks for another amount or currency than was asked for")
    told = session.get("payment_intent")
    match text(session, "status"):
        case "open":
            return _action(settings, session, identity)
        case "expired":
            return Ended(how=Ending.EXPIRED, reference=identity)
        case "complete" if isinstance(told, dict):
            intent = wire.read_intent(settings, cast("dict[str, Any]", told), asked=asked)
            outcome = wire.outcome_of(settings, intent)
            paid = text(session, "payment_status") == "paid"
            if paid and not isinstance(outcome, Approved):
                raise BadResponse("Stripe's page is paid, and its payment is not")
            if isinstance(outcome, NotFound):
                return Pending(reference=identity)
            return outcome
        case "complete":
            raise BadResponse("Stripe's page is complete, and does not show its payment")
        case status:
            return Unknown(reason=f"Stripe says {status[:40]!r} of a page", reference=identity)


def kept_of(settings: StripeSettings, reference: str, response: Response) -> Outcome | NotFound:
    """Tell what became of a page to keep a card on."""
    session = expect_ok(response)
    identity = read_object(settings, session, "checkout.session", reference)
    told = session.get("setup_intent")
    match text(session, "status"):
        case "open":
            return _action(settings, session, identity)
        case "expired":
            return Ended(how=Ending.EXPIRED, reference=identity)
        case "complete" if isinstance(told, dict):
            return stored.outcome_of(settings, cast("dict[str, Any]", told))
        case "complete":
            raise BadResponse("Stripe's page is complete, and does not show its card")
        case status:
            return Unknown(reason=f"Stripe says {status[:40]!r} of a page", reference=identity)


def _action(settings: StripeSettings, session: dict[str, Any], reference: str) -> ActionRequired:
    url = long_text(session, "url")
    if not url:
        raise BadResponse("Stripe opened a page, and does not say where")
    return ActionRequired(
        action=Redirect(url=wire.safe(settings, url)),
        reference=reference,
        expires_at=instant(session, "expires_at"),
    )


# --- Withdraw it --------------------------------------------------------------------------------


def build_expire(settings: StripeSettings, key: str, reference: str) -> Request:
    """Withdraw a page that nobody should pay any more."""
    path = f"/v1/checkout/sessions/{named(reference)}/expire"
    return post(settings, path, [], key=key, step="withdraw")


def parse_expire(
    settings: StripeSettings, reference: str, response: Response
) -> Outcome | wire.Elsewhere:
    """Read whether it is withdrawn."""
    if response.status != 200:
        refused = refusal(settings, response, money_may_move=False, reference=reference)
        return wire.seen(refused, look=response.status in (400, 409) or must_look(refused))
    withdrawn = closed_of(settings, reference, response)
    if isinstance(withdrawn, NotFound):
        return Unknown(reason="Stripe expired a page and shows it open", reference=reference)
    return withdrawn


def closed_of(settings: StripeSettings, reference: str, response: Response) -> Approved | NotFound:
    """Tell whether a page can be paid no more without having been paid; else `NotFound`."""
    session = expect_ok(response)
    read_object(settings, session, "checkout.session", reference)
    if text(session, "status") == "expired":
        return Approved(reference=reference)
    return NotFound()


def complete(reference: str) -> Rejected:
    """Say why a page cannot be withdrawn."""
    return Rejected(
        cause=RejectCause.STATE,
        retryable=False,
        message="the payer has finished with Stripe's page; ask what became of the payment",
        reference=reference,
    )
