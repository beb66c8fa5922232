"""One case of the sweep: a story, a fault of the wire, and where processes die; and its end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Any

from paygate import Cashier, OperationResult, OperationState, PaymentStatus
from paygate.domain.attempt import AttemptState
from tests.reading import every_event
from tests.service.world import PAYER, PowerCut, assert_sound, assert_truth, state_of
from tests.sweep.stories import BY_NAME, CALLBACKS, PROFILES, STORIES, SURE, UNSURE, Story, build
from tests.sweep.world import FAULTS, InMemory

NEVER_DONE = {"unsent", "not_found"}
"""Codes of operations that provably did not happen: the host may ask again, with a new key."""
TOLD = {
    "paid": "invoice.paid",
    "partially_paid": "invoice.partially_paid",
}


class Caught(AssertionError):
    """The sweep found something."""


@dataclass(frozen=True)
class Case:
    """Where processes die: before change *first* of the flow, and *second* of what follows."""

    story: str
    profile: str = "keyed"
    fault: str = "answered"
    first: int = 0
    torn_after: int = 0
    second: int = 0


def play_to_the_end(story: Story, world: InMemory) -> Cashier:
    """Call, recover, call again until the flow has its result, and let life go on."""
    cashier = world.process()
    for number in range(6):
        told = story.act(world, cashier, f"key-{number}")
        world.settle(cashier)
        told = story.act(world, cashier, f"key-{number}")
        world.settle(cashier)
        if not _never_done(cashier, told):
            break
    if world.heals_at is not None and world.clock.now() < world.heals_at:
        world.clock.set(world.heals_at)
    if not cashier.payments(needs_review=True):
        story.then(world, cashier)
    world.settle(cashier)
    return cashier


def _never_done(cashier: Cashier, told: Any) -> bool:
    if isinstance(told, OperationResult):
        return told.state is OperationState.FAILED and told.retryable
    if hasattr(told, "state"):
        return told.state is AttemptState.FAILED and told.retryable
    if not hasattr(told, "received"):
        return False
    rows = cashier.attempts(told)
    return bool(rows) and rows[-1].code in NEVER_DONE


def end_of(world: InMemory, cashier: Cashier) -> dict[str, Any]:
    """Tell where everything stands, without ids, times and what led to it."""
    return {
        **state_of(cashier),
        "methods": sorted((m.kind, m.last4) for m in cashier.methods(PAYER)),
        "kept": sum(bool(like) for like in world.fakes["card"].processor._truth.methods.values()),
        "inbox": Counter(row.state for row in cashier.callbacks(limit=1000)),
        "heard": sorted({(event.type, event.seq) for event in world.heard}),
    }


@cache
def unstopped(story: str, profile: str) -> dict[str, Any]:
    """Tell where *story* ends when nothing stops it and the wire is well."""
    world = build(BY_NAME[story], profile)
    BY_NAME[story].given(world, world.process())
    cashier = play_to_the_end(BY_NAME[story], world)
    end = end_of(world, cashier)
    world.close()
    return end


def run(case: Case) -> tuple[bool, bool]:
    """Run *case*; tell whether its crashes came to pass; raise `Caught` where a rule is broken."""
    story = BY_NAME[case.story]
    world = build(story, case.profile)
    try:
        story.given(world, world.process())
        world.fault = case.fault
        died = False
        if case.first:
            world.die(case.first, case.torn_after)
            try:
                story.act(world, world.process(), "key-0")
            except PowerCut:
                died = True
            if not died:
                return False, False
        world.die(case.second)
        died_again = False
        try:
            cashier = play_to_the_end(story, world)
        except PowerCut:
            died_again = True
            world.die(0)
            cashier = play_to_the_end(story, world)
        world.die(0)
        check(case, world, cashier)
    except Caught:
        raise
    except Exception as error:
        raise Caught(f"{case}: {type(error).__name__}: {error}") from error
    else:
        return died, died_again
    finally:
        world.close()


def check(case: Case, world: InMemory, cashier: Cashier) -> None:
    """Compare the end with the run that nothing stopped, and with the processors' own truth."""
    if world.broken:
        raise Caught(f"{case}: {world.broken[0]}")
    assert_sound(cashier)
    _check_told(cashier)
    if held_for_a_person(case, cashier):
        return  # what is held is not concluded: I3 and the books are all that can be asked of it
    assert_truth(world, cashier)
    end, wanted = (
        end_of(world, cashier),
        unstopped(BY_NAME[case.story].like or case.story, case.profile),
    )
    for name, value in wanted.items():
        if end[name] != value:
            raise Caught(f"{case}: {name} ended as {end[name]}, and not as {value}")


def held_for_a_person(case: Case, cashier: Cashier) -> bool:
    """Tell whether nobody can know how it ended, and so a person was called."""
    held = [
        payment
        for payment in cashier.payments(needs_review=True)
        if not payment.conflicted and payment.status is not PaymentStatus.FAILED
    ]
    if case.profile in SURE or not held:
        return False
    if case.profile == "keyed, cannot be asked" and case.story != "charge":
        # Its request can be built again, and the same request again is the answer; but it is sent
        # three times at most.
        return bool(case.first) and case.fault == "answer lost, then refused"
    certain = {"answered", "unsent", "slow"}
    if case.story == "charge an e-check":  # its own name was noted before the money was asked for
        certain |= {"answer lost", "garbage", "truncated", "500, done"}
    return bool(case.first) or case.fault not in certain


def _check_told(cashier: Cashier) -> None:
    """What an invoice is now was told last of it, and so was the end of each payment."""
    last: dict[str, str] = {}
    told: dict[str, set[str]] = {}
    for event in every_event(cashier):
        if event.type in (*TOLD.values(), "invoice.reopened"):
            last[event.aggregate] = event.type
        told.setdefault(event.aggregate, set()).add(event.type)
    for invoice in cashier.invoices():
        by_money = invoice.allocated.minor and not invoice.written_off.minor
        wanted = TOLD.get(invoice.status.value)
        reopened = last.get(invoice.id) == "invoice.reopened" and invoice.open.minor
        if by_money and wanted and last.get(invoice.id) != wanted and not reopened:
            raise Caught(f"{invoice.number} is {invoice.status}, and that was not told")
    for payment in cashier.payments():
        if payment.status is PaymentStatus.SUCCEEDED and payment.account in ("card", "e_check"):
            types = told.get(payment.id, set())
            if not types & {"payment.succeeded", "payment.captured"}:
                raise Caught(f"{payment.id} succeeded, and that was not told")


def plan() -> list[tuple[str, str, str]]:
    """Tell what is swept: each story with each profile that suits it, under each fault."""
    return [
        (story.name, profile, fault)
        for profile in PROFILES
        for story in (*STORIES, *CALLBACKS)
        if profile in SURE or story.name in UNSURE[profile]
        for fault in (FAULTS if story.sends else FAULTS[:1])
    ]


def sweep(story: str, profile: str, fault: str, *, pairs: bool) -> int:
    """Stop *story* before each of its changes, and in *pairs* once more after; tell the cases."""
    cases = 1
    run(Case(story, profile, fault))
    for first in count(1):
        died, _ = run(Case(story, profile, fault, first))
        if not died:
            return cases
        cases += 1
        for second in count(1) if pairs else ():
            _, again = run(Case(story, profile, fault, first, second=second))
            if not again:
                break
            cases += 1
    return cases


def tear(story: str) -> int:
    """Tear each transaction of *story* after each of its statements; tell how many there were."""
    cases = 0
    for first in count(1):
        if not run(Case(story, first=first))[0]:
            return cases
        for torn_after in count(1):
            if not run(Case(story, first=first, torn_after=torn_after))[0]:
                break
            cases += 1
    return cases
