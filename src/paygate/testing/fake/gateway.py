"""The fake gateways: a driver for the fake processor, in memory or over loopback.

``FakeGateway()`` is a card gateway that needs nothing else. The token that is charged
(`paygate.testing.processor.magic.MAGIC`) or a script decides the outcome; the clock, and
what a test does as the payer, decide what happens later.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from typing_extensions import override

from paygate.driver import (
    InquiryBy,
    InvalidValue,
    Kind,
    Note,
    OneTimeToken,
    Rejected,
    SandboxTrigger,
    SandboxTriggers,
    Secret,
    Unknown,
    at_once,
    origin_of,
)
from paygate.testing.fake import answers, requests
from paygate.testing.fake.controls import Controls
from paygate.testing.fake.guard import refuse_production, require_loopback
from paygate.testing.processor import SIGNING_KEY, FakeProcessor
from paygate.testing.processor.callbacks import read_callback, reply_to
from paygate.testing.processor.effects import NO_PAGES, PUBLISHABLE_KEY
from paygate.testing.processor.rails import fake_traits

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Unpack

    from pydantic import BaseModel

    from paygate.driver import (
        AccountFacts,
        Applied,
        Callback,
        Capture,
        Charge,
        Completion,
        Dialogue,
        Enrollment,
        FeedPage,
        Finding,
        Forgetting,
        Inquiry,
        Notice,
        Outcome,
        Refunding,
        Reply,
        Request,
        Response,
        Traits,
        Voiding,
        Withdrawal,
    )
    from paygate.testing.clock import ProcessorClock
    from paygate.testing.fake.settings import FakeSettings, LoopbackSettings
    from paygate.testing.processor.rails import Habits, Overrides

IN_MEMORY: Final = "http://fake.invalid"
"""The address of requests that never leave the process (RFC 2606 reserves the name)."""


class LazySettings:
    """The settings model of a fake, loaded together with pydantic on first use."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type | None = None) -> type[BaseModel]:
        from paygate.testing.fake import settings

        model: type[BaseModel] = getattr(settings, self._name)
        return model


class FakeDialogues:
    """The dialogues that both fakes have with the processor."""

    name = "fake"

    def __init__(self, kind: Kind, traits: Traits, url: str, signing_key: str) -> None:
        refuse_production()
        self.kind = kind
        self._base = url.rstrip("/")
        served = {NO_PAGES, origin_of(self._base)}
        self._traits = replace(traits, page_origins=traits.page_origins | served)
        self._signing_key = Secret(signing_key)

    @property
    def traits(self) -> Traits:
        """The traits of this account."""
        return self._traits

    def public_settings(self) -> Mapping[str, str]:
        """Return the settings that a page needs for the fake's script."""
        return {"publishable_key": PUBLISHABLE_KEY}

    def sandbox_triggers(self) -> Mapping[Kind, SandboxTriggers]:
        """Return the magic values that approve and decline."""
        card = SandboxTriggers(
            approve=SandboxTrigger(method=OneTimeToken.of("tok_visa")),
            decline=SandboxTrigger(method=OneTimeToken.of("tok_declined")),
        )
        debit = SandboxTriggers(approve=SandboxTrigger(method=OneTimeToken.of("tok_bank")))
        return {Kind.CARD: card, Kind.E_CHECK: debit}

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        """Collect the amount, or start to; an e-check with a method is created before its debit."""
        if charge.kind is Kind.E_CHECK and charge.method is not None:
            opened = answers.parse_opened((yield requests.build_open(self._base, charge)))
            if isinstance(opened, Rejected):
                return opened
            yield Note(opened)
            return answers.parse_outcome((yield requests.build_charge(self._base, charge, opened)))
        request = requests.build_charge(self._base, charge)
        return answers.parse_outcome((yield request), moved=request.moves_money)

    def authorize(self, charge: Charge) -> Dialogue[Outcome]:
        """Hold the amount."""
        return answers.parse_outcome((yield requests.build_authorize(self._base, charge)))

    def complete(self, completion: Completion) -> Dialogue[Outcome]:
        """Finish a charge that the payer approved."""
        return answers.parse_outcome((yield requests.build_complete(self._base, completion)))

    def capture(self, capture: Capture) -> Dialogue[Outcome]:
        """Take all or part of an authorization."""
        return answers.parse_outcome((yield requests.build_capture(self._base, capture)))

    def void(self, voiding: Voiding) -> Dialogue[Outcome]:
        """Cancel a charge that has not settled, or release an authorization."""
        return answers.parse_outcome((yield requests.build_void(self._base, voiding)))

    def refund(self, refunding: Refunding) -> Dialogue[Outcome]:
        """Send back all or part of a receipt."""
        return answers.parse_outcome((yield requests.build_refund(self._base, refunding)))

    def withdraw(self, withdrawal: Withdrawal) -> Dialogue[Outcome]:
        """Make a page or slip unpayable."""
        response = yield requests.build_withdraw(self._base, withdrawal)
        return answers.parse_outcome(response, moved=False)

    def enroll(self, enrollment: Enrollment) -> Dialogue[Outcome]:
        """Store a method; the approval carries it."""
        response = yield requests.build_enroll(self._base, enrollment)
        return answers.parse_outcome(response, moved=False)

    def forget(self, forgetting: Forgetting) -> Dialogue[Outcome]:
        """Delete a stored method."""
        response = yield requests.build_forget(self._base, forgetting, self.kind)
        return answers.parse_outcome(response, moved=False)

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        """Find the operation in the way that the traits declare."""
        match self._traits.inquiry:
            case InquiryBy.OUR_REF:
                return answers.parse_finding((yield requests.build_look_up(self._base, inquiry)))
            case InquiryBy.GATEWAY_REF if inquiry.reference:
                request = requests.build_look_up_by_reference(self._base, inquiry)
                return answers.parse_finding((yield request))
            case InquiryBy.GATEWAY_REF if inquiry.parent_reference:
                return (yield from self._scan(inquiry))
            case InquiryBy.LIST_SCAN:
                return (yield from self._scan(inquiry))
            case _:
                reason = "this account cannot find an operation without its reference"
                return (yield from at_once(Unknown(reason=reason)))

    def _scan(self, inquiry: Inquiry) -> Dialogue[Finding]:
        after = ""
        while True:
            response = yield requests.build_list(self._base, inquiry, after)
            found = answers.parse_list(response, inquiry.our_ref)
            if not isinstance(found, str):
                return found
            after = found

    def feed(self, cursor: str) -> Dialogue[FeedPage]:
        """Read the events after *cursor*."""
        return answers.parse_feed((yield requests.build_feed(self._base, self.kind, cursor)))

    def verify(self, callback: Callback) -> Dialogue[list[Notice]]:
        """Authenticate a callback on its raw bytes, and return its notice."""
        return (yield from at_once(read_callback(callback, self._signing_key.reveal())))

    def reply(self, notice: Notice, result: Applied) -> Reply:
        """Return our reply to a callback."""
        del notice  # the fake's reply depends only on the result
        return reply_to(self._traits.callbacks, result)

    def check(self) -> Dialogue[AccountFacts]:
        """Return the account that the credentials belong to."""
        return answers.parse_check((yield requests.build_check(self._base)))


class FakeGateway(FakeDialogues, Controls):
    """
    A gateway with its processor in memory: no network, and nothing random.

    Traits can be set by name: ``FakeGateway(idempotency=NotIdempotent())``. Several
    gateways can share one *processor*, which then has the traits of all of them.
    """

    settings_model = LazySettings("FakeSettings")

    def __init__(
        self,
        kind: Kind | str | FakeSettings = Kind.CARD,
        *,
        processor: FakeProcessor | None = None,
        traits: Traits | None = None,
        clock: ProcessorClock | None = None,
        habits: Habits | None = None,
        journal: Path | str | None = None,
        signing_key: str = SIGNING_KEY,
        **overrides: Unpack[Overrides],
    ) -> None:
        if not isinstance(kind, str):
            settings = kind
            journal, signing_key = settings.journal, settings.signing_key.reveal()
            kind, overrides = settings.kind, settings.overrides()
        kind = Kind(kind)
        if processor is None:
            processor = FakeProcessor(
                traits or fake_traits([kind], overrides),
                clock=clock,
                habits=habits,
                journal=journal,
                signing_key=signing_key,
            )
        elif overrides or traits or clock or habits or journal:
            raise InvalidValue(
                "a processor of your own already has traits, clock, habits and journal; set them "
                "on the processor"
            )
        super().__init__(kind, _only(processor.traits, kind), IN_MEMORY, processor.signing_key)
        self.processor = processor

    @property
    def clock(self) -> ProcessorClock:
        """The processor's clock."""
        return self.processor.clock

    def answer(self, request: Request) -> Response:
        """Return the processor's response, or raise the fault of the network."""
        return self.processor.handle(request)

    @override
    def _play(self, verb: str, **what: Any) -> dict[str, Any]:
        return self.processor.play(verb, **what)


class LoopbackGateway(FakeDialogues, Controls):
    """The fake gateway for a processor that `paygate.testing.fake_server` serves."""

    name = "fake-loopback"
    settings_model = LazySettings("LoopbackSettings")

    def __init__(
        self,
        kind: Kind | str | LoopbackSettings = Kind.CARD,
        *,
        url: str = "",
        traits: Traits | None = None,
        signing_key: str = SIGNING_KEY,
        **overrides: Unpack[Overrides],
    ) -> None:
        if not isinstance(kind, str):
            settings = kind
            url, signing_key = settings.url, settings.signing_key.reveal()
            kind, overrides = settings.kind, settings.overrides()
        kind = Kind(kind)
        require_loopback(urlsplit(url).hostname or "")
        traits = traits or fake_traits([kind], overrides)
        super().__init__(kind, _only(traits, kind), url, signing_key)

    @override
    def _play(self, verb: str, **what: Any) -> dict[str, Any]:
        from paygate.testing.fake.loopback import play_over_http

        return play_over_http(self._base, verb, what)


def _only(traits: Traits, kind: Kind) -> Traits:
    """Return the traits of a shared processor, limited to one kind."""
    if kind not in traits.rails:
        served = ", ".join(traits.rails)
        raise InvalidValue(f"this processor serves {served}, but not {kind}")
    return replace(traits, rails={kind: traits.rails[kind]})
