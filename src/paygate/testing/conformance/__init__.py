"""The conformance kit: what a correct gateway must do, case by case.

Describe the driver in a `Subject`, then derive one test class from it and from the
class of cases for each capability that the driver has::

    class Acme(Subject):
        driver = acme.Acme
        settings = {"api_key": "test-1"}
        transcripts = Path(__file__).parent / "transcripts"

    class TestGateway(Acme, GatewayConformance):
        name = "acme"

    class TestCharge(Acme, ChargeConformance):
        pass

A sink is described in one class, derived from `SinkConformance`.

The kit needs the extra ``testing`` (pytest and hypothesis).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate.driver import Operation
from paygate.testing.conformance.authorize import AuthorizeConformance
from paygate.testing.conformance.callbacks import CallbackConformance
from paygate.testing.conformance.capture import CaptureConformance
from paygate.testing.conformance.charge import ChargeConformance
from paygate.testing.conformance.check import CheckConformance
from paygate.testing.conformance.complete import CompleteConformance
from paygate.testing.conformance.enroll import EnrollConformance
from paygate.testing.conformance.feed import FeedConformance
from paygate.testing.conformance.forget import ForgetConformance
from paygate.testing.conformance.gateway import GatewayConformance
from paygate.testing.conformance.look_up import LookUpConformance
from paygate.testing.conformance.questions import QuestionConformance
from paygate.testing.conformance.refund import RefundConformance
from paygate.testing.conformance.sign_in import SignInConformance
from paygate.testing.conformance.sinks import BlockingSinkConformance, SinkConformance
from paygate.testing.conformance.subject import ACCOUNT, CARD, NOW, PAYER, Subject
from paygate.testing.conformance.transcripts import TranscriptError
from paygate.testing.conformance.void import VoidConformance
from paygate.testing.conformance.withdraw import WithdrawConformance

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ACCOUNT",
    "CARD",
    "CLASSES",
    "NOW",
    "OPERATIONS",
    "PAYER",
    "AuthorizeConformance",
    "BlockingSinkConformance",
    "CallbackConformance",
    "CaptureConformance",
    "ChargeConformance",
    "CheckConformance",
    "CompleteConformance",
    "EnrollConformance",
    "FeedConformance",
    "ForgetConformance",
    "GatewayConformance",
    "LookUpConformance",
    "QuestionConformance",
    "RefundConformance",
    "SignInConformance",
    "SinkConformance",
    "Subject",
    "TranscriptError",
    "VoidConformance",
    "WithdrawConformance",
]

OPERATIONS: Final[Mapping[Operation, type[Subject]]] = {
    Operation.CHARGE: ChargeConformance,
    Operation.AUTHORIZE: AuthorizeConformance,
    Operation.COMPLETE: CompleteConformance,
    Operation.CAPTURE: CaptureConformance,
    Operation.VOID: VoidConformance,
    Operation.REFUND: RefundConformance,
    Operation.WITHDRAW: WithdrawConformance,
    Operation.ENROLL: EnrollConformance,
    Operation.FORGET: ForgetConformance,
}
"""The class of cases for each operation."""

CLASSES: Final[tuple[type[Subject], ...]] = (
    GatewayConformance,
    *OPERATIONS.values(),
    LookUpConformance,
    CallbackConformance,
    QuestionConformance,
    FeedConformance,
    SignInConformance,
    CheckConformance,
)
"""Every class of cases."""
