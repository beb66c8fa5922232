"""The merge rule, against the table it implements and the laws it must keep."""

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate import Money
from paygate.domain.action import Redirect
from paygate.domain.attempt import AttemptState
from paygate.domain.decide import Absence, AttemptFacts, Changes, Source, decide
from paygate.domain.kind import Operation
from paygate.domain.movement import Movement, MovementKind
from paygate.domain.outcome import (
    ActionRequired,
    Answer,
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
    Unsent,
)

S = AttemptState
TEN = Money.of("USD", "10")
APPROVED = Approved(movements=(Movement(movement_id="m1", amount=TEN),), reference="r")
ANSWERS: dict[str, Answer] = {
    "unsent": Unsent(reason="no route"),
    "rejected": Rejected(cause=RejectCause.CREDENTIALS, retryable=False),
    "rejected late": Rejected(cause=RejectCause.STATE, retryable=False),
    "declined": Declined(code=DeclineCode.GENERIC, raw_code="05", retryable=True),
    "declined for good": Declined(
        code=DeclineCode.GENERIC, raw_code="05", retryable=True, final=True
    ),
    "action": ActionRequired(action=Redirect(url="https://pay.example/1")),
    "pending": Pending(),
    "authorised": Authorized(amount=TEN),
    "success": APPROVED,
    "no response": Unknown(reason="timeout"),
    "ended": Ended(how=Ending.EXPIRED),
    "not found": NotFound(),
}


def facts(state: AttemptState, **more: object) -> AttemptFacts:
    return replace(AttemptFacts(operation=Operation.CHARGE, state=state, asked=TEN), **more)  # type: ignore[arg-type]


# From the design, row by row: what each answer to the first and only sending changes.
TABLE = """
               |unsent|rejected|declined|declined for good|action         |pending|authorised|success       |no response|ended
SENDING        |FAILED|FAILED  |DECLINED|DECLINED         |REQUIRES_ACTION|PENDING|AUTHORIZED|SUCCEEDED     |UNKNOWN |EXPIRED
UNKNOWN        |FAILED|FAILED  |DECLINED|DECLINED         |REQUIRES_ACTION|PENDING|AUTHORIZED|SUCCEEDED     |no-op   |EXPIRED
REQUIRES_ACTION|no-op |no-op   |noted   |DECLINED         |new action     |PENDING|AUTHORIZED|SUCCEEDED     |no-op   |EXPIRED
PENDING        |log   |FAILED  |DECLINED|DECLINED         |new action     |no-op  |AUTHORIZED|SUCCEEDED     |no-op   |EXPIRED
AUTHORIZED     |log   |review  |review  |review           |no-op          |no-op  |no-op     |SUCCEEDED     |no-op   |EXPIRED
DECLINED       |no-op |no-op   |no-op   |no-op            |no-op          |log    |void      |SUCCEEDED late|no-op   |no-op
FAILED         |no-op |no-op   |no-op   |no-op            |no-op          |log    |void      |SUCCEEDED late|no-op   |no-op
CANCELED       |no-op |no-op   |no-op   |no-op            |no-op          |log    |void      |SUCCEEDED late|no-op   |no-op
EXPIRED        |no-op |no-op   |no-op   |no-op            |no-op          |log    |void      |SUCCEEDED late|no-op   |no-op
SUCCEEDED      |no-op |no-op   |review  |review           |no-op          |no-op  |no-op     |booked        |no-op   |no-op
"""  # noqa: E501  (a table is read by its columns)

# A page is made by a charge, an authorisation, or to store a method. Other operations end with
# the first answer that says so, and one that finds the page open has come to nothing.
_NO_PAGE = {("REQUIRES_ACTION", "declined"): "DECLINED", ("REQUIRES_ACTION", "rejected"): "FAILED"}
_OPEN_STILL = {
    (state, "action"): "FAILED"
    for state in ("SENDING", "UNKNOWN", "REQUIRES_ACTION", "PENDING", "AUTHORIZED")
}
_PAGE_LATER = {
    **{(state, "success"): "SUCCEEDED" for state in ("DECLINED", "FAILED", "CANCELED", "EXPIRED")},
    **{(state, "authorised"): "no-op" for state in ("DECLINED", "FAILED", "CANCELED", "EXPIRED")},
}
OTHERWISE: dict[Operation, dict[tuple[str, str], str]] = {
    Operation.COMPLETE: {**_NO_PAGE, **_OPEN_STILL, **_PAGE_LATER},
    Operation.WITHDRAW: {**_NO_PAGE, **_OPEN_STILL, **_PAGE_LATER},
    Operation.CAPTURE: _NO_PAGE,
    Operation.VOID: _NO_PAGE,
    Operation.REFUND: _NO_PAGE,
    Operation.FORGET: _NO_PAGE,
}


def cells() -> list[tuple[Operation, AttemptState, str, str]]:
    head, *rows = (
        [cell.strip() for cell in line.split("|")] for line in TABLE.strip("\n").splitlines()
    )
    return [
        (operation, AttemptState[row[0]], answer, others.get((row[0], answer), cell))
        for operation in Operation
        for others in [OTHERWISE.get(operation, {})]
        for row in rows
        for answer, cell in zip(head[1:], row[1:], strict=True)
    ]


def said(changes: Changes) -> str:
    """Say in the words of the table what changes."""
    if changes.state is not None:
        return changes.state.name + (" late" if changes.late else "")
    facts = {
        "noted": changes.tried,
        "new action": changes.action is not None,
        "void": changes.void_late,
        "review": bool(changes.review),
        "booked": bool(changes.book),
        "log": bool(changes.log),
    }
    return next((word for word, holds in facts.items() if holds), "no-op")


K = MovementKind
BRINGS = {
    Operation.CHARGE: (K.CHARGE, K.CAPTURE),
    Operation.AUTHORIZE: (K.CHARGE, K.CAPTURE),
    Operation.COMPLETE: (K.CHARGE, K.CAPTURE),
    Operation.CAPTURE: (K.CAPTURE,),
    Operation.REFUND: (K.REFUND, K.VOID),
    Operation.VOID: (K.VOID, K.REFUND),
}


def success_of(operation: Operation) -> Approved:
    [kind, *_] = BRINGS.get(operation, (K.CHARGE,))
    return Approved(movements=(Movement(movement_id="m1", amount=TEN, kind=kind),), reference="r")


@pytest.mark.parametrize(("operation", "state", "answer", "then"), cells())
def test_every_cell_of_the_table(
    operation: Operation, state: AttemptState, answer: str, then: str
) -> None:
    told = success_of(operation) if answer == "success" else ANSWERS[answer]

    changes = decide(facts(state, operation=operation), told, Source.RESPONSE)

    assert said(changes) == then
    if then in {"review", "void", "SUCCEEDED late"}:
        assert changes.alerts


@pytest.mark.parametrize("operation", [Operation.CHARGE, Operation.AUTHORIZE])
@pytest.mark.parametrize("state", [S.FAILED, S.CANCELED, S.EXPIRED])
def test_money_on_its_way_after_the_end_is_held_once_and_let_go_by_the_next_word(
    operation: Operation, state: AttemptState
) -> None:
    known = facts(state, operation=operation)
    waiting = replace(known, late_pending=True)

    first = decide(known, ANSWERS["pending"], Source.CALLBACK)

    assert first.state is None
    assert first.hold_late
    assert first.alerts
    assert not decide(waiting, ANSWERS["pending"], Source.CALLBACK).hold_late
    for answer in ("success", "authorised", "declined", "rejected late", "ended"):
        assert decide(waiting, ANSWERS[answer], Source.INQUIRY).let_go
    for answer in ("pending", "no response", "unsent", "action", "rejected", "not found"):
        assert not decide(waiting, ANSWERS[answer], Source.INQUIRY).let_go


@pytest.mark.parametrize("operation", [Operation.CAPTURE, Operation.VOID, Operation.REFUND])
@pytest.mark.parametrize("source", [Source.INQUIRY, Source.CALLBACK, Source.REPORT])
@pytest.mark.parametrize(
    ("answer", "then"),
    [("rejected late", S.FAILED), ("declined", S.DECLINED), ("ended", S.EXPIRED)],
)
def test_what_was_accepted_and_ends_badly_has_ended(
    operation: Operation, source: Source, answer: str, then: AttemptState
) -> None:
    changes = decide(facts(S.PENDING, operation=operation), ANSWERS[answer], source)

    assert changes.state is then


def test_a_rejection_that_ends_what_was_pending_gives_its_reason() -> None:
    told = Rejected(
        cause=RejectCause.STATE, retryable=False, raw_code="E17", message="account closed"
    )

    changes = decide(facts(S.PENDING), told, Source.INQUIRY)

    assert (changes.state, changes.code, changes.raw_code) == (S.FAILED, "state", "E17")
    assert changes.reason == "account closed"


@pytest.mark.parametrize("state", [S.PENDING, S.AUTHORIZED])
@pytest.mark.parametrize(
    "cause",
    [
        RejectCause.CREDENTIALS,
        RejectCause.PERMISSION,
        RejectCause.RATE_LIMIT,
        RejectCause.UNAVAILABLE,
        RejectCause.KEY_IN_USE,
        RejectCause.KEY_MISMATCH,
    ],
)
def test_a_refused_inquiry_does_not_end_what_is_pending(
    state: AttemptState, cause: RejectCause
) -> None:
    refused = Rejected(cause=cause, retryable=True)

    assert said(decide(facts(state), refused, Source.INQUIRY)) == "no-op"


def test_a_refused_repetition_does_not_end_what_is_pending() -> None:
    changes = decide(facts(S.PENDING, sends=3), ANSWERS["rejected late"], Source.RESPONSE)

    assert said(changes) == "no-op"


def test_a_rejection_that_was_perhaps_overtaken_is_for_a_person() -> None:
    changes = decide(facts(S.PENDING, overtaken=True), ANSWERS["rejected late"], Source.CALLBACK)

    assert changes.state is None
    assert changes.review


@pytest.mark.parametrize("state", [S.REQUIRES_ACTION, S.PENDING])
def test_the_same_action_again_is_no_news(state: AttemptState) -> None:
    action = Redirect(url="https://pay.example/1")

    again = decide(facts(state, action=action), ANSWERS["action"], Source.INQUIRY)
    other = decide(facts(state, action=replace(action, url="x")), ANSWERS["action"], Source.INQUIRY)

    assert said(again) == "no-op"
    assert (said(other), other.action) == ("new action", action)


def test_each_try_on_a_page_is_noted_once() -> None:
    told = Declined(code=DeclineCode.LIMIT_EXCEEDED, raw_code="61", retryable=True, reference="p")
    known = facts(S.REQUIRES_ACTION, tries=frozenset({("p", "61")}))

    assert not decide(known, told, Source.INQUIRY).tried
    assert decide(known, replace(told, raw_code="65"), Source.INQUIRY).tried
    assert decide(known, replace(told, reference="q"), Source.INQUIRY).tried


@pytest.mark.parametrize("source", list(Source))
@pytest.mark.parametrize("state", [S.SENDING, S.UNKNOWN])
@pytest.mark.parametrize("sends", [1, 2])
def test_a_key_that_was_used_before_proves_that_something_was_sent(
    state: AttemptState, sends: int, source: Source
) -> None:
    told = Rejected(cause=RejectCause.KEY_MISMATCH, retryable=False)

    changes = decide(facts(state, sends=sends), told, source)

    assert (changes.state or state) is S.UNKNOWN
    assert changes.code == "key_mismatch"
    assert changes.review
    assert changes.alerts


@pytest.mark.parametrize("state", [S.PENDING, S.REQUIRES_ACTION])
def test_a_known_key_does_not_end_what_a_faster_inquiry_has_found(state: AttemptState) -> None:
    in_use = Rejected(cause=RejectCause.KEY_IN_USE, retryable=True)
    mismatch = Rejected(cause=RejectCause.KEY_MISMATCH, retryable=False)

    assert said(decide(facts(state), in_use, Source.RESPONSE)) == "no-op"
    changes = decide(facts(state), mismatch, Source.RESPONSE)

    assert (changes.state, changes.code) == (None, "key_mismatch")
    assert changes.review
    assert changes.alerts


def test_a_key_that_is_in_use_is_asked_about() -> None:
    told = Rejected(cause=RejectCause.KEY_IN_USE, retryable=True)

    changes = decide(facts(S.SENDING), told, Source.RESPONSE)

    assert changes.state is S.UNKNOWN
    assert not changes.review


@pytest.mark.parametrize("state", [S.SENDING, S.UNKNOWN])
def test_what_was_sent_under_a_key_that_is_known_is_never_given_up(state: AttemptState) -> None:
    changes = decide(
        facts(state, key_known=True, absence=Absence.FINAL), NotFound(), Source.INQUIRY
    )

    assert changes.state is None
    assert changes.review


@pytest.mark.parametrize("state", [s for s in S if not s.final])
def test_an_answer_that_does_not_add_up_is_flagged(state: AttemptState) -> None:
    changes = decide(facts(state), Unknown(reason="two amounts", flagged=True), Source.INQUIRY)

    assert changes.review == "two amounts"


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


@pytest.mark.parametrize(
    ("minor", "goes_on"), [(0, False), (1, False), (199, False), (200, True), (1000, True)]
)
def test_a_page_is_pending_from_a_share_of_what_was_asked_for_on(minor: int, goes_on: bool) -> None:
    seen = Money("USD", minor)
    waiting = facts(S.REQUIRES_ACTION, held_from_percent=20)

    changes = decide(waiting, Pending(amount=seen), Source.CALLBACK)

    assert changes.state is (S.PENDING if goes_on else None)
    assert changes.seen == seen


def test_what_is_seen_of_a_payment_that_ended_is_no_news() -> None:
    for state in (S.SUCCEEDED, S.DECLINED, S.AUTHORIZED):
        assert decide(facts(state), Pending(amount=TEN), Source.CALLBACK).seen is None


def test_what_is_seen_after_the_end_is_held_if_it_is_enough() -> None:
    known = facts(S.EXPIRED, held_from_percent=50)
    crumb = Pending(amount=Money.of("USD", "4"))

    assert decide(known, Pending(amount=TEN), Source.CALLBACK).hold_late
    assert not decide(known, crumb, Source.CALLBACK).hold_late


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


@pytest.mark.parametrize("state", [S.SENDING, S.UNKNOWN, S.PENDING])
@pytest.mark.parametrize(
    "told",
    [
        Declined(code=DeclineCode.GENERIC, raw_code="127", retryable=False, alert="still held"),
        Rejected(cause=RejectCause.STATE, retryable=False, raw_code="36", alert="still held"),
        replace(APPROVED, alert="still held"),
        Authorized(amount=TEN, alert="still held"),
    ],
)
def test_what_the_processor_left_undone_is_an_alert_beside_the_same_end(
    state: AttemptState, told: Declined | Rejected | Approved | Authorized
) -> None:
    changes = decide(facts(state), told, Source.RESPONSE)

    without = decide(facts(state), replace(told, alert=""), Source.RESPONSE)
    assert changes == replace(without, alerts=("still held",))
    assert changes.state in (S.DECLINED, S.FAILED, S.SUCCEEDED, S.AUTHORIZED)


def test_an_alert_is_not_repeated_with_an_answer_that_changes_nothing() -> None:
    told = replace(APPROVED, alert="not stored")

    known = facts(S.SUCCEEDED, booked={(MovementKind.CHARGE, "m1"): TEN})

    assert decide(known, told, Source.INQUIRY).alerts == ()


def test_a_try_on_a_page_alerts_once() -> None:
    told = replace(ANSWERS["declined"], reference="p", alert="still held")  # type: ignore[arg-type]
    known = facts(S.REQUIRES_ACTION, tries=frozenset({("p", "05")}))

    assert decide(facts(S.REQUIRES_ACTION), told, Source.CALLBACK).alerts == ("still held",)
    assert decide(known, told, Source.CALLBACK).alerts == ()


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


@pytest.mark.parametrize("state", [state for state in S if state is not S.SUCCEEDED])
@pytest.mark.parametrize(
    ("operation", "kind"), [(operation, kind) for operation in BRINGS for kind in K]
)
def test_only_the_money_that_an_operation_brings_shows_that_it_was_done(
    operation: Operation, kind: MovementKind, state: AttemptState
) -> None:
    told = Movement(movement_id="m7", amount=TEN, kind=kind)
    known = facts(state, operation=operation, late_pending=True)

    changes = decide(known, Approved(movements=(told,)), Source.RESPONSE)

    assert changes.book == (told,)
    assert changes.let_go is (kind in BRINGS[operation])
    if kind in BRINGS[operation]:
        assert changes.state is S.SUCCEEDED
    else:
        assert (changes.state or state) is (S.UNKNOWN if state is S.SENDING else state)
        assert changes.review
        assert changes.alerts


@pytest.mark.parametrize("operation", [Operation.CAPTURE, Operation.REFUND])
def test_what_another_operation_has_moved_shows_nothing_of_this_one(operation: Operation) -> None:
    told = success_of(operation)
    key = (told.movements[0].kind, "m1")
    known = facts(S.SENDING, operation=operation, booked={key: TEN})

    alone = decide(replace(known, of_others=frozenset({key})), told, Source.INQUIRY)
    own = decide(known, told, Source.INQUIRY)

    assert (alone.state, alone.book) == (S.UNKNOWN, ())
    assert alone.review
    assert (own.state, own.review) == (S.SUCCEEDED, "")


@pytest.mark.parametrize("kinds", [(), (K.CHARGE,), (K.CAPTURE, K.REFUND)])
def test_a_void_that_moves_nothing_new_is_done(kinds: tuple[MovementKind, ...]) -> None:
    told = tuple(Movement(movement_id="m1", amount=TEN, kind=kind) for kind in kinds)
    keys = {(kind, "m1"): TEN for kind in kinds}
    known = facts(S.SENDING, operation=Operation.VOID, booked=keys, of_others=frozenset(keys))

    changes = decide(known, Approved(movements=told), Source.RESPONSE)

    assert (changes.state, changes.review) == (S.SUCCEEDED, "")


@pytest.mark.parametrize(
    ("amounts", "flagged"), [(("10",), False), (("6", "4"), False), (("13",), True), (("7",), True)]
)
def test_another_refund_than_asked_for_is_booked_and_reviewed(
    amounts: tuple[str, ...], flagged: bool
) -> None:
    told = tuple(
        Movement(movement_id=f"m{n}", amount=Money.of("USD", amount), kind=K.REFUND)
        for n, amount in enumerate(amounts)
    )

    changes = decide(
        facts(S.SENDING, operation=Operation.REFUND), Approved(movements=told), Source.RESPONSE
    )

    assert (changes.state, changes.book) == (S.SUCCEEDED, told)
    assert bool(changes.review) is bool(changes.alerts) is flagged


@pytest.mark.parametrize("operation", [Operation.AUTHORIZE, Operation.CAPTURE])
def test_a_capture_beyond_what_is_held_waits_for_a_person(operation: Operation) -> None:
    told = Movement(movement_id="m2", amount=Money.of("USD", "4"), kind=K.CAPTURE)
    known = facts(S.AUTHORIZED, operation=operation, authorized=TEN)

    within = replace(known, collected=Money.of("USD", "6"))
    beyond = replace(known, collected=Money.of("USD", "7"))

    assert decide(within, Approved(movements=(told,)), Source.CALLBACK).held == ()
    assert decide(beyond, Approved(movements=(told,)), Source.CALLBACK).held == (told,)


def test_a_movement_that_is_listed_twice_counts_once() -> None:
    once = APPROVED.movements[0]
    other = replace(once, amount=Money.of("USD", "9"))

    twice = decide(facts(S.SENDING), Approved(movements=(once, once)), Source.RESPONSE)
    unclear = decide(facts(S.SENDING), Approved(movements=(once, other)), Source.RESPONSE)

    assert (twice.book, twice.held, twice.review) == ((once,), (), "")
    assert (unclear.book, unclear.conflict) == ((once,), True)
    assert unclear.review


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
    [*ANSWERS.values(), Ended(how=Ending.EXPIRED), Ended(how=Ending.CANCELED)]
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


@pytest.mark.parametrize("first", ["declined", "pending", "action", "no response"])
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
