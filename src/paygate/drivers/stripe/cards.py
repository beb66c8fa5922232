"""Stored cards: a SetupIntent that lets the bank agree, and the PaymentMethod that is kept.

All cards of a payer are kept with one Customer, whose id the core keeps: Stripe cannot be
asked for a customer by our id in time (its search lags). A card and its customer that
are named together, "cus_…/pm_…", need nothing else to be charged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.driver import (
    Approved,
    BadResponse,
    Fields,
    Kind,
    NotFound,
    OneTimeToken,
    Secret,
    StoredMethod,
    Unsupported,
    brand_of,
    filled,
)
from paygate.drivers.stripe import intents, wire
from paygate.drivers.stripe.codes import ID

if TYPE_CHECKING:
    from paygate.driver import (
        Customer,
        Dialogue,
        Enrollment,
        Finding,
        Forgetting,
        Form,
        Outcome,
        StoredToken,
    )
    from paygate.drivers.stripe.wire import Api


def check(enrollment: Enrollment) -> None:
    """Raise `Unsupported` for what cannot be stored."""
    if enrollment.kind is not Kind.CARD:
        raise Unsupported(f"the Stripe driver stores cards, not {enrollment.kind}")
    if enrollment.from_reference:
        return
    if enrollment.method is None:
        if not enrollment.return_url:
            raise Unsupported(
                "a card is stored from a one-time token, from a payment just made, or on "
                "Stripe's page, which needs a return_url"
            )
    elif not isinstance(enrollment.method, OneTimeToken):
        raise Unsupported("the Stripe driver stores a card from a one-time token (pm_…)")
    else:
        intents.method_form(enrollment.method)


# --- The customer that it is kept with ------------------------------------------------


def customer_of(api: Api, key: str, payer: Customer | None, known: str) -> Dialogue[str | Outcome]:
    """Return Stripe's customer for a payer: the one that it had before, or a new one."""
    customer = (yield from known_customer(api, known)) if known else ""
    if customer:
        return customer
    form: Form = []
    if payer is not None:
        email, ours = payer.email[: wire.METADATA_MAX], payer.id[: wire.METADATA_MAX]
        known_as = {"email": email, "metadata[paygate_customer]": ours}
        form = [*wire.person(payer), *filled(known_as)]
    made = yield from api.create("customers", form, key=key, step="customer")
    return api.identify(made, "customer") if isinstance(made, Fields) else made


def known_customer(api: Api, reference: str) -> Dialogue[str]:
    """Return the customer *reference*; empty if somebody deleted it, or of another account."""
    response = yield api.get(f"customers/{wire.named(reference)}", step="known_customer")
    if response.status == 404:
        return ""
    told = wire.expect_ok(response)
    return "" if told.flag("deleted", None) else api.identify(told, "customer", reference)


# --- Keep one -------------------------------------------------------------------------


def keep(api: Api, enrollment: Enrollment) -> Dialogue[Outcome]:
    """Keep a card for payments that the payer will not be present for."""
    customer = yield from customer_of(
        api, enrollment.key, enrollment.customer, enrollment.customer_reference
    )
    if not isinstance(customer, str):
        return customer
    form: Form = [
        ("customer", customer),
        ("usage", "off_session"),
        ("payment_method_types[0]", "card"),
        *wire.our_ids("", enrollment.our_ref),
    ]
    made = yield from api.create("setup_intents", form, key=enrollment.key, step="setup")
    if not isinstance(made, Fields):
        return made
    reference = api.identify(made, "setup_intent")
    confirmed = [
        *intents.method_form(enrollment.method),
        *wire.expand("payment_method"),
        *filled({"return_url": enrollment.return_url}),
    ]
    return (
        yield from api.change(
            wire.SETUP,
            reference,
            "confirm",
            confirmed,
            lambda told, _: outcome_of(api, told, reference),
            left="Stripe did not begin to keep the card",
            key=enrollment.key,
            look_at=(409,),  # a confirmation of ours that is still under way may keep the card
        )
    )


def outcome_of(api: Api, setup: Fields, reference: str = "") -> Finding:
    """Return what the state of a SetupIntent means; `NotFound` if it was never confirmed."""
    identity = api.identify(setup, "setup_intent", reference)
    if setup.value("status") != "succeeded":
        return intents.unfinished(api.settings, setup, identity)
    method = stored_card(
        wire.read_id(setup, "customer"),
        wire.read_id(setup, "payment_method"),
        setup.at("payment_method.card"),
        holder=setup.text("payment_method.billing_details.name", ""),
    )
    if method is None:
        raise BadResponse("Stripe says that it keeps a card, and not which")
    return Approved(reference=identity, method=method)


def stored_card(
    customer: str, token: str, card: Fields, *, holder: str = "", network_transaction_id: str = ""
) -> StoredMethod | None:
    """Return what is known of a card that Stripe keeps; None if it does not say which."""
    if not customer or not token:
        return None
    month, year = card.expiry()
    return StoredMethod(
        token=Secret(f"{customer}/{token}"),
        kind=Kind.CARD,
        brand=brand_of(card.text("brand", "")),
        last4=card.text("last4", ""),
        expires_month=month,
        expires_year=year,
        holder=holder,
        network_transaction_id=network_transaction_id,
        fingerprint=card.text("fingerprint", ""),
        reference=token,
        customer_reference=customer,
    )


# --- Forget it ------------------------------------------------------------------------


def card_of(token: StoredToken) -> str:
    """Return the PaymentMethod in a stored token, or raise `Unsupported`."""
    card = token.value.reveal().rpartition("/")[2]
    if not ID.fullmatch(card):
        raise Unsupported("that is not a card that the Stripe driver stored")
    return card


def forget(api: Api, forgetting: Forgetting, card: str) -> Dialogue[Outcome]:
    """Take a card off its customer, after which nobody can charge it."""

    def read(told: Fields, _: object) -> Finding:
        api.identify(told, "payment_method")
        return NotFound() if wire.read_id(told, "customer") else Approved()

    return api.change(
        wire.CARD,
        card,
        "detach",
        [],
        read,
        left="Stripe detached a card and shows it attached",
        key=forgetting.key,
        step="forget",
        look_at=(400, 409),
        note=False,
    )
