"""Stored cards: a Customer, a SetupIntent that lets the bank agree, and the PaymentMethod kept.

All cards of a payer are kept with one Customer, whose id the core keeps: Stripe cannot be
asked for a customer by our id in time (its search lags). A card and its customer that
are named together, "cus_…/pm_…", need nothing else to be charged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from paygate.driver import (
    Approved,
    BadResponse,
    Ended,
    Ending,
    Kind,
    NotFound,
    OneTimeToken,
    Pending,
    RejectCause,
    Rejected,
    Unknown,
    Unsupported,
)
from paygate.drivers.stripe import wire
from paygate.drivers.stripe.messages import (
    ID,
    METADATA_MAX,
    TAKEN,
    at,
    declined,
    expect_ok,
    get,
    must_look,
    named,
    our_ids,
    person,
    post,
    read_id,
    read_object,
    refusal,
    text,
)

if TYPE_CHECKING:
    from paygate.driver import (
        Customer,
        Enrollment,
        Forgetting,
        Form,
        Outcome,
        Request,
        Response,
        StoredToken,
    )
    from paygate.drivers.stripe.settings import StripeSettings


def is_setup(reference: str) -> bool:
    """Tell a SetupIntent from a payment by its id."""
    return reference.startswith("seti_")


def is_customer(reference: str) -> bool:
    """Tell the customer of a stored card from a payment by its id."""
    return reference.startswith("cus_")


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
        wire.method_form(enrollment.method)


# --- The Customer that it is kept with ------------------------------------------------------


def build_customer(settings: StripeSettings, key: str, payer: Customer | None) -> Request:
    """Make a Customer with what Stripe needs to tell payers apart."""
    form: Form = []
    if payer is not None:
        form += person(payer)
        if payer.email:
            form.append(("email", payer.email[:METADATA_MAX]))
        form.append(("metadata[paygate_customer]", payer.id[:METADATA_MAX]))
    return post(settings, "/v1/customers", form, key=key, step="customer")


def parse_customer(settings: StripeSettings, response: Response) -> str | Outcome:
    """Read the id of the customer."""
    if response.status != 200:
        return refusal(settings, response, money_may_move=False)
    return read_object(settings, response.json_object(), "customer")


def build_get_customer(settings: StripeSettings, reference: str) -> Request:
    """Ask for a customer that was made before."""
    return get(settings, f"/v1/customers/{named(reference)}", step="known_customer")


def parse_get_customer(settings: StripeSettings, reference: str, response: Response) -> str:
    """Read the id of a customer; empty if it was deleted, or is not of this account."""
    if response.status == 404:
        return ""
    told = expect_ok(response)
    return "" if told.get("deleted") is True else read_object(settings, told, "customer", reference)


# --- The bank's consent ---------------------------------------------------------------------


def build_setup(settings: StripeSettings, enrollment: Enrollment, customer: str) -> Request:
    """Prepare to keep a card for payments that the payer will not be present for."""
    form: Form = [
        ("customer", customer),
        ("usage", "off_session"),
        ("payment_method_types[0]", "card"),
        *our_ids("", enrollment.our_ref),
    ]
    return post(settings, "/v1/setup_intents", form, key=enrollment.key, step="setup")


def parse_setup(settings: StripeSettings, response: Response) -> str | Outcome:
    """Read the id of the SetupIntent."""
    if response.status != 200:
        return refusal(settings, response, money_may_move=False)
    return read_object(settings, response.json_object(), "setup_intent")


def build_confirm(settings: StripeSettings, enrollment: Enrollment, reference: str) -> Request:
    """Let the bank agree, and Stripe keep the card."""
    form: Form = [
        *wire.method_form(enrollment.method),
        ("expand[0]", "payment_method"),
    ]
    if enrollment.return_url:
        form.append(("return_url", enrollment.return_url))
    path = f"/v1/setup_intents/{reference}/confirm"
    return post(settings, path, form, key=enrollment.key, step="confirm")


def parse_confirm(
    settings: StripeSettings, reference: str, response: Response
) -> Outcome | wire.Elsewhere:
    """Read whether the card is kept."""
    if response.status != 200:
        refused = refusal(settings, response, money_may_move=False, reference=reference, done=TAKEN)
        # A confirmation of ours that is still under way may keep the card.
        return wire.seen(refused, look=response.status == 409 or must_look(refused))
    found = outcome_of(settings, response.json_object(), reference)
    if isinstance(found, NotFound):
        return Unknown(reason="Stripe did not begin to keep the card", reference=reference)
    return found


def build_get(settings: StripeSettings, reference: str) -> Request:
    """Ask for one SetupIntent."""
    query = urlencode([("expand[0]", "payment_method")])
    return get(settings, f"/v1/setup_intents/{named(reference)}?{query}", step="look_up")


def parse_get(settings: StripeSettings, reference: str, response: Response) -> Outcome | NotFound:
    """Read whether the card is kept."""
    return outcome_of(settings, expect_ok(response), reference)


def outcome_of(
    settings: StripeSettings, setup: dict[str, Any], reference: str = ""
) -> Outcome | NotFound:
    """Tell what the state of a SetupIntent means; `NotFound` if it was never confirmed."""
    identity = read_object(settings, setup, "setup_intent", reference)
    match text(setup, "status"):
        case "succeeded":
            card = setup.get("payment_method")
            method = wire.stored_card(
                read_id(setup, "customer"),
                read_id(setup, "payment_method"),
                at(card, "card"),
                holder=text(card, "billing_details", "name"),
            )
            if method is None:
                raise BadResponse("Stripe says that it keeps a card, and not which")
            return Approved(reference=identity, method=method)
        case "processing":
            return Pending(reference=identity)
        case "requires_action":
            return wire.action_of(settings, setup, identity)
        case "canceled":
            return Ended(how=Ending.CANCELED, reference=identity)
        case "requires_payment_method":
            error = setup.get("last_setup_error")
            if error is None:
                return NotFound()
            if not text(error, "code") and not text(error, "type"):
                raise BadResponse("Stripe tells of a failed try, and not what failed")
            return declined(error, identity)
        case "requires_confirmation":
            return NotFound()
        case status:
            return Unknown(reason=f"Stripe says {status[:40]!r}", reference=identity)


# --- From a payment just made -----------------------------------------------------------------


def from_payment(reference: str, paid: Outcome | NotFound) -> Outcome:
    """Tell the card that a payment left with Stripe, if it was asked to leave one."""
    if isinstance(paid, Approved) and paid.method is not None:
        return Approved(
            reference=reference,
            method=paid.method,
            network_transaction_id=paid.network_transaction_id,
        )
    return Rejected(
        cause=RejectCause.STATE,
        retryable=False,
        message="Stripe keeps the card of a payment only if it was made with save_method=True, "
        "and once it has succeeded; let the payer give the card again",
        reference=reference,
    )


def build_get_payment(settings: StripeSettings, reference: str) -> Request:
    """Ask for the payment whose card is to be kept."""
    return wire.build_get(settings, reference)


def parse_get_payment(
    settings: StripeSettings, reference: str, response: Response
) -> Outcome | NotFound:
    """Read the payment, whatever its amount."""
    intent = wire.read_intent(settings, expect_ok(response), reference)
    return wire.outcome_of(settings, intent)


# --- Forget it ----------------------------------------------------------------------------------


def build_detach(settings: StripeSettings, forgetting: Forgetting) -> Request:
    """Take the card off its customer, after which nobody can charge it."""
    path = f"/v1/payment_methods/{card_of(forgetting.token)}/detach"
    return post(settings, path, [], key=forgetting.key, step="forget")


def parse_detach(settings: StripeSettings, response: Response) -> Outcome | wire.Elsewhere:
    """Read whether it is forgotten."""
    if response.status != 200:
        refused = refusal(settings, response, money_may_move=False)
        return wire.seen(refused, look=response.status in (400, 409) or must_look(refused))
    found = detached_of(settings, response)
    return found or Unknown(reason="Stripe detached a card and shows it attached")


def build_get_card(settings: StripeSettings, forgetting: Forgetting) -> Request:
    """Ask whether somebody else forgot it before."""
    path = f"/v1/payment_methods/{card_of(forgetting.token)}"
    return get(settings, path, step="look_up")


def detached_of(settings: StripeSettings, response: Response) -> Approved | None:
    """Tell whether a card belongs to nobody."""
    card = expect_ok(response)
    read_object(settings, card, "payment_method")
    return Approved() if not read_id(card, "customer") else None


def card_of(token: StoredToken) -> str:
    """Read the PaymentMethod out of a stored token, or raise `Unsupported`."""
    card = token.value.reveal().rpartition("/")[2]
    if not ID.fullmatch(card):
        raise Unsupported("that is no card that the Stripe driver stored")
    return card
