"""Methods: tokens, stored methods, raw card data. No message shows anything of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from paygate.domain.secret import (
    OneTimeToken,
    RawBankAccount,
    RawCard,
    Sealed,
    as_secret,
    is_card_number,
)
from paygate.domain.text import line, spelled_alike
from paygate.errors import InvalidValue

if TYPE_CHECKING:
    from typing import Final

    from paygate.domain.method import PaymentMethod
    from paygate.gateway import Method


TOKEN_LENGTH_MAX: Final = 20_000
"""The longest one-time token: a wallet's token is a signed document."""

_STORED_METHOD: Final = "met_"


def method(value: object, name: str) -> Method | PaymentMethod:
    """Return the method to charge: a token (a `str` is one), a stored method, or raw card data.

    A message shows only its type.
    """
    from paygate.domain.method import PaymentMethod
    from paygate.gateway import StoredToken

    given = sealed_method(value)
    del value
    match given:
        case OneTimeToken():
            return _token(given, name)
        case PaymentMethod() | RawCard() | RawBankAccount() | StoredToken():
            return given
        case _:
            held = cast("object", given.open() if isinstance(given, Sealed) else given)
            kind_of = type(held)
    raise InvalidValue(
        f"{name} must be a one-time token, as text, or a stored PaymentMethod, not a "
        f"{kind_of.__name__}",
        argument=name,
    )


def sealed_method(value: object) -> object:
    """Return *value* so that a traceback shows nothing of it: a text becomes a token.

    A value that is not a method at all may be one in a form of the host's own, such as a mapping
    with a card number in it.
    """
    from paygate.domain.method import PaymentMethod
    from paygate.gateway import StoredToken

    match value:
        case str():
            return OneTimeToken(as_secret(value))
        case OneTimeToken() | PaymentMethod() | RawCard() | RawBankAccount() | StoredToken():
            return value
        case Sealed():
            return cast("object", value)
        case _:
            return Sealed(value)


def new_method(value: object, name: str) -> Method:
    """Return the method to store; one that is already stored is refused."""
    from paygate.domain.method import PaymentMethod
    from paygate.gateway import StoredToken

    found = method(value, name)
    if isinstance(found, PaymentMethod | StoredToken) or id_of_stored(found) is not None:
        raise InvalidValue(f"{name} is already stored; give a one-time token", argument=name)
    return found


def id_of_stored(value: Method | PaymentMethod) -> str | None:
    """Return the id of a stored method that was given as text; None for a token."""
    if not isinstance(value, OneTimeToken) or not value.value.reveal().startswith(_STORED_METHOD):
        return None
    return spelled_alike(value.value.reveal())


def _token(token: OneTimeToken, name: str) -> OneTimeToken:
    if not _is_token(token):
        raise InvalidValue(
            f"{name} must be a token: printable text of 1 to {TOKEN_LENGTH_MAX:,} characters",
            argument=name,
        )
    if is_card_number(token):
        # It would be stored and logged wherever the processor stores tokens.
        raise InvalidValue(
            f"{name} is a card number, but a one-time token is needed: the processor's form makes "
            "one in the payer's browser. If the settings of an account accept card numbers, give "
            "it a RawCard",
            argument=name,
        )
    return token


def _is_token(token: OneTimeToken) -> bool:
    text = cast("object", token.value.reveal())
    if not isinstance(text, str) or not 0 < len(text) <= TOKEN_LENGTH_MAX:
        return False
    return bool(text.strip()) and (text.isprintable() or line(text))
