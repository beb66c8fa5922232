"""Transports that the host provides, and how their faults are contained.

A host may reach its processors in a way that we do not support: a client with its own
authentication, a service mesh, an HTTP/2 gateway. It provides a `Transport`, or an `AsyncTransport`
for asyncio, and drivers, ledger and retries work as they do over ours. What such a transport
reports decides about money, so besides a response it may raise three errors; everything else it
does counts as the error that claims least.
"""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from paygate import logs
from paygate.dialogue import Response
from paygate.errors import BadResponse, GatewayError, InvalidValue, NoResponse, NotSent
from paygate.printing import place_of, shown_value
from paygate.transport import redact
from paygate.transport.faults import fault_of
from paygate.transport.reading import too_large
from paygate.transport.writing import message

if TYPE_CHECKING:
    from paygate.dialogue import Request


class Transport(Protocol):
    """Carries a request to a processor once, and returns the response; provided by the host.

    Pass one to `Cashier.open(transport=…)`, or to one account. It may be called from several
    threads at once.
    """

    def exchange(self, request: Request, /) -> Response:
        """
        Send *request* once, and return the response, whatever its status.

        Send it unchanged and only once: no retry, no redirect, no cookie. Return within
        `request.timeout_s` seconds, which is always set.

        Raise `NotSent` only if not one byte of the request was written to a connection: the name
        was not found, the connection failed, a proxy refused, TLS failed. The request is then sent
        again, or the payment fails and may be retried. Raise `NoResponse` as soon as bytes may have
        left and no whole response arrived: the payment is unknown, and the processor is asked.
        Raise `BadResponse` for a response that cannot be read. Anything else that is raised or
        returned counts as `NoResponse` or `BadResponse`.

        A request with `address` must go to that IP address, with TLS for the name in its URL, and
        one with `public_only` only to a public address. Such a request is passed only to a
        transport with the attribute ``pins_addresses = True``, which promises that; otherwise it is
        not sent.
        """
        ...

    def close(self) -> None:
        """Close the connections. The cashier that was opened with it calls this, once."""
        ...

    def abandon(self) -> None:
        """Forget the connections without closing them: they belong to the parent process.

        This is called in a forked child before anything is sent there.
        """
        ...


class AsyncTransport(Protocol):
    """Carries a request for `AsyncCashier`; see `Transport` for what it must do and raise."""

    async def exchange(self, request: Request, /) -> Response:
        """Send *request* once, and return the response, or raise as `Transport.exchange` does."""
        ...

    async def aclose(self) -> None:
        """Close the connections. The cashier that was opened with it calls this, once."""
        ...


_PLACE: Final = (
    '. For a single account, put it into its entry: {"gateway": …, "transport": Network(…)}'
)

METHODS: Final = {
    "Transport": ("exchange", "close", "abandon"),
    "AsyncTransport": ("exchange", "aclose"),
}
"""The methods of a transport, by the name of its protocol."""


def check_transport(value: object, name: str, *, awaited: bool) -> None:
    """Raise `InvalidValue` unless *value*, given as *name*, is a transport that fits the face."""
    protocol = "AsyncTransport" if awaited else "Transport"
    lacking = [method for method in METHODS[protocol] if not callable(getattr(value, method, None))]
    if isinstance(value, type) or lacking:
        missing = f" without {', '.join(lacking)}()" if lacking else ", which is a class"
        raise InvalidValue(
            f"{name} is a Network, or a {protocol}: an object with the methods "
            f"{', '.join(METHODS[protocol])}; not {shown_value(value)}{missing}{_PLACE}",
            argument=name,
        )
    if not awaited and inspect.iscoroutinefunction(cast("Any", value).exchange):
        raise InvalidValue(
            f"{name} is async, but a Cashier is not: pass a Transport, or open an AsyncCashier",
            argument=name,
        )


class _Contained:
    """What both faces do with a transport of the host."""

    def __init__(self, inner: object) -> None:
        self._inner: Any = inner
        self._closed = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({type(self._inner).__name__})"

    def _admit(self, request: Request) -> None:
        """Raise if *request* cannot be sent, before the host's transport sees it."""
        _ = message(request)
        if (request.address or request.public_only) and not getattr(
            self._inner, "pins_addresses", False
        ):
            raise NotSent(
                f"{request.step}: the transport of this account does not promise to connect to "
                "the checked address (pins_addresses)",
                step=request.step,
            )

    def _closing_failed(self, bug: Exception) -> None:
        text = f"the host's transport {type(self._inner).__name__} could not be closed: "
        logs.write(redact.LOGGER, "transport.fault", text + place_of(bug), logs.NOTHING)


class HostTransport(_Contained):
    """A host's `Transport`, with its faults contained."""

    def __init__(self, inner: Transport, /) -> None:
        super().__init__(inner)
        self._process = os.getpid()

    def exchange(self, request: Request) -> Response:
        """Send *request* by the host's transport; raise nothing but what its protocol says."""
        self._admit(request)
        try:
            self._follow_fork()
            return _answer(request, self._inner.exchange(request))
        except Exception as error:  # noqa: BLE001  (a host's code; it decides about money)
            fault = _fault(request, error)
        raise fault

    def close(self) -> None:
        """Close the host's transport, once."""
        if self._closed or self._process != os.getpid():
            return
        self._closed = True
        try:
            self._inner.close()
        except Exception as bug:  # noqa: BLE001  (the ledger must be closed anyway)
            self._closing_failed(bug)

    def abandon(self) -> None:
        """Do nothing: the first exchange in a child calls `abandon` of the host's transport."""

    def _follow_fork(self) -> None:
        if self._process != os.getpid():
            self._inner.abandon()
            self._process = os.getpid()


class AsyncHostTransport(_Contained):
    """A host's `AsyncTransport`, with its faults contained."""

    async def exchange(self, request: Request) -> Response:
        """Send *request* by the host's transport; raise nothing but what its protocol says."""
        self._admit(request)
        try:
            answering = self._inner.exchange(request)
            if not inspect.isawaitable(answering):
                return _answer(request, answering, awaited=True)
            return _answer(request, await answering)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            fault = _fault(request, error)  # our task is not canceled: it comes from the transport
        except Exception as error:  # noqa: BLE001  (a host's code; it decides about money)
            fault = _fault(request, error)
        raise fault

    async def aclose(self) -> None:
        """Close the host's transport, once."""
        if self._closed:
            return
        self._closed = True
        try:
            await self._inner.aclose()
        except Exception as bug:  # noqa: BLE001  (the ledger must be closed anyway)
            self._closing_failed(bug)


_SAID: Final = (NotSent, NoResponse, BadResponse)


def _fault(request: Request, error: BaseException) -> GatewayError:
    """Return what *error* of a host's transport means for the money."""
    kind = next((each for each in _SAID if isinstance(error, each)), None)
    if kind is not None:
        said = kind(cast("GatewayError", error).message[:_TEXT_MAX])
        return fault_of(request, said, sent=True)
    text = f"the host's transport is at fault: {place_of(error)}"
    logs.write(redact.LOGGER, "transport.fault", text, logs.of_exchange())
    return fault_of(
        request,
        NoResponse(f"the host's transport failed with {type(error).__name__}"),
        sent=True,
    )


_TEXT_MAX: Final = 200


def _answer(request: Request, value: object, *, awaited: bool = False) -> Response:
    """Return the response of a host's transport, or raise `BadResponse`."""
    if type(value) is not Response:
        problem = f"returned {type(value).__name__[:_TEXT_MAX]} instead of a Response"
    elif awaited:
        problem = "returned a Response instead of an awaitable"
    else:
        with suppress(TypeError, ValueError, AttributeError):
            return _checked(request, value)
        problem = "returned a Response with a wrong status, headers that are not text, or no bytes"
    raise BadResponse(f"the host's transport {problem}")


def _checked(request: Request, value: Response) -> Response:
    headers = cast("object", value.headers)
    if type(value.status) is not int or type(value.body) is not bytes:
        raise TypeError
    if not 100 <= value.status <= 599 or not isinstance(headers, Mapping):
        raise ValueError
    if len(value.body) > request.answer_bytes_max:
        raise too_large(request.answer_bytes_max)
    lower = {str.lower(name): str.strip(text) for name, text in value.headers.items()}
    return Response(status=value.status, headers=lower, body=value.body)
