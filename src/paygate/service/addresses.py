"""Addresses to pay to: the core numbers them, so that a driver needs no storage of its own.

A number is allotted in the transaction that stores the intent, from one counter for the whole
wallet. Two processes cannot get the same number, and no number is issued twice: the same payer
gets the same address for the same invoices, and every other payment gets a new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.gateway import AddressPer, digest_key
from paygate.ledger import addresses
from paygate.service import events

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
    """Return the number of the address to pay *payment* to, or None if its rail uses none."""
    if rail.address_per is None:
        return None
    owner = f"payer:{payment.payer}"
    if rail.address_per is AddressPer.INVOICE:
        items = sorted({claim.item for claim in claims})
        # Money for a balance has no invoice, so each call gets an address of its own.
        about = items or [f"key:{key}"]
        owner = f"invoice:{digest_key(payment.payer, *about)}"
    address = addresses.allot(tx, account.traits.merchant_account, account.name, owner)
    if address.new and addresses.note_gap(
        tx, account.traits.merchant_account, rail.addresses_unused_max
    ):
        events.alert(
            tx,
            payment,
            f"{address.unused} addresses in a row have not been paid to, and a restored wallet "
            f"stops looking after {rail.addresses_unused_max}: raise its gap limit. There is "
            "no further alert until one of them is paid",
        )
    return address.number
