"""Refunding: sending money back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from paygate.driver import Approved, MovementKind, Operation, Pending
from paygate.testing.conformance.explain import PROTOCOL, require
from paygate.testing.conformance.operation import NamedByUsConformance, carries

if TYPE_CHECKING:
    from paygate.driver import Dialogue
    from paygate.testing.conformance.transcripts import Case


class RefundConformance(NamedByUsConformance):
    """
    What a gateway must do that has `refund`.

    ``refund.txt``: the facts `about` (the payment's reference) and `of` (the movement
    that is sent back); approve, or pending where refunds take their time; refuse, error.
    """

    about: ClassVar[str] = "refund"
    operation: ClassVar[Operation] = Operation.REFUND
    movement_kinds: ClassVar[frozenset[MovementKind]] = frozenset({MovementKind.REFUND})

    def begin(self, gateway: Any, **given: Any) -> Dialogue[Any]:
        """Begin to refund."""
        dialogue: Dialogue[Any] = gateway.refund(self.refunding(**given))
        return dialogue

    def good(self) -> Case:
        """Tell the case in which the refund is made, or at least accepted."""
        name = "pending" if "approve" not in self.transcript("refund") else "approve"
        return self.case(name, "the money is sent back")

    def test_what_is_sent_back_is_named(self) -> None:
        """The refund names the payment, or the movement, that it sends back."""
        asked = self.refunding()
        requests = self.held(self.good()).requests
        require(
            any(
                carries(each, name)
                for each in requests
                for name in (asked.reference, asked.movement_id)
            ),
            expected=f"refund: {asked.reference!r} or {asked.movement_id!r} in a request",
            got=requests,
            why="a refund of nothing in particular goes to a payer of the processor's choice",
            read=PROTOCOL,
        )

    def test_a_refund_that_is_accepted_is_told_as_what_it_is(self) -> None:
        """Approved when it is made, Pending while it is on its way."""
        for name, wanted in (("approve", Approved), ("pending", Pending)):
            if name not in self.transcript("refund"):
                continue
            outcome = self.outcome(self.case(name, "the money is sent back"))
            require(
                isinstance(outcome, wanted),
                expected=f"refund, case {name!r}: {wanted.__name__}",
                got=outcome,
                why="what is approved is booked as gone, and what is only accepted may still fail",
                read=PROTOCOL,
            )
