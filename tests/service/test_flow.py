"""`ask` knows what a fault says about the money, and lets none of them out."""

import ast
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import paygate
from paygate import Cashier
from paygate.dialogue import Dialogue, Note, Request, Response, at_once
from paygate.domain.outcome import Fault, Pending, Unknown, Unsent
from paygate.errors import BadResponse, CredentialsRejected, InvalidSettings, NoResponse, NotSent
from paygate.gateway import AccountFacts
from paygate.ledger.elapsed import Lease
from paygate.logs import About
from paygate.service.asking import ask
from paygate.service.flow import Exchange, Flow, Step, Write
from paygate.testing import FakeGateway
from paygate.testing.play import Player

SIGN_IN = Request(method="POST", url="http://x.invalid/1", step="sign-in")
PAY = Request(method="POST", url="http://x.invalid/2", step="pay", moves_money=True)
TELL = Request(method="GET", url="http://x.invalid/3", step="tell")
OK = Response(status=200)


def three_steps() -> Dialogue[Pending]:
    yield SIGN_IN
    yield PAY
    yield TELL
    return Pending()


def run(flow: Flow[object], *answers: Response | Exception) -> object:
    """Play a flow's part: answer each exchange in turn."""
    waiting = list(answers)

    def reply(step: Step) -> Response | Exception:
        assert isinstance(step, Exchange)
        return waiting.pop(0)

    result = Player(reply).play(flow)
    assert not waiting
    return result


FAULTS = [
    NotSent("dns"),
    NoResponse("timeout"),
    BadResponse("html"),
    CredentialsRejected("status 401"),
    RuntimeError("bug of a library"),
]


@pytest.mark.parametrize("fault", FAULTS)
def test_before_the_money_request_every_fault_means_unsent(fault: Exception) -> None:
    assert isinstance(run(ask("card", three_steps(), what="charge"), fault), Unsent)


@pytest.mark.parametrize(
    ("fault", "means"),
    [(NotSent("dns"), Unsent), (InvalidSettings("no URL"), Unsent)]
    + [(fault, Unknown) for fault in FAULTS[1:]],
)
def test_at_the_money_request_only_what_provably_never_left_is_unsent(
    fault: Exception, means: type
) -> None:
    assert isinstance(run(ask("card", three_steps(), what="charge"), OK, fault), means)


@pytest.mark.parametrize("fault", FAULTS)
def test_after_the_money_request_every_fault_means_unknown(fault: Exception) -> None:
    assert isinstance(run(ask("card", three_steps(), what="charge"), OK, OK, fault), Unknown)


def test_a_driver_may_answer_a_fault_itself() -> None:
    def patient() -> Dialogue[Pending]:
        try:
            yield PAY
        except NoResponse:
            yield TELL
        return Pending(reference="found")

    assert run(ask("card", patient(), what="charge"), NoResponse("timeout"), OK) == Pending(
        reference="found"
    )


BUGS: dict[str, Callable[[Response], object]] = {
    "a missing field": lambda response: json.loads(response.body)["id"],
    "arithmetic": lambda response: 1 / (response.status - 200),
    "a wrong type": lambda response: json.loads(response.body).get("secret", "") + 1,
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_of_the_driver_after_the_money_request_means_unknown(
    bug: str, caplog: pytest.LogCaptureFixture
) -> None:
    def buggy() -> Dialogue[object]:
        response = yield PAY
        return BUGS[bug](response)

    with caplog.at_level(logging.DEBUG):
        answer = run(
            ask("card", buggy(), what="charge"), Response(status=200, body=b'{"secret": "sk_1"}')
        )

    assert isinstance(answer, Unknown)
    assert "sk_1" not in caplog.text + answer.reason


def test_a_bug_of_the_driver_before_anything_was_sent_means_unsent() -> None:
    def buggy() -> Dialogue[object]:
        settings: dict[str, Request] = {}
        yield settings["sk_live_secret"]
        return None

    answer = run(ask("card", buggy(), what="charge"))

    assert isinstance(answer, Unsent)
    assert "sk_live_secret" not in answer.reason


def test_a_dialogue_that_asks_nothing_is_answered_at_once() -> None:
    assert run(ask("card", at_once(Pending()), what="charge")) == Pending()


def test_a_note_is_written_down_before_the_dialogue_goes_on() -> None:
    def noting() -> Dialogue[Pending]:
        yield SIGN_IN
        yield Note("pi_1")
        yield PAY
        return Pending(reference="pi_1")

    flow = ask("card", noting(), what="charge", about=About(attempt="att_1"))
    steps = [next(flow), flow.send(OK)]
    steps.append(flow.send(None))
    with pytest.raises(StopIteration) as end:
        flow.send(OK)

    assert [type(step) for step in steps] == [Exchange, Write, Exchange]
    assert end.value.value == Pending(reference="pi_1")


def test_what_leads_to_the_money_request_is_bound_to_the_lease() -> None:
    lease = Lease(datetime(2026, 1, 1, tzinfo=UTC), timedelta(seconds=90), None)
    flow = ask("card", three_steps(), what="charge", lease=lease)

    steps = [next(flow), flow.send(OK), flow.send(OK)]

    assert [step.lease for step in steps if isinstance(step, Exchange)] == [lease, lease, None]


def test_the_dialogue_is_closed_when_the_flow_is() -> None:
    closed: list[bool] = []

    def watching() -> Dialogue[Pending]:
        try:
            yield PAY
        finally:
            closed.append(True)
        return Pending()

    flow = ask("card", watching(), what="charge")
    next(flow)
    flow.close()

    assert closed == [True]


@pytest.mark.parametrize(
    ("error", "fault"),
    list(zip(FAULTS, Fault, strict=True)),
)
def test_the_class_of_a_fault_is_an_attribute(error: Exception, fault: Fault) -> None:
    before = run(ask("card", three_steps(), what="charge"), error)
    after = run(ask("card", three_steps(), what="charge"), OK, OK, error)

    assert isinstance(before, Unsent)
    assert isinstance(after, Unknown)
    assert (before.fault, after.fault) == (fault, fault)


class Unreachable(FakeGateway):
    error: Exception

    def check(self) -> Dialogue[AccountFacts]:
        yield from ()
        raise self.error


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (NotSent("the name api.example does not resolve"), NotSent),
        (BadResponse("not sent: says the processor about its own mail"), BadResponse),
        (NoResponse("nothing within 30 s"), BadResponse),
    ],
)
def test_a_check_raises_by_the_class_of_the_fault_and_not_by_its_words(
    error: Exception, raised: type[Exception]
) -> None:
    gateway = Unreachable()
    gateway.error = error

    with pytest.raises(raised):
        Cashier.in_memory(gateways={"card": gateway}).check("card")


def texts_that_decide(source: str) -> Iterator[int]:
    """Find the lines that look into the text of a reason or a message to decide something."""

    def is_text(node: ast.AST) -> bool:
        return isinstance(node, ast.Attribute) and node.attr in ("reason", "message")

    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Attribute(attr=name, value=text)) if is_text(text):
                if name in ("startswith", "endswith", "find", "index", "count"):
                    yield node.lineno
            case ast.Compare(ops=ops, comparators=texts):
                looks_into = any(isinstance(op, ast.In | ast.NotIn) for op in ops)
                if looks_into and any(is_text(text) for text in texts):
                    yield node.lineno
            case _:
                pass


def test_no_rule_of_the_core_reads_the_text_of_a_reason() -> None:
    package = Path(paygate.__file__).parent
    files = [
        path
        for path in package.rglob("*.py")
        if path.relative_to(package).parts[0] not in ("drivers", "testing")
    ]

    found = [f"{path}:{line}" for path in files for line in texts_that_decide(path.read_text())]

    assert len(files) > 50
    assert found == []
