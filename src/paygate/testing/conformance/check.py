"""Checking: whose account the credentials are of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from paygate.driver import AccountFacts, BadResponse
from paygate.testing.conformance.conversation import Conversation
from paygate.testing.conformance.explain import PROTOCOL, require
from paygate.testing.conformance.held import hold, then_silence

if TYPE_CHECKING:
    from paygate.driver import Dialogue


class CheckConformance(Conversation):
    """What a gateway must do that has `check`: ``check.txt`` with approve and refuse."""

    about: ClassVar[str] = "check"

    @override
    def begin(self, gateway: Any, **given: Any) -> Dialogue[Any]:
        """Begin to check."""
        del given
        dialogue: Dialogue[Any] = gateway.check()
        return dialogue

    def test_the_account_is_the_one_of_the_traits(self) -> None:
        """Whose account it is, and whether its money is real."""
        facts, traits = self.outcome(self.good()), self.traits
        require(
            isinstance(facts, AccountFacts)
            and facts.live is traits.live
            and facts.merchant_account == traits.merchant_account,
            expected=f"check: the account {traits.merchant_account!r}, live={traits.live}",
            got=facts,
            why="the money of one merchant would go to another, or play money pay real invoices",
            read=PROTOCOL,
        )

    def test_wrong_credentials_are_told(self) -> None:
        """A check that never fails checks nothing."""
        case = self.case("refuse", "the credentials are wrong")
        replies = case.responses(self.values(case))
        held = hold(self.opened, then_silence(replies))
        require(
            isinstance(held.raised, BadResponse),
            expected="check, case 'refuse': BadResponse",
            got=held.raised or held.outcome,
            why="the operator sees 'accepted', and the first payer sees the failure",
            read=PROTOCOL,
        )

    def test_a_check_moves_no_money(self) -> None:
        """It is run on live accounts."""
        moving = [each.step for each in self.held(self.good()).requests if each.moves_money]
        require(
            not moving,
            expected="check: no request with moves_money",
            got=moving,
            why="whoever checks the settings must not pay for it",
            read=PROTOCOL,
        )
