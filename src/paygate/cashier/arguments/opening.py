"""Arguments with which a cashier is opened."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, cast

from paygate.cashier.arguments.plain import refuse
from paygate.domain.secret import Sealed, Secret, as_secret
from paygate.domain.text import encodable, identifier
from paygate.errors import InvalidValue
from paygate.sink import ROUTE

if TYPE_CHECKING:
    from collections.abc import Sequence


_TENANT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}")
"""What needs no escape in a URL; without other scripts, no two names look the same."""


def gateways(value: Sealed[Any], name: str) -> None:
    """Check that gateway accounts are given by name; their settings stay sealed."""
    fits = isinstance(value.open(), Mapping)
    names = list(cast("Mapping[object, object]", value.open())) if fits else []
    if "driver" in names and isinstance(value.open()["driver"], str):
        raise InvalidValue(
            f"{name} must be a mapping of accounts by a name of your choice, such as "
            f'{{"card": {{"driver": "stripe", …}}}}; this is one account without a name',
            argument=name,
        )
    if not fits:
        raise InvalidValue(
            f'{name} must be a mapping of accounts by a name of your choice, such as {{"card": '
            f"FakeGateway()}}, not {type(value.open()).__name__}",
            argument=name,
        )
    for each in names:
        if not isinstance(each, str) or identifier(each, name) != each:
            refuse(name, "a mapping whose names are printable text", each)
        if each.startswith(ROUTE):
            refuse(name, f"a mapping whose names do not begin with {ROUTE!r}", each)


def environment(value: Sealed[Any], name: str) -> None:
    """Check that variables are given by name; they stay sealed."""
    if value.open() is not None and not isinstance(value.open(), Mapping):
        raise InvalidValue(f"{name} must be a mapping of texts, such as os.environ", argument=name)


def address_of_ledger(value: Sealed[Any], name: str) -> None:
    """Check that the URL of a ledger is a text; it may contain a password."""
    given: Sealed[object] = value
    if not isinstance(given.open(), str) or not encodable(cast("str", given.open())):
        raise InvalidValue(f"{name} must be text such as sqlite:///payments.db", argument=name)


def token_keys(value: object, name: str) -> list[Secret[str]] | None:
    """Return the keys as secrets; no message shows them."""
    if value is None:
        return None
    if not isinstance(value, list | tuple):
        kind_of = type(value).__name__
        del value
        raise InvalidValue(f"{name} must be a list of keys, not {kind_of}", argument=name)
    secrets = [as_secret(cast("Any", each)) for each in cast("Sequence[object]", value)]
    del value
    if not all(isinstance(cast("object", each.reveal()), str) for each in secrets):
        raise InvalidValue(f"{name} must be a list of keys, each as text or bytes", argument=name)
    return secrets


def sinks(value: Sealed[Any], name: str) -> None:
    """Check that sinks are given by name; their settings stay sealed."""
    if not isinstance(value.open(), Mapping):
        raise InvalidValue(
            f'{name} must be a mapping of sinks by a name of your choice, such as {{"crm": '
            f'{{"sink": "smtp", …}}}}, not {type(value.open()).__name__}',
            argument=name,
        )
    for each in list(cast("Mapping[object, object]", value.open())):
        if not isinstance(each, str) or identifier(each, name) != each:
            refuse(name, "a mapping whose names are printable text", each)


def tenant(value: str) -> str:
    """Return the name of one of many tenants: as it is in the path of its callbacks."""
    if not isinstance(cast("object", value), str) or not _TENANT.fullmatch(value):
        refuse(
            "tenant",
            "1 to 64 ASCII letters, digits, and - . _ ~ after the first, because it is a part of "
            "the address of callbacks",
            value,
        )
    return value


def account_name(value: str) -> str:
    """Return the name of a stored account: as it is in the path of its callbacks."""
    if not isinstance(cast("object", value), str) or not _TENANT.fullmatch(value):
        refuse(
            "account",
            "1 to 64 ASCII letters, digits, and - . _ ~ after the first, because it is a part of "
            "the address of callbacks",
            value,
        )
    return value


def settings(value: object) -> Sealed[dict[str, Any]]:
    """Return a copy of the settings of an account that is stored: plain data, and sealed."""
    given: Sealed[Any] = cast("Any", value) if isinstance(value, Sealed) else Sealed(value)
    del value
    if not isinstance(given.open(), Mapping):
        raise InvalidValue(
            'settings must be a mapping by name, such as {"driver": "stripe", …}',
            argument="settings",
        )
    wrong = {"gateway", "transport"} & set(cast("Mapping[object, object]", given.open()))
    if wrong:
        raise InvalidValue(
            f"{', '.join(sorted(wrong))} cannot be stored: an object of your program is not data",
            argument="settings",
        )
    plain = Sealed(_plain(given.open()))
    try:
        json.dumps(plain.open(), allow_nan=False)
    except (TypeError, ValueError):
        pass
    else:
        return cast("Sealed[dict[str, Any]]", plain)
    raise InvalidValue(
        "settings must be plain data: texts, numbers, true or false, lists and tables",
        argument="settings",
    )


def _plain(value: object) -> Any:
    """Return *value* with its secrets as plain text; only for what is encrypted next."""
    match value:
        case Secret():
            return cast("Secret[str]", value).reveal()
        case Mapping():
            pairs = cast("Mapping[str, object]", value)
            return {key: _plain(each) for key, each in pairs.items()}
        case list() | tuple():
            return [_plain(each) for each in cast("list[object]", value)]
        case Decimal():
            return str(value)
        case _:
            return value


def callables(**given: tuple[object, str]) -> None:
    """Check that a replacement of the clock, or of the id maker, has the function it needs."""
    for name, (value, function) in given.items():
        if value is not None and not callable(getattr(value, function, None)):
            refuse(name, f"an object with the method {function}()", value)
