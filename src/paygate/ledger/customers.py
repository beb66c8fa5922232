"""Customers, and separately their contact facts, which may be erased."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from paygate.domain.campaign import CustomerState
from paygate.domain.customer import Customer, PostalAddress, zone_of
from paygate.domain.text import identifier
from paygate.errors import InvalidValue
from paygate.ledger import checksums, holding
from paygate.ledger.codec import read_instant_or_none

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from zoneinfo import ZoneInfo

    from paygate.ledger.tx import Row, Tx

_INSERT = """
INSERT INTO paygate_customer (tenant, id, zone, created_at, checksum)
VALUES (:tenant, :id, :zone, :at, :checksum)
ON CONFLICT DO NOTHING
"""
_ZONE = """
UPDATE paygate_customer SET zone = :zone
WHERE tenant = :tenant AND id = :id AND zone <> :zone
"""
_ZONE_OF = "SELECT zone FROM paygate_customer WHERE tenant = :tenant AND id = :id"
_STATE_OF = "SELECT state, state_since FROM paygate_customer WHERE tenant = :tenant AND id = :id"
_SET_STATE = """
UPDATE paygate_customer SET state = :state, state_since = :at WHERE tenant = :tenant AND id = :id
"""
_SAVE_CONTACT = """
INSERT INTO paygate_contact (tenant, customer, facts) VALUES (:tenant, :id, :facts)
ON CONFLICT (tenant, customer) DO UPDATE SET facts = :facts
"""
_SELECT = """
SELECT c.id, c.zone, f.facts FROM paygate_customer c
LEFT JOIN paygate_contact f ON f.tenant = c.tenant AND f.customer = c.id
WHERE c.tenant = :tenant AND c.id = :id
"""
_SELECT_AT = """
SELECT c.id, c.zone, f.facts, r.reference FROM paygate_customer c
LEFT JOIN paygate_contact f ON f.tenant = c.tenant AND f.customer = c.id
LEFT JOIN paygate_customer_reference r
  ON r.tenant = c.tenant AND r.customer = c.id AND r.account = :account
WHERE c.tenant = :tenant AND c.id = :id
"""
_ERASE = "DELETE FROM paygate_contact WHERE tenant = :tenant AND customer = :id"
_ERASE_HOLDER = """
UPDATE paygate_method SET holder = '' WHERE tenant = :tenant AND customer = :id
"""
# An empty request cannot be sent again, but the gateway can still be asked for its outcome.
_ERASE_REQUESTS = """
UPDATE paygate_attempt_request SET body = '' WHERE tenant = :tenant AND customer = :id
"""
_KEEP_REFERENCE = """
INSERT INTO paygate_customer_reference (tenant, customer, account, reference, reported_at, checksum)
VALUES (:tenant, :customer, :account, :reference, :at, :checksum)
ON CONFLICT (tenant, customer, account)
DO UPDATE SET reference = :reference, reported_at = :at, checksum = :checksum
"""
_REFERENCE_AT = """
SELECT reference FROM paygate_customer_reference
WHERE tenant = :tenant AND customer = :customer AND account = :account
"""


def save(tx: Tx, customer: Customer | str) -> str:
    """Store a customer and return the id; contact facts, if any, replace all that are stored."""
    plain = isinstance(customer, str)
    if isinstance(customer, str):
        customer = Customer(customer)
    id_ = cast("object", getattr(customer, "id", None))
    if not isinstance(id_, str) or not id_:
        raise InvalidValue(
            "a customer needs an id, as text; pass the id that your system uses for them"
        )
    identifier(id_, "customer")
    if customer.zone:
        zone_of(customer.zone)
    holding.hold(tx, customers=(customer.id,))
    params: dict[str, Any] = {
        "tenant": tx.tenant,
        "id": customer.id,
        "zone": customer.zone,
        "state": "clear",
        "state_since": None,
        "at": tx.at,
    }
    new = tx.run(_INSERT, checksums.signed(checksums.CUSTOMER, params))
    tx.known.pop(("zone", customer.id), None)
    if not new and customer.zone and tx.run(_ZONE, params):
        checksums.renew(tx, checksums.CUSTOMER, tx.tenant, customer.id)
    facts = {} if plain else contact_facts(customer)
    if facts:
        tx.execute(_SAVE_CONTACT, {**params, "facts": json.dumps(facts)})
    return customer.id


def amend_contact(tx: Tx, id_: str, facts: Mapping[str, str]) -> None:
    """
    Change only the contact facts named in *facts*; an empty text clears a fact.

    Parts of the address are named directly: ``city``, ``postal_code``.
    """
    if not facts:
        return
    row = tx.one(_SELECT, {"tenant": tx.tenant, "id": id_})
    known: dict[str, Any] = json.loads(row["facts"]) if row and row["facts"] else {}
    parts = {each.name for each in fields(PostalAddress)}
    address = known.get("address", {}) | {
        name: facts[name] for name in sorted(parts & facts.keys())
    }
    merged = known | {name: facts[name] for name in facts.keys() - parts}
    merged["address"] = {name: value for name, value in address.items() if value}
    amended = {name: value for name, value in merged.items() if value}
    if amended != known:
        params = {"tenant": tx.tenant, "id": id_, "facts": json.dumps(amended)}
        tx.execute(_SAVE_CONTACT, params)


def find(tx: Tx, id_: str) -> Customer | None:
    """Return a customer with the stored contact facts, or None."""
    row = tx.one(_SELECT, {"tenant": tx.tenant, "id": id_})
    return None if row is None else _found(row)


def find_at(tx: Tx, id_: str, account: str) -> tuple[Customer | None, str]:
    """Return a customer as `find` does, and the processor's reference of them at *account*."""
    row = tx.one(_SELECT_AT, {"tenant": tx.tenant, "id": id_, "account": account})
    return (None, "") if row is None else (_found(row), row["reference"] or "")


def _found(row: Row) -> Customer:
    facts: dict[str, Any] = json.loads(row["facts"]) if row["facts"] else {}
    return customer_of({"id": row["id"], "zone": row["zone"], **facts})


def keep_reference(tx: Tx, id_: str, account: str, reference: str) -> None:
    """Store the processor's reference of a customer at *account*, unless it is empty."""
    if reference:
        params = {"tenant": tx.tenant, "customer": id_, "account": account, "at": tx.at}
        params["reference"] = reference
        tx.execute(_KEEP_REFERENCE, checksums.signed(checksums.CUSTOMER_REFERENCE, params))


def reference_at(tx: Tx, id_: str, account: str) -> str:
    """Return the processor's reference of a customer at *account*; empty if it is not known."""
    row = tx.one(_REFERENCE_AT, {"tenant": tx.tenant, "customer": id_, "account": account})
    return "" if row is None else str(row["reference"])


def today(tx: Tx, id_: str) -> date:
    """
    Return the calendar date of this transaction for the customer *id_*.

    It is the date in the customer's time zone, or else in the merchant's.
    """
    return tx.now.astimezone(zone_of_customer(tx, id_)).date()


def date_of(tx: Tx, id_: str, when: datetime | date | None) -> date:
    """Return the calendar date of *when* for the customer *id_*; today for None."""
    if when is None:
        return today(tx, id_)
    return when.astimezone(zone_of_customer(tx, id_)).date() if isinstance(when, datetime) else when


def recorded_on(tx: Tx, id_: str, on: date | None) -> date:
    """
    Return the date of money that is recorded by hand: *on*, by default today.

    Raise `InvalidValue` for a date after tomorrow in the time zone of the customer *id_*.
    """
    now = today(tx, id_)
    if on is not None and on > now + timedelta(days=1):
        raise InvalidValue(
            f"on is {on}, but today is {now} for customer {id_}: money can be recorded only after "
            "it has moved",
            argument="on",
        )
    return now if on is None else on


def zone_of_customer(tx: Tx, id_: str) -> ZoneInfo:
    """Return the time zone of a customer, or else the merchant's."""
    own: str | None = tx.known.get(("zone", id_))
    if own is None:
        row = tx.one(_ZONE_OF, {"tenant": tx.tenant, "id": id_})
        own = tx.known["zone", id_] = "" if row is None else row["zone"]
    return zone_of(own) if own else tx.zone


def cache_zone(tx: Tx, id_: str, zone: str | None) -> None:
    """Cache the *zone* of a customer, as read with another row."""
    tx.known["zone", id_] = zone or ""


def erase_contact(tx: Tx, id_: str) -> None:
    """
    Erase the contact facts of a customer; the ledger keeps only the id.

    Cardholder names and stored requests are erased, too; the outcome of such a request can then
    be found only by inquiry.
    """
    if not id_:  # nobody has it
        return
    holding.hold(tx, customers=(id_,))
    for statement in (_ERASE, _ERASE_HOLDER, _ERASE_REQUESTS):
        tx.execute(statement, {"tenant": tx.tenant, "id": id_})
    for known in [each for each in tx.known if each[0] == "request"]:
        del tx.known[known]


def contact_facts(customer: Customer) -> dict[str, Any]:
    """Return the contact facts that are not empty, without id and zone."""
    facts = asdict(customer)
    del facts["id"], facts["zone"]
    facts["address"] = {name: value for name, value in facts["address"].items() if value}
    return {name: value for name, value in facts.items() if value}


def customer_of(facts: dict[str, Any]) -> Customer:
    """Return the customer with this id, zone and contact facts."""
    rest = dict(facts)
    address: dict[str, str] = rest.pop("address", {})
    return Customer(**rest, address=PostalAddress(**address))


def state_of(tx: Tx, id_: str) -> tuple[CustomerState, datetime | None]:
    """Return the state of a customer in campaigns, and since when; None if it never changed."""
    row = tx.one(_STATE_OF, {"tenant": tx.tenant, "id": id_})
    if row is None:
        return CustomerState.CLEAR, None
    return CustomerState(row["state"]), read_instant_or_none(row["state_since"])


def set_state(tx: Tx, id_: str, state: CustomerState) -> None:
    """Store a customer's state, which begins now."""
    tx.execute(_SET_STATE, {"tenant": tx.tenant, "id": id_, "state": state.value, "at": tx.at})
    checksums.renew(tx, checksums.CUSTOMER, tx.tenant, id_)
