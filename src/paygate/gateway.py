"""The gateway protocol: what a driver is, what it can do, and what it declares about itself.

A driver is any object with a `name` and `traits`. It offers a capability by having the
method: every capability is a small protocol of its own. `traits` is data that a portal
reads before it shows a button; `traits.offers(kind, operation)` narrows a capability to
the kinds and the account for which it works.

Every operation carries `key`, the idempotency key that the core derived for it, which stays
the same when the operation is repeated; and `our_ref`, our id of the operation. A driver sends
`our_ref` wherever the processor lets an inquiry find it again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, runtime_checkable

from paygate.domain.kind import Kind, Operation
from paygate.domain.money import Money
from paygate.domain.quoting import AT_QUOTE, LateRule
from paygate.domain.secret import OneTimeToken, RawBankAccount, RawCard, Secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from paygate.dialogue import Dialogue, Request, Response
    from paygate.domain.action import PayToAddress
    from paygate.domain.chargeback import Dispute
    from paygate.domain.charging import ChargeFact, ChargeLine, ChargeReason
    from paygate.domain.customer import Browser, Customer, PayerField
    from paygate.domain.mandate import Mandate
    from paygate.domain.method import MethodNews
    from paygate.domain.movement import Movement, MovementKind, Sighting
    from paygate.domain.outcome import Finding, Outcome
    from paygate.domain.quoting import Price

PROTOCOL_VERSION: Final = 1
"""The version of this protocol; it is increased when a correct driver would become wrong.

Within a version, names and meanings stay, and additions have a default: a driver may ignore a
new field of an order and leave out a new capability. `Traits.protocol_version` says which
version a driver speaks; the core refuses any other before anything is stored or sent.
"""


def foreign_version(spoken: int) -> str:
    """Return what to do about a driver of version *spoken*; empty if it is this version."""
    if spoken == PROTOCOL_VERSION:
        return ""
    remedy = "upgrade the driver's package" if spoken < PROTOCOL_VERSION else "upgrade paygate-sdk"
    return (
        f"it speaks version {spoken} of the gateway protocol, and this paygate speaks "
        f"{PROTOCOL_VERSION}: {remedy}"
    )


def step_key(key: str, step: str) -> str:
    """Return the idempotency key of the request *step* of the operation *key*."""
    return f"{key}-{step}"


def digest_key(*parts: str) -> str:
    """Return a key of 40 characters that depends on *parts* alone, in every version."""
    text = "\x1f".join(parts)
    return hashlib.sha256(text.encode()).hexdigest()[:40]


# --- What the core asks for ------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoredToken:
    """The gateway's token of a stored method, read from the ledger for one request."""

    value: Secret[str]
    network_transaction_id: str = ""


Method: TypeAlias = OneTimeToken | StoredToken | RawCard | RawBankAccount
"""What to charge: a one-time token, a stored method, or raw data by explicit choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """Collect *amount*, or hold it if this is for `Authorizes.authorize`.

    `invoices` are the numbers of the invoices to be paid. `payer_present` says who initiates
    the charge, under the card networks' rules: the payer now, or we with a stored method.
    `address_index` is the number that the core assigned to the address, on a rail with
    `Rail.address_per`; `asked_at` is the time from which a quote is valid.

    `reason` says under which agreement a stored method is charged, or for which agreement a
    method is stored. `lines` say how much is for which invoice; a payer may also pay more than
    their sum. `statement_suffix`, `receipt_email`, `metadata`, `ship_to` (who receives the goods,
    and at which address) and `moto` come from the host; the core passes on those that the rail
    `takes` and refuses the others. With `moto` the payer gave the card by mail or telephone, so
    nobody can be asked to authenticate. `customer_reference` is the processor's own id of the
    payer, if an earlier `StoredMethod` returned one.
    """

    key: str
    our_ref: str
    payment: str
    amount: Money
    kind: Kind
    method: Method | None = None
    payer: Customer | None = None
    invoices: tuple[str, ...] = ()
    description: str = ""
    return_url: str = ""
    browser: Browser | None = None
    store_method: bool = False
    payer_present: bool = True
    address_index: int | None = None
    asked_at: datetime | None = None
    reason: ChargeReason | None = None
    lines: tuple[ChargeLine, ...] = ()
    statement_suffix: str = ""
    receipt_email: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    ship_to: Customer | None = None
    moto: bool = False
    customer_reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remainder:
    """What is left to pay at an address after a part of the amount has arrived.

    `reference` and `address_index` are those of the charge, `rate` and `rate_source` those of its
    quote. `amount` is in the currency in which the charge was made; the payment counts as made in
    full from `enough` on.
    """

    reference: str
    address_index: int
    amount: Money
    enough: Money
    rate: str = ""
    rate_source: str = ""
    invoices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """Complete a charge after the payer came back, or after the processor reported it ready."""

    key: str
    our_ref: str
    payment: str
    reference: str
    amount: Money
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """Capture *amount* of an authorization; with `final` the rest is released."""

    key: str
    our_ref: str
    payment: str
    reference: str
    amount: Money
    final: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Voiding:
    """Void a charge before settlement, or release what is left of an authorization."""

    key: str
    our_ref: str
    payment: str
    reference: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Refunding:
    """Send *amount* of the movement *movement_id* back to the payer."""

    key: str
    our_ref: str
    payment: str
    reference: str
    movement_id: str
    amount: Money
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """Withdraw a page or slip that should no longer be paid."""

    key: str
    our_ref: str
    payment: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """Ask for the state of an operation; `reference` is empty if the processor never named it.

    `sent_at` is the earliest time at which the operation can have been sent, `last_sent_at` the
    time at which it was last sent; a driver that searches a list covers the time from the one to
    the other. `booked` names the movements of the payment that are in the books. A processor that
    shows only the current state of a dispute repeats itself if it takes the money a second time;
    a driver uses `booked` to distinguish the two, and gives the second movement its own id.
    `collected` is how much of the payment is booked as charged or captured; if a processor shows
    no amount for what it voided, that is the amount it gives back.

    `parent_reference` is the processor's name of the object that the operation acts on: the
    charge or authorization that is captured, voided, refunded, completed or withdrawn. It is
    known before the processor has named the operation itself, so a processor that lists
    captures or refunds only under their payment can be asked too. `movement_id` is the
    movement that a refund sends back. Both are empty for an operation that acts on no other.
    """

    operation: Operation
    key: str
    our_ref: str
    payment: str
    reference: str
    amount: Money
    sent_at: datetime
    last_sent_at: datetime | None = None
    parent_reference: str = ""
    movement_id: str = ""
    booked: frozenset[tuple[MovementKind, str]] = frozenset()
    collected: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrollment:
    """Store a payer's method at the processor, from a token or through its own page.

    `currency` is that of later charges, if the host gives it: what a page offers may
    depend on it. `customer_reference` is the processor's own id of the payer, if an earlier
    `StoredMethod` returned one.
    """

    key: str
    our_ref: str
    customer: Customer
    kind: Kind
    method: Method | None = None
    from_reference: str = ""
    mandate: Mandate | None = None
    return_url: str = ""
    currency: str = ""
    customer_reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgetting:
    """Delete a stored method at the processor."""

    key: str
    our_ref: str
    token: StoredToken


# --- What a driver declares about itself ---------------------------------------------


class InquiryBy(StrEnum):
    """How to find an operation whose response was lost.

    Captures, voids and refunds can also be searched under their payment, by
    `Inquiry.parent_reference`; a driver that finds nothing there returns `Unknown`.
    """

    OUR_REF = "our_ref"
    """By `our_ref`, which was sent with the request."""
    GATEWAY_REF = "gateway_ref"
    """By the processor's own reference, once a response or a `Note` has recorded it."""
    LIST_SCAN = "list_scan"
    """In a list for a time span, a customer or a payment, by our `our_ref` or key in it."""
    NONE = "none"
    """Not at all: an unknown outcome waits for a callback, a feed or a manual review."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyed:
    """The processor keeps our idempotency key for *ttl* and repeats its response within it."""

    ttl: timedelta
    replays_errors: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DedupWindow:
    """The processor rejects a request that looks like one within *window*, or repeats its response.

    We assume that it does not remember requests that it declined. So a request is sent again
    only when the one before it can no longer be in flight.
    """

    window: timedelta
    returns_original: bool = False


@dataclass(frozen=True, slots=True)
class NotIdempotent:
    """The processor executes every request again, even a repeated one."""


Idempotency: TypeAlias = Keyed | DedupWindow | NotIdempotent
"""What the processor does with a request that is repeated."""


class CallbackStyle(StrEnum):
    """How we reply to the processor's callbacks."""

    NONE = "none"
    """The processor sends no callbacks."""
    ACKNOWLEDGED = "acknowledged"
    """A callback is stored, answered at once, and applied later."""
    ANSWERED = "answered"
    """Our reply carries the result, so a callback is applied before we reply."""


class CallbackProof(StrEnum):
    """What a processor's callbacks prove by themselves.

    A signature covers the bytes and, in most schemes, the time at which it was made, by which
    the core refuses replayed callbacks. If the signature covers no time, the core fetches nothing
    for bytes that it received before. If there is no signature, the driver trusts nothing in the
    body, and the core inquires each time a callback arrives.
    """

    SIGNED_WITH_INSTANT = "signed_with_instant"
    """A signature covers the bytes and the time: a replayed callback is refused."""
    SIGNED = "signed"
    """A signature covers the bytes alone: nothing is fetched twice for the same bytes."""
    NONE = "none"
    """Nothing: the driver trusts nothing in the body, and the core inquires."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The smallest and largest amount, in minor units; None if there is no bound."""

    minimum_minor: int | None = None
    maximum_minor: int | None = None


class AddressPer(StrEnum):
    """Who gets an address of their own to pay to: each payer, or each set of a payer's invoices."""

    PAYER = "payer"
    """Each payer has one address, for all invoices."""
    INVOICE = "invoice"
    """Each set of a payer's invoices has an address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rail:
    """What one kind of payment can do at one gateway account.

    - `operations` are the operations it can do. With ENROLL among them, a charge may also store
      its method (`Charge.store_method`), including on a page.
    - `methods` are the types of `Method` that a charge can be made with; empty if the payer
      chooses on the processor's page. With ``type(None)`` among them the payer may also choose
      there: such a wallet has a page, and can be charged again once it is stored.
    - `wallets` are the wallets whose own payment data can be charged, as a one-time token: see
      `OneTimeToken.wallet`.
    - `brands` are the cards that the account accepts, by our names in `BRANDS`; None if that is
      not known. The host sets them for each account.
    - `takes` are the facts about a charge for which the processor has a field. If a host gives
      another one, the charge is refused before anything is stored.
    - `currencies` is None if any currency is accepted.
    - `variable_amount`: the payer decides how much arrives. An incoming amount then holds
      nothing of the invoice while it is below `held_from_percent` of the amount due.
    - `withdrawable`: a page or slip can be withdrawn.
    - `immediate`: the result usually comes with the response.
    - `reports_settlement`: the processor reports when accepted money has reached the merchant.
    - `payer_present`: it cannot be charged without the payer, so never by autopay.
    - `address_per`: each charge needs a numbered address to pay to, such as a Bitcoin address.
      The core numbers them for the wallet that `Traits.merchant_account` names, and warns if more
      than `addresses_unused_max` in a row are unpaid.
    - `late` is the value of money that arrives after its quote has expired; anything but the
      price of the quote requires a gateway that `Prices`.
    - `settles_within` is the longest time that accepted money takes to reach the merchant: what
      has not settled by then is inquired about and flagged. It is None if the rail does not
      report settlement.
    - `refundable_after` is the number of banking days after settlement during which the payer's
      bank can still return the money; None for the usual number of the kind.
    - `return_lag` is how long after a payer has come back from the processor's page the processor
      may not know yet that they paid; None if it knows by then. A payment page does not say
      before that nothing was paid.
    """

    operations: frozenset[Operation]
    currencies: frozenset[str] | None = None
    limits: Mapping[str, Limits] = field(default_factory=dict[str, Limits])
    payer_fields: frozenset[PayerField] = frozenset()
    methods: frozenset[type] = frozenset()
    wallets: frozenset[str] = frozenset()
    brands: frozenset[str] | None = None
    takes: frozenset[ChargeFact] = frozenset()
    needs_return_url: bool = False
    immediate: bool = True
    payer_present: bool = False
    variable_amount: bool = False
    held_from_percent: int = 0
    withdrawable: bool = True
    partial_capture: bool = False
    multiple_capture: bool = False
    partial_refund: bool = True
    refund_window: timedelta | None = None
    address_per: AddressPer | None = None
    addresses_unused_max: int = 20
    late: LateRule = AT_QUOTE
    reports_settlement: bool = False
    refundable_after: int | None = None
    settles_within: timedelta | None = None
    return_lag: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What a gateway account is and can do, as data.

    `idempotency` is what the processor does with a repeated request; `idempotency_of` has the
    operations for which it does something else, such as keeping our key longer or not at all.
    `not_found_is_final_after` is how long after sending an inquiry's "not found" can be
    trusted (None: never). `max_in_flight` is how long a request can still be in flight after
    we stopped waiting for its response.

    `page_origins` are the origins, such as ``https://pay.example``, of the processor's pages, forms
    and scripts that a payer meets, and of the frames and connections of its scripts. A payment
    page leads nowhere else. `framable` says that they can be shown in a frame.
    """

    live: bool
    merchant_account: str
    driver_version: str
    rails: Mapping[Kind, Rail]
    idempotency: Idempotency
    inquiry: InquiryBy
    not_found_is_final_after: timedelta | None
    max_in_flight: timedelta = timedelta(minutes=2)
    callbacks: CallbackStyle = CallbackStyle.NONE
    callback_proof: CallbackProof = CallbackProof.SIGNED_WITH_INSTANT
    idempotency_of: Mapping[Operation, Idempotency] = field(
        default_factory=dict[Operation, "Idempotency"]
    )
    page_origins: frozenset[str] = frozenset()
    framable: bool = False
    # Not PROTOCOL_VERSION: a driver that declares no version was written for the first one, and
    # must not claim a later one because a newer paygate was installed with it.
    protocol_version: int = 1

    def offers(self, kind: Kind, operation: Operation) -> bool:
        """Return whether *operation* is possible for payments of *kind* at this account."""
        rail = self.rails.get(kind)
        return rail is not None and operation in rail.operations

    def idempotency_for(self, operation: Operation) -> Idempotency:
        """Return what the processor does with a repeated request for *operation*."""
        return self.idempotency_of.get(operation, self.idempotency)


# --- Callbacks and feeds ----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Callback:
    """A request that a processor sent to us, raw; header names are in lower case.

    `sender` is the network address that it came from, as the web server knows it; empty if it is
    not known.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    query: str = ""
    received_at: datetime
    sender: str = ""

    def __repr__(self) -> str:
        return f"Callback({self.method} {self.path}, {len(self.body)} bytes)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One fact that a callback or feed reports, already authenticated.

    `event_id` is the processor's id of this one fact, not of the object that the fact is about.
    The same fact is applied once, however often and through whichever channel it arrives; a
    different fact under the same id is a conflict, and flagged for manual review. If a callback
    proves nothing (`CallbackProof.NONE`) and names only a payment, use that name: the core
    inquires once for all callbacks that arrived while it waited, and again when a new one comes.

    The notice concerns the operation of ours that `our_ref` or `reference` names, or, if we
    do not know that name yet, `earlier_reference`: the name the object had before the
    processor assigned it `reference`, such as the order number of a page. `answer` is the
    outcome that the notice states, or None if it is only a hint to inquire; `ready` says that the
    payer approved and that the operation now needs `complete`. `signed_at` is the time that
    the signature covers, if the scheme has one: the core refuses a notice that is too old or
    from the future. `movements` report money that moved or settled in addition to `answer`,
    `disputes` the state of its disputes. `address_index` is the number of the address that was
    paid to, if the core numbers addresses, and `sighting` the money that the notice is about: it
    belongs to the quote that was valid when it was first seen, which is when the notice arrives,
    or `occurred_at` if that is earlier.

    `foreign` says that the object carries no reference of ours, although every object that we
    create does: it was created by another system that uses the same account of the processor. If
    the ledger does not know it either, the notice is ignored. Without `foreign` it would be an
    orphan and flagged for manual review.

    `payer_number` is the number that was paid to if the payer paid on their own initiative: the
    number of a virtual account, a customer reference number, a static address. If the notice
    names no operation of ours, the money is booked for the customer who has the number, or
    without a customer if nobody has it; it is never lost. Such a notice reports one movement in,
    and perhaps what has since moved of it; `reference` then names that money, not the number.
    Money that goes back later belongs to the money that it `undoes`. `kind` is the kind of the
    payment, needed if the account has several.

    `reserves` is an amount that a network reserves for `payer_number` before it takes the money,
    which it reports later under the same `reference`. It opens a payment that waits for the payer,
    with `answer` as its action; it holds no invoice. If the number is a slip's, the slip is that
    payment: `reference` names it and `payer_number` is empty.

    `method` reports a change of a stored method: a card was renewed, a mandate was revoked.

    `unreadable` says why something authentic could not be read: an amount in a currency that the
    processor is not known to use, or a missing field. The notice is stored as failed with that
    reason and moves no money, and the notices after it are processed. So a driver returns it
    instead of raising an error, which would stop the whole page of a feed.
    """

    event_id: str
    type: str
    reference: str = ""
    our_ref: str = ""
    earlier_reference: str = ""
    answer: Outcome | None = None
    ready: bool = False
    movements: tuple[Movement, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    occurred_at: datetime | None = None
    signed_at: datetime | None = None
    address_index: int | None = None
    sighting: Sighting | None = None
    foreign: bool = False
    method: MethodNews | None = None
    payer_number: str = ""
    kind: Kind | None = None
    unreadable: str = ""
    reserves: Money | None = None


class Applied(StrEnum):
    """How a notice was applied; the reply to an answered callback depends on it.

    A notice without money and without an answer is a question: may this page or slip be paid? Its
    result is the state of the payment, and only `OPEN` means yes.
    """

    BOOKED = "booked"
    """It brought money or news, which is now in the books."""
    NO_CHANGE = "no_change"
    """It says nothing new."""
    UNKNOWN_REFERENCE = "unknown_reference"
    """None of our payments has the reference that it names."""
    REFUSED = "refused"
    """It contradicts what was reported before, cannot be read, or must not be applied now."""
    OPEN = "open"
    """The page or slip waits for the payer, and may be paid."""
    PAID = "paid"
    """Its money has arrived or is on its way; it should not be paid again."""
    WITHDRAWN = "withdrawn"
    """It was withdrawn, another payment replaced it, or it ended without money."""
    EXPIRED = "expired"
    """It expired before it was paid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Our reply to a callback."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""


# --- Inbound questions --------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a network asks before it takes money, or about what it reported before.

    `payer_number` is what the payer typed: a number of theirs, or the reference of a slip. `events`
    are the ids of notices that the answer depends on, such as the payment of the same transaction.
    With `since` or `until` the network asks for a statement of that time. `request` is what the
    driver has read; the core passes it on to `reply_to`.
    """

    currency: str
    payer_number: str = ""
    amount: Money | None = None
    events: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    request: Any = None


class WhyNot(StrEnum):
    """Why a number may not be paid now."""

    NOT_FOUND = "not_found"
    """Nobody has the number, and no slip."""
    DISABLED = "disabled"
    """The host takes nothing here now."""
    PAID = "paid"
    """The slip is paid already, or its money is on its way."""
    WITHDRAWN = "withdrawn"
    """The slip was withdrawn, or another payment replaced it."""
    EXPIRED = "expired"
    """The slip has expired."""
    IN_DOUBT = "in_doubt"
    """It is not known whether the slip is paid."""
    TOO_SMALL = "too_small"
    """The amount is below the smallest one."""
    TOO_LARGE = "too_large"
    """The amount is above the largest one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptNotice:
    """A notice in the ledger: its `number` there, and whether it is `applied`."""

    number: int
    event_id: str
    notice: Notice
    received_at: datetime
    applied: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PayerFacts:
    """What the ledger knows about a question, at the time `now`.

    `why_not` is None if the number may be paid now. `due` is what the payer owes, or what the slip
    is for; a payer may pay more. `name` is the payer's name with all but its initials hidden.
    `slip` says that the number is the reference of a payment of ours; otherwise it is a payer's
    number. `kept` holds those of the events in the question that were reported before, and `listed`
    what was reported in the time that it asks for. `applied` is how the notice was applied that
    the driver returned for this question; None if it has returned none.
    """

    now: datetime
    why_not: WhyNot | None = None
    due: Money | None = None
    limits: Limits = Limits()
    name: str = ""
    slip: bool = False
    kept: Mapping[str, KeptNotice] = field(default_factory=dict[str, KeptNotice])
    listed: tuple[KeptNotice, ...] = ()
    applied: Applied | None = None

    @property
    def found(self) -> bool:
        """Whether somebody has the number, or it is that of a slip."""
        return self.why_not is not WhyNot.NOT_FOUND


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedPage:
    """One page of a feed: its notices, the cursor to continue from, and whether there is more.

    `read` is how much of the feed this page covers, and `behind` how much is left after it, if
    the gateway can say so (in blocks, for a chain). `memory` holds changes of what the
    gateway remembers: the new value for each name, or None to delete it; see `Watches`.
    """

    notices: tuple[Notice, ...]
    cursor: str
    more: bool
    read: int = 0
    behind: int = 0
    memory: Mapping[str, bytes | None] = field(default_factory=dict[str, "bytes | None"])


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A short-lived token of the account; the core keeps it until it expires."""

    value: Secret[str]
    expires_in_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFacts:
    """What a gateway says about the account to which our credentials belong."""

    merchant_account: str
    live: bool
    name: str = ""
    currencies: tuple[str, ...] = ()


# --- The protocols ------------------------------------------------------------------------


@runtime_checkable
class Gateway(Protocol):
    """What every driver has; the protocols below are what it can do."""

    @property
    def name(self) -> str:
        """The name of the driver, as in its entry point."""
        ...

    @property
    def traits(self) -> Traits:
        """What this account is and can do; does not change during the life of the object."""
        ...


@runtime_checkable
class Charges(Protocol):
    """Collects an amount in one operation."""

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        """Collect the amount, or start to collect it."""
        ...


@runtime_checkable
class Authorizes(Protocol):
    """Holds an amount to be captured later."""

    def authorize(self, charge: Charge) -> Dialogue[Outcome]:
        """Hold the amount."""
        ...


@runtime_checkable
class Completes(Protocol):
    """Completes a charge that the payer approved elsewhere."""

    def complete(self, completion: Completion) -> Dialogue[Outcome]:
        """Complete a charge that required an action of the payer."""
        ...


@runtime_checkable
class Captures(Protocol):
    """Captures money that was authorized."""

    def capture(self, capture: Capture) -> Dialogue[Outcome]:
        """Capture all or part of an authorization."""
        ...


@runtime_checkable
class Voids(Protocol):
    """Voids a charge that has not settled, or an authorization."""

    def void(self, voiding: Voiding) -> Dialogue[Outcome]:
        """Void a charge, or release an authorization."""
        ...


@runtime_checkable
class Refunds(Protocol):
    """Sends money back."""

    def refund(self, refunding: Refunding) -> Dialogue[Outcome]:
        """Send all or part of a movement back."""
        ...


@runtime_checkable
class Withdraws(Protocol):
    """Withdraws pages and slips."""

    def withdraw(self, withdrawal: Withdrawal) -> Dialogue[Outcome]:
        """Withdraw a page or slip, so that it can no longer be paid."""
        ...


@runtime_checkable
class LooksUp(Protocol):
    """Finds out what happened to an operation."""

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        """
        Find the operation and return its state as an outcome of that operation.

        If the processor refuses the inquiry itself, that says nothing about the operation:
        raise `BadResponse` or return `Unknown`, never `Rejected` or `NotFound`.
        """
        ...


@runtime_checkable
class Enrolls(Protocol):
    """Stores payers' methods at the processor."""

    def enroll(self, enrollment: Enrollment) -> Dialogue[Outcome]:
        """Store a method; the approval carries it."""
        ...


@runtime_checkable
class Forgets(Protocol):
    """Deletes stored methods at the processor.

    Without it a method is forgotten here alone: its token is not charged any more, and what the
    processor keeps stays there.
    """

    def forget(self, forgetting: Forgetting) -> Dialogue[Outcome]:
        """Delete a stored method."""
        ...


@runtime_checkable
class Verifies(Protocol):
    """Reads the processor's callbacks."""

    def verify(self, callback: Callback) -> Dialogue[list[Notice]]:
        """
        Authenticate the raw bytes of a callback and return its notices, or raise `NotAuthentic`.

        Check the signature before anything is fetched. If something that is needed to verify or
        read the callback cannot be fetched now, let the error through: the reply is status 503,
        and the sender sends the callback again.
        """
        ...

    def reply(self, notice: Notice, result: Applied) -> Reply:
        """Return our reply to the callback."""
        ...


@runtime_checkable
class Asks(Protocol):
    """Has a network that asks before it takes money, and is answered from the ledger.

    The core calls `question` with each callback first. Everything that arrives at such a gateway
    may be a question, even the report of money: the reply then depends on what was reported before.
    """

    def question(self, callback: Callback) -> Dialogue[Question | Reply | None]:
        """
        Authenticate a callback and return its question, or raise `NotAuthentic`.

        Return a reply if it does not depend on the ledger, such as the one to a request that cannot
        be read; and None if the callback is not a question, but one for `verify`.
        """
        ...

    def reply_to(self, question: Question, facts: PayerFacts) -> Reply | Notice:
        """
        Return the reply to *question*, or the notice that it reports, which changes the ledger.

        A notice is stored and applied; then `reply_to` is called again, with `facts.applied`, and
        returns the reply. It does the same for the same arguments, and sends nothing.
        """
        ...

    def refuse(self, callback: Callback) -> Reply | None:
        """Return the reply to a callback that is not authentic; None for the usual one."""
        ...


@runtime_checkable
class Feeds(Protocol):
    """Has notices that must be polled."""

    def feed(self, cursor: str) -> Dialogue[FeedPage]:
        """Return the page after *cursor* (empty: from the beginning)."""
        ...


@runtime_checkable
class Watches(Protocol):
    """Has a feed about numbered addresses, which it can read only if it knows how many there are.

    The core keeps for it, by name, what it must remember from page to page besides its position.
    A page lists the changes, and they are stored in the same transaction as the notices
    and the cursor, so the three agree even if a process dies.
    """

    def watch(self, cursor: str, addresses: int, memory: Mapping[str, bytes]) -> Dialogue[FeedPage]:
        """
        Return the page after *cursor* (empty: from the start) for the first *addresses* numbers.

        *memory* is what all pages up to that cursor have stored.
        """
        ...


@runtime_checkable
class Rescans(Protocol):
    """Watches a chain of numbered blocks, and can read it again from any of them."""

    def rescan(self, cursor: str, start: int, memory: Mapping[str, bytes]) -> Dialogue[FeedPage]:
        """
        Return a page without notices, after which the feed continues at block *start*.

        *cursor* and *memory* are those of `watch`. Notices are repeated under other event ids and
        with the same movement ids, so nothing is booked twice.
        """
        ...


@runtime_checkable
class Prices(Protocol):
    """Takes payments in a currency of its own, and can price an amount in it."""

    def price(self, amount: Money, at: datetime | None) -> Dialogue[Price]:
        """
        Return the price of *amount* now; *at* is the current time, if it is known.

        Raise `BadResponse` if no source has a price.
        """
        ...


@runtime_checkable
class AsksForRest(Protocol):
    """Gives the payer an address, and can ask there for the rest after a part has arrived."""

    def ask_for_rest(self, remainder: Remainder) -> Dialogue[PayToAddress]:
        """Return the payer's action for *remainder*, at the same address and price."""
        ...


@runtime_checkable
class SignsIn(Protocol):
    """Needs an access token on its requests; the core caches it per account."""

    def sign_in(self) -> Dialogue[AccessToken]:
        """Return a new access token."""
        ...


@runtime_checkable
class Checks(Protocol):
    """Can check its credentials without moving money."""

    def check(self) -> Dialogue[AccountFacts]:
        """Return whose account this is; raise `BadResponse` if the processor does not say."""
        ...


@runtime_checkable
class HasPublicSettings(Protocol):
    """Has settings that the payer's browser needs, such as a publishable key."""

    def public_settings(self) -> Mapping[str, str]:
        """Return by name the settings that anybody may see; never a secret."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxTrigger:
    """What makes a processor's sandbox answer in a certain way: a test token, or a postal code.

    Without a *method* a token has to be given by whoever runs the certification, because the
    processor publishes none.
    """

    method: OneTimeToken | None = None
    postal_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxTriggers:
    """What makes a sandbox approve a charge of one kind, and decline it if anything does."""

    approve: SandboxTrigger
    decline: SandboxTrigger | None = None


@runtime_checkable
class HasSandboxTriggers(Protocol):
    """Knows what its processor documents for its sandbox, for `paygate certify`."""

    def sandbox_triggers(self) -> Mapping[Kind, SandboxTriggers]:
        """Return the documented triggers of the sandbox, by kind."""
        ...


@runtime_checkable
class CarriesProcessor(Protocol):
    """Answers its own requests without a network, as the in-memory fake does."""

    def answer(self, request: Request) -> Response:
        """Respond as the processor would; raise `NotSent` or `NoResponse` as the network would."""
        ...


CAPABILITIES: Final[Mapping[Operation, type]] = {
    Operation.CHARGE: Charges,
    Operation.AUTHORIZE: Authorizes,
    Operation.COMPLETE: Completes,
    Operation.CAPTURE: Captures,
    Operation.VOID: Voids,
    Operation.REFUND: Refunds,
    Operation.WITHDRAW: Withdraws,
    Operation.ENROLL: Enrolls,
    Operation.FORGET: Forgets,
}
"""The protocol that a gateway must have for each operation."""
