"""Episodes: how far a customer has come in a campaign, in one currency.

An episode begins when the overdue amount reaches the threshold, and ends when it falls below. It
counts days from its *anchor*, the oldest overdue invoice. Two pure functions decide everything:

- `settle` is computed at the end of each transaction that changed what is overdue. It ends an
  episode, begins or resumes one, and counts the stages of another anchor. It never takes a
  customer to a stage that they had not reached.
- `advance` is computed by the sweep of a day. It takes an episode to its next stage, if the day of
  that stage has come and nothing holds it. So there is at most one stage a day, each has its gap
  to the one before, and an outage of ours costs days, never warnings.

Why a return does not begin the episode again: a payer whose debits keep coming back would never be
suspended. Why it does not suspend at once: the payer believed that they had paid. So the episode
resumes before its last stage, which comes again after its gap.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from paygate.domain.campaign import CustomerState

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from paygate.domain.campaign import Campaign, Stage


class Hold(StrEnum):
    """Why the next stage of a campaign waits, although its day has come."""

    IN_FLIGHT = "in_flight"
    """A payment of the oldest invoice is under way, or its outcome is not known."""
    IN_REVIEW = "in_review"
    """A payment of the customer is flagged for manual review."""
    PROMISED = "promised"
    """The customer has promised to pay by a later day."""
    RUN_MISSED = "run_missed"
    """Automatic payment would charge the invoice, but its run has not come to it."""
    NOT_CHARGED = "not_charged"
    """Automatic payment cannot charge it for a reason of ours, such as a disabled account."""
    SENDING_STOPPED = "sending_stopped"
    """An operator has stopped sending, so that the customer may be unable to pay."""
    NEWS_MISSING = "news_missing"
    """What a gateway reports was not read up to yesterday, so a payment may be unknown to us."""

    def holds(self, stage: Stage) -> bool:
        """Return whether it holds *stage*: missing news holds only what takes service away."""
        if self is Hold.NEWS_MISSING:
            return stage.state.severity >= CustomerState.LIMITED.severity
        return True


HOLDS: Final[Mapping[Hold, str]] = {
    Hold.IN_FLIGHT: "a payment is under way, or its outcome is not known",
    Hold.IN_REVIEW: "a payment is flagged for manual review",
    Hold.PROMISED: "the customer has promised to pay",
    Hold.RUN_MISSED: "automatic payment has not come to the invoice yet",
    Hold.NOT_CHARGED: "automatic payment cannot charge it for a reason of ours",
    Hold.SENDING_STOPPED: "an operator has stopped sending",
    Hold.NEWS_MISSING: "what a gateway reports was not read since yesterday",
}
"""The holds in words for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueItem:
    """An overdue invoice that counts, with its open amount in minor units."""

    id: str
    number: str
    due: date
    open: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """
    What a customer owes late in one currency on a day of theirs.

    `items` are the overdue invoices that count, the oldest first: none that is disputed, and none
    for a fee. `paid` is what counts as paid already: free credit and money that is reserved.
    """

    customer: str
    currency: str
    on: date
    items: tuple[OverdueItem, ...] = ()
    paid: int = 0

    @property
    def minor(self) -> int:
        """The overdue amount less what counts as paid."""
        return max(0, sum(each.open for each in self.items) - self.paid)


@dataclass(frozen=True, slots=True, kw_only=True)
class DoneStage:
    """A stage that an episode has passed, and when; `silent` if it came from another anchor."""

    name: str
    state: CustomerState
    on: date
    silent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """
    How far a customer has come in a campaign, in one currency.

    `done` are the stages passed for the `anchor`, in their order. `turn` counts the anchors and
    resumptions. `resumed_on` is the day on which it was last resumed, `held_on` the last
    day on which something held its next stage, and `held` whether a payment under way still does.
    One that is `final` does not resume: the host has reinstated its customer.
    """

    customer: str
    currency: str
    campaign: str
    anchor: str
    anchor_due: date
    began_on: date
    turn: int = 1
    done: tuple[DoneStage, ...] = ()
    resumed_on: date | None = None
    held_on: date | None = None
    held: bool = False
    ended_on: date | None = None
    final: bool = False
    id: str = ""

    @property
    def state(self) -> CustomerState:
        """The state that it puts its customer in."""
        if self.ended_on is not None or not self.done:
            return CustomerState.CLEAR
        return self.done[-1].state

    def next_stage(self, campaign: Campaign) -> Stage | None:
        """Return the stage that comes next, or None after the last one."""
        if self.ended_on is not None or len(self.done) >= len(campaign.stages):
            return None
        return campaign.stages[len(self.done)]

    def next_on(self, campaign: Campaign, promised_until: date | None = None) -> date | None:
        """Return the first day on which the next stage can come; None after the last one."""
        stage = self.next_stage(campaign)
        if stage is None:
            return None
        day = self.anchor_due + timedelta(days=stage.after)
        before = [self.done[-1].on] if self.done else []
        for each in (*before, self.resumed_on):
            if each is not None:
                day = max(day, each + timedelta(days=stage.gap))
        for each in (self.held_on, promised_until):
            if each is not None:
                day = max(day, each + timedelta(days=1))
        return campaign.moved(stage, day)


def settle(before: Episode | None, overdue: Overdue, campaign: Campaign) -> Episode | None:
    """
    Return the episode that follows from what is overdue now; *before* is the last one, if any.

    *campaign* is that of a live episode, or the host's.
    """
    today, live = overdue.on, before is not None and before.ended_on is None
    if overdue.minor < campaign.threshold(overdue.currency) or not overdue.items:
        return replace(before, ended_on=today, held=False) if before and live else before
    anchor = overdue.items[0]
    if before is None or not (live or resumes(before, overdue, campaign)):
        return Episode(
            customer=overdue.customer,
            currency=overdue.currency,
            campaign=campaign.version,
            anchor=anchor.id,
            anchor_due=anchor.due,
            began_on=today,
        )
    if live and anchor.id == before.anchor:
        return before
    done = before.done
    if not live:
        # The last stage comes again, after its gap: the payer believed that they had paid.
        done = done[:-1]
    age = (today - anchor.due).days
    counted = 0
    while counted < len(done) and campaign.stages[counted].after <= age:
        counted += 1
    return replace(
        before,
        anchor=anchor.id,
        anchor_due=anchor.due,
        turn=before.turn + 1,
        done=tuple(replace(each, silent=True) for each in done[:counted]),
        resumed_on=before.resumed_on if live else today,
        held=before.held and live,
        ended_on=None,
    )


def resumes(before: Episode, overdue: Overdue, campaign: Campaign) -> bool:
    """Return whether an ended episode of *campaign* resumes: its own debt is open again."""
    if before.ended_on is None or before.final or not overdue.items:
        return False
    recent = overdue.on - before.ended_on <= timedelta(days=campaign.resumed_within)
    same = before.campaign == campaign.version and overdue.items[0].due <= before.anchor_due
    return recent and same


def released(episode: Episode, today: date) -> Episode:
    """Return *episode* after a payment that held it has ended: the next stage waits a day."""
    return replace(episode, held=False, held_on=today) if episode.held else episode


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """
    What a sweep does with an episode: the stage that comes, or what holds it.

    `look_on` is the next day on which something can happen; None if nothing can.
    """

    episode: Episode
    stage: Stage | None = None
    holds: tuple[Hold, ...] = ()
    look_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepFacts:
    """
    What a sweep knows besides the debt.

    `today` is the date in the customer's zone, and `on` the day of the sweep, which may be earlier
    if a missed sweep is caught up. `holds` are those on the oldest invoice now, and
    `promised_until` the day by which the customer has promised to pay.
    """

    on: date
    today: date
    holds: Collection[Hold] = field(default_factory=tuple)
    promised_until: date | None = None


def advance(episode: Episode, facts: SweepFacts, campaign: Campaign) -> Advance:
    """Return what the sweep of a day does with a live episode: at most its next stage."""
    stage = episode.next_stage(campaign)
    day = episode.next_on(campaign, facts.promised_until)
    if stage is None or day is None:
        return Advance(episode=episode)
    if day > facts.on:
        return Advance(episode=episode, look_on=day)
    holds = tuple(each for each in Hold if each in facts.holds and each.holds(stage))
    if holds:
        held = replace(episode, held=Hold.IN_FLIGHT in holds, held_on=facts.today)
        return Advance(episode=held, holds=holds, look_on=facts.today + timedelta(days=1))
    done = DoneStage(name=stage.name, state=stage.state, on=facts.today)
    passed = replace(episode, done=(*episode.done, done), held=False)
    return Advance(
        episode=passed, stage=stage, look_on=passed.next_on(campaign, facts.promised_until)
    )
