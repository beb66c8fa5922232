"""Data from elsewhere that the host passes on: return URLs and callbacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from paygate.cashier.arguments.amounts import instant
from paygate.cashier.arguments.plain import refuse
from paygate.domain.secret import Sealed
from paygate.domain.text import encodable
from paygate.errors import InvalidValue
from paygate.printing import shown_value

if TYPE_CHECKING:
    from typing import Any, Final

    from paygate.gateway import Callback


_BODY_BYTES_MAX: Final = 64 * 1024 * 1024

_PARAMETERS_LENGTH_MAX: Final = 64 * 1024


def parameters(value: Sealed[Any] | None, name: str) -> Sealed[Mapping[str, str]]:
    """Return the parameters of a return URL; they stay sealed, and no message shows them."""
    if value is None:
        return Sealed({})
    if not _are_texts(value):
        raise InvalidValue(
            f"{name} must be a mapping of texts, at most {_PARAMETERS_LENGTH_MAX:,} characters in "
            "total",
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
    """Return a callback as it was received: raw, with an instant that has a zone."""
    from paygate.gateway import Callback

    if not isinstance(value, Callback):
        refuse(name, "a Callback", value)
    texts = (value.method, value.path, value.query)
    if not all(isinstance(cast("object", each), str) and encodable(each) for each in texts):
        raise InvalidValue(f"the method, path and query of {name} must be texts", argument=name)
    body, headers = cast("object", value.body), cast("object", value.headers)
    if not isinstance(body, bytes) or len(body) > _BODY_BYTES_MAX:
        raise InvalidValue(
            f"the body of {name} must be the raw bytes, not {shown_value(body)}", argument=name
        )
    if not isinstance(headers, Mapping) or not _are_texts(Sealed(cast("object", headers))):
        raise InvalidValue(f"the headers of {name} must be texts by name", argument=name)
    instant(value.received_at, f"{name}.received_at", name)
    return value
