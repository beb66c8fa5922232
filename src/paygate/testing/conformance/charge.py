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
    ChargeFact,
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
from paygate.testing.conformance.held import followed_by_silence, hold
from paygate.testing.conformance.operation import DeclinesConformance

if TYPE_CHECKING:
    from paygate.testing.conformance.transcripts import Case


class ChargeConformance(DeclinesConformance):
    """
    The cases for a gateway with `charge`.

    ``charge.txt``: approve (if the traits say immediate), pending (if they do not), action
    (if the payer pays elsewhere), decline (if it is reported at once), refuse, error,
    duplicate, new_state, other_mode.
    """

    about: ClassVar[str] = "charge"
    operation: ClassVar[Operation] = Operation.CHARGE
    movement_kinds: ClassVar[frozenset[MovementKind]] = frozenset({MovementKind.CHARGE})

    @override
    def question(self, **given_: Any) -> Any:
        """Return the charge."""
        return self.charge(**given_)

    @override
    def good(self) -> Case:
        """Return the case in which the charge goes as the traits say."""
        rail = self.rail
        if rail.immediate:
            return self.case("approve", "the charge is approved")
        if rail.methods:
            return self.case("pending", "the charge is accepted, and its result arrives later")
        return self.case("action", "the payer is sent to a page, or given a slip or an address")

    def test_the_result_comes_when_the_traits_say(self) -> None:
        """The charge is approved at once exactly if the traits say immediate."""
        rail, outcome = self.rail, self.outcome(self.good())
        wanted = Approved if rail.immediate else Pending if rail.methods else ActionRequired
        require(
            isinstance(outcome, wanted),
            expected=f"charge: {wanted.__name__}, since the traits say "
            f"immediate={rail.immediate} and {'some' if rail.methods else 'no'} methods",
            got=outcome,
            why="a portal shows 'paid' after an approval, and the merchant would ship goods for "
            "money that may never arrive",
            read=PROTOCOL,
        )
        if "pending" in self.transcript("charge"):
            later = self.outcome(self.case("pending", "the result arrives later"))
            require(
                isinstance(later, Pending),
                expected="charge, case 'pending': Pending",
                got=later,
                why="a charge that is only accepted may still fail days later",
                read=PROTOCOL,
            )

    def test_what_the_rail_takes_reaches_the_processor(self) -> None:
        """The rail takes exactly the optional facts that show in a request."""
        facts = self.transcript(self.about).facts
        said = set(facts.get("also_sent", "").split(", "))
        left_out = set(facts.get("not_sent", "").split(", "))
        takes = {str(each) for each in self.rail.takes}
        sent = {str(each) for each in ChargeFact} & said
        require(
            sent <= takes <= sent | left_out,
            expected=f"{self.about}: also_sent has the facts that the traits say are taken: "
            f"{', '.join(sorted(takes)) or 'none'}",
            got=", ".join(sorted(sent)) or "none",
            why="a fact that is not taken is refused before anything is sent; one that is taken "
            "and not sent is lost, and nobody notices",
            read=PROTOCOL,
        )

    def test_a_state_that_is_new_decides_nothing(self) -> None:
        """A state that the manual does not list decides nothing."""
        cases = self.expected(
            "charge", {"new_state": "the good response, with a state that the manual does not list"}
        )
        applies(cases, "the responses have no state (unreported = new_state)")
        for case in cases:
            answer = self.concluded(followed_by_silence(case.responses(self.values(case))))
            require(
                not isinstance(answer, (Approved, Authorized, Declined, Rejected, Ended)),
                expected="charge, case 'new_state': BadResponse, Unknown or Pending",
                got=answer,
                why="processors add states without notice: one taken for approved ships goods that "
                "nobody paid for, and one taken for declined is charged again",
                read=UNKNOWN,
            )

    def test_the_answer_of_the_other_mode_is_not_believed(self) -> None:
        """A response of the live mode to test settings is not accepted."""
        cases = self.expected(
            "charge", {"other_mode": "the good response, in live mode instead of test mode"}
        )
        applies(cases, "the responses do not state the mode (unreported = other_mode)")
        for case in cases:
            answer = self.concluded(followed_by_silence(case.responses(self.values(case))))
            require(
                isinstance(answer, (Unknown, Unsent)),
                expected="charge, case 'other_mode': BadResponse or Unknown",
                got=answer,
                why="test money would pay real invoices, or a test would charge real cards",
                read=PROTOCOL,
            )

    def test_every_method_of_the_traits_is_taken(self) -> None:
        """The driver accepts each type of method that the traits name."""
        applies(self.rail.methods, "the payer chooses on the processor's page")
        case = self.good()
        replies = case.responses(self.values(case))
        for of in sorted(self.rail.methods, key=lambda each: each.__name__):
            held = hold(
                partial(self.opened, method=self.methods[of]),
                followed_by_silence(replies),
            )
            require(
                held.requests and held.raised is None,
                expected=f"charge: {of.__name__} is accepted, since the traits of the rail name it",
                got=held.raised or held.outcome,
                why="the portal offers the methods that the traits name, and the payer who chooses "
                "this one gets an error",
                read=PROTOCOL,
            )
