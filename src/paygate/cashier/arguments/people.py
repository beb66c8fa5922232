"""People: who owes, who pays, and what they allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from paygate.cashier.arguments.plain import refuse
from paygate.domain.text import LENGTH_MAX, encodable, identifier, line
from paygate.errors import InvalidValue
from paygate.printing import shown_value

if TYPE_CHECKING:
    from typing import Final

    from paygate.domain.customer import Browser, Customer
    from paygate.domain.mandate import Mandate

_FACTS_MAX: Final = 2_000


def customer(value: object, name: str) -> Customer | str:
    """Return a customer, or the id of one, who may be new to the ledger."""
    from paygate.domain.customer import Customer

    if isinstance(value, str):
        return identifier(value, name)
    if not isinstance(value, Customer):
        refuse(name, "a Customer, or the id of one", value)
    return person(value, name)


def id_of(value: object, name: str) -> str:
    """Return the id of a customer, given as such or as a Customer, who may be new."""
    found = customer(value, name)
    return found if isinstance(found, str) else found.id


def person(value: object, name: str) -> Customer:
    """Return a person whose contact facts can be stored and printed."""
    from paygate.domain.customer import Customer, PostalAddress, zone_of

    if not isinstance(value, Customer):
        refuse(name, "a Customer", value)
    _ = identifier(value.id, name)
    for field in ("name", "email", "phone", "language", "zone"):
        _fact(getattr(value, field), f"{name}.{field}", name)
    if value.zone:
        _ = zone_of(value.zone)
    address = cast("object", value.address)
    if not isinstance(address, PostalAddress):
        refuse(f"{name}.address", "an Address", address)
    for field in ("line1", "line2", "city", "region", "postal_code", "country"):
        _fact(getattr(address, field), f"{name}.address.{field}", name)
    return value


def _fact(value: object, field: str, name: str) -> None:
    if value == "":
        return
    if not isinstance(value, str) or len(value) > LENGTH_MAX or not line(value):
        raise InvalidValue(
            f"{field} must be printable text of one line, at most {LENGTH_MAX} characters, not "
            f"{shown_value(value)}",
            argument=name,
        )


def browser(value: object, name: str) -> Browser:
    """Return what a payer's browser reports about itself; it is sent on, and never printed."""
    from paygate.domain.customer import Browser

    if not isinstance(value, Browser):
        refuse(name, "a Browser", value)
    for field in ("ip", "user_agent", "accept", "language"):
        given = getattr(value, field)
        if not isinstance(given, str) or len(given) > _FACTS_MAX or not encodable(given):
            raise InvalidValue(
                f"{name}.{field} must be text of at most {_FACTS_MAX:,} characters, not "
                f"{shown_value(given)}",
                argument=name,
            )
    return value


def mandate(value: object, name: str) -> Mandate:
    """Return a payer's authorization."""
    from paygate.domain.mandate import Mandate

    if not isinstance(value, Mandate):
        refuse(name, "a Mandate", value)
    return value
