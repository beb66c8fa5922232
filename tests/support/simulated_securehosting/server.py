"""The simulated processor behind HTTP on loopback: its interface, and the payer's page."""

from __future__ import annotations

import html
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.loopback import Handler, first_values, serve

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.support.simulated_securehosting.account import SimulatedSecureHosting


@contextmanager
def serving(processor: SimulatedSecureHosting, port: int = 0) -> Generator[str]:
    """Serve *processor* on loopback, yield where, and stop when the block ends."""
    with serve(processor, _Handler, port) as url:
        processor.url = url
        yield url


class _Handler(Handler["SimulatedSecureHosting"]):
    def answer(self) -> None:
        """Answer a document, or show the page."""
        given = first_values(self.body().decode())
        if self.path == "/secutran/api.php":
            answer = self.processor.post(given["xmldoc"])
            if answer is None:
                self.close_connection = True
                return
            self.send(200, "text/xml", answer)
            return
        if "card" not in given:
            self.send(200, "text/html; charset=utf-8", _page(given).encode())
            return
        number = self.processor.pay(given, given["card"])
        back = "success_url" if number.isdigit() else "return_url"
        self.redirect(given[back])


def _page(given: dict[str, str]) -> str:
    hidden = "".join(
        f"<input type='hidden' name='{html.escape(name)}' value='{html.escape(value, quote=True)}'>"
        for name, value in given.items()
    )
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Pay</title></head>"
        f"<body><h1>Pay (simulated)</h1><form method='post'>{hidden}"
        "<label>Card <input name='card' value='4242424242424242'></label>"
        "<button>Pay now</button></form></body></html>"
    )
