"""Requests: what was sent to a gateway, stored as text in the ledger and rebuilt from it.

An attempt whose response was lost may be sent again only unchanged: the same key and the same body.
So what its row does not contain is stored separately, in the transaction that stores the intent,
and deleted when the attempt is answered. One codec writes and reads all of it: a charge, an
enrollment, and the extras of later operations on a payment. A deletion needs only its row.

No secret is stored in clear text. A stored method stays in its own row, and only its id is written;
a one-time token or raw card data is never written, so such a request cannot be rebuilt; parameters
that the payer's browser brought back are encrypted like tokens. A request cannot be rebuilt either
if its method was forgotten, if personal facts in it were erased, or if the keys are missing.
`rebuild` then returns None, and the attempt can only be inquired about.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias, assert_never

from paygate.domain.charging import ChargeLine, ChargeReason
from paygate.domain.customer import Browser
from paygate.domain.kind import Kind, Operation
from paygate.domain.money import Money
from paygate.domain.secret import Sealed, Secret
from paygate.errors import PageKeysMissing, PaygateError, TokenKeysMissing, TokenUnreadable
from paygate.gateway import Charge, Enrollment, Forgetting, StoredToken
from paygate.ledger import customers, mandates, methods, stored_requests
from paygate.service import page_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.domain.customer import Customer
    from paygate.gateway import Method
    from paygate.ledger.attempts import AttemptRow
    from paygate.ledger.tx import Tx


def _none_given() -> Sealed[Mapping[str, str]]:
    return Sealed({})


@dataclass(frozen=True, slots=True)
class Extras:
    """
    What a request to capture, void, refund, withdraw or complete contains besides its attempt.

    `parameters` are those of the return address; None if there were some that can no longer be
    read, so that the request cannot be rebuilt.
    """

    reason: str = ""
    parameters: Sealed[Mapping[str, str]] | None = field(default_factory=_none_given)


SentRequest: TypeAlias = Charge | Enrollment | Forgetting | Extras
"""A request that was sent, whole or without the facts in its attempt."""


def rebuild(tx: Tx, row: AttemptRow) -> SentRequest | None:
    """Return the request of a stored attempt, or None if it cannot be rebuilt."""
    match row.attempt.operation:
        case Operation.CHARGE | Operation.AUTHORIZE:
            return rebuild_charge(tx, row.attempt.id)
        case Operation.ENROLL:
            return _rebuild_enrollment(tx, row.attempt.id)
        case Operation.FORGET:
            try:
                return forgetting(tx, row.attempt.id, row.gateway_key, row.attempt.method)
            except PaygateError:  # the keys are missing or different; nothing can be sent here
                return None
        case (
            Operation.CAPTURE
            | Operation.VOID
            | Operation.REFUND
            | Operation.WITHDRAW
            | Operation.COMPLETE
        ):
            return _rebuild_extras(tx, row.attempt.id)
        case _:
            assert_never(row.attempt.operation)


def is_whole(request: SentRequest | None) -> bool:
    """Return whether a request was rebuilt completely."""
    if isinstance(request, Extras):
        return request.parameters is not None
    return request is not None


def method_of(request: SentRequest | None) -> Method | None:
    """Return the method in *request*, whose secrets an answer must not repeat."""
    match request:
        case Charge() | Enrollment():
            return request.method
        case Forgetting():
            return request.token
        case Extras() | None:
            return None
        case _:
            assert_never(request)


# --- A charge ------------------------------------------------------------------------------


def write_charge(charge: Charge, stored: str | None) -> str:
    """
    Return a charge as text.

    It charges the stored method with the id *stored*, whose token stays in its own row, or needs
    no method.
    """
    browser = charge.browser
    return json.dumps(
        {
            "key": charge.key,
            "our_ref": charge.our_ref,
            "payment": charge.payment,
            "amount": [charge.amount.currency, charge.amount.minor],
            "kind": charge.kind,
            "payer": _write_person(charge.payer),
            "ship_to": _write_person(charge.ship_to),
            "invoices": charge.invoices,
            "description": charge.description,
            "return_url": charge.return_url,
            "store_method": charge.store_method,
            "payer_present": charge.payer_present,
            "address_index": charge.address_index,
            "stored": stored,
            "browser": None
            if browser is None
            else [browser.ip, browser.user_agent, browser.accept, browser.language],
            "reason": charge.reason,
            "lines": [
                [line.reference, line.amount.currency, line.amount.minor] for line in charge.lines
            ],
            "statement_suffix": charge.statement_suffix,
            "receipt_email": charge.receipt_email,
            "metadata": dict(charge.metadata),
            "moto": charge.moto,
            "customer_reference": charge.customer_reference,
        }
    )


def rebuild_charge(tx: Tx, attempt: str) -> Charge | None:
    """Return the unchanged charge of *attempt*, or None if it cannot be rebuilt."""
    text = stored_requests.of_attempt(tx, attempt)
    if not text:  # not stored, or its personal facts were erased
        return None
    charge, stored = read_charge(text)
    try:
        back = page_tokens.filled(tx, charge.return_url, charge.payment)
    except PageKeysMissing:
        return None
    charge = replace(charge, asked_at=tx.now, return_url=back)
    if stored is None:
        return charge
    found = methods.by_id(tx, stored)
    if found is None or found.forgotten_at is not None:
        return None
    try:
        return replace(charge, method=token_of(tx, stored))
    except (TokenKeysMissing, TokenUnreadable):
        return None


def read_charge(text: str) -> tuple[Charge, str | None]:
    """Return the charge that `write_charge` wrote, and the id of its stored method."""
    facts: dict[str, Any] = json.loads(text)
    stored: str | None = facts.pop("stored", None)
    browser: list[str] | None = facts.pop("browser")
    kind: str = facts.pop("kind")
    invoices: list[str] = facts.pop("invoices")
    lines: list[tuple[str, str, int]] = facts.pop("lines")
    reason: str | None = facts.pop("reason")
    currency, minor = facts.pop("amount")
    charge = Charge(
        payer=_read_person(facts.pop("payer")),
        ship_to=_read_person(facts.pop("ship_to")),
        **facts,
        kind=Kind(kind),
        invoices=tuple(invoices),
        lines=tuple(ChargeLine(name, Money(unit, share)) for name, unit, share in lines),
        reason=None if reason is None else ChargeReason(reason),
        amount=Money(currency, minor),
        browser=None if browser is None else Browser(*browser),
    )
    return charge, stored


def token_of(tx: Tx, method: str) -> StoredToken:
    """Return the token of a stored method, for one request."""
    token, network_transaction_id = methods.token_of(tx, method)
    return StoredToken(token, network_transaction_id)


# --- Storing and deleting a method ---------------------------------------------------------


def write_enrollment(enrollment: Enrollment) -> str:
    """Return an enrollment without a token as text."""
    return json.dumps(
        {
            "key": enrollment.key,
            "our_ref": enrollment.our_ref,
            "customer": _write_person(enrollment.customer),
            "kind": enrollment.kind,
            "from_reference": enrollment.from_reference,
            "mandate": None if enrollment.mandate is None else enrollment.mandate.id,
            "return_url": enrollment.return_url,
            "currency": enrollment.currency,
            "customer_reference": enrollment.customer_reference,
        }
    )


def _rebuild_enrollment(tx: Tx, attempt: str) -> Enrollment | None:
    text = stored_requests.of_attempt(tx, attempt)
    if not text:  # not stored, or its personal facts were erased
        return None
    facts: dict[str, Any] = json.loads(text)
    kind: str = facts.pop("kind")
    customer: dict[str, Any] = facts.pop("customer")
    mandate: str | None = facts.pop("mandate")
    return Enrollment(
        **facts,
        kind=Kind(kind),
        customer=customers.customer_of(customer),
        mandate=None if mandate is None else mandates.by_id(tx, mandate),
    )


def forgetting(tx: Tx, attempt: str, key: str, method: str) -> Forgetting:
    """Return the request to delete a stored method at its gateway."""
    return Forgetting(key=key, our_ref=attempt, token=token_of(tx, method))


# --- What is done to a payment later -------------------------------------------------------


def write_extras(tx: Tx, attempt: str, extras: Extras) -> str | None:
    """
    Return *extras* as text, or None without any.

    The parameters from the payer's browser may be confidential: they are encrypted like tokens, and
    without a key they are not stored.
    """
    facts: dict[str, Any] = {}
    if extras.reason:
        facts["reason"] = extras.reason
    if extras.parameters is not None and extras.parameters.open():
        text = Secret(json.dumps(dict(extras.parameters.open())))
        sealed = None if tx.vault is None else tx.vault.seal(text, of=attempt).decode()
        facts["parameters"] = sealed
    return json.dumps(facts) if facts else None


def _rebuild_extras(tx: Tx, attempt: str) -> Extras:
    text = stored_requests.of_attempt(tx, attempt)
    if text is None:
        return Extras()
    facts: dict[str, Any] = json.loads(text) if text else {"parameters": None}  # erased
    sealed: str | None = facts.get("parameters", "")
    if sealed == "":
        return Extras(facts["reason"])
    if sealed is None or tx.vault is None:
        return Extras(parameters=None)
    try:
        parameters = tx.vault.open(sealed.encode(), of=attempt)
    except TokenUnreadable:
        return Extras(parameters=None)
    return Extras(parameters=Sealed(json.loads(parameters.reveal())))


# --- Who and what is in a stored request ---------------------------------------------------


def people_in(text: str | None) -> list[Customer]:
    """Return the people whose contact facts are in a stored request."""
    kept: dict[str, Any] = json.loads(text) if text else {}
    found = (_read_person(kept.get(name)) for name in ("payer", "customer", "ship_to"))
    return [person for person in found if person is not None]


def token_in(tx: Tx, text: str | None) -> StoredToken | None:
    """Return the token in a stored request; None if it has no method, or no key decrypts it."""
    kept: dict[str, Any] = json.loads(text) if text else {}
    found = methods.by_id(tx, kept["stored"]) if kept.get("stored") else None
    if found is None or found.forgotten_at is not None:
        return None
    try:
        return token_of(tx, found.id)
    except (TokenKeysMissing, TokenUnreadable):
        return None


def _write_person(person: Customer | None) -> dict[str, Any] | None:
    if person is None:
        return None
    return {"id": person.id, "zone": person.zone, **customers.contact_facts(person)}


def _read_person(facts: dict[str, Any] | None) -> Customer | None:
    return customers.customer_of(facts) if facts else None
