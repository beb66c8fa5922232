"""Withdrawing: closing a page or slip."""

from __future__ import annotations

from typing import Any, ClassVar

from typing_extensions import override

from paygate.driver import Approved, Ended, Operation
from paygate.testing.conformance.explain import PROTOCOL, require
from paygate.testing.conformance.held import followed_by_silence
from paygate.testing.conformance.operation import OperationConformance
from paygate.testing.conformance.subject import unlike


class WithdrawConformance(OperationConformance):
    """
    The cases for a gateway with `withdraw`.

    ``withdraw.txt``: approve, too_late (it was paid in the meantime), refuse, error.
    """

    about: ClassVar[str] = "withdraw"
    operation: ClassVar[Operation] = Operation.WITHDRAW

    @override
    def question(self, **given_: Any) -> Any:
        """Return the withdrawal."""
        return self.withdrawal(**given_)

    def test_what_is_closed_is_named_and_closed(self) -> None:
        """The withdrawal names its page, and is Approved or Ended."""
        held = self.held(self.good())
        about = self.withdrawal().reference
        other, why = unlike(about), "a page that stays open can be paid on top of the next payment"
        require(
            isinstance(held.outcome, (Approved, Ended)),
            expected="withdraw: Approved or Ended",
            got=held.outcome,
            why=why,
            read=PROTOCOL,
        )
        if not self.good().messages:
            return
        self.names("what is withdrawn", ({"reference": about}, {}), why=why)
        self.names("what is withdrawn", ({"reference": other}, {"about": other}), why=why)

    def test_closing_moves_no_money(self) -> None:
        """No request of a withdrawal is marked with moves_money."""
        moving = [each.step for each in self.held(self.good()).requests if each.moves_money]
        require(
            not moving,
            expected="withdraw: no request with moves_money",
            got=moving,
            why="a lost withdrawal would lock the invoice as if it might have been charged",
            read=PROTOCOL,
        )

    def test_a_paid_page_is_not_called_closed(self) -> None:
        """A page that was paid before the withdrawal is not reported as withdrawn."""
        self.sends()
        case = self.case("too_late", "it was paid in the meantime")
        answer = self.concluded(followed_by_silence(case.responses(self.values(case))))
        moved = getattr(answer, "movements", ())
        require(
            not isinstance(answer, Ended) and not (isinstance(answer, Approved) and not moved),
            expected="withdraw, case 'too_late': Rejected, Unknown, or Approved with the movement",
            got=answer,
            why="the core would believe that the page is withdrawn, and let the invoice be charged "
            "a second time",
            read=PROTOCOL,
        )
