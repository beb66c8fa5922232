"""It books the amount that it asked for, whatever moved."""

from dataclasses import replace

from paygate.dialogue import Response
from paygate.domain.money import Money
from paygate.domain.outcome import Approved, Outcome
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    def outcome(
        self, response: Response, asked: Money | None = None, *, moved: bool = False
    ) -> Outcome:
        found = super().outcome(response, moved=moved)
        if isinstance(found, Approved) and asked is not None:
            booked = [
                replace(each, amount=Money(each.amount.currency, asked.minor))
                for each in found.movements
            ]
            return replace(found, movements=tuple(booked))
        return found
