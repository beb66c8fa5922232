"""Storing, charging and deleting a method, stopped at each step: nothing is lost, nothing twice.

A process dies before a step is done, or after it was done and before it learned
of it; another one calls the same verb with the same key, and recovers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from paygate import Cashier, Kind, Mandate
from paygate.domain.attempt import AttemptState
from paygate.domain.payment import PaymentStatus
from paygate.service.account import Timing
from tests.service.world import (
    BACK,
    LEASE,
    PAYER,
    C,
    PowerCut,
    World,
    assert_sound,
    assert_truth,
    usd,
)

KEY = Fernet.generate_key()
MANDATE = Mandate(text_version="1", accepted_at=World(Path()).clock.now())


class Vaulted(World):
    """A world whose processes hold the key to the tokens."""

    def start(self, face: type[C]) -> C:
        self.close()
        url = f"sqlite:///{self.folder / 'ledger.db'}"
        process = face.open(url, gateways=self.gateways, clock=self.clock, token_keys=[KEY])
        self.running.append(process)
        return process

    def follow_up(self, cashier: Cashier) -> None:
        """Recover at the times of the plan."""
        timing = Timing()
        for pause in (timing.lease, *timing.plan[:6]):
            self.clock.advance(pause + timedelta(seconds=1))
            cashier.recover()

    @property
    def kept(self) -> list[str]:
        """The tokens that the processor keeps."""
        return [
            token for token, like in self.fakes["card"].processor._truth.methods.items() if like
        ]


Act = Callable[[Cashier, str], Any]


def enroll(cashier: Cashier, key: str) -> Any:
    return cashier.enroll(PAYER, via="card", method="tok_visa", key=key, mandate=MANDATE)


def enroll_on_page(cashier: Cashier, key: str) -> Any:
    return cashier.enroll(PAYER, via="card", return_url=BACK, key=key)


def forget(cashier: Cashier, key: str) -> Any:
    found = [method.id for method in cashier.methods(PAYER)]
    if not found:  # it was forgotten before the process died
        events = cashier.events(limit=1000)
        found = [event.aggregate for event in events if event.type == "method.stored"]
    return cashier.forget_method(found[0], key=key)


def charge(cashier: Cashier, key: str) -> Any:
    [method] = cashier.methods(PAYER)
    cashier.issue(number="A", customer=PAYER, total=usd("30"), due="2026-02-01")
    return cashier.collect("A", via="card", method=method, key=key, payer_present=False)


def pay_and_save(cashier: Cashier, key: str) -> Any:
    cashier.issue(number="A", customer=PAYER, total=usd("30"), due="2026-02-01")
    return cashier.collect("A", via="card", method="tok_visa", key=key, save_method=True)


@dataclass(frozen=True)
class Story:
    """A flow, its steps, what is before it, and how many methods and charges there are after it."""

    name: str
    steps: int
    act: Act
    stored: bool = False
    methods: int = 1
    paid: str = "0"


STORIES = [
    Story("enroll", 4, enroll),
    Story("forget", 6, forget, stored=True, methods=0),
    Story("charge a stored method", 5, charge, stored=True, paid="30"),
    Story("pay and save", 4, pay_and_save, paid="30"),
]
CASES = [
    pytest.param(story, step, lost, id=f"{story.name}, step {step}{', result lost' * lost}")
    for story in STORIES
    for step in range(1, story.steps + 1)
    for lost in (False, True)
]


def build(folder: Path) -> Vaulted:
    world = Vaulted(folder)
    world.add("card", Kind.CARD)
    return world


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_every_step_is_stopped_somewhere_below(story: Story, tmp_path: Path) -> None:
    world = build(tmp_path)
    if story.stored:
        enroll(world.process(), "before")
    process = world.doomed(0, lost=False)

    story.act(process, "key")

    assert len(process.steps) == story.steps
    world.close()


@pytest.mark.parametrize(("story", "step", "lost"), CASES)
def test_a_flow_stopped_anywhere_ends_as_if_it_was_not(
    story: Story, step: int, lost: bool, tmp_path: Path
) -> None:
    world = build(tmp_path)
    if story.stored:
        enroll(world.process(), "before")

    with pytest.raises(PowerCut):
        story.act(world.doomed(step, lost=lost), "key-0")
    cashier = world.process()
    for number in range(3):
        told = story.act(cashier, f"key-{number}")
        world.follow_up(cashier)
        told = story.act(cashier, f"key-{number}")
        ended = getattr(told, "state", None) or told.status
        if ended not in (AttemptState.FAILED, PaymentStatus.FAILED):
            break
        assert told.retryable, told

    assert len(cashier.methods(PAYER)) == len(world.kept) == story.methods
    assert world.fakes["card"].processor.moved("USD") == usd(story.paid)
    assert_sound(cashier)
    assert_truth(world, cashier)
    world.close()


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_a_page_that_is_stopped_anywhere_is_made_once_and_stores_once(
    step: int, lost: bool, tmp_path: Path
) -> None:
    world = build(tmp_path)
    with pytest.raises(PowerCut):
        enroll_on_page(world.doomed(step, lost=lost), "key")

    cashier = world.process()
    enroll_on_page(cashier, "key")
    world.clock.advance(LEASE + timedelta(seconds=1))
    cashier.recover()
    change = enroll_on_page(cashier, "key")
    world.fakes["card"].pay(change.reference)
    done = cashier.inquire_method(change)

    assert done.state is AttemptState.SUCCEEDED
    assert cashier.methods(PAYER) == [done.method]
    assert len(world.kept) == 1
    world.close()


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_rotation_that_is_stopped_leaves_nothing_half_written(
    step: int, lost: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from paygate.service import enroll as module

    monkeypatch.setattr(module, "_PAGE", 2)
    world = build(tmp_path)
    cashier = world.process()
    for number in range(4):
        enroll(cashier, f"key-{number}")
    old, new = KEY, Fernet.generate_key()
    monkeypatch.setitem(globals(), "KEY", new)

    class Both(Vaulted):
        def start(self, face: type[C]) -> C:
            self.close()
            url = f"sqlite:///{self.folder / 'ledger.db'}"
            more: dict[str, Any] = {"gateways": self.gateways, "clock": self.clock}
            process = face.open(url, token_keys=[new, old], **more)
            self.running.append(process)
            return process

    world.close()
    both = Both(tmp_path, clock=world.clock, gateways=world.gateways, fakes=world.fakes)
    with pytest.raises(PowerCut):
        both.doomed(step, lost=lost).rotate_keys()
    done = both.process().rotate_keys()
    both.close()

    assert done.rotated + done.current == 4
    cashier = world.process()  # with the new key alone
    for method in cashier.methods(PAYER):
        cashier.forget_method(method, key=method.id)
    assert world.kept == []
    world.close()
