"""The gateway protocol: what a driver is, can do, and must tell about itself.

A driver is any object with a `name` and `traits`. What it can do it shows by
having the method: every capability is a small protocol of its own. `traits` is
data that a portal reads before it shows a button; `traits.offers(kind,
operation)` narrows a capability to the kinds and the account it works for.

Every operation carries `key`, the idempotency key that the core derived for it
and that stays the same when it is repeated, and `our_ref`, our id for it, which
a driver passes on wherever the processor lets an inquiry find it again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, runtime_checkable

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
    from paygate.domain.charging import ChargeLine, ChargeReason
    from paygate.domain.customer import Browser, Customer, PayerField
    from paygate.domain.method import Mandate, MethodNews
    from paygate.domain.movement import Movement, MovementKind, Sighting
    from paygate.domain.outcome import Finding, Outcome
    from paygate.domain.quoting import Price

PROTOCOL_VERSION: Final = 1
"""The version of this protocol; it grows when a driver that was right would become wrong.

Within a version names and meanings stay, and what is new has a default: a new field of
a question may be ignored, a new capability left out. `Traits.protocol_version` says which
version a driver speaks; the core refuses any other, before anything is stored or sent.
"""


def foreign_version(spoken: int) -> str:
    """Tell what to do about a driver that speaks version *spoken*; empty if nothing."""
    if spoken == PROTOCOL_VERSION:
        return ""
    mend = "upgrade the driver's package" if spoken < PROTOCOL_VERSION else "upgrade paygate-sdk"
    return (
        f"it speaks version {spoken} of the gateway protocol, and this paygate speaks "
        f"{PROTOCOL_VERSION}: {mend}"
    )


def step_key(key: str, step: str) -> str:
    """Derive the idempotency key of the request *step* of the operation *key*."""
    return f"{key}-{step}"


def digest_key(*parts: str) -> str:
    """Make a key of 40 characters from *parts*, the same for the same parts for ever."""
    text = "\x1f".join(parts)
    return hashlib.sha256(text.encode()).hexdigest()[:40]


# --- What is asked ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoredToken:
    """The gateway's token of a stored method, taken out of the ledger for one request."""

    value: Secret[str]
    network_transaction_id: str = ""


Method: TypeAlias = OneTimeToken | StoredToken | RawCard | RawBankAccount
"""What is charged: a one-time token, a stored method, or raw data by explicit choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """Collect (or hold, for authorize) *amount*.

    `invoices` are the numbers of what is paid. `payer_present` tells who started it,
    for the card networks' rules: the payer now, or we with a stored method. `address_index`
    is the number that the core allotted where the rail wants one; `asked_at` the
    instant from which a quote is good.

    `reason` says by which agreement a stored method is charged, or what for one is stored.
    `lines` say how much is for which invoice; a payer may also pay more than they add up
    to. `statement_suffix`, `receipt_email`, `metadata` and `ship_to` (who gets the goods,
    and where) are the host's; a driver sends what its processor has a place for and leaves
    the rest. With `moto` the payer gave the card by mail or telephone, so nobody can be
    asked to authenticate. `customer_reference` is the processor's own id of the payer, if a
    `StoredMethod` told it.
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
    """What is left of what a payer was asked for at an address, after a part of it has come.

    `reference` and `address_index` are those of the charge, `rate` and `rate_source` those of its
    quote. `amount` is in the currency in which it was asked for; from `enough` on the payment
    counts as made in full.
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
    """Finish a charge after the payer came back, or after the processor said it is ready."""

    key: str
    our_ref: str
    payment: str
    reference: str
    amount: Money
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """Take *amount* of an authorisation; with `final` the rest is released."""

    key: str
    our_ref: str
    payment: str
    reference: str
    amount: Money
    final: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Voiding:
    """Undo a charge before settlement, or release what is left of an authorisation."""

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
    """Withdraw a page or slip that should not be paid any more."""

    key: str
    our_ref: str
    payment: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """
    Ask what became of an operation; `reference` is empty if the processor never named it.

    `sent_at` is when it can first have been sent, `last_sent_at` when it was last; who
    looks for it in a list looks from the one to the other. `booked` names the movements
    of the payment that are in the books. A processor that shows only how a dispute stands
    now repeats itself when it takes money a second time; a driver tells the two apart by
    what is booked, and gives the second taking a movement id of its own. `collected` is
    how much of the payment is booked as charged or captured; a processor that shows no
    amount of what it voided gives back that much.

    `parent_reference` is what the operation was done to, by the processor's name: the
    charge or authorisation that is captured, voided, refunded, completed or withdrawn. It is
    there before the processor has named the operation itself, so a processor that lists
    captures or refunds only under their payment can be asked too. `movement_id` is the
    movement that a refund sends back. Both are empty for what follows nothing.
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

    `currency` is that of later charges, if the host says it: what a page offers may
    depend on it. `customer_reference` is the processor's own id of the payer, if a
    `StoredMethod` told it before.
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


# --- What a driver tells about itself ------------------------------------------------


class InquiryBy(StrEnum):
    """How an operation can be found again whose answer was lost.

    What is done to a payment later can also be looked for under the payment, by
    `Inquiry.parent_reference`; a driver that finds nothing there says `Unknown`.
    """

    OUR_REF = "our_ref"
    """By `our_ref`, which travelled with the request."""
    GATEWAY_REF = "gateway_ref"
    """By the processor's own name, once it has given one or a `Note` has kept it."""
    LIST_SCAN = "list_scan"
    """In a list of the time, of a customer or of a payment, by `our_ref` or our key in it."""
    NONE = "none"
    """Not at all: what is unknown waits for a callback, a feed or a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyed:
    """The processor keeps our idempotency key for *ttl* and answers a repetition as before."""

    ttl: timedelta
    replays_errors: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DedupWindow:
    """
    The processor refuses, or answers as before, what looks the same within *window*.

    It is taken to forget what it declined. So a request is sent again only when the
    one before it can no longer be on its way.
    """

    window: timedelta
    returns_original: bool = False


@dataclass(frozen=True, slots=True)
class NotIdempotent:
    """The processor does again whatever it is sent again."""


Idempotency: TypeAlias = Keyed | DedupWindow | NotIdempotent


class CallbackStyle(StrEnum):
    """How the processor's callbacks are answered."""

    NONE = "none"
    """There are no callbacks."""
    ACKNOWLEDGED = "acknowledged"
    """They are stored and answered at once, and applied later."""
    ANSWERED = "answered"
    """Our reply carries the result, so they are applied before it."""


class CallbackProof(StrEnum):
    """What a processor's callbacks prove by themselves.

    A signature covers the bytes, and in most schemes the instant at which it was
    made, by which the core refuses recordings. Without an instant, nothing is fetched
    for bytes that were taken in before. Without a signature the driver believes
    nothing of the body, and lets the core inquire, each time that one comes.
    """

    SIGNED_WITH_INSTANT = "signed_with_instant"
    """A signature covers the bytes and the instant: an old recording is refused."""
    SIGNED = "signed"
    """A signature covers the bytes alone: nothing is fetched twice for the same bytes."""
    NONE = "none"
    """Nothing: the driver believes nothing of the body, and lets the core inquire."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The smallest and largest amount, in minor units; None where there is no bound."""

    minimum_minor: int | None = None
    maximum_minor: int | None = None


class AddressPer(StrEnum):
    """Who has an address of their own to pay to: each payer, or each set of invoices of a payer."""

    PAYER = "payer"
    """Each payer has an address, for all invoices."""
    INVOICE = "invoice"
    """Each set of invoices of a payer has an address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rail:
    """What one kind of payment can do at one gateway account.

    `operations` are what it can do; with ENROLL among them a charge may also store its
    method (`Charge.store_method`), on a page as well.
    `methods` are the types of `Method` of which a charge needs one; none where the
    payer chooses on the processor's page. `currencies` is None where any will do.
    `variable_amount` says that the payer decides what arrives; what is seen on its way
    then holds nothing below `held_from_percent` of what was asked for; `withdrawable` that a
    page or slip can be withdrawn; `immediate` that the result usually comes with
    the answer; `tells_settlement` that it tells when accepted money has reached
    the merchant; `payer_present` that it can't be charged without the payer, so
    never by autopay. `address_per` says that each charge needs the number of an address
    to pay to, such as a Bitcoin address; the core numbers them for the wallet that
    `Traits.merchant_account` names, and warns where more than `addresses_unused_max` in
    a row are unpaid. `late` says what money is worth that comes after its quote has expired;
    for anything but the quote's price the gateway has to be one that `Prices`. `settles_within`
    is how long accepted money takes at most to reach the merchant: what has not settled by then
    is inquired about and flagged; None where the rail does not tell settlement.
    `refundable_after` is for how many banking days after settlement the payer's bank can still
    return the money; None for what is usual for the kind.
    """

    operations: frozenset[Operation]
    currencies: frozenset[str] | None = None
    limits: Mapping[str, Limits] = field(default_factory=dict[str, Limits])
    payer_fields: frozenset[PayerField] = frozenset()
    methods: frozenset[type] = frozenset()
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
    tells_settlement: bool = False
    refundable_after: int | None = None
    settles_within: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What a gateway account is and can do, as data.

    `not_found_is_final_after` is how long after sending an inquiry's "not found"
    may be believed (None: never); `max_in_flight` how long a request can still be
    on its way after we gave up waiting for it.
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
    # Not PROTOCOL_VERSION: a driver that says nothing was written for the first version, and
    # must not claim a later one because a newer paygate was installed beside it.
    protocol_version: int = 1

    def offers(self, kind: Kind, operation: Operation) -> bool:
        """Tell whether *operation* can be done for payments of *kind* at this account."""
        rail = self.rails.get(kind)
        return rail is not None and operation in rail.operations


# --- Callbacks and feeds ----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Callback:
    """What a processor sent to us, raw; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    query: str = ""
    received_at: datetime

    def __repr__(self) -> str:
        return f"Callback({self.method} {self.path}, {len(self.body)} bytes)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing that a callback or feed tells, already authenticated.

    `event_id` is the processor's id of this one fact, and not of what the fact is about: the
    same fact is applied once, however often and from wherever it is told, and another fact
    under the same id is a conflict that waits for a person. If a callback proves nothing
    (`CallbackProof.NONE`) and names only a payment, that name will do: the core asks about it
    once for all that came while it waited, and asks again when it comes again.

    It concerns the operation of ours that `our_ref` or `reference` names, or, if we
    do not know that name yet, `earlier_reference`: what it went by before the
    processor named it, such as the order number of a page. `answer` is what it
    says, or None where it is only a hint to inquire; `ready` says that the payer
    approved and the operation now wants `complete`. `signed_at` is the instant that
    the signature covers, where the scheme has one: the core refuses what is too old
    or from the future. `movements` tell money that moved or settled beside what the
    answer says, `disputes` how disputes of it stand. `address_index` is the number of the
    place that was paid to, where the core numbers them, and `sighting` the money that the
    notice is about: it belongs to the quote that was good when it was first seen. It is
    first seen when the notice comes, or at `occurred_at` if that is earlier.

    `foreign` says that the object carries no reference of ours, though each that we make does:
    another system made it, which uses the same account of the processor. If the ledger does
    not know it either, the notice is ignored; without this it would be an orphan, for a person.

    `payer_number` is what the money was paid to if the payer paid by themselves: the number of a
    virtual account, a customer reference number, a static address. If no operation of ours is
    named, the money is booked for the customer who has the number, else to nobody, and never
    lost. Such a notice tells one movement that comes, and perhaps what moved of it since;
    `reference` then names that money, and not the number. What goes back later is of the money
    that it `undoes`. `kind` is the kind of its payment, needed if the account has several.

    `method` tells what became of a stored method: a card was renewed, a mandate was revoked.

    `unreadable` says why something authentic could not be read: an amount in a currency
    that the processor is not known to use, a field that is missing. It is kept as failed
    with that reason, moves no money, and what was told after it goes on; so a driver
    returns it instead of raising, which would stop the whole page of a feed.
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


class Applied(StrEnum):
    """What became of a notice; an answered callback's reply is made of it.

    A notice without money and without an answer asks: may this page or slip be paid? Its
    result is how the payment stands, and only `OPEN` means that it may.
    """

    BOOKED = "booked"
    """It brought money or news, which is in the books now."""
    NO_CHANGE = "no_change"
    """What it says was known before."""
    UNKNOWN_REFERENCE = "unknown_reference"
    """No payment of ours goes by what it names."""
    REFUSED = "refused"
    """It contradicts what was said before, cannot be read, or must not be acted on now."""
    OPEN = "open"
    """The page or slip waits for its payer, and may be paid."""
    PAID = "paid"
    """Its money is here or on its way; it should not be paid again."""
    WITHDRAWN = "withdrawn"
    """It was withdrawn, another payment took its place, or it ended without money."""
    EXPIRED = "expired"
    """It ran out before it was paid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Our answer to a callback."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedPage:
    """One page of a feed: its notices, the cursor to go on from, and whether more waits.

    `read` is how much of the feed this page has read, and `behind` how much is left after it, if
    the gateway can tell (in blocks, for a chain). `memory` is what has changed of what the
    gateway remembers: the new value for each name, or None to forget it; see `Watches`.
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
    """What a gateway says of the account whose credentials we hold."""

    merchant_account: str
    live: bool
    name: str = ""
    currencies: tuple[str, ...] = ()


# --- The protocols ------------------------------------------------------------------------


@runtime_checkable
class Gateway(Protocol):
    """What every driver is; what it can do are the protocols below."""

    @property
    def name(self) -> str:
        """The name of the driver, as in its entry point."""
        ...

    @property
    def traits(self) -> Traits:
        """What this account is and can do; the same for the life of the object."""
        ...


@runtime_checkable
class Charges(Protocol):
    """Collects an amount in one operation."""

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        """Collect the amount, or start collecting it."""
        ...


@runtime_checkable
class Authorizes(Protocol):
    """Holds an amount to be captured later."""

    def authorize(self, charge: Charge) -> Dialogue[Outcome]:
        """Hold the amount."""
        ...


@runtime_checkable
class Completes(Protocol):
    """Finishes what the payer approved elsewhere."""

    def complete(self, completion: Completion) -> Dialogue[Outcome]:
        """Finish a charge that needed the payer."""
        ...


@runtime_checkable
class Captures(Protocol):
    """Takes money that was authorised."""

    def capture(self, capture: Capture) -> Dialogue[Outcome]:
        """Take all or part of an authorisation."""
        ...


@runtime_checkable
class Voids(Protocol):
    """Undoes what has not settled."""

    def void(self, voiding: Voiding) -> Dialogue[Outcome]:
        """Undo a charge, or release an authorisation."""
        ...


@runtime_checkable
class Refunds(Protocol):
    """Sends money back."""

    def refund(self, refunding: Refunding) -> Dialogue[Outcome]:
        """Send all or part of a receipt back."""
        ...


@runtime_checkable
class Withdraws(Protocol):
    """Withdraws pages and slips."""

    def withdraw(self, withdrawal: Withdrawal) -> Dialogue[Outcome]:
        """Make a page or slip unpayable."""
        ...


@runtime_checkable
class LooksUp(Protocol):
    """Tells what became of an operation."""

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        """
        Find the operation and tell its state as an outcome of that operation.

        An inquiry that the processor refuses is no finding about the operation:
        raise `BadResponse` or return `Unknown`, never `Rejected` or `NotFound`.
        """
        ...


@runtime_checkable
class Enrolls(Protocol):
    """Stores methods at the processor."""

    def enroll(self, enrollment: Enrollment) -> Dialogue[Outcome]:
        """Store a method; the approval carries it."""
        ...

    def forget(self, forgetting: Forgetting) -> Dialogue[Outcome]:
        """Delete a stored method."""
        ...


@runtime_checkable
class Verifies(Protocol):
    """Reads the processor's callbacks."""

    def verify(self, callback: Callback) -> Dialogue[list[Notice]]:
        """
        Authenticate a callback on its raw bytes and read it, or raise `NotAuthentic`.

        Look at the signature before anything is fetched. If what is needed to verify or to
        read it cannot be fetched now, let the fault out: the callback is answered 503, and
        comes again.
        """
        ...

    def reply(self, notice: Notice, result: Applied) -> Reply:
        """Make our answer to the callback."""
        ...


@runtime_checkable
class Feeds(Protocol):
    """Has things to tell that must be polled."""

    def feed(self, cursor: str) -> Dialogue[FeedPage]:
        """Read the page after *cursor* (empty: from the beginning)."""
        ...


@runtime_checkable
class Watches(Protocol):
    """Has a feed about numbered addresses to pay to, which it can only read if it knows how many.

    What it must remember between two pages beside its position is kept for it by name. A page
    says what has changed, and the change is stored in the transaction that stores the notices
    and the cursor; so the three agree, whenever a process dies.
    """

    def watch(self, cursor: str, places: int, memory: Mapping[str, bytes]) -> Dialogue[FeedPage]:
        """
        Read the page after *cursor* (empty: from the beginning) about the first *places*.

        *memory* is what all pages up to that cursor have stored.
        """
        ...


@runtime_checkable
class Rescans(Protocol):
    """Watches a chain of numbered blocks, and can read it again from any of them."""

    def rescan(self, cursor: str, start: int, memory: Mapping[str, bytes]) -> Dialogue[FeedPage]:
        """
        Return a page without notices, after which the feed goes on at block *start*.

        *cursor* and *memory* are those of `watch`. What was told before is told again under other
        event ids and with the same movement ids, so nothing is booked twice.
        """
        ...


@runtime_checkable
class Prices(Protocol):
    """Takes payments in a currency of its own, and says what an amount costs in it."""

    def price(self, amount: Money, at: datetime | None) -> Dialogue[Price]:
        """
        Return what *amount* costs now, which is *at* if that is known.

        Raise `BadResponse` if nobody says it.
        """
        ...


@runtime_checkable
class AsksForRest(Protocol):
    """Gives the payer an address to pay to, and says there what is left when a part has come."""

    def ask_for_rest(self, remainder: Remainder) -> Dialogue[PayToAddress]:
        """Return what the payer is to do for *remainder*: at the same place and price."""
        ...


@runtime_checkable
class SignsIn(Protocol):
    """Needs an access token on its requests; the core caches it per account."""

    def sign_in(self) -> Dialogue[AccessToken]:
        """Get a new access token."""
        ...


@runtime_checkable
class Checks(Protocol):
    """Can prove its credentials without moving money."""

    def check(self) -> Dialogue[AccountFacts]:
        """Ask the processor whose account this is; raise `BadResponse` if it will not say."""
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
    """Answers its own requests: the in-memory fake, which needs no network."""

    def answer(self, request: Request) -> Response:
        """Answer as the processor would; raise `NotSent` or `NoResponse` as the network would."""
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
    Operation.FORGET: Enrolls,
}
"""Which protocol a gateway must have for which operation."""
