"""The desk: all verbs together, and those that send nothing."""

from __future__ import annotations

from paygate.cashier.accounts import Accounts
from paygate.cashier.api_keys import ApiKeys
from paygate.cashier.autopay import Autopay
from paygate.cashier.bank import Bank
from paygate.cashier.books import BookVerbs
from paygate.cashier.by_hand import ByHand
from paygate.cashier.callbacks import Callbacks, Inbox
from paygate.cashier.collecting import Collecting
from paygate.cashier.commitments import Commitments
from paygate.cashier.credits import Credits
from paygate.cashier.customers import Customers
from paygate.cashier.decisions import Decisions
from paygate.cashier.drafts import Drafts
from paygate.cashier.due_work import Agenda, DueWork
from paygate.cashier.enrolling import Enrolling
from paygate.cashier.events import Outbox, Publishing
from paygate.cashier.feeds import FeedVerbs
from paygate.cashier.invoices import Invoices
from paygate.cashier.links import Links, PayingLinks
from paygate.cashier.methods import Methods
from paygate.cashier.operations import Operations
from paygate.cashier.overdue import Overdues
from paygate.cashier.payer_numbers import PayerNumbers
from paygate.cashier.payments import Payments
from paygate.cashier.prepayments import Prepayments
from paygate.cashier.receipts import Receipts
from paygate.cashier.recovery import Halting, Recovery
from paygate.cashier.reversals import Reversals
from paygate.cashier.statements import Statements
from paygate.cashier.stored_accounts import StoredAccounts
from paygate.cashier.subscriptions import Subscriptions
from paygate.cashier.write_offs import WriteOffs


class BookDesk(
    Invoices,
    Drafts,
    Prepayments,
    Links,
    ByHand,
    Reversals,
    Credits,
    WriteOffs,
    Payments,
    Receipts,
    Decisions,
    Customers,
    Methods,
    Subscriptions,
    Commitments,
    Inbox,
    Halting,
    Outbox,
    BookVerbs,
    StoredAccounts,
    ApiKeys,
    Bank,
    Statements,
):
    """The verbs that send nothing: they only write to the ledger, or read it."""


class Desk(
    Collecting,
    PayingLinks,
    Operations,
    Enrolling,
    Autopay,
    Overdues,
    PayerNumbers,
    Callbacks,
    FeedVerbs,
    Recovery,
    Agenda,
    DueWork,
    Publishing,
    Accounts,
    BookDesk,
):
    """All verbs, including those that send requests to a gateway."""
