"""Bugs of campaigns: a notice too many or none, a stage too soon, a suspension that stays."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from paygate.domain import episode as rules
from paygate.domain.episode import Advance, Hold
from paygate.testing.simulation.bias import Bias
from tests.support.mutants.mutant import Mutant, Patch, without

if TYPE_CHECKING:
    from paygate.domain.campaign import Campaign
    from paygate.domain.episode import Episode, Overdue, SweepFacts
    from paygate.ledger.tx import Tx


def _says_twice(original: Any) -> Any:
    """Emit a notice about a stage a second time, as after a resumed sweep."""

    def notify_stage(tx: Tx, debt: Any, stage: Any, fee: str) -> None:
        original(tx, debt, stage, fee)
        original(tx, debt, replace(stage, name=f"{stage.name}_"), fee)

    return notify_stage


def _says_nothing(original: Any) -> Any:
    """Say nothing about a stage that leads to the state that the customer has already."""

    def notify_stage(tx: Tx, debt: Any, stage: Any, fee: str) -> None:
        if stage.notice != "overdue_again":
            original(tx, debt, stage, fee)

    return notify_stage


def _only_sweeps(original: Any) -> Any:
    """Leave states to the sweep, and compute none when money arrives."""
    del original

    def follow(tx: Tx) -> None:
        tx.late.clear()
        tx.lots.clear()

    return follow


def _without_gap(original: Any) -> Any:
    """Take the next stage as soon as the invoice is old enough."""

    def advance(episode: Episode, facts: SweepFacts, campaign: Campaign) -> Advance:
        apart = tuple(replace(each, on=episode.anchor_due) for each in episode.done)
        done = original(replace(episode, done=apart, resumed_on=None), facts, campaign)
        stages = (*episode.done, *done.episode.done[len(episode.done) :])
        changed: Advance = replace(done, episode=replace(done.episode, done=stages))
        return changed

    return advance


def _all_at_once(original: Any) -> Any:
    """After an outage, catch up with all stages that are due."""

    def advance(episode: Episode, facts: SweepFacts, campaign: Campaign) -> Advance:
        done: Advance = original(episode, facts, campaign)
        while done.stage is not None:
            following = original(done.episode, facts, _gapless(campaign))
            if following.stage is None:
                break
            done = following
        return done

    def _gapless(campaign: Campaign) -> Campaign:
        loose = replace(campaign)
        stages = tuple(replace(each) for each in campaign.stages)
        for each in stages:
            object.__setattr__(each, "gap", 0)
        object.__setattr__(loose, "stages", stages)
        return loose

    return advance


def _begins_again(original: Any) -> Any:
    """Let a return begin the campaign from its first stage."""

    def settle(before: Episode | None, overdue: Overdue, campaign: Campaign) -> Episode | None:
        if before is not None and rules.resumes(before, overdue, campaign):
            owed = overdue.minor >= campaign.threshold(overdue.currency)
            before = None if owed else before
        found: Episode | None = original(before, overdue, campaign)
        return found

    return settle


def _sees_no(hold: Hold) -> Any:
    def make(original: Any) -> Any:
        def holds(*given: Any) -> frozenset[Hold]:
            found: frozenset[Hold] = original(*given)
            return found - {hold}

        return holds

    return make


_LATE: Final = Bias(actions={"days pass": 4, "fall due": 3, "pay late": 3, "bounce": 4, "sweep": 1})
_UNDER_WAY: Final = Bias(actions={"days pass": 4, "fall due": 4, "pay": 3, "sweep": 2})

MUTANTS: Final = (
    Mutant(
        name="a-notice-comes-twice",
        plants="a stage emits its notice a second time",
        breaks="each notice is given once",
        shows="a stage is reached",
        patches=(Patch("service.dunning", "notify_stage", _says_twice),),
        bias=_LATE,
    ),
    Mutant(
        name="a-notice-never-comes",
        plants="a stage that leaves the state as it is emits no notice",
        breaks="each stage has its notice",
        shows="the second warning",
        patches=(Patch("service.dunning", "notify_stage", _says_nothing),),
        bias=_LATE,
    ),
    Mutant(
        name="a-suspension-survives-its-payment",
        plants="the state is not computed when money arrives",
        breaks="the state follows from what is overdue at each commit",
        shows="an overdue invoice is paid",
        patches=(Patch("service.dunning", "follow", _only_sweeps),),
        bias=_LATE,
    ),
    Mutant(
        name="a-stage-without-its-gap",
        plants="the gap is not counted from the stage before",
        breaks="a stage comes at least its gap after the one before",
        shows="a sweep was late, and the next stage is due by the age of the invoice",
        patches=(Patch("service.overdue_run", "advance", _without_gap),),
        bias=_LATE,
    ),
    Mutant(
        name="suspended-while-the-run-was-down",
        plants="the first sweep after an outage takes all stages that are due",
        breaks="an outage of ours suspends nobody unwarned",
        shows="some days pass without a sweep",
        patches=(Patch("service.overdue_run", "advance", _all_at_once),),
        bias=_LATE,
    ),
    Mutant(
        name="suspended-without-the-news",
        plants="a customer is limited although a feed was not read",
        breaks="missing news of a processor takes no service away",
        shows="a feed is not read before a sweep",
        patches=(Patch("service.overdue_facts", "holds", _sees_no(Hold.NEWS_MISSING)),),
        bias=Bias(
            actions={"days pass": 6, "fall due": 4, "pay": 2, "sweep": 2, "feeds": 0}, feed=True
        ),
    ),
    Mutant(
        name="warned-while-a-payment-is-under-way",
        plants="a payment whose outcome is open holds no stage",
        breaks="no stage comes while a payment of the oldest invoice is under way",
        shows="a payment is pending, or its outcome unknown, on the day of a stage",
        patches=(Patch("service.overdue_facts", "holds", _sees_no(Hold.IN_FLIGHT)),),
        bias=_UNDER_WAY,
    ),
    Mutant(
        name="a-return-resets-the-ladder",
        plants="money that comes back begins a new episode",
        breaks="a return resumes the episode that its payment ended",
        shows="a check that paid an overdue invoice bounces",
        patches=(Patch("service.dunning", "settle", _begins_again),),
        bias=_LATE,
    ),
    Mutant(
        name="overdue-twice",
        plants="an invoice can be announced as overdue again",
        breaks="an invoice is announced once for each due date",
        shows="another sweep",
        patches=(
            Patch("ledger.overdue_items", "_UNTOLD_OF", without("AND i.overdue IS NULL")),
            Patch("ledger.overdue_items", "_TELL", without(" AND overdue IS NULL")),
        ),
        bias=_LATE,
    ),
)
