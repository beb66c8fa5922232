"""Forgetting: deleting a stored method at the processor."""

from __future__ import annotations

from typing import Any, ClassVar

from typing_extensions import override

from paygate.driver import Approved, Operation, RejectCause, Rejected, StoredToken
from paygate.testing.conformance.explain import PROTOCOL, require
from paygate.testing.conformance.held import followed_by_silence
from paygate.testing.conformance.operation import OperationConformance


class ForgetConformance(OperationConformance):
    """
    The cases for a gateway with `forget`.

    ``forget.txt``: approve, gone (it was deleted before), refuse, error.
    """

    about: ClassVar[str] = "forget"
    operation: ClassVar[Operation] = Operation.FORGET

    @override
    def question(self, **given_: Any) -> Any:
        """Return the deletion."""
        return self.forgetting(**given_)

    def test_what_is_forgotten_is_approved(self) -> None:
        """A deletion is Approved, without movements."""
        outcome = self.outcome(self.good())
        require(
            isinstance(outcome, Approved) and not outcome.movements,
            expected="forget, case 'approve': Approved without movements",
            got=outcome,
            why="only then does the method count as deleted, and the host may say so to the payer",
            read=PROTOCOL,
        )

    def test_the_right_method_is_forgotten(self) -> None:
        """The request names the token of the method to delete."""
        other = self.other_method(StoredToken)
        sent, sent_for_other = self.asking(), self.asking(token=other)
        require(
            bool(sent) and sent != sent_for_other,
            expected=f"forget: different bytes for another token in {self.asked_in()}",
            got="the same bytes",
            why="the payer's other card would be deleted, and the one to be deleted charged again",
            read=PROTOCOL,
        )

    def test_what_is_gone_already_is_forgotten(self) -> None:
        """Deleting a method that is already deleted succeeds."""
        case = self.case("gone", "it was deleted before")
        answer = self.concluded(followed_by_silence(case.responses(self.values(case))))
        require(
            isinstance(answer, Approved)
            or (isinstance(answer, Rejected) and answer.cause is RejectCause.METHOD_GONE),
            expected="forget, case 'gone': Approved, or Rejected with the cause method_gone",
            got=answer,
            why="a deletion whose response was lost is requested again; if that failed, it would "
            "be repeated until it is flagged for manual review",
            read=PROTOCOL,
        )
