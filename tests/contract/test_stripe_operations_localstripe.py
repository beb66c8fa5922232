"""
What follows a charge, against localstripe: held, captured, canceled, refunded, stored.

It has no Checkout, no disputes and no webhook for a refund or a cancelling, does
not tell what was captured, and takes no return_url: those are tested by schema
and samples. Its webhooks are signed as Stripe's are, and are read here as they come.
"""

import contextlib
import json
import queue
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.request import Request as PlainRequest
from urllib.request import urlopen

import pytest

from paygate.dialogue import Dialogue
from paygate.domain.action import ScriptStep
from paygate.domain.customer import Customer
from paygate.domain.kind import Kind, Operation
from paygate.domain.money import Money
from paygate.domain.movement import Movement, MovementKind
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Authorized,
    DeclineCode,
    Declined,
    Ended,
    Ending,
    NotFound,
    RejectCause,
    Rejected,
)
from paygate.domain.secret import OneTimeToken, Secret
from paygate.drivers.stripe import Stripe
from paygate.errors import NotAuthentic
from paygate.gateway import (
    Callback,
    Capture,
    Completion,
    Enrollment,
    Forgetting,
    Refunding,
    StoredToken,
    Voiding,
    Withdrawal,
)
from paygate.testing.play import Played, converse, play
from paygate.transport import HttpTransport
from tests.drivers.stripe.conftest import charge, inquiry, settings

WHOLE = Money("USD", 1099)
PART = Money("USD", 500)
SECRET = "whsec_localstripe"
THREE_D_SECURE = "4000000000003220"
ALL: dict[str, Any] = {"key": "k8", "our_ref": "att_2", "payment": "pay_1"}


@pytest.fixture
def stripe(localstripe: str) -> Stripe:
    return Stripe(settings(api_base=localstripe, webhook_secrets=("whsec_old", SECRET)))


@pytest.fixture
def transport() -> Iterator[HttpTransport]:
    with contextlib.closing(HttpTransport()) as opened:
        yield opened


class Talk:
    """Holds conversations with the server."""

    def __init__(self, address: str, transport: HttpTransport) -> None:
        self.address = address
        self._transport = transport

    def __call__(self, dialogue: Dialogue[Any]) -> Played[Any]:
        return converse(dialogue, self._transport.exchange)

    def post(self, path: str, **form: str) -> dict[str, Any]:
        body = "&".join(f"{name}={value}" for name, value in form.items()).encode()
        headers = {"Authorization": "Bearer sk_test_12345"}
        request = PlainRequest(self.address + path, body, headers)  # noqa: S310  (loopback)
        with urlopen(request, timeout=20) as answer:  # noqa: S310  (loopback)
            told: dict[str, Any] = json.load(answer)
            return told

    def card(self, number: str = "4242424242424242") -> OneTimeToken:
        facts = {"exp_month": "12", "exp_year": "2040", "cvc": "123", "number": number}
        form = {f"card[{name}]": value for name, value in facts.items()}
        token: str = self.post("/v1/payment_methods", type="card", **form)["id"]
        return OneTimeToken.of(token)


@pytest.fixture
def talk(localstripe: str, transport: HttpTransport) -> Talk:
    return Talk(localstripe, transport)


@pytest.fixture
def held(stripe: Stripe, talk: Talk) -> str:
    played = talk(stripe.authorize(charge()))

    assert isinstance(played.outcome, Authorized)
    assert played.outcome.amount == WHOLE
    found = talk(stripe.look_up(inquiry(operation=Operation.AUTHORIZE, reference=played.notes[0])))
    assert found.outcome == played.outcome
    return played.notes[0]


@pytest.fixture
def paid(stripe: Stripe, talk: Talk) -> Movement:
    outcome = talk(stripe.charge(charge())).outcome

    assert isinstance(outcome, Approved)
    return outcome.movements[0]


# --- Held, captured, canceled ----------------------------------------------------------


@pytest.mark.parametrize("amount", [WHOLE, PART])
def test_a_hold_is_captured_whole_or_in_part(
    stripe: Stripe, talk: Talk, held: str, amount: Money
) -> None:
    capture = Capture(**ALL, reference=held, amount=amount)

    outcome = talk(stripe.capture(capture)).outcome

    assert isinstance(outcome, Approved)
    (movement,) = outcome.movements
    assert (movement.kind, movement.amount) == (MovementKind.CAPTURE, amount)
    lost = inquiry(operation=Operation.CAPTURE, reference=held, amount=amount)
    assert talk(stripe.look_up(lost)).outcome == outcome
    assert talk(stripe.capture(capture)).outcome == outcome  # the second is refused, and adopted


def test_a_hold_that_is_not_captured_yet_is_not_found_captured(
    stripe: Stripe, talk: Talk, held: str
) -> None:
    lost = inquiry(operation=Operation.CAPTURE, reference=held)

    assert talk(stripe.look_up(lost)).outcome == NotFound()


def test_more_than_is_held_is_not_captured(stripe: Stripe, talk: Talk, held: str) -> None:
    capture = Capture(**ALL, reference=held, amount=Money("USD", 1100))

    assert isinstance(talk(stripe.capture(capture)).outcome, Rejected)


def test_a_hold_is_released(stripe: Stripe, talk: Talk, held: str) -> None:
    voiding = Voiding(**ALL, reference=held, amount=WHOLE)

    assert talk(stripe.void(voiding)).outcome == Approved(reference=held)

    gone = Ended(how=Ending.CANCELED, reference=held)
    for operation, finding in (
        (Operation.AUTHORIZE, gone),
        (Operation.CAPTURE, gone),
        (Operation.VOID, Approved(reference=held)),
    ):
        lost = inquiry(operation=operation, reference=held)
        assert talk(stripe.look_up(lost)).outcome == finding
    assert talk(stripe.void(voiding)).outcome == Approved(reference=held)


def test_what_was_captured_is_not_voided(stripe: Stripe, talk: Talk, held: str) -> None:
    talk(stripe.capture(Capture(**ALL, reference=held, amount=WHOLE)))

    outcome = talk(stripe.void(Voiding(**ALL, reference=held, amount=WHOLE))).outcome

    assert isinstance(outcome, Rejected)
    assert outcome.cause is RejectCause.STATE


# --- Refunded --------------------------------------------------------------------------


def test_a_charge_is_refunded_in_parts(stripe: Stripe, talk: Talk, paid: Movement) -> None:
    for number, amount in enumerate((PART, Money("USD", 599))):
        ours = {**ALL, "our_ref": f"att_refund_{number}", "key": f"k{number}"}
        refunding = Refunding(
            **ours, reference="", movement_id=paid.movement_id, amount=amount, reason="not wanted"
        )

        played = talk(stripe.refund(refunding))

        assert isinstance(played.outcome, Approved)
        (movement,) = played.outcome.movements
        assert (movement.kind, movement.amount) == (MovementKind.REFUND, amount)
        assert movement.undoes == paid.movement_id
        for reference in (played.notes[0], played.outcome.reference):
            lost = replace(
                inquiry(operation=Operation.REFUND, reference=reference, amount=amount),
                our_ref=ours["our_ref"],
            )
            assert talk(stripe.look_up(lost)).outcome == played.outcome


def test_a_refund_that_was_never_made_is_not_found(
    stripe: Stripe, talk: Talk, paid: Movement
) -> None:
    lost = inquiry(operation=Operation.REFUND, reference=paid.movement_id)

    assert talk(stripe.look_up(lost)).outcome == NotFound()


# --- The payer at the bank -------------------------------------------------------------


@pytest.mark.parametrize("hold", [False, True])
def test_a_card_that_the_bank_asked_about_is_completed(
    stripe: Stripe, talk: Talk, *, hold: bool
) -> None:
    reference = ask_bank(stripe, talk, hold=hold, success=True)

    completion = Completion(**ALL, reference=reference, amount=WHOLE)
    outcome = talk(stripe.complete(completion)).outcome

    assert isinstance(outcome, Authorized if hold else Approved)


def test_a_card_that_the_payer_did_not_prove_is_declined(stripe: Stripe, talk: Talk) -> None:
    reference = ask_bank(stripe, talk, hold=False, success=False)

    completion = Completion(**ALL, reference=reference, amount=WHOLE)
    outcome = talk(stripe.complete(completion)).outcome

    assert isinstance(outcome, Declined)
    assert outcome.code is DeclineCode.AUTHENTICATION_FAILED


def ask_bank(stripe: Stripe, talk: Talk, *, hold: bool, success: bool) -> str:
    asked = charge(method=talk.card(THREE_D_SECURE))
    played = talk(stripe.authorize(asked) if hold else stripe.charge(asked))
    assert isinstance(played.outcome, ActionRequired)
    action = played.outcome.action
    assert isinstance(action, ScriptStep)
    assert action.client_secret is not None
    reference: str = played.notes[0]
    waiting = Completion(**ALL, reference=reference, amount=WHOLE)
    assert talk(stripe.complete(waiting)).outcome == played.outcome
    path = f"/v1/payment_intents/{reference}/_authenticate"
    talk.post(path, success=str(success).lower(), client_secret=action.client_secret.reveal())
    return reference


def test_a_card_that_waits_for_the_payer_is_withdrawn(stripe: Stripe, talk: Talk) -> None:
    asked = charge(method=talk.card(THREE_D_SECURE))
    reference = talk(stripe.charge(asked)).notes[0]

    closed = talk(stripe.withdraw(Withdrawal(**ALL, reference=reference))).outcome

    assert closed == Approved(reference=reference)
    assert isinstance(talk(stripe.look_up(inquiry(reference=reference))).outcome, Ended)


# --- Stored cards ----------------------------------------------------------------------


def enrolled(stripe: Stripe, talk: Talk, number: str = "4242424242424242") -> Played[Any]:
    enrollment = Enrollment(
        key="k9",
        our_ref="att_9",
        customer=Customer("C-1", name="Ada", email="ada@example.com"),
        kind=Kind.CARD,
        method=talk.card(number),
    )
    return talk(stripe.enroll(enrollment))


def test_a_stored_card_is_charged_and_forgotten(stripe: Stripe, talk: Talk) -> None:
    played = enrolled(stripe, talk)

    method = played.outcome.method
    assert (method.brand, method.last4, method.expires_year) == ("visa", "4242", 2040)
    found = talk(stripe.look_up(inquiry(operation=Operation.ENROLL, reference=played.notes[0])))
    assert found.outcome == played.outcome
    token = StoredToken(Secret(method.token.reveal()))
    # With the payer: it takes no off_session when an intent is confirmed.
    assert isinstance(talk(stripe.charge(charge(method=token))).outcome, Approved)
    for _ in range(2):  # once more does no harm
        forgetting = Forgetting(key="k10", our_ref="att_10", token=token)
        assert talk(stripe.forget(forgetting)).outcome == Approved()


def test_a_card_that_the_bank_refuses_is_not_stored(stripe: Stripe, talk: Talk) -> None:
    outcome = enrolled(stripe, talk, "4000000000000002").outcome

    assert isinstance(outcome, Declined)


def test_a_card_that_wants_3d_secure_is_stored_with_the_payer(stripe: Stripe, talk: Talk) -> None:
    played = enrolled(stripe, talk, THREE_D_SECURE)

    assert isinstance(played.outcome, ActionRequired)
    assert played.outcome.reference == played.notes[0]


# --- Webhooks --------------------------------------------------------------------------


@pytest.fixture
def webhooks(localstripe: str, talk: Talk) -> Iterator["queue.Queue[Callback]"]:
    received: queue.Queue[Callback] = queue.Queue()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            received.put(
                Callback(
                    method="POST",
                    path=self.path,
                    headers=headers,
                    body=body,
                    received_at=datetime.now(UTC),
                )
            )
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    subscription = {"url": f"http://127.0.0.1:{server.server_port}/hook", "secret": SECRET}
    config = PlainRequest(  # noqa: S310  (loopback)
        f"{localstripe}/_config/webhooks/w1",
        json.dumps(subscription).encode(),
        {"content-type": "application/json"},
    )
    with urlopen(config, timeout=10):  # noqa: S310  (loopback)
        pass
    yield received
    server.shutdown()
    thread.join()
    server.server_close()


def test_signed_webhooks_come_name_our_attempt_and_are_believed(
    stripe: Stripe, talk: Talk, webhooks: "queue.Queue[Callback]"
) -> None:
    reference = talk(stripe.charge(charge(our_ref="att_hook"))).notes[0]

    sent = webhooks.get(timeout=20)
    while b"att_hook" not in sent.body:  # of a test before
        sent = webhooks.get(timeout=20)

    (notice,) = play(stripe.verify(sent)).outcome
    assert notice.type == "payment_intent.succeeded"
    assert (notice.reference, notice.our_ref) == (reference, "att_hook")
    assert notice.answer is None
    assert notice.event_id.startswith("evt_")
    for forged in (
        replace(sent, body=sent.body.replace(b"att_hook", b"att_hawk")),
        replace(sent, headers={}),
        replace(sent, received_at=sent.received_at + timedelta(minutes=6)),
    ):
        with pytest.raises(NotAuthentic):
            play(stripe.verify(forged))
