"""Checksums of rows, which reveal a change that did not go through the ledger.

Some facts are stored only once, such as the id that a processor gave to a movement, so no sum
would reveal a change. Each row therefore has a checksum of such columns, and `paygate fsck`
computes it again. This detects a failing disk, or a statement meant for another database. The
checksum has no key, so it does not protect against someone who computes a matching one.

It leaves out columns that change separately: balances, which the postings rebuild, and states,
which follow from other rows. It also leaves out personal data, because a checksum would remain
after they are erased.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from paygate.ledger.tx import Tx


@dataclass(frozen=True, slots=True)
class CoveredColumns:
    """The columns that a checksum covers; those of the row's key come first."""

    table: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    values: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    checksum: str = "checksum"
    template: str = ""

    @property
    def subject(self) -> str:
        """The SQL expression for the key of a row, as one text."""
        return " || ' ' || ".join(f"t.{name}" for name in self.key)


_VALUE: Final = "%s\x1f"


def _facts(table: str, text: str, checksum: str = "checksum") -> CoveredColumns:
    """Parse *text*: the columns, each followed by ``=`` and its parameter if the names differ."""
    key, _, rest = text.partition(";")
    names = [each.partition("=") for each in (*key.split(), *rest.split())]
    return CoveredColumns(
        table=f"paygate_{table}",
        key=tuple(each.partition("=")[0] for each in key.split()),
        columns=tuple(column for column, _, _ in names),
        values=itemgetter(*(param or column for column, _, param in names)),
        checksum=checksum,
        template=_VALUE * len(names),
    )


CUSTOMER: Final = _facts("customer", "tenant id; zone state state_since created_at=at")
CUSTOMER_REFERENCE: Final = _facts(
    "customer_reference", "tenant customer account; reference reported_at=at"
)
KEY: Final = _facts("key", "tenant operation key; fingerprint result")
ITEM: Final = _facts(
    "item",
    "id; tenant kind number customer currency total_minor=total due assignment_key reversal "
    "credited_minor autopay overdue method effective issued_at=at actor",
)
PREPAYMENT: Final = _facts("prepayment", "item; on_rest description data replaced_by")
INVOICE: Final = _facts(
    "invoice", "item; tenant lines tax rounding series period place letterhead key"
)
LETTERHEAD: Final = _facts("letterhead", "tenant version; facts logo created_at=at actor")
DOCUMENT: Final = _facts(
    "document", "item position; tenant name media_type digest created_at=at actor"
)
LINK: Final = _facts(
    "link",
    "id; tenant customer kind currency min_minor max_minor uses expires_at accounts immediate_only "
    "language metadata return_to status changed_at=at end_at=expires_at reason generation key_id "
    "created_at=at actor",
)
LINK_ITEM: Final = _facts("link_item", "link position; item")
PAGE_TOKEN: Final = _facts(
    "page_token", "tenant digest; kind subject generation key_id created_at=at"
)
API_KEY: Final = _facts(
    "api_key",
    "id; tenant name scopes digest hint added_at=at added_by=actor revoked_at revoked_by reason",
)
ASSIGNMENT_KEY: Final = _facts("assignment_key", "tenant currency key; customer created_at=at")
PAYMENT: Final = _facts(
    "payment",
    "id; tenant customer payer short_reference account kind currency amount_minor=amount credit_on "
    "refundable_after settles_within_s settle_check_at authorized_minor voiding hold_over "
    "reference method mandate key payer_number superseded seen_minor reversal link created_at=at "
    "actor",
)
REVIEW: Final = _facts(
    "review", "payment cause; raised_at ended_at ended_by reason collected_minor returned_minor"
)
ATTEMPT: Final = _facts(
    "attempt",
    "id; tenant payment method operation account kind driver driver_version livemode "
    "merchant_account gateway_key key currency amount_minor=amount final movement about "
    "refund_to method_plan created_at=at created_mark=mark actor offers address_index",
)
ANSWER: Final = _facts(
    "attempt",
    "id; state reference code raw_code reason retryable advice action expires_at "
    "network_transaction_id method_facts verified sends sent_at lease_until next_check_at checks "
    "absences needs_review late_pending overdue_at",
    "answer_checksum",
)
CLAIM: Final = _facts("claim", "payment position; item amount_minor=amount credit state prepayment")
HOLD: Final = _facts("hold", "attempt credit; amount_minor=amount state")
REFUND_ITEM: Final = _facts("refund_item", "attempt position; item amount_minor=amount")
RECEIPT: Final = _facts(
    "receipt",
    "id; tenant host_number payment attempt customer account kind inward movement_id currency "
    "amount_minor=amount undoes by_hand code cost_minor=cost rate rate_source settled_minor "
    "settled_currency fee_minor fee_currency settled_on effective booked_at=at actor",
)
EARLY_RETURN: Final = _facts(
    "early_return",
    "tenant account movement_id; payment undoes currency amount_minor=amount code effective "
    "kept_at=at",
)
TAKEN: Final = _facts("taken", "receipt position; origin name amount_minor=amount back_minor")
ALLOCATION: Final = _facts(
    "allocation",
    "id; tenant item currency amount_minor=amount payment receipt credit cancels prepayment "
    "effective booked_at=at actor",
)
CREDIT: Final = _facts(
    "credit",
    "id; tenant customer currency amount_minor=amount reason payment receipt item created_at=at "
    "actor",
)
WRITE_OFF: Final = _facts(
    "write_off",
    "id; tenant item currency amount_minor=amount ledger_account=account payment receipt reason "
    "undone_at undone_by effective booked_at=at actor",
)
REVERSAL: Final = _facts(
    "reversal",
    "id; tenant number payment currency amount_minor=amount on_date reason fingerprint fee_item "
    "bank_charge_minor=bank_charge bank_charge_currency counted undone_at undone_by booked_at=at "
    "actor",
)
CHARGEBACK: Final = _facts(
    "chargeback",
    "id; tenant payment account reference state reported_lost reported_won currency amount_minor "
    "reason respond_by opened_at ended_at",
)
CHARGEBACK_ITEM: Final = _facts("chargeback_item", "chargeback item; amount_minor write_off")
POSTING: Final = _facts(
    "posting",
    "entry; tenant ledger_account=account currency amount_minor=amount customer item receipt "
    "credit payment effective booked_at actor",
)
PAYER_NUMBER: Final = _facts(
    "payer_number",
    "id; tenant account number customer pays assigned_at=at assigned_by=actor released_at "
    "released_by reason",
)
MANDATE: Final = _facts(
    "mandate",
    "id; tenant customer text_version text_digest language accepted_at scope pending reference ip "
    "user_agent authenticated channel actor basis ceiling_currency ceiling_minor notice_days "
    "network_transaction_id first_currency first_minor ended_at ended_by ended_for",
)
SUBSCRIPTION: Final = _facts(
    "subscription",
    "id; tenant customer status since mandate pending revoked reason changed_at changed_by "
    "created_at",
)
AUTOPAY_RUN: Final = _facts("autopay_run", "id; tenant run_date started_at actor")
AUTOPAY_LINE: Final = _facts(
    "autopay_line",
    "id; tenant run customer currency account method charged presents payment payments created_at",
)
AUTOPAY_ITEM: Final = _facts(
    "autopay_item",
    "payment item; line method amount_minor tried_on outcome code ended_on ended_at next_on "
    "next_at given_up",
)
AUTOPAY_NOTICE: Final = _facts("autopay_notice", "tenant kind subject occasion; facts given_at")
CAMPAIGN: Final = _facts("campaign", "tenant version; facts stored_at=at")
EPISODE: Final = _facts(
    "episode",
    "id; tenant customer currency campaign anchor anchor_due began_on turn state resumed_on "
    "held_on held next_on ended_on final began_at",
)
STAGE: Final = _facts("stage", "episode turn place; name state done_on silent fee done_at=at")
PROMISE: Final = _facts(
    "promise",
    "id; tenant customer currency episode until_on items status made_at ended_on actor",
)
COMMITMENT: Final = _facts(
    "commitment",
    "id; tenant customer name terms start_on months end_on on_default status ended_on reason "
    "created_at actor",
)
OVERDUE_RUN: Final = _facts("overdue_run", "id; tenant run_date started_at actor")
METHOD: Final = _facts(
    "method",
    "id; tenant customer account kind brand last4 expires fingerprint network_transaction_id "
    "reference mandate is_default reported_at created_at forgotten_at blocked_at blocked_for "
    "rests_until",
)
INBOX: Final = _facts(
    "inbox",
    "id; tenant account event_id type digest times body_digest notice received_at state tries "
    "next_try_at applied_at reply error dismissed_by dismissed_for",
)
FEED: Final = _facts("feed", "tenant account; cursor since_stop")
FEED_MEMORY: Final = _facts("feed_memory", "tenant account name; value")
ADDRESS: Final = _facts("address", "source number; tenant account owner created_at=at")
QUOTE: Final = _facts(
    "quote",
    "attempt; currency amount_minor=amount enough_minor=enough rate rate_source good_until "
    "created_at=at",
)
ARRIVAL: Final = _facts(
    "arrival",
    "tenant account sighting; attempt currency quantity_minor=quantity seen_at cost_minor=cost "
    "rate rate_source late to_credit state confirmations needed",
)
ACCOUNT_SETTINGS: Final = _facts(
    "account_settings",
    "tenant name; driver settings_encrypted=settings settings_revision enabled revision "
    "added_at=at changed_at=at changed_by=actor reason",
)
BANK_ACCOUNT: Final = _facts(
    "bank_account",
    "tenant name; number currency policy opening_minor opening_on created_at=at actor",
)
BANK_FILE: Final = _facts("bank_file", "tenant account digest; statements imported_at=at actor")
BANK_STATEMENT: Final = _facts(
    "bank_statement",
    "id; tenant account format name on_date currency opening_minor closing_minor booked_minor "
    "missing_minor gap_minor entries digest imported_at=at actor",
)
BANK_LINE: Final = _facts(
    "bank_line",
    "id; tenant account statement identity occurrence part booked value currency amount_minor "
    "fee_inside_minor meaning code bank_reference end_to_end reference check_number reason "
    "party_digest state class note imported_at=at actor",
)
BANK_MATCH: Final = _facts(
    "bank_match",
    "id; tenant line kind subject payment contra amount_minor how rule reason made_at=at actor "
    "undone_at undone_by undone_for",
)
OUTBOX: Final = _facts(
    "outbox", "id; tenant type aggregate schema_version=version occurred_at=at actor data"
)

ALL: Final = (
    CUSTOMER,
    CUSTOMER_REFERENCE,
    KEY,
    ITEM,
    PREPAYMENT,
    INVOICE,
    LETTERHEAD,
    DOCUMENT,
    LINK,
    LINK_ITEM,
    PAGE_TOKEN,
    API_KEY,
    ASSIGNMENT_KEY,
    PAYMENT,
    REVIEW,
    ATTEMPT,
    ANSWER,
    CLAIM,
    HOLD,
    REFUND_ITEM,
    RECEIPT,
    EARLY_RETURN,
    TAKEN,
    ALLOCATION,
    CREDIT,
    WRITE_OFF,
    REVERSAL,
    CHARGEBACK,
    CHARGEBACK_ITEM,
    POSTING,
    PAYER_NUMBER,
    MANDATE,
    SUBSCRIPTION,
    AUTOPAY_RUN,
    AUTOPAY_LINE,
    AUTOPAY_ITEM,
    AUTOPAY_NOTICE,
    CAMPAIGN,
    EPISODE,
    STAGE,
    PROMISE,
    COMMITMENT,
    OVERDUE_RUN,
    METHOD,
    INBOX,
    FEED,
    FEED_MEMORY,
    ADDRESS,
    QUOTE,
    ARRIVAL,
    ACCOUNT_SETTINGS,
    BANK_ACCOUNT,
    BANK_FILE,
    BANK_STATEMENT,
    BANK_LINE,
    BANK_MATCH,
    OUTBOX,
)
"""Every checksum of the ledger."""


def of(values: Sequence[Any]) -> int:
    """Return the checksum of *values*, the CRC-32 of their text.

    It detects any change of up to four adjacent bytes, and misses one in four billion others.
    A cryptographic digest would miss none, but doubles the time of a check.
    """
    return crc32((_VALUE * len(values) % tuple(values)).encode())


def signed(facts: CoveredColumns, params: dict[str, Any]) -> dict[str, Any]:
    """Add the checksum of a row to *params*, the parameters of its INSERT, and return them."""
    params[facts.checksum] = crc32((facts.template % facts.values(params)).encode())
    return params


def renew(tx: Tx, facts: CoveredColumns, *key: Any) -> None:
    """Recompute the checksum of one row, after a statement that changed some of its columns."""
    where = " AND ".join(f"{name} = :{name}" for name in facts.key)
    params: dict[str, Any] = dict(zip(facts.key, key, strict=True))
    row = tx.one(f"SELECT {', '.join(facts.columns)} FROM {facts.table} WHERE {where}", params)
    if row is not None:
        params["checksum_"] = of([row[name] for name in facts.columns])
        tx.execute(f"UPDATE {facts.table} SET {facts.checksum} = :checksum_ WHERE {where}", params)
