"""Documents of invoices, and the letterhead on those that paygate draws."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final, cast

from paygate.domain.text import optional
from paygate.errors import InvalidValue
from paygate.printing import shown, shown_value

if TYPE_CHECKING:
    from datetime import datetime

SIZE_MAX: Final = 5 * 1024 * 1024
"""The largest document, in bytes: mail servers refuse what is much larger."""

DOCUMENTS_MAX: Final = 10
"""How many documents an invoice has at most."""

LOGO_SIZE_MAX: Final = 256 * 1024
"""The largest logo, in bytes."""

LINES_MAX: Final = 12
"""How many lines an address, the bank details or the footer have at most."""

_MEDIA_TYPE: Final = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]{0,99}")
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f/\\:*?\"<>|]{1,100}")
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_LINE_MAX: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file that belongs to an invoice, such as a PDF; *name* is shown to its recipient."""

    content: bytes = field(repr=False)
    media_type: str = "application/pdf"
    name: str = "invoice.pdf"

    def __post_init__(self) -> None:
        given = cast("object", self.content)
        if not isinstance(given, bytes) or not given:
            raise InvalidValue(
                "the content of a document must be bytes, at least one", argument="document"
            )
        if len(self.content) > SIZE_MAX:
            raise InvalidValue(
                f"a document has at most {SIZE_MAX:,} bytes, not {len(self.content):,}; "
                "keep it in your own storage and mail a link",
                argument="document",
            )
        for value, pattern, wants in (
            (self.media_type, _MEDIA_TYPE, "a media type such as application/pdf"),
            (self.name, _NAME, "a file name of at most 100 characters, without a folder"),
        ):
            text = cast("object", value)
            if not isinstance(text, str) or not pattern.fullmatch(text):
                raise InvalidValue(
                    f"a document needs {wants}, not {shown_value(text)}", argument="document"
                )
        if self.media_type == "application/pdf" and not self.content.startswith(b"%PDF-"):
            raise InvalidValue(
                f"{shown(self.name)} is not a PDF: it does not begin with %PDF-",
                argument="document",
            )

    @property
    def digest(self) -> str:
        """The SHA-256 digest of the content, hexadecimal."""
        return sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDocument:
    """A document of an invoice in the ledger, without its content; `digest` is its SHA-256."""

    invoice: str
    position: int
    name: str
    media_type: str
    size: int
    digest: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Letterhead:
    """
    Who issues an invoice, as its document shows it.

    `address`, `bank` and `footer` are lines of text. With an `iban`, invoices in EUR have the code
    that banking apps scan. `logo` is a PNG. `paper` is ``"a4"`` or ``"letter"``, and `locale`
    (CLDR, such as ``"de_DE"``) is for dates and amounts; the words of the document are English.
    """

    name: str
    address: tuple[str, ...] = ()
    tax_id: str = ""
    email: str = ""
    phone: str = ""
    bank: tuple[str, ...] = ()
    iban: str = ""
    footer: tuple[str, ...] = ()
    logo: bytes | None = field(default=None, repr=False)
    paper: str = "a4"
    locale: str = "en_US"

    def __post_init__(self) -> None:
        for name in ("name", "tax_id", "email", "phone", "iban"):
            optional(getattr(self, name), name, length_max=_LINE_MAX)
        if not self.name.strip():
            raise InvalidValue("a letterhead needs the name of who issues", argument="letterhead")
        for name in ("address", "bank", "footer"):
            _check_lines(getattr(self, name), name)
        if self.logo is not None and (
            not self.logo.startswith(_PNG) or len(self.logo) > LOGO_SIZE_MAX
        ):
            raise InvalidValue(
                f"the logo must be a PNG of at most {LOGO_SIZE_MAX:,} bytes", argument="letterhead"
            )
        if self.paper not in ("a4", "letter"):
            raise InvalidValue(
                f"paper must be a4 or letter, not {shown_value(self.paper)}", argument="letterhead"
            )
        if self.iban and not is_iban(self.iban):
            raise InvalidValue(
                f"{shown(self.iban)} is not an IBAN: its check digits differ", argument="letterhead"
            )
        _check_locale(self.locale)


def _check_lines(value: object, name: str) -> None:
    lines = cast("tuple[str, ...]", value) if isinstance(value, tuple) else None
    if lines is None or len(lines) > LINES_MAX:
        raise InvalidValue(
            f"{name} must be a tuple of at most {LINES_MAX} lines of text", argument="letterhead"
        )
    for each in lines:
        optional(each, name, length_max=_LINE_MAX)


def _check_locale(locale: object) -> None:
    from babel import Locale, UnknownLocaleError

    try:
        Locale.parse(locale if isinstance(locale, str) else "")
    except (UnknownLocaleError, ValueError):
        raise InvalidValue(
            f"there are no rules for the locale {shown_value(locale)}", argument="letterhead"
        ) from None


_IBAN: Final = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", re.ASCII)


def is_iban(text: str) -> bool:
    """Return whether *text* is an IBAN with right check digits (ISO 13616, ISO 7064)."""
    account = text.replace(" ", "").upper()
    if not _IBAN.fullmatch(account):
        return False
    turned = account[4:] + account[:4]
    return int("".join(str(int(each, 36)) for each in turned)) % 97 == 1
