"""Every event that any test causes fits the catalogue and shows no secret of the fake gateways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paygate.domain.event_fields import problems
from paygate.ledger import outbox


def check_everywhere() -> None:
    """Check each event when it is stored, in this process."""
    store = outbox.emit

    def emit(tx: Any, type_: str, aggregate: str, data: Mapping[str, Any], *more: Any) -> None:
        found = problems(type_, data)
        assert not found, f"{type_}: {'; '.join(found)}"
        store(tx, type_, aggregate, data, *more)

    outbox.emit = emit  # type: ignore[assignment]
