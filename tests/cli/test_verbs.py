"""Every verb of the cashier that a clerk would use has a command; the others have a reason."""

from __future__ import annotations

from typing import Any, Final

from paygate.cashier.sync import Cashier
from paygate.cashier.verbs import each_verb
from paygate.cli import commands as table

COMMANDS: Final = {
    "issue": "invoice issue",
    "import_invoices": "invoice import",
    "void": "invoice void",
    "invoice": "invoice show",
    "invoices": "invoice list",
    "open_invoices": "invoice list",
    "allocations": "invoice show",
    "record": "record",
    "record_refund": "record-refund",
    "undo_record_refund": "undo-record-refund",
    "reverse": "reverse",
    "undo_reversal": "undo-reversal",
    "pay_from_credit": "pay-from-credit",
    "undo_credit_use": "undo-credit-use",
    "credits": "credit",
    "balance": "credit",
    "chargebacks": "chargebacks",
    "write_off": "write-off",
    "write_offs": "invoice show",
    "undo_write_off": "undo-write-off",
    "resolve": "resolve",
    "resolve_method": "methods resolve",
    "reviewed": "reviewed",
    "assign": "assign",
    "methods": "methods list",
    "method_changes": "methods changes",
    "inquire_method": "methods inquire",
    "set_default_method": "methods default",
    "forget_method": "methods forget",
    "enroll": "enroll",
    "rotate_keys": "rotate-keys",
    "payment": "payment show",
    "payments": "payment list",
    "attempts": "payment show",
    "receipts": "payment show",
    "receipt_lines": "receipt list",
    "history": "payment show",
    "collect": "collect",
    "authorize": "authorize",
    "capture": "capture",
    "refund": "refund",
    "cancel": "cancel",
    "withdraw_page": "cancel",
    "inquire": "inquire",
    "recover": "recover",
    "apply_callbacks": "recover",
    "read_feeds": "recover",
    "addresses": "bitcoin check",
    "rescan": "bitcoin rescan",
    "callbacks": "callbacks list",
    "payment_by_key": "payment show",
    "orphans": "callbacks list",
    "replay_callback": "callbacks replay",
    "dismiss_callback": "callbacks dismiss",
    "assign_payer_number": "number assign",
    "payer_numbers": "number list",
    "release_payer_number": "number release",
    "events": "events",
    "dead_letters": "dead-letters",
    "replay_dead_letters": "dead-letters",
    "unattended": "status",
    "status": "status",
    "publish": "publish",
    "fsck": "fsck",
    "stop_sending": "stop-sending",
    "sending_stopped": "status",
    "resume_sending": "resume-sending",
    "check": "check",
}
REASONS: Final = {
    "save_customer": "customers are kept by the host, who passes them along",
    "erase_contact": "customers are kept by the host, who must erase his own copy too",
    "customer": "customers are kept by the host",
    "method": "`methods list` shows it",
    "mandate": "it is shown where the host asked the payer for it",
    "complete": "the payer who comes back to the host does it; a clerk inquires",
    "action_of": "only the host's page gets the secret; `payment show` says what the step is",
    "top_up": "the customer does it at the host's; a clerk records what he is given",
    "receive": "processors call it, through the host's web server",
    "subscribe": "a handler is code of the host",
    "tenant_is_new": "every command asks it, and refuses a tenant that nobody has",
}


def commands() -> dict[str, Any]:
    found: dict[str, Any] = {}

    # The commands are click's own or the copy that newer versions of typer bring.
    def walk(command: Any, path: str) -> None:
        if hasattr(command, "commands"):
            for name, each in command.commands.items():
                walk(each, f"{path} {name}")
        else:
            found[path] = command

    for name, place in table.COMMANDS.items():
        walk(place.load(name), name)
    return found


def test_every_verb_has_a_command_or_a_reason_why_not() -> None:
    verbs = set(each_verb(Cashier))

    assert verbs == COMMANDS.keys() | REASONS.keys()
    assert not COMMANDS.keys() & REASONS.keys()


def test_the_commands_that_verbs_are_said_to_have_are_there() -> None:
    there = commands()

    assert set(COMMANDS.values()) <= there.keys()
    assert all(command.help for command in there.values())
