"""Charging: collecting an amount, or starting to."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from paygate.domain.outcome import Unsent
from paygate.driver import (
    ActionRequired,
    Approved,
    Authorized,
    Declined,
    Ended,
    MovementKind,
    Operation,
    Pending,
    Rejected,
    Unknown,
)
from paygate.testing.conformance.conversation import applies
from paygate.testing.conformance.explain import PROTOCOL, UNKNOWN, require
from paygate.testing.conformance.held import hold, then_silence
from paygate.testing.conformance.operation import DeclinesConformance

if TYPE_CHECKING:
    from paygate.testing.conformance.transcripts import Case


class ChargeConformance(DeclinesConformance):
    """
    What a gateway must do that has `charge`.

    ``charge.txt``: approve (where the traits say immediate), pending (where they do
    not), action (where the payer goes elsewhere), decline (if it is told at once), refuse,
    error, duplicate, new_state, other_mode.
    """

    about: ClassVar[str] = "charge"
    operation: ClassVar[Operation] = Operation.CHARGE
    movement_kinds: ClassVar[frozenset[MovementKind]] = frozenset({MovementKind.CHARGE})

    @override
    def question(self, **given_: Any) -> Any:
        """Return what the driver is asked."""
        return self.charge(**given_)

    @override
    def good(self) -> Case:
        """Return the case in which the charge goes the way that the traits say."""
        rail = self.rail
        if rail.immediate:
            return self.case("approve", "the charge is approved")
        if rail.methods:
            return self.case("pending", "the charge is accepted, and its result comes later")
        return self.case("action", "the payer is sent to a page, or given a slip or address")

    def test_the_result_comes_when_the_traits_say(self) -> None:
        """`immediate` is what a portal goes by when it shows 'paid'."""
        rail, outcome = self.rail, self.outcome(self.good())
        wanted = Approved if rail.immediate else Pending if rail.methods else ActionRequired
        require(
            isinstance(outcome, wanted),
            expected=f"charge: {wanted.__name__}, since the traits say "
            f"immediate={rail.immediate} and {'some' if rail.methods else 'no'} methods",
            got=outcome,
            why="an approval of what has not settled ships goods for money that may not come",
            read=PROTOCOL,
        )
        if "pending" in self.transcript("charge"):
            later = self.outcome(self.case("pending", "the result comes later"))
            require(
                isinstance(later, Pending),
                expected="charge, case 'pending': Pending",
                got=later,
                why="what is only accepted may still fail, days later",
                read=PROTOCOL,
            )

    def test_a_state_that_is_new_decides_nothing(self) -> None:
        """Processors invent states without telling."""
        cases = self.expected(
            "charge", {"new_state": "the good answer, with a state that is in no manual"}
        )
        applies(cases, "the answers have no state (untold = new_state)")
        for case in cases:
            answer = self.concluded(then_silence(case.responses(self.values(case))))
            require(
                not isinstance(answer, (Approved, Authorized, Declined, Rejected, Ended)),
                expected="charge, case 'new_state': BadResponse, Unknown or Pending",
                got=answer,
                why="what is taken for done ships goods for nothing, and what is taken for a no "
                "is charged once more",
                read=UNKNOWN,
            )

    def test_the_answer_of_the_other_mode_is_not_believed(self) -> None:
        """Test money pays nothing, and live money is not asked for by test settings."""
        cases = self.expected(
            "charge", {"other_mode": "the good answer, of the live mode instead of test"}
        )
        applies(cases, "the answers do not tell the mode (untold = other_mode)")
        for case in cases:
            answer = self.concluded(then_silence(case.responses(self.values(case))))
            require(
                isinstance(answer, (Unknown, Unsent)),
                expected="charge, case 'other_mode': BadResponse or Unknown",
                got=answer,
                why="play money pays real invoices",
                read=PROTOCOL,
            )

    def test_every_method_of_the_traits_is_taken(self) -> None:
        """A portal offers what the traits name."""
        applies(self.rail.methods, "the payer chooses on the processor's page")
        case = self.good()
        replies = case.responses(self.values(case))
        for of in sorted(self.rail.methods, key=lambda each: each.__name__):
            held = hold(
                partial(self.opened, method=self.methods[of]),
                then_silence(replies),
            )
            require(
                held.requests and held.raised is None,
                expected=f"charge: a {of.__name__} is taken, since the traits of the rail name it",
                got=held.raised or held.outcome,
                why="the payer chooses what the portal shows, and is told that it cannot be paid",
                read=PROTOCOL,
            )
