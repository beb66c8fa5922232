"""Biases: what is made more likely in a schedule, so that a rare coincidence becomes common.

An unbiased seed draws a little of everything. To find a certain bug within hundreds of
seeds, its faults must be on, its actors busy, and its processor of the right kind; the
rest is drawn as usual.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from paygate.gateway import CallbackStyle, InquiryBy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.testing.simulation.faults import PlannedFault, Weather
    from paygate.testing.simulation.profiles import SimulatedAccount


@dataclass(frozen=True, slots=True, kw_only=True)
class Bias:
    """
    What is more likely than by chance.

    With `faults` only these happen, each with the given probability. `actions` are drawn
    more often by the given factor, or never with 0. The other fields restrict the accounts;
    an empty field allows any.
    """

    faults: Mapping[PlannedFault, float] = field(default_factory=dict["PlannedFault", float])
    actions: Mapping[str, int] = field(default_factory=dict[str, int])
    kinds: frozenset[str] = frozenset()
    rules: frozenset[str] = frozenset()
    inquiries: frozenset[InquiryBy] = frozenset()
    callbacks: frozenset[CallbackStyle] = frozenset()
    feed: bool | None = None
    found_for_sure: bool = False
    slow: bool = False
    late: bool = False

    def weather(self, drawn: Weather) -> Weather:
        """Return the weather of a schedule whose seed drew *drawn*."""
        return replace(drawn, chances=self.faults) if self.faults else drawn

    def fits(self, profile: SimulatedAccount) -> bool:
        """Return whether *profile* meets the restrictions."""
        traits = profile.traits
        return (
            (not self.kinds or profile.kind in self.kinds)
            and (not self.rules or profile.rule in self.rules)
            and (not self.inquiries or traits.inquiry in self.inquiries)
            and (not self.callbacks or traits.callbacks in self.callbacks)
            and (self.feed is None or profile.feed is self.feed)
            and (not self.late or profile.late)
            and (not self.slow or (profile.slow and not profile.odd))
            and (not self.found_for_sure or traits.not_found_is_final_after is not None)
        )


NONE = Bias()
"""Nothing is more likely than by chance."""
