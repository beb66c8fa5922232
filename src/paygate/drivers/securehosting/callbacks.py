"""Callbacks: what is asked for, and how much of what comes is proven.

Secure Hosting proves only the number of a transaction: ``verify`` is the SHA-1 of the shared
secret, the number and the secret again. So we seal our reference, the amount and the currency
ourselves, and get the seal back in ``callbackdata``. Both together prove that the number is
genuine, and that we asked for this amount under this reference.

They do not prove that the two belong together: ``callbackdata`` is in the payer's form. Whoever
opens the pages of two invoices can pay the small one with the seal of the large one, and there is
no inquiry that would show it. So a payment on a page is booked with an alert, unless the account
is set to believe it. Charges by XML are not in anybody's form.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Literal

from paygate import driver
from paygate.driver import BadResponse, MovementKind, NotAuthentic, alike
from paygate.drivers.securehosting import codes
from paygate.drivers.securehosting.settings import AMOUNTS, BY

if TYPE_CHECKING:
    from paygate.driver import Callback, Charge, FormFields, Money, Notice
    from paygate.drivers.securehosting.settings import SecureHostingSettings

NAMES: Final = ("pg_by", "pg_ref", "pg_amount", "pg_currency")


def asked_for(
    settings: SecureHostingSettings, order: Charge, *, by: Literal["page", "xml"]
) -> dict[str, str]:
    """Return the address of our callbacks, and what comes back with them: names and values."""
    if not settings.hears:
        return {}
    values = (by, order.our_ref, AMOUNTS.decimal(order.amount), order.amount.currency)
    pairs = [*zip(NAMES, values, strict=True), ("pg_seal", seal(settings, values))]
    data = "|".join(part for pair in pairs for part in pair)
    return {"callbackurl": settings.callback_url, "callbackdata": data}


def seal(settings: SecureHostingSettings, values: tuple[str, ...]) -> str:
    """Return our proof that we wrote these values."""
    secrets = [settings.shared_secret] if settings.shared_secret else []
    return driver.HmacKeys(secrets, BY).sign("\x1f".join(("paygate", *values)).encode())


def verify_of(settings: SecureHostingSettings, number: str) -> str:
    """Return Secure Hosting's proof of the number of a transaction."""
    secret = settings.shared_secret.reveal() if settings.shared_secret else ""
    # Their scheme, as their plug-ins compute it.
    return hashlib.sha1(f"{secret}{number}{secret}".encode()).hexdigest()  # noqa: S324


def read(settings: SecureHostingSettings, callback: Callback) -> Notice:
    """Return what a callback reports, or raise `NotAuthentic`."""
    if not settings.hears:
        raise NotAuthentic("without a shared_secret no callback is verified", why="unsigned")
    try:
        form = driver.read_form(callback.query or callback.body, BY)
    except BadResponse as error:
        raise NotAuthentic(error.message, why="unsigned") from None
    values = tuple(form.text(name, "") for name in NAMES)
    number = form.text("transactionnumber", "")
    if not alike(verify_of(settings, number), form.text("verify", "")):
        raise NotAuthentic(f"the number was not signed by {BY}", why="signature")
    if not alike(seal(settings, values), form.text("pg_seal", "")):
        raise NotAuthentic("our reference and amount were not sealed by us", why="signature")
    by, ours, _, currency = values
    amount = form.money("pg_amount", currency)
    return _told(settings, form, number, ours, amount, on_page=by == "page")


def _told(
    settings: SecureHostingSettings,
    form: FormFields,
    number: str,
    ours: str,
    amount: Money,
    *,
    on_page: bool,
) -> Notice:
    approved, failed = "upgauthcode" in form, "failurereason" in form
    if codes.NUMBER.fullmatch(number) and approved and not failed:
        movement = driver.Movement(movement_id=number, amount=amount, kind=MovementKind.CHARGE)
        compare = on_page and settings.page_amounts == "compare"
        paid = driver.Approved(
            reference=number,
            movements=(movement,),
            alert=f"compare transaction {number} with {BY}'s list: it should be {amount} for "
            f"{ours}, and a callback does not prove that"
            if compare
            else "",
        )
        return driver.Notice(
            event_id=number, type="paid", our_ref=ours, reference=number, answer=paid
        )
    if number == "-1" and failed and not approved:
        # Its reason is not signed, so nothing is made of it.
        code = driver.DeclineCode.GENERIC
        declined = driver.Declined(code=code, raw_code="failurereason", retryable=False)
        return driver.Notice(
            event_id=f"failed-{ours}", type="failed", our_ref=ours, answer=declined
        )
    raise NotAuthentic("the callback reports neither a success nor a failure", why="signature")
