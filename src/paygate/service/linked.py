"""Links that are followed: their status, and the look-up of the tokens in addresses.

The status of a link follows from what it is for. Nothing open any more, or as many payments as it
allows: it is *used*, and if money goes back it is active again. So the status is computed at the
end of each unit of work that changed an item or a payment of the link, and stored with an event.
Only the host *revokes*, and only time lets a link *expire*.

When an invoice replaces a prepayment, the payer has the address of the prepayment in a mail. It
leads to the invoice from then on, and back to the prepayment if that invoice is voided. So the
prepayment cannot be paid in addition to its invoice, and nobody has to send another address.

A token is looked up by its digest. It leads to its link as long as it is the latest one of the
link, the key from which it was derived is here, and the link can be paid or was paid not long ago.
All other tokens are alike, whatever they were: the error is the same, and so is its message.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NoReturn

from paygate.domain.link import LinkFor, LinkStatus, PaymentLink
from paygate.domain.prepayment import PrepaymentStatus
from paygate.errors import LinkEnded, LinkNotFound, PageNotFound
from paygate.ledger import items, links, outbox, prepayments
from paygate.ledger.page_keys import digest_of, is_token
from paygate.printing import shown
from paygate.service import finding, page_tokens

if TYPE_CHECKING:
    from paygate.domain.payment import Payment
    from paygate.ledger.links import TokenFacts
    from paygate.ledger.tx import Tx

SHOWN_AFTER: Final = timedelta(days=30)
"""How long a link that was used still leads to its payment."""

PAGE_LIFE: Final = timedelta(days=90)
"""How long the page of a payment can be opened after its last change."""


# --- The status -----------------------------------------------------------------------------


def follow(tx: Tx) -> None:
    """Store the status of the links whose items or payments this transaction has changed."""
    changed = [item for item in tx.linked if items.may_be_linked(tx, item)]
    ids = {link: None for item in changed for link in links.of_item(tx, item)} | tx.links
    tx.linked.clear()
    tx.links.clear()
    for id_ in ids:
        stored = links.stored_status(tx, id_)
        if stored in _FOLLOWING:
            _follow(tx, read(tx, id_), stored)


_FOLLOWING: Final = (LinkStatus.ACTIVE, LinkStatus.USED)
_EVENTS: Final = {LinkStatus.ACTIVE: "link.activated", LinkStatus.USED: "link.used"}


def _follow(tx: Tx, link: PaymentLink, stored: LinkStatus) -> None:
    if link.of is LinkFor.INVOICES and links.lead_to(tx, link.id, [each.id for each in link.items]):
        emit(tx, "link.moved", link)
    now = _standing(tx, link)
    if now is stored:
        return
    if now is LinkStatus.REVOKED:
        reason = "its prepayment was closed"
        links.revoke(tx, link.id, reason)
        emit(tx, "link.revoked", read(tx, link.id), reason=reason)
        return
    links.set_status(tx, link.id, now)
    emit(tx, _EVENTS[now], read(tx, link.id))


def _standing(tx: Tx, link: PaymentLink) -> LinkStatus:
    """Return the status that follows from what *link* is for, whatever its time says."""
    spent = link.uses is not None and link.paid >= link.uses
    if link.of is LinkFor.PREPAYMENT:
        prepayment = prepayments.by_id(tx, link.items[0].id)
        assert prepayment is not None, "prepayments are never deleted"
        if prepayment.status is PrepaymentStatus.CLOSED:
            return LinkStatus.REVOKED
    nothing = link.of is not LinkFor.BALANCE and not link.open.minor
    return LinkStatus.USED if spent or nothing else LinkStatus.ACTIVE


# --- Finding --------------------------------------------------------------------------------


def read(tx: Tx, which: str) -> PaymentLink:
    """Return the link with this id and its token, or raise `LinkNotFound`."""
    found = links.by_id(tx, which)
    if found is None:
        raise LinkNotFound(f"there is no payment link {shown(which)} in this ledger", link=which)
    return with_token(tx, found)


def with_token(tx: Tx, link: PaymentLink) -> PaymentLink:
    """Return *link* with its token, if the key of that is here."""
    page_keys = tx.page_keys
    if page_keys is None or not page_keys.has(link.key_id):
        return link
    token = page_keys.token("link", tx.tenant, link.id, link.generation, link.key_id)
    return replace(link, token=token)


def latest(tx: Tx, token: str) -> PaymentLink:
    """Return the link whose latest token this is, though it may have ended."""
    facts = _facts_of(tx, token, "link")
    found = links.by_id(tx, facts.subject)
    if found is None or found.generation != facts.generation:
        not_found()
    return with_token(tx, found)


def by_token(tx: Tx, token: str) -> PaymentLink:
    """Return the link to which a token leads, or raise `PageNotFound`."""
    found = latest(tx, token)
    over = found.status is LinkStatus.USED and tx.now - found.changed_at > SHOWN_AFTER
    if found.status not in (LinkStatus.ACTIVE, LinkStatus.USED) or over:
        not_found()
    return found


def payment_by_token(tx: Tx, token: str) -> Payment:
    """Return the payment to whose page a token leads, or raise `PageNotFound`."""
    facts = _facts_of(tx, token, "payment")
    changed = outbox.last_of(tx, facts.subject)
    if changed is None or tx.now - changed > PAGE_LIFE:
        not_found()
    return finding.payment(tx, facts.subject)


def _facts_of(tx: Tx, token: str, kind: str) -> TokenFacts:
    page_keys = page_tokens.keys_of(tx)
    facts = links.token(tx, digest_of(token)) if is_token(token) else None
    if facts is None or facts.kind != kind or not page_keys.has(facts.key_id):
        not_found()
    return facts


def not_found() -> NoReturn:
    """Raise the one error for every token that leads nowhere."""
    raise PageNotFound(
        "this address leads to nothing that can be paid: it may have expired, been replaced or "
        "been mistyped"
    )


def ended(link: PaymentLink) -> LinkEnded:
    """Return the error that *link* can no longer be paid or changed."""
    return LinkEnded(
        f"payment link {link.id} is {link.status}; make a new one",
        link=link.id,
        status=link.status.value,
        payment=link.payment or "",
    )


# --- Events ---------------------------------------------------------------------------------


def emit(tx: Tx, type_: str, link: PaymentLink, **more: object) -> None:
    """Emit that a link changed; its token is in no event."""
    outbox.emit(tx, type_, link.id, facts_of(link) | more)


def facts_of(link: PaymentLink) -> dict[str, Any]:
    """Return the facts of *link* that its events carry."""
    expires = link.expires_at
    return {
        "link": link.id,
        "customer": link.customer,
        "for": link.of.value,
        "items": [each.name for each in link.items],
        "status": link.status.value,
        "currency": link.currency,
        "open_minor": link.open.minor,
        "payment": link.payment,
        "expires_at": None if expires is None else expires.isoformat(),
        "metadata": dict(link.metadata),
    }
