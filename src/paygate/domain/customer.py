"""Customers: who owes, and the contact facts that gateways need."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from paygate.domain.text import spelled_alike
from paygate.errors import InvalidValue


@dataclass(frozen=True, slots=True, kw_only=True)
class PostalAddress:
    """A postal address; `country` is ISO 3166-1 alpha-2."""

    line1: str = ""
    line2: str = ""
    city: str = ""
    region: str = ""
    postal_code: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True)
class Customer:
    """The host's customer, or another person who pays for one.

    Only `id` and `zone` (an IANA time zone name) are stored in permanent rows; the
    contact facts are stored separately, so that they can be erased.
    """

    id: str
    name: str = ""
    email: str = ""
    phone: str = ""
    address: PostalAddress = field(default_factory=PostalAddress)
    zone: str = ""
    language: str = ""

    def __post_init__(self) -> None:
        given = cast("object", self.id)
        if isinstance(given, str):
            object.__setattr__(self, "id", spelled_alike(given))


def zone_of(name: str) -> ZoneInfo:
    """
    Return the time zone with an IANA name, such as ``Pacific/Auckland``.

    Raises `InvalidValue` if the time zone database of this machine does not have the name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # an absolute path, a folder
        raise InvalidValue(
            f"zone must be an IANA time zone name such as Europe/Zurich, not {name[:40]!r}",
            argument="zone",
        ) from None


class PayerField(StrEnum):
    """A fact about the payer that a gateway may need before it can charge."""

    NAME = "name"
    """The name."""
    EMAIL = "email"
    """The e-mail address."""
    PHONE = "phone"
    """The telephone number."""
    ADDRESS = "address"
    """The first line of the postal address."""
    POSTAL_CODE = "postal_code"
    """The postal code."""
    COUNTRY = "country"
    """The country, as ISO 3166-1 alpha-2."""

    def given_by(self, payer: Customer | None) -> bool:
        """Return whether *payer* has this fact."""
        if payer is None:
            return False
        match self:
            case PayerField.NAME:
                return bool(payer.name)
            case PayerField.EMAIL:
                return bool(payer.email)
            case PayerField.PHONE:
                return bool(payer.phone)
            case PayerField.ADDRESS:
                return bool(payer.address.line1)
            case PayerField.POSTAL_CODE:
                return bool(payer.address.postal_code)
            case PayerField.COUNTRY:
                return bool(payer.address.country)


@dataclass(frozen=True, slots=True)
class Browser:
    """What the payer's browser reports about itself; card issuers use it in 3-D Secure."""

    ip: str = ""
    user_agent: str = ""
    accept: str = ""
    language: str = ""
