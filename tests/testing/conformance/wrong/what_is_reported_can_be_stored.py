"""It believes every id to be an id."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from paygate.domain.movement import Movement
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def moved(self, told: Mapping[str, Any]) -> tuple[Movement, ...]:
        rows = zip(super().moved(_readable(told)), told.get("moved", []), strict=True)
        return tuple(replace(each, movement_id=str(row["id"])) for each, row in rows)


def _readable(told: Mapping[str, Any]) -> dict[str, Any]:
    """Read everything but the ids."""
    return {**told, "moved": [{**each, "id": "any"} for each in told.get("moved", [])]}
