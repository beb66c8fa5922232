"""Orders: what a payer approves on PayPal's page, or a stored wallet pays at once.

An order takes no money until this driver captures or authorizes it, so its id is known, and stored,
before money can move. What it asks for is compared with the payment before that; what was taken is
reported as it is. `reference_id` says who pays an order: with a stored wallet, one that was not
taken is to be sent again; with the payer, it still waits for them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from paygate import driver
from paygate.driver import MovementKind, Operation, Unsupported, listed, plain, read_json
from paygate.drivers.paypal import codes, vault, wire
from paygate.drivers.paypal.codes import AMOUNTS, ID
from paygate.drivers.paypal.wire import BY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.driver import Charge, Dialogue, Fields, Finding, Movement, Outcome, Response
    from paygate.drivers.paypal.wire import Api

ORDERS: Final = "/v2/checkout/orders"
AUTHORIZATIONS: Final = "/v2/payments/authorizations"

BY_PAYER, BY_US = "page", "stored"
"""Who pays an order: the payer on PayPal's page, or we from a stored wallet."""

_UNIT: Final = "purchase_units.0"
_TAKEN: Final = ("COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED")
_VERBS: Final = {"CAPTURE": "capture", "AUTHORIZE": "authorize"}


def path_of(reference: str) -> str:
    """Return the path of an order."""
    return f"{ORDERS}/{wire.named(reference)}"


def check(charge: Charge) -> None:
    """Raise `Unsupported` for what PayPal cannot do."""
    AMOUNTS.whole(charge.amount)
    if charge.moto:
        raise Unsupported("a payer does not give a wallet by telephone; leave moto out")
    if charge.method is None and not charge.return_url:
        raise Unsupported("PayPal's page needs a return_url to send the payer back to")


# --- Create one -----------------------------------------------------------------------


def open_page(api: Api, charge: Charge, intent: str) -> Dialogue[Outcome]:
    """Create an order and return the page on which the payer approves it."""
    source = {"paypal": {**vault.storing(api, charge), "experience_context": _page(api, charge)}}
    body = {**_order(charge, intent, BY_PAYER), "payment_source": source}
    response = yield api.post(ORDERS, body, key=charge.key, step="order")
    if response.status not in (200, 201):
        return api.refused(response)
    order = read_json(response, BY)
    reference, page = order.id("id", pattern=ID), api.page_of(order)
    if page is not None and order.text("status") in ("CREATED", "SAVED", "PAYER_ACTION_REQUIRED"):
        return driver.ActionRequired(action=page, reference=reference)
    raise driver.BadResponse("PayPal returned a new order without a page for the payer")


def charge_stored(
    api: Api, charge: Charge, token: driver.StoredToken, intent: str
) -> Dialogue[Outcome]:
    """Create an order and pay it from a stored wallet."""
    body = _order(charge, intent, BY_US)
    response = yield api.post(ORDERS, body, key=charge.key, step="order")
    if response.status not in (200, 201):
        return api.refused(response)
    reference = read_json(response, BY).id("id", pattern=ID)
    yield driver.Note(reference)
    source = {"payment_source": {"paypal": {"vault_id": token.value.reveal()}}}
    return (yield from _take(api, reference, intent, source, charge.key, charge.payment))


def _order(charge: Charge, intent: str, paid_by: str) -> dict[str, object]:
    name = f" {charge.our_ref}"
    number = listed(charge.invoices, wire.TEXT_MAX - len(name)) + name
    optional = {
        "description": plain(charge.description, wire.TEXT_MAX),
        "soft_descriptor": plain(charge.statement_suffix, 22),
    }
    unit: dict[str, object] = {
        "reference_id": paid_by,
        "custom_id": wire.our_ids(charge.payment, charge.our_ref, held=intent == "AUTHORIZE"),
        # PayPal may refuse a number that was paid before, and an invoice may be paid in parts.
        "invoice_id": plain(number, wire.TEXT_MAX),
        "amount": wire.money(charge.amount),
        **{name: text for name, text in optional.items() if text},
    }
    return {"intent": intent, "purchase_units": [unit]}


def _page(api: Api, charge: Charge) -> dict[str, str]:
    settings = api.settings
    preference = "IMMEDIATE_PAYMENT_REQUIRED" if settings.immediate_only else "UNRESTRICTED"
    return {
        **vault.page(settings.brand_name, charge.return_url, charge.payer),
        "user_action": "PAY_NOW",
        "payment_method_preference": preference,
    }


# --- Take its money -------------------------------------------------------------------


def complete(api: Api, completion: driver.Completion) -> Dialogue[Outcome]:
    """Take the money of an order that the payer has approved, or find what became of it."""
    reference, payment, asked = completion.reference, completion.payment, completion.amount
    yield driver.Note(reference)
    order = yield from api.view(path_of(reference))
    if not isinstance(order, driver.Fields):
        return order
    found = outcome_of(api, order, reference, payment)
    if not isinstance(found, driver.NotFound):
        return found
    if order.text("status") != "APPROVED":
        return driver.ActionRequired(action=None, reference=reference)
    if wire.read_money(order, f"{_UNIT}.amount") != asked:
        raise driver.BadResponse("PayPal's order asks for another amount or currency")
    intent = order.text("intent")
    return (yield from _take(api, reference, intent, {}, completion.key, payment))


def _take(
    api: Api,
    reference: str,
    intent: str,
    body: Mapping[str, object],
    key: str,
    payment: str,
) -> Dialogue[Outcome]:
    """Capture or authorize an order: the request that moves money."""
    verb = _VERBS.get(intent)
    if verb is None:
        raise driver.BadResponse("PayPal's order has another intent than it was created with")
    response = yield api.post(
        f"{path_of(reference)}/{verb}", body, key=key, step=verb, moves_money=True
    )
    read = partial(outcome_of, api, reference=reference, payment=payment)
    return (
        yield from api.settle(response, read, lambda: api.find(path_of(reference), read), reference)
    )


# --- What became of one ---------------------------------------------------------------


def find(api: Api, inquiry: driver.Inquiry) -> Dialogue[Finding]:
    """Find what became of an order; `NotFound` if nothing was taken, or if it has lapsed."""
    reference = inquiry.reference or inquiry.parent_reference

    def read(order: Fields) -> Finding:
        found = outcome_of(api, order, reference, inquiry.payment, inquiry.booked)
        page = order.text(f"{_UNIT}.reference_id") == BY_PAYER
        if page and isinstance(found, driver.NotFound) and not _completes(inquiry):
            # The page is not gone: it waits for us, and no longer for the payer.
            return driver.Unknown(reason="the payer has approved the order", reference=reference)
        return found

    return api.find(path_of(reference), read)


def _completes(inquiry: driver.Inquiry) -> bool:
    return inquiry.operation is Operation.COMPLETE


def outcome_of(
    api: Api,
    order: Fields,
    reference: str,
    payment: str,
    booked: frozenset[tuple[MovementKind, str]] = frozenset(),
) -> Finding:
    """
    Return what the state of an order means, or raise if it is not the one of *payment*.

    `NotFound` means that nothing was taken, though it could be: the payer has approved, or a stored
    wallet was to pay.
    """
    identify(api, order, reference, payment)
    match order.text("status"):
        case "COMPLETED":
            return _paid(order, reference, booked)
        case "VOIDED":
            return driver.Ended(how=driver.Ending.CANCELED, reference=reference)
        case "APPROVED":
            return driver.NotFound()
        case "CREATED" | "SAVED" | "PAYER_ACTION_REQUIRED":
            if order.text(f"{_UNIT}.reference_id") == BY_US:
                return driver.NotFound()
            return driver.ActionRequired(action=api.page_of(order), reference=reference)
        case status:
            raise driver.BadResponse(f"PayPal reports an order as {status[:40]!r}, a new status")


def identify(api: Api, order: Fields, reference: str, payment: str) -> None:
    """Raise `BadResponse` unless *order* is the one of *payment*, for this merchant."""
    order.expect(id=reference)
    units = order.each("purchase_units")
    if len(units) != 1 or wire.read_ids(units[0].text("custom_id", "")).payment != payment:
        raise driver.BadResponse("PayPal's order is not the one of this payment")
    api.check_payee(units[0])


def payments_of(order: Fields, what: str) -> list[Fields]:
    """Return the captures, authorizations or refunds of an order."""
    return order.each(f"{_UNIT}.payments.{what}", ())


def _paid(order: Fields, reference: str, booked: frozenset[tuple[MovementKind, str]]) -> Outcome:
    holds = payments_of(order, "authorizations")
    taken = [each for each in payments_of(order, "captures") if _is_taken(each)]
    if holds and holds[-1].text("status") != "CAPTURED" and not (_is_void(holds[-1]) and taken):
        return _held(holds[-1], reference)
    if not taken:
        [*_, last] = payments_of(order, "captures") or [driver.Fields(None, BY)]
        return captured(last, reference, MovementKind.CHARGE)
    kind = MovementKind.CAPTURE if holds else MovementKind.CHARGE
    return driver.Approved(
        reference=reference,
        movements=(*(_came(each, kind) for each in taken), *_went_back(order, booked)),
        method=vault.stored_with(order),
    )


def _is_taken(capture: Fields) -> bool:
    return capture.text("status") in _TAKEN


def _is_void(hold: Fields) -> bool:
    return hold.text("status") == "VOIDED"


def captured(capture: Fields, reference: str, kind: MovementKind) -> Outcome:
    """Return what the state of one capture means for the operation that made it."""
    match capture.text("status"):
        case status if status in _TAKEN:
            return driver.Approved(reference=reference, movements=(_came(capture, kind),))
        case "PENDING":
            return driver.Pending(reference=reference)
        case "DECLINED" | "FAILED" as status:
            return _denied(capture, status, reference)
        case status:
            raise driver.BadResponse(f"PayPal reports a capture as {status[:40]!r}, a new status")


def _denied(found: Fields, status: str, reference: str) -> driver.Declined:
    return driver.Declined(
        code=driver.DeclineCode.GENERIC,
        raw_code=found.text("status_details.reason", status),
        retryable=False,
        reference=reference,
        advice=codes.ADVICE.get(found.text("processor_response.payment_advice_code", "")),
        final=True,
    )


def _came(capture: Fields, kind: MovementKind) -> Movement:
    return driver.Movement(
        movement_id=capture.id("id", pattern=ID),
        amount=wire.read_money(capture),
        kind=kind,
        effective=capture.instant("create_time", None),
    )


def _held(hold: Fields, reference: str) -> Outcome:
    match hold.text("status"):
        case "CREATED" | "PARTIALLY_CAPTURED":
            return driver.Authorized(
                amount=wire.read_money(hold),
                reference=reference,
                expires_at=hold.instant("expiration_time", None),
            )
        case "PENDING":
            return driver.Pending(reference=reference)
        case "DENIED" as status:
            return _denied(hold, status, reference)
        case "VOIDED":
            ends, ended = hold.instant("expiration_time", None), hold.instant("update_time", None)
            ran_out = ends is not None and ended is not None and ended >= ends
            how = driver.Ending.EXPIRED if ran_out else driver.Ending.CANCELED
            return driver.Ended(how=how, reference=reference)
        case status:
            raise driver.BadResponse(f"PayPal reports a hold as {status[:40]!r}, a new status")


# --- Money that went back -----------------------------------------------------------------


def _went_back(order: Fields, booked: frozenset[tuple[MovementKind, str]]) -> list[Movement]:
    """Return the refunds of an order, and those that failed after they were booked."""
    movements: list[Movement] = []
    for refund in payments_of(order, "refunds"):
        failed = refund.text("status") in ("FAILED", "CANCELLED")
        sent = (MovementKind.REFUND, refund.text("id", "")) in booked
        if refund.text("status") == "COMPLETED" or (failed and sent):
            movements.append(sent_back(refund))
        if failed and sent:
            movements.append(came_back(refund))
    return movements


def sent_back(refund: Fields) -> Movement:
    """Return the money that a refund sent."""
    return driver.Movement(
        movement_id=refund.id("id", pattern=ID),
        amount=wire.read_money(refund),
        kind=MovementKind.REFUND,
        effective=refund.instant("create_time", None),
        undoes=capture_of(refund) or None,
    )


def came_back(refund: Fields) -> Movement:
    """Return the money of a refund that failed after it was sent."""
    sent = sent_back(refund)
    return driver.Movement(
        movement_id=sent.movement_id,
        amount=sent.amount,
        kind=MovementKind.REFUND_FAILED,
        undoes=sent.movement_id,
        code=refund.text("status_details.reason", ""),
    )


def capture_of(refund: Fields) -> str:
    """Return the id of the capture that a refund links to, or an empty text."""
    links = (
        each.text("href", "") for each in refund.each("links", ()) if each.value("rel") == "up"
    )
    found = next(links, "").partition("/captures/")[2]
    return found if ID.fullmatch(found) else ""


# --- What follows a hold ------------------------------------------------------------------


def capture(api: Api, order: driver.Capture) -> Dialogue[Outcome]:
    """Capture what is held, or a part of it."""
    reference, our_ref = order.reference, order.our_ref
    yield driver.Note(reference)
    hold = yield from _hold_of(api, reference, order.payment)
    if not isinstance(hold, str):
        return hold
    body = {
        "amount": wire.money(order.amount),
        "invoice_id": our_ref[: wire.TEXT_MAX],
        "final_capture": order.final,
    }
    response = yield api.post(
        f"{AUTHORIZATIONS}/{hold}/capture", body, key=order.key, step="capture", moves_money=True
    )
    return (
        yield from api.settle(
            response,
            lambda made: captured(made, reference, MovementKind.CAPTURE),
            lambda: find_capture(api, reference, order.payment, our_ref),
            reference,
        )
    )


def find_capture(api: Api, reference: str, payment: str, our_ref: str) -> Dialogue[Finding]:
    """Find a capture among those of its order."""

    def read(order: Fields) -> Finding:
        identify(api, order, reference, payment)
        ours = (
            each for each in payments_of(order, "captures") if each.value("invoice_id") == our_ref
        )
        found = next(ours, None)
        if found is None:
            return driver.NotFound()
        return captured(found, reference, MovementKind.CAPTURE)

    return api.find(path_of(reference), read)


def void(api: Api, voiding: driver.Voiding) -> Dialogue[Outcome]:
    """Release what is held. What was captured is refused: it can only be refunded."""
    reference = voiding.reference
    yield driver.Note(reference)
    hold = yield from _hold_of(api, reference, voiding.payment)
    if not isinstance(hold, str):
        return hold
    response = yield api.post(
        f"{AUTHORIZATIONS}/{hold}/void", None, key=voiding.key, step="void", moves_money=True
    )
    if response.status == 200 and not _is_void(read_json(response, BY)):
        raise driver.BadResponse("PayPal voided an authorization, and does not show it as voided")
    if response.status == 200 or wire.is_empty(response):
        return driver.Approved(reference=reference)
    refused = api.refused(response, money_may_move=True, reference=reference)
    done = isinstance(refused, driver.Rejected) and refused.raw_code == "PREVIOUSLY_VOIDED"
    return driver.Approved(reference=reference) if done else refused


def _hold_of(api: Api, reference: str, payment: str) -> Dialogue[str | Outcome]:
    """Return the id of the authorization that an order made, or why there is nothing to act on."""
    order = yield from api.view(path_of(reference))
    if not isinstance(order, driver.Fields):
        return order
    identify(api, order, reference, payment)
    holds = payments_of(order, "authorizations")
    if holds and holds[-1].text("status") != "CAPTURED":
        return holds[-1].id("id", pattern=ID)
    return driver.Rejected(
        cause=driver.RejectCause.STATE,
        retryable=False,
        message="nothing is held by PayPal's order any more; what was captured can be refunded",
        reference=reference,
    )


def find_void(api: Api, inquiry: driver.Inquiry) -> Dialogue[Finding]:
    """Find whether what is held was released; `NotFound` if it is held."""
    reference = inquiry.reference or inquiry.parent_reference

    def read(order: Fields) -> Finding:
        identify(api, order, reference, inquiry.payment)
        holds = payments_of(order, "authorizations")
        released = bool(holds) and _is_void(holds[-1])
        return driver.Approved(reference=reference) if released else driver.NotFound()

    return api.find(path_of(reference), read)


# --- Withdraw it ----------------------------------------------------------------------


def withdraw(api: Api, reference: str, payment: str) -> Dialogue[Outcome]:
    """
    Return whether an order was taken; one that was not is withdrawn by not taking it.

    PayPal has no call to cancel an order. It takes no money by itself, and lapses.
    """
    response = yield api.get(path_of(reference), step="look_up")
    refused = response.status != 200 and not wire.is_gone(response)
    return api.refused(response) if refused else _withdrawn(api, response, reference, payment)


def find_withdrawal(api: Api, inquiry: driver.Inquiry) -> Dialogue[Finding]:
    """Find the same for an inquiry, which fails if PayPal refuses it."""
    reference = inquiry.reference or inquiry.parent_reference
    response = yield api.get(path_of(reference), step="look_up")
    return _withdrawn(api, response, reference, inquiry.payment)


def _withdrawn(api: Api, response: Response, reference: str, payment: str) -> Outcome:
    if wire.is_gone(response):
        return driver.Ended(how=driver.Ending.EXPIRED, reference=reference)
    order = wire.expect_ok(response)
    found = outcome_of(api, order, reference, payment)
    if isinstance(found, driver.NotFound) or order.text("status") not in ("COMPLETED", "VOIDED"):
        return driver.Approved(reference=reference)
    return found
