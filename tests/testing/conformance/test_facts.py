"""What a case says that a driver must tell, and how the two are compared."""

from pathlib import Path
from typing import Any

import pytest

from paygate.domain.method import MethodNews
from paygate.driver import (
    Approved,
    Dispute,
    DisputeState,
    Ended,
    Ending,
    Money,
    Movement,
    MovementKind,
    Notice,
)
from paygate.testing.conformance import facts
from paygate.testing.conformance.transcripts import Case, TranscriptError, parse_transcript

ASKED = Money("USD", 1999)


def case(*lines: str) -> Case:
    text = "=== won\n" + "".join(f"{line}\n" for line in lines) + "\n--- 200\n{}\n"
    return parse_transcript(text, Path("look_up.txt")).case("won")


def moved(kind: MovementKind, name: str, minor: int, **more: Any) -> Movement:
    return Movement(movement_id=name, kind=kind, amount=Money("USD", minor), **more)


def test_movements_that_agree_read_the_same_in_any_order() -> None:
    wanted = facts.wanted_movements(
        case("movements = charge mv_1 all, refund mv_2 3.00 undoes mv_1"), ASKED
    )
    told = [
        moved(MovementKind.REFUND, "mv_2", 300, undoes="mv_1"),
        moved(MovementKind.CHARGE, "mv_1", 1999),
    ]

    expected, got = facts.difference(told, wanted)

    assert expected == got == "charge mv_1 19.99 USD, refund mv_2 3.00 USD undoes mv_1"


@pytest.mark.parametrize(
    ("told", "reads"),
    [
        ([], "no movement"),
        ([moved(MovementKind.RETURN, "dp_1", 1999)], "return dp_1 19.99 USD"),
        (
            [moved(MovementKind.CHARGEBACK, "dp_1", 1998)],
            "chargeback dp_1 19.98 USD undoes nothing",
        ),
        (
            [moved(MovementKind.CHARGEBACK, "dp_1", 1999, undoes="dp_1")],
            "chargeback dp_1 19.99 USD undoes dp_1",
        ),
        (
            [moved(MovementKind.CHARGEBACK, "dp_1", 1999, undoes="mv_1")] * 2,
            "chargeback dp_1 19.99 USD undoes mv_1, chargeback dp_1 19.99 USD undoes mv_1",
        ),
    ],
)
def test_what_differs_is_read_at_a_glance(told: list[Movement], reads: str) -> None:
    wanted = facts.wanted_movements(case("movements = chargeback dp_1 all undoes mv_1"), ASKED)

    expected, got = facts.difference(told, wanted)

    assert expected == "chargeback dp_1 19.99 USD undoes mv_1"
    assert got == reads


def test_settlement_is_compared_if_it_is_asked_for() -> None:
    wanted = facts.wanted_movements(case("movements = charge mv_1 all settled all fee 0.30"), ASKED)
    settled = moved(MovementKind.CHARGE, "mv_1", 1999, settled=ASKED, fee=Money("USD", 30))

    assert facts.difference([settled], wanted)[1] == facts.difference([settled], wanted)[0]
    assert facts.difference([moved(MovementKind.CHARGE, "mv_1", 1999)], wanted)[1] == (
        "charge mv_1 19.99 USD"
    )


@pytest.mark.parametrize(
    "text",
    ["charge", "charge mv_1", "gift mv_1 all", "charge mv_1 all because", "charge mv_1 3.001"],
)
def test_a_mistake_in_a_fact_names_its_line(text: str) -> None:
    with pytest.raises(TranscriptError, match=r"look_up\.txt, line 2: "):
        facts.wanted_movements(case(f"movements = {text}"), ASKED)


def test_without_facts_nothing_is_told() -> None:
    assert facts.wanted_movements(case(), ASKED) == []
    assert facts.wanted_movements(case("movements = none"), ASKED) == []
    assert facts.wanted_disputes(case()) == "none"
    assert facts.booked_of(case()) == frozenset()


def test_what_is_booked_is_read() -> None:
    booked = facts.booked_of(case("booked = charge mv_1, chargeback dp_1"))

    assert booked == {(MovementKind.CHARGE, "mv_1"), (MovementKind.CHARGEBACK, "dp_1")}
    said = "line 2: expected a kind and an id such as 'charge mv_1'"
    with pytest.raises(TranscriptError, match=said):
        facts.booked_of(case("booked = mv_1"))


def test_answers_and_disputes_have_the_words_of_a_transcript() -> None:
    dispute = Dispute(reference="dp_1", state=DisputeState.LOST, amount=ASKED)

    assert facts.word_of(None) == "none"
    assert facts.word_of(Approved()) == "approved"
    assert facts.word_of(Ended(how=Ending.EXPIRED)) == "ended expired"
    assert facts.told_disputes([dispute]) == "dp_1 lost"
    assert facts.told_disputes([]) == "none"


def test_a_movement_that_a_notice_tells_twice_counts_once() -> None:
    charge = moved(MovementKind.CHARGE, "mv_1", 1999)
    notice = Notice(
        event_id="ev_1", type="paid", movements=(charge,), answer=Approved(movements=(charge,))
    )

    assert facts.movements_of(notice) == (charge,)


def test_news_of_methods_have_the_words_of_a_transcript() -> None:
    ended = Notice(event_id="ev_1", type="a", method=MethodNews(reference="m_9", ended=True))
    renewed = Notice(event_id="ev_2", type="b", method=MethodNews(reference="m_8"))

    assert facts.told_methods([ended, renewed]) == "m_8 changed, m_9 ended"
    assert facts.told_methods([Notice(event_id="ev_3", type="c")]) == "none"
