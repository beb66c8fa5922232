"""Voiding: undoing what has not settled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from paygate.driver import Approved, MovementKind, Operation, RejectCause, Rejected
from paygate.testing.conformance.explain import PROTOCOL, require
from paygate.testing.conformance.operation import MoneyConformance, carries

if TYPE_CHECKING:
    from paygate.driver import Dialogue


class VoidConformance(MoneyConformance):
    """
    What a gateway must do that has `void`.

    ``void.txt``: approve, too_late (it has settled, and can only be refunded), refuse, error.
    """

    about: ClassVar[str] = "void"
    operation: ClassVar[Operation] = Operation.VOID
    movement_kinds: ClassVar[frozenset[MovementKind]] = frozenset({MovementKind.VOID})

    def begin(self, gateway: Any, **given: Any) -> Dialogue[Any]:
        """Begin to void."""
        dialogue: Dialogue[Any] = gateway.void(self.voiding(**given))
        return dialogue

    def test_what_is_voided_is_named(self) -> None:
        """The void names what it undoes."""
        about = self.voiding().reference
        require(
            any(carries(each, about) for each in self.held(self.good()).requests),
            expected=f"void: the reference {about!r} in a request",
            got=self.held(self.good()).requests,
            why="another payer's payment would be undone",
            read=PROTOCOL,
        )

    def test_what_is_undone_is_approved(self) -> None:
        """The core frees what was claimed when the void is done."""
        outcome = self.outcome(self.good())
        require(
            isinstance(outcome, Approved),
            expected="void, case 'approve': Approved",
            got=outcome,
            why="the payer's money is free again, and our books still hold it",
            read=PROTOCOL,
        )

    def test_a_void_that_comes_too_late_is_rejected(self) -> None:
        """After settlement a refund is the way, and the core must see that it is."""
        outcome = self.outcome(self.case("too_late", "it has settled, and can only be refunded"))
        require(
            isinstance(outcome, Rejected) and outcome.cause is RejectCause.STATE,
            expected="void, case 'too_late': Rejected with the cause state",
            got=outcome,
            why="`cancel` refunds what can't be voided any more: as approved the payer never "
            "gets his money, as unknown nobody may refund it",
            read=PROTOCOL,
        )
