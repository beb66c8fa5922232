"""Voiding: canceling a payment that has not settled."""

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
    The cases for a gateway with `void`.

    ``void.txt``: approve, too_late (it has settled, and can only be refunded), refuse, error.
    """

    about: ClassVar[str] = "void"
    operation: ClassVar[Operation] = Operation.VOID
    movement_kinds: ClassVar[frozenset[MovementKind]] = frozenset({MovementKind.VOID})

    @override
    def question(self, **given_: Any) -> Any:
        """Return the void."""
        return self.voiding(**given_)

    def test_what_is_voided_is_named(self) -> None:
        """The void names the payment that it cancels."""
        about = self.voiding().reference
        other = unlike(about)
        why = "another payer's payment would be voided"
        self.names("what is voided", ({"reference": about}, {}), why=why)
        self.names("what is voided", ({"reference": other}, {"about": other}), why=why)

    @override
    def good(self) -> Case:
        """Return the case in which the payment is voided, or the void accepted."""
        name = "pending" if "approve" not in self.transcript("void") else "approve"
        return self.case(name, "the payment is voided")

    def test_what_is_undone_is_approved(self) -> None:
        """A void that was done is Approved."""
        case = self.good()
        outcome, wanted = self.outcome(case), Pending if case.name == "pending" else Approved
        require(
            isinstance(outcome, wanted),
            expected=f"void, case {case.name!r}: {wanted.__name__}",
            got=outcome,
            why="the core releases the claim when the void is done: until then the ledger counts "
            "money that the payer has back",
            read=PROTOCOL,
        )

    def test_a_void_that_comes_too_late_is_rejected(self) -> None:
        """A void after settlement is Rejected with a cause that makes the core refund."""
        outcome = self.outcome(self.case("too_late", "it has settled, and can only be refunded"))
        require(
            isinstance(outcome, Rejected) and outcome.cause is RejectCause.STATE,
            expected="void, case 'too_late': Rejected with the cause state",
            got=outcome,
            why="`cancel` refunds a payment that can no longer be voided: if the void counted as "
            "approved, the payer would never get the money; if unknown, no refund is allowed",
            read=PROTOCOL,
        )
