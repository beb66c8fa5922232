"""Holding a driver to the whole kit in this process: no pytest run, and every verdict."""

import hashlib
import hmac
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from paygate import registry
from paygate.domain.kind import Kind, Operation
from paygate.gateway import CAPABILITIES, Callback, CallbackProof, Verifies
from paygate.testing.conformance import (
    OPERATIONS,
    CallbackConformance,
    ChargeConformance,
    CheckConformance,
    FeedConformance,
    GatewayConformance,
    LookUpConformance,
    SignInConformance,
    Subject,
    TranscriptError,
)
from tests.testing.conformance.right import SIGNATURE

HERE = Path(__file__).parent

SETTINGS = {"api_key": "paper-key-7Hq2", "signing_key": "paper-signing-9Zt4"}


@dataclass(frozen=True)
class Verdict:
    """How one case went; `said` is the message of a failure, or why it does not apply."""

    capability: str
    case: str
    how: str
    said: str = ""


def sign(settings: Any, body: bytes, at: datetime) -> Callback:
    instant = str(int(at.timestamp()))
    signed = instant.encode() + b"." + body
    signature = hmac.new(settings["signing_key"].encode(), signed, hashlib.sha256).hexdigest()
    bare = settings.get("proof") is CallbackProof.NONE
    return Callback(
        method="POST",
        path="/callbacks/paper",
        headers={} if bare else {SIGNATURE: f"{instant},{signature}"},
        body=body,
        received_at=at,
    )


def subject(driver: type[Any], *, examples: int = 15, **settings: Any) -> type[Subject]:
    """Say what is held: *driver*, with some settings, on Paper's transcripts."""

    class Held(Subject):
        def signed(self, body: bytes, at: datetime) -> Callback:
            return sign(self.settings, body, at)

    Held.driver = driver
    Held.settings = {**SETTINGS, **settings}
    Held.transcripts = HERE / "transcripts"
    Held.examples = examples
    return Held


def classes(driver: type[Any], *, examples: int = 15, **settings: Any) -> list[type[Any]]:
    """Make the test classes that an author writes."""
    held = subject(driver, examples=examples, **settings)
    gateway = held().gateway()
    made = [
        type(f"Test{of.__name__}", (held, of), {})
        for of in (
            *(OPERATIONS[each] for each in OPERATIONS if isinstance(gateway, CAPABILITIES[each])),
            LookUpConformance,
            *(
                _found(each)
                for each in OPERATIONS
                if isinstance(gateway, CAPABILITIES[each])
                and each not in (Operation.CHARGE, Operation.FORGET)
            ),
            *([CallbackConformance] if isinstance(gateway, Verifies) else []),
            FeedConformance,
            SignInConformance,
            CheckConformance,
        )
    ]
    page = {"kind": Kind.REDIRECT, "transcripts": HERE / "transcripts" / "pages"}
    made.append(type("TestPages", (held, ChargeConformance), page))
    made.append(type("TestGateway", (held, GatewayConformance), {"name": "paper"}))
    return made


def _found(operation: Operation) -> type[Any]:
    return type(f"Found{operation.capitalize()}", (LookUpConformance,), {"operation": operation})


def verdicts(of: list[type[Any]], *, without: Collection[str] = ()) -> Iterator[Verdict]:
    """Run every case of the classes, but those *without*."""
    for each in of:
        cases = {name for name in dir(each) if name.startswith("test_")}
        for case in sorted(cases - set(without)):
            try:
                getattr(each(), case)()
            except pytest.skip.Exception as reason:
                yield Verdict(each.__name__, case, "does not apply", str(reason))
            except (AssertionError, TranscriptError) as error:
                yield Verdict(each.__name__, case, "failed", str(error))
            else:
                yield Verdict(each.__name__, case, "passed")


def installed_as(driver: type[Any]) -> Callable[..., list[EntryPoint]]:
    """Pretend that a package brings *driver* under the name paper."""

    class Point(EntryPoint):
        def load(self) -> Any:
            return driver

    point = Point("paper", f"{driver.__module__}:{driver.__qualname__}", registry.GROUP)

    def entry_points(**_: str) -> list[EntryPoint]:
        return [point]

    return entry_points
