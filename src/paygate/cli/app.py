"""The commands of ``paygate``, by group."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paygate import __version__
from paygate.cli import accounts, books, decisions, operations, payments, show
from paygate.cli.bitcoin import bitcoin
from paygate.cli.chargebacks import chargebacks
from paygate.cli.drivers import drivers
from paygate.cli.exits import FINDINGS, Commands
from paygate.cli.invoices import invoice
from paygate.cli.methods import enroll, methods, rotate_keys
from paygate.cli.new_driver import new_driver
from paygate.cli.simulate import simulate
from paygate.cli.told import callbacks, dead_letters, events

app = typer.Typer(
    cls=Commands,
    name="paygate",
    help="Issue invoices, collect them through any gateway, and check the books.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"paygate {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Issue invoices, collect them through any gateway, and check the books."""


@app.command()
def demo(
    file: Annotated[
        Path, typer.Option(help="The ledger to make; a number is added where it exists.")
    ] = Path("paygate-demo.db"),
) -> None:
    """Play a day at the till on fake gateways: no account, no network, ten seconds at most."""
    from paygate.cli.demo import play

    if not play(file, show.console()):
        raise typer.Exit(FINDINGS)


@app.command("fake-processor")
def fake_processor(
    host: Annotated[str, typer.Option(help="A loopback address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 0,
    journal: Annotated[
        Path | None, typer.Option(help="File of its truth of moved money; made if missing.")
    ] = None,
    parent: Annotated[bool, typer.Option("--parent", help="End when stdin closes.")] = False,
    callbacks_to: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="Where to send callbacks, on loopback; {kind} in it becomes the payment's kind.",
        ),
    ] = "",
    late_s: Annotated[
        float, typer.Option(min=0, help="Seconds after which comes what is late.")
    ] = 5,
) -> None:
    """Serve a payment processor that moves no money, with pages to click; prints its address."""
    from paygate.testing.fake_server import serve

    serve(host, port, journal=journal, parent=parent, callbacks_to=callbacks_to, late_s=late_s)


for command in (
    drivers,
    accounts.check,
    payments.collect,
    operations.authorize,
    operations.capture,
    operations.refund,
    operations.cancel,
    payments.record,
    payments.record_refund,
    payments.undo_record_refund,
    payments.reverse,
    decisions.resolve,
    decisions.assign,
    decisions.write_off,
    decisions.reviewed,
    decisions.undo_write_off,
    decisions.pay_from_credit,
    decisions.undo_credit_use,
    decisions.credit,
    chargebacks,
    enroll,
    payments.inquire,
    payments.recover,
    books.fsck,
    books.status,
    books.publish,
    books.stop_sending,
    books.resume_sending,
    events,
    dead_letters,
    rotate_keys,
    new_driver,
    simulate,
):
    app.command()(command)
app.add_typer(invoice, name="invoice")
app.add_typer(payments.payment, name="payment")
app.add_typer(methods, name="methods")
app.add_typer(callbacks, name="callbacks")
app.add_typer(bitcoin, name="bitcoin")
