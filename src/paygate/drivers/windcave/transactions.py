"""Transactions: a stored card is charged, and what follows a payment.

No search by our reference is known. So our reference is noted before money may move: if the answer
is lost, the outcome stays unknown until a person finds the transaction by it in Windcave's own
interface (Payline). An answer that arrives names the transaction, which can then be asked for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from paygate import driver
from paygate.driver import Operation, Unsupported, read_json
from paygate.drivers.windcave import codes, wire
from paygate.drivers.windcave.codes import ID
from paygate.drivers.windcave.settings import AMOUNTS, BY

if TYPE_CHECKING:
    from paygate.driver import Charge, Dialogue, Fields, Finding, Money, Outcome
    from paygate.drivers.windcave.wire import Api

PREFIX: Final = "ref-"
"""What distinguishes our own reference from the id of a transaction."""


def check(api: Api, charge: Charge) -> str:
    """Return the stored card of a charge, or raise `Unsupported` for what cannot be charged."""
    wire.check_amount(api.settings, charge)
    if not isinstance(charge.method, driver.StoredToken):
        raise Unsupported(
            f"the {BY} driver charges stored cards; a new card is entered on {BY}'s form: give no "
            "method"
        )
    token = charge.method.value.reveal()
    if not ID.fullmatch(token):
        raise Unsupported(f"that is not a card that {BY} stored")
    return token


def charge_stored(api: Api, charge: Charge, token: str, operation: Operation) -> Dialogue[Outcome]:
    """Charge a stored card, or hold an amount on it."""
    later = codes.LATER.get(charge.reason, "unscheduledcredentialonfile")
    payer, action = charge.payer, api.settings.avs_action
    body: dict[str, object] = {
        "currency": charge.amount.currency,
        "cardId": token,
        **wire.agreed(api.settings, "credentialonfile" if charge.payer_present else later),
        "metaData": wire.described(charge),
        "customer": wire.customer_of(payer),
        "notificationUrl": api.settings.notification_url,
    }
    if charge.browser is not None:
        seen = {"ipAddress": charge.browser.ip, "userAgent": charge.browser.user_agent}
        body["browser"] = seen
    if payer is not None and action is not None:
        street, code = payer.address.line1, payer.address.postal_code
        body["avs"] = {"postCode": code[:20], "streetAddress": street[:60], "avsAction": action}
    return make(api, operation, charge, body)


def make(
    api: Api,
    operation: Operation,
    order: Charge | driver.Capture | driver.Voiding | driver.Refunding,
    body: dict[str, object],
    of: str = "",
) -> Dialogue[Outcome]:
    """Make a transaction that moves money; what follows a payment is *of* its transaction."""
    name = order.our_ref[: wire.REFERENCE_MAX]
    whole: dict[str, object] = {
        "type": wire.TYPES[operation],
        "amount": "" if operation is Operation.VOID else AMOUNTS.decimal(order.amount),
        "merchantReference": name,
        api.settings.original_field: of,
        **body,
    }
    yield driver.Note(PREFIX + name)
    step = operation.value
    response = yield api.post("transactions", whole, key=order.key, step=step, money=True)
    if response.status == 202:
        identity = read_json(response, BY).id("id", pattern=ID)
        return driver.Unknown(reason=f"{BY} is still processing it", reference=identity)
    if response.status not in (200, 201):
        return api.refused(response, money=True)
    found = read_json(response, BY)
    return _read(api, found, operation, order.amount, name, of)


def _read(
    api: Api, found: Fields, operation: Operation, amount: Money, name: str, of: str
) -> Outcome:
    identity = api.check(found, operation, name)
    return wire.outcome_of(found, identity, amount, of if operation is Operation.REFUND else "")


def gave_back(outcome: Outcome, taken: Fields, kept: Money | None = None) -> Outcome:
    """Return the outcome of a void with the money that goes out again; a hold had taken none."""
    if not isinstance(outcome, driver.Approved) or taken.text("type") == "auth":
        return outcome
    movement = driver.Movement(
        movement_id=outcome.reference,
        amount=kept or wire.amount_of(taken),
        kind=driver.MovementKind.VOID,
        undoes=taken.text("id"),
    )
    return replace(outcome, movements=(movement,))


def find(api: Api, inquiry: driver.Inquiry) -> Dialogue[Finding]:
    """Find a transaction by its id; what has only our reference must be looked for by a person."""
    reference, name = inquiry.reference, inquiry.our_ref[: wire.REFERENCE_MAX]
    if reference.startswith(PREFIX):
        reason = f"{BY} cannot be asked for a lost answer: look for the merchant reference {name}"
        return driver.Unknown(reason=f"{reason} in Payline", reference=reference, flagged=True)
    found = yield from api.find("transactions", reference)
    if found is None:
        return driver.NotFound()
    of, amount = inquiry.movement_id, inquiry.amount
    return _read(api, found[0], inquiry.operation, amount, name, of)
