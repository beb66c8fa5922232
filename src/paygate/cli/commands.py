"""The table of commands; each is imported when it is called.

Importing every command would take longer than most commands run. So the program
knows only the module of each, and the line to show in the list of commands.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperCommand
from typing_extensions import override


@dataclass(frozen=True, slots=True)
class CommandLocation:
    """The module that defines a command or a group of commands, and its line in the list."""

    module: str
    name: str
    summary: str

    def load(self, name: str) -> Any:
        """Import the command and return it under *name*, with all its options."""
        found = getattr(import_module(self.module), self.name)
        around = typer.Typer(rich_markup_mode=None)
        if isinstance(found, typer.Typer):
            around.add_typer(found, name=name)
        else:
            around.command(name)(found)
        return typer.main.get_group(around).commands[name]


def _at(module: str, name: str, summary: str) -> CommandLocation:
    return CommandLocation(f"paygate.cli.{module}", name, summary)


COMMANDS: Final = {
    "demo": _at("demo", "demo", "Play a day at the till on fake gateways."),
    "fake-processor": _at(
        "fake_processor", "fake_processor", "Serve a payment processor that moves no money."
    ),
    "drivers": _at("drivers", "drivers", "List the installed drivers."),
    "check": _at("accounts", "check", "Check settings and credentials of accounts."),
    "certify": _at("certify", "certify", "Try an account in its processor's sandbox."),
    "collect": _at("payments", "collect", "Collect invoices through a gateway."),
    "authorize": _at("operations", "authorize", "Hold the amount of invoices."),
    "capture": _at("operations", "capture", "Capture what was authorised."),
    "refund": _at("operations", "refund", "Send money of a payment back."),
    "cancel": _at("operations", "cancel", "Cancel a payment in the cheapest way that works."),
    "record": _at("payments", "record", "Record money received by hand."),
    "record-refund": _at("payments", "record_refund", "Record money sent back by hand."),
    "undo-record-refund": _at(
        "payments", "undo_record_refund", "Undo a refund that was recorded by hand."
    ),
    "reverse": _at("payments", "reverse", "Book the opposite of a payment; send nothing."),
    "undo-reversal": _at("payments", "undo_reversal", "Undo a reversal: the money had arrived."),
    "resolve": _at("decisions", "resolve", "Record the outcome of an attempt in doubt."),
    "assign": _at("decisions", "assign", "Put unexpected money on invoices."),
    "write-off": _at("decisions", "write_off", "Write off an open amount of an invoice."),
    "reviewed": _at("decisions", "reviewed", "Finish the review of a payment."),
    "undo-write-off": _at("decisions", "undo_write_off", "Undo a write-off."),
    "pay-from-credit": _at("decisions", "pay_from_credit", "Pay invoices from credit."),
    "undo-credit-use": _at("decisions", "undo_credit_use", "Return used credit."),
    "credit": _at("decisions", "credit", "List the credit of a customer."),
    "chargebacks": _at("chargebacks", "chargebacks", "List disputes of payments."),
    "enroll": _at("methods", "enroll", "Store a customer's method at a gateway."),
    "inquire": _at("payments", "inquire", "Ask the gateway about a payment."),
    "recover": _at("payments", "recover", "Ask about every payment whose inquiry is due."),
    "fsck": _at("books", "fsck", "Check the file and every balance of the ledger."),
    "status": _at("books", "status", "Show the state of the ledger, and what needs a person."),
    "publish": _at("books", "publish", "Deliver waiting events to the sinks of --app."),
    "stop-sending": _at("books", "stop_sending", "Stop sending from a restored ledger."),
    "resume-sending": _at("books", "resume_sending", "Resume sending from a restored ledger."),
    "events": _at("events", "events", "List events in the order in which they happened."),
    "dead-letters": _at("events", "dead_letters", "List events that a sink has refused finally."),
    "rotate-keys": _at("methods", "rotate_keys", "Encrypt all tokens under the first key."),
    "new-driver": _at("new_driver", "new_driver", "Create a package with a gateway driver."),
    "simulate": _at("simulate", "simulate", "Test the engine with crashes and faults."),
    "invoice": _at("invoices", "invoice", "Issue, import, list, show and void invoices."),
    "payment": _at("payments", "payment", "List and show payments."),
    "receipt": _at("receipts", "receipt", "List receipts, and export them as CSV."),
    "methods": _at("methods", "methods", "Store, list, choose and forget methods."),
    "number": _at("numbers", "numbers", "Assign, list and release payer numbers."),
    "callbacks": _at("events", "callbacks", "List callbacks of processors, and apply them again."),
    "bitcoin": _at("bitcoin", "bitcoin", "Check and watch Bitcoin accounts."),
}
"""Every command of the program by its name, in the order of the list."""


class Deferred(TyperCommand):
    """A command in the list that is imported when its arguments are read."""

    def __init__(self, name: str, place: CommandLocation) -> None:
        super().__init__(name, short_help=place.summary, rich_markup_mode=None)
        self._place = place

    # The types are click's own, or those of the copy in newer versions of typer.

    @override
    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        """Read the arguments as the command itself does; its context runs it."""
        command = self._place.load(self.name or "")
        return command.make_context(info_name, args, parent=parent, **extra)
