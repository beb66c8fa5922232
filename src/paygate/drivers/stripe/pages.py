"""Checkout Sessions: Stripe's own page, for a payment or to keep a card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate.driver import (
    ActionRequired,
    Approved,
    BadResponse,
    Ended,
    Ending,
    Fields,
    NotFound,
    Pending,
    Redirect,
    RejectCause,
    Rejected,
    Unknown,
    Unsupported,
    filled,
    listed,
)
from paygate.drivers.stripe import cards, payments, wire
from paygate.drivers.stripe.codes import AMOUNTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.driver import (
        Charge,
        Dialogue,
        Enrollment,
        Finding,
        Form,
        Money,
        Outcome,
        Withdrawal,
    )
    from paygate.drivers.stripe.wire import Api

CLIENT_REFERENCE_MAX: Final = 200
ITEMS_MAX: Final = 100
"""Lines that a page shows at most."""


def is_page(reference: str) -> bool:
    """Return whether *reference* is of a page, and not of an intent."""
    return reference.startswith("cs_")


# --- A page to pay on -----------------------------------------------------------------


def check(charge: Charge) -> None:
    """Raise `Unsupported` for what the page cannot do."""
    AMOUNTS.whole(charge.amount)
    payments.check_shipping(charge)
    if charge.method is not None:
        raise Unsupported("the payer chooses the card on Stripe's page; give no method")
    if charge.moto:
        raise Unsupported(
            "a payer who gives the card on Stripe's page does not give it by telephone; "
            "leave moto out"
        )
    if not charge.return_url:
        raise Unsupported("Stripe's page needs a return_url to send the payer back to")


_FUTURE_USAGE: Final = "payment_intent_data[setup_future_usage]"


def open_to_pay(api: Api, charge: Charge) -> Dialogue[Outcome]:
    """Open a page for one amount. It is for cards, whose result does not take days."""
    customer = ""
    if charge.store_method and charge.customer_reference:
        customer = yield from cards.known_customer(api, charge.customer_reference)
    new = charge.store_method and not customer
    email = charge.payer.email if charge.payer is not None and not customer else ""
    form: Form = [
        *_page("payment", charge.return_url, charge.our_ref),
        *_items(charge),
        *wire.our_ids(charge.payment, charge.our_ref),
        # The metadata of a page is not copied to the payment that is made on it.
        *wire.our_ids(charge.payment, charge.our_ref, within="payment_intent_data"),
        *payments.described(charge, within="payment_intent_data"),
        *([(_FUTURE_USAGE, "off_session")] if charge.store_method else []),
        *([("customer_creation", "always")] if new else []),
        *filled({"customer": customer, "customer_email": email}),
    ]
    made = yield from api.create("checkout/sessions", form, key=charge.key, step="page")
    return _opened(paid_of(api, made, charge.amount)) if isinstance(made, Fields) else made


def _page(mode: str, return_url: str, our_ref: str) -> Form:
    return [
        ("mode", mode),
        ("success_url", return_url),
        ("cancel_url", return_url),
        ("payment_method_types[0]", "card"),
        ("client_reference_id", our_ref[:CLIENT_REFERENCE_MAX]),
    ]


def _items(charge: Charge) -> Form:
    """Write what the page shows: a line for each invoice, or one for all."""
    name = charge.description or listed(charge.invoices, wire.METADATA_MAX) or charge.payment
    shown = [(line.reference, line.amount) for line in charge.lines]
    # What a payer pays beyond the invoices has no line, and Stripe charges the sum of the lines.
    in_all = sum(line.amount.minor for line in charge.lines)
    if len(shown) < 2 or len(shown) > ITEMS_MAX or in_all != charge.amount.minor:
        shown = [(name, charge.amount)]
    form: Form = []
    for number, (text, amount) in enumerate(shown):
        item = f"line_items[{number}][price_data]"
        form += [
            (f"{item}[currency]", amount.currency.lower()),
            (f"{item}[unit_amount]", str(AMOUNTS.whole(amount))),
            (f"{item}[product_data][name]", text[:250]),
            (f"line_items[{number}][quantity]", "1"),
        ]
    return form


def _opened(outcome: Finding) -> Outcome:
    if isinstance(outcome, NotFound):
        raise BadResponse("Stripe returned a new page and reports it as not found")
    return outcome


# --- A page to keep a card on ---------------------------------------------------------


def open_to_keep(api: Api, enrollment: Enrollment) -> Dialogue[Outcome]:
    """Open a page on which the payer gives a card for later."""
    customer = yield from cards.customer_of(
        api, enrollment.key, enrollment.customer, enrollment.customer_reference
    )
    if not isinstance(customer, str):
        return customer
    form: Form = [
        *_page("setup", enrollment.return_url, enrollment.our_ref),
        ("customer", customer),
        *wire.our_ids("", enrollment.our_ref),
        *wire.our_ids("", enrollment.our_ref, within="setup_intent_data"),
        *filled({"currency": enrollment.currency.lower()}),
    ]
    made = yield from api.create("checkout/sessions", form, key=enrollment.key, step="page")
    return _opened(kept_of(api, made)) if isinstance(made, Fields) else made


# --- What became of a page ------------------------------------------------------------


def paid_of(api: Api, page: Fields, asked: Money, reference: str = "") -> Finding:
    """
    Return what became of a page to pay on.

    Once it is paid, its reference is that of the PaymentIntent: disputes and refunds
    name that, and not the page.
    """
    identity = api.identify(page, "checkout.session", reference)
    theirs = page.text("currency", "").upper()
    if (page.whole("amount_total"), theirs) != (AMOUNTS.whole(asked), asked.currency):
        raise BadResponse("Stripe's page asks for another amount or currency than was asked for")

    def read(told: Fields) -> Finding:
        outcome = payments.outcome_of(api, told, asked=asked)
        if page.value("payment_status") == "paid" and not isinstance(outcome, Approved):
            raise BadResponse("Stripe's page is paid, and its payment is not")
        return Pending(reference=identity) if isinstance(outcome, NotFound) else outcome

    return _became(api, page, identity, "payment", read)


def kept_of(api: Api, page: Fields, reference: str = "") -> Finding:
    """Return what became of a page to keep a card on."""
    identity = api.identify(page, "checkout.session", reference)
    return _became(api, page, identity, "setup", lambda told: cards.outcome_of(api, told))


def _became(
    api: Api, page: Fields, identity: str, what: str, read: Callable[[Fields], Finding]
) -> Finding:
    made_on_it = page.at(f"{what}_intent")
    match page.text("status", ""):
        case "open":
            return ActionRequired(
                action=Redirect(url=page.url("url", also=[api.settings.api_base])),
                reference=identity,
                expires_at=page.instant("expires_at", None),
            )
        case "expired":
            return Ended(how=Ending.EXPIRED, reference=identity)
        case "complete" if made_on_it:
            return read(made_on_it)
        case "complete":
            raise BadResponse(f"Stripe's page is complete, and does not show its {what}")
        case status:
            return Unknown(reason=f"Stripe says {status[:40]!r} of a page", reference=identity)


# --- Withdraw it ----------------------------------------------------------------------


def expire(api: Api, withdrawal: Withdrawal) -> Dialogue[Outcome]:
    """Withdraw a page that nobody should pay any more."""
    reference = withdrawal.reference

    def read(told: Fields, refusal: Rejected | None) -> Finding:
        found = expired_of(api, told, reference)
        return found if refusal is None or isinstance(found, Approved) else _finished(reference)

    return api.change(
        wire.PAGE_ONLY,
        reference,
        "expire",
        [],
        read,
        left="Stripe expired a page and shows it open",
        key=withdrawal.key,
        step="withdraw",
        look_at=(400, 409),
    )


def _finished(reference: str) -> Rejected:
    return Rejected(
        cause=RejectCause.STATE,
        retryable=False,
        message="the payer has finished with Stripe's page; ask what became of the payment",
        reference=reference,
    )


def expired_of(api: Api, page: Fields, reference: str) -> Finding:
    """Return whether a page ran out or was withdrawn, without having been paid."""
    api.identify(page, "checkout.session", reference)
    expired = page.value("status") == "expired"
    return Approved(reference=reference) if expired else NotFound()
