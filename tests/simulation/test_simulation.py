"""The simulator: repeatable, thorough, and able to fail."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import cache

import pytest

from paygate.domain.decide import Absence
from paygate.gateway import CallbackStyle, InquiryBy
from paygate.service import inquire, merge
from paygate.testing.fake import FakeGateway
from paygate.testing.simulation import BrokenRule, Result, Summary, run, shrink, sweep
from paygate.testing.simulation.bias import Bias
from paygate.testing.simulation.faults import PlannedFault
from paygate.testing.simulation.moves import ACTIONS, draw_moves
from tests.support.mutants import MUTANTS

SEEDS = 400


@cache
def played() -> Summary:
    """Play some hundred seeds once for all tests of this file."""
    total = Summary()
    for block in sweep(0, SEEDS):
        total.add(block)
    return total


def test_no_seed_breaks_a_rule() -> None:
    assert [(each.seed, str(each.violations[0])) for each in played().broken] == []
    assert played().seeds == SEEDS
    assert played().commits > 20 * SEEDS


def test_a_request_of_a_host_whose_clock_is_behind_is_not_taken_for_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    [mutant] = [each for each in MUTANTS if each.name == "clock-is-believed"]
    case = inquire._case
    monkeypatch.setattr(inquire, "_case", lambda tx, id_: replace(case(tx, id_), mark=None))

    seed, violation = first_broken(mutant.bias)

    assert violation.rule == "doubt"
    monkeypatch.undo()
    assert run(seed, bias=mutant.bias).violations == ()


def test_a_hold_that_is_over_is_not_forgotten_while_a_capture_is_in_doubt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bias = Bias(
        faults={PlannedFault.RESPONSE_SLOW: 0.4, PlannedFault.RESPONSE_LOST: 0.2},
        actions={
            "pay": 2,
            "hold": 8,
            "capture": 8,
            "cancel": 3,
            "time passes": 4,
            "callbacks arrive": 4,
        },
        kinds=frozenset({"card"}),
        inquiries=frozenset({InquiryBy.NONE}),
        callbacks=frozenset({CallbackStyle.ACKNOWLEDGED}),
    )
    monkeypatch.setattr(merge, "_end_hold", lambda *_: None)

    seed, violation = first_broken(bias)

    assert violation.rule in ("I12", "ends")
    monkeypatch.undo()
    assert run(seed, bias=bias).violations == ()


def first_broken(bias: Bias) -> tuple[int, BrokenRule]:
    """Return the first seed that breaks a rule, and how; a change of anything moves it."""
    for seed in range(300):
        result = run(seed, bias=bias)
        if not result.sound:
            return seed, result.violations[0]
    raise AssertionError("no seed breaks a rule")


def test_every_fault_strikes() -> None:
    missing = {fault for fault in PlannedFault if not played().covered[f"fault:{fault}"]}

    assert missing == set()


def test_every_actor_acts() -> None:
    seen = {name.removeprefix("actor:") for name in played().covered if name.startswith("actor:")}

    assert seen >= {
        *("collect", "authorize", "top_up", "click again", "come back", "pay_from_credit"),
        *("page pay", "page try", "page cancel", "page other", "enroll", "forget_method"),
        *("capture", "cancel", "refund", "reverse", "record", "write_off", "undo_write_off"),
        *("void", "issue", "withdraw_page", "assign", "record_refund"),
        *("stop_sending", "resume_sending", "reviewed", "page last try"),
        *("callback", "inquire", "recover", "read_feeds", "publish"),
        *("kill", "restart", "time passes"),
        *("pay number", "assign number", "release number"),
    }


def test_a_refund_that_was_recorded_by_hand_is_undone() -> None:
    # It happens in one schedule of 160, so those have more of it.
    bias = Bias(actions={"record refund": 40})

    seen = {name for seed in range(40) for name, _ in run(seed, bias=bias).covered}

    assert "actor:undo_record_refund" in seen


def test_every_kind_of_processor_is_played() -> None:
    covered = played().covered

    for group, wanted in {
        "kind": {"card", "e_check", "redirect", "voucher", "bitcoin"},
        "idempotency": {
            *("keyed", "keyed_without_errors", "keyed_briefly", "not_idempotent"),
            *("window_of_originals", "window_of_refusals"),
        },
        "inquiry": {"our_ref", "gateway_ref", "list_scan", "none"},
        "callbacks": {"none", "acknowledged", "answered"},
        "bank": {
            *("return", "opened dispute", "dispute", "lost dispute", "won dispute"),
            *("won after lost", "failed refund", "late success"),
        },
        "credit on": {"accepted", "settled"},
        "settled": {"all", "part", "again", "refund", "after it went back"},
    }.items():
        seen = {name.partition(":")[2] for name in covered if name.startswith(f"{group}:")}
        assert seen >= wanted, group
    for mark in (
        "eventually consistent inquiry",
        "not found is never final",
        "needs complete",
        "token:tok_partial",
        "token:tok_other_amount",
        "token:tok_other_currency",
        "token:tok_pending",
        "processor:paid late or again",
        "processor:another amount on a page",
        "stored method charged",
        "lease ended before sending",
        "event delivered twice",
        "reversal restores",
        "settlements are reported",
        "settlements are not reported",
        "settlement booked",
        "counted when it settled",
        "settled:part",
        "never settled",
        "dispute opened",
        "dispute lost",
        "dispute won",
        "lost dispute given up",
    ):
        assert covered[mark], mark


def test_what_waits_for_a_person_could_not_be_found_out() -> None:
    """Each is checked in its schedule; here, that it stays the exception, with a known reason."""
    reviews = Counter(
        {name: count for name, count in played().covered.items() if name.startswith("review:")}
    )

    assert set(reviews) <= {
        "review:nobody can be asked",
        "review:nobody can be asked without a reference",
        "review:nobody can be asked about a declined try",
        "review:nobody can tell",
        "review:nobody knows whose it is",
        "review:not found is never final",
        "review:other money came",
        "review:more went back than came",
        "review:money came back after the rest was assigned",
        "review:the bank changed its mind",
        "review:the original of another payment was returned",
        "review:the original of another operation was returned",
        "review:the original of another void was returned",
        "review:a clerk decided",
        "review:it has not settled in time",
        "review:a driver failed, or a key had been used",
        "review:the key had been used with other data",
    }
    assert 0 < reviews.total() < played().covered["actor:collect"] / 5


@pytest.mark.parametrize("seed", [3, 1_234_567])
def test_the_same_seed_does_the_same_in_another_process(seed: int) -> None:
    here = run(seed)
    code = f"from paygate.testing.simulation import run; print(run({seed}).digest)"
    for hash_seed in ("1", "2"):
        there = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            check=True,
            text=True,
        )
        assert there.stdout.strip() == here.digest
    assert here.steps > 10


def test_other_seeds_do_other_things() -> None:
    assert len({run(seed).digest for seed in range(20)}) == 20


def test_jobs_tell_the_same_as_one_process() -> None:
    alone, shared = Summary(), Summary()
    for block in sweep(40, 20):
        alone.add(block)
    for block in sweep(40, 20, jobs=2):
        shared.add(block)

    assert (shared.seeds, shared.steps, shared.commits) == (20, alone.steps, alone.commits)
    assert shared.covered == alone.covered


def test_an_authors_traits_are_played() -> None:
    traits = FakeGateway("voucher").traits

    result = run(5, traits=traits)

    assert result.sound
    assert {name for name, _ in result.covered if name.startswith("kind:")} == {"kind:voucher"}


def test_it_tells_which_seed_broke_a_rule_and_shrinks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a bug in the engine: whatever an inquiry does not find has failed."""
    monkeypatch.setattr(inquire, "absence", lambda *_: Absence.FINAL)

    broken = next(result for result in map(run, range(300)) if not result.sound)
    small = shrink(broken)

    assert small.violations[0].rule == broken.violations[0].rule
    assert 0 < len(moves_in(small)) < len(draw_moves(broken.seed))
    assert len(small.events) < len(broken.events)
    assert small.events[-1].startswith("VIOLATED ")


def moves_in(result: Result) -> list[str]:
    return [line for line in result.events if line.startswith("move ")]


def test_it_imports_neither_pytest_nor_hypothesis() -> None:
    code = (
        "import sys, paygate.testing.simulation, json;"
        "print(json.dumps(sorted({'pytest', 'hypothesis'} & set(sys.modules))))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)

    assert json.loads(told.stdout) == []


def test_every_action_is_drawn() -> None:
    drawn = {move.action for seed in range(200) for move in draw_moves(seed)}

    assert drawn == set(ACTIONS)
