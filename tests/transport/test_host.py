"""Transports of the host's own: what they may say, and what else they do is contained."""

import asyncio
import logging
import multiprocessing
from collections.abc import Callable
from typing import Any

import pytest

from paygate.dialogue import Request, Response
from paygate.errors import (
    BadResponse,
    GatewayError,
    InvalidSettings,
    InvalidValue,
    NoResponse,
    NotSent,
)
from paygate.transport.host import AsyncHostTransport, HostTransport, check_transport

Says = Callable[[Request], Any]
PAY = Request(method="POST", url="https://bank.example/pay", step="charge", moves_money=True)


class Mine:
    """A host's transport that says what the test wants."""

    def __init__(self, says: Says) -> None:
        self._says = says
        self.closed = self.forgotten = 0

    def exchange(self, request: Request) -> Response:
        return self._says(request)  # type: ignore[no-any-return]

    def close(self) -> None:
        self.closed += 1

    def abandon(self) -> None:
        self.forgotten += 1


class MineAwaited:
    def __init__(self, says: Says) -> None:
        self._says = says
        self.closed = 0

    async def exchange(self, request: Request) -> Response:
        await asyncio.sleep(0)
        return self._says(request)  # type: ignore[no-any-return]

    async def aclose(self) -> None:
        self.closed += 1


@pytest.fixture
def exchange(face: str) -> Callable[..., Response]:
    """Send a request over a transport of the host's that *says* something."""

    def ask(says: Says, request: Request = PAY, *, pins: bool | None = None) -> Response:
        mine: Any = Mine(says) if face == "sync" else MineAwaited(says)
        if pins is not None:
            mine.pins_addresses = pins
        if face == "sync":
            return HostTransport(mine).exchange(request)
        return asyncio.run(AsyncHostTransport(mine).exchange(request))

    return ask


def raising(error: BaseException) -> Says:
    def says(_: Request) -> None:
        raise error

    return says


class OwnNotSent(NotSent):
    """An error class of the host's."""


def test_an_answer_of_the_host_s_transport_is_the_answer(
    exchange: Callable[..., Response],
) -> None:
    said = exchange(lambda _: Response(status=402, headers={"Request-Id": " r1"}, body=b"{}"))

    assert said == Response(status=402, headers={"request-id": "r1"}, body=b"{}")


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (NotSent("nobody there"), NotSent),
        (NoResponse("silence"), NoResponse),
        (BadResponse("garbage"), BadResponse),
        (OwnNotSent("nobody there"), NotSent),
        (ConnectionRefusedError("refused"), NoResponse),
        (TimeoutError(), NoResponse),
        (KeyError("sk_live_1"), NoResponse),
        (InvalidSettings("sk_live_1"), NoResponse),
    ],
)
def test_what_it_raises_is_one_of_three_faults(
    exchange: Callable[..., Response],
    caplog: pytest.LogCaptureFixture,
    error: BaseException,
    fault: type[GatewayError],
) -> None:
    with pytest.raises(fault) as caught:
        exchange(raising(error))

    assert type(caught.value) is fault
    assert caught.value.message.startswith("charge: ")
    assert "sk_live_1" not in caught.value.message + caplog.text
    assert caught.value.__context__ is None


def test_a_fault_beyond_the_contract_is_logged_with_its_place(
    exchange: Callable[..., Response], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(NoResponse, match="KeyError"):
        exchange(raising(KeyError("x")))

    [line] = [each for each in caplog.records if each.name == "paygate.transport"]
    assert line.levelno == logging.ERROR
    assert line.getMessage().startswith("transport.fault: ")
    assert "test_host.py:" in line.getMessage()


@pytest.mark.parametrize(
    "value",
    [
        None,
        {"status": 200},
        Response(status="200"),  # type: ignore[arg-type]
        Response(status=0),
        Response(status=200, body="{}"),  # type: ignore[arg-type]
        Response(status=200, headers={"a": 1}),  # type: ignore[dict-item]
        Response(status=200, headers=[("a", "b")]),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_response_is_a_bad_one(exchange: Callable[..., Response], value: object) -> None:
    with pytest.raises(BadResponse, match="the host's transport returned"):
        exchange(lambda _: value)


def test_an_answer_that_is_larger_than_expected_is_a_bad_one(
    exchange: Callable[..., Response],
) -> None:
    request = Request(method="GET", url="https://x.example/", step="ask", answer_bytes_max=4)

    with pytest.raises(BadResponse, match="more than 4 bytes"):
        exchange(lambda _: Response(status=200, body=b"12345"), request)


def test_an_interruption_by_the_host_goes_through() -> None:
    class Interrupt(BaseException):
        pass

    with pytest.raises(Interrupt):
        HostTransport(Mine(raising(Interrupt()))).exchange(PAY)


async def test_a_cancellation_from_inside_is_a_fault() -> None:
    mine = MineAwaited(raising(asyncio.CancelledError()))

    with pytest.raises(NoResponse, match="CancelledError"):
        await AsyncHostTransport(mine).exchange(PAY)


async def test_a_cancellation_from_outside_goes_through() -> None:
    began = asyncio.Event()

    class Slow(MineAwaited):
        async def exchange(self, request: Request) -> Response:
            began.set()
            await asyncio.Event().wait()
            return Response(status=len(request.body))

    task = asyncio.ensure_future(AsyncHostTransport(Slow(lambda _: None)).exchange(PAY))
    await began.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_transport_that_is_not_awaited_has_a_bad_response() -> None:
    mine: Any = Mine(lambda _: Response(status=200))

    with pytest.raises(BadResponse, match="instead of an awaitable"):
        await AsyncHostTransport(mine).exchange(PAY)


@pytest.mark.parametrize(
    "request_",
    [
        Request(method="GET", url="ftp://x.example/", step="ask"),
        Request(method="GET", url="https://x.example/", step="ask", headers={"a": "1\r\nb: 2"}),
    ],
)
def test_what_cannot_be_sent_does_not_come_to_it(
    exchange: Callable[..., Response], request_: Request
) -> None:
    with pytest.raises((InvalidSettings, InvalidValue)):
        exchange(raising(AssertionError()), request_)


@pytest.mark.parametrize("more", [{"address": "203.0.113.7"}, {"public_only": True}])
def test_a_pinned_request_goes_only_over_a_transport_that_keeps_to_it(
    exchange: Callable[..., Response], more: dict[str, Any]
) -> None:
    request = Request(method="GET", url="https://x.example/", step="ask", **more)

    for pins in (None, False):
        with pytest.raises(NotSent, match="pins_addresses"):
            exchange(raising(AssertionError()), request, pins=pins)
    assert exchange(lambda _: Response(status=204), request, pins=True).status == 204


def test_it_is_closed_once_and_a_failure_to_close_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Stuck(Mine):
        def close(self) -> None:
            super().close()
            raise OSError("stuck")

    mine = Stuck(lambda _: None)
    transport = HostTransport(mine)

    transport.close()
    transport.close()

    assert mine.closed == 1
    assert "transport.fault: the host's transport Stuck could not be closed" in caplog.text


def in_child(transport: HostTransport, mine: Mine, tells: Any) -> None:
    transport.exchange(PAY)
    transport.exchange(PAY)
    transport.close()
    tells.send((mine.forgotten, mine.closed))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_has_it_forget_its_parent_s_connections() -> None:
    mine = Mine(lambda _: Response(status=200))
    transport = HostTransport(mine)
    transport.exchange(PAY)
    hears, tells = multiprocessing.Pipe(duplex=False)

    process = multiprocessing.get_context("fork").Process(
        target=in_child, args=(transport, mine, tells)
    )
    process.start()

    assert hears.poll(20)
    assert hears.recv() == (1, 1)
    assert mine.forgotten == 0
    process.join(20)
    for end in (hears, tells):
        end.close()
    process.close()


@pytest.mark.parametrize(
    ("value", "protocol", "why"),
    [
        (7, "Transport", "not 7 without exchange, close, abandon"),
        (MineAwaited(lambda _: None), "Transport", "without close, abandon"),
        (Mine(lambda _: None), "AsyncTransport", "without aclose"),
        (Mine, "Transport", "which is a class"),
        (object(), "AsyncTransport", "exchange, aclose"),
    ],
)
def test_what_is_no_transport_is_refused(value: object, protocol: str, why: str) -> None:
    with pytest.raises(InvalidValue, match=why) as refused:
        check_transport(value, "transport", awaited=protocol == "AsyncTransport")

    assert refused.value.facts["argument"] == "transport"


def test_a_transport_that_has_to_be_awaited_is_refused_where_nothing_is() -> None:
    class Both(MineAwaited):
        def close(self) -> None: ...

        def abandon(self) -> None: ...

    with pytest.raises(InvalidValue, match="AsyncCashier"):
        check_transport(Both(lambda _: None), "transport", awaited=False)
