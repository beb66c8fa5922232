"""Checkout Sessions: Stripe's own page, for a payment or to keep a card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate import driver
from paygate.driver import listed
from paygate.drivers.stripe import cards, intents, payments, wire
from paygate.drivers.stripe.codes import AMOUNTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.driver import Charge, Dialogue, Enrollment, Fields, Finding, Members, Outcome
    from paygate.drivers.stripe.wire import Api

CLIENT_REFERENCE_MAX: Final = 200
ITEMS_MAX: Final = 100
"""The lines that a page shows at most."""


def is_page(reference: str) -> bool:
    """Return whether *reference* names a page rather than an intent."""
    return reference.startswith("cs_")


# --- A page to pay on -----------------------------------------------------------------


def check(charge: Charge) -> None:
    """Raise `Unsupported` for what the page cannot do."""
    AMOUNTS.whole(charge.amount)
    payments.check_shipping(charge)
    if charge.method is not None:
        raise driver.Unsupported("the payer chooses the card on Stripe's page; give no method")
    if charge.moto:
        raise driver.Unsupported(
            "a payer who gives the card on Stripe's page does not give it by telephone; "
            "leave moto out"
        )
    if not charge.return_url:
        raise driver.Unsupported("Stripe's page needs a return_url to send the payer back to")


def open_to_pay(api: Api, charge: Charge) -> Dialogue[Outcome]:
    """Open a page for one amount. It takes cards only, whose result does not take days."""
    customer = ""
    if charge.store_method and charge.customer_reference:
        customer = yield from cards.known_customer(api, charge.customer_reference)
    form: Members = {
        **_page("payment", charge.return_url, charge.our_ref),
        "line_items": _items(charge),
        "metadata": wire.our_ids(charge.payment, charge.our_ref),
        # The metadata of a page is not copied to the payment that is made on it.
        "payment_intent_data": {
            **payments.described(api.settings, charge),
            "setup_future_usage": "off_session" if charge.store_method else "",
        },
        "customer_creation": "always" if charge.store_method and not customer else "",
        "customer": customer,
        "customer_email": charge.payer.email if charge.payer is not None and not customer else "",
    }
    return (yield from _open(api, form, charge.key, lambda page: paid_of(api, page, charge.amount)))


def _page(mode: str, return_url: str, our_ref: str) -> Members:
    return {
        "mode": mode,
        "success_url": return_url,
        "cancel_url": return_url,
        "payment_method_types": ["card"],
        "client_reference_id": our_ref[:CLIENT_REFERENCE_MAX],
    }


def _items(charge: Charge) -> list[Members]:
    """Return what the page shows: a line for each invoice, or one for all."""
    shown = [(line.reference, line.amount) for line in charge.lines]
    # What a payer pays beyond the invoices has no line, and Stripe charges the sum of the lines.
    total = sum(line.amount.minor for line in charge.lines)
    if len(shown) < 2 or len(shown) > ITEMS_MAX or total != charge.amount.minor:
        name = charge.description or listed(charge.invoices, wire.METADATA_MAX) or charge.payment
        shown = [(name, charge.amount)]
    return [
        {
            "price_data": {
                "currency": amount.currency.lower(),
                "unit_amount": str(AMOUNTS.whole(amount)),
                "product_data": {"name": text[:250]},
            },
            "quantity": "1",
        }
        for text, amount in shown
    ]


def _open(
    api: Api, form: Members, key: str, read: Callable[[Fields], Finding]
) -> Dialogue[Outcome]:
    made = yield from api.create("checkout/sessions", form, key=key, step="page")
    if not isinstance(made, driver.Fields):
        return made
    opened = read(made)
    if isinstance(opened, driver.NotFound):
        raise driver.BadResponse("Stripe returned a new page and reports it as not found")
    return opened


# --- A page to keep a card on ---------------------------------------------------------


def open_to_keep(api: Api, enrollment: Enrollment) -> Dialogue[Outcome]:
    """Open a page on which the payer gives a card for later."""
    customer = yield from cards.customer_of(
        api, enrollment.key, enrollment.customer, enrollment.customer_reference
    )
    if not isinstance(customer, str):
        return customer
    ours = {"metadata": wire.our_ids("", enrollment.our_ref)}
    form: Members = {
        **_page("setup", enrollment.return_url, enrollment.our_ref),
        "customer": customer,
        **ours,
        "setup_intent_data": ours,
        "currency": enrollment.currency.lower(),
    }
    return (yield from _open(api, form, enrollment.key, lambda page: kept_of(api, page)))


# --- What became of a page ------------------------------------------------------------


def paid_of(api: Api, page: Fields, asked: driver.Money, reference: str = "") -> Finding:
    """
    Return what became of a page to pay on.

    Once it is paid, its reference is that of the PaymentIntent, which disputes and refunds name.
    """
    identity = api.identify(page, "checkout.session", reference)
    theirs = page.text("currency", "").upper()
    if (page.whole("amount_total"), theirs) != (AMOUNTS.whole(asked), asked.currency):
        raise driver.BadResponse(
            "Stripe's page asks for another amount or currency than was asked for"
        )

    def read(intent: Fields) -> Finding:
        outcome = payments.outcome_of(api, intent, asked=asked)
        if page.value("payment_status") == "paid" and not isinstance(outcome, driver.Approved):
            raise driver.BadResponse("Stripe's page is paid, and its payment is not")
        not_found = isinstance(outcome, driver.NotFound)
        return driver.Pending(reference=identity) if not_found else outcome

    return _became(api, page, identity, "payment", read)


def kept_of(api: Api, page: Fields, reference: str = "") -> Finding:
    """Return what became of a page to keep a card on."""
    identity = api.identify(page, "checkout.session", reference)
    return _became(api, page, identity, "setup", lambda setup: cards.outcome_of(api, setup))


def _became(
    api: Api, page: Fields, identity: str, what: str, read: Callable[[Fields], Finding]
) -> Finding:
    made_on_it = page.at(f"{what}_intent")
    match page.text("status", ""):
        case "open":
            return driver.ActionRequired(
                action=driver.Redirect(url=page.url("url", also=[api.settings.api_base])),
                reference=identity,
                expires_at=page.instant("expires_at", None),
            )
        case "expired":
            return driver.Ended(how=driver.Ending.EXPIRED, reference=identity)
        case "complete" if made_on_it:
            return read(made_on_it)
        case "complete":
            raise driver.BadResponse(f"Stripe's page is complete, and does not show its {what}")
        case status:
            return intents.new_state(status, identity, " of a page")


# --- Withdraw it ----------------------------------------------------------------------


def expire(api: Api, withdrawal: driver.Withdrawal) -> Dialogue[Outcome]:
    """Withdraw a page, so that it can no longer be paid."""
    reference = withdrawal.reference

    def read(page: Fields, refusal: driver.Rejected | None) -> Finding:
        found = expired_of(api, page, reference)
        if refusal is None or isinstance(found, driver.Approved):
            return found
        return driver.Rejected(
            cause=driver.RejectCause.STATE,
            retryable=False,
            message="the payer has finished with Stripe's page; ask what became of the payment",
            reference=reference,
        )

    return api.change(
        wire.PAGE_ONLY,
        reference,
        "expire",
        read,
        left="Stripe expired a page and shows it open",
        key=withdrawal.key,
        step="withdraw",
        look_at=(400, 409),
    )


def expired_of(api: Api, page: Fields, reference: str) -> Finding:
    """Return whether a page expired or was withdrawn; `NotFound` if it is open or was used."""
    api.identify(page, "checkout.session", reference)
    expired = page.value("status") == "expired"
    return driver.Approved(reference=reference) if expired else driver.NotFound()
