"""What the simulated processor remembers: transactions, profiles, batches."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Told: TypeAlias = dict[str, Any]
"""An element as the names and texts in it."""

BRANDS: Final[Mapping[str, str]] = {
    "4": "Visa",
    "5": "MasterCard",
    "2": "MasterCard",
    "37": "AmericanExpress",
    "34": "AmericanExpress",
    "6": "Discover",
    "35": "JCB",
    "30": "JCB",
    "36": "DinersClub",
    "38": "DinersClub",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """A card or a bank account; of its number only the end and a digest are kept."""

    bank: bool
    last4: str
    digest: str
    luhn: bool = True
    brand: str = ""
    expires: str = ""
    account_type: str = ""
    routing: str = ""
    holder: str = ""
    e_check_type: str = ""

    @classmethod
    def read(cls, payment: Told) -> Instrument | None:
        """Read what pays, as it stands in a request; None where it is neither."""
        if "creditCard" in payment:
            card = payment["creditCard"]
            number: str = card["cardNumber"]
            return cls(
                bank=False,
                last4=number[-4:],
                digest=_digest(number, card["expirationDate"]),
                luhn=_luhn(number),
                brand=BRANDS.get(number[:2]) or BRANDS.get(number[:1], "Visa"),
                expires=_month(card["expirationDate"]),
            )
        if "bankAccount" in payment:
            bank = payment["bankAccount"]
            return cls(
                bank=True,
                last4=bank["accountNumber"][-4:],
                digest=_digest(bank["routingNumber"], bank["accountNumber"]),
                account_type=bank.get("accountType", "checking"),
                routing=bank["routingNumber"][-4:],
                holder=bank["nameOnAccount"],
                e_check_type=bank.get("echeckType", "WEB"),
            )
        return None

    def masked(self, *, show_expiry: bool = False) -> Told:
        """Tell it as the interface shows it."""
        if self.bank:
            return {
                "bankAccount": {
                    "accountType": self.account_type,
                    "routingNumber": f"XXXX{self.routing}",
                    "accountNumber": f"XXXX{self.last4:>04}",
                    "nameOnAccount": self.holder,
                    "echeckType": self.e_check_type,
                }
            }
        return {
            "creditCard": {
                "cardNumber": f"XXXX{self.last4}",
                "expirationDate": self.expires if show_expiry else "XXXX",
                "cardType": self.brand,
            }
        }

    @property
    def kind(self) -> str:
        """What lists call it."""
        return "eCheck" if self.bank else self.brand


@dataclass(slots=True, kw_only=True)
class Transaction:
    """One transaction, as it is now."""

    id: str
    kind: str
    status: str
    amount: Decimal
    requested: Decimal
    settles: Decimal
    instrument: Instrument
    code: str
    reason: str
    submitted: datetime
    order: str = ""
    about: str = ""
    our_reference: str = ""
    customer: str = ""
    bill_to: Told = field(default_factory=dict[str, Any])
    ship_to: Told = field(default_factory=dict[str, Any])
    related: str = ""
    avs: str = "P"
    cvv: str = ""
    split: str = ""
    batch: str = ""
    network: str = ""
    fingerprint: str = ""
    profile: tuple[str, str] = ("", "")
    returned: list[Told] = field(default_factory=list[Told])


@dataclass(slots=True, kw_only=True)
class PaymentProfile:
    """A stored method."""

    id: str
    instrument: Instrument
    bill_to: Told = field(default_factory=dict[str, Any])


@dataclass(slots=True, kw_only=True)
class Profile:
    """A customer with his stored methods."""

    id: str
    customer: str
    email: str = ""
    methods: dict[str, PaymentProfile] = field(default_factory=dict[str, PaymentProfile])


@dataclass(slots=True, kw_only=True)
class Batch:
    """What was to settle together, and whether it did."""

    id: str
    at: datetime
    bank: bool
    transactions: list[str]
    state: str = "settledSuccessfully"


@dataclass(slots=True, kw_only=True)
class Form:
    """A hosted form that was asked for: until when, for what, and where it leads back to."""

    token: str
    until: datetime
    request: Told
    settings: dict[str, str]
    our_reference: str = ""
    profile: str = ""
    done: bool = False


def _digest(*parts: str) -> str:
    return hashlib.sha256("|".join(parts).encode()).hexdigest()


def _luhn(number: str) -> bool:
    digits = [int(digit) for digit in reversed(number)]
    twice = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(twice)) % 10 == 0


def _month(text: str) -> str:
    """Read ``2030-12``, ``12/2030`` and ``1230``."""
    if len(text) == 4 and text.isdigit():
        return f"20{text[2:]}-{text[:2]}"
    if "/" in text:
        month, year = text.split("/")
        return f"{year:>04}-{month:>02}" if len(year) == 4 else f"20{year}-{month:>02}"
    return text


def utc(at: datetime) -> str:
    """Write an instant in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def local(at: datetime) -> str:
    """Write an instant as the merchant's clock shows it."""
    return f"{at.astimezone(UTC) - timedelta(hours=7):%Y-%m-%dT%H:%M:%S}"
