"""The payments of the shop: payment pages and API on port 8001, with a fake processor.

    python examples/checkout_fastapi/payments.py

It prints the settings that the shop needs, once. The ledger is payments.db.
"""

from __future__ import annotations

import uvicorn
from cryptography.fernet import Fernet
from starlette.applications import Starlette
from starlette.routing import Mount

from paygate import Cashier
from paygate.testing import FakeGateway
from paygate.web.api import api
from paygate.web.pages import pages
from paygate.web.results import result_key
from paygate.web.settings import WebSettings

SHOP = "http://127.0.0.1:8000"
PORT = 8001


def settings(cashier: Cashier, web: WebSettings, shop: str) -> dict[str, str]:
    """Return the settings of the shop; the key cannot be shown again."""
    made = cashier.add_api_key(f"shop at {shop}", scopes=["read", "write"])
    return {
        "API": web.base_url.replace("/pay", "/api"),
        "KEY": made.secret.reveal(),
        "RESULT_KEY": result_key(web, origin=shop).reveal().hex(),
        "PAGES": web.base_url,
        "SHOP": shop,
    }


def make_app(cashier: Cashier, web: WebSettings) -> Starlette:
    return Starlette(routes=[Mount("/pay", pages(cashier, web)), Mount("/api", api(cashier, web))])


def web_of(origin: str, shop: str, key: bytes) -> WebSettings:
    return WebSettings(
        payee="Alder Telecom", base_url=f"{origin}/pay", return_origins=[shop], keys=[key]
    )


def main() -> None:
    key = Fernet.generate_key()
    web = web_of(f"http://127.0.0.1:{PORT}", SHOP, key)
    with Cashier.open(
        "sqlite:///payments.db", gateways={"wallet": FakeGateway("redirect")}, page_keys=[key]
    ) as cashier:
        for each in cashier.api_keys():
            if each.is_live:
                cashier.revoke_api_key(each, reason="started again")
        for name, value in settings(cashier, web, SHOP).items():
            print(f"export {name}={value}")
        uvicorn.run(make_app(cashier, web), port=PORT, log_level="warning")


if __name__ == "__main__":
    main()
