"""Forms and query strings: pairs of texts, each name once.

Readers differ in which value counts if a name is given twice, so that one could be signed and the
other read; such a form is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from typing_extensions import override

from paygate.dialogue import BODY_BYTES_MAX
from paygate.driverkit.bodies import body_of, unreadable
from paygate.driverkit.fields import Fields
from paygate.errors import BadResponse
from paygate.printing import shown

if TYPE_CHECKING:
    from paygate.dialogue import Response

FIELDS_MAX: Final = 1000


class FormFields(Fields):
    """The fields of a form; a path is the whole name of a field, even with dots."""

    __slots__ = ()

    textual = True

    @override
    def __contains__(self, path: str) -> bool:
        return self._find(path) is not None

    @override
    def _find(self, path: str) -> object:
        return self._members.get(path)


def read_form(
    source: Response | bytes | str,
    by: str,
    *,
    bytes_max: int = BODY_BYTES_MAX,
    encoding: str = "utf-8",
) -> FormFields:
    """
    Return the fields of a form, or of a query string, or raise `BadResponse`.

    With the *encoding* ``latin-1`` each byte is a character, so that a signature over the bytes can
    be computed from the texts.
    """
    given = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
    body = body_of(given, by, "a form", bytes_max)
    try:
        pairs = parse_qsl(
            body.decode(encoding),
            keep_blank_values=True,
            encoding=encoding,
            errors="strict",
            max_num_fields=FIELDS_MAX,
        )
    except ValueError:
        raise unreadable(given, by, "a form") from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in fields:
            raise BadResponse(f"{by}: {shown(name)} is given twice")
        fields[name] = value
    return FormFields(fields, by)
