"""One Stripe charge over loopback: our driver and transport, against raw httpx.

Both send the same two requests, byte for byte except for the order of headers (the server reports
what it received, and that is compared before anything is measured), and read the same responses.
The floor does no more than that: it builds no body, checks no response and books nothing. CPU of
this process; the server is another.
"""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx

from benchmarks import canned_server
from benchmarks.rounds import Measured, Target, take_turns
from paygate import Money, OneTimeToken, Secret
from paygate.dialogue import NOTED, Note
from paygate.domain.kind import Kind
from paygate.domain.outcome import Approved
from paygate.drivers.stripe import Stripe
from paygate.drivers.stripe.settings import StripeSettings
from paygate.gateway import Charge
from paygate.transport.http import HttpTransport
from paygate.transport.writing import DEFAULT_HEADERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paygate.dialogue import Request, Response
    from paygate.domain.outcome import Outcome

CHARGES = 200

CHARGE = Charge(
    key="pg-benchmark-7f3a2b",
    our_ref="att_019b762a3c00b1d6c7a1f2e3d4c5b6a79801",
    payment="pay_019b762a3c00b1d6c7a1f2e3d4c5b6a79802",
    amount=Money("USD", canned_server.AMOUNT),
    kind=Kind.CARD,
    method=OneTimeToken(Secret("pm_card_visa")),
    invoices=("INV-7",),
    description="INV-7",
)


@contextmanager
def server(module: str = "benchmarks.canned_server") -> Iterator[str]:
    """Start the server, yield its address, and stop it."""
    program = [sys.executable, "-m", module]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def measure(rounds: int) -> Measured:
    with server() as url, httpx.Client() as client:
        stripe = Stripe(StripeSettings(secret_key=Secret("sk_test_benchmark"), api_base=url))
        transport = HttpTransport()
        client.headers.clear()  # httpx's own; ours come with each request
        wanted = [complete(request) for request in requests(stripe, transport)]

        def ours() -> float:
            started = time.process_time()
            for _ in range(CHARGES):
                assert isinstance(_charge(stripe, transport), Approved)
            return (time.process_time() - started) / CHARGES * 1e6

        def floor() -> float:
            started = time.process_time()
            for _ in range(CHARGES):
                for request in wanted:
                    answer = client.request(
                        request.method, request.url, headers=request.headers, content=request.body
                    )
                    assert answer.status_code == 200
            return (time.process_time() - started) / CHARGES * 1e6

        def driver() -> float:
            """Drive the dialogue with responses that are in memory."""
            started = time.process_time()
            for _ in range(CHARGES):
                _play(stripe, answers)
            return (time.process_time() - started) / CHARGES * 1e6

        answers = [transport.exchange(request) for request in wanted]
        _check_same_bytes(url, stripe, transport, client, wanted)
        taken = take_turns(rounds, floor, ours, driver)
        transport.close()
    return Measured(
        name="stripe",
        floor_name="raw httpx.Client",
        unit="µs CPU per charge",
        ours=taken[1],
        floor=taken[0],
        target=Target(bound=1.0, at_least=False),
        notes={"driver alone, µs": sorted(taken[2])[len(taken[2]) // 2]},
    )


def _charge(stripe: Stripe, transport: HttpTransport) -> Outcome:
    dialogue = stripe.charge(CHARGE)
    step = next(dialogue)
    try:
        while True:
            step = dialogue.send(NOTED if isinstance(step, Note) else transport.exchange(step))
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome


def _play(stripe: Stripe, answers: list[Response]) -> None:
    dialogue = stripe.charge(CHARGE)
    step, left = next(dialogue), iter(answers)
    try:
        while True:
            step = dialogue.send(NOTED if isinstance(step, Note) else next(left))
    except StopIteration:
        pass


def requests(stripe: Stripe, transport: HttpTransport) -> list[Request]:
    """Return the requests that the driver sends for one charge."""
    sent: list[Request] = []
    dialogue = stripe.charge(CHARGE)
    step = next(dialogue)
    try:
        while True:
            if isinstance(step, Note):
                step = dialogue.send(NOTED)
            else:
                sent.append(step)
                step = dialogue.send(transport.exchange(step))
    except StopIteration:
        return sent


def complete(request: Request) -> Request:
    """Return *request* with the headers that our transport adds, so that httpx sends the same."""
    return replace(request, headers={**DEFAULT_HEADERS, **request.headers})


def _check_same_bytes(
    url: str,
    stripe: Stripe,
    transport: HttpTransport,
    client: httpx.Client,
    wanted: list[Request],
) -> None:
    client.get(f"{url}/seen")
    _charge(stripe, transport)
    ours = client.get(f"{url}/seen").content
    for request in wanted:
        client.request(request.method, request.url, headers=request.headers, content=request.body)
    floor = client.get(f"{url}/seen").content
    assert ours == floor, f"the two do not send the same:\n{ours.decode()}\n\n{floor.decode()}"
