"""Arguments about payment links."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, cast

from paygate.cashier.arguments.amounts import instant, money
from paygate.cashier.arguments.plain import refuse, url
from paygate.cashier.arguments.records import link_id
from paygate.domain.secret import Secret
from paygate.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from paygate.domain.money import Money

_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")
_BOUNDS: Final = 2


def link(value: object, name: str) -> str:
    """Return the id of a payment link."""
    found = link_id(value, name)
    if not found:
        refuse(name, "a PaymentLink, or the id of one", value)
    return found


def bounds(value: object, name: str) -> tuple[Money, Money]:
    """Return the least and the most that a payer can choose."""
    given = value
    pair = cast("Sequence[object]", given) if isinstance(given, tuple | list) else ()
    if len(pair) != _BOUNDS:
        refuse(name, "the least and the most that the payer can choose, as two Money", value)
    return money(pair[0], name), money(pair[1], name)


def moment(value: object, name: str) -> datetime:
    """Return an instant with its zone."""
    return instant(value, name, name)


def language(value: str) -> str:
    """Return the tag of a language (BCP 47); it may be empty."""
    given = cast("object", value)
    if not isinstance(given, str) or (given and not _LANGUAGE.fullmatch(given)):
        refuse("language", "the tag of a language, such as de or pt-BR", value)
    return given


def return_to(value: str) -> str:
    """Return the address to which a payer is sent home; it may be empty."""
    from paygate.service import return_address

    return return_address.home(url(value, "return_to", live=False))


def token_of(value: object, name: str) -> Secret[str]:
    """Return the token of an address; no message shows it."""
    given = cast("object", value.reveal()) if isinstance(value, Secret) else value
    del value
    if not isinstance(given, str):
        del given
        raise InvalidValue(f"{name} must be the token in an address, as text", argument=name)
    return Secret(given)
