"""PaymentIntents: what we build, and what we read, in the order of Stripe's manual.

Every answer is checked against what was asked: kind of object, id, amount,
currency, and whether the money is real.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlencode

from paygate.driver import (
    AccountFacts,
    ActionRequired,
    Approved,
    Authorized,
    BadResponse,
    ChargeReason,
    Ended,
    Ending,
    Kind,
    Movement,
    MovementKind,
    NotFound,
    OneTimeToken,
    Pending,
    Redirect,
    RejectCause,
    Rejected,
    ScriptStep,
    Secret,
    StoredMethod,
    StoredToken,
    Unknown,
    Unsupported,
    brand_of,
    listed,
)
from paygate.drivers.stripe import codes
from paygate.drivers.stripe.codes import AMOUNTS
from paygate.drivers.stripe.messages import (
    BEGUN,
    ID,
    METADATA_MAX,
    PAGE,
    TAKEN,
    TOKEN,
    at,
    check_live,
    checks_of,
    declined,
    expect_ok,
    expiry_of,
    facts_of,
    get,
    inside,
    instant,
    long_text,
    must_look,
    named,
    our_ids,
    person,
    post,
    read_id,
    read_object,
    read_page,
    refusal,
    scanned,
    text,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.driver import (
        Capture,
        Charge,
        Form,
        Inquiry,
        Method,
        Money,
        Outcome,
        Request,
        Response,
    )
    from paygate.drivers.stripe.settings import StripeSettings

STRIPE_JS: Final = "https://js.stripe.com/v3/"
"""The processor's own form, where `handleNextAction` continues an intent by its client secret."""


MOVED_ON: Final = "payment_intent_unexpected_state"
"""The code of a request that fits no intent in this state."""

_OFF_SESSION: Final[Mapping[ChargeReason | None, str]] = {
    ChargeReason.RECURRING: "recurring",
    ChargeReason.INSTALLMENT: "recurring",
    ChargeReason.UNSCHEDULED: "one_off",
}
"""How Stripe calls a charge without the payer, which is "true" if we do not know more."""


# --- Create a PaymentIntent -----------------------------------------------------------------


def check(charge: Charge) -> None:
    """Raise `Unsupported` for what Stripe, or this driver, cannot charge."""
    AMOUNTS.whole(charge.amount)
    if charge.kind is not Kind.CARD:
        raise Unsupported(f"the Stripe driver charges cards, not {charge.kind}")
    check_shipping(charge)
    method_form(charge.method)


def check_shipping(charge: Charge) -> None:
    """Raise `Unsupported` for a recipient without what Stripe wants of one."""
    recipient = charge.ship_to
    if recipient is not None and not (recipient.name and recipient.address.line1):
        raise Unsupported("Stripe wants a name and the first line of an address in ship_to")


def build_create(
    settings: StripeSettings, charge: Charge, *, hold: bool = False, customer: str = ""
) -> Request:
    """Name amount, card and our ids; nothing is charged until it is confirmed."""
    form = _created(charge, hold=hold)
    if customer:
        form += [("customer", customer), ("setup_future_usage", "off_session")]
    return post(settings, "/v1/payment_intents", form, key=charge.key, step="create")


def _created(charge: Charge, *, hold: bool) -> Form:
    form: Form = [
        ("amount", str(AMOUNTS.whole(charge.amount))),
        ("currency", charge.amount.currency.lower()),
        # Without it Stripe offers every method of the account, and then wants a return_url.
        ("payment_method_types[0]", "card"),
        *method_form(charge.method),
        *our_ids(charge.payment, charge.our_ref),
    ]
    if hold:
        form.append(("capture_method", "manual"))
    if charge.moto:
        form.append(("payment_method_options[card][moto]", "true"))
    if charge.invoices:
        form.append(("metadata[paygate_invoices]", listed(charge.invoices, METADATA_MAX)))
    if charge.description:
        form.append(("description", charge.description[:1000]))
    return form + of_the_host(charge)


def of_the_host(charge: Charge, within: str = "") -> Form:
    """Write what the host wants to be kept with a payment, and to be shown to the payer."""
    facts = [
        ("statement_descriptor_suffix", charge.statement_suffix),
        ("receipt_email", charge.receipt_email),
    ]
    form: Form = [(inside(within, name), fact) for name, fact in facts if fact]
    for name, fact in charge.metadata.items():
        form.append((inside(within, "metadata") + f"[{name}]", fact[:METADATA_MAX]))
    if charge.ship_to is not None:
        form += person(charge.ship_to, inside(within, "shipping"))
    return form


def parse_create(settings: StripeSettings, charge: Charge, response: Response) -> Intent | Outcome:
    """Read the new intent, or why there is none."""
    if response.status != 200:
        return refusal(settings, response, money_may_move=False)
    return read_intent(settings, response.json_object(), asked=charge.amount)


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
    if not all(TOKEN.fullmatch(value) for _, value in form):
        raise Unsupported("that is no id of a Stripe PaymentMethod (pm_…)")
    return form


def customer_of(method: Method | None) -> str:
    """Return the customer whom a stored card is attached to; empty if it names none."""
    return method.value.reveal().rpartition("/")[0] if isinstance(method, StoredToken) else ""


# --- Create and confirm it at once -----------------------------------------------------------


def build_charge(settings: StripeSettings, charge: Charge, *, hold: bool = False) -> Request:
    """Charge a stored card; the same body can be built again as long as the key lives."""
    form = [("confirm", "true"), *_created(charge, hold=hold), *_confirmed(settings, charge)]
    return post(
        settings, "/v1/payment_intents", form, key=charge.key, step="charge", moves_money=True
    )


def parse_charge(
    settings: StripeSettings, charge: Charge, response: Response
) -> Outcome | Elsewhere:
    """Read what became of the charge of a stored card."""
    if response.status != 200:
        refused = refusal(settings, response, money_may_move=True, done=BEGUN)
        return seen(refused, look=must_look(refused))
    intent = read_intent(settings, response.json_object(), asked=charge.amount)
    return _begun(settings, intent)


# --- Confirm it ---------------------------------------------------------------------------------


def build_confirm(settings: StripeSettings, charge: Charge, reference: str) -> Request:
    """Charge the card."""
    form = _confirmed(settings, charge)
    path = f"/v1/payment_intents/{reference}/confirm"
    return post(settings, path, form, key=charge.key, step="confirm", moves_money=True)


def _confirmed(settings: StripeSettings, charge: Charge) -> Form:
    form: Form = [("expand[0]", "latest_charge")]
    if not charge.payer_present:
        form.append(("off_session", _OFF_SESSION.get(charge.reason, "true")))
    elif charge.return_url:
        form.append(("return_url", charge.return_url))
    elif settings.decline_if_authentication_is_needed:
        form.append(("error_on_requires_action", "true"))
    return form


def parse_confirm(
    settings: StripeSettings, asked: Money, reference: str, response: Response
) -> Outcome | Elsewhere:
    """Read what became of the charge."""
    if response.status != 200:
        refused = refusal(settings, response, money_may_move=True, reference=reference, done=BEGUN)
        return seen(refused, look=must_look(refused))
    return _begun(settings, read_intent(settings, response.json_object(), reference, asked=asked))


def _begun(settings: StripeSettings, intent: Intent) -> Outcome:
    """Return what became of an intent that was confirmed with this very request."""
    finding = outcome_of(settings, intent)
    if isinstance(finding, NotFound):
        return Unknown(reason=f"Stripe left the charge at {intent.status}", reference=intent.id)
    return finding


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The object is not where we left it; what it is now is the answer, or else the *refusal*.

    Usually a repetition of ours, whose first sending worked; or the object was locked, so that
    nothing was done with it this time.
    """

    refusal: Rejected

    def unless_moved(self, found: Outcome | NotFound) -> Outcome:
        """Return what the object is by now; the refusal, if it is where it was."""
        return self.refusal if isinstance(found, NotFound) else found


def seen(refused: Outcome, *, look: bool) -> Outcome | Elsewhere:
    """Return a refusal as it is, or, with *look*, what must be looked at first."""
    return Elsewhere(refused) if look and isinstance(refused, Rejected) else refused


# --- Complete it, after the payer came back --------------------------------------------------


def build_complete(settings: StripeSettings, key: str, reference: str) -> Request:
    """Confirm an intent that the payer approved and that waits for us."""
    path = f"/v1/payment_intents/{named(reference)}/confirm"
    form = [("expand[0]", "latest_charge")]
    return post(settings, path, form, key=key, step="complete", moves_money=True)


# --- Capture what it holds ---------------------------------------------------------------------


def check_capture(capture: Capture) -> None:
    """Raise `Unsupported` for a capture that Stripe would understand otherwise."""
    AMOUNTS.whole(capture.amount)
    if not capture.final:
        raise Unsupported(
            "Stripe captures once and releases the rest; capture the whole amount with final=True"
        )


def build_capture(settings: StripeSettings, capture: Capture) -> Request:
    """Take the amount; Stripe releases the rest."""
    path = f"/v1/payment_intents/{named(capture.reference)}/capture"
    form = [
        ("amount_to_capture", str(AMOUNTS.whole(capture.amount))),
        ("expand[0]", "latest_charge"),
    ]
    return post(settings, path, form, key=capture.key, step="capture", moves_money=True)


def parse_capture(
    settings: StripeSettings, capture: Capture, response: Response
) -> Outcome | Elsewhere:
    """Read what was captured."""
    if response.status != 200:
        return _followed(settings, response, capture.reference)
    captured = captured_of(settings, capture.amount, capture.reference, response)
    if isinstance(captured, NotFound):
        return Unknown(reason="Stripe answered a capture with a hold", reference=capture.reference)
    return captured


def captured_of(
    settings: StripeSettings, asked: Money, reference: str, response: Response
) -> Outcome | NotFound:
    """Tell what an intent says of a capture; `NotFound` if it still only holds the amount."""
    told = expect_ok(response)
    intent = read_intent(settings, told, reference, currency=asked.currency, held=True)
    match intent.status:
        case "succeeded":
            return _approved(intent, captured=asked)
        case "canceled":
            return _closed(intent)
        case "requires_capture":
            return NotFound()
        case _:
            return Unknown(reason=f"Stripe says {intent.status[:40]!r}", reference=reference)


# --- Cancel it ----------------------------------------------------------------------------------


def build_cancel(
    settings: StripeSettings, key: str, reference: str, *, step: str, moves_money: bool
) -> Request:
    """Release what is held, or withdraw what nobody paid."""
    path = f"/v1/payment_intents/{named(reference)}/cancel"
    return post(settings, path, [], key=key, step=step, moves_money=moves_money)


def parse_cancel(
    settings: StripeSettings, reference: str, response: Response, *, money_may_move: bool
) -> Outcome | Elsewhere:
    """Read whether it is canceled."""
    if response.status != 200:
        return _followed(settings, response, reference, money_may_move=money_may_move)
    canceled = canceled_of(settings, reference, response)
    if isinstance(canceled, NotFound):
        return Unknown(reason="Stripe canceled an intent and shows it alive", reference=reference)
    return canceled


def canceled_of(
    settings: StripeSettings, reference: str, response: Response
) -> Approved | NotFound:
    """Tell whether an intent is canceled, by whomever; `NotFound` if it is not."""
    intent = read_intent(settings, expect_ok(response), reference)
    return Approved(reference=reference) if intent.status == "canceled" else NotFound()


def still_alive(settings: StripeSettings, reference: str, response: Response) -> Rejected | None:
    """Tell why an intent cannot be canceled: its money was taken, or is on its way."""
    intent = read_intent(settings, expect_ok(response), reference)
    if intent.status not in TAKEN:
        return None
    return Rejected(
        cause=RejectCause.STATE,
        retryable=False,
        raw_code=MOVED_ON,
        message=f"Stripe has taken the money (the intent is {intent.status}); refund it instead",
        reference=reference,
    )


def _followed(
    settings: StripeSettings, response: Response, reference: str, *, money_may_move: bool = True
) -> Outcome | Elsewhere:
    """Read a refusal to do something with an intent, which may be due to what it is by now."""
    refused = refusal(
        settings, response, money_may_move=money_may_move, reference=reference, done=TAKEN
    )
    return seen(refused, look=response.status == 400 or must_look(refused))


# --- Look it up --------------------------------------------------------------------------------


def build_get(settings: StripeSettings, reference: str, *expand: str) -> Request:
    """Ask for one intent."""
    names = ("latest_charge", *expand)
    query = urlencode([(f"expand[{number}]", name) for number, name in enumerate(names)])
    return get(settings, f"/v1/payment_intents/{named(reference)}?{query}", step="look_up")


def parse_get(
    settings: StripeSettings, asked: Money, reference: str, response: Response
) -> Outcome | NotFound:
    """Read the state of one intent; an inquiry that is refused finds nothing out."""
    intent = read_intent(settings, expect_ok(response), reference, asked=asked)
    return outcome_of(settings, intent)


def parse_refunded(response: Response) -> str:
    """Tell which charge of an intent has refunds to be asked for; empty if none.

    A charge that was captured in part shows what was released as refunded, though no
    money moved, so only one that was captured whole is told.
    """
    charge = at(response.json_object(), "latest_charge")
    refunded, captured = at(charge, "amount_refunded"), at(charge, "amount_captured")
    if type(refunded) is not int or refunded <= 0 or captured != at(charge, "amount"):
        return ""
    return read_id(charge, "id")


def build_list(
    settings: StripeSettings, inquiry: Inquiry, after: str, customer: str = ""
) -> Request:
    """Ask for the intents of the time of *inquiry*, newest first, after the intent *after*."""
    query = [*scanned(inquiry, after), ("expand[0]", "data.latest_charge")]
    if customer:
        query.append(("customer", named(customer)))
    return get(settings, f"/v1/payment_intents?{urlencode(query)}", step="scan")


def build_latest(settings: StripeSettings, customer: str) -> Request:
    """Ask for the newest intents of a customer."""
    query: Form = [
        ("customer", named(customer)),
        ("limit", str(PAGE)),
        ("expand[0]", "data.latest_charge"),
    ]
    return get(settings, f"/v1/payment_intents?{urlencode(query)}", step="scan")


def parse_list(
    settings: StripeSettings, asked: Money, our_ref: str, response: Response
) -> tuple[list[Intent], str]:
    """Read the intents that carry our reference, and the last id if more pages follow."""
    entries, last = read_page(response)
    found = [
        read_intent(settings, cast("dict[str, Any]", entry), asked=asked)
        for entry in entries
        if text(entry, "metadata", "paygate_attempt") == our_ref
    ]
    return found, last


_FURTHEST: Final = ("succeeded", "requires_capture", "processing", "requires_action")


def furthest(settings: StripeSettings, found: list[Intent]) -> Outcome | NotFound:
    """Tell the outcome of the intent that got furthest: one key makes one, for 24 hours."""
    for status in _FURTHEST:
        for intent in found:
            if intent.status == status:
                return outcome_of(settings, intent)
    return outcome_of(settings, found[0]) if found else NotFound()


# --- Are the credentials good? --------------------------------------------------------------------


def build_check(settings: StripeSettings) -> Request:
    """Ask for the balance: every account has one, and it tells test from live."""
    return get(settings, "/v1/balance", step="check")


def parse_check(settings: StripeSettings, response: Response) -> AccountFacts:
    """Read whose money it is, or raise `BadResponse` with what Stripe says against us."""
    balance = expect_ok(response)
    check_live(settings, balance)
    available = balance.get("available")
    currencies = {
        text(entry, "currency").upper()
        for entry in (cast("list[object]", available) if isinstance(available, list) else [])
    }
    return AccountFacts(
        merchant_account=settings.account,
        live=settings.live,
        currencies=tuple(sorted(currencies & AMOUNTS.currencies)),
    )


# --- A PaymentIntent, and what its state means ----------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A PaymentIntent that agrees with what was asked; *held* if its money waits for a capture."""

    id: str
    status: str
    currency: str
    held: bool
    told: dict[str, Any]

    @property
    def charge_id(self) -> str:
        """The id of the charge that moved the money, whether it was expanded or not."""
        return read_id(self.told, "latest_charge")


def read_intent(
    settings: StripeSettings,
    told: dict[str, Any],
    reference: str = "",
    *,
    asked: Money | None = None,
    currency: str = "",
    held: bool = False,
) -> Intent:
    """Read an intent, or raise `BadResponse` where it is not the one that was asked for."""
    identity = read_object(settings, told, "payment_intent", reference)
    status, theirs = text(told, "status"), text(told, "currency").upper()
    if not status:
        raise BadResponse("Stripe tells of a PaymentIntent without its state")
    if asked is not None and (whole(told, "amount"), theirs) != (
        AMOUNTS.whole(asked),
        asked.currency,
    ):
        raise BadResponse("Stripe names another amount or currency than was asked for")
    if theirs not in AMOUNTS.currencies or currency not in ("", theirs):
        raise BadResponse("Stripe names another currency than was asked for")
    held = held or told.get("capture_method") == "manual"
    return Intent(id=identity, status=status, currency=theirs, held=held, told=told)


def outcome_of(settings: StripeSettings, intent: Intent) -> Outcome | NotFound:
    """Tell what the state of *intent* means; `NotFound` if it was never confirmed."""
    match intent.status:
        case "succeeded":
            return _approved(intent)
        case "processing":
            return Pending(reference=intent.id)
        case "requires_capture":
            return _authorized(intent)
        case "requires_action":
            return action_of(settings, intent.told, intent.id)
        case "canceled":
            return _closed(intent)
        case "requires_payment_method":
            # A declined try puts the intent back to the beginning, and only this tells it.
            error = intent.told.get("last_payment_error")
            if error is None:
                return NotFound()
            if not text(error, "code") and not text(error, "type"):
                raise BadResponse("Stripe tells of a failed try, and not what failed")
            return declined(error, intent.id)
        case "requires_confirmation":
            return NotFound()
        case _:
            return Unknown(reason=f"Stripe says {intent.status[:40]!r}", reference=intent.id)


def _approved(intent: Intent, captured: Money | None = None) -> Approved:
    if not ID.fullmatch(intent.charge_id):
        raise BadResponse("Stripe says that money moved, and does not name the charge")
    received = _received(intent, captured)
    if not received.minor:
        raise BadResponse("Stripe says that money moved, and that it is none")
    charge = intent.told.get("latest_charge")
    return Approved(
        reference=intent.id,
        movements=(
            Movement(
                movement_id=intent.charge_id,
                amount=received,
                kind=MovementKind.CAPTURE if intent.held else MovementKind.CHARGE,
                effective=None if intent.held else instant(charge, "created"),
            ),
        ),
        method=_stored(intent),
        network_transaction_id=text(charge, *CARD, "network_transaction_id"),
        method_facts=facts_of(at(charge, *CARD)),
        checks=checks_of(at(charge, *CARD)),
    )


def _received(intent: Intent, captured: Money | None) -> Money:
    """Read how much came; Stripe's schema does not promise that it is told."""
    told = intent.told
    if "amount_received" in told:
        return AMOUNTS.of_whole(intent.currency, whole(told, "amount_received"))
    if at(told, "latest_charge", "amount_captured") is not None:
        return AMOUNTS.of_whole(intent.currency, whole(told, "latest_charge", "amount_captured"))
    if captured is not None:
        return captured  # what we said to capture, and Stripe took no other way
    if intent.held:
        raise BadResponse("Stripe says that a hold was captured, and not how much of it")
    return AMOUNTS.of_whole(intent.currency, whole(told, "amount"))


def _authorized(intent: Intent) -> Authorized:
    # As with amount_received: where it is not told, nobody captured a part, so all is held.
    told = "amount_capturable" if "amount_capturable" in intent.told else "amount"
    charge = intent.told.get("latest_charge")
    return Authorized(
        amount=AMOUNTS.of_whole(intent.currency, whole(intent.told, told)),
        reference=intent.id,
        expires_at=instant(charge, *CARD, "capture_before"),
        method=_stored(intent),
        network_transaction_id=text(charge, *CARD, "network_transaction_id"),
        method_facts=facts_of(at(charge, *CARD)),
        checks=checks_of(at(charge, *CARD)),
    )


def _closed(intent: Intent) -> Ended:
    reason = text(intent.told, "cancellation_reason")
    how = Ending.EXPIRED if reason in codes.RAN_OUT else Ending.CANCELED
    return Ended(how=how, reference=intent.id)


CARD: Final = ("payment_method_details", "card")


def _stored(intent: Intent) -> StoredMethod | None:
    """Tell the card that Stripe kept on the way, which it does where it was asked to."""
    told = intent.told
    if not text(told, "setup_future_usage"):
        return None
    charge = told.get("latest_charge")
    return stored_card(
        read_id(told, "customer"),
        read_id(told, "payment_method"),
        at(charge, *CARD),
        holder=text(charge, "billing_details", "name"),
        network_transaction_id=text(charge, *CARD, "network_transaction_id"),
    )


def stored_card(
    customer: str,
    token: str,
    card: object,
    *,
    holder: str = "",
    network_transaction_id: str = "",
) -> StoredMethod | None:
    """Tell what is known of a card that Stripe keeps; None if it does not say which."""
    if not ID.fullmatch(customer) or not ID.fullmatch(token):
        return None
    month, year = expiry_of(card)
    return StoredMethod(
        token=Secret(f"{customer}/{token}"),
        kind=Kind.CARD,
        brand=brand_of(text(card, "brand")),
        last4=text(card, "last4"),
        expires_month=month,
        expires_year=year,
        holder=holder,
        network_transaction_id=network_transaction_id,
        fingerprint=text(card, "fingerprint"),
        reference=token,
        customer_reference=customer,
    )


def action_of(settings: StripeSettings, told: dict[str, Any], reference: str) -> ActionRequired:
    """Send the payer to the bank's page if Stripe names one, else on in Stripe's script."""
    url = long_text(told, "next_action", "redirect_to_url", "url")
    if url:
        return ActionRequired(action=Redirect(url=safe(settings, url)), reference=reference)
    client_secret = text(told, "client_secret")
    if not client_secret:
        raise BadResponse("Stripe wants the payer to act, and does not say how")
    step = ScriptStep(
        script_url=STRIPE_JS,
        publishable_key=settings.publishable_key,
        client_secret=Secret(client_secret),
    )
    return ActionRequired(action=step, reference=reference)


def safe(settings: StripeSettings, url: str) -> str:
    """Let the payer be sent to *url*, or raise `BadResponse`."""
    if not url.startswith(("https://", f"{settings.api_base}/")):
        raise BadResponse("Stripe sends the payer to an address that is not https")
    return url
