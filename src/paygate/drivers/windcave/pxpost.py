"""PxPost: the XML interface, in which a charge can be asked for by our own id (TxnId).

The id is made from the idempotency key and noted before anything is sent. What Windcave answers
about an id that it never saw is not published. So only an answer that repeats our reference of the
operation decides anything.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from paygate import driver
from paygate.driver import BadResponse, MovementKind, RejectCause, read_xml
from paygate.drivers.windcave import codes, wire
from paygate.drivers.windcave.settings import AMOUNTS, BY

if TYPE_CHECKING:
    from paygate.driver import Charge, Dialogue, Members, Outcome, Refunding, Request, Response
    from paygate.drivers.windcave.settings import WindcaveSettings

ID: Final = re.compile(r"pg[0-9a-f]{14}")
"""Our id, of which PxPost takes 16 characters."""


def charge_stored(settings: WindcaveSettings, charge: Charge, token: str) -> Dialogue[Outcome]:
    """Charge a stored card."""
    client = "MOTO" if charge.moto else "Internet" if charge.payer_present else "Recurring"
    members: Members = {
        "DpsBillingId": token,
        "ClientType": client,
        "TxnData1": driver.listed(charge.invoices, 255),
        "TxnData2": driver.plain(charge.description, 255),
        "TxnData3": wire.metadata_of(charge),
    }
    return _send(settings, "Purchase", charge, members)


def refund(settings: WindcaveSettings, refunding: Refunding) -> Dialogue[Outcome]:
    """Send back money that was taken here."""
    of = refunding.movement_id
    return _send(settings, "Refund", refunding, {"DpsTxnRef": of}, of)


def _send(
    settings: WindcaveSettings, of_type: str, order: Charge | Refunding, more: Members, of: str = ""
) -> Dialogue[Outcome]:
    ours, name = f"pg{driver.digest_key(order.key)[:14]}", order.our_ref[: wire.REFERENCE_MAX]
    members: Members = {
        "TxnType": of_type,
        "Amount": AMOUNTS.decimal(order.amount),
        "InputCurrency": order.amount.currency,
        "TxnId": ours,
        "MerchantReference": name,
        **more,
    }
    yield driver.Note(ours)
    response = yield _request(settings, members, step=of_type.lower(), money=True)
    return _read(response, ours, name, of)


def find(settings: WindcaveSettings, inquiry: driver.Inquiry) -> Dialogue[Outcome]:
    """Find what became of a charge or refund, by our id of it."""
    reference, name = inquiry.reference, inquiry.our_ref[: wire.REFERENCE_MAX]
    members: Members = {"TxnType": "Status", "TxnId": reference}
    response = yield _request(settings, members, step="look_up")
    outcome = _read(response, reference, name, inquiry.movement_id)
    if isinstance(outcome, driver.Rejected):
        raise driver.CredentialsRejected(f"{BY}'s PxPost: {outcome.message}")
    return outcome


def _request(
    settings: WindcaveSettings, members: Members, *, step: str, money: bool = False
) -> Request:
    user, password = settings.pxpost_username, settings.pxpost_password
    login = {"PostUsername": user, "PostPassword": password.reveal() if password else ""}
    body = driver.xml_body("Txn", {**login, **members})
    return driver.Request(
        method="POST",
        url=f"{settings.base}/pxpost.aspx",
        step=step,
        headers={"Content-Type": "application/xml"},
        body=body,
        moves_money=money,
        repeatable=not money,
    )


def _read(response: Response, reference: str, name: str, of: str) -> Outcome:
    """Return what an answer means for the operation that has our *name*, a refund *of* another."""
    txn = read_xml(response, BY)
    if response.status != 200 or txn.name != "Txn":
        raise BadResponse(f"{BY}'s PxPost answered with status {response.status}")
    found, said, text = txn.at("Transaction"), txn.text("ReCo", ""), txn.text("ResponseText", "")
    if not found and (said, text.lower()) == codes.NO_LOGIN:
        cause = RejectCause.CREDENTIALS
        return driver.Rejected(cause=cause, retryable=False, raw_code=said, message=text)
    unclear = found.flag("StatusRequired", default=False) or said in codes.UNKNOWN
    if unclear or found.text("MerchantReference", "") != name:
        reason = f"{BY} shows no result of it: {said} {text}"
        return driver.Unknown(reason=reason, reference=reference)
    facts = driver.card_facts(found.text("CardName", ""), found.text("CardNumber", ""))
    if not (txn.flag("Success") and found.flag("Authorized")):
        again = found.flag("Retry", default=False)
        return codes.declined(said, text, again=again, reference=reference, method_facts=facts)
    movement = driver.Movement(
        movement_id=found.id("DpsTxnRef"),
        amount=AMOUNTS.read_decimal(found, "Amount", found.text("CurrencyName")),
        kind=MovementKind.REFUND if of else MovementKind.CHARGE,
        undoes=of or None,
    )
    return driver.Approved(reference=reference, movements=(movement,), method_facts=facts)
