"""PaymentIntents: cards that are charged, held, captured and released.

A charge by a token is two requests. The first creates a PaymentIntent with our
ids on it and names the card; the second confirms it, and only that moves money.
One request could do both, and would save a round trip. But if its answer were
lost we would not know the intent's name, and Stripe cannot be searched by our
ids in time: the search lags by a minute or more. Nor could it be sent again,
because the token is not kept. With two, the name is in the ledger before money
can move, so every unknown ends in one GET. A lost first request has harmed
nobody: an intent that nobody confirms is never charged.

A charge of a stored card is one request. Its body can be built again, so that a
lost answer is had by repeating it under the same key, as long as Stripe keeps
the key; and at any time it is in the list of the card's customer, whose name is
in the ledger before the request leaves.

What follows a charge notes the name of what it is about before it is sent, for
the same reason: a capture or a cancelling shows in its intent.

Every answer is checked against what was asked: kind of object, id, amount,
currency, and whether the money is real.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from paygate.driver import (
    Approved,
    Authorized,
    BadResponse,
    ChargeReason,
    Ended,
    Ending,
    Fields,
    Kind,
    Movement,
    MovementKind,
    Note,
    NotFound,
    RejectCause,
    Rejected,
    StoredToken,
    Unknown,
    Unsupported,
    filled,
    listed,
    read_pages,
)
from paygate.drivers.stripe import cards, codes, intents, refunds, wire
from paygate.drivers.stripe.codes import AMOUNTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.driver import (
        Capture,
        Charge,
        Dialogue,
        Finding,
        Form,
        Inquiry,
        Method,
        Money,
        Outcome,
        Request,
    )
    from paygate.drivers.stripe.settings import StripeSettings
    from paygate.drivers.stripe.wire import Api

MOVED_ON: Final = "payment_intent_unexpected_state"
"""The code of a request that fits no intent in this state."""

LEFT: Final = "Stripe left the charge at {status}"

MOVED: Final = (400,)
"""The status of such a request."""

_OFF_SESSION: Final[Mapping[ChargeReason | None, str]] = {
    ChargeReason.RECURRING: "recurring",
    ChargeReason.INSTALLMENT: "recurring",
    ChargeReason.UNSCHEDULED: "one_off",
}
"""How Stripe calls a charge without the payer, which is "true" if we do not know more."""


# --- What is charged ------------------------------------------------------------------


def check(charge: Charge) -> None:
    """Raise `Unsupported` for what Stripe, or this driver, cannot charge."""
    AMOUNTS.whole(charge.amount)
    if charge.kind is not Kind.CARD:
        raise Unsupported(f"the Stripe driver charges cards, not {charge.kind}")
    check_shipping(charge)
    intents.method_form(charge.method)


def check_shipping(charge: Charge) -> None:
    """Raise `Unsupported` for a recipient without what Stripe wants of one."""
    recipient = charge.ship_to
    if recipient is not None and not (recipient.name and recipient.address.line1):
        raise Unsupported("Stripe wants a name and the first line of an address in ship_to")


def _created(charge: Charge, *, hold: bool) -> Form:
    return [
        ("amount", str(AMOUNTS.whole(charge.amount))),
        ("currency", charge.amount.currency.lower()),
        # Without it Stripe offers every method of the account, and then wants a return_url.
        ("payment_method_types[0]", "card"),
        *intents.method_form(charge.method),
        *wire.our_ids(charge.payment, charge.our_ref),
        *([("capture_method", "manual")] if hold else []),
        *([("payment_method_options[card][moto]", "true")] if charge.moto else []),
        *described(charge),
    ]


def described(charge: Charge, within: str = "") -> Form:
    """Write what a payment is for, and what the host wants to be kept with it and shown."""
    metadata = wire.inside(within, "metadata")
    recipient, kept = charge.ship_to, charge.metadata.items()
    return [
        *filled(
            {
                f"{metadata}[paygate_invoices]": listed(charge.invoices, wire.METADATA_MAX),
                wire.inside(within, "description"): charge.description[:1000],
                wire.inside(within, "statement_descriptor_suffix"): charge.statement_suffix,
                wire.inside(within, "receipt_email"): charge.receipt_email,
            }
        ),
        *((f"{metadata}[{name}]", fact[: wire.METADATA_MAX]) for name, fact in kept),
        *(wire.person(recipient, wire.inside(within, "shipping")) if recipient else []),
    ]


def _confirmed(settings: StripeSettings, charge: Charge) -> Form:
    form = wire.expand("latest_charge")
    if not charge.payer_present:
        form.append(("off_session", _OFF_SESSION.get(charge.reason, "true")))
    elif charge.return_url:
        form.append(("return_url", charge.return_url))
    elif settings.decline_if_authentication_is_needed:
        form.append(("error_on_requires_action", "true"))
    return form


# --- Charge it, or hold it ------------------------------------------------------------


def charge_token(api: Api, charge: Charge, *, hold: bool) -> Dialogue[Outcome]:
    """Name amount, card and our ids, and confirm: nothing is charged before."""
    form = _created(charge, hold=hold)
    if charge.store_method:
        customer = yield from cards.customer_of(
            api, charge.key, charge.payer, charge.customer_reference
        )
        if not isinstance(customer, str):
            return customer
        form += [("customer", customer), ("setup_future_usage", "off_session")]
    created = yield from api.create("payment_intents", form, key=charge.key, step="create")
    if not isinstance(created, Fields):
        return created
    reference = _identify(api, created, asked=charge.amount)
    form = _confirmed(api.settings, charge)
    return (yield from _confirm(api, charge.amount, reference, form, charge.key, "confirm"))


def complete(api: Api, asked: Money, reference: str, key: str) -> Dialogue[Outcome]:
    """Confirm an intent that the payer approved and that waits for us."""
    return _confirm(api, asked, reference, wire.expand("latest_charge"), key, "complete")


def _confirm(
    api: Api, asked: Money, reference: str, form: Form, key: str, step: str
) -> Dialogue[Outcome]:
    """Charge the card, or find out what became of the intent without it."""

    def read(told: Fields, refusal: Rejected | None) -> Finding:
        finding = outcome_of(api, told, reference, asked)
        if isinstance(finding, NotFound) and refusal and refusal.raw_code == MOVED_ON:
            return Unknown(reason="Stripe refused to confirm a new intent", reference=reference)
        return finding

    return api.change(
        wire.INTENT,
        reference,
        "confirm",
        form,
        read,
        key=key,
        step=step,
        moves_money=True,
        left=LEFT,
        done=wire.BEGUN,
        replays=True,
        note=step == "confirm",
    )


def charge_stored(api: Api, charge: Charge, *, hold: bool) -> Dialogue[Outcome]:
    """Create and confirm at once; the same body can be built again as long as the key lives."""
    customer, asked = customer_of(charge.method), charge.amount
    if customer:
        yield Note(customer)
    form: Form = [
        ("confirm", "true"),
        *_created(charge, hold=hold),
        *_confirmed(api.settings, charge),
    ]

    def look(_: object) -> Dialogue[Finding]:
        query = [("customer", wire.named(customer)), ("limit", str(wire.PAGE)), *_WITH_CHARGES]
        page = yield from api.ask("payment_intents", query, step="scan")
        return _furthest(api, _made_for(charge.our_ref, page)[0], asked)

    response = yield api.post(
        "payment_intents", form, key=charge.key, step="charge", moves_money=True
    )
    outcome = yield from api.settle(
        response,
        lambda told, _: outcome_of(api, told, asked=asked),
        look if customer else None,
        left=LEFT,
        moves_money=True,
        done=wire.BEGUN,
    )
    if not wire.is_outdated(outcome, response):
        return outcome
    found = yield from api.find(
        wire.INTENT, outcome.reference, lambda told: outcome_of(api, told, asked=asked)
    )
    return outcome if isinstance(found, NotFound) else found


def customer_of(method: Method | None) -> str:
    """Return the customer whom a stored card is attached to; empty if it names none."""
    return method.value.reveal().rpartition("/")[0] if isinstance(method, StoredToken) else ""


# --- Capture what it holds, or release it ---------------------------------------------


def check_capture(capture: Capture) -> None:
    """Raise `Unsupported` for a capture that Stripe would understand otherwise."""
    AMOUNTS.whole(capture.amount)
    if not capture.final:
        raise Unsupported(
            "Stripe captures once and releases the rest; capture the whole amount with final=True"
        )


def capture(api: Api, capture: Capture) -> Dialogue[Outcome]:
    """Take the amount; Stripe releases the rest."""
    reference, asked = capture.reference, capture.amount

    def read(told: Fields, refusal: Rejected | None) -> Finding:
        found = captured_of(api, told, reference, asked)
        ran_out = refusal is not None and refusal.raw_code in codes.HOLD_OVER
        return replace(found, how=Ending.EXPIRED) if ran_out and isinstance(found, Ended) else found

    form = [("amount_to_capture", str(AMOUNTS.whole(asked))), *wire.expand("latest_charge")]
    return api.change(
        wire.INTENT,
        reference,
        "capture",
        form,
        read,
        left="Stripe answered a capture with a hold",
        key=capture.key,
        moves_money=True,
        look_at=MOVED,
    )


def captured_of(api: Api, told: Fields, reference: str, asked: Money) -> Finding:
    """Return what an intent says of a capture; `NotFound` if it still only holds the amount."""
    _identify(api, told, reference, currency=asked.currency)
    match told.text("status"):
        case "succeeded":
            return _approved(told, captured=asked)
        case "requires_capture":
            return NotFound()
        case "canceled":
            return intents.canceled(told, reference)
        case status:
            return intents.new_state(status, reference)


def cancel(
    api: Api, reference: str, key: str, *, step: str, moves_money: bool
) -> Dialogue[Outcome]:
    """Release what is held, or withdraw what nobody paid; if Stripe refuses, look why."""

    def read(told: Fields, refusal: Rejected | None) -> Finding:
        found, status = canceled_of(api, told, reference), told.text("status")
        if refusal is None or isinstance(found, Approved) or status not in wire.TAKEN:
            return found
        why = f"Stripe has taken the money (the intent is {status}); refund it instead"
        return replace(
            refusal, cause=RejectCause.STATE, retryable=False, raw_code=MOVED_ON, message=why
        )

    return api.change(
        wire.INTENT,
        reference,
        "cancel",
        [],
        read,
        left="Stripe canceled an intent and shows it alive",
        key=key,
        step=step,
        moves_money=moves_money,
        look_at=MOVED,
    )


def canceled_of(api: Api, told: Fields, reference: str) -> Finding:
    """Return whether an intent is canceled, by whomever; `NotFound` if it is not."""
    _identify(api, told, reference)
    return Approved(reference=reference) if told.text("status") == "canceled" else NotFound()


# --- Find it --------------------------------------------------------------------------


def find_with_refunds(api: Api, reference: str, asked: Money) -> Dialogue[Finding]:
    """Find a payment, and what somebody sent back of it in the dashboard."""
    told = yield from api.look(wire.INTENT, reference)
    finding, charge = outcome_of(api, told, reference, asked), told.at("latest_charge")
    refunded, captured = charge.whole("amount_refunded", 0), charge.value("amount_captured")
    # A charge that was captured in part shows what was released as refunded, though no
    # money moved, so only the refunds of one that was captured whole are asked for.
    if not isinstance(finding, Approved) or refunded <= 0 or captured != charge.value("amount"):
        return finding
    made = yield from refunds.listed_of(api, wire.read_id(told, "latest_charge"))
    moved = [each for refund in made for each in refunds.movements_of(refund)]
    return replace(finding, movements=(*finding.movements, *moved))


_WITH_CHARGES: Final = [("expand[0]", "data.latest_charge")]


def scan(api: Api, inquiry: Inquiry, customer: str = "") -> Dialogue[Finding]:
    """Find the intent with our reference among those of the time, or of a customer at that time."""
    of_customer = [("customer", wire.named(customer))] if customer else []

    def build(after: str) -> Request:
        query = [*wire.scanned(inquiry, after), *_WITH_CHARGES, *of_customer]
        return api.get("payment_intents", query, step="scan")

    listing = yield from read_pages(
        "", build, lambda response: _made_for(inquiry.our_ref, wire.expect_ok(response))
    )
    if not listing.complete:
        return Unknown(reason="too many payments of that hour to find this one among them")
    return _furthest(api, listing.entries, inquiry.amount)


def _made_for(our_ref: str, page: Fields) -> tuple[list[Fields], str | None]:
    """Return the intents of a page that carry our reference, and the last id if more follow."""
    entries, last = wire.read_page(page)
    return [each for each in entries if each.text(wire.OURS, "") == our_ref], last


_FURTHEST: Final = ("succeeded", "requires_capture", "processing", "requires_action")


def _furthest(api: Api, found: list[Fields], asked: Money) -> Finding:
    """Return the outcome of the intent that got furthest: one key makes one, for 24 hours."""
    for each in found:
        _identify(api, each, asked=asked)
    by_status = {each.text("status"): each for each in reversed(found)}
    furthest = next((by_status[each] for each in _FURTHEST if each in by_status), None)
    if furthest is None:
        return outcome_of(api, found[0], asked=asked) if found else NotFound()
    return outcome_of(api, furthest, asked=asked)


# --- Keep its card --------------------------------------------------------------------


def keep_card(api: Api, reference: str) -> Dialogue[Outcome]:
    """Return the card that a payment left with Stripe, if it was asked to leave one."""
    yield Note(reference)
    kept = yield from find_kept_card(api, reference)
    if not isinstance(kept, NotFound):
        return kept
    return Rejected(
        cause=RejectCause.STATE,
        retryable=False,
        message="Stripe keeps the card of a payment only if it was made with save_method=True, "
        "and once it has succeeded; let the payer give the card again",
        reference=reference,
    )


def find_kept_card(api: Api, reference: str) -> Dialogue[Approved | NotFound]:
    """Find the card that a payment left with Stripe; `NotFound` if it left none."""
    paid = yield from api.find(
        wire.INTENT, reference, lambda told: outcome_of(api, told, reference)
    )
    if not isinstance(paid, Approved) or paid.method is None:
        return NotFound()
    network = paid.network_transaction_id
    return Approved(reference=reference, method=paid.method, network_transaction_id=network)


# --- A PaymentIntent, and what its state means ----------------------------------------


def _identify(
    api: Api, told: Fields, reference: str = "", *, asked: Money | None = None, currency: str = ""
) -> str:
    """Return the id of an intent, or raise `BadResponse` if it is not the one asked for."""
    identity = api.identify(told, "payment_intent", reference)
    theirs = told.text("currency", "").upper()
    if asked and (told.whole("amount"), theirs) != (AMOUNTS.whole(asked), asked.currency):
        raise BadResponse("Stripe names another amount or currency than was asked for")
    if theirs not in AMOUNTS.currencies or currency not in ("", theirs):
        raise BadResponse("Stripe names another currency than was asked for")
    return identity


def outcome_of(api: Api, told: Fields, reference: str = "", asked: Money | None = None) -> Finding:
    """Return what the state of an intent means; `NotFound` if it was never confirmed."""
    reference = _identify(api, told, reference, asked=asked)
    match told.text("status"):
        case "succeeded":
            return _approved(told)
        case "requires_capture":
            return _authorized(told)
        case _:
            return intents.unfinished(api.settings, told, reference)


def _approved(told: Fields, captured: Money | None = None) -> Approved:
    charge = wire.read_id(told, "latest_charge")
    if not charge:
        raise BadResponse("Stripe says that money moved, and does not name the charge")
    held = captured is not None or told.value("capture_method") == "manual"
    movement = Movement(
        movement_id=charge,
        amount=_received(told, captured, held=held),
        kind=MovementKind.CAPTURE if held else MovementKind.CHARGE,
        effective=None if held else told.instant("latest_charge.created", None),
    )
    if not movement.amount.minor:
        raise BadResponse("Stripe says that money moved, and that it is none")
    return Approved(reference=told.id("id"), movements=(movement,), **_of_card(told))


def _received(told: Fields, captured: Money | None, *, held: bool) -> Money:
    """Return how much came; Stripe's schema does not promise that it is told."""
    if "amount_received" in told:
        return _amount(told, "amount_received")
    if told.value("latest_charge.amount_captured") is not None:
        return _amount(told, "latest_charge.amount_captured")
    if captured is not None:
        return captured  # what we said to capture, and Stripe took no other way
    if held:
        raise BadResponse("Stripe says that a hold was captured, and not how much of it")
    return _amount(told, "amount")


def _amount(told: Fields, path: str) -> Money:
    return AMOUNTS.read_whole(told, path, told.text("currency").upper())


def _authorized(told: Fields) -> Authorized:
    # As with amount_received: if it is not told, nobody captured a part, so all is held.
    held = "amount_capturable" if "amount_capturable" in told else "amount"
    return Authorized(
        amount=_amount(told, held),
        reference=told.id("id"),
        expires_at=told.instant(f"{_CARD}.capture_before", None),
        **_of_card(told),
    )


_CARD: Final = "latest_charge.payment_method_details.card"


def _of_card(told: Fields) -> dict[str, Any]:
    """Return what an outcome tells of the card; Stripe kept it if it was asked to."""
    card = told.at(_CARD)
    network = card.text("network_transaction_id", "")
    kept = told.text("setup_future_usage", "") and cards.stored_card(
        wire.read_id(told, "customer"),
        wire.read_id(told, "payment_method"),
        card,
        holder=told.text("latest_charge.billing_details.name", ""),
        network_transaction_id=network,
    )
    return {
        "method": kept or None,
        "network_transaction_id": network,
        "method_facts": codes.facts_of(card),
        "checks": codes.checks_of(card),
    }
