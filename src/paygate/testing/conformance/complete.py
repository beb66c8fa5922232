"""Completing: finishing a payment that the payer approved elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from typing_extensions import override

from paygate.driver import ActionRequired, InquiryBy, MovementKind, Operation, Pending
from paygate.testing.conformance.conversation import applies
from paygate.testing.conformance.explain import PROTOCOL, require
from paygate.testing.conformance.held import followed_by_silence
from paygate.testing.conformance.operation import MoneyConformance
from paygate.testing.conformance.subject import unlike

if TYPE_CHECKING:
    from paygate.testing.conformance.transcripts import Case


_BOASTS: Final = {"status": "paid", "result": "success", "paid": "true", "approved": "1"}


class CompleteConformance(MoneyConformance):
    """
    The cases for a gateway with `complete`.

    ``complete.txt``: approve, waiting (the payer came back and has not paid), refuse, error.
    """

    about: ClassVar[str] = "complete"
    operation: ClassVar[Operation] = Operation.COMPLETE
    movement_kinds: ClassVar[frozenset[MovementKind]] = frozenset(
        {MovementKind.CHARGE, MovementKind.CAPTURE}
    )

    @override
    def question(self, **given_: Any) -> Any:
        """Return the completion."""
        return self.completion(**given_)

    @override
    def refused(self) -> Case:
        """Return the refusal; it does not apply if completing only reads the state."""
        reads = self.transcript("complete").facts.get("money") == "none"
        applies(
            "refuse" in self.transcript("complete") or not reads,
            "completing only reads the state here (money = none in complete.txt)",
        )
        return super().refused()

    def test_what_is_completed_is_named(self) -> None:
        """The completion names the payment that the payer approved."""
        applies(
            self.traits.inquiry is not InquiryBy.LIST_SCAN,
            "the traits say that inquiries search a list",
        )
        about = self.completion().reference
        other, why = unlike(about), "one payer's click would take another payer's money"
        self.names("what is completed", ({"reference": about}, {}), why=why)
        self.names("what is completed", ({"reference": other}, {"about": other}), why=why)

    def test_a_payer_who_has_not_paid_still_can(self) -> None:
        """A payer who returns without having paid can still pay."""
        answer = self._waiting({})
        require(
            isinstance(answer, (ActionRequired, Pending)),
            expected="complete, case 'waiting': ActionRequired (with action=None if you cannot "
            "show the page again), or Pending",
            got=answer,
            why="the page is still open: reported as failed, the invoice may be paid elsewhere "
            "while the payer finishes here; reported as unknown, the invoice is locked",
            read=PROTOCOL,
        )

    def test_the_payers_own_word_is_not_believed(self) -> None:
        """The parameters of the return page change nothing: the payer's browser sends them."""
        answer = self._waiting(_BOASTS)
        require(
            answer == self._waiting({}),
            expected="complete, case 'waiting': the same outcome whatever the return page says",
            got=f"{answer!r} with {_BOASTS}",
            why="anybody could append ?status=paid to the address and count as having paid",
            read=PROTOCOL,
        )

    def _waiting(self, parameters: dict[str, str]) -> Any:
        case = self.case("waiting", "the payer came back and has not paid")
        replies = case.responses(self.values(case))
        return self.concluded(followed_by_silence(replies), parameters=parameters)
