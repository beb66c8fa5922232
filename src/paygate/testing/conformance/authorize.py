"""Authorizing: holding an amount to take it later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from paygate.driver import Approved, Authorized, MovementKind, Operation
from paygate.testing.conformance.explain import PROTOCOL, require
from paygate.testing.conformance.operation import DeclinesConformance

if TYPE_CHECKING:
    from paygate.testing.conformance.transcripts import Case


class AuthorizeConformance(DeclinesConformance):
    """The cases for a gateway with `authorize`: ``authorize.txt``, as for a charge."""

    about: ClassVar[str] = "authorize"
    operation: ClassVar[Operation] = Operation.AUTHORIZE
    movement_kinds: ClassVar[frozenset[MovementKind]] = frozenset()

    @override
    def question(self, **given_: Any) -> Any:
        """Return the authorization."""
        return self.charge(**given_)

    @override
    def good(self) -> Case:
        """Return the case in which the amount is held, or the payer is sent to approve it."""
        name = "action" if "approve" not in self.transcript("authorize") else "approve"
        return self.case(name, "the amount is held")

    def test_a_hold_is_not_a_payment(self) -> None:
        """A hold is Authorized, and not Approved."""
        outcome = self.outcome(self.good())
        require(
            not isinstance(outcome, Approved),
            expected="authorize: Authorized, with no movement",
            got=outcome,
            why="an approval counts as received money: the invoice would count as paid, nothing "
            "would be captured, and the hold would expire",
            read=PROTOCOL,
        )

    def test_the_amount_held_is_reported(self) -> None:
        """The outcome states the amount that is held."""
        case = self.good()
        for money in self.amounts_of(case):
            outcome = self.outcome(case, amount=money)
            if not isinstance(outcome, Authorized):
                return  # test_a_hold_is_not_a_payment reports it
            require(
                outcome.amount == money,
                expected=f"authorize: {money} held",
                got=outcome,
                why="the core limits captures to this amount, because not every processor does",
                read=PROTOCOL,
            )
