"""Secrets: values that cannot be printed, pickled or serialized."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, TypeVar, cast

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

T = TypeVar("T")
T_co = TypeVar("T_co", str, bytes, covariant=True)

DOTS = "••••"


class Secret(Generic[T_co]):
    """A value that shows as dots everywhere except where `reveal` is called.

    It cannot be pickled, and JSON encoders refuse it; a copy is the same
    object, so there is never a second one. Comparison takes constant time.
    """

    __slots__ = ("__value",)

    def __init__(self, value: T_co) -> None:
        self.__value: T_co = value

    def reveal(self) -> T_co:
        """Return the value. Call this only to send it to its one destination."""
        return self.__value

    def __repr__(self) -> str:
        return f"Secret({DOTS})"

    def __str__(self) -> str:
        return DOTS

    def __format__(self, spec: str) -> str:
        return format(DOTS, spec)

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        theirs = cast("str | bytes", other.reveal())
        import hmac

        return hmac.compare_digest(_bytes(self.__value), _bytes(theirs))

    # A hash would reveal something about the value.
    __hash__ = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled; pass it by reference, or read it again there")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret cannot be serialized; reveal it only for use")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Let pydantic read a Secret from plain text, and refuse to serialize it."""
        from pydantic_core import core_schema

        def refuse(_: Any) -> NoReturn:
            raise ValueError("a Secret cannot be serialized; reveal it only for use")

        plain = core_schema.no_info_after_validator_function(cls, core_schema.str_schema())
        return core_schema.json_or_python_schema(
            json_schema=plain,
            python_schema=core_schema.union_schema([core_schema.is_instance_schema(cls), plain]),
            serialization=core_schema.plain_serializer_function_ser_schema(
                refuse, when_used="json"
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: Any, _handler: Any) -> dict[str, Any]:
        """Mark the field as a password in a settings form."""
        return {"type": "string", "format": "password", "writeOnly": True}


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


class Sealed(Generic[T]):
    """A value of any type that may contain secrets; a traceback shows it as dots."""

    __slots__ = ("__value",)

    def __init__(self, value: T) -> None:
        self.__value: T = value

    def open(self) -> T:
        """Return the value; use it in the expression, and never store it in a variable."""
        return self.__value

    def __repr__(self) -> str:
        return f"Sealed({DOTS})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a sealed value cannot be pickled; pass it by reference")


def as_secret(value: Secret[str] | str | bytes) -> Secret[str]:
    """Return *value* as a Secret; never raise, so that no traceback contains it."""
    if isinstance(value, Secret):
        return value
    return Secret(value.decode("ascii", "replace") if isinstance(value, bytes) else value)


@dataclass(frozen=True, slots=True, eq=False)
class OneTimeToken:
    """A token that the processor's own form made from a card or account, valid for one use.

    It is sent once and never stored, so a request that contained it cannot be
    built again: if the response is lost, we inquire instead. With *wallet*, ``apple_pay`` or
    ``google_pay``, it is the wallet's own payment data, in the encoding that the processor asks
    for, and only accounts whose `Rail.wallets` has that wallet take it.
    """

    value: Secret[str]
    wallet: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", as_secret(self.value))

    @classmethod
    def of(cls, value: str, wallet: str = "") -> Self:
        """Return the token with this plain text."""
        return cls(Secret(value), wallet)


@dataclass(frozen=True, slots=True, eq=False, init=False)
class RawCard:
    """A card number in plain text, by explicit choice (this makes you subject to PCI DSS).

    It is never stored, printed or logged, and most gateways refuse it: prefer a
    token from the processor's own form. Number and security code may be plain text;
    they are kept as secrets.
    """

    number: Secret[str]
    expires_month: int
    expires_year: int
    security_code: Secret[str] | None = None
    holder: str | None = field(default=None, repr=False)

    def __init__(
        self,
        number: Secret[str] | str,
        expires_month: int,
        expires_year: int,
        security_code: Secret[str] | str | None = None,
        holder: str | None = None,
    ) -> None:
        # The names are bound again before anything can raise: a traceback shows the locals.
        number = as_secret(number)
        security_code = as_secret(security_code) if security_code else None
        for name, value in (
            ("number", number),
            ("expires_month", expires_month),
            ("expires_year", expires_year),
            ("security_code", security_code),
            ("holder", holder),
        ):
            object.__setattr__(self, name, value)
        self._check()

    def _check(self) -> None:
        from paygate.errors import InvalidValue

        if not _has_digits(self.number, 12, 19):
            raise InvalidValue("a card number must have 12 to 19 digits only (ISO/IEC 7812)")
        if not _luhn(self.number.reveal()):
            raise InvalidValue("the card number's check digit is wrong; ask the payer to retype it")
        if self.security_code is not None and not _has_digits(self.security_code, 3, 4):
            raise InvalidValue("security_code must be the 3 or 4 digits on the card")
        if type(self.expires_month) is not int or not 1 <= self.expires_month <= 12:
            raise InvalidValue("expires_month must be 1 to 12", argument="expires_month")
        if type(self.expires_year) is not int or not 2000 <= self.expires_year <= 2199:
            raise InvalidValue("expires_year must have four digits", argument="expires_year")
        _check_holder(self.holder)

    @property
    def last4(self) -> str:
        """The last four digits, which may be shown."""
        return self.number.reveal()[-4:]


@dataclass(frozen=True, slots=True, eq=False, init=False)
class RawBankAccount:
    """A bank account in plain text, by explicit choice; never stored, printed or logged."""

    routing_number: Secret[str]
    account_number: Secret[str]
    account_type: str = "checking"
    holder: str | None = field(default=None, repr=False)

    def __init__(
        self,
        routing_number: Secret[str] | str,
        account_number: Secret[str] | str,
        account_type: str = "checking",
        holder: str | None = None,
    ) -> None:
        object.__setattr__(self, "routing_number", as_secret(routing_number))
        object.__setattr__(self, "account_number", as_secret(account_number))
        object.__setattr__(self, "account_type", account_type)
        object.__setattr__(self, "holder", holder)
        self._check()

    def _check(self) -> None:
        from paygate.errors import InvalidValue

        for name in ("routing_number", "account_number"):
            if not _is_account(getattr(self, name)):
                raise InvalidValue(
                    f"{name} must be 1 to {_ACCOUNT_LENGTH_MAX} letters and digits", argument=name
                )
        if not isinstance(cast("object", self.account_type), str):
            raise InvalidValue("account_type must be text", argument="account_type")
        _check_holder(self.holder)

    @property
    def last4(self) -> str:
        """The last four digits, which may be shown."""
        return self.account_number.reveal()[-4:]


_ACCOUNT_LENGTH_MAX = 34  # an IBAN (ISO 13616) is the longest
_HOLDER_LENGTH_MAX = 255


def _is_account(secret: Secret[str]) -> bool:
    text = cast("object", secret.reveal())
    if not isinstance(text, str) or not 0 < len(text) <= _ACCOUNT_LENGTH_MAX:
        return False
    return text.isascii() and text.replace(" ", "").replace("-", "").isalnum()


def _check_holder(holder: object) -> None:
    from paygate.domain.text import line
    from paygate.errors import InvalidValue

    if holder is None:
        return
    if not isinstance(holder, str) or len(holder) > _HOLDER_LENGTH_MAX or not line(holder):
        raise InvalidValue(
            f"holder must be printable text of at most {_HOLDER_LENGTH_MAX} characters",
            argument="holder",
        )


def is_card_number(token: OneTimeToken) -> bool:
    """Return whether *token* is a card number, with or without the spaces printed on the card.

    A processor whose tokens consist of digits chooses them so that the check digit is wrong:
    that distinguishes a token from the number that it stands for.
    """
    number = Secret(token.value.reveal().replace(" ", "").replace("-", ""))
    return _has_digits(number, 13, 19) and _luhn(number.reveal())


def _has_digits(secret: Secret[str], least: int, most: int) -> bool:
    """Return whether *secret* is text of *least* to *most* digits; a host may pass anything."""
    digits = cast("object", secret.reveal())
    if not isinstance(digits, str):
        return False
    return digits.isascii() and digits.isdigit() and least <= len(digits) <= most


def _luhn(digits: str) -> bool:
    """Return whether the last digit is the check digit of ISO/IEC 7812-1, annex B."""
    odd = sum(int(digit) for digit in digits[-1::-2])
    even = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (odd + even) % 10 == 0
