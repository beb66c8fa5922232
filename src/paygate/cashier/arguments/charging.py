"""Arguments of a charge: the page to return to, the reason, and what is passed along."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.cashier.arguments.plain import member, url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.domain.charging import ChargeReason


def return_url(value: str, *, live: bool) -> str:
    """Return the URL of the page to which a payer comes back; it may be empty."""
    from paygate.service import return_address

    return return_address.checked(url(value, "return_url", live=live))


def charge_reason(value: object, name: str) -> ChargeReason | None:
    """Return the agreement under which the merchant charges; None for None."""
    from paygate.domain.charging import ChargeReason

    return member(ChargeReason, value, name)


def statement_suffix(value: str) -> str:
    """Return the text to show on the payer's card statement."""
    from paygate.domain.charging import statement_suffix_of

    return statement_suffix_of(value)


def metadata(value: Mapping[str, str] | None) -> Mapping[str, str]:
    """Return the host's own texts by name; an empty mapping for None."""
    from paygate.domain.charging import metadata_of

    return metadata_of({} if value is None else value)
