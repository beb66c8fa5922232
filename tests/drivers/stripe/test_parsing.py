"""Whatever comes back, reading it gives an outcome or a `BadResponse`, and nothing else."""

import copy
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate.dialogue import Dialogue, Request, Response
from paygate.domain.card_checks import CardCheck, CheckResult
from paygate.domain.kind import Operation
from paygate.domain.money import Money
from paygate.domain.outcome import Approved, DeclineCode
from paygate.drivers.stripe import Stripe
from paygate.errors import BadResponse
from paygate.testing.play import converse, play
from tests.drivers.stripe.conftest import (
    CREATED,
    answers,
    charge,
    inquiry,
    intent,
    paid,
    refuses,
    settings,
)
from tests.drivers.stripe.test_followups import (
    capture,
    captured,
    completion,
    refund,
    refunding,
    voiding,
    withdrawal,
)
from tests.drivers.stripe.test_sessions import PAID, asked, page
from tests.drivers.stripe.test_stored import enrollment, forgetting, session, setup

STRIPE = Stripe(settings())

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3)
    ),
    max_leaves=8,
)
statuses = st.sampled_from([200, 201, 302, 400, 401, 402, 403, 404, 409, 424, 429, 500, 503])

ERROR: dict[str, Any] = {
    "error": {
        "type": "card_error",
        "code": "card_declined",
        "decline_code": "insufficient_funds",
        "message": "No.",
        "payment_intent": intent("requires_payment_method"),
    }
}
SAMPLES: list[Any] = [
    paid(),
    intent("requires_confirmation"),
    intent("requires_action", next_action={"redirect_to_url": {"url": "https://x/"}}),
    intent("requires_payment_method", last_payment_error=ERROR["error"]),
    intent("requires_capture", amount_capturable=5),
    {"object": "list", "data": [paid(), intent("processing")], "has_more": False},
    {"object": "balance", "livemode": False, "available": [{"currency": "usd"}]},
    ERROR,
    page(),
    PAID,
    setup(),
    session("complete", setup_intent=setup()),
    refund(),
    refund("failed", failure_reason="declined"),
    captured(),
    {"object": "list", "data": [refund()], "has_more": False},
    {"id": "pm_1", "object": "payment_method", "livemode": False, "customer": None},
    {"id": "cus_1", "object": "customer", "livemode": False},
]


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        for name, inner in value.items():
            found += places(inner, (*path, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            found += places(inner, (*path, number))
    return found


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    sample = copy.deepcopy(draw(st.sampled_from(SAMPLES)))
    for _ in range(draw(st.integers(1, 3))):
        *path, last = draw(st.sampled_from(places(sample)))
        inner = sample
        for name in path:
            inner = inner[name]
        if draw(st.booleans()):
            inner[last] = draw(json_values)
        elif isinstance(inner, dict):
            del inner[last]
        if not places(sample):
            break
    return sample


def answer_in_turn(waiting: Iterator[Response], _: Request) -> Response:
    return next(waiting)


def every_reading(response: Response) -> None:
    """Put *response* wherever an answer of Stripe's is read."""
    after = [answers({"id": "cus_1", "object": "customer", "livemode": False})]
    begun = answers(setup("requires_payment_method", payment_method=None))
    dialogues: list[tuple[Dialogue[object], list[Response]]] = [
        (STRIPE.charge(asked()), [response]),
        (STRIPE.authorize(charge()), [CREATED, response]),
        (STRIPE.charge(charge(store_method=True)), [response]),
        (STRIPE.capture(capture()), [response]),
        (STRIPE.capture(capture()), [refuses(400), response]),
        (STRIPE.void(voiding()), [response]),
        (STRIPE.void(voiding()), [refuses(400), response]),
        (STRIPE.refund(refunding()), [response]),
        (STRIPE.refund(refunding()), [refuses(400, code="charge_already_refunded"), response]),
        (STRIPE.complete(completion()), [response]),
        (STRIPE.complete(completion(reference="cs_1")), [response]),
        (STRIPE.withdraw(withdrawal()), [response]),
        (STRIPE.withdraw(withdrawal(reference="cs_1")), [response]),
        (STRIPE.enroll(enrollment()), [response]),
        (STRIPE.enroll(enrollment()), [*after, begun, response]),
        (STRIPE.enroll(enrollment(method=None, return_url="https://x/")), [*after, response]),
        (STRIPE.enroll(enrollment(method=None, from_reference="pi_1")), [response]),
        (STRIPE.forget(forgetting()), [response]),
        *[
            (STRIPE.look_up(inquiry(operation=operation, reference=reference)), [response])
            for operation in Operation
            for reference in ("pi_1", "cs_1", "seti_1", "re_1", "ch_1", "")
        ],
        (STRIPE.charge(charge()), [response]),
        (STRIPE.charge(charge()), [CREATED, response]),
        (STRIPE.look_up(inquiry()), [response]),
        (STRIPE.look_up(inquiry(reference="")), [response]),
        (STRIPE.check(), [response]),
    ]
    for dialogue, responses in dialogues:
        waiting = iter([*responses, answers(paid()), answers(paid())])
        try:
            ended = str(converse(dialogue, partial(answer_in_turn, waiting)).outcome)
        except (BadResponse, StopIteration) as error:
            ended = str(error)  # a conversation that goes on without end is not one of reading
        assert ended.encode()


@given(status=statuses, body=st.binary(max_size=200))
def test_any_bytes_are_an_outcome_or_a_bad_reply(status: int, body: bytes) -> None:
    every_reading(Response(status=status, body=body))


@given(status=statuses, body=json_values)
def test_any_json_is_an_outcome_or_a_bad_reply(status: int, body: Any) -> None:
    every_reading(answers(body, status))


@given(status=statuses, body=mutated())
def test_any_change_of_a_real_answer_is_an_outcome_or_a_bad_reply(status: int, body: Any) -> None:
    every_reading(answers(body, status))


@given(body=mutated())
def test_no_change_of_an_answer_makes_more_money_than_was_asked_in_another_currency(
    body: Any,
) -> None:
    try:
        played = converse(STRIPE.look_up(inquiry()), lambda _: answers(body))
    except BadResponse:
        return
    if isinstance(played.outcome, Approved):
        for movement in played.outcome.movements:
            assert movement.amount.currency == "USD"
            assert movement.amount.minor > 0
            assert movement.movement_id


@pytest.mark.parametrize("text", ["\ud800", "x" * 100_000, "\0"])
def test_a_text_that_no_store_takes_is_made_one(text: str) -> None:
    error = {"error": {"type": "card_error", "code": text, "message": text}}

    played = play(STRIPE.charge(charge()), CREATED, answers(error, 402))

    assert len(str(played.outcome).encode()) < 2000
    assert "\\x00" not in repr(played.outcome)


def test_a_hundred_thousand_brackets_are_a_bad_reply() -> None:
    with pytest.raises(BadResponse):
        play(STRIPE.check(), Response(status=200, body=b"[" * 100_000))


# --- The sheet's samples ------------------------------------------------------------------------


def test_the_sheets_sample_of_an_intent_is_read(protocols: Path) -> None:
    told = json.loads((protocols / "stripe" / "fixtures-2026-08.json").read_text())
    sample = told["payment_intent"]

    played = play(STRIPE.look_up(inquiry(reference=sample["id"])), answers(sample))

    assert getattr(played.outcome, "code", None) is DeclineCode.GENERIC


def test_the_sheets_sample_of_a_charge_is_read(protocols: Path) -> None:
    told = json.loads((protocols / "stripe" / "fixtures-2026-08.json").read_text())
    sample = {
        **told["payment_intent"],
        "status": "succeeded",
        "amount_received": 1099,
        "latest_charge": told["charge"],
    }

    played = play(STRIPE.look_up(inquiry(reference=sample["id"])), answers(sample))

    assert isinstance(played.outcome, Approved)
    assert played.outcome.movements[0].movement_id == told["charge"]["id"]
    assert played.outcome.checks is not None
    assert played.outcome.checks.security_code == CardCheck(CheckResult.PASS, "pass")


def test_the_sheets_sample_of_a_refund_is_read(protocols: Path) -> None:
    told = json.loads((protocols / "stripe" / "fixtures-2026-08.json").read_text())
    sample = told["refund"]
    asked = inquiry(
        operation=Operation.REFUND, reference=sample["id"], amount=Money("USD", sample["amount"])
    )

    played = play(STRIPE.look_up(asked), answers(sample))

    assert isinstance(played.outcome, Approved)
    assert played.outcome.movements[0].movement_id == sample["id"]


def test_the_sheets_balance_is_read(protocols: Path) -> None:
    told = json.loads((protocols / "stripe" / "fixtures-2026-08.json").read_text())

    assert play(STRIPE.check(), answers(told["balance"])).outcome.currencies == ("USD",)
