"""One Authorize.Net charge over loopback: our driver and transport, against their official SDK.

Both charge opaque data of Accept.js with an order, a payer and two settings, build every request
from scratch, and read the result from the same response. The SDK opens a connection for every call,
because that is how it works; so the cost of its XML alone is measured separately, and that of our
driver without the network. CPU of this process; the server is another. The SDK is pointed at
loopback as its own tests do: its environment is a URL.
"""

from __future__ import annotations

import time
import warnings
from importlib import import_module
from typing import Any

from benchmarks.canned_authorize_net import TRANSACTION
from benchmarks.rounds import Measured, Target, take_turns
from benchmarks.stripe_charge import server
from paygate import Customer, Money, OneTimeToken, Secret
from paygate.domain.customer import PostalAddress
from paygate.domain.kind import Kind
from paygate.domain.outcome import Approved, Outcome
from paygate.drivers.authorize_net import AuthorizeNet, AuthorizeNetSettings
from paygate.gateway import Charge
from paygate.testing.play import converse
from paygate.transport.http import HttpTransport

CHARGES = 50
TOKEN = "eyJjb2RlIjoiNTBfMl8wNjAwMDUyNEJDNDU3OEUzNkQ3OEY2N0Y0QjQ5QjI3" * 4

CHARGE = Charge(
    key="pg-benchmark-7f3a2b",
    our_ref="att_019b762a3c00b1d6c7a1f2e3d4c5b6a79801",
    payment="pay_019b762a3c00b1d6c7a1f2e3d4c5b6a79802",
    amount=Money("USD", 3000),
    kind=Kind.CARD,
    method=OneTimeToken(Secret(TOKEN)),
    payer=Customer(
        "C-1",
        name="Ada Lovelace",
        email="ada@example.org",
        address=PostalAddress(line1="12 St James's Sq", city="Bellevue", postal_code="98004"),
    ),
    invoices=("INV-7",),
)


def measure(rounds: int) -> Measured:
    sdk = _Sdk()
    with server("benchmarks.canned_authorize_net") as url:
        net = AuthorizeNet(
            AuthorizeNetSettings(login="login12345", transaction_key=Secret("0123"), api_base=url)
        )
        transport = HttpTransport()
        address = f"{url}/xml/v1/request.api"

        def ours() -> float:
            started = time.process_time()
            for _ in range(CHARGES):
                assert _paid(converse(net.charge(CHARGE), transport.exchange).outcome)
            return (time.process_time() - started) / CHARGES * 1e6

        def theirs() -> float:
            started = time.process_time()
            for _ in range(CHARGES):
                assert sdk.charge(address) == TRANSACTION
            return (time.process_time() - started) / CHARGES * 1e6

        answer = transport.exchange(next(net.charge(CHARGE)))  # type: ignore[arg-type]  # a request

        def driver() -> float:
            started = time.process_time()
            for _ in range(CHARGES):
                assert _paid(converse(net.charge(CHARGE), lambda _: answer).outcome)
            return (time.process_time() - started) / CHARGES * 1e6

        def their_xml() -> float:
            text = answer.body.decode("utf-8-sig")
            started = time.process_time()
            for _ in range(CHARGES):
                assert sdk.xml_alone(text) == TRANSACTION
            return (time.process_time() - started) / CHARGES * 1e6

        taken = take_turns(rounds, theirs, ours, driver, their_xml)
        transport.close()
    middle = [sorted(each)[len(each) // 2] for each in taken]
    return Measured(
        name="authorize_net",
        floor_name=f"official SDK {sdk.version}",
        unit="µs CPU per charge",
        ours=taken[1],
        floor=taken[0],
        target=Target(bound=1.0, at_least=False),
        notes={
            "driver alone, µs": middle[2],
            "the SDK's XML alone, µs": middle[3],
        },
    )


def _paid(outcome: Outcome) -> bool:
    return isinstance(outcome, Approved) and outcome.reference == TRANSACTION


class _Sdk:
    """Charges as the official samples do."""

    def __init__(self) -> None:
        from importlib.metadata import version

        self.version = version("authorizenet")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._types: Any = import_module("authorizenet.apicontractsv1")
            self._controllers: Any = import_module("authorizenet.apicontrollers")
            self._objectify: Any = import_module("lxml.objectify")

    def charge(self, address: str) -> str:
        controller = self._controllers.createTransactionController(self._request())
        controller.setenvironment(address)
        controller.execute()
        answer = controller.getresponse()
        assert str(answer.transactionResponse.responseCode) == "1"
        return str(answer.transactionResponse.transId)

    def xml_alone(self, text: str) -> str:
        """Build the request and read the response with the SDK's own steps, without sending."""
        controller = self._controllers.createTransactionController(self._request())
        assert controller.buildrequest()
        read = self._types.CreateFromDocument(text)
        root = controller.getrequesttype()
        written = read.toxml(encoding="utf-8", element_name=root)
        answer = self._objectify.fromstring(written.replace(b"ns1:", b"").replace(b":ns1", b""))
        return str(answer.transactionResponse.transId)

    def _request(self) -> Any:
        types = self._types
        request = types.createTransactionRequest()
        request.merchantAuthentication = types.merchantAuthenticationType()
        request.merchantAuthentication.name = "login12345"
        request.merchantAuthentication.transactionKey = "0123"
        request.refId = "pg-benchmark-7f3a2b"
        opaque = types.opaqueDataType()
        opaque.dataDescriptor = "COMMON.ACCEPT.INAPP.PAYMENT"
        opaque.dataValue = TOKEN
        payment = types.paymentType()
        payment.opaqueData = opaque
        order = types.orderType()
        order.invoiceNumber = "pg-benchmark-7f3a2b"
        order.description = "INV-7"
        customer = types.customerDataType()
        customer.id = "C-1"
        customer.email = "ada@example.org"
        bill_to = types.customerAddressType()
        bill_to.firstName = "Ada"
        bill_to.lastName = "Lovelace"
        bill_to.address = "12 St James's Sq"
        bill_to.city = "Bellevue"
        bill_to.zip = "98004"
        settings = types.ArrayOfSetting()
        for name, value in (("allowPartialAuth", "false"), ("duplicateWindow", "28800")):
            setting = types.settingType()
            setting.settingName = name
            setting.settingValue = value
            settings.setting.append(setting)
        sale = types.transactionRequestType()
        sale.transactionType = "authCaptureTransaction"
        sale.amount = "30.00"
        sale.currencyCode = "USD"
        sale.payment = payment
        sale.order = order
        sale.customer = customer
        sale.billTo = bill_to
        sale.transactionSettings = settings
        request.transactionRequest = sale
        return request
