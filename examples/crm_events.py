"""Five weeks of a customer who stops paying, as a CRM sees it through signed webhooks.

    python examples/crm_events.py

The CRM is a small server in this process. It is down for five days in the middle of the month, and
misses nothing. Nothing leaves this machine, and nothing is kept.
"""

import base64
import secrets
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from standardwebhooks import Webhook

from paygate import Cashier, Customer, Money
from paygate.testing import FakeClock, FakeGateway

SECRET = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
WANTED = ("invoice.*", "payment.declined", "payment.reversed", "customer.*", "commitment.*")


class Crm(BaseHTTPRequestHandler):
    """Verifies each event, and writes it into the history of its customer, once."""

    clock = FakeClock(datetime(2026, 1, 1, 9, tzinfo=UTC))
    seen: ClassVar[set[str]] = set()
    history: ClassVar[list[str]] = []
    is_down = False

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        status = 503 if self.is_down else self.receive(body)
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def receive(self, body: bytes) -> int:
        event = Webhook(SECRET).verify(body, dict(self.headers.items()))
        if self.headers["webhook-id"] not in self.seen:
            self.seen.add(self.headers["webhook-id"])
            at = datetime.fromisoformat(event["timestamp"])
            data = event["data"]
            minor = data.get("open_minor", data.get("amount_minor"))
            amount = "" if minor is None else str(Money(data["currency"], minor))
            amount = amount or ", ".join(data.get("overdue", ()))
            why = data.get("reason") or data.get("code")
            reason = f": {why}" if why else ""
            came = self.clock.now()
            late = "" if came - at < timedelta(days=1) else f"  (came on {came:%d %b})"
            line = f"{at:%d %b}  {event['type']:<22} {amount:>9}{reason}{late}"
            self.history.append(line.rstrip())
        return 204

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Stay silent."""


@contextmanager
def crm() -> Generator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Crm)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/events"
    server.shutdown()
    server.server_close()


def main() -> None:
    clock = Crm.clock
    with crm() as url:
        hook = {
            "sink": "standard_webhooks",
            "url": url,
            "secrets": SECRET,
            "events": WANTED,
            "allow_private_addresses": True,
        }
        card = FakeGateway(clock=clock)
        with Cashier.in_memory(
            gateways={"card": card}, sinks={"crm": hook}, clock=clock
        ) as cashier:
            live_through_winter(cashier, clock)
    print("\n".join(Crm.history))


def live_through_winter(cashier: Cashier, clock: FakeClock) -> None:
    ann = Customer("C-1", name="Ann", email="ann@example.com")
    usd = Money.of("USD", "30.00")
    cashier.commit_to(ann, "fibre", start="2026-01-01", months=24, key="fibre")
    cashier.issue(number="INV-1", customer=ann, total=usd, due="2026-01-05")
    cashier.collect("INV-1", via="card", method="tok_visa", key="inv-1")
    pass_days(cashier, clock, 5)

    cashier.issue(number="INV-2", customer=ann, total=usd, due="2026-01-10")
    pass_days(cashier, clock, 4)
    declined = "tok_declined_insufficient_funds"
    cashier.collect("INV-2", via="card", method=declined, key="inv-2-try-1")
    pass_days(cashier, clock, 6)

    Crm.is_down = True
    check = cashier.record(
        "INV-2", by="check", reference="1042", key="check-1042", amount=Money.of("USD", "12.50")
    )
    pass_days(cashier, clock, 5)
    Crm.is_down = False
    cashier.reverse(check, reason="check returned")
    pass_days(cashier, clock, 15)

    cashier.record("INV-2", by="cash", key="cash-1")
    pass_days(cashier, clock, 1)


def pass_days(cashier: Cashier, clock: FakeClock, days: int) -> None:
    """Let time pass, while the worker reads the news, sweeps and publishes every hour."""
    for _ in range(days * 24):
        cashier.recover()
        cashier.run_overdue()
        cashier.publish()
        clock.advance(hours=1)


if __name__ == "__main__":
    main()
