"""Bugs that are planted into automatic payment: each is found by a story, or by the books."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from paygate import Cashier, Money
from paygate.domain.autopay_plan import AutopayFacts
from tests.service.autopaying import Merchant, usd
from tests.service.test_autopay import DUE, interrupt
from tests.support.mutants.mutant import Patch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def stale(original: Any) -> Any:
    """Store a charge without making the plan again."""
    del original
    return nothing


def allowed(original: Any) -> Any:
    """Charge without asking whether the mandate still holds."""

    def is_allowed(tx: Any, method: Any) -> bool:
        del tx, method
        return bool(original)

    return is_allowed


def nothing(*given: Any, **more: Any) -> None:
    """Do nothing."""
    del given, more


def forgets_lines(original: Any) -> Any:
    """Look for no line of an earlier process, so that each gets a number of its own."""
    count = iter(range(100))

    def key(on: Any, customer: Any, charge: Any, number: int) -> str:
        return f"{original(on, customer, charge, number)}-{next(count)}"

    return key


def seeing(change: Callable[[AutopayFacts], AutopayFacts]) -> Callable[[Any], Any]:
    """Change what a plan is made from."""

    def make(original: Any) -> Any:
        def gather(*given: Any, **more: Any) -> AutopayFacts:
            return change(original(*given, **more))

        return gather

    return make


def held_is_free(facts: AutopayFacts) -> AutopayFacts:
    """Take an invoice whose payment has an unknown outcome for one that failed."""
    items = tuple(replace(each, held=False, tries=(), open=usd("10.00")) for each in facts.items)
    return replace(facts, items=items)


def no_ceiling(facts: AutopayFacts) -> AutopayFacts:
    """Overlook the ceiling of the mandate."""
    return replace(facts, methods=tuple(replace(each, ceiling=None) for each in facts.methods))


def no_end(facts: AutopayFacts) -> AutopayFacts:
    """Try for ever."""
    items = tuple(
        replace(
            each,
            tries=tuple(
                replace(one, given_up=False, next_on=None, asked=False) for one in each.tries
            ),
        )
        for each in facts.items
    )
    methods = tuple(replace(each, declines_today=0) for each in facts.methods)
    return replace(facts, items=items, methods=methods)


def two_processes(merchant: Merchant) -> None:
    """Let another process do the run between a plan and its charge."""
    merchant.issue("A", "10.00", due=DUE)
    merchant.clock.set(datetime(2027, 3, 1, 9, tzinfo=UTC))
    merchant.card.script("declined_insufficient_funds", invoice="A")
    other = merchant.open(Cashier)

    def take_over() -> None:
        merchant.clock.advance(minutes=16)
        other.run_autopay()

    interrupt(merchant, take_over, at=3)
    other.close()
    assert merchant.tried() == [("10.00 USD", "declined")]


def one_who_leaves(merchant: Merchant) -> None:
    """Let the customer end it between a plan and its charge."""
    merchant.issue("A", "10.00", due=DUE)
    merchant.clock.set(datetime(2027, 3, 1, 9, tzinfo=UTC))
    interrupt(merchant, lambda: merchant.cashier.end_autopay("C-1", reason="moved"), at=3)
    assert merchant.tried() == []


def an_unknown_outcome(merchant: Merchant) -> None:
    """Lose the answer to a charge, and run again on the next day."""
    merchant.issue("A", "10.00", due=DUE)
    merchant.clock.set(datetime(2027, 3, 1, 9, tzinfo=UTC))
    merchant.card.script("unknown_executed", invoice="A")
    merchant.cashier.run_autopay()
    merchant.clock.advance(days=1)
    merchant.cashier.run_autopay()
    assert merchant.tried() == [("10.00 USD", "unknown")]


def a_ceiling(merchant: Merchant) -> None:
    """Let more be due than the payer agreed to."""
    merchant.issue("A", "10.00", due=DUE)
    merchant.issue("B", "10.00", due=DUE)
    merchant.clock.set(datetime(2027, 3, 1, 9, tzinfo=UTC))
    merchant.cashier.run_autopay()
    assert merchant.tried() == [("10.00 USD", "succeeded")]


def a_card_without_money(merchant: Merchant) -> None:
    """Decline for two months."""
    merchant.issue("A", "10.00", due=DUE)
    merchant.clock.set(datetime(2027, 3, 1, 9, tzinfo=UTC))
    merchant.card.script(*["declined_insufficient_funds"] * 60, invoice="A")
    for _ in range(30):
        merchant.cashier.run_autopay()
        merchant.clock.advance(days=1)
    assert merchant.tried() == [("10.00 USD", "declined")] * 4


FACTS = "service.autopay_facts"
BUGS: dict[str, tuple[Callable[[Merchant], None], tuple[Patch, ...]]] = {
    "tried twice across a resumed run": (
        two_processes,
        (
            Patch("service.autopay_run", "_admit", stale),
            Patch("service.autopay_run", "_key", forgets_lines),
            Patch("service.autopay_run", "_record", stale),
        ),
    ),
    "an unsubscribed customer is charged": (
        one_who_leaves,
        (
            Patch("service.autopay_run", "_admit", stale),
            Patch("service.collect", "_is_allowed", allowed),
        ),
    ),
    "more than the ceiling is charged": (a_ceiling, (Patch(FACTS, "gather", seeing(no_ceiling)),)),
    "a try beyond the last one": (
        a_card_without_money,
        (Patch(FACTS, "gather", seeing(no_end)),),
    ),
}


def merchant_in(folder: Path) -> Merchant:
    folder.mkdir()
    merchant = Merchant(folder, "2027-02-01")
    merchant.store(ceiling=Money.of("USD", "15.00"))
    return merchant


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(tmp_path: Path, bug: str) -> None:
    story, patches = BUGS[bug]
    sound = merchant_in(tmp_path / "sound")
    story(sound)
    sound.close()

    ill = merchant_in(tmp_path / "ill")
    found = ""
    try:
        with ExitStack() as planted:
            for patch in patches:
                planted.enter_context(patch.applied())
            story(ill)
    except AssertionError as failed:
        found = str(failed)

    assert found, f"nobody noticed: {bug}"
    ill.cashier.close()


def test_a_plan_that_overlooks_an_unknown_outcome_charges_nothing(tmp_path: Path) -> None:
    merchant = merchant_in(tmp_path / "sound")

    with Patch(FACTS, "gather", seeing(held_is_free)).applied():
        an_unknown_outcome(merchant)  # the claim of the unknown payment still holds the invoice

    assert merchant.charged() == ["10.00 USD"]
    merchant.close()
