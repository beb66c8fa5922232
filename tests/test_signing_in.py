"""A small OAuth driver behind the cashier, sync and async, against a server on loopback."""

import asyncio
import http.server
import json
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from paygate import AsyncCashier, Cashier, Money, PaymentStatus
from paygate.dialogue import Dialogue, Request, Response
from paygate.domain.kind import Kind, Operation
from paygate.domain.movement import Movement
from paygate.domain.outcome import Approved, Outcome, RejectCause, Rejected
from paygate.domain.payment import Payment
from paygate.domain.secret import OneTimeToken, Secret
from paygate.errors import BadResponse
from paygate.gateway import AccessToken, Charge, InquiryBy, NotIdempotent, Rail, Traits
from paygate.testing import FakeClock


class Acme:
    """Acme Cards: an access token for an hour, and one request for a charge."""

    name = "acme"
    traits = Traits(
        live=False,
        merchant_account="acme-1",
        driver_version="1",
        rails={
            Kind.CARD: Rail(
                operations=frozenset({Operation.CHARGE}), methods=frozenset({OneTimeToken})
            )
        },
        idempotency=NotIdempotent(),
        inquiry=InquiryBy.NONE,
        not_found_is_final_after=None,
    )

    def __init__(self, url: str) -> None:
        self._url = url

    def sign_in(self) -> Dialogue[AccessToken]:
        reply = yield self._post("token", "sign_in", {"secret": "client-secret"}, repeatable=True)
        told = _told(reply)
        return AccessToken(value=Secret(told["access_token"]), expires_in_s=told["expires_in"])

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        wanted = {"minor": charge.amount.minor, "ref": charge.our_ref}
        reply = yield self._post("charges", "charge", wanted, sign_in=True, moves_money=True)
        if reply.status == 401:
            return Rejected(cause=RejectCause.CREDENTIALS, retryable=True)
        id_ = _told(reply)["id"]
        return Approved(reference=id_, movements=(Movement(movement_id=id_, amount=charge.amount),))

    def _post(self, path: str, step: str, told: dict[str, Any], **more: bool) -> Request:
        body, url = json.dumps(told).encode(), f"{self._url}/{path}"
        return Request(
            method="POST",
            url=url,
            step=step,
            body=body,
            repeatable=more.get("repeatable", False),
            sign_in=more.get("sign_in", False),
            moves_money=more.get("moves_money", False),
        )


def _told(reply: Response) -> dict[str, Any]:
    if reply.status != 200:
        raise BadResponse(f"status {reply.status}", status=reply.status)
    answer: dict[str, Any] = json.loads(reply.body)
    return answer


@dataclass
class AcmeServer:
    """What Acme's computers do, and what they saw."""

    signs_in: list[int] = field(default_factory=list[int])
    charged: list[str] = field(default_factory=list[str])
    refused: int = 0
    revoked: bool = False
    busy: list[int] = field(default_factory=list[int])
    url: str = ""

    def token(self) -> tuple[int, dict[str, Any]]:
        if self.busy:
            return self.busy.pop(), {}
        self.signs_in.append(200)
        self.revoked = False
        return 200, {"access_token": f"acme-token-{len(self.signs_in)}", "expires_in": 3600}

    def charge(self, bearer: str, told: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.revoked or bearer != f"Bearer acme-token-{len(self.signs_in)}":
            self.refused += 1
            return 401, {}
        self.charged.append(told["ref"])
        return 200, {"id": f"ch_{len(self.charged)}"}


@pytest.fixture
def acme() -> Iterator[AcmeServer]:
    played, lock = AcmeServer(), threading.Lock()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            told = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with lock:
                if self.path == "/token":
                    status, reply = played.token()
                else:
                    status, reply = played.charge(self.headers["authorization"], told)
            body = json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Many(http.server.ThreadingHTTPServer):
        request_queue_size = 100
        daemon_threads = True

    server = Many(("127.0.0.1", 0), Handler)
    played.url = f"http://127.0.0.1:{server.server_address[1]}"
    accepting = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    accepting.start()
    yield played
    server.shutdown()
    server.server_close()
    accepting.join(10)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


Pay = Callable[..., list[Payment]]


@pytest.fixture(params=["sync", "async"])
def pay(
    request: pytest.FixtureRequest, acme: AcmeServer, clock: FakeClock, tmp_path: object
) -> Iterator[Pay]:
    """Issue and collect invoices, all at once, through the one or the other face."""
    url, gateways = f"sqlite:///{tmp_path}/ledger.db", {"card": Acme(acme.url)}
    facts: dict[str, Any] = {"customer": "C-1", "total": Money.of("USD", 5), "due": "2026-12-01"}
    with ExitStack() as stack:
        if request.param == "sync":
            cashier = stack.enter_context(Cashier.open(url, gateways=gateways, clock=clock))

            def one(number: str) -> Payment:
                cashier.issue(number=number, **facts)
                return cashier.collect(number, via="card", method="tok", key=number)

            def at_once(*numbers: str) -> list[Payment]:
                with ThreadPoolExecutor(len(numbers)) as threads:
                    return list(threads.map(one, numbers))

            yield at_once
        else:
            runner = stack.enter_context(asyncio.Runner())
            other = AsyncCashier.open(url, gateways=gateways, clock=clock)

            async def each(number: str) -> Payment:
                await other.issue(number=number, **facts)
                return await other.collect(number, via="card", method="tok", key=number)

            async def all_(numbers: tuple[str, ...]) -> list[Payment]:
                return await asyncio.gather(*map(each, numbers))

            yield lambda *numbers: runner.run(all_(numbers))
            runner.run(other.aclose())


def statuses(payments: list[Payment]) -> set[PaymentStatus]:
    return {payment.status for payment in payments}


def test_many_payments_at_once_sign_in_once(pay: Pay, acme: AcmeServer) -> None:
    numbers = [f"INV-{number}" for number in range(20)]

    assert statuses(pay(*numbers)) == {PaymentStatus.SUCCEEDED}

    assert acme.signs_in == [200]
    assert len(acme.charged) == 20


def test_the_next_hour_signs_in_again(pay: Pay, acme: AcmeServer, clock: FakeClock) -> None:
    pay("INV-1")
    clock.advance(timedelta(hours=1))

    assert statuses(pay("INV-2")) == {PaymentStatus.SUCCEEDED}

    assert (len(acme.signs_in), acme.refused) == (2, 0)


def test_a_revoked_token_costs_no_payment(pay: Pay, acme: AcmeServer) -> None:
    pay("INV-1")
    acme.revoked = True

    assert statuses(pay("INV-2")) == {PaymentStatus.SUCCEEDED}

    assert (len(acme.signs_in), acme.refused, len(acme.charged)) == (2, 1, 2)


def test_a_payment_that_could_not_sign_in_is_unsent(pay: Pay, acme: AcmeServer) -> None:
    acme.busy = [500]

    (payment,) = pay("INV-1")

    assert payment.status is PaymentStatus.FAILED
    assert (acme.charged, acme.refused) == ([], 0)


def test_a_busy_sign_in_is_tried_again(pay: Pay, acme: AcmeServer) -> None:
    acme.busy = [503]

    assert statuses(pay("INV-1")) == {PaymentStatus.SUCCEEDED}


def test_no_token_is_logged_or_stored(
    pay: Pay, acme: AcmeServer, caplog: pytest.LogCaptureFixture, tmp_path: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    pay("INV-1")
    acme.revoked = True
    pay("INV-2")

    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert acme.charged[0].encode() in stored
    for secret in ("acme-token", "client-secret"):
        assert secret not in caplog.text
        assert secret.encode() not in stored
