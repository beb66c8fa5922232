"""Addresses to pay to: the core numbers them, so that a driver needs no memory of its own.

A number is allotted in the transaction that stores the intent, from one count
for the whole wallet. Two processes cannot get the same number, and none is given
out twice: the same payer with the same invoices gets the same address, everybody
else another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.gateway import AddressPer, digest_key
from paygate.ledger import addresses
from paygate.service import telling

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paygate.domain.payment import Payment
    from paygate.gateway import Rail
    from paygate.ledger.claims import Claim
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount


def allot(
    tx: Tx,
    account: GatewayAccount,
    rail: Rail,
    payment: Payment,
    claims: Iterable[Claim],
    key: str,
) -> int | None:
    """Allot the number of the address where *payment* is to be paid, if its rail wants one."""
    if rail.address_per is None:
        return None
    owner = f"payer:{payment.payer}"
    if rail.address_per is AddressPer.INVOICE:
        items = sorted({claim.item for claim in claims})
        # Money for a balance has no invoice: there each call is an occasion of its own.
        about = items or [f"key:{key}"]
        owner = f"invoice:{digest_key(payment.payer, *about)}"
    address = addresses.allot(tx, account.traits.merchant_account, account.name, owner)
    if address.new and addresses.note_gap(
        tx, account.traits.merchant_account, rail.addresses_unused_max
    ):
        telling.alert(
            tx,
            payment,
            f"{address.unused} addresses in a row were never paid to; a wallet that is restored "
            f"looks no further than {rail.addresses_unused_max}: raise its gap limit. No further "
            "alert comes until one of them is paid",
        )
    return address.number
