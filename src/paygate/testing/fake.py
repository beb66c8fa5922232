"""The fake gateways: a driver for the fake processor, in memory or over loopback.

``FakeGateway()`` is a card gateway that needs nothing else. What it answers is
decided by the token that is charged (`paygate.testing.magic.MAGIC`) or by a
script; what happens later, by the clock and by what a test does as the payer.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from paygate.dialogue import Note, at_once
from paygate.domain.method import Kind
from paygate.domain.outcome import Rejected, Unknown
from paygate.errors import InvalidValue, LiveModeMismatch
from paygate.gateway import InquiryBy
from paygate.testing import fake_wire as wire
from paygate.testing.processor import FakeProcessor
from paygate.testing.rails import fake_traits

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Unpack

    from paygate.dialogue import Dialogue, Request, Response
    from paygate.domain.outcome import Finding, Outcome
    from paygate.gateway import (
        AccountFacts,
        Capture,
        Charge,
        ClosingUp,
        Completion,
        Enrollment,
        FeedPage,
        Forgetting,
        Inquiry,
        Refunding,
        Traits,
        Voiding,
    )
    from paygate.testing.clock import Clock
    from paygate.testing.magic import Plan
    from paygate.testing.rails import Habits, Overrides

IN_MEMORY: Final = "http://fake.invalid"
"""Where requests seem to go that never leave the process (RFC 2606 keeps the name unused)."""


class FakeDialogues:
    """What both fakes say to the processor."""

    name = "fake"

    def __init__(self, kind: Kind, traits: Traits, url: str) -> None:
        _refuse_production()
        self.kind = kind
        self._traits = traits
        self._base = url.rstrip("/")

    @property
    def traits(self) -> Traits:
        """What this account is and can do."""
        return self._traits

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        """Collect the amount, or start collecting it; an e-check is created before its debit."""
        if charge.kind is Kind.E_CHECK:
            opened = wire.parse_opened((yield wire.build_open(self._base, charge)))
            if isinstance(opened, Rejected):
                return opened
            yield Note(opened)
            return wire.parse_outcome((yield wire.build_charge(self._base, charge, opened)))
        request = wire.build_charge(self._base, charge)
        return wire.parse_outcome((yield request), moved=request.moves_money)

    def authorize(self, charge: Charge) -> Dialogue[Outcome]:
        """Hold the amount."""
        return wire.parse_outcome((yield wire.build_authorize(self._base, charge)))

    def complete(self, completion: Completion) -> Dialogue[Outcome]:
        """Finish a charge that the payer approved."""
        return wire.parse_outcome((yield wire.build_complete(self._base, completion)))

    def capture(self, capture: Capture) -> Dialogue[Outcome]:
        """Take all or part of an authorisation."""
        return wire.parse_outcome((yield wire.build_capture(self._base, capture)))

    def void(self, voiding: Voiding) -> Dialogue[Outcome]:
        """Undo a charge, or release an authorisation."""
        return wire.parse_outcome((yield wire.build_void(self._base, voiding)))

    def refund(self, refunding: Refunding) -> Dialogue[Outcome]:
        """Send all or part of a receipt back."""
        return wire.parse_outcome((yield wire.build_refund(self._base, refunding)))

    def close(self, closing: ClosingUp) -> Dialogue[Outcome]:
        """Make a page or slip unpayable."""
        response = yield wire.build_close(self._base, closing)
        return wire.parse_outcome(response, moved=False)

    def enroll(self, enrollment: Enrollment) -> Dialogue[Outcome]:
        """Store a method; the approval carries it."""
        response = yield wire.build_enroll(self._base, enrollment)
        return wire.parse_outcome(response, moved=False)

    def forget(self, forgetting: Forgetting) -> Dialogue[Outcome]:
        """Delete a stored method."""
        response = yield wire.build_forget(self._base, forgetting, self.kind)
        return wire.parse_outcome(response, moved=False)

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        """Find the operation in the way that the traits declare."""
        match self._traits.inquiry:
            case InquiryBy.OUR_REF:
                return wire.parse_finding((yield wire.build_look_up(self._base, inquiry)))
            case InquiryBy.GATEWAY_REF if inquiry.reference:
                request = wire.build_look_up_by_reference(self._base, inquiry)
                return wire.parse_finding((yield request))
            case InquiryBy.LIST_SCAN:
                return (yield from self._scan(inquiry))
            case _:
                reason = "this account cannot find an operation without its reference"
                return (yield from at_once(Unknown(reason=reason)))

    def _scan(self, inquiry: Inquiry) -> Dialogue[Finding]:
        after = ""
        while True:
            response = yield wire.build_list(self._base, inquiry, after)
            found = wire.parse_list(response, inquiry.our_ref)
            if not isinstance(found, str):
                return found
            after = found

    def feed(self, cursor: str) -> Dialogue[FeedPage]:
        """Read the events after *cursor*."""
        return wire.parse_feed((yield wire.build_feed(self._base, cursor)))

    def check(self) -> Dialogue[AccountFacts]:
        """Ask whose account this is."""
        return wire.parse_check((yield wire.build_check(self._base)))


class FakeGateway(FakeDialogues):
    """A gateway with its processor in memory: no network, nothing random."""

    def __init__(
        self,
        kind: Kind | str = Kind.CARD,
        *,
        processor: FakeProcessor | None = None,
        clock: Clock | None = None,
        habits: Habits | None = None,
        journal: Path | str | None = None,
        **overrides: Unpack[Overrides],
    ) -> None:
        kind = Kind(kind)
        if processor is None:
            traits = fake_traits([kind], overrides)
            processor = FakeProcessor(traits, clock=clock, habits=habits, journal=journal)
        elif overrides or clock or habits or journal:
            raise InvalidValue(
                "a given processor has its traits, clock, habits and journal; set them there"
            )
        super().__init__(kind, processor.traits, IN_MEMORY)
        self.processor = processor

    @property
    def clock(self) -> Clock:
        """The processor's clock."""
        return self.processor.clock

    def script(self, *plans: Plan | str, operation: str = "", our_ref: str = "") -> None:
        """Plan the next operations, in order: magic values by name, or a `Plan` each."""
        self.processor.script.plan(*plans, operation=operation, our_ref=our_ref)

    def answer(self, request: Request) -> Response:
        """Answer as the processor would; raise as the network would."""
        return self.processor.handle(request)


def _refuse_production() -> None:
    """Stop a fake from standing where customers pay."""
    if os.environ.get("PAYGATE_ENV", "").strip().lower() == "production":
        raise LiveModeMismatch(
            "PAYGATE_ENV says production, and a fake gateway moves no money: configure the "
            "account of a real gateway, or unset PAYGATE_ENV where you test"
        )
