"""Stored cards: a SetupIntent that lets the bank agree, and the PaymentMethod that is kept.

All cards of a payer belong to one Customer, whose id the core keeps: Stripe cannot be searched for
a customer by our id in time, because its search lags. A token "cus_…/pm_…" names a card and its
customer, which is all that a charge needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate import driver
from paygate.driver import brand_of
from paygate.drivers.stripe import intents, wire
from paygate.drivers.stripe.codes import ID

if TYPE_CHECKING:
    from paygate.driver import Dialogue, Enrollment, Finding, Forgetting, Members, Outcome
    from paygate.drivers.stripe.wire import Api


def check(enrollment: Enrollment) -> None:
    """Raise `Unsupported` for what cannot be stored."""
    if enrollment.kind is not driver.Kind.CARD:
        raise driver.Unsupported(f"the Stripe driver stores cards, not {enrollment.kind}")
    if enrollment.from_reference:
        return
    if enrollment.method is None:
        if not enrollment.return_url:
            raise driver.Unsupported(
                "a card is stored from a one-time token, from a payment just made, or on "
                "Stripe's page, which needs a return_url"
            )
    elif not isinstance(enrollment.method, driver.OneTimeToken):
        raise driver.Unsupported("the Stripe driver stores a card from a one-time token (pm_…)")
    else:
        intents.method_form(enrollment.method)


# --- The customer to whom it belongs ----------------------------------------------------


def customer_of(
    api: Api, key: str, payer: driver.Customer | None, known: str
) -> Dialogue[str | Outcome]:
    """Return Stripe's customer for a payer: the *known* one, if it still exists, or a new one."""
    customer = (yield from known_customer(api, known)) if known else ""
    if customer:
        return customer
    form: Members = {}
    if payer is not None:
        email, ours = payer.email[: wire.METADATA_MAX], payer.id[: wire.METADATA_MAX]
        form = {**wire.person(payer), "email": email, "metadata": {"paygate_customer": ours}}
    made = yield from api.create("customers", form, key=key, step="customer")
    return api.identify(made, "customer") if isinstance(made, driver.Fields) else made


def known_customer(api: Api, reference: str) -> Dialogue[str]:
    """Return the id of a customer; empty if it was deleted or belongs to another account."""
    response = yield api.get(f"customers/{wire.named(reference)}", step="known_customer")
    if response.status == 404:
        return ""
    found = wire.expect_ok(response)
    return "" if found.flag("deleted", None) else api.identify(found, "customer", reference)


# --- Keep one -------------------------------------------------------------------------


def keep(api: Api, enrollment: Enrollment) -> Dialogue[Outcome]:
    """Store a card for payments without the payer."""
    customer = yield from customer_of(
        api, enrollment.key, enrollment.customer, enrollment.customer_reference
    )
    if not isinstance(customer, str):
        return customer
    form: Members = {
        "customer": customer,
        "usage": "off_session",
        "payment_method_types": ["card"],
        "metadata": wire.our_ids("", enrollment.our_ref),
    }
    made = yield from api.create("setup_intents", form, key=enrollment.key, step="setup")
    if not isinstance(made, driver.Fields):
        return made
    reference = api.identify(made, "setup_intent")
    return (
        yield from api.change(
            wire.SETUP,
            reference,
            "confirm",
            lambda setup, _: outcome_of(api, setup, reference),
            {
                **intents.method_form(enrollment.method),
                "expand": ["payment_method"],
                "return_url": enrollment.return_url,
            },
            left="Stripe did not begin to keep the card",
            key=enrollment.key,
            look_at=(409,),  # a confirmation of ours that is still running may keep the card
        )
    )


def outcome_of(api: Api, setup: driver.Fields, reference: str = "") -> Finding:
    """Return what the state of a SetupIntent means; `NotFound` if it was never confirmed."""
    identity = api.identify(setup, "setup_intent", reference)
    if setup.value("status") != "succeeded":
        return intents.unfinished(api.settings, setup, identity)
    method = stored_card(
        setup,
        setup.at("payment_method.card"),
        holder=setup.text("payment_method.billing_details.name", ""),
    )
    if method is None:
        raise driver.BadResponse("Stripe says that it keeps a card, and not which")
    return driver.Approved(reference=identity, method=method)


def stored_card(
    intent: driver.Fields, card: driver.Fields, *, holder: str, network_transaction_id: str = ""
) -> driver.StoredMethod | None:
    """Return the card that Stripe keeps because of an intent; None if it does not say which."""
    customer, token = wire.read_id(intent, "customer"), wire.read_id(intent, "payment_method")
    if not customer or not token:
        return None
    month, year = card.expiry()
    return driver.StoredMethod(
        token=driver.Secret(f"{customer}/{token}"),
        kind=driver.Kind.CARD,
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


def card_of(token: driver.StoredToken) -> str:
    """Return the PaymentMethod in a stored token, or raise `Unsupported`."""
    card = token.value.reveal().rpartition("/")[2]
    if not ID.fullmatch(card):
        raise driver.Unsupported("that is not a card that the Stripe driver stored")
    return card


def forget(api: Api, forgetting: Forgetting, card: str) -> Dialogue[Outcome]:
    """Detach a card from its customer, after which nobody can charge it."""

    def read(found: driver.Fields, _: object) -> Finding:
        api.identify(found, "payment_method")
        attached = wire.read_id(found, "customer")
        return driver.NotFound() if attached else driver.Approved()

    return api.change(
        wire.CARD,
        card,
        "detach",
        read,
        left="Stripe detached a card and shows it attached",
        key=forgetting.key,
        step="forget",
        look_at=(400, 409),
        note=False,
    )
