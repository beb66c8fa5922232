"""One PayPal payment over loopback: our driver and transport, against raw httpx.

An order is created, read when the payer comes back, and captured: three requests. The floor sends
the same ones, byte for byte except for the order of headers (the server reports what it received,
and that is compared before anything is measured), and reads the same responses. It builds no body
and checks no response. PayPal's own SDK, if it is installed, does the same three calls to the same
server with its own models, and keeps its own token. CPU of this process; the server is another.
"""

from __future__ import annotations

import time
from dataclasses import replace
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import httpx

from benchmarks.canned_paypal import CAPTURE, MERCHANT, ORDER, OUR_REF, PAYMENT
from benchmarks.rounds import Measured, Target, take_turns
from benchmarks.stripe_charge import complete, server
from paygate import Money, Secret
from paygate.domain.kind import Kind
from paygate.domain.outcome import Approved
from paygate.drivers.paypal import PayPal
from paygate.drivers.paypal.settings import PayPalSettings
from paygate.gateway import Charge, Completion
from paygate.testing.play import converse
from paygate.transport.courier import Courier
from paygate.transport.http import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.dialogue import Request, Response

PAYMENTS = 100
BACK = "https://shop.example/back"
CLIENT_ID, CLIENT_SECRET = "AZDxjDScFpQtjWTOUtWKbyN", "benchmark"

CHARGE = Charge(
    key="pg-benchmark-7f3a2b",
    our_ref=OUR_REF,
    payment=PAYMENT,
    amount=Money("USD", 3000),
    kind=Kind.REDIRECT,
    return_url=BACK,
    invoices=("INV-7",),
    description="INV-7",
)
COMPLETION = Completion(
    key="pg-benchmark-7f3a2c",
    our_ref="att_019b762a3c00b1d6c7a1f2e3d4c5b6a79803",
    payment=PAYMENT,
    reference=ORDER,
    amount=Money("USD", 3000),
)


def measure(rounds: int) -> Measured:
    with server("benchmarks.canned_paypal") as url, httpx.Client() as client:
        settings = PayPalSettings(
            client_id=CLIENT_ID,
            client_secret=Secret(CLIENT_SECRET),
            merchant_id=MERCHANT,
            api_base=url,
        )
        paypal, transport = PayPal(settings), HttpTransport()
        courier = Courier(transport, paypal)
        client.headers.clear()  # httpx's own; ours come with each request
        wanted = [complete(each) for each in _requests(paypal, courier)]

        def ours() -> float:
            return _timed(lambda: _pay(paypal, courier.exchange))

        def floor() -> float:
            return _timed(lambda: _send(client, wanted))

        answers = [transport.exchange(request) for request in wanted]

        def driver() -> float:
            def pay() -> None:
                left = iter(answers)
                _pay(paypal, lambda _: next(left))

            return _timed(pay)

        sdk = _Sdk.installed(url)
        sides = [floor, ours, driver]
        if sdk is not None:
            sides.append(lambda: _timed(sdk.pay))
        _check_same_bytes(url, paypal, courier, client, wanted)
        taken = take_turns(rounds, *sides)
        transport.close()
    middle = [sorted(each)[len(each) // 2] for each in taken]
    notes = {"driver alone, µs": middle[2]}
    if sdk is not None:
        notes |= {f"official SDK {sdk.version}, µs": middle[3]}
    return Measured(
        name="paypal",
        floor_name="raw httpx.Client",
        unit="µs CPU per payment",
        ours=taken[1],
        floor=taken[0],
        target=Target(bound=1.0, at_least=False),
        notes=notes,
    )


def _timed(pay: Callable[[], None]) -> float:
    started = time.process_time()
    for _ in range(PAYMENTS):
        pay()
    return (time.process_time() - started) / PAYMENTS * 1e6


def _pay(paypal: PayPal, exchange: Callable[[Request], Response]) -> None:
    converse(paypal.charge(CHARGE), exchange)
    paid = converse(paypal.complete(COMPLETION), exchange).outcome
    assert isinstance(paid, Approved)
    assert paid.movements[0].movement_id == CAPTURE


def _send(client: httpx.Client, wanted: list[Request]) -> None:
    for request in wanted:
        answer = client.request(
            request.method, request.url, headers=request.headers, content=request.body
        )
        assert answer.status_code in (200, 201)


def _requests(paypal: PayPal, courier: Courier) -> list[Request]:
    """Return the requests of one payment, with a token."""
    sent: list[Request] = []

    def exchange(request: Request) -> Response:
        headers = {**request.headers, "Authorization": f"Bearer {token.value.reveal()}"}
        sent.append(replace(request, headers=headers, sign_in=False))
        return courier.exchange(request)

    token: Any = converse(paypal.sign_in(), courier.exchange).outcome
    _pay(paypal, exchange)
    return sent


def _check_same_bytes(
    url: str, paypal: PayPal, courier: Courier, client: httpx.Client, wanted: list[Request]
) -> None:
    client.get(f"{url}/seen")
    _pay(paypal, courier.exchange)
    ours = client.get(f"{url}/seen").content
    _send(client, wanted)
    floor = client.get(f"{url}/seen").content
    assert ours == floor, f"the two do not send the same:\n{ours.decode()}\n\n{floor.decode()}"


class _Sdk:
    """Pays as the samples of PayPal's own SDK do."""

    def __init__(self, url: str, version: str) -> None:
        self.version = version
        module: Any = import_module("paypalserversdk.paypal_serversdk_client")
        credentials: Any = import_module("paypalserversdk.http.auth.o_auth_2")
        configuration: Any = import_module("paypalserversdk.configuration")
        by_server = configuration.Configuration.environments
        for servers in by_server.values():
            servers.update(dict.fromkeys(servers, url))
        client = module.PaypalServersdkClient(
            client_credentials_auth_credentials=credentials.ClientCredentialsAuthCredentials(
                o_auth_client_id=CLIENT_ID, o_auth_client_secret=CLIENT_SECRET
            )
        )
        self._orders: Any = client.orders
        self._models: Any = lambda name, file: getattr(
            import_module(f"paypalserversdk.models.{file}"), name
        )

    @classmethod
    def installed(cls, url: str) -> _Sdk | None:
        try:
            return cls(url, version("paypal-server-sdk"))
        except PackageNotFoundError:
            return None

    def pay(self) -> None:
        made = self._orders.create_order(
            {
                "body": self._order(),
                "pay_pal_request_id": CHARGE.key,
                "prefer": "return=representation",
            }
        )
        read = self._orders.get_order({"id": made.body.id})
        assert str(read.body.status) == "APPROVED"
        taken = self._orders.capture_order(
            {
                "id": read.body.id,
                "pay_pal_request_id": COMPLETION.key,
                "prefer": "return=representation",
            }
        )
        [unit] = taken.body.purchase_units
        assert unit.payments.captures[0].id == CAPTURE

    def _order(self) -> Any:
        models = self._models
        amount = models("AmountWithBreakdown", "amount_with_breakdown")("USD", "30.00")
        unit = models("PurchaseUnitRequest", "purchase_unit_request")(
            amount=amount,
            reference_id="page",
            description="INV-7",
            custom_id=f"{PAYMENT}.{OUR_REF}",
            invoice_id=f"INV-7 {OUR_REF}",
        )
        context = models("PaypalWalletExperienceContext", "paypal_wallet_experience_context")(
            return_url=BACK,
            cancel_url=BACK,
            shipping_preference="NO_SHIPPING",
            user_action="PAY_NOW",
            payment_method_preference="IMMEDIATE_PAYMENT_REQUIRED",
        )
        wallet = models("PaypalWallet", "paypal_wallet")(experience_context=context)
        return models("OrderRequest", "order_request")(
            intent="CAPTURE",
            purchase_units=[unit],
            payment_source=models("PaymentSource", "payment_source")(paypal=wallet),
        )
