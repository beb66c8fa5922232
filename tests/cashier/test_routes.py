"""How an account reaches its processor, and what becomes of a payment when it does not."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from paygate import AsyncCashier, Cashier, Money, Network, Payment, PaymentStatus, Timing
from paygate.dialogue import Dialogue, Request, Response
from paygate.domain.kind import Kind, Operation
from paygate.domain.movement import Movement
from paygate.domain.outcome import Approved, Outcome
from paygate.domain.secret import OneTimeToken
from paygate.errors import InvalidSettings, InvalidValue, NoResponse, NotSent
from paygate.gateway import Charge, InquiryBy, NotIdempotent, Rail, Traits
from tests.transport.proxy import Proxy


class Bank:
    """Two requests to a charge, of which the second moves money."""

    name = "bank"
    traits = Traits(
        live=False,
        merchant_account="bank-1",
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

    def __init__(self, url: str = "http://bank.invalid") -> None:
        self._url = url

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        yield Request(method="GET", url=f"{self._url}/limits", step="limits")
        said = yield Request(
            method="POST", url=f"{self._url}/pay", step="pay", body=b"{}", moves_money=True
        )
        id_ = str(json.loads(said.body)["id"])
        return Approved(reference=id_, movements=(Movement(movement_id=id_, amount=charge.amount),))


@dataclass
class Mine:
    """A host's transport for both faces, which answers by step."""

    pay: Callable[[], Response] = lambda: Response(status=200, body=b'{"id": "b1"}')
    limits: Callable[[], Response] = lambda: Response(status=200)
    sent: list[Request] = field(default_factory=list[Request])
    closed: int = 0

    def say(self, request: Request) -> Response:
        self.sent.append(request)
        return self.pay() if request.moves_money else self.limits()


class Transport(Mine):
    def exchange(self, request: Request) -> Response:
        return self.say(request)

    def close(self) -> None:
        self.closed += 1

    def abandon(self) -> None:
        raise AssertionError("there was no fork")


class AwaitedTransport(Mine):
    async def exchange(self, request: Request) -> Response:
        return self.say(request)

    async def aclose(self) -> None:
        self.closed += 1


@pytest.fixture(params=["sync", "async"])
def face(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def mine(face: str) -> Mine:
    return Transport() if face == "sync" else AwaitedTransport()


def collected(face: str, accounts: tuple[str, ...] = ("bank",), **more: Any) -> list[Payment]:
    """Collect an invoice by each account, close the cashier, and return the payments."""

    def facts(account: str) -> dict[str, Any]:
        total = Money.of("USD", "30.00")
        return {"number": account, "customer": "C", "total": total, "due": "2030-01-01"}

    def paying(account: str) -> dict[str, Any]:
        return {"via": account, "method": "tok", "key": account}

    async def story() -> list[Payment]:
        async with AsyncCashier.in_memory(**more) as cashier:
            made = [(await cashier.issue(**facts(each))).number for each in accounts]
            return [await cashier.collect(each, **paying(each)) for each in made]

    if face == "async":
        return asyncio.run(story())
    with Cashier.in_memory(**more) as cashier:
        made = [cashier.issue(**facts(each)).number for each in accounts]
        return [cashier.collect(each, **paying(each)) for each in made]


def test_a_payment_goes_over_the_host_s_transport_which_is_closed_with_the_cashier(
    face: str, mine: Mine
) -> None:
    [payment] = collected(face, gateways={"bank": Bank()}, transport=mine)

    assert payment.status is PaymentStatus.SUCCEEDED
    assert [each.step for each in mine.sent] == ["limits", "pay"]
    assert all(each.timeout_s == pytest.approx(30, abs=1) for each in mine.sent)
    assert mine.closed == 1


def test_an_account_may_have_a_transport_of_its_own(face: str, mine: Mine) -> None:
    own = type(mine)()
    unused = type(mine)()

    collected(
        face,
        ("bank", "other"),
        gateways={
            "bank": Bank(),
            "other": {"gateway": Bank(), "transport": own},
            "third": {"gateway": Bank(), "transport": unused},
        },
        transport=mine,
    )

    assert [len(each.sent) for each in (mine, own, unused)] == [2, 2, 0]
    assert [each.closed for each in (mine, own, unused)] == [1, 1, 1]


def raising(error: Exception) -> Callable[[], Response]:
    def say() -> Response:
        raise error

    return say


@pytest.mark.parametrize(
    ("at", "error", "status"),
    [
        ("limits", KeyError("bug"), PaymentStatus.FAILED),
        ("limits", NoResponse("silence"), PaymentStatus.FAILED),
        ("limits", InvalidValue("not ours to say"), PaymentStatus.FAILED),
        ("pay", NoResponse("silence"), PaymentStatus.UNKNOWN),
        ("pay", KeyError("bug"), PaymentStatus.UNKNOWN),
        ("pay", InvalidValue("not ours to say"), PaymentStatus.UNKNOWN),
        ("pay", TimeoutError(), PaymentStatus.UNKNOWN),
    ],
)
def test_whatever_a_transport_raises_the_verb_returns_the_payment(
    face: str, mine: Mine, at: str, error: Exception, status: PaymentStatus
) -> None:
    setattr(mine, at, raising(error))

    [payment] = collected(face, gateways={"bank": Bank()}, transport=mine)

    assert payment.status is status
    assert "bug" not in str(payment.reason)


def test_what_was_not_sent_has_failed(face: str, mine: Mine) -> None:
    mine.pay = raising(NotSent("nobody there"))

    [payment] = collected(
        face, gateways={"bank": Bank()}, transport=mine, timing=Timing(deadline_s=0.2)
    )

    assert payment.status is PaymentStatus.FAILED


def test_a_transport_that_fails_for_one_account_does_not_fail_another(
    face: str, mine: Mine
) -> None:
    broken = type(mine)(pay=raising(KeyError("bug")))

    payments = collected(
        face,
        ("bank", "other"),
        gateways={"bank": {"gateway": Bank(), "transport": broken}, "other": Bank()},
        transport=mine,
    )

    assert [each.status for each in payments] == [PaymentStatus.UNKNOWN, PaymentStatus.SUCCEEDED]


# --- Over a proxy, to the end ------------------------------------------------------------------


class Server:
    """Answers one request after another on each connection with what is left of *answers*."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = list(answers)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(20)
        self.url = f"http://localhost:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        from tests.transport.conftest import read_request

        while self._answers:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                while self._answers and read_request(connection):
                    connection.sendall(self._answers.pop(0))

    def close(self) -> None:
        self._answers.clear()
        self._listener.close()
        self._thread.join(20)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n" + b'{"id": "b1"}'


@pytest.mark.parametrize(
    ("says", "answers", "status"),
    [
        (None, (OK, OK), PaymentStatus.SUCCEEDED),
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", (), PaymentStatus.FAILED),
        (b"nonsense", (), PaymentStatus.FAILED),
        (None, (OK, b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"), PaymentStatus.UNKNOWN),
        (None, (OK, b"nonsense"), PaymentStatus.UNKNOWN),
    ],
)
def test_a_payment_over_a_proxy_is_failed_or_unknown_by_what_has_left(
    face: str, says: bytes | None, answers: tuple[bytes, ...], status: PaymentStatus
) -> None:
    with ExitStack() as stack:
        proxy, server = Proxy() if says is None else Proxy(says), Server(*answers)
        stack.callback(proxy.close)
        stack.callback(server.close)
        network = Network(proxy=f"http://till:hunter2@127.0.0.1:{proxy.port}")

        [payment] = collected(
            face,
            gateways={"bank": Bank(server.url)},
            transport=network,
            timing=Timing(deadline_s=0.5 if says else 20),
        )

        assert payment.status is status
        assert len(proxy.asked) >= 1
        assert "hunter2" not in f"{payment!r}{payment.reason}"


def test_an_account_may_do_without_the_proxy_of_all(face: str) -> None:
    with ExitStack() as stack:
        proxy, server = Proxy(b"none for you"), Server(OK, OK)
        stack.callback(proxy.close)
        stack.callback(server.close)

        [payment] = collected(
            face,
            gateways={"bank": {"gateway": Bank(server.url), "transport": Network(proxy="")}},
            transport=Network(proxy=proxy.url),
        )

        assert payment.status is PaymentStatus.SUCCEEDED
        assert proxy.asked == []


# --- What is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"transport": 7}, "exchange"),
        ({"transport": {"bank": Network()}}, "entry"),
        ({"transport": "http://proxy.example:3128"}, "a Network"),
        ({"gateways": {"bank": {"gateway": Bank(), "transport": 7}}}, "transport of 'bank'"),
        ({"transport": Network(timeout_s=90)}, "lease"),
        ({"gateways": {"bank": {"gateway": Bank(), "transport": Network(timeout_s=90)}}}, "lease"),
    ],
)
def test_a_route_that_cannot_be_is_refused(face: str, wrong: dict[str, Any], why: str) -> None:
    opens = Cashier if face == "sync" else AsyncCashier

    with pytest.raises(InvalidValue, match=why):
        opens.in_memory(**({"gateways": {"bank": Bank()}} | wrong))


def test_a_transport_for_the_other_face_is_refused() -> None:
    with pytest.raises(InvalidValue, match="close, abandon"):
        Cashier.in_memory(transport=AwaitedTransport())
    with pytest.raises(InvalidValue, match="aclose"):
        AsyncCashier.in_memory(transport=Transport())


@pytest.mark.parametrize("typed", [{"proxy": "http://evil.example"}, "http://evil.example"])
def test_what_a_merchant_typed_cannot_say_how_processors_are_reached(typed: object) -> None:
    entry = {"driver": "stripe", "secret_key": "sk_test_1", "transport": typed}

    with pytest.raises(InvalidSettings, match="the operator creates"):
        Cashier.in_memory(gateways={"bank": entry})


def test_a_longer_lease_allows_longer_exchanges() -> None:
    timing = Timing(lease=timedelta(minutes=5))

    with Cashier.in_memory(
        gateways={"bank": Bank()}, transport=Network(timeout_s=200), timing=timing
    ) as cashier:
        assert "bank" in cashier.gateways
