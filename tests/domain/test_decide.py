"""The merge rule, against the table it implements and the laws it must keep."""

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate import Money
from paygate.domain.decide import Absence, Facts, Source, decide
from paygate.domain.outcome import (
    ActionRequired,
    Answer,
    Approved,
    Authorized,
    Closed,
    Closing,
    DeclineCode,
    Declined,
    Movement,
    MovementKind,
    NotFound,
    Pending,
    Redirect,
    RejectCause,
    Rejected,
    Unknown,
    Unsent,
)
from paygate.domain.payment import AttemptState, Operation

S = AttemptState
TEN = Money.of("USD", "10")
APPROVED = Approved(movements=(Movement(movement_id="m1", amount=TEN),), reference="r")
ANSWERS: dict[str, Answer] = {
    "unsent": Unsent(reason="no route"),
    "rejected": Rejected(cause=RejectCause.CREDENTIALS, retryable=False),
    "declined": Declined(code=DeclineCode.GENERIC, raw_code="05", retryable=True),
    "action": ActionRequired(action=Redirect(url="https://pay.example/1")),
    "pending": Pending(),
    "authorised": Authorized(amount=TEN),
    "success": APPROVED,
    "no reply": Unknown(reason="timeout"),
    "not found": NotFound(),
}


def facts(state: AttemptState, **more: object) -> Facts:
    return replace(Facts(operation=Operation.CHARGE, state=state, asked=TEN), **more)  # type: ignore[arg-type]


# From the design, row by row: the state that each answer leads to. An empty cell changes nothing.
TABLE = """
               |unsent|rejected|declined|action         |pending|authorised|success  |no reply
SENDING        |FAILED|FAILED  |DECLINED|REQUIRES_ACTION|PENDING|AUTHORIZED|SUCCEEDED|UNKNOWN
UNKNOWN        |FAILED|FAILED  |DECLINED|REQUIRES_ACTION|PENDING|AUTHORIZED|SUCCEEDED|
REQUIRES_ACTION|      |        |        |               |PENDING|AUTHORIZED|SUCCEEDED|
PENDING        |      |        |DECLINED|               |       |AUTHORIZED|SUCCEEDED|
AUTHORIZED     |      |        |        |               |       |          |SUCCEEDED|
DECLINED       |      |        |        |               |       |          |SUCCEEDED|
FAILED         |      |        |        |               |       |          |SUCCEEDED|
CANCELED       |      |        |        |               |       |          |SUCCEEDED|
EXPIRED        |      |        |        |               |       |          |SUCCEEDED|
SUCCEEDED      |      |        |        |               |       |          |         |
"""


def cells() -> list[tuple[AttemptState, str, AttemptState | None]]:
    head, *rows = (
        [cell.strip() for cell in line.split("|")] for line in TABLE.strip("\n").splitlines()
    )
    return [
        (AttemptState[row[0]], answer, AttemptState[cell] if cell else None)
        for row in rows
        for answer, cell in zip(head[1:], row[1:], strict=True)
    ]


@pytest.mark.parametrize(("state", "answer", "then"), cells())
def test_the_table(state: AttemptState, answer: str, then: AttemptState | None) -> None:
    assert decide(facts(state), ANSWERS[answer], Source.RESPONSE).state == then


@pytest.mark.parametrize(
    ("state", "absence", "then", "review"),
    [
        (S.SENDING, Absence.WAIT, None, False),
        (S.UNKNOWN, Absence.WAIT, None, False),
        (S.UNKNOWN, Absence.ONCE, None, False),
        (S.UNKNOWN, Absence.NEVER, None, False),
        (S.SENDING, Absence.FINAL, S.FAILED, False),
        (S.UNKNOWN, Absence.FINAL, S.FAILED, False),
        (S.REQUIRES_ACTION, Absence.WAIT, None, False),
        (S.REQUIRES_ACTION, Absence.FINAL, S.EXPIRED, False),
        (S.PENDING, Absence.WAIT, None, False),
        (S.PENDING, Absence.FINAL, None, True),
        (S.AUTHORIZED, Absence.WAIT, None, False),
        (S.AUTHORIZED, Absence.NEVER, None, False),
        (S.AUTHORIZED, Absence.FINAL, None, True),
        (S.DECLINED, Absence.FINAL, None, False),
    ],
)
def test_not_found_is_not_failed(
    state: AttemptState, absence: Absence, then: AttemptState | None, review: bool
) -> None:
    changes = decide(facts(state, absence=absence), NotFound(), Source.INQUIRY)

    assert changes.state == then
    assert bool(changes.review) is review


@pytest.mark.parametrize("answer", ["unsent", "rejected"])
@pytest.mark.parametrize("source", [Source.INQUIRY, Source.CALLBACK, Source.REPORT])
def test_a_refused_inquiry_says_nothing_about_the_operation(answer: str, source: Source) -> None:
    assert decide(facts(S.UNKNOWN), ANSWERS[answer], source).state is None


@pytest.mark.parametrize("answer", ["unsent", "rejected"])
def test_a_refused_repetition_says_nothing_about_the_first_request(answer: str) -> None:
    assert decide(facts(S.UNKNOWN, sends=2), ANSWERS[answer], Source.RESPONSE).state is None


def test_a_declined_try_on_a_page_leaves_it_payable() -> None:
    changes = decide(facts(S.REQUIRES_ACTION), ANSWERS["declined"], Source.CALLBACK)

    assert changes.state is None
    assert changes.tried
    assert changes.raw_code == "05"


@pytest.mark.parametrize("source", [Source.INQUIRY, Source.CALLBACK, Source.REPORT])
def test_a_final_decline_ends_a_page_with_its_code(source: Source) -> None:
    last = Declined(code=DeclineCode.LIMIT_EXCEEDED, raw_code="61", retryable=False, final=True)

    changes = decide(facts(S.REQUIRES_ACTION), last, source)

    assert changes.state is S.DECLINED
    assert not changes.tried
    assert (changes.code, changes.raw_code) == ("limit_exceeded", "61")


def test_a_decline_that_was_perhaps_overtaken_is_for_a_person() -> None:
    known = facts(S.PENDING, overtaken=True)

    changes = decide(known, ANSWERS["declined"], Source.CALLBACK)

    assert changes.state is None
    assert "earlier try" in changes.review
    assert changes.alerts


def test_an_operator_ends_a_page() -> None:
    changes = decide(facts(S.REQUIRES_ACTION), ANSWERS["declined"], Source.OPERATOR)

    assert changes.state is S.DECLINED


@pytest.mark.parametrize("state", [S.DECLINED, S.FAILED, S.CANCELED, S.EXPIRED])
def test_late_money_is_booked_with_an_alert(state: AttemptState) -> None:
    changes = decide(facts(state), APPROVED, Source.CALLBACK)

    assert changes.book == APPROVED.movements
    assert changes.late
    assert changes.alerts


@pytest.mark.parametrize("state", [S.DECLINED, S.FAILED, S.CANCELED, S.EXPIRED])
def test_a_late_authorisation_is_voided(state: AttemptState) -> None:
    changes = decide(facts(state), ANSWERS["authorised"], Source.CALLBACK)

    assert changes.state is None
    assert changes.void_late


def test_an_approval_that_names_no_movement_is_not_believed() -> None:
    assert decide(facts(S.SENDING), Approved(), Source.RESPONSE).state is S.UNKNOWN


def test_the_same_movement_is_booked_once() -> None:
    booked = {(MovementKind.CHARGE, "m1"): TEN}

    assert decide(facts(S.SUCCEEDED, booked=booked), APPROVED, Source.CALLBACK).book == ()


def test_the_same_movement_with_another_amount_is_a_conflict() -> None:
    booked = {(MovementKind.CHARGE, "m1"): Money.of("USD", "9")}

    changes = decide(facts(S.SUCCEEDED, booked=booked), APPROVED, Source.CALLBACK)

    assert changes.book == ()
    assert changes.conflict
    assert changes.review


def test_a_movement_of_another_payment_is_a_conflict() -> None:
    key = (MovementKind.CHARGE, "m1")

    changes = decide(
        facts(S.SENDING, booked={key: TEN}, foreign=frozenset({key})), APPROVED, Source.RESPONSE
    )

    assert changes.book == ()
    assert changes.conflict
    assert changes.review


@pytest.mark.parametrize(
    ("amount", "variable", "allocated"),
    [
        (Money.of("USD", "10"), False, True),
        (Money.of("USD", "4"), False, True),
        (Money.of("USD", "11"), False, False),
        (Money.of("USD", "11"), True, True),
        (Money.of("EUR", "10"), False, False),
        (Money.of("EUR", "10"), True, False),
    ],
)
def test_other_money_than_asked_waits_for_a_person(
    amount: Money, variable: bool, allocated: bool
) -> None:
    answer = Approved(movements=(Movement(movement_id="m", amount=amount),))

    changes = decide(facts(S.SENDING, variable_amount=variable), answer, Source.RESPONSE)

    assert changes.book == answer.movements
    assert changes.held == (() if allocated else answer.movements)
    assert bool(changes.review) is not allocated


def test_money_beyond_what_was_asked_for_does_not_hold_the_rest_back() -> None:
    """A page that was paid twice ends the same, whether we hear of it at once or one by one."""
    once, twice = Movement(movement_id="m1", amount=TEN), Movement(movement_id="m2", amount=TEN)
    answer = Approved(movements=(once, twice))

    at_once = decide(facts(S.REQUIRES_ACTION), answer, Source.INQUIRY)
    later = decide(
        facts(S.SUCCEEDED, booked={(MovementKind.CHARGE, "m1"): TEN}), answer, Source.CALLBACK
    )

    assert (at_once.book, at_once.held) == ((once, twice), (twice,))
    assert (later.book, later.held) == ((twice,), (twice,))


answers = st.sampled_from(
    [*ANSWERS.values(), Closed(how=Closing.EXPIRED), Closed(how=Closing.CANCELED)]
)
sources = st.sampled_from(list(Source))


@given(st.lists(st.tuples(answers, sources), max_size=12))
def test_what_we_know_only_grows(told: list[tuple[Answer, Source]]) -> None:
    now = facts(S.SENDING)

    for answer, source in told:
        changes = decide(now, answer, source)
        if changes.state is not None:
            assert changes.state.rank > now.state.rank
            now = replace(now, state=changes.state)


@pytest.mark.parametrize("first", ["declined", "pending", "action", "no reply"])
def test_answers_in_any_order_end_the_same(first: str) -> None:
    told = [ANSWERS[first], ANSWERS["pending"], APPROVED, APPROVED, Unknown(reason="late 500")]
    ends: set[tuple[AttemptState, int]] = set()

    for order in permutations(told):
        now, booked = facts(S.SENDING), 0
        for answer in order:
            changes = decide(now, answer, Source.CALLBACK)
            booked += len(changes.book)
            keys = {(each.kind, each.movement_id): each.amount for each in changes.book}
            now = replace(now, state=changes.state or now.state, booked={**now.booked, **keys})
        ends.add((now.state, booked))

    assert ends == {(S.SUCCEEDED, 1)}
