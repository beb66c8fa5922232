"""Ending: withdrawing a page or slip."""

from __future__ import annotations

from typing import Any, ClassVar

from typing_extensions import override

from paygate.driver import Approved, Ended, Operation
from paygate.testing.conformance.explain import PROTOCOL, require
from paygate.testing.conformance.held import then_silence
from paygate.testing.conformance.operation import OperationConformance
from paygate.testing.conformance.subject import unlike


class WithdrawConformance(OperationConformance):
    """
    What a gateway must do that has `withdraw`.

    ``withdraw.txt``: approve, too_late (it was paid in the meantime), refuse, error.
    """

    about: ClassVar[str] = "withdraw"
    operation: ClassVar[Operation] = Operation.WITHDRAW

    @override
    def question(self, **given_: Any) -> Any:
        """Return what the driver is asked."""
        return self.withdrawal(**given_)

    def test_what_is_closed_is_named_and_closed(self) -> None:
        """The right page, and Approved or Ended at the end."""
        held = self.held(self.good())
        about = self.withdrawal().reference
        other, why = unlike(about), "a page that stays open is paid beside the next payment"
        require(
            isinstance(held.outcome, (Approved, Ended)),
            expected="withdraw: Approved or Ended",
            got=held.outcome,
            why=why,
            read=PROTOCOL,
        )
        self.names("what is withdrawn", ({"reference": about}, {}), why=why)
        self.names("what is withdrawn", ({"reference": other}, {"about": other}), why=why)

    def test_closing_moves_no_money(self) -> None:
        """No request of it is marked as moving money."""
        moving = [each.step for each in self.held(self.good()).requests if each.moves_money]
        require(
            not moving,
            expected="withdraw: no request with moves_money",
            got=moving,
            why="a lost withdrawal would hold the invoice as if it might have been charged",
            read=PROTOCOL,
        )

    def test_a_paid_page_is_not_called_closed(self) -> None:
        """Who paid before we withdrawn has paid."""
        case = self.case("too_late", "it was paid in the meantime")
        answer = self.concluded(then_silence(case.responses(self.values(case))))
        moved = getattr(answer, "movements", ())
        require(
            not isinstance(answer, Ended) and not (isinstance(answer, Approved) and not moved),
            expected="withdraw, case 'too_late': Rejected, Unknown, or Approved with the movement",
            got=answer,
            why="believed withdrawn, the invoice is charged by another way as well",
            read=PROTOCOL,
        )
