"""Voiding: undoing what has not settled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from paygate.driver import Approved, MovementKind, Operation, Pending, RejectCause, Rejected
from paygate.testing.conformance.explain import PROTOCOL, require
from paygate.testing.conformance.operation import MoneyConformance
from paygate.testing.conformance.subject import unlike

if TYPE_CHECKING:
    from paygate.testing.conformance.transcripts import Case


class VoidConformance(MoneyConformance):
    """
    What a gateway must do that has `void`.

    ``void.txt``: approve, too_late (it has settled, and can only be refunded), refuse, error.
    """

    about: ClassVar[str] = "void"
    operation: ClassVar[Operation] = Operation.VOID
    movement_kinds: ClassVar[frozenset[MovementKind]] = frozenset({MovementKind.VOID})

    @override
    def question(self, **given_: Any) -> Any:
        """Return what the driver is asked."""
        return self.voiding(**given_)

    def test_what_is_voided_is_named(self) -> None:
        """The void names what it undoes."""
        about = self.voiding().reference
        other = unlike(about)
        why = "another payer's payment would be undone"
        self.names("what is voided", ({"reference": about}, {}), why=why)
        self.names("what is voided", ({"reference": other}, {"about": other}), why=why)

    @override
    def good(self) -> Case:
        """Return the case in which it is undone, or at least will be."""
        name = "pending" if "approve" not in self.transcript("void") else "approve"
        return self.case(name, "it is undone")

    def test_what_is_undone_is_approved(self) -> None:
        """The core frees what was claimed when the void is done."""
        case = self.good()
        outcome, wanted = self.outcome(case), Pending if case.name == "pending" else Approved
        require(
            isinstance(outcome, wanted),
            expected=f"void, case {case.name!r}: {wanted.__name__}",
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
