"""What the headers of an answer say, besides its body."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paygate.dialogue import Response


def time_of(response: Response) -> datetime | None:
    """Return the processor's time when it answered: a driver has no clock of its own."""
    try:
        now = parsedate_to_datetime(response.headers.get("date", ""))
    except ValueError:
        return None
    return now.replace(tzinfo=UTC) if now.tzinfo is None else now.astimezone(UTC)
