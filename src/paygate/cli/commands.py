"""The table of commands: everyday ones by themselves, all others under the noun they are about.

Importing every command would take longer than most commands run. So the program
knows only the module of each, and the line to show in the list of commands. This
module imports nothing else, because `paygate --help` needs only it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Command(NamedTuple):
    """The function of a command, in which module of `paygate.cli` it is, and its line in lists."""

    module: str
    function: str
    summary: str


class Noun(NamedTuple):
    """What some commands are about: its line in the list, and the commands by their names."""

    summary: str
    commands: Mapping[str, Command]


EVERYDAY: Final[Mapping[str, Command]] = {
    "demo": Command("demo", "demo", "Run a demo with fake gateways."),
    "work": Command("work", "work", "Do due work until it is stopped, as a service."),
    "status": Command("books", "status", "Show the state of the ledger, and what needs attention."),
    "fsck": Command("books", "fsck", "Check the file and every balance of the ledger."),
    "copy": Command("copying", "copy", "Copy a ledger to PostgreSQL, or back to a file."),
    "check": Command("accounts", "check", "Check settings and credentials of accounts."),
    "certify": Command("certify", "certify", "Try an account in its processor's sandbox."),
    "drivers": Command("drivers", "drivers", "List the installed drivers."),
    "new-driver": Command("new_driver", "new_driver", "Create a package with a gateway driver."),
    "simulate": Command("simulate", "simulate", "Test the engine with crashes and faults."),
}
"""The commands at the top level, in the order of the list."""

NOUNS: Final[Mapping[str, Noun]] = {
    "invoice": Noun(
        "Issue, draft, import, list, show and void invoices.",
        {
            "issue": Command("invoices", "issue", "Issue an invoice, once per number."),
            "import": Command("invoices", "import_", "Issue the invoices of a CSV file."),
            "list": Command("invoices", "list_", "List invoices, the last issued first."),
            "show": Command("invoices", "show_", "Show an invoice, and what was put on it."),
            "void": Command("invoices", "void", "Void an invoice that was issued by mistake."),
            "run": Command("invoice_run", "run", "Issue an invoice for each order of a file."),
            "draft": Command("drafts", "draft", "Make a draft, which can be changed."),
            "change-draft": Command("drafts", "change_draft", "Change a draft."),
            "finalize": Command("drafts", "finalize", "Issue a draft: give it its number."),
            "document": Command("drafts", "document", "Write the document of an invoice."),
            "attach": Command("drafts", "attach", "Add documents of yours to an invoice."),
        },
    ),
    "letterhead": Noun(
        "Say who issues invoices: set and show it.",
        {
            "set": Command("letterhead", "set_", "Store who issues invoices."),
            "show": Command("letterhead", "show_", "Show who issues invoices."),
        },
    ),
    "prepayment": Noun(
        "Take money before its invoice: create, list, show and close.",
        {
            "create": Command("prepayments", "create", "Create a prepayment with a key."),
            "list": Command("prepayments", "list_", "List prepayments, the newest first."),
            "show": Command("prepayments", "show_", "Show a prepayment and its money."),
            "close": Command("prepayments", "close", "Close one that will get no invoice."),
        },
    ),
    "link": Noun(
        "Hand out payment links: create, list, show, revoke, reissue.",
        {
            "create": Command("links", "create", "Create a link for what a payer owes."),
            "list": Command("links", "list_", "List payment links, the newest first."),
            "show": Command("links", "show_", "Show a link and what can be paid with it."),
            "revoke": Command("links", "revoke", "End a link, and withdraw its pages."),
            "reissue": Command("links", "reissue", "Give a link another address."),
        },
    ),
    "payment": Noun(
        "Collect, record, refund and clear payments.",
        {
            "collect": Command("payments", "collect", "Collect invoices through a gateway."),
            "authorize": Command("operations", "authorize", "Hold the amount of invoices."),
            "capture": Command("operations", "capture", "Capture what was authorized."),
            "refund": Command("operations", "refund", "Send money of a payment back."),
            "cancel": Command(
                "operations", "cancel", "Cancel a payment in the cheapest way that works."
            ),
            "record": Command("payments", "record", "Record money received by hand."),
            "list": Command("payments", "list_", "List payments, the newest first."),
            "show": Command("payments", "show_", "Show a payment and its whole history."),
            "inquire": Command("payments", "inquire", "Ask the gateway about a payment."),
            "recover": Command(
                "payments", "recover", "Ask about every payment whose inquiry is due."
            ),
            "resolve": Command(
                "decisions", "resolve", "Record the outcome of an attempt in doubt."
            ),
            "assign": Command("decisions", "assign", "Put unexpected money on invoices."),
            "reviewed": Command("decisions", "reviewed", "Finish the review of a payment."),
        },
    ),
    "refund": Noun(
        "Record refunds that were paid by hand.",
        {
            "record": Command("refunds", "record", "Record money sent back by hand."),
            "undo": Command("refunds", "undo", "Undo a refund that was recorded by hand."),
        },
    ),
    "reversal": Noun(
        "Book the opposite of a payment, such as a bounced check.",
        {
            "record": Command(
                "reversals", "record", "Book the opposite of a payment; send nothing."
            ),
            "undo": Command("reversals", "undo", "Undo a reversal: the money had arrived."),
        },
    ),
    "write-off": Noun(
        "Write off what is not paid any more.",
        {
            "record": Command("write_offs", "record", "Write off an open amount of an invoice."),
            "undo": Command("write_offs", "undo", "Undo a write-off."),
        },
    ),
    "credit": Noun(
        "List a customer's credit, and pay invoices from it.",
        {
            "list": Command("credits", "list_", "List the credit of a customer."),
            "use": Command("credits", "use", "Pay invoices from credit."),
            "undo-use": Command("credits", "undo_use", "Return used credit."),
        },
    ),
    "chargeback": Noun(
        "List chargebacks.",
        {
            "list": Command("chargebacks", "list_", "List disputes of payments."),
        },
    ),
    "receipt": Noun(
        "List the money that moved, and export it as CSV.",
        {
            "list": Command("receipts", "list_", "List receipts by booking time."),
            "export": Command("receipts", "export", "Write all receipts as CSV."),
            "number": Command("receipts", "number", "Give a receipt a number of yours."),
        },
    ),
    "method": Noun(
        "Store, list, choose and forget cards and bank accounts.",
        {
            "enroll": Command("methods", "enroll", "Store a customer's method at a gateway."),
            "list": Command("methods", "list_", "List the stored methods of a customer."),
            "set-default": Command(
                "methods", "set_default", "Make a method the default of its customer."
            ),
            "forget": Command("methods", "forget", "Stop charging a method, and delete it."),
            "replace": Command("methods", "replace_", "Let another method replace one."),
            "changes": Command("methods", "changes", "List requests to store or delete methods."),
            "inquire": Command("methods", "inquire", "Ask the gateway about such a request."),
            "resolve": Command("methods", "resolve", "Record the outcome of one in doubt."),
            "rotate-keys": Command(
                "methods", "rotate_keys", "Encrypt all tokens under the first key."
            ),
        },
    ),
    "autopay": Noun(
        "Charge invoices automatically: runs and subscriptions.",
        {
            "run": Command("autopay", "run", "Charge what is due of subscribed customers."),
            "status": Command("autopay", "status", "Show a subscription, or the last run."),
            "start": Command("autopay", "start", "Record that a payer agreed to it."),
            "pause": Command("autopay", "pause", "Charge nothing of a customer for now."),
            "resume": Command("autopay", "resume", "Charge a customer's invoices again."),
            "end": Command("autopay", "end", "End a customer's automatic payment."),
            "invoice": Command("autopay", "invoice", "Turn it off, or pin a method, for one."),
        },
    ),
    "overdue": Noun(
        "Remind, limit, suspend and restore customers who pay late.",
        {
            "run": Command("overdue", "run", "Announce what is overdue, and take the next stages."),
            "status": Command("overdue", "status", "Show the last sweep, or that of a day."),
            "show": Command("overdue", "standing", "Show how a customer stands, and what is next."),
            "promise": Command("overdue", "promise", "Record that a customer promises to pay."),
            "reinstate": Command("overdue", "reinstate", "Clear a customer whatever is overdue."),
        },
    ),
    "commitment": Noun(
        "Record what customers have agreed to, and until when.",
        {
            "list": Command("commitments", "list_", "List the commitments of a customer."),
            "add": Command("commitments", "add", "Record that a customer agrees to something."),
            "end": Command("commitments", "end", "Terminate one before its term."),
        },
    ),
    "statement": Noun(
        "Import statements of bank accounts.",
        {
            "account": Command("statements", "account", "Add or change a bank account."),
            "accounts": Command("statements", "accounts", "List the bank accounts."),
            "import": Command("statements", "import_", "Import bank statements."),
            "list": Command("statements", "list_", "List the statements that were imported."),
        },
    ),
    "reconcile": Noun(
        "Match the lines of bank accounts, and decide about the rest.",
        {
            "run": Command("reconcile", "run", "Match the open lines of a bank account."),
            "lines": Command("reconcile", "lines", "List lines of bank accounts."),
            "show": Command("reconcile", "show_", "Show what an open line may be."),
            "accept": Command("reconcile", "accept", "Accept a proposal for a line."),
            "assign": Command("reconcile", "assign", "Say what a line is."),
            "ignore": Command("reconcile", "ignore", "A line concerns no customer."),
            "reopen": Command("reconcile", "reopen", "Undo what explains a line."),
            "missing": Command("reconcile", "missing", "List money that no statement has."),
        },
    ),
    "payer-number": Noun(
        "Assign numbers to which customers pay, and release them.",
        {
            "assign": Command("payer_numbers", "assign", "Assign a payer number to a customer."),
            "list": Command("payer_numbers", "list_", "List the numbers that customers have."),
            "release": Command("payer_numbers", "release", "Release a payer number."),
        },
    ),
    "api-key": Noun(
        "Add, list and revoke keys for programs that call the API.",
        {
            "add": Command("api_keys", "add", "Make an API key, and show its secret once."),
            "list": Command("api_keys", "list_", "List API keys, without their secrets."),
            "revoke": Command("api_keys", "revoke", "End an API key."),
        },
    ),
    "callback": Noun(
        "List callbacks of processors, and apply them again.",
        {
            "list": Command("callbacks", "list_", "List callbacks, the newest first."),
            "replay": Command("callbacks", "replay", "Apply one callback again."),
            "dismiss": Command("callbacks", "dismiss", "Record that nothing is to be done."),
        },
    ),
    "event": Noun(
        "List events, and deliver them to other systems.",
        {
            "list": Command("events", "list_", "List events in the order in which they happened."),
            "publish": Command("events", "publish", "Deliver waiting events to the sinks."),
        },
    ),
    "sink": Noun(
        "List, check and forget the systems that receive events.",
        {
            "list": Command("sinks", "list_", "List sinks, and what waits for each."),
            "installed": Command("sinks", "installed", "List the installed kinds of sinks."),
            "check": Command("sinks", "check", "Check whether the settings of sinks work."),
            "log": Command("sinks", "log", "List the tries to deliver events to a sink."),
            "resend": Command("sinks", "resend", "Send an event to a sink once more."),
            "resume": Command("sinks", "resume", "Try a stopped or paused sink again."),
            "forget": Command("sinks", "forget", "Forget a sink that was removed."),
        },
    ),
    "dead-letter": Noun(
        "List events that a sink has refused finally, and retry them.",
        {
            "list": Command("dead_letters", "list_", "List events that a sink has refused."),
            "replay": Command("dead_letters", "replay", "Let a sink try dead letters again."),
        },
    ),
    "account": Noun(
        "Keep settings of gateway accounts in the ledger, encrypted.",
        {
            "add": Command("stored_accounts", "add", "Store an account, encrypted."),
            "rotate": Command("stored_accounts", "rotate", "Replace settings, such as its keys."),
            "disable": Command("stored_accounts", "disable", "Take no new payments through it."),
            "enable": Command("stored_accounts", "enable", "Take new payments through it again."),
            "list": Command("stored_accounts", "list_", "List the stored accounts of a tenant."),
            "show": Command("stored_accounts", "show_", "Show a stored account."),
        },
    ),
    "ledger": Noun(
        "Stop sending from a ledger that was restored or copied.",
        {
            "stop-sending": Command(
                "sending", "stop_sending", "Stop sending from a restored ledger."
            ),
            "resume-sending": Command(
                "sending", "resume_sending", "Resume sending from a restored ledger."
            ),
        },
    ),
    "schema": Noun(
        "Print the tables, to create them by migrations of your own.",
        {
            "print": Command("schema", "print_", "Print the SQL that creates the tables."),
        },
    ),
    "bitcoin": Noun(
        "Check and watch Bitcoin accounts.",
        {
            "check": Command("bitcoin", "check", "Compare the wallet with the node."),
            "watch": Command("bitcoin", "watch", "Read blocks, and book what arrived."),
            "rescan": Command("bitcoin", "rescan", "Read the chain again from a block."),
        },
    ),
    "web": Noun(
        "List the scripts and headers of the payment pages.",
        {
            "inventory": Command(
                "web", "inventory", "List scripts and headers, and compare a live site."
            ),
        },
    ),
    "fake-processor": Noun(
        "Run a processor that moves no money, to try a checkout.",
        {
            "serve": Command(
                "fake_processor", "serve", "Serve a payment processor that moves no money."
            ),
        },
    ),
}
"""The commands of each noun, in the order of the lists."""

OF_VERBS: Final[Mapping[str, str]] = {
    "record_refund": "refund record",
    "reverse": "reversal record",
    "undo_reversal": "reversal undo",
    **{verb: f"payment {verb}" for verb in NOUNS["payment"].commands},
}
"""The commands of the cashier's verbs that messages of the ledger recommend."""


def commands() -> Iterator[tuple[str, Command]]:
    """Yield every command with the words that call it: ``payment refund``."""
    yield from EVERYDAY.items()
    for name, noun in NOUNS.items():
        for verb, command in noun.commands.items():
            yield f"{name} {verb}", command
