"""Tokens of payment pages: stored as digests, derived when an address needs them.

A processor sends the payer back to the page of the payment, so the address that it gets contains
the token of that page. The stored request, with which the charge can be sent again, contains a
placeholder instead: whoever reads a copy of the ledger can open no page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.errors import PageKeysMissing
from paygate.ledger import links
from paygate.ledger.links import TokenFacts
from paygate.ledger.page_keys import digest_of
from paygate.service import return_address

if TYPE_CHECKING:
    from paygate.domain.secret import Secret
    from paygate.ledger.page_keys import PageKeys
    from paygate.ledger.tx import Tx


def keys_of(tx: Tx) -> PageKeys:
    """Return the keys of payment pages, or raise `PageKeysMissing`."""
    if tx.page_keys is None:
        raise PageKeysMissing(
            "tokens of payment links are derived from keys, but none is set; open the cashier with "
            "page_keys=[…], or set PAYGATE_PAGE_KEYS for the command paygate"
        )
    return tx.page_keys


def store(tx: Tx, kind: str, subject: str, generation: int) -> None:
    """Store the digest of the token of *subject*, a link or payment, from the first key."""
    page_keys = keys_of(tx)
    token = page_keys.token(kind, tx.tenant, subject, generation, page_keys.first)
    facts = TokenFacts(kind=kind, subject=subject, generation=generation, key_id=page_keys.first)
    links.insert_token(tx, digest_of(token.reveal()), facts)


def of_payment(tx: Tx, payment: str) -> Secret[str]:
    """Return the token of the page of *payment*; its digest is stored now if it was not before."""
    page_keys = keys_of(tx)
    key_id = links.key_of_payment(tx, payment)
    if key_id is None:
        key_id = page_keys.first
        store(tx, "payment", payment, 1)
    if not page_keys.has(key_id):
        raise PageKeysMissing(
            f"the page of payment {payment} has a token of a key that is not among the "
            "page_keys; add that key"
        )
    return page_keys.token("payment", tx.tenant, payment, 1, key_id)


def filled(tx: Tx, return_url: str, payment: str) -> str:
    """Return *return_url* with the token of the page of *payment*, if it has a place for that."""
    if not return_address.names_page(return_url):
        return return_url
    return return_address.with_page(return_url, of_payment(tx, payment).reveal())
