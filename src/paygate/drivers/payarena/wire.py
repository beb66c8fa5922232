"""How requests to Payarena are written and its answers are read.

Payarena signs nothing and sends no callbacks, and whoever knows the number of a transaction can ask
about it. So an answer proves a state and not whose payment it is: only our reference in its
description does that.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Final

from paygate import driver
from paygate.driver import BadResponse, Dialogue, Fields, by_word
from paygate.drivers.payarena.settings import AMOUNTS, NUMBERS, PayarenaSettings

BY: Final = AMOUNTS.by
DESCRIPTION_MAX: Final = 150

ID: Final = re.compile(r"[0-9]{1,20}|(?=[A-Za-z-]*[0-9])[0-9A-Za-z-]{8,64}")
"""The form of the number of a transaction; not ``null`` or ``1e999``."""
REF: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")
"""What our reference may be, so that it can be found in a description."""
_OURS: Final = re.compile(r"\^REF:([0-9A-Za-z_-]{1,64})(?:\(IP:[^()]*\))?\Z")

PAID, FAILED, CANCELED, OPEN = "paid", "failed", "canceled", "open"
_STATES: Final = by_word(
    {PAID: "approved", FAILED: "declined", CANCELED: "cancelled", OPEN: "initiated"}
)


def describe(charge: driver.Charge) -> str:
    """Return the description of a payment, which ends in our reference and the payer's address."""
    address = charge.browser.ip if charge.browser is not None else ""
    plain = address if re.fullmatch(r"[0-9A-Fa-f.:]{1,45}", address) else ""
    end = f"^REF:{charge.our_ref}" + (f"(IP:{plain})" if plain else "")
    shown = [driver.listed(charge.invoices, 60), charge.description]
    text = driver.plain(": ".join(filter(None, shown)), DESCRIPTION_MAX - len(end))
    return text.replace("^", " ") + end


def open_page(settings: PayarenaSettings, charge: driver.Charge) -> Dialogue[driver.Outcome]:
    """Create a transaction and return its page."""
    rest = {
        "currency": NUMBERS[charge.amount.currency],
        "description": describe(charge),
        "returnUrl": charge.return_url,
        "secretKey": settings.secret_key.reveal(),
        "fee": 0,
    }
    url = f"{settings.pages}/{settings.merchant_id}"
    request = driver.json_request(url, "create", rest, headers={"Accept": "application/json"})
    # The amount is a number, which is written here, so that no float comes near it.
    amount = AMOUNTS.decimal(charge.amount).removesuffix(".00")
    response = yield replace(request, body=request.body[:-1] + f',"amount":{amount}}}'.encode())
    if response.status not in (200, 201):
        return driver.refusal(response, BY, money_may_move=False)
    name = response.body.decode("latin-1").strip().strip('"')
    if not ID.fullmatch(name):
        raise BadResponse("Payarena returned no number of a transaction", status=response.status)
    return _page(settings, name, response)


def _page(
    settings: PayarenaSettings, name: str, response: driver.Response
) -> driver.ActionRequired:
    lasts = timedelta(hours=settings.page_hours)
    return driver.page_action(f"{settings.pages}/{name}", name, response, lasts=lasts)


def find(settings: PayarenaSettings, inquiry: driver.Inquiry) -> Dialogue[driver.Finding]:
    """Find what became of a transaction, or raise if the answer is about another payment."""
    name, currency = inquiry.reference, inquiry.amount.currency
    response = yield driver.Request(
        method="GET",
        url=f"{settings.pages}/Status/{name}",
        step="look_up",
        headers={"Accept": "application/json"},
        repeatable=True,
    )
    if response.status == 404:
        return driver.NotFound()
    if response.status != 200:
        raise driver.unanswered(response, BY)
    found = driver.read_jsonp(response, BY)
    if str(found.value("Order Id")) != name:
        raise BadResponse("Payarena's answer is about another transaction")
    status = found.text("Status")
    state = _STATES.get(status.lower().removesuffix(" successful"), "")
    if state == OPEN:
        now = driver.time_of(response)
        over = now is not None and now - inquiry.sent_at > timedelta(hours=settings.page_hours)
        ended = driver.Ended(how=driver.Ending.EXPIRED, reference=name)
        return ended if over else _page(settings, name, response)
    ours = _OURS.search(found.text("Description"))
    if ours is None or ours[1] != inquiry.our_ref:
        raise BadResponse("Payarena's transaction was not made for this payment")
    if state == PAID:
        return driver.Approved(reference=name, movements=(_came(found, name, currency),))
    if state == FAILED:
        return driver.Declined(
            code=driver.DeclineCode.GENERIC,
            raw_code=found.text("StatusDescription", status),
            retryable=True,
            reference=name,
            final=True,
        )
    if state == CANCELED:
        return driver.Ended(how=driver.Ending.CANCELED, reference=name)
    return driver.Unknown(reason=f"Payarena shows the status {status[:20]!r}", reference=name)


def _came(found: Fields, name: str, currency: str) -> driver.Movement:
    if str(found.value("Currency")) != str(NUMBERS.get(currency)):
        raise BadResponse("Payarena was paid in another currency")
    # Nothing says whether an amount includes a fee. The driver asks for none.
    if found.decimal("Convenience Fee", None):
        raise BadResponse("Payarena shows a fee that was not asked for")
    amount = AMOUNTS.read_grouped(found, "Amount", currency)
    if not amount.minor:
        raise BadResponse("Payarena says that money came, with an amount of 0")
    return driver.Movement(movement_id=name, amount=amount)
