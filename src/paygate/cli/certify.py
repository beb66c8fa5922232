"""Certify: try an account in its processor's sandbox, and write a report without secrets."""

from __future__ import annotations

import threading
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, cast
from urllib.parse import urlsplit

import typer

from paygate.cli import show
from paygate.cli.exits import FINDINGS, hide
from paygate.cli.opening import Where, with_accounts
from paygate.errors import InvalidValue, PaygateError

if TYPE_CHECKING:
    from collections.abc import Generator

    from paygate.cashier.sync import Cashier
    from paygate.testing.certification import CertificationReport, CertificationStep

_BODY_BYTES_MAX: Final = 1_000_000
_STYLES: Final = {"passed": "green", "failed": "red", "skipped": "yellow"}


@with_accounts
def certify(
    where: Where,
    account: Annotated[str, typer.Argument(help="Name of the account, in its sandbox.")],
    kind: Annotated[str, typer.Option(help="The kind of payment to try.")] = "card",
    currency: Annotated[str, typer.Option(help="Currency of the charges.")] = "USD",
    minor: Annotated[
        int, typer.Option(min=1, help="The least to charge, in minor units of the currency.")
    ] = 1_000,
    approve: Annotated[
        list[str] | None,
        typer.Option(metavar="TOKEN", help="One-time token that is approved; give several."),
    ] = None,
    decline: Annotated[
        list[str] | None, typer.Option(metavar="TOKEN", help="One-time token that is declined.")
    ] = None,
    callbacks_on: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            help="Wait here for a callback; have the processor, or a tunnel, send it here.",
        ),
    ] = "",
    callbacks_within: Annotated[
        float, typer.Option(min=1, metavar="SECONDS", help="How long to wait for it.")
    ] = 120,
    report: Annotated[
        Path | None, typer.Option(help="File for the report in Markdown; replaced if it exists.")
    ] = None,
) -> None:
    """Try an account in its processor's sandbox, and write a report without secrets.

    It charges, declines, captures, voids, refunds, stores a method, opens a page and waits
    for a callback, as far as the account offers it. The ledger is in memory and gone
    afterwards. A live account is refused. Exits with status 1 if a step fails.

    A driver that knows its processor's test tokens uses them. Others need --approve once for
    each step, because a one-time token is good for one request.
    """
    from paygate.testing.certification import CertificationPlan
    from paygate.testing.certification import certify as run

    hide(where.ctx, *(approve or []), *(decline or []))
    with _opened(where, account) as cashier, _heard(cashier, account, callbacks_on) as came:
        plan = CertificationPlan(
            account=account,
            kind=cast("Any", kind),
            currency=currency,
            minor=minor,
            approve=tuple(approve or ()),
            decline=tuple(decline or ()),
            await_callback=(lambda: came.wait(callbacks_within)) if came else None,
        )
        found = run(cashier, plan, on_step=None if where.as_json else _show)
    if report is not None:
        report.write_text(found.to_markdown(), encoding="utf-8")
    if where.as_json:
        show.write_json({"ok": found.ok, "certification": found})
    else:
        _conclude(found, report)
    if not found.ok:
        raise typer.Exit(FINDINGS)


def _opened(where: Where, account: str) -> Any:
    """Open a cashier for the run alone, on a ledger in memory, with a key for tokens."""
    from cryptography.fernet import Fernet

    from paygate.cashier.sync import Cashier

    settings = where.settings()
    chosen = {account: settings[account]} if account in settings else settings
    return Cashier.open("sqlite://", gateways=chosen, token_keys=[Fernet.generate_key().decode()])


@contextmanager
def _listening(cashier: Cashier, account: str, place: str) -> Generator[threading.Event]:
    """Receive callbacks of *account* at ``HOST:PORT``; the event is set by an authentic one."""
    address = urlsplit(f"//{place}")
    try:
        host, port = address.hostname or "", address.port
    except ValueError:
        host, port = "", None
    if not host or port is None:
        raise InvalidValue(
            "--callbacks-on is an address of this machine such as 127.0.0.1:8080",
            argument="callbacks_on",
        )
    came = threading.Event()
    server = ThreadingHTTPServer((host, port), _handler(cashier, account, came))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield came
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _heard(cashier: Cashier, account: str, place: str) -> Any:
    return _listening(cashier, account, place) if place else nullcontext()


def _handler(cashier: Cashier, account: str, came: threading.Event) -> type[BaseHTTPRequestHandler]:
    from paygate.gateway import Callback

    class Handler(BaseHTTPRequestHandler):
        """Gives what is posted to the cashier."""

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base's name)
            """Write nothing: a request line may hold a token."""

        def do_POST(self) -> None:
            """Receive a callback."""
            given = self.headers.get("content-length") or "0"
            length = int(given) if given.isascii() and given.isdigit() else -1
            if not 0 <= length <= _BODY_BYTES_MAX:
                self.send_error(413)
                return
            parts = urlsplit(self.path)
            callback = Callback(
                method="POST",
                path=parts.path,
                query=parts.query,
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(length),
                received_at=datetime.now(UTC),
            )
            try:
                reply = cashier.receive(account, callback)
            except PaygateError:
                self.send_error(400)
                return
            came.set()
            self.send_response(reply.status)
            self.end_headers()
            self.wfile.write(reply.body)

    return Handler


def _show(step: CertificationStep) -> None:
    from rich.text import Text

    line = Text(f"{step.result:<8}", style=_STYLES[step.result])
    line.append(f"{step.title}: {step.observed}", style="default")
    show.console().print(line)


def _conclude(found: CertificationReport, report: Path | None) -> None:
    counts = {word: sum(step.result == word for step in found.steps) for word in _STYLES}
    said = ", ".join(f"{count} {word}" for word, count in counts.items())
    show.console().print(f"\n{said}" + (f"; the report is in {report}" if report else ""))
