"""Refunding: sending money back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from paygate.driver import Approved, MovementKind, Operation, Pending
from paygate.testing.conformance.explain import PROTOCOL, require
from paygate.testing.conformance.operation import NamedByUsConformance
from paygate.testing.conformance.subject import unlike

if TYPE_CHECKING:
    from paygate.testing.conformance.transcripts import Case


class RefundConformance(NamedByUsConformance):
    """
    The cases for a gateway with `refund`.

    ``refund.txt``: the facts `about` (the payment's reference) and `of` (the movement
    that is refunded); approve, or pending if refunds take time; refuse, error.
    """

    about: ClassVar[str] = "refund"
    operation: ClassVar[Operation] = Operation.REFUND
    movement_kinds: ClassVar[frozenset[MovementKind]] = frozenset({MovementKind.REFUND})

    @override
    def question(self, **given_: Any) -> Any:
        """Return the refund."""
        return self.refunding(**given_)

    @override
    def good(self) -> Case:
        """Return the case in which the refund is made, or at least accepted."""
        name = "pending" if "approve" not in self.transcript("refund") else "approve"
        return self.case(name, "the money is sent back")

    def test_what_is_sent_back_is_named(self) -> None:
        """The refund names the payment or the movement that it refunds."""
        asked = self.refunding()
        about, of = unlike(asked.reference), unlike(asked.movement_id)
        why = "the processor would refund some other payment, to another payer"
        what = "what is sent back"
        self.names(
            what,
            ({"reference": asked.reference}, {}),
            ({"movement_id": asked.movement_id}, {}),
            why=why,
        )
        both = {"reference": about, "movement_id": of}
        self.names(what, (both, {"about": about, "of": of}), why=why)

    def test_what_is_sent_back_says_of_what(self) -> None:
        """A refund's movement names the refunded movement in `undoes`, or none."""
        case = self.good()
        wanted = (None, self.refunding().movement_id)
        undone = [each.undoes for each in self.movements(case)]
        require(
            all(each in wanted for each in undone),
            expected=f"refund: movements with undoes={wanted[1]!r}, or without undoes",
            got=undone,
            asked=case.asks("of"),
            why="the refund would be deducted from another receipt, whose money then counts as "
            "sent back",
            read=PROTOCOL,
        )

    def test_an_accepted_refund_is_reported_as_it_is(self) -> None:
        """A refund that was made is Approved, and one that is under way is Pending."""
        for name, wanted in (("approve", Approved), ("pending", Pending)):
            if name not in self.transcript("refund"):
                continue
            outcome = self.outcome(self.case(name, "the money is sent back"))
            require(
                isinstance(outcome, wanted),
                expected=f"refund, case {name!r}: {wanted.__name__}",
                got=outcome,
                why="an approved refund is booked as money out, while one that is only accepted "
                "may still fail",
                read=PROTOCOL,
            )
