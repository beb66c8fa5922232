"""Deleting a stored method at the processor."""

from __future__ import annotations

from typing import Any, ClassVar

from typing_extensions import override

from paygate.driver import Approved, Operation, RejectCause, Rejected, StoredToken
from paygate.testing.conformance.explain import PROTOCOL, require
from paygate.testing.conformance.held import then_silence
from paygate.testing.conformance.operation import OperationConformance


class ForgetConformance(OperationConformance):
    """
    What a gateway must do that can forget what it stored.

    ``forget.txt``: approve, gone (it was deleted before), refuse, error.
    """

    about: ClassVar[str] = "forget"
    operation: ClassVar[Operation] = Operation.FORGET

    @override
    def question(self, **given_: Any) -> Any:
        """Return what the driver is asked."""
        return self.forgetting(**given_)

    def test_what_is_forgotten_is_approved(self) -> None:
        """Done, and no money in it."""
        outcome = self.outcome(self.good())
        require(
            isinstance(outcome, Approved) and not outcome.movements,
            expected="forget, case 'approve': Approved, and nothing moved",
            got=outcome,
            why="the method counts as deleted only then; until then the host must not say so",
            read=PROTOCOL,
        )

    def test_the_right_method_is_forgotten(self) -> None:
        """The one that is asked for, and not whichever was stored first."""
        other = self.other_method(StoredToken)
        sent, sent_for_other = self.asking(), self.asking(token=other)
        require(
            bool(sent) and sent != sent_for_other,
            expected=f"forget: other bytes for another token in {self.asked_in()}",
            got="the same bytes",
            why="the payer's other card is deleted, and the one that he wanted gone is charged",
            read=PROTOCOL,
        )

    def test_what_is_gone_already_is_forgotten(self) -> None:
        """To delete twice is to delete."""
        case = self.case("gone", "it was deleted before")
        answer = self.concluded(then_silence(case.responses(self.values(case))))
        require(
            isinstance(answer, Approved)
            or (isinstance(answer, Rejected) and answer.cause is RejectCause.METHOD_GONE),
            expected="forget, case 'gone': Approved, or Rejected with the cause method_gone",
            got=answer,
            why="a deletion whose answer was lost is asked for again; as a failure it is asked "
            "for ever, and a person is called",
            read=PROTOCOL,
        )
