"""Every verb of the cashier that a clerk would use has a command; the others have a reason."""

from __future__ import annotations

from typing import Final

from paygate.cashier.sync import Cashier
from paygate.cashier.verbs import each_verb
from paygate.cli import commands as table
from paygate.domain.review import REVIEWS

COMMANDS: Final = {
    "issue": "invoice issue",
    "import_invoices": "invoice import",
    "void": "invoice void",
    "invoice_run": "invoice run",
    "draft": "invoice draft",
    "change_draft": "invoice change-draft",
    "finalize": "invoice finalize",
    "attach_documents": "invoice attach",
    "invoice_text": "invoice show",
    "invoice_document": "invoice document",
    "document": "invoice document",
    "documents": "invoice attach",
    "set_letterhead": "letterhead set",
    "letterhead": "letterhead show",
    "invoice": "invoice show",
    "invoices": "invoice list",
    "open_invoices": "invoice list",
    "allocations": "invoice show",
    "prepay": "prepayment create",
    "prepayment": "prepayment show",
    "prepayments": "prepayment list",
    "close_prepayment": "prepayment close",
    "link": "link create",
    "links": "link list",
    "link_by_id": "link show",
    "revoke_link": "link revoke",
    "reissue_link": "link reissue",
    "record": "payment record",
    "record_refund": "refund record",
    "undo_record_refund": "refund undo",
    "reverse": "reversal record",
    "undo_reversal": "reversal undo",
    "pay_from_credit": "credit use",
    "undo_credit_use": "credit undo-use",
    "credits": "credit list",
    "balance": "credit list",
    "chargebacks": "chargeback list",
    "write_off": "write-off record",
    "write_offs": "invoice show",
    "undo_write_off": "write-off undo",
    "resolve": "payment resolve",
    "resolve_method": "method resolve",
    "reviewed": "payment reviewed",
    "assign": "payment assign",
    "methods": "method list",
    "method_changes": "method changes",
    "inquire_method": "method inquire",
    "set_default_method": "method set-default",
    "forget_method": "method forget",
    "start_autopay": "autopay start",
    "end_autopay": "autopay end",
    "pause_autopay": "autopay pause",
    "resume_autopay": "autopay resume",
    "subscription": "autopay status",
    "set_autopay": "autopay invoice",
    "run_autopay": "autopay run",
    "autopay_run": "autopay status",
    "replace_method": "method replace",
    "enroll": "method enroll",
    "rotate_keys": "method rotate-keys",
    "payment": "payment show",
    "payments": "payment list",
    "attempts": "payment show",
    "receipts": "payment show",
    "receipt_lines": "receipt list",
    "history": "payment show",
    "collect": "payment collect",
    "authorize": "payment authorize",
    "capture": "payment capture",
    "refund": "payment refund",
    "cancel": "payment cancel",
    "withdraw_page": "payment cancel",
    "inquire": "payment inquire",
    "work": "work",
    "work_due": "work",
    "take_due": "work",
    "give_back": "work",
    "tenants_due": "work",
    "waiting_jobs": "work",
    "recover": "payment recover",
    "apply_callbacks": "payment recover",
    "read_feeds": "payment recover",
    "addresses": "bitcoin check",
    "rescan": "bitcoin rescan",
    "callbacks": "callback list",
    "payment_by_key": "payment show",
    "payment_by_reference": "payment show",
    "number_receipt": "receipt number",
    "orphans": "callback list",
    "replay_callback": "callback replay",
    "dismiss_callback": "callback dismiss",
    "add_api_key": "api-key add",
    "api_keys": "api-key list",
    "revoke_api_key": "api-key revoke",
    "assign_payer_number": "payer-number assign",
    "payer_numbers": "payer-number list",
    "release_payer_number": "payer-number release",
    "events": "event list",
    "dead_letters": "dead-letter list",
    "replay_dead_letters": "dead-letter replay",
    "check_sink": "sink check",
    "delivery_log": "sink log",
    "resend_event": "sink resend",
    "resume_sink": "sink resume",
    "forget_sink": "sink forget",
    "unattended": "status",
    "status": "status",
    "publish": "event publish",
    "fsck": "fsck",
    "stop_sending": "ledger stop-sending",
    "sending_stopped": "status",
    "resume_sending": "ledger resume-sending",
    "check": "check",
    "accounts": "check",
    "add_account": "account add",
    "rotate_account": "account rotate",
    "disable_account": "account disable",
    "enable_account": "account enable",
    "stored_accounts": "account list",
    "stored_accounts_readable": "work",
    "has_other_tenants": "work",
}
REASONS: Final = {
    "api_key_of": "the API reads it from a request",
    "once": "the API does its requests with it",
    "link_of": "a payment page reads it from the address that its payer has followed",
    "begin_try": "it is for the form of a payment page",
    "pay_link": "the payer does it on a payment page; a clerk collects",
    "ways_to_pay": "a payment page shows them to its payer",
    "payment_page": "a payment page sends its payer there",
    "payment_of_page": "a payment page reads it from its address",
    "due": "it is for a scheduler of the host; `work` takes them",
    "save_customer": "customers are kept by the host, who passes them along",
    "erase_contact": "customers are kept by the host, who must erase his own copy too",
    "customer": "customers are kept by the host",
    "method": "`method list` shows it",
    "mandate": "it is shown where the host asked the payer for it",
    "complete": "the payer who comes back to the host does it; a clerk inquires",
    "action_of": "only the host's page gets the secret; `payment show` says what the step is",
    "top_up": "the customer does it at the host's; a clerk records what he is given",
    "receive": "processors call it, through the host's web server",
    "subscribe": "a handler is code of the host",
    "public_settings": "a page of the host's puts them into the payer's browser",
    "tenant_is_new": "every command asks it, and refuses a tenant that nobody has",
}


def test_every_verb_has_a_command_or_a_reason_why_not() -> None:
    verbs = set(each_verb(Cashier))

    assert verbs == COMMANDS.keys() | REASONS.keys()
    assert not COMMANDS.keys() & REASONS.keys()


def test_the_commands_that_verbs_are_said_to_have_are_there() -> None:
    assert set(COMMANDS.values()) <= dict(table.commands()).keys()


def test_the_commands_that_messages_recommend_are_those_of_the_verbs() -> None:
    verbs = {verb for _, each in REVIEWS.values() for verb in each}

    assert verbs <= table.OF_VERBS.keys()
    assert {verb: COMMANDS[verb] for verb in table.OF_VERBS if verb in COMMANDS} == {
        verb: command for verb, command in table.OF_VERBS.items() if verb in COMMANDS
    }
