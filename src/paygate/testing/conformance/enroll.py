"""Enrolling: storing a method at the processor."""

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
    The cases for a gateway with `enroll`.

    ``enroll.txt``: approve (facts `token`, and `last4` if the method has digits), or action
    if the payer stores it on a page; decline, refuse, error.
    """

    about: ClassVar[str] = "enroll"
    operation: ClassVar[Operation] = Operation.ENROLL

    @override
    def question(self, **given_: Any) -> Any:
        """Return the enrollment."""
        return self.enrollment(**given_)

    @override
    def good(self) -> Case:
        """Return the case in which the method is stored, or the payer is sent to store it."""
        name = "action" if "approve" not in self.transcript("enroll") else "approve"
        return self.case(name, "the method is stored")

    def stored(self) -> StoredMethod | None:
        """Return the stored method in the approval."""
        case = self.good()
        applies(case.name == "approve", "the payer stores it on the processor's page")
        outcome = self.outcome(case)
        return outcome.method if isinstance(outcome, Approved) else None

    def test_the_stored_method_comes_with_the_approval(self) -> None:
        """The approval carries the token that later charges use."""
        method = self.stored()
        wanted = self.good().fact("token")
        require(
            method is not None and method.token.reveal() == wanted,
            expected=f"enroll: Approved with the token {wanted!r}",
            got=self.outcome(self.good()) if method is None else "a method with another token",
            asked=self.good().asks("token"),
            why="with another token, the payer's stored card cannot be charged, or is somebody "
            "else's card",
            read=PROTOCOL,
        )

    def test_the_stored_method_is_of_the_kind_asked(self) -> None:
        """The stored method has the requested kind."""
        method = self.stored()
        require(
            method is None or method.kind is self.kind,
            expected=f"enroll: a method of kind {self.kind}",
            got=method,
            why="autopay prefers a bank account to a card, and the rules of the two rails differ",
            read=PROTOCOL,
        )

    def test_the_payer_recognizes_the_stored_method(self) -> None:
        """The stored method carries its last four digits, and no more of the number."""
        method = self.stored()
        wanted = self.good().facts.get("last4", "")
        require(
            method is None or method.last4 == wanted,
            expected=f"enroll: last4 {wanted!r}",
            got="more digits, or others" if method else "",
            asked=self.good().asks("last4"),
            why="the payer recognizes the card by them, and more digits would put a card number "
            "in your ledger",
            read=PROTOCOL,
        )

    def test_a_brand_is_spelled_as_everywhere(self) -> None:
        """Brands have one spelling at every gateway, such as `visa`; unknown ones are kept."""
        method = self.stored()
        require(
            method is None
            or method.kind is not Kind.CARD
            or method.brand == brand_of(method.brand),
            expected="enroll: a brand that `brand_of` leaves as it is",
            got=None if method is None else repr(method.brand),
            why="the host shows the brand and chooses a logo by it, whichever gateway stored the "
            "card",
            read=PROTOCOL,
        )

    def test_no_number_comes_back_with_the_stored_method(self) -> None:
        """No text of the stored method contains a card number."""
        method = self.stored()
        texts = [
            text
            for name in ("brand", "last4", "holder", "fingerprint", "network_transaction_id")
            for text in ([getattr(method, name)] if method else [])
        ]
        require(
            not any(re.search(r"[0-9]{13,19}", text) and _luhn(text) for text in texts),
            expected="enroll: no card number in the stored method",
            got="a text with a number that passes the check digit",
            why="it would be stored in plain text, and remain in every backup",
            read=PROTOCOL,
        )

    def test_a_method_that_the_bank_refuses_is_declined(self) -> None:
        """A method that the bank refuses is Declined."""
        cases = self.expected("enroll", {"decline": "the bank refuses the method"})
        applies(cases, "the bank is not asked when a method is stored (unreported = decline)")
        [case] = cases
        outcome = self.outcome(case)
        require(
            isinstance(outcome, Declined) and outcome.raw_code == case.fact("raw_code"),
            expected=f"enroll, case 'decline': Declined with {case.fact('raw_code')!r}",
            got=outcome,
            asked=case.asks("raw_code"),
            why="a refused method that is stored anyway fails in the first autopay run, when the "
            "payer is not present",
            read=PROTOCOL,
        )


def _luhn(text: str) -> bool:
    digits = [int(digit) for digit in text if digit.isdigit()]
    even = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(even)) % 10 == 0
