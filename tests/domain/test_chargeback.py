"""How a dispute stands follows from all that is known of it, in whatever order it was reported."""

from __future__ import annotations

import pytest

from paygate.domain.chargeback import DisputeState, dispute_of, state_of


@pytest.mark.parametrize(
    ("taken", "given_back", "lost", "won", "expected"),
    [
        (0, 0, False, False, "opened"),
        (0, 0, True, False, "lost"),
        (0, 0, True, True, "won"),
        (1, 0, False, False, "opened"),
        (1, 0, True, False, "lost"),
        (1, 0, False, True, "won"),
        (1, 1, True, False, "won"),
        (0, 1, True, False, "won"),
        (2, 0, False, True, "lost"),
        (2, 1, False, True, "lost"),
        (2, 1, True, False, "lost"),
        (2, 2, True, False, "won"),
        (3, 2, True, True, "lost"),
    ],
)
def test_money_decides_and_reports_decide_before_it_moves(
    taken: int, given_back: int, lost: bool, won: bool, expected: str
) -> None:
    state = state_of(taken=taken, given_back=given_back, lost=lost, won=won)

    assert state == expected
    assert state.stands == (state is not DisputeState.WON)


@pytest.mark.parametrize(
    ("movement", "dispute"),
    [
        ("dp-7", "dp-7"),
        ("dp-7#2", "dp-7"),
        ("dp-7#12", "dp-7"),
        ("dp#x", "dp#x"),
        ("60198", "60198"),
    ],
)
def test_a_later_turn_of_a_dispute_is_numbered(movement: str, dispute: str) -> None:
    assert dispute_of(movement) == dispute
