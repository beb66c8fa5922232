"""Refunds: prepared, which moves nothing, and then executed.

Skrill keeps no key of ours. A refund whose answer was lost can be found only by Skrill's own id,
which its report to our status URL brings; it is never sent again, since that could refund twice.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from paygate import driver
from paygate.driver import Dialogue, Fields, Money, read_xml
from paygate.drivers.skrill import wire
from paygate.drivers.skrill.codes import AMOUNTS, ID, SESSION
from paygate.drivers.skrill.wire import BY

_FOUND_BY_HAND: Final = (
    "Skrill cannot be asked about a refund whose answer was lost; look for it in the history of "
    "the account, and resolve it"
)


def refund(api: wire.Api, refunding: driver.Refunding) -> Dialogue[driver.Outcome]:
    """Send back all or part of a transaction."""
    movement, amount, url = refunding.movement_id, refunding.amount, api.settings.status_url
    AMOUNTS.whole(amount)
    found = yield from api.find("transaction", mb_trn_id=movement)
    if found is not None:
        found.expect(currency=amount.currency)
    wallet = "" if found is None else found.text("mb_currency")
    if found is None or (wallet != amount.currency and amount != wire.asked_for(found)):
        text = f"Skrill refunds a part only in the currency of the wallet, {wallet}"
        return driver.Rejected(
            cause=driver.RejectCause.VALIDATION,
            retryable=False,
            message=text if wallet else "Skrill does not know the transaction to be refunded",
        )
    # The report names the refund by its address, since no signed field does.
    named = urlencode({wire.REFUND: refunding.our_ref})
    members = {
        "action": "prepare",
        "mb_transaction_id": movement,
        # Only in the currency of the wallet; without it all is refunded.
        "amount": AMOUNTS.decimal(amount) if wallet == amount.currency else "",
        "merchant_fields": "our_ref",
        "our_ref": refunding.our_ref,
        "refund_status_url": f"{url}{'&' if '?' in url else '?'}{named}" if url else "",
    }
    response = yield api.call("refund.pl", "prepare", members)
    prepared = read_xml(response, BY)
    error = _error_of(prepared)
    if error or response.status != 200:
        return wire.refused(response, error)
    # No note of the session: it would stand where the report brings the refund's own id.
    session = prepared.id("sid", pattern=SESSION)
    execute = {"action": "refund", "sid": session}
    response = yield api.call("refund.pl", "refund", execute, moves_money=True)
    answer = read_xml(response, BY)
    error = _error_of(answer)
    if not error and response.status == 200:
        answer.expect(mb_currency=wallet)
        same = wallet == amount.currency
        sent = AMOUNTS.read_decimal(answer, "mb_amount", wallet) if same else amount
        return _decided(answer, sent, movement, session)
    return wire.refused(response, error, money_may_move=True)


def _error_of(answer: Fields) -> str:
    """Return the error of an answer, which counts before a status next to it."""
    return answer.text("error.error_msg", "") or answer.text("error", "")


def _decided(answer: Fields, sent: Money, movement: str, session: str = "") -> driver.Outcome:
    name = answer.id("mb_transaction_id", pattern=ID)
    # The original's id would make two refunds of one transaction the same movement.
    name = session if session and name == movement else name
    kind = driver.MovementKind.REFUND
    moved = driver.Movement(movement_id=name, amount=sent, kind=kind, undoes=movement)
    return wire.outcome_of(answer, name, moved)


def find(api: wire.Api, inquiry: driver.Inquiry) -> Dialogue[driver.Finding]:
    """Find a refund by Skrill's own id, if its answer or its report brought one."""
    name = inquiry.reference
    if not ID.fullmatch(name) or name == inquiry.movement_id:
        return driver.Unknown(reason=_FOUND_BY_HAND, reference=name)
    found = yield from api.find(mb_trn_id=name)
    if found is None:
        return driver.NotFound()
    return _decided(found, wire.asked_for(found), inquiry.movement_id)
