"""A portal in any language, played in Python: it speaks to paygate by HTTP only.

It makes an entry under its order's own key, gets the link, sends the payer there, and reads what
became of it. Everything listens on this machine, and no money moves: the processor is a fake. Run
it with ``python examples/payment_link.py``; ``payment_link.sh`` does the same with curl.
"""

from __future__ import annotations

import re
import socket
import threading
from contextlib import contextmanager
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import uvicorn
from cryptography.fernet import Fernet
from starlette.applications import Starlette
from starlette.routing import Mount

from paygate import Cashier
from paygate.testing import FakeGateway
from paygate.web.api import api
from paygate.web.pages import pages
from paygate.web.results import read_result
from paygate.web.settings import WebSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PORTAL = "https://portal.example"
AMOUNT = {"amount": "49.00", "currency": "USD"}


def step(number: int, text: str) -> None:
    print(f"{number}. {text}")


def main() -> None:
    wallet, keys = FakeGateway("redirect"), [Fernet.generate_key()]
    with (
        Cashier.in_memory(gateways={"wallet": wallet}, page_keys=keys) as cashier,
        listening() as (listener, origin),
    ):
        web = WebSettings(
            payee="Alder Telecom",
            base_url=f"{origin}/pay",
            return_origins=[PORTAL],
            keys=keys,
        )
        routes = [Mount("/pay", pages(cashier, web)), Mount("/api", api(cashier, web))]
        secret = cashier.add_api_key("portal", scopes=["read", "write", "refund"]).secret
        with served(Starlette(routes=routes), listener):
            portal = Portal(f"{origin}/api", secret.reveal())
            play(portal, lambda: wallet.pay(cashier.payments()[0].reference), web, origin)
        print(cashier.fsck() or "the books are sound")


class Portal:
    """All that a portal needs: an address, a key, and an HTTP client."""

    def __init__(self, url: str, secret: str) -> None:
        headers = {"authorization": f"Bearer {secret}"}
        self._client = httpx.Client(base_url=url, headers=headers, timeout=30)

    def read(self, path: str) -> Any:
        return self._client.get(path).raise_for_status().json()

    def paper(self, path: str) -> bytes:
        return self._client.get(path).raise_for_status().content

    def send(self, path: str, key: str, body: dict[str, Any]) -> Any:
        answer = self._client.post(path, json=body, headers={"idempotency-key": key})
        return answer.raise_for_status().json()


def play(
    portal: Portal, pay_at_the_wallet: Callable[[], object], web: WebSettings, origin: str
) -> None:
    order: dict[str, Any] = {
        "customer": {"id": "C-1", "name": "Ada Quill"},
        "amount": AMOUNT,
        "assignment_key": "ORDER-7",
        "link": {"return_to": f"{PORTAL}/thanks?result={{result}}"},
    }
    entry = portal.send("/v1/prepayments", "order-7", order)
    step(1, f"entry: {entry['amount']['amount']} USD for {entry['assignment_key']}")

    again = portal.send("/v1/prepayments", "order-7", order)
    step(2, f"the same request again: the same entry is {again['id'] == entry['id']}")

    address = entry["link"]["url"]
    step(3, f"link: the payer is sent to /pay/l/… is {address.startswith(web.base_url)}")

    payer = httpx.Client(headers={"origin": origin}, timeout=30)
    form = payer.get(address).text
    page = payer.post(address, data={**fields_of(form), "via": "wallet/redirect"})
    pay_at_the_wallet()
    step(4, "the payer chooses the wallet, and pays on its page")

    page = payer.get(f"{page.headers['location']}/back", follow_redirects=True)
    [home] = re.findall(rf'href="({PORTAL}/thanks[^"]*)"', page.text)
    result = parse_qs(urlsplit(unescape(home)).query)["result"][0]
    found = read_result(result, web, origin=PORTAL)
    step(5, f"the payer comes home: {found.status.value}, {found.amount}, for the screen only")

    link = portal.read(f"/v1/links/{entry['link']['id']}")
    payment = portal.read(f"/v1/payments/{link['payment']}")
    step(6, f"the portal reads: {payment['status']}, {payment['received']['amount']} came")

    types = [each["type"] for each in portal.read("/v1/events?limit=200")["items"]]
    step(7, f"or the events say so: prepayment.paid is {'prepayment.paid' in types}")

    bill = {"number": "INV-7", "customer": "C-1", "total": AMOUNT, "due": "2031-12-31"}
    invoice = portal.send("/v1/invoices", "invoice-7", {**bill, "assignment_key": "ORDER-7"})
    balanced = portal.read(f"/v1/prepayments/{entry['id']}")["status"]
    step(8, f"the invoice with the key is {invoice['status']}, the entry {balanced}")

    receipt = portal.paper(f"/v1/payments/{payment['id']}/receipt.pdf")
    statement = portal.paper("/v1/customers/C-1/statement.pdf?currency=USD")
    back = {"amount": {"amount": "9.00", "currency": "USD"}}
    refund = portal.send(f"/v1/payments/{payment['id']}/refunds", "refund-7", back)
    papers = receipt.startswith(b"%PDF") and statement.startswith(b"%PDF")
    step(9, f"receipt and statement: {papers}; 9.00 go back: {refund['state']}")


def fields_of(form: str) -> dict[str, str]:
    """Return the hidden fields of a form, which a browser would send."""
    found = re.findall(r"<input[^>]*type=\"?hidden[^>]*>", form)
    named = [(re.search(r'name="?([\w-]+)', each), re.search(r'value="([^"]*)"', each))
             for each in found]  # fmt: skip
    return {name[1]: unescape(value[1]) for name, value in named if name and value}


@contextmanager
def listening() -> Iterator[tuple[socket.socket, str]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener, f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def served(app: Starlette, listener: socket.socket) -> Iterator[None]:
    """Serve *app* until the block is left."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


if __name__ == "__main__":
    main()
