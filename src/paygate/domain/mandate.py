"""Mandates: the payer's authorization to charge a stored method without them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final, cast

from paygate.domain.money import Money
from paygate.domain.text import LENGTH_MAX, NOTE_LENGTH_MAX, encodable, line
from paygate.errors import InvalidValue
from paygate.printing import shown_value

if TYPE_CHECKING:
    from collections.abc import Sequence

_FIRST_YEAR: Final = 2000
_LAST_YEAR: Final = 2200
_PENDING_MAX: Final = 1_000
_NOTICE_MAX: Final = 60


class MandateScope(StrEnum):
    """Which invoices the payer allowed us to collect without them."""

    FUTURE = "future"
    """Those issued after the payer agreed."""
    FUTURE_AND_PENDING = "future_and_pending"
    """Those as well that were open when the payer agreed."""


class MandateChannel(StrEnum):
    """How the payer agreed."""

    WEB = "web"
    """On a page of ours, or of the processor."""
    PHONE = "phone"
    """On the telephone, with a recording."""
    PAPER = "paper"
    """With a signature on paper."""
    IMPORTED = "imported"
    """In another system, from which the mandate was taken over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """The payer's authorization: which text, when, from where, and for what.

    - `text_version` names the text that the payer accepted, and `text_digest` is its digest, so
      that it can be proved later; `language` is the language in which it was shown.
    - `accepted_at` is the instant of acceptance, `ip` and `user_agent` are the payer's, and
      `authenticated` says how the payer was identified, such as "3-D Secure" or "password".
    - `channel` is how the payer agreed; a clerk who noted it is the `actor`, which is the
      cashier's actor by default.
    - `basis` is how amount and date follow, as the payer read it, such as "the total of each
      invoice, on its due date". Nothing above `ceiling` is charged at once. `notice_days` is how
      many days before a collection the payer gets notice, if that was agreed.
    - With the scope `FUTURE_AND_PENDING`, `pending` are the numbers of the invoices that the payer
      saw; without them, the ledger stores those that are open.
    - `reference` is the processor's or the bank's, such as SEPA's.

    The ledger assigns the `id`, and stores the network's id and the amount of the first
    transaction, for later charges. `ended_at` says when the mandate ended, with who ended it and
    why.
    """

    text_version: str
    accepted_at: datetime
    scope: MandateScope = MandateScope.FUTURE
    reference: str = ""
    ip: str = ""
    user_agent: str = ""
    text_digest: str = ""
    language: str = ""
    authenticated: str = ""
    channel: MandateChannel = MandateChannel.WEB
    actor: str = ""
    basis: str = ""
    ceiling: Money | None = None
    notice_days: int | None = None
    pending: Sequence[str] = ()
    id: str = ""
    network_transaction_id: str = ""
    first_amount: Money | None = None
    ended_at: datetime | None = None
    ended_by: str = ""
    ended_for: str = ""

    def __post_init__(self) -> None:
        given = cast("object", self.accepted_at)
        aware = isinstance(given, datetime) and given.utcoffset() is not None
        if not aware or not _FIRST_YEAR <= cast("datetime", given).year <= _LAST_YEAR:
            raise InvalidValue(
                "accepted_at of a mandate must be the instant, with its zone, at which the payer "
                f"agreed, such as datetime.now(UTC), not {shown_value(given)}",
                argument="mandate",
            )
        self._check_member("scope", MandateScope)
        self._check_member("channel", MandateChannel)
        for name, most in _TEXTS.items():
            self._check_text(name, most)
        self._check_terms()
        object.__setattr__(self, "pending", self._numbers())

    def _check_member(self, name: str, members: type[StrEnum]) -> None:
        given: object = getattr(self, name)
        if not isinstance(given, members):
            raise InvalidValue(
                f"{name} of a mandate must be a {members.__name__} ({', '.join(members)}), not "
                f"{shown_value(given)}",
                argument="mandate",
            )

    def _check_text(self, name: str, most: int) -> None:
        text: object = getattr(self, name)
        least = int(name == "text_version")
        fits = isinstance(text, str) and least <= len(text) <= most
        if not fits or not (line(cast("str", text)) or (name == "user_agent" and _stored(text))):
            raise InvalidValue(
                f"{name} of a mandate must be printable text of {least} to {most} characters, "
                f"not {shown_value(text)}",
                argument="mandate",
            )

    def _check_terms(self) -> None:
        ceiling = cast("object", self.ceiling)
        if ceiling is not None and not (isinstance(ceiling, Money) and ceiling.minor > 0):
            raise InvalidValue(
                f"ceiling of a mandate must be Money above zero, not {shown_value(ceiling)}",
                argument="mandate",
            )
        days = cast("object", self.notice_days)
        if days is not None and not (type(days) is int and 0 <= days <= _NOTICE_MAX):
            raise InvalidValue(
                f"notice_days of a mandate must be 0 to {_NOTICE_MAX} days, not "
                f"{shown_value(days)}",
                argument="mandate",
            )

    def _numbers(self) -> tuple[str, ...]:
        if not isinstance(cast("object", self.pending), tuple | list):
            raise InvalidValue(
                f"pending of a mandate must be numbers of invoices, not "
                f"{shown_value(self.pending)}",
                argument="mandate",
            )
        numbers = tuple(cast("Sequence[object]", self.pending))
        texts = tuple(each for each in numbers if isinstance(each, str) and each and line(each))
        if len(texts) < len(numbers) or len(texts) > _PENDING_MAX:
            raise InvalidValue(
                f"pending of a mandate must be at most {_PENDING_MAX} numbers of invoices, not "
                f"{shown_value(self.pending)}",
                argument="mandate",
            )
        if texts and self.scope is not MandateScope.FUTURE_AND_PENDING:
            raise InvalidValue(
                "pending names open invoices, so the scope of the mandate must be "
                "FUTURE_AND_PENDING",
                argument="mandate",
            )
        return texts


_TEXTS: Final = {
    "text_version": LENGTH_MAX,
    "reference": LENGTH_MAX,
    "ip": LENGTH_MAX,
    "user_agent": NOTE_LENGTH_MAX,
    "text_digest": LENGTH_MAX,
    "language": LENGTH_MAX,
    "authenticated": LENGTH_MAX,
    "actor": LENGTH_MAX,
    "basis": NOTE_LENGTH_MAX,
}


def _stored(text: object) -> bool:
    return isinstance(text, str) and encodable(text)
