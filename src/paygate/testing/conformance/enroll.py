"""Storing a method at the processor."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from paygate.driver import Approved, Declined, Kind, Operation, brand_of
from paygate.testing.conformance.conversation import applies
from paygate.testing.conformance.explain import PROTOCOL, require
from paygate.testing.conformance.operation import PaysByMethodConformance

if TYPE_CHECKING:
    from paygate.driver import StoredMethod
    from paygate.testing.conformance.transcripts import Case


class EnrollConformance(PaysByMethodConformance):
    """
    What a gateway must do that has `enroll`.

    ``enroll.txt``: approve (facts `token`, and `last4` if it has digits), or action if the
    payer stores it on a page; decline, refuse, error.
    """

    about: ClassVar[str] = "enroll"
    operation: ClassVar[Operation] = Operation.ENROLL

    @override
    def question(self, **given_: Any) -> Any:
        """Return what the driver is asked."""
        return self.enrollment(**given_)

    @override
    def good(self) -> Case:
        """Return the case in which the method is stored, or the payer is sent to store it."""
        name = "action" if "approve" not in self.transcript("enroll") else "approve"
        return self.case(name, "the method is stored")

    def stored(self) -> StoredMethod | None:
        """Return the method in the approval."""
        case = self.good()
        applies(case.name == "approve", "the payer stores it on the processor's page")
        outcome = self.outcome(case)
        return outcome.method if isinstance(outcome, Approved) else None

    def test_the_stored_method_comes_with_the_approval(self) -> None:
        """The token is what is charged from now on."""
        method = self.stored()
        wanted = self.good().fact("token")
        require(
            method is not None and method.token.reveal() == wanted,
            expected=f"enroll: Approved with the token {wanted!r}",
            got=self.outcome(self.good()) if method is None else "a method with another token",
            asked=self.good().asks("token"),
            why="without the right token the payer has a stored card that nobody can charge, or "
            "somebody else's",
            read=PROTOCOL,
        )

    def test_the_stored_method_is_of_the_kind_asked(self) -> None:
        """A card stays a card."""
        method = self.stored()
        require(
            method is None or method.kind is self.kind,
            expected=f"enroll: a method of kind {self.kind}",
            got=method,
            why="autopay chooses a bank account before a card, and the rules of the rail differ",
            read=PROTOCOL,
        )

    def test_the_payer_recognises_the_stored_method(self) -> None:
        """Its last four digits, and never more of the number."""
        method = self.stored()
        wanted = self.good().facts.get("last4", "")
        require(
            method is None or method.last4 == wanted,
            expected=f"enroll: last4 {wanted!r}",
            got="more or other digits" if method else "",
            asked=self.good().asks("last4"),
            why="the payer chooses by it; and five digits more are a card number in your ledger",
            read=PROTOCOL,
        )

    def test_a_brand_is_spelled_as_everywhere(self) -> None:
        """A Visa is `visa` at every gateway; a brand that is not known keeps its name."""
        method = self.stored()
        require(
            method is None
            or method.kind is not Kind.CARD
            or method.brand == brand_of(method.brand),
            expected="enroll: a brand that `brand_of` leaves as it is",
            got=None if method is None else repr(method.brand),
            why="the host shows it and picks a picture by it, whatever gateway stored the card",
            read=PROTOCOL,
        )

    def test_no_number_comes_back_with_the_stored_method(self) -> None:
        """No text of it looks like a card number."""
        method = self.stored()
        texts = [
            text
            for name in ("brand", "last4", "holder", "fingerprint", "network_transaction_id")
            for text in ([getattr(method, name)] if method else [])
        ]
        require(
            not any(re.search(r"[0-9]{13,19}", text) and _luhn(text) for text in texts),
            expected="enroll: no card number in what is told of the method",
            got="a text with a number that passes the check digit",
            why="it would be stored in the clear, in every backup, for ever",
            read=PROTOCOL,
        )

    def test_a_method_that_the_bank_refuses_is_declined(self) -> None:
        """The bank's no to storing is the payer's to mend."""
        cases = self.expected("enroll", {"decline": "the bank refuses the method"})
        applies(cases, "the bank is not asked when a method is stored (untold = decline)")
        [case] = cases
        outcome = self.outcome(case)
        require(
            isinstance(outcome, Declined) and outcome.raw_code == case.fact("raw_code"),
            expected=f"enroll, case 'decline': Declined with {case.fact('raw_code')!r}",
            got=outcome,
            asked=case.asks("raw_code"),
            why="stored all the same, the first autopay run finds out in the payer's absence",
            read=PROTOCOL,
        )


def _luhn(text: str) -> bool:
    digits = [int(digit) for digit in text if digit.isdigit()]
    even = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(even)) % 10 == 0
