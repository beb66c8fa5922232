"""The XML interface: a sale, a charge by token (`additional`), and a refund.

No field makes a repeated request harmless, and nothing can be asked for. So an answer that is lost
leaves the outcome unknown, and only the callback of a charge, or a person, can clear it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from paygate import driver
from paygate.driver import (
    BadResponse,
    DeclineCode,
    Declined,
    Members,
    MovementKind,
    Rejected,
    Unknown,
    Unsupported,
    plain,
)
from paygate.drivers.securehosting import callbacks, codes
from paygate.drivers.securehosting.settings import AMOUNTS, BY

if TYPE_CHECKING:
    from paygate.driver import Charge, Dialogue, Money, Outcome, Refunding, Response
    from paygate.drivers.securehosting.settings import SecureHostingSettings

_SEPARATORS: Final = re.compile(r'[|\[\]"<>&]+')


# --- What is charged ------------------------------------------------------------------------


def check(settings: SecureHostingSettings, charge: Charge) -> None:
    """Raise `Unsupported` for what the account is not known to take."""
    check_amount(settings, charge.amount)
    method = charge.method
    if charge.moto:
        raise Unsupported(f"how {BY} marks a card given by mail or telephone is not known")
    if isinstance(method, driver.StoredToken):
        if codes.NUMBER.fullmatch(method.value.reveal()):
            return
        raise Unsupported(f"that is not a card that {BY} keeps")
    if method is None and settings.has_page:
        if charge.store_method or not charge.return_url:
            raise Unsupported(
                f"{BY}'s page needs a return_url and no save_method: its card is stored later, "
                "by enroll(from_payment=…)"
            )
        return
    if isinstance(method, driver.RawCard) and settings.accept_raw_cards:
        return
    raise Unsupported(
        f"this {BY} account charges by the number of an earlier transaction, on its page if "
        "shared_secret, callback_url and phrase are set, and card numbers if accept_raw_cards is"
    )


def check_amount(settings: SecureHostingSettings, amount: Money) -> None:
    """Raise `Unsupported` for an amount in another currency than that of the account."""
    _ = AMOUNTS.whole(amount)
    if amount.currency != settings.currency:
        raise Unsupported(f"this {BY} account takes {settings.currency} only")


def items_of(charge: Charge) -> str:
    """Return what is paid for, as the one item of a list: its texts have no separators."""
    said = charge.description or f"Payment of {driver.listed(charge.invoices, 80)}"
    text, amount = _SEPARATORS.sub(" ", plain(said, 100)).strip(), AMOUNTS.decimal(charge.amount)
    return f"[{_SEPARATORS.sub(' ', charge.our_ref)}||{text}|{amount}|1|{amount}]"


def holder_of(payer: driver.Customer | None) -> dict[str, str]:
    """Return name, address and contact of the payer, except what is empty."""
    if payer is None:
        return {}
    place = payer.address
    facts = {
        "cardholdersname": payer.name,
        "cardholdersemail": payer.email,
        "cardholderaddr1": place.line1,
        "cardholderaddr2": place.line2,
        "cardholdercity": place.city,
        "cardholderstate": place.region,
        "cardholderpostcode": place.postal_code,
        "cardholdercountry": place.country,
        "cardholdertelephonenumber": payer.phone,
    }
    return {name: plain(text, 100) for name, text in facts.items() if text}


# --- Requests -------------------------------------------------------------------------------


def charge(settings: SecureHostingSettings, order: Charge) -> Dialogue[Outcome]:
    """Charge a card by the number of an earlier transaction, or by its own number."""
    amount, method = AMOUNTS.decimal(order.amount), order.method
    sums: Members = {
        "transactionamount": amount,
        "transactiontax": "0.00",
        "shippingcharge": "0.00",
        "secuitems": items_of(order),
        **holder_of(order.payer),
    }
    if isinstance(method, driver.RawCard):
        code = method.security_code
        card: Members = {
            "cardnumber": method.number.reveal(),
            "cardexpiremonth": f"{method.expires_month:02}",
            "cardexpireyear": f"{method.expires_year % 100:02}",
            "cv2": code.reveal() if code else "",
            settings.currency_field: order.amount.currency,
            "orderid": order.our_ref,
        }
        head: Members = {"type": "transaction", "authtype": "authorise"}
    else:
        head = {"type": "additional"}
        number = method.value.reveal() if isinstance(method, driver.StoredToken) else ""
        card = {"reference": number, "currency": order.amount.currency}
    document: Members = {
        **head,
        "authentication": _login(settings, {"checkcode": settings.checkcode}),
        "transaction": {**card, **sums},
        "callback": callbacks.asked_for(settings, order, by="xml"),
    }
    response = yield _request(settings, document, step="charge")
    return _read(response, order.amount, MovementKind.CHARGE)


def refund(settings: SecureHostingSettings, order: Refunding) -> Dialogue[Outcome]:
    """Send money back. It is done twice if it is sent twice, so it never is."""
    password = settings.password.reveal() if settings.password else ""
    document: Members = {
        "type": "refund",
        "authentication": _login(settings, {"password": password}),
        "transaction": {"reference": order.movement_id, "amount": AMOUNTS.decimal(order.amount)},
    }
    response = yield _request(settings, document, step="refund")
    ours = f"{order.movement_id}-{driver.digest_key(order.key)[:12]}"
    return _read(response, order.amount, MovementKind.REFUND, order.movement_id, ours)


def _login(settings: SecureHostingSettings, proof: dict[str, str]) -> Members:
    return {"shreference": settings.shreference, **proof}


def _request(settings: SecureHostingSettings, document: Members, *, step: str) -> driver.Request:
    xml = driver.xml_body("request", document).decode()
    return driver.Request(
        method="POST",
        url=f"{settings.base}/secutran/api.php",
        step=step,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        body=driver.form_body([("xmldoc", xml)]),
        moves_money=True,
        timeout_s=settings.timeout_s,
    )


# --- Answers --------------------------------------------------------------------------------


def _read(
    response: Response, amount: Money, kind: MovementKind, of: str = "", ours: str = ""
) -> Outcome:
    """Return what an answer means; a refund *of* a transaction may have no number but *ours*."""
    result = driver.read_xml(response, BY)
    if response.status != 200 or result.name != "result":
        raise BadResponse(f"{BY} answered with status {response.status}, and no result")
    status, reason = result.text("status", ""), result.text("reason", "")
    if status.upper() != codes.OK:
        word = result.text("statustext", "") or status
        return _refused(word.upper(), reason)
    number = result.id("reference", ours, pattern=codes.NUMBER)
    number = ours if of and number == of else number
    if not number:
        return Unknown(reason=f"{BY} approved without a number", flagged=True)
    stated = result.money("transactionamount", amount.currency, amount)
    movement = driver.Movement(movement_id=number, amount=stated, kind=kind, undoes=of or None)
    stored = None if of else codes.token_of(number)
    return driver.Approved(reference=number, movements=(movement,), method=stored)


def _refused(word: str, reason: str) -> Outcome:
    if word == codes.DECLINED:
        code, raw = DeclineCode.GENERIC, reason or word
        return Declined(code=code, raw_code=raw[:100], retryable=False, message=reason)
    if word in codes.REFUSED:
        cause = codes.REFUSED[word]
        return Rejected(cause=cause, retryable=False, raw_code=word, message=reason)
    return Unknown(reason=f"{BY} answered {word[:40]!r}, which does not say what was done")
