"""Capturing: taking money that is held."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from paygate.driver import MovementKind, Operation, UsageError
from paygate.testing.conformance.explain import PROTOCOL, require
from paygate.testing.conformance.held import followed_by_silence, hold
from paygate.testing.conformance.operation import AmountConformance
from paygate.testing.conformance.subject import unlike

if TYPE_CHECKING:
    from paygate.testing.conformance.transcripts import Case


class CaptureConformance(AmountConformance):
    """The cases for a gateway with `capture`: ``capture.txt`` with approve, refuse, error."""

    about: ClassVar[str] = "capture"
    operation: ClassVar[Operation] = Operation.CAPTURE
    movement_kinds: ClassVar[frozenset[MovementKind]] = frozenset({MovementKind.CAPTURE})

    @override
    def question(self, **given_: Any) -> Any:
        """Return the capture."""
        return self.capture(**given_)

    def test_what_is_captured_is_named(self) -> None:
        """The capture names the authorization that it takes from."""
        about = self.capture().reference
        other = unlike(about)
        why = "another payer's authorization would be captured"
        self.names("what is captured", ({"reference": about}, {}), why=why)
        self.names("what is captured", ({"reference": other}, {"about": other}), why=why)

    @override
    def good(self) -> Case:
        """Return the case in which the money is taken, or its capture accepted."""
        name = "pending" if "approve" not in self.transcript("capture") else "approve"
        return self.case(name, "the money is taken")

    def test_only_the_last_capture_lets_go_of_the_rest(self) -> None:
        """`final` reaches the processor, or a capture that is not final is refused."""
        case = self.good()
        replies = case.responses(self.values(case))
        first = hold(partial(self.opened, final=False), followed_by_silence(replies))
        if not self.rail.multiple_capture:
            require(
                isinstance(first.raised, UsageError) and not first.requests,
                expected="capture: Unsupported for final=False, since the traits say that an "
                "authorization is captured once",
                got=first.raised or first.requests,
                why="the processor releases the rest, and the next capture fails",
                read=PROTOCOL,
            )
            return
        require(
            first.requests != self.held(case).requests,
            expected="capture: different bytes for final=False, since the traits say that an "
            "authorization is captured more than once",
            got="the same request",
            why="either the rest is released too early, or the payer's limit stays blocked",
            read=PROTOCOL,
        )
