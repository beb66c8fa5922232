"""
What the Stripe driver sends, over our own transport, before a server made of the OpenAPI.

Prism checks the form, not the behaviour: required top-level fields and their types,
the query, the authorisation and the path. Its answers are samples of the schema, and
nobody reads them here; what counts is that it names no violation. Nested and unknown
names are checked by `test_stripe_openapi`.
"""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from paygate.dialogue import Request, Response
from paygate.domain.kind import Operation
from paygate.drivers.stripe import Stripe
from paygate.testing.play import play
from paygate.transport import HttpTransport
from tests.contract.conftest import free_port, wait_until_it_listens
from tests.contract.test_stripe_openapi import followed, of, page_of
from tests.drivers.stripe.conftest import CREATED, PAID, answers, charge, inquiry, settings
from tests.drivers.stripe.test_followups import refund
from tests.drivers.stripe.test_sessions import page
from tests.drivers.stripe.test_stored import setup

PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def prism(protocols: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start Prism on the prepared file: in the official one it finds violations that are none."""
    installed = os.environ.get("PAYGATE_PRISM", "")
    program = Path(installed) / "node_modules/.bin/prism"
    if not installed or not program.is_file():
        pytest.skip(
            "no Prism; npm install @stoplight/prism-cli@5 somewhere, and name the folder in "
            "PAYGATE_PRISM"
        )
    described = protocols / "stripe" / "spec3-2023-08-16-prism.json"
    port = free_port()
    told = tmp_path_factory.mktemp("prism") / "log"
    with told.open("w") as log:
        command = [str(program), "mock", "-h", "127.0.0.1", "-p", str(port), str(described)]
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_until_it_listens(server, port, told, patience_s=PATIENCE_S)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(timeout=10)


@pytest.fixture
def transport() -> Iterator[HttpTransport]:
    with contextlib.closing(HttpTransport()) as opened:
        yield opened


def everything(stripe: Stripe) -> list[Request]:
    """One request of every kind that the driver makes."""
    none = answers({"object": "list", "data": [], "has_more": False})
    return [
        *followed(stripe),
        *play(stripe.charge(charge()), CREATED, PAID).requests,
        *play(stripe.check(), answers({"object": "balance", "livemode": False})).requests,
        *play(stripe.look_up(inquiry()), PAID).requests,
        *play(stripe.look_up(inquiry(reference="")), page_of({"id": "pi_9"}), none).requests,
        *play(stripe.look_up(inquiry(reference="cs_1")), answers(page())).requests,
        *play(stripe.look_up(of(Operation.REFUND, "re_1")), answers(refund())).requests,
        *play(stripe.look_up(of(Operation.REFUND, "ch_1")), none).requests,
        *play(stripe.look_up(of(Operation.ENROLL, "seti_1")), answers(setup())).requests,
    ]


def violations(answer: Response) -> str:
    return answer.headers.get("sl-violations", "")


def test_what_we_send_violates_nothing(prism: str, transport: HttpTransport) -> None:
    requests = everything(Stripe(settings(api_base=prism)))

    for request in requests:
        answer = transport.exchange(request)
        assert (violations(answer), answer.status) == ("", 200), (request.step, request.url)
    assert {request.method for request in requests} == {"GET", "POST"}
    assert len({request.step for request in requests}) > 10


def test_prism_would_say_so(prism: str, transport: HttpTransport) -> None:
    """A check that never refuses shows nothing."""
    request = next(Stripe(settings(api_base=prism)).charge(charge()))
    assert isinstance(request, Request)
    fields = request.body.split(b"&")
    without = b"&".join(field for field in fields if not field.startswith(b"amount="))
    assert without != request.body

    answer = transport.exchange(
        Request(method="POST", url=request.url, step="bad", headers=request.headers, body=without)
    )

    assert answer.status == 422
    assert "amount" in violations(answer)
