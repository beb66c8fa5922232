"""Arguments: what a host passes to a verb is checked here, before the verb does anything.

Each kind of argument has one reader. It returns the value as the use cases take it, in the
one spelling in which names are stored, or raises a `UsageError` whose `argument` is the name
of the parameter. So no mistake of a host ends as an error from inside, after a transaction
has begun or a key has been used up.

A message shows at most 80 characters of a text, and of other values the type alone: an object
of a host may hold a secret, or fail when it is printed. Of a token it shows nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import date, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, cast

from paygate.domain.attempt import Attempt
from paygate.domain.chargeback import Chargeback
from paygate.domain.currency import SCALES
from paygate.domain.customer import Address, Browser, Customer, zone_of
from paygate.domain.invoice import Invoice, Share
from paygate.domain.kind import Kind
from paygate.domain.method import Mandate, MethodChange, PaymentMethod
from paygate.domain.money import AMOUNT_MAX, MINOR_MAX, Money
from paygate.domain.outcome import Approved, Authorized, Closed, Declined
from paygate.domain.payment import Payment
from paygate.domain.receipt import Receipt, ReceiptLine
from paygate.domain.secret import OneTimeToken, RawBankAccount, RawCard, Sealed, as_secret
from paygate.domain.text import (
    LENGTH_MAX,
    encodable,
    identifier,
    line,
    spelled_alike,
    told,
)
from paygate.errors import InvalidAmount, InvalidValue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from enum import StrEnum

    from paygate.domain.secret import Secret
    from paygate.gateway import Callback, Method
    from paygate.sink import Sink
    from paygate.transport.network import Network

    E = TypeVar("E", bound=StrEnum)

T = TypeVar("T")

NUMBER_LENGTH_MAX: Final = 100
"""How long the number of an invoice or a reversal may be."""

ITEMS_MAX: Final = 1_000
"""How many invoices one payment may be for."""

URL_LENGTH_MAX: Final = 2_048
"""How long a return address may be; browsers and processors cut or refuse longer ones."""

TOKEN_LENGTH_MAX: Final = 20_000
"""How long a one-time token may be: a wallet's token is a signed document."""

YEARS: Final = (2000, 2200)
"""The first and the last year of a date in the books: what lies beyond is a slip of the pen."""

DAYS_MAX: Final = 3_650
"""The longest time that a host may name."""

SECONDS_MAX: Final = 86_400.0
"""The longest time, in seconds, that a call may be made to wait."""

_BODY_BYTES_MAX: Final = 64 * 1024 * 1024
_FACTS_MAX: Final = 2_000
_PARAMETERS_LENGTH_MAX: Final = 64 * 1024
_STORED_METHOD: Final = "met_"


def refuse(name: str, wants: str, value: object) -> NoReturn:
    """Raise the error that says what the argument *name* takes, and what it was given."""
    raise InvalidValue(f"{name} is {wants}, not {told(value)}", argument=name)


# --- Texts ---------------------------------------------------------------------------------


def named(value: object, name: str) -> str:
    """Return a text by which a record is looked up, in the spelling in which names are stored."""
    if not isinstance(value, str) or not encodable(value):
        refuse(name, "text", value)
    return spelled_alike(value)


def names(value: object, name: str) -> list[str]:
    """Return several names: a list, a tuple or a set of texts."""
    if not isinstance(value, list | tuple | set | frozenset):
        refuse(name, "a list of names", value)
    return [named(each, name) for each in cast("Iterable[object]", value)]


def key(value: str) -> str:
    """Return an idempotency key."""
    return identifier(value, "key")


def number(value: str, name: str) -> str:
    """Return the number of a document."""
    return identifier(value, name, length_max=NUMBER_LENGTH_MAX)


def url(value: object, name: str, *, live: bool) -> str:
    """Return an address to which a payer is sent; *live* money is not paid over plain HTTP."""
    if not isinstance(value, str) or len(value) > URL_LENGTH_MAX:
        refuse(name, f"an address of at most {URL_LENGTH_MAX:,} characters", value)
    if live and value[:5].lower() == "http:":
        refuse(name, "an https address, because the gateway account is live", value)
    return value


# --- Amounts, dates, choices ---------------------------------------------------------------


def money(value: object, name: str) -> Money:
    """Return an amount that one invoice or payment can have: more than zero."""
    amount = any_money(value, name)
    if amount.minor <= 0:
        raise InvalidAmount(f"{name} is {amount}; it must be more than zero", argument=name)
    return amount


def any_money(value: object, name: str) -> Money:
    """Return an amount that may also be zero, but not less."""
    if not isinstance(value, Money):
        raise InvalidAmount(
            f"{name} is Money, such as Money.of('USD', '30.00'), not {told(value)}", argument=name
        )
    if value.minor < 0:
        raise InvalidAmount(f"{name} is {value}; it must not be less than zero", argument=name)
    if not value.is_payable:
        most = Money(value.currency, AMOUNT_MAX)
        raise InvalidAmount(f"{name} is {value}; at most {most} can be one amount", argument=name)
    return value


def currency(value: object, name: str) -> str:
    """Return the code of a currency, or the empty text."""
    if not isinstance(value, str) or (value and value not in SCALES):
        refuse(name, "an ISO 4217 currency code such as CAD, or BTC", value)
    return value


def day(value: object, name: str) -> date:
    """Return a calendar date, of a `date` or of ISO 8601 text."""
    first, last = YEARS
    wants = f"a date from {first} to {last} such as 2026-12-01"
    if isinstance(value, datetime):
        raise InvalidValue(f"{name} is a calendar date, not an instant", argument=name)
    found = value
    if isinstance(value, str):
        try:
            found = date.fromisoformat(value)
        except ValueError:
            refuse(name, wants, value)
    if not isinstance(found, date) or not first <= found.year <= last:
        refuse(name, wants, value)
    return found


def span(value: object, name: str) -> timedelta:
    """Return a length of time that is not negative."""
    if not isinstance(value, timedelta) or not timedelta() <= value <= timedelta(days=DAYS_MAX):
        refuse(name, f"a timedelta of 0 to {DAYS_MAX:,} days", value)
    return value


def seconds(value: object, name: str) -> float:
    """Return a number of seconds that is not negative."""
    fits = type(value) in (int, float) and not math.isnan(cast("float", value))
    if not fits or not 0 <= cast("float", value) <= SECONDS_MAX:
        refuse(name, f"a number of seconds from 0 to {SECONDS_MAX:,.0f}", value)
    return cast("float", value)


def whole(value: object, name: str, low: int = 1, high: int = MINOR_MAX) -> int:
    """Return a whole number from *low* to *high*."""
    if type(value) is not int or not low <= value <= high:
        refuse(name, f"a whole number from {low:,} to {high:,}", value)
    return value


def flag(value: object, name: str) -> bool:
    """Return True or False; a text such as ``"no"`` is neither."""
    if type(value) is not bool:
        refuse(name, "True or False", value)
    return value


def choice(enum: type[E], value: object, name: str) -> E:
    """Return a member of *enum*, also of its text."""
    if isinstance(value, str):
        try:
            return enum(value)
        except ValueError:
            pass
    return refuse(name, f"one of {', '.join(enum)}", value)


def kind(value: object, name: str, taken: Sequence[Kind] = ()) -> Kind:
    """Return a kind of payment; a refusal of what is none names those that are *taken* here."""
    if isinstance(value, str) and value in tuple(Kind):
        return Kind(value)
    return refuse(name, f"one of {', '.join(taken or Kind)}", value)


def maybe(read: Callable[..., T], value: object, name: str) -> T | None:
    """Return None for None, and what *read* returns for everything else."""
    return None if value is None else read(value, name)


# --- Records -------------------------------------------------------------------------------


def payment(value: object, name: str) -> str:
    """Return the id of a payment."""
    return _id(value, name, Payment)


def attempt(value: object, name: str) -> str:
    """Return the id of an attempt."""
    return _id(value, name, Attempt)


def receipt(value: object, name: str) -> str:
    """Return the id of a receipt."""
    return _id(value, name, Receipt)


def receipt_line(value: object, name: str) -> str:
    """Return the id of a receipt, which may be given as a line of a list of them."""
    return _id(value, name, Receipt, ReceiptLine)


def write_off(value: object, name: str) -> str:
    """Return the id of a write-off."""
    from paygate.domain.reversal import WriteOff

    return _id(value, name, WriteOff)


def stored(value: object, name: str) -> str:
    """Return the id of a stored method."""
    return _id(value, name, PaymentMethod)


def change(value: object, name: str) -> str:
    """Return the id of what was asked about a method."""
    return _id(value, name, MethodChange)


def actionable(value: object, name: str) -> str:
    """Return the id of what may wait for the payer: a payment, or a change of a method."""
    return _id(value, name, Payment, MethodChange)


def callback_id(value: object, name: str) -> int:
    """Return the number of a callback that was stored."""
    from paygate.domain.callback import StoredCallback

    return value.id if isinstance(value, StoredCallback) else whole(value, name)


def number_of_callback(value: object, name: str) -> int:
    """Return the number of a callback that was stored, or 0 for none."""
    return 0 if type(value) is int and value == 0 else callback_id(value, name)


def invoice_id(value: object, name: str) -> str:
    """Return the id of an invoice."""
    return _id(value, name, Invoice)


def chargeback_id(value: object, name: str) -> str:
    """Return the id of a chargeback."""
    return _id(value, name, Chargeback)


def credit_id(value: object, name: str) -> str:
    """Return the id of a lot of credit."""
    from paygate.domain.credit import Credit

    return _id(value, name, Credit)


def payer_number_id(value: object, name: str) -> str:
    """Return the id of the assignment of a payer's number."""
    from paygate.domain.payer_number import PayerNumber

    return _id(value, name, PayerNumber)


def aggregate(value: object, name: str) -> str:
    """Return the id of what events are about."""
    return _id(value, name, Payment, Invoice, PaymentMethod)


def _id(value: object, name: str, *kinds: type) -> str:
    if isinstance(value, str):
        return named(value, name)
    if not isinstance(value, kinds):
        refuse(name, f"a {' or a '.join(each.__name__ for each in kinds)}, or its id", value)
    id_ = cast("Payment", value).id
    return id_ if isinstance(cast("object", id_), str) else named(id_, name)


def invoice(value: object, name: str) -> Invoice | str:
    """Return an invoice, or the number (or id) of one."""
    if isinstance(value, Invoice):
        return value
    if not isinstance(value, str):
        refuse(name, "an Invoice, or the number of one", value)
    return named(value, name)


def items(value: object, name: str) -> list[Invoice | Share | str]:
    """Return what is to be paid, in order: invoices, numbers of them, and shares."""
    return [_item(each, name) for each in _several(value, name, (Invoice, Share, str))]


def invoices(value: object, name: str) -> list[Invoice | str]:
    """Return invoices, or numbers of them, in order."""
    return [invoice(each, name) for each in _several(value, name, (Invoice, str))]


def _several(value: object, name: str, one: tuple[type, ...]) -> list[object]:
    whole = value
    if isinstance(value, one):
        return [value]
    if not isinstance(value, Iterable) or isinstance(value, (bytes, Mapping)):
        refuse(name, "an Invoice, the number of one, or a list of them", whole)
    found = list(islice(cast("Iterable[object]", value), ITEMS_MAX + 1))
    if len(found) > ITEMS_MAX:
        raise InvalidValue(f"{name} has more than {ITEMS_MAX:,} entries", argument=name)
    return found


def _item(value: object, name: str) -> Invoice | Share | str:
    if not isinstance(value, Share):
        return invoice(value, name)
    _ = invoice(value.invoice, name)
    _ = money(value.amount, name)
    return value


# --- People --------------------------------------------------------------------------------


def customer(value: object, name: str) -> Customer | str:
    """Return a customer, or the id of one, who may be new to the ledger."""
    if isinstance(value, str):
        return identifier(value, name)
    if not isinstance(value, Customer):
        refuse(name, "a Customer, or the id of one", value)
    return person(value, name)


def customer_id(value: object, name: str) -> str:
    """Return the id by which a customer is looked up."""
    return _id(value, name, Customer)


def person(value: object, name: str) -> Customer:
    """Return a person with contact facts that can be stored and printed."""
    if not isinstance(value, Customer):
        refuse(name, "a Customer", value)
    _ = identifier(value.id, name)
    for field in ("name", "email", "phone", "language", "zone"):
        _fact(getattr(value, field), f"{name}.{field}", name)
    if value.zone:
        _ = zone_of(value.zone)
    address = cast("object", value.address)
    if not isinstance(address, Address):
        refuse(f"{name}.address", "an Address", address)
    for field in ("line1", "line2", "city", "region", "postal_code", "country"):
        _fact(getattr(address, field), f"{name}.address.{field}", name)
    return value


def _fact(value: object, field: str, name: str) -> None:
    if value == "":
        return
    if not isinstance(value, str) or len(value) > LENGTH_MAX or not line(value):
        raise InvalidValue(
            f"{field} is printable text of one line, at most {LENGTH_MAX} characters, not "
            f"{told(value)}",
            argument=name,
        )


def browser(value: object, name: str) -> Browser:
    """Return what a payer's browser said of itself; it is sent on, and never printed."""
    if not isinstance(value, Browser):
        refuse(name, "a Browser", value)
    for field in ("ip", "user_agent", "accept", "language"):
        given = getattr(value, field)
        if not isinstance(given, str) or len(given) > _FACTS_MAX or not encodable(given):
            raise InvalidValue(
                f"{name}.{field} is text of at most {_FACTS_MAX:,} characters, not {told(given)}",
                argument=name,
            )
    return value


def mandate(value: object, name: str) -> Mandate:
    """Return a payer's authorisation."""
    if not isinstance(value, Mandate):
        refuse(name, "a Mandate", value)
    return value


# --- Methods -------------------------------------------------------------------------------


def method(value: object, name: str) -> Method | PaymentMethod:
    """Return what is to pay: a token (a `str` is one), what was stored, or raw card data.

    No message shows anything of it but its type.
    """
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
        f"{name} is a one-time token, as text, or a PaymentMethod that was stored, not a "
        f"{kind_of.__name__}",
        argument=name,
    )


def sealed_method(value: object) -> object:
    """Return *value* so that a traceback shows nothing of it: a text as the token that it is.

    What is no method at all may be one in a shape of the host's own, such as a mapping with a
    card number in it.
    """
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
    """Return what is to be stored; what is stored already is refused."""
    from paygate.gateway import StoredToken

    found = method(value, name)
    if isinstance(found, PaymentMethod | StoredToken) or id_of_stored(found) is not None:
        raise InvalidValue(f"{name} is stored already; give a one-time token", argument=name)
    return found


def id_of_stored(value: Method | PaymentMethod) -> str | None:
    """Return the id of a stored method that was given as a text; None for what is a token."""
    if not isinstance(value, OneTimeToken) or not value.value.reveal().startswith(_STORED_METHOD):
        return None
    return spelled_alike(value.value.reveal())


def _token(token: OneTimeToken, name: str) -> OneTimeToken:
    if not _is_token(token):
        raise InvalidValue(
            f"{name} is a token: printable text of 1 to {TOKEN_LENGTH_MAX:,} characters",
            argument=name,
        )
    return token


def _is_token(token: OneTimeToken) -> bool:
    text = cast("object", token.value.reveal())
    if not isinstance(text, str) or not 0 < len(text) <= TOKEN_LENGTH_MAX:
        return False
    return bool(text.strip()) and (text.isprintable() or line(text))


# --- What comes from elsewhere through the host --------------------------------------------


def parameters(value: Sealed[Any] | None, name: str) -> Sealed[Mapping[str, str]]:
    """Return the parameters of a return address; they stay sealed, and no message shows them."""
    if value is None:
        return Sealed({})
    if not _are_texts(value):
        raise InvalidValue(
            f"{name} is a mapping of texts, at most {_PARAMETERS_LENGTH_MAX:,} characters in all",
            argument=name,
        )
    return value


def _are_texts(value: Sealed[Any]) -> bool:
    given: object = value.open()
    if not isinstance(given, Mapping):
        return False
    length = 0
    for pair in cast("Mapping[object, object]", given).items():
        if not all(isinstance(each, str) and encodable(each) for each in pair):
            return False
        length += sum(map(len, cast("tuple[str, str]", pair)))
    return length <= _PARAMETERS_LENGTH_MAX


def callback(value: object, name: str) -> Callback:
    """Return a callback as it came: raw, and at an instant with its zone."""
    from paygate.gateway import Callback

    if not isinstance(value, Callback):
        refuse(name, "a Callback", value)
    texts = (value.method, value.path, value.query)
    if not all(isinstance(cast("object", each), str) and encodable(each) for each in texts):
        raise InvalidValue(f"the method, path and query of {name} are texts", argument=name)
    body, headers = cast("object", value.body), cast("object", value.headers)
    if not isinstance(body, bytes) or len(body) > _BODY_BYTES_MAX:
        raise InvalidValue(f"the body of {name} is the raw bytes, not {told(body)}", argument=name)
    if not isinstance(headers, Mapping) or not _are_texts(Sealed(cast("object", headers))):
        raise InvalidValue(f"the headers of {name} are texts by name", argument=name)
    instant(value.received_at, f"{name}.received_at", name)
    return value


def instant(value: object, field: str, name: str) -> datetime:
    """Return an instant with its zone."""
    first, last = YEARS
    aware = isinstance(value, datetime) and value.utcoffset() is not None
    if not aware or not first <= cast("datetime", value).year <= last:
        raise InvalidValue(
            f"{field} is an instant with its zone, from {first} to {last}, such as "
            "datetime.now(UTC)",
            argument=name,
        )
    return cast("datetime", value)


def outcome(value: object, name: str) -> Approved | Authorized | Declined | Closed:
    """Return what a person can say of how an operation ended."""
    if type(value) is Authorized:
        return value
    if type(value) not in (Approved, Declined, Closed):
        refuse(name, "an Approved, Authorized, Declined or Closed", value)
    return cast("Approved | Declined | Closed", value)


def outcome_of_method(value: object, name: str) -> Approved | Declined | Closed:
    """Return what a person can say of how storing, or deleting, a method ended."""
    if type(value) not in (Approved, Declined, Closed):
        refuse(name, "an Approved, Declined or Closed", value)
    return cast("Approved | Declined | Closed", value)


def content(value: object, name: str) -> bytes | str:
    """Return the content of a file, as bytes or as text."""
    if not isinstance(value, bytes | str):
        kind = type(value).__name__
        raise InvalidValue(
            f"{name} is the content of a file, as bytes or text, not {kind}", argument=name
        )
    if len(value) > _BODY_BYTES_MAX:
        wants = f"the content of a file, of at most {_BODY_BYTES_MAX:,} bytes or characters"
        refuse(name, wants, len(value))
    return value


def delimiter(value: object, name: str) -> str:
    """Return the character that separates the columns of a CSV file."""
    fits = isinstance(value, str) and len(value) == 1 and (value == "\t" or value.isprintable())
    if not isinstance(value, str) or not fits or value in '" ' or value.isalnum():
        refuse(name, "one character, such as ';' or a tab", value)
    return value


def encoding(value: object, name: str) -> str:
    """Return the name of an encoding of text."""
    if isinstance(value, str) and "\0" not in value and encodable(value):
        # LookupError: there is none of that name, or it is none of text, such as base64.
        # UnicodeError: it is none of files, such as idna, which is for names of hosts.
        with suppress(LookupError, UnicodeError):
            b" ".decode(value, "replace")
            return value
    return refuse(name, "the name of an encoding, such as utf-8 or latin-1", value)


def decimal_mark(value: object, name: str) -> str:
    """Return the mark before the digits that are less than one."""
    if not isinstance(value, str) or value not in (".", ","):
        refuse(name, "'.' or ','", value)
    return value


def called(value: object, name: str, takes: str) -> Callable[..., Any]:
    """Return a function of the host's."""
    if not callable(value):
        refuse(name, f"a function that takes {takes}", value)
    return value


# --- What a cashier is opened with ---------------------------------------------------------


def gateways(value: Sealed[Any], name: str) -> None:
    """Check that gateway accounts are given by name; their settings stay sealed."""
    fits = isinstance(value.open(), Mapping)
    names = list(cast("Mapping[object, object]", value.open())) if fits else []
    if "driver" in names and isinstance(value.open()["driver"], str):
        raise InvalidValue(
            f"{name} is a mapping of accounts by a name of your choice, such as "
            f'{{"card": {{"driver": "stripe", …}}}}; this is one account without a name',
            argument=name,
        )
    if not fits:
        raise InvalidValue(
            f'{name} is a mapping of accounts by a name of your choice, such as {{"card": '
            f"FakeGateway()}}, not {type(value.open()).__name__}",
            argument=name,
        )
    for each in names:
        if not isinstance(each, str) or identifier(each, name) != each:
            refuse(name, "a mapping whose names are printable text", each)


def environment(value: Sealed[Any], name: str) -> None:
    """Check that variables are given by name; they stay sealed."""
    if value.open() is not None and not isinstance(value.open(), Mapping):
        raise InvalidValue(f"{name} is a mapping of texts, such as os.environ", argument=name)


def address_of_ledger(value: Sealed[Any], name: str) -> None:
    """Check that the address of a ledger is a text; a password may be in it."""
    given: Sealed[object] = value
    if not isinstance(given.open(), str) or not encodable(cast("str", given.open())):
        raise InvalidValue(f"{name} is text such as sqlite:///payments.db", argument=name)


def token_keys(value: object, name: str) -> list[Secret[str]] | None:
    """Return the keys as secrets; no message shows them."""
    if value is None:
        return None
    if not isinstance(value, list | tuple):
        kind_of = type(value).__name__
        del value
        raise InvalidValue(f"{name} is a list of keys, not {kind_of}", argument=name)
    secrets = [as_secret(cast("Any", each)) for each in cast("Sequence[object]", value)]
    del value
    if not all(isinstance(cast("object", each.reveal()), str) for each in secrets):
        raise InvalidValue(f"{name} is a list of keys, each as text or bytes", argument=name)
    return secrets


def sinks(value: object, name: str) -> Sequence[Sink]:
    """Return systems that are told about events."""
    found, whole = cast("Sequence[object]", value), value
    if not isinstance(value, list | tuple) or not all(
        callable(getattr(each, "deliver", None)) for each in found
    ):
        refuse(name, "a list of sinks", whole)
    for each in found:
        _ = identifier(cast("Any", each).name, name)
    return cast("Sequence[Sink]", found)


def callables(**given: tuple[object, str]) -> None:
    """Check that what stands in for the clock, or makes ids, has the function that it needs."""
    for name, (value, function) in given.items():
        if value is not None and not callable(getattr(value, function, None)):
            refuse(name, f"an object with the method {function}()", value)


def network(
    value: object, name: str, accounts: Iterable[str], sinks: Iterable[str]
) -> Mapping[str, Network]:
    """Return the way out by account; sinks take the one that is for all."""
    if value is None:
        return {}
    from paygate.transport.network import Network

    if isinstance(value, Network):
        return dict.fromkeys((*accounts, *sinks), value)
    known, whole = set(accounts), value
    given = cast("Mapping[object, object]", value if isinstance(value, Mapping) else {})
    if not given or not all(isinstance(each, Network) for each in given.values()):
        refuse(name, "a Network, or a mapping of them by account", whole)
    for each in given:
        if each not in known:
            refuse(name, f"by account, and there are {', '.join(sorted(known)) or 'none'}", each)
    return cast("Mapping[str, Network]", given)
