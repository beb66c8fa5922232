"""The mounted application behind a real server: what goes over the wire, and what it costs us."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.fernet import Fernet
from starlette.applications import Starlette
from starlette.routing import Mount

from paygate import Cashier, Kind, Money, Payment, PaymentStatus
from paygate.domain.callback import InboxState
from paygate.gateway import Callback, Gateway
from paygate.registry import build
from paygate.service.account import Timing
from paygate.testing import FakeGateway
from paygate.web import callbacks
from tests.web.serving import PATIENCE_S, asgi_served

PRICE = Money.of("USD", "30.00")
BYTES_MAX = 5000
NO_FEEDS = Timing(feed_pause=None)
KEY = Fernet.generate_key()


@pytest.fixture
def page() -> FakeGateway:
    return FakeGateway(Kind.REDIRECT)


@pytest.fixture
def cashier(tmp_path: Path, page: FakeGateway) -> Iterator[Cashier]:
    with opened(tmp_path, page) as cashier:
        yield cashier


@contextmanager
def opened(folder: Path, page: Gateway) -> Iterator[Cashier]:
    url = f"sqlite:///{folder}/ledger.db"
    with Cashier.open(url, gateways={"page": page}, timing=NO_FEEDS, token_keys=[KEY]) as cashier:
        yield cashier


@contextmanager
def served(cashier: Cashier, **more: Any) -> Iterator[HTTPConnection]:
    """Serve the application under /payments, and connect to it."""
    app = Starlette(routes=[Mount("/payments", callbacks(cashier, **more))])
    with asgi_served(app) as url, connected(url) as connection:
        yield connection


@contextmanager
def connected(url: str) -> Iterator[HTTPConnection]:
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=PATIENCE_S)
    try:
        yield connection
    finally:
        connection.close()


def send(connection: HTTPConnection, told: Callback) -> tuple[int, bytes]:
    connection.request("POST", "/payments/page", told.body, dict(told.headers))
    reply = connection.getresponse()
    return reply.status, reply.read()


def paid(cashier: Cashier, page: FakeGateway) -> tuple[Payment, Callback]:
    """Let a payer pay a page; the processor has written its callback and not sent it yet."""
    cashier.issue(number="A", customer="C", total=PRICE, due="2026-12-01")
    payment = cashier.collect("A", via="page", key="k", return_url="https://shop.example/back")
    page.callbacks()
    page.pay(payment.reference)
    [told] = page.callbacks()
    return payment, told


# --- What is signed is booked, once ------------------------------------------------------


def test_a_signed_webhook_is_booked(cashier: Cashier, page: FakeGateway) -> None:
    payment, told = paid(cashier, page)

    with served(cashier) as connection:
        assert send(connection, told) == (200, b"received")
    cashier.recover()

    assert cashier.payment(payment).status is PaymentStatus.SUCCEEDED
    assert cashier.invoice("A").open.minor == 0
    [stored] = cashier.callbacks()
    assert (stored.state, stored.body) == (InboxState.APPLIED, told.body)


def test_a_forged_webhook_is_refused_and_not_kept(cashier: Cashier, page: FakeGateway) -> None:
    payment, told = paid(cashier, page)

    with served(cashier) as connection:
        for place in range(0, len(told.body), 23):
            body = bytearray(told.body)
            body[place] ^= 1
            connection.request("POST", "/payments/page", bytes(body), dict(told.headers))
            reply = connection.getresponse()
            assert (reply.status, reply.read()) == (400, b"refused")

    assert cashier.callbacks() == []
    assert cashier.payment(payment).status is PaymentStatus.REQUIRES_ACTION


def test_the_same_webhook_on_many_connections_is_booked_once(
    cashier: Cashier, page: FakeGateway
) -> None:
    payment, told = paid(cashier, page)

    app = Starlette(routes=[Mount("/payments", callbacks(cashier))])
    with asgi_served(app) as url, ThreadPoolExecutor(8) as clients:

        def deliver(_: int) -> tuple[int, bytes]:
            with connected(url) as connection:
                return send(connection, told)

        replies = list(clients.map(deliver, range(24)))
    cashier.recover()
    cashier.recover()

    assert replies == [(200, b"received")] * 24
    assert [receipt.amount for receipt in cashier.receipts(payment)] == [PRICE]
    assert len(cashier.callbacks()) == 1
    assert cashier.fsck() == []


def test_a_connection_is_kept_whatever_was_said_on_it(cashier: Cashier, page: FakeGateway) -> None:
    payment, told = paid(cashier, page)
    back = f"/payments/page/return?payment={payment.id}"

    with served(cashier, landing="https://shop.example/thanks") as connection:
        connection.request("POST", "/payments/page", b"{}", {"fake-signature": "t=1,v1=00"})
        statuses = [read(connection.getresponse())]
        line = connection.sock
        statuses.append(send(connection, told)[0])
        connection.request("POST", "/payments/nobody", b"{}")
        statuses.append(read(connection.getresponse()))
        connection.request("GET", back)
        statuses.append(read(connection.getresponse()))

        assert statuses == [400, 200, 404, 303]
        assert connection.sock is line, "the server closed the connection"


def read(reply: HTTPResponse) -> int:
    reply.read()
    return reply.status


# --- Limits ------------------------------------------------------------------------------


def head(connection: HTTPConnection, *headers: str) -> bytes:
    lines = ["POST /payments/page HTTP/1.1", f"host: {connection.host}", *headers, "", ""]
    return "\r\n".join(lines).encode()


def told_and_hung_up(connection: HTTPConnection) -> int:
    """Read the reply to what was only half sent, to the end of the connection."""
    reply = HTTPResponse(connection.sock)
    reply.begin()
    status = read(reply)
    assert connection.sock.recv(1) == b"", "the rest of the body would be read as a request"
    return status


def test_a_body_that_is_announced_as_too_long_is_refused_unread(cashier: Cashier) -> None:
    with served(cashier, bytes_max=BYTES_MAX) as connection:
        connection.connect()
        connection.sock.sendall(head(connection, f"content-length: {BYTES_MAX + 1}"))

        assert told_and_hung_up(connection) == 413


def test_a_body_that_turns_out_too_long_is_not_read_to_its_end(cashier: Cashier) -> None:
    chunk = b"3e8\r\n" + b"x" * 1000 + b"\r\n"
    with served(cashier, bytes_max=BYTES_MAX) as connection:
        connection.connect()
        connection.sock.sendall(head(connection, "transfer-encoding: chunked") + chunk * 6)

        assert told_and_hung_up(connection) == 413


def test_a_body_of_just_the_limit_is_read(cashier: Cashier, page: FakeGateway) -> None:
    _, told = paid(cashier, page)
    with served(cashier, bytes_max=len(told.body)) as connection:
        assert send(connection, told)[0] == 200
        connection.request("POST", "/payments/page", iter([told.body]), dict(told.headers))
        assert read(connection.getresponse()) == 200


def test_a_body_that_does_not_come_is_not_waited_for(cashier: Cashier) -> None:
    with served(cashier, timeout_s=0.2) as connection:
        connection.connect()
        connection.sock.sendall(head(connection, "content-length: 100") + b"{")

        assert told_and_hung_up(connection) == 408


def test_slow_senders_hold_up_nobody(cashier: Cashier, page: FakeGateway) -> None:
    _, told = paid(cashier, page)
    app = Starlette(routes=[Mount("/payments", callbacks(cashier, timeout_s=PATIENCE_S))])
    with asgi_served(app, timeout_graceful_shutdown=1) as url, connected(url) as connection:
        address = (connection.host, connection.port)
        slow = [socket.create_connection(address, PATIENCE_S) for _ in range(60)]
        try:
            for each in slow:  # more of them than the server has threads
                each.sendall(head(connection, "content-length: 100") + b"{")

            assert send(connection, told) == (200, b"received")
        finally:
            for each in slow:
                each.close()


def test_who_hangs_up_in_the_middle_leaves_nothing(cashier: Cashier, page: FakeGateway) -> None:
    _, told = paid(cashier, page)
    with served(cashier) as connection:
        connection.connect()
        fields = [f"{name}: {text}" for name, text in told.headers.items()]
        fields.append(f"content-length: {len(told.body)}")
        connection.sock.sendall(head(connection, *fields) + told.body[:-1])
        connection.close()

        assert send(connection, told) == (200, b"received")

    assert len(cashier.callbacks()) == 1


# --- The secret is changed -----------------------------------------------------------------


def signed(event: str, secret: str, *, age_s: int = 0) -> dict[str, Any]:
    """Write a webhook as Stripe would: HMAC-SHA256 of the instant, a dot and the body."""
    body = json.dumps({"id": event, "object": "event", "type": "customer.created", **EMPTY})
    at = str(int(time.time()) - age_s)
    mac = hmac.new(secret.encode(), f"{at}.{body}".encode(), hashlib.sha256).hexdigest()
    return {"body": body.encode(), "headers": {"stripe-signature": f"t={at},v1={mac}"}}


EMPTY = {"livemode": False, "data": {"object": {"id": "cus_1", "object": "customer"}}}
OLD, NEW = "whsec_before", "whsec_after"


def test_both_secrets_are_good_while_one_replaces_the_other(tmp_path: Path) -> None:
    accepted: dict[tuple[str, ...], list[int]] = {}
    kept: list[str] = []
    for number, secrets in enumerate([(OLD,), (NEW, OLD), (NEW,)]):
        settings = {"driver": "stripe", "secret_key": "sk_test_1", "webhook_secrets": secrets}
        with opened(tmp_path, build(settings)) as cashier, served(cashier) as connection:
            accepted[secrets] = []
            for name, secret in (("old", OLD), ("new", NEW)):
                told = signed(f"evt_{name}_{number}", secret)
                connection.request("POST", "/payments/page", **told)
                accepted[secrets].append(read(connection.getresponse()))
            stale = signed(f"evt_stale_{number}", secrets[0], age_s=360)
            connection.request("POST", "/payments/page", **stale)
            assert read(connection.getresponse()) == 400
            kept = [stored.event_id for stored in cashier.callbacks()]

    assert accepted == {(OLD,): [200, 400], (NEW, OLD): [200, 200], (NEW,): [400, 200]}
    assert kept == ["evt_new_2", "evt_new_1", "evt_old_1", "evt_old_0"]
