"""PaymentIntents: cards that are charged, held, captured and released.

A charge by a token is two requests. The first creates a PaymentIntent with our ids and the card,
the second confirms it, and only that moves money. One request could do both and would save a round
trip. But if its answer were lost, we would not know the name of the intent: Stripe cannot be
searched by our ids in time, because the search lags by a minute or more, and the request could not
be repeated, because the token is not kept. With two requests the name is in the ledger before money
can move, so every unknown outcome is found with one GET. A lost first request does no harm: an
intent that is never confirmed is never charged.

A charge of a stored card is one request. It can be built again and repeated under the same key
while Stripe keeps the key. At any time it is in the list of the card's customer, whose name is in
the ledger before the request is sent.

A capture or a cancellation shows in its intent, whose name is noted before the request is sent.

Every answer is checked against what was asked for: the kind of object, the id, the amount, the
currency, and whether the money is real.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from paygate import driver
from paygate.driver import filled, listed, read_pages
from paygate.drivers.stripe import cards, codes, intents, refunds, wire
from paygate.drivers.stripe.codes import AMOUNTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.driver import Charge, Dialogue, Fields, Finding, Members, Money, Outcome
    from paygate.drivers.stripe.settings import StripeSettings
    from paygate.drivers.stripe.wire import Api

MOVED_ON: Final = "payment_intent_unexpected_state"
"""The code, with status 400, of a request that the intent's state does not allow."""

LEFT: Final = "Stripe left the charge at {status}"

_WITH_CHARGE: Final[Members] = {"expand": ["latest_charge"]}
_WITH_CHARGES: Final[Members] = {"expand": ["data.latest_charge"]}

_OFF_SESSION: Final[Mapping[driver.ChargeReason | None, str]] = {
    driver.ChargeReason.RECURRING: "recurring",
    driver.ChargeReason.INSTALLMENT: "recurring",
    driver.ChargeReason.UNSCHEDULED: "one_off",
}
"""Stripe's word for a charge without the payer, which is "true" if no more is known."""


# --- What is charged ------------------------------------------------------------------


def check(charge: Charge) -> None:
    """Raise `Unsupported` for what Stripe, or this driver, cannot charge."""
    AMOUNTS.whole(charge.amount)
    if charge.kind is not driver.Kind.CARD:
        raise driver.Unsupported(f"the Stripe driver charges cards, not {charge.kind}")
    check_shipping(charge)
    intents.method_form(charge.method)


def check_shipping(charge: Charge) -> None:
    """Raise `Unsupported` if the recipient lacks what Stripe requires."""
    recipient = charge.ship_to
    if recipient is not None and not (recipient.name and recipient.address.line1):
        raise driver.Unsupported("Stripe needs a name and the first line of an address in ship_to")


def _created(settings: StripeSettings, charge: Charge, *, hold: bool) -> Members:
    return {
        "amount": str(AMOUNTS.whole(charge.amount)),
        "currency": charge.amount.currency.lower(),
        # Without it Stripe offers every method of the account, and then needs a return_url.
        "payment_method_types": ["card"],
        **intents.method_form(charge.method),
        "capture_method": "manual" if hold else "",
        "payment_method_options": {"card": {"moto": "true" if charge.moto else ""}},
        **described(settings, charge),
    }


def described(settings: StripeSettings, charge: Charge) -> Members:
    """Return what a payment is for, and what the host wants to be kept with it and shown."""
    placed = (settings.transfer_fact, settings.fee_fact)
    kept = {
        name: fact[: wire.METADATA_MAX]
        for name, fact in charge.metadata.items()
        if name not in placed
    }
    return {
        **_shared(settings, charge),
        "description": charge.description[:1000],
        "statement_descriptor_suffix": charge.statement_suffix,
        "receipt_email": charge.receipt_email,
        "metadata": {
            **kept,
            **wire.our_ids(charge.payment, charge.our_ref),
            "paygate_invoices": listed(charge.invoices, wire.METADATA_MAX),
        },
        "shipping": wire.person(charge.ship_to) if charge.ship_to else {},
    }


def _shared(settings: StripeSettings, charge: Charge) -> Members:
    """Return who else gets a part of the money (Connect), or raise if that is not valid."""
    account, fee = (
        charge.metadata.get(name, "") if name else ""
        for name in (settings.transfer_fact, settings.fee_fact)
    )
    if account and not codes.ACCOUNT.fullmatch(account):
        raise driver.InvalidValue(f"{settings.transfer_fact} in metadata must be an acct_… id")
    if not fee:
        return {"transfer_data": {"destination": account}}
    amount = driver.Money.of(charge.amount.currency, fee)
    if not 0 < amount.minor <= charge.amount.minor:
        raise driver.InvalidValue(f"the fee is a part of {charge.amount}, and not {amount}")
    if not account and not settings.connected_account:
        raise driver.InvalidValue("a fee needs a connected account, to which the rest belongs")
    whole = str(AMOUNTS.whole(amount))
    return {"transfer_data": {"destination": account}, "application_fee_amount": whole}


def _confirmed(settings: StripeSettings, charge: Charge) -> Members:
    if not charge.payer_present:
        return {**_WITH_CHARGE, "off_session": _OFF_SESSION.get(charge.reason, "true")}
    if charge.return_url:
        return {**_WITH_CHARGE, "return_url": charge.return_url}
    if settings.decline_if_authentication_is_needed:
        return {**_WITH_CHARGE, "error_on_requires_action": "true"}
    return _WITH_CHARGE


# --- Charge it, or hold it ------------------------------------------------------------


def charge_token(api: Api, charge: Charge, *, hold: bool) -> Dialogue[Outcome]:
    """Create an intent with the amount, the card and our ids, and then confirm it."""
    form = _created(api.settings, charge, hold=hold)
    if charge.store_method:
        customer = yield from cards.customer_of(
            api, charge.key, charge.payer, charge.customer_reference
        )
        if not isinstance(customer, str):
            return customer
        form = {**form, "customer": customer, "setup_future_usage": "off_session"}
    created = yield from api.create("payment_intents", form, key=charge.key, step="create")
    if not isinstance(created, driver.Fields):
        return created
    reference = _identify(api, created, asked=charge.amount)
    form = _confirmed(api.settings, charge)
    return (yield from confirm(api, charge.amount, reference, charge.key, "confirm", form))


def confirm(
    api: Api, asked: Money, reference: str, key: str, step: str, form: Members = _WITH_CHARGE
) -> Dialogue[Outcome]:
    """Confirm an intent, which charges the card, or find out what became of it."""

    def read(intent: Fields, refusal: driver.Rejected | None) -> Finding:
        found = outcome_of(api, intent, reference, asked)
        if isinstance(found, driver.NotFound) and refusal and refusal.raw_code == MOVED_ON:
            why = "Stripe refused to confirm a new intent"
            return driver.Unknown(reason=why, reference=reference)
        return found

    return api.change(
        wire.INTENT,
        reference,
        "confirm",
        read,
        form,
        key=key,
        step=step,
        moves_money=True,
        left=LEFT,
        done=wire.BEGUN,
        replays=True,
        note=step == "confirm",
    )


def charge_stored(api: Api, charge: Charge, *, hold: bool) -> Dialogue[Outcome]:
    """Create and confirm at once; the same body can be built again while Stripe keeps the key."""
    customer, asked = _customer_of(charge.method), charge.amount
    if customer:
        yield driver.Note(customer)
    form: Members = {
        "confirm": "true",
        **_created(api.settings, charge, hold=hold),
        **_confirmed(api.settings, charge),
    }

    def read(intent: Fields, _: object = None) -> Finding:
        return outcome_of(api, intent, asked=asked)

    def look(_: object) -> Dialogue[Finding]:
        of_customer = {"customer": wire.named(customer), "limit": str(wire.PAGE)}
        query = {**of_customer, **_WITH_CHARGES}
        page = yield from api.ask("payment_intents", filled(query), step="scan")
        return _furthest(api, _made_for(charge.our_ref, page)[0], asked)

    response = yield api.post(
        "payment_intents", form, key=charge.key, step="charge", moves_money=True
    )
    outcome = yield from api.settle(
        response, read, look if customer else None, left=LEFT, moves_money=True, done=wire.BEGUN
    )
    if not wire.is_outdated(outcome, response):
        return outcome
    found = yield from api.find(wire.INTENT, outcome.reference, read)
    return outcome if isinstance(found, driver.NotFound) else found


def _customer_of(method: driver.Method | None) -> str:
    """Return the customer to whom a stored card is attached; empty if it names none."""
    if not isinstance(method, driver.StoredToken):
        return ""
    return method.value.reveal().rpartition("/")[0]


# --- Capture what it holds, or release it ---------------------------------------------


def check_capture(capture: driver.Capture) -> None:
    """Raise `Unsupported` for a capture that Stripe would treat differently."""
    AMOUNTS.whole(capture.amount)
    if not capture.final:
        raise driver.Unsupported(
            "Stripe captures once and releases the rest; capture the whole amount with final=True"
        )


def capture(api: Api, capture: driver.Capture) -> Dialogue[Outcome]:
    """Capture the amount; Stripe releases the rest."""
    reference, asked = capture.reference, capture.amount

    def read(intent: Fields, refusal: driver.Rejected | None) -> Finding:
        found = captured_of(api, intent, reference, asked)
        expired = refusal is not None and refusal.raw_code in codes.HOLD_OVER
        if expired and isinstance(found, driver.Ended):
            return replace(found, how=driver.Ending.EXPIRED)
        return found

    return api.change(
        wire.INTENT,
        reference,
        "capture",
        read,
        {"amount_to_capture": str(AMOUNTS.whole(asked)), **_WITH_CHARGE},
        left="Stripe answered a capture with a hold",
        key=capture.key,
        moves_money=True,
        look_at=(400,),
    )


def captured_of(api: Api, intent: Fields, reference: str, asked: Money) -> Finding:
    """Return what an intent says about its capture; `NotFound` if it still holds the amount."""
    _identify(api, intent, reference, currency=asked.currency)
    match intent.text("status"):
        case "succeeded":
            return _approved(intent, captured=asked)
        case "requires_capture":
            return driver.NotFound()
        case "canceled":
            return intents.canceled(intent, reference)
        case status:
            return intents.new_state(status, reference)


def cancel(
    api: Api, reference: str, key: str, *, step: str, moves_money: bool
) -> Dialogue[Outcome]:
    """Release what is held, or withdraw what nobody paid; if Stripe refuses, find out why."""

    def read(intent: Fields, refusal: driver.Rejected | None) -> Finding:
        found, status = canceled_of(api, intent, reference), intent.text("status")
        if refusal is None or isinstance(found, driver.Approved) or status not in wire.TAKEN:
            return found
        return driver.Rejected(
            cause=driver.RejectCause.STATE,
            retryable=False,
            raw_code=MOVED_ON,
            message=f"Stripe has taken the money (the intent is {status}); refund it instead",
            reference=refusal.reference,
        )

    return api.change(
        wire.INTENT,
        reference,
        "cancel",
        read,
        left="Stripe canceled an intent and shows it alive",
        key=key,
        step=step,
        moves_money=moves_money,
        look_at=(400,),
    )


def canceled_of(api: Api, intent: Fields, reference: str) -> Finding:
    """Return whether an intent was canceled, by us or by others; `NotFound` if it was not."""
    _identify(api, intent, reference)
    canceled = intent.text("status") == "canceled"
    return driver.Approved(reference=reference) if canceled else driver.NotFound()


# --- Find it --------------------------------------------------------------------------


def find_with_refunds(api: Api, reference: str, asked: Money) -> Dialogue[Finding]:
    """Find a payment and the refunds of it that were made in the dashboard."""
    intent = yield from api.look(wire.INTENT, reference)
    finding, charge = outcome_of(api, intent, reference, asked), intent.at("latest_charge")
    # A charge that was captured in part shows the released rest as refunded, though no money
    # moved, so the refunds are only requested for one that was captured whole.
    whole = charge.value("amount_captured") == charge.value("amount")
    refunded = whole and charge.whole("amount_refunded", 0) > 0
    if not (refunded and isinstance(finding, driver.Approved)):
        return finding
    made = yield from refunds.listed_of(api, wire.read_id(intent, "latest_charge"))
    moved = [each for refund in made for each in refunds.movements_of(refund)]
    return replace(finding, movements=(*finding.movements, *moved))


def scan(api: Api, inquiry: driver.Inquiry, customer: str = "") -> Dialogue[Finding]:
    """Find the intent with our reference among those of the time, or of a customer at that time."""
    of_customer = {"customer": wire.named(customer)} if customer else {}

    def build(after: str) -> driver.Request:
        query = {**wire.scanned(inquiry, after), **_WITH_CHARGES, **of_customer}
        return api.get("payment_intents", filled(query), step="scan")

    listing = yield from read_pages(
        "", build, lambda response: _made_for(inquiry.our_ref, wire.expect_ok(response))
    )
    if not listing.complete:
        return driver.Unknown(reason="too many payments of that hour to find this one among them")
    return _furthest(api, listing.entries, inquiry.amount)


def _made_for(our_ref: str, page: Fields) -> tuple[list[Fields], str | None]:
    """Return the intents of a page that carry our reference, and the last id if more follow."""
    entries, last = wire.read_page(page)
    return [each for each in entries if each.text(wire.OURS, "") == our_ref], last


_FURTHEST: Final = ("succeeded", "requires_capture", "processing", "requires_action")


def _furthest(api: Api, found: list[Fields], asked: Money) -> Finding:
    """Return the outcome of the intent that got furthest: one key makes one only for 24 hours."""
    for each in found:
        _identify(api, each, asked=asked)
    if not found:
        return driver.NotFound()
    by_status = {each.text("status"): each for each in reversed(found)}
    furthest = next((by_status[each] for each in _FURTHEST if each in by_status), found[0])
    return outcome_of(api, furthest, asked=asked)


# --- Keep its card --------------------------------------------------------------------


def keep_card(api: Api, reference: str) -> Dialogue[Outcome]:
    """Return the card that Stripe kept with a payment, if the payment asked for it."""
    yield driver.Note(reference)
    kept = yield from find_kept_card(api, reference)
    if not isinstance(kept, driver.NotFound):
        return kept
    return driver.Rejected(
        cause=driver.RejectCause.STATE,
        retryable=False,
        message="Stripe keeps the card of a payment only if it was made with save_method=True, "
        "and once it has succeeded; let the payer give the card again",
        reference=reference,
    )


def find_kept_card(api: Api, reference: str) -> Dialogue[driver.Approved | driver.NotFound]:
    """Find the card that Stripe kept with a payment; `NotFound` if it kept none."""
    paid = yield from api.find(
        wire.INTENT, reference, lambda intent: outcome_of(api, intent, reference)
    )
    if not isinstance(paid, driver.Approved) or paid.method is None:
        return driver.NotFound()
    network = paid.network_transaction_id
    return driver.Approved(reference=reference, method=paid.method, network_transaction_id=network)


# --- A PaymentIntent, and what its state means ----------------------------------------


def _identify(
    api: Api, intent: Fields, reference: str = "", *, asked: Money | None = None, currency: str = ""
) -> str:
    """Return the id of an intent, or raise `BadResponse` if it is not the one asked for."""
    identity = api.identify(intent, "payment_intent", reference)
    theirs = intent.text("currency", "").upper()
    if asked and (intent.whole("amount"), theirs) != (AMOUNTS.whole(asked), asked.currency):
        raise driver.BadResponse("Stripe names another amount or currency than was asked for")
    if theirs not in AMOUNTS.currencies or currency not in ("", theirs):
        raise driver.BadResponse("Stripe names another currency than was asked for")
    return identity


def outcome_of(
    api: Api, intent: Fields, reference: str = "", asked: Money | None = None
) -> Finding:
    """Return what the state of an intent means; `NotFound` if it was never confirmed."""
    reference = _identify(api, intent, reference, asked=asked)
    match intent.text("status"):
        case "succeeded":
            return _approved(intent)
        case "requires_capture":
            return _authorized(intent)
        case _:
            return intents.unfinished(api.settings, intent, reference)


def _approved(intent: Fields, captured: Money | None = None) -> driver.Approved:
    charge = wire.read_id(intent, "latest_charge")
    if not charge:
        raise driver.BadResponse("Stripe says that money moved, and does not name the charge")
    held = captured is not None or intent.value("capture_method") == "manual"
    movement = driver.Movement(
        movement_id=charge,
        amount=_received(intent, captured, held=held),
        kind=driver.MovementKind.CAPTURE if held else driver.MovementKind.CHARGE,
        effective=None if held else intent.instant("latest_charge.created", None),
    )
    if not movement.amount.minor:
        raise driver.BadResponse("Stripe says that money moved, with an amount of 0")
    return driver.Approved(reference=intent.id("id"), movements=(movement,), **_of_card(intent))


def _received(intent: Fields, captured: Money | None, *, held: bool) -> Money:
    """Return the amount that was received, which Stripe's schema does not require."""
    if "amount_received" in intent:
        return _amount(intent, "amount_received")
    if intent.value("latest_charge.amount_captured") is not None:
        return _amount(intent, "latest_charge.amount_captured")
    if captured is not None:
        return captured  # what we asked for: Stripe captures that or refuses
    if held:
        raise driver.BadResponse("Stripe says that a hold was captured, and not how much of it")
    return _amount(intent, "amount")


def _amount(intent: Fields, path: str) -> Money:
    return AMOUNTS.read_whole(intent, path, intent.text("currency").upper())


def _authorized(intent: Fields) -> driver.Authorized:
    # The schema does not require amount_capturable either; without it nothing was captured.
    held = "amount_capturable" if "amount_capturable" in intent else "amount"
    return driver.Authorized(
        amount=_amount(intent, held),
        reference=intent.id("id"),
        expires_at=intent.instant(f"{_CARD}.capture_before", None),
        **_of_card(intent),
    )


_CARD: Final = "latest_charge.payment_method_details.card"


def _of_card(intent: Fields) -> dict[str, Any]:
    """Return what an outcome says about the card, and the card itself if Stripe was to keep it."""
    card = intent.at(_CARD)
    network = card.text("network_transaction_id", "")
    kept = intent.text("setup_future_usage", "") and cards.stored_card(
        intent,
        card,
        holder=intent.text("latest_charge.billing_details.name", ""),
        network_transaction_id=network,
    )
    return {
        "method": kept or None,
        "network_transaction_id": network,
        "method_facts": codes.facts_of(card),
        "checks": codes.checks_of(card),
    }
