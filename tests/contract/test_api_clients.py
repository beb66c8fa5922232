"""The API with clients of others: curl, and one that a public generator makes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from paygate import Cashier, Money
from paygate.web.api import api
from tests.web.api.calling import Shop, blocks_of
from tests.web.serving import asgi_served

ROOT = Path(__file__).parents[2]
PAY = """
import sys
from pathlib import Path
Path({told!r}).write_text(sys.argv[1])
Path({go!r}).read_text()
"""


@pytest.fixture
def shop() -> Iterator[Shop]:
    made = Shop()
    with made.cashier:
        yield made
        assert made.cashier.fsck() == []


@pytest.fixture
def url(shop: Shop) -> Iterator[str]:
    with asgi_served(Starlette(routes=[Mount("/api", api(shop.cashier, shop.web))])) as found:
        yield f"{found}/api"


def pay(cashier: Cashier, address: str) -> None:
    """Pay a link by its address, as its page does for the payer."""
    token = address.rpartition("/")[2]
    link = cashier.link_of(token)
    cashier.pay_link(token, given=cashier.begin_try(link), via="card", method="tok_visa")


def needs(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


def test_ten_lines_of_curl_make_a_link(shop: Shop, url: str) -> None:
    needs("curl")
    needs("jq")
    [script] = blocks_of(ROOT / "docs" / "how-to" / "call-the-api.md", "shell")
    assert len(script.strip().splitlines()) <= 10
    environment = {**os.environ, "API": url, "KEY": shop.key("write")}

    done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, check=True)

    [link] = shop.cashier.links()
    assert done.stdout.decode().strip() == link.address(shop.web.root)
    assert link.open == Money.of("USD", "49.00")


def test_a_script_with_curl_does_the_whole_story(shop: Shop, url: str, tmp_path: Path) -> None:
    needs("curl")
    needs("jq")
    wait, told, go = tmp_path / "wait.py", tmp_path / "told", tmp_path / "go"
    # Opening a pipe waits until somebody opens the other end.
    os.mkfifo(told)
    os.mkfifo(go)
    wait.write_text(PAY.format(told=str(told), go=str(go)))
    environment = {
        **os.environ,
        "API": url,
        "KEY": shop.key(),
        "WAIT": f"{sys.executable} {wait}",
    }
    script = ROOT / "examples" / "payment_link.sh"
    with subprocess.Popen(
        ["sh", script], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        pay(shop.cashier, told.read_text())
        go.write_text("paid")
        out, err = running.communicate(timeout=60)

    assert (running.returncode, err) == (0, "")
    assert out.splitlines()[1:] == [
        "payment succeeded: 49.00",
        "invoice INV-7 paid",
        "refund succeeded: 9.00",
        "open 9.00",
    ]
    assert shop.card.moved("USD") == Money.of("USD", "40.00")


STORY = """
import json
import sys

from payments_client import AuthenticatedClient
from payments_client.api.events import list_events
from payments_client.api.invoices import create_invoice
from payments_client.api.links import read_link
from payments_client.api.payments import create_refund, read_payment
from payments_client.api.prepayments import create_prepayment, read_prepayment
from payments_client.models import InvoiceRequest, PrepaymentRequest, RefundRequest
from payments_client.models.problem import Problem

url, secret, step, *names = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token=secret, raise_on_unexpected_status=True)
amount = {"amount": "49.00", "currency": "USD"}
order = {"customer": "C-1", "amount": amount, "assignment_key": "ORDER-7", "link": {}}


def entry(**more):
    body = PrepaymentRequest.from_dict({**order, **more})
    return create_prepayment.sync(client=client, body=body, idempotency_key="order-7")


if step == "entry":
    made = entry()
    print(json.dumps({"prepayment": made.id, "link": made.link.id, "url": made.link.url}))
else:
    link, prepayment = names
    paid = read_link.sync(link, client=client).payment
    payment = read_payment.sync(paid, client=client)
    before = read_prepayment.sync(prepayment, client=client)
    bill = InvoiceRequest.from_dict({
        "number": "INV-7", "customer": "C-1", "total": amount, "due": "2031-12-31",
        "assignment_key": "ORDER-7",
    })
    invoice = create_invoice.sync(client=client, body=bill, idempotency_key="invoice-7")
    back = RefundRequest.from_dict({"amount": {"amount": "9.00", "currency": "USD"}})
    refund = create_refund.sync(paid, client=client, body=back, idempotency_key="refund-7")
    events = list_events.sync(client=client, after=0, limit=200)
    other = entry(description="another")
    assert isinstance(other, Problem)
    print(json.dumps({
        "prepayment": before.status,
        "payment": payment.status,
        "received": payment.received.amount,
        "invoice": invoice.status,
        "refund": refund.state,
        "events": any(each.type_ == "prepayment.paid" for each in events.items),
        "refused": other.type_,
    }))
"""


def test_a_generated_client_does_the_whole_story(shop: Shop, url: str, tmp_path: Path) -> None:
    document = tmp_path / "openapi.json"
    document.write_text(httpx.get(f"{url}/openapi.json").text)
    generator = os.environ.get("PAYGATE_CLIENT_GENERATOR")
    if generator is None:
        pytest.skip("PAYGATE_CLIENT_GENERATOR does not name openapi-python-client; nox sets it")
    # The generator knows files by one media type alone.
    config = tmp_path / "config.yaml"
    config.write_text("content_type_overrides:\n  application/pdf: application/octet-stream\n")
    made = subprocess.run(
        [
            generator,
            "generate",
            "--path",
            document,
            "--config",
            config,
            "--output-path",
            tmp_path / "client",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    assert "WARNING" not in made.stdout + made.stderr
    story = tmp_path / "story.py"
    story.write_text(STORY)

    def step(name: str, *arguments: str) -> Any:
        done = subprocess.run(
            [Path(generator).with_name("python"), story, url, secret, name, *arguments],
            env={**os.environ, "PYTHONPATH": str(tmp_path / "client")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    secret = shop.key()
    entry = step("entry")
    pay(shop.cashier, entry["url"])
    paid = step("paid", entry["link"], entry["prepayment"])

    assert paid == {
        "prepayment": "paid",
        "payment": "succeeded",
        "received": "49.00",
        "invoice": "paid",
        "refund": "succeeded",
        "events": True,
        "refused": "urn:paygate:problem:key-reused",
    }
