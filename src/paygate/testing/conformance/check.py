"""Checking: which account the credentials belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from paygate.driver import AccountFacts, BadResponse
from paygate.testing.conformance.conversation import Conversation
from paygate.testing.conformance.explain import PROTOCOL, require
from paygate.testing.conformance.held import followed_by_silence, hold

if TYPE_CHECKING:
    from paygate.driver import Dialogue


class CheckConformance(Conversation):
    """The cases for a gateway with `check`: ``check.txt`` with approve and refuse."""

    about: ClassVar[str] = "check"

    @override
    def begin(self, gateway: Any, **given: Any) -> Dialogue[Any]:
        """Start the check."""
        del given
        dialogue: Dialogue[Any] = gateway.check()
        return dialogue

    def test_the_account_is_the_one_of_the_traits(self) -> None:
        """The check reports the merchant account and the mode that the traits declare."""
        facts, traits = self.outcome(self.good()), self.traits
        require(
            isinstance(facts, AccountFacts)
            and facts.live is traits.live
            and facts.merchant_account == traits.merchant_account,
            expected=f"check: the account {traits.merchant_account!r}, live={traits.live}",
            got=facts,
            why="one merchant's money would go to another, or test money would pay real invoices",
            read=PROTOCOL,
        )

    def test_wrong_credentials_are_reported(self) -> None:
        """A check with wrong credentials fails."""
        case = self.case("refuse", "the credentials are wrong")
        replies = case.responses(self.values(case))
        held = hold(self.opened, followed_by_silence(replies))
        require(
            isinstance(held.raised, BadResponse),
            expected="check, case 'refuse': BadResponse",
            got=held.raised or held.outcome,
            why="the operator would see 'accepted', and the first payer would see the failure",
            read=PROTOCOL,
        )

    def test_a_check_moves_no_money(self) -> None:
        """A check sends no request that moves money, because it is run on live accounts."""
        moving = [each.step for each in self.held(self.good()).requests if each.moves_money]
        require(
            not moving,
            expected="check: no request with moves_money",
            got=moving,
            why="checking the settings of a live account must not charge anybody",
            read=PROTOCOL,
        )
