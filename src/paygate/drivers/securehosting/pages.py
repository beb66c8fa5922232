"""The hosted page: a form that the payer's browser posts.

``secuString`` seals the list of items and the amount. Nothing else in the form is sealed: not the
currency, nor our reference. So the account must take one currency only.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from paygate import driver
from paygate.drivers.securehosting import callbacks, wire
from paygate.drivers.securehosting.settings import AMOUNTS

if TYPE_CHECKING:
    from paygate.driver import Charge
    from paygate.drivers.securehosting.settings import SecureHostingSettings


def action_of(settings: SecureHostingSettings, charge: Charge) -> driver.Redirect:
    """Return the form of one payment."""
    items, amount = wire.items_of(charge), AMOUNTS.decimal(charge.amount)
    fields = {
        "filename": f"{settings.shreference}/{settings.template}",
        "shreference": settings.shreference,
        "checkcode": settings.checkcode,
        "orderid": charge.our_ref,
        "subtotal": amount,
        "transactionamount": amount,
        "transactioncurrency": charge.amount.currency,
        "transactiontax": "0.00",
        "shippingcharge": "0.00",
        "secuitems": items,
        "secuString": sealed(settings, items, amount),
        **callbacks.asked_for(settings, charge, by="page"),
        "success_url": charge.return_url,
        "return_url": charge.return_url,
        **wire.holder_of(charge.payer),
    }
    url = f"{settings.base}/secutran/secuitems.php"
    return driver.Redirect(url=url, method="POST", fields=fields)


def sealed(settings: SecureHostingSettings, items: str, amount: str) -> str:
    """Return the seal of Advanced Secuitems."""
    phrase = settings.phrase.reveal() if settings.phrase else ""
    # Their scheme, as their plug-ins compute it.
    return hashlib.md5(f"{items}{amount}{phrase}".encode()).hexdigest()  # noqa: S324
