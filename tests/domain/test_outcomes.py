"""The table of outcomes agrees with the engine's door, with the merge rule, and with a driver."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from paygate import Money
from paygate.domain.action import Redirect
from paygate.domain.attempt import AttemptState
from paygate.domain.decide import Absence, AttemptFacts, Source, decide
from paygate.domain.kind import Kind, Operation
from paygate.domain.movement import Movement, MovementKind
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Authorized,
    DeclineCode,
    Declined,
    Ended,
    Ending,
    NotFound,
    Pending,
    RejectCause,
    Rejected,
    Unknown,
)
from paygate.domain.outcomes import OUTCOMES, Shown
from paygate.gateway import Capture, Refunding, Voiding
from paygate.service.door import ADMITTED
from tests.testing.helpers import Till, charge_of, inquiry_about, usd

TEN = Money.of("USD", "10.00")
BROUGHT = {
    Operation.CAPTURE: MovementKind.CAPTURE,
    Operation.REFUND: MovementKind.REFUND,
    Operation.VOID: MovementKind.VOID,
}
ENDS = {
    Shown.DONE: AttemptState.SUCCEEDED,
    Shown.HELD: AttemptState.AUTHORIZED,
    Shown.ON_ITS_WAY: AttemptState.PENDING,
    Shown.WAITS: AttemptState.REQUIRES_ACTION,
    Shown.DECLINED: AttemptState.DECLINED,
    Shown.REFUSED: AttemptState.FAILED,
    Shown.CANCELED: AttemptState.CANCELED,
    Shown.EXPIRED: AttemptState.EXPIRED,
    Shown.ABSENT: AttemptState.FAILED,
    Shown.UNCLEAR: AttemptState.UNKNOWN,
}
"""What an operation comes to, if nothing else is said."""
NOTHING_DONE = AttemptState.FAILED
EXCEPT = {
    (Operation.CAPTURE, Shown.HELD): NOTHING_DONE,
    (Operation.VOID, Shown.HELD): NOTHING_DONE,
    (Operation.COMPLETE, Shown.WAITS): NOTHING_DONE,
    (Operation.WITHDRAW, Shown.WAITS): NOTHING_DONE,
    (Operation.VOID, Shown.CANCELED): AttemptState.SUCCEEDED,
    (Operation.VOID, Shown.EXPIRED): AttemptState.SUCCEEDED,
    (Operation.WITHDRAW, Shown.CANCELED): AttemptState.SUCCEEDED,
    (Operation.WITHDRAW, Shown.EXPIRED): AttemptState.SUCCEEDED,
    (Operation.FORGET, Shown.ABSENT): AttemptState.SUCCEEDED,
}
CELLS = [(operation, shown) for operation, row in OUTCOMES.items() for shown in row]


def example(operation: Operation, shown: Shown) -> Any:
    """An outcome of the class that the table names."""
    outcome = OUTCOMES[operation][shown]
    if outcome is Approved:
        kind = BROUGHT.get(operation, MovementKind.CHARGE)
        moved = operation not in (Operation.WITHDRAW, Operation.ENROLL, Operation.FORGET)
        movement = Movement(movement_id="m", amount=TEN, kind=kind)
        nothing_moved = shown in (Shown.CANCELED, Shown.EXPIRED)
        return Approved(movements=(movement,) if moved and not nothing_moved else ())
    page = operation in (Operation.COMPLETE, Operation.WITHDRAW)
    return {
        Authorized: Authorized(amount=TEN),
        Pending: Pending(),
        ActionRequired: ActionRequired(action=None if page else Redirect(url="https://x.example")),
        Declined: Declined(code=DeclineCode.GENERIC, raw_code="1", retryable=False, final=True),
        Rejected: Rejected(cause=RejectCause.VALIDATION, retryable=False),
        Ended: Ended(how=Ending.EXPIRED if shown is Shown.EXPIRED else Ending.CANCELED),
        NotFound: NotFound(),
        Unknown: Unknown(reason="?"),
    }[outcome]


def test_every_operation_has_its_row() -> None:
    assert set(OUTCOMES) == set(Operation)


@pytest.mark.parametrize("operation", Operation)
def test_the_door_admits_what_the_table_names(operation: Operation) -> None:
    named = set(OUTCOMES[operation].values())

    assert named <= ADMITTED[operation] | {NotFound}


@pytest.mark.parametrize(("operation", "shown"), CELLS)
def test_the_engine_concludes_from_each_cell_what_the_processor_shows(
    operation: Operation, shown: Shown
) -> None:
    facts = AttemptFacts(
        operation=operation, state=AttemptState.SENDING, asked=TEN, absence=Absence.FINAL
    )
    answer = example(operation, shown)
    source = Source.INQUIRY if isinstance(answer, NotFound) else Source.RESPONSE

    concluded = decide(facts, answer, source).state

    assert concluded is EXCEPT.get((operation, shown), ENDS[shown])


# --- The fake, as a driver ------------------------------------------------------------------

Begin = Callable[[Till], None]


def charged(token: str) -> Begin:
    def begin(till: Till) -> None:
        till.charge(token, key="c")

    return begin


def page(then: Callable[[Till, str], object]) -> Begin:
    def begin(till: Till) -> None:
        reference = till.charge(key="c").reference
        then(till, reference)

    return begin


def followed(operation: Operation, request: type, *, held: bool = False, plan: str = "") -> Begin:
    def begin(till: Till) -> None:
        first: Any = till.ask(till.fake.authorize(charge_of())) if held else till.charge()
        if plan:
            till.fake.script(plan, operation=operation)
        facts: dict[str, Any] = {"reference": first.reference, "amount": usd("10.00")}
        if operation is Operation.REFUND:
            facts["movement_id"] = first.movements[0].movement_id
        till.do(str(operation), request, key="c", **facts)

    return begin


@dataclass(frozen=True)
class Story:
    operation: Operation
    shown: Shown
    begin: Begin
    kind: Kind = Kind.CARD


STORIES = [
    Story(Operation.CHARGE, Shown.DONE, charged("tok_visa")),
    Story(Operation.CHARGE, Shown.DECLINED, charged("tok_declined")),
    Story(Operation.CHARGE, Shown.ON_ITS_WAY, charged("tok_pending")),
    Story(Operation.CHARGE, Shown.WAITS, charged("tok_action")),
    Story(Operation.CHARGE, Shown.ABSENT, lambda _: None),
    Story(
        Operation.CHARGE,
        Shown.CANCELED,
        page(lambda till, page: till.fake.cancel(page)),
        Kind.REDIRECT,
    ),
    Story(
        Operation.CHARGE,
        Shown.EXPIRED,
        page(lambda till, _: till.clock.advance(hours=2)),
        Kind.REDIRECT,
    ),
    Story(Operation.CAPTURE, Shown.DONE, followed(Operation.CAPTURE, Capture, held=True)),
    Story(
        Operation.CAPTURE,
        Shown.DECLINED,
        followed(Operation.CAPTURE, Capture, held=True, plan="declined"),
    ),
    Story(Operation.VOID, Shown.DONE, followed(Operation.VOID, Voiding)),
    Story(Operation.REFUND, Shown.DONE, followed(Operation.REFUND, Refunding)),
    Story(
        Operation.REFUND,
        Shown.ON_ITS_WAY,
        followed(Operation.REFUND, Refunding, plan="pending"),
    ),
]


@pytest.mark.parametrize("story", STORIES, ids=lambda each: f"{each.operation}, {each.shown}")
def test_a_driver_finds_what_the_table_names(story: Story) -> None:
    till = Till(story.kind)
    story.begin(till)

    asked = charge_of(key="c")
    found = till.ask(till.fake.look_up(inquiry_about(asked, story.operation)))

    assert type(found) is OUTCOMES[story.operation][story.shown]
