"""Deleting a stored method at the processor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from paygate.driver import Approved, Operation, RejectCause, Rejected
from paygate.testing.conformance.explain import PROTOCOL, require
from paygate.testing.conformance.held import then_silence
from paygate.testing.conformance.operation import OperationConformance

if TYPE_CHECKING:
    from paygate.driver import Dialogue


class ForgetConformance(OperationConformance):
    """
    What a gateway must do that can forget what it stored.

    ``forget.txt``: approve, gone (it was deleted before), refuse, error.
    """

    about: ClassVar[str] = "forget"
    operation: ClassVar[Operation] = Operation.FORGET

    def begin(self, gateway: Any, **given: Any) -> Dialogue[Any]:
        """Begin to delete a method."""
        dialogue: Dialogue[Any] = gateway.forget(self.forgetting(**given))
        return dialogue

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
