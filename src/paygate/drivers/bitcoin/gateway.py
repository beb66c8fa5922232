"""Bitcoin: quotes and addresses on one side, a chain that is watched on the other.

Asking for a payment sends nothing that moves money: the core allots the number of
an address, the driver derives it and makes a quote. What arrives is found by
reading every block and looking each output script up among all that were ever
given away, so that what one block costs does not grow with the open invoices, and
an address of years ago is as good as one of today.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from paygate.driver import (
    AccountFacts,
    ActionRequired,
    BadResponse,
    FeedPage,
    InquiryBy,
    InvalidSettings,
    Keyed,
    Kind,
    LateRule,
    Limits,
    NoResponse,
    NotFound,
    NotSent,
    Operation,
    PayToAddress,
    Price,
    Rail,
    RejectCause,
    Rejected,
    Traits,
    Unsupported,
    at_once,
)
from paygate.drivers.bitcoin import blocks, rates
from paygate.drivers.bitcoin.core import CoreChain
from paygate.drivers.bitcoin.esplora import EsploraChain
from paygate.drivers.bitcoin.payment_uri import list_of, write_uri
from paygate.drivers.bitcoin.scripts import Scripts
from paygate.drivers.bitcoin.settings import Backend, BitcoinSettings
from paygate.drivers.bitcoin.waiting import Waiting, short
from paygate.drivers.bitcoin.watching import Watch, common_height

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from paygate.driver import Charge, Dialogue, Finding, Inquiry, Money, Outcome, Remainder
    from paygate.drivers.bitcoin.chain import Chain, Tip
    from paygate.drivers.bitcoin.descriptors import Wallet

DRIVER_VERSION: Final = "1"

# An address may be given away, and paid to, while a page is being read; and a ledger that was
# restored has forgotten some. So some more are watched than were allotted.
AHEAD: Final = 1000
_WALK_BACK: Final = 20
_BATCH: Final = 50


class Bitcoin:
    """Bitcoin on chain, to the addresses of a wallet whose keys are elsewhere."""

    name = "bitcoin"
    settings_model = BitcoinSettings

    def __init__(
        self, settings: BitcoinSettings, rate_source: rates.RateSource | None = None
    ) -> None:
        self._settings = settings
        self._wallet = settings.read_wallet()
        self._rates = rates.rates_of(settings, rate_source)
        self._quoted_last = rates.LastRates()
        self._chain: Chain = (
            CoreChain(settings) if settings.backend is Backend.CORE else EsploraChain(settings)
        )
        self._scripts = Scripts(self._wallet)
        fixed = rate_source is None and not settings.rate_servers
        limits = Limits(settings.minimum_satoshis, settings.maximum_satoshis)
        self._traits = Traits(
            live=settings.live,
            merchant_account=self._wallet.identity,
            driver_version=DRIVER_VERSION,
            rails={
                Kind.BITCOIN: Rail(
                    operations=frozenset({Operation.CHARGE}),
                    currencies=frozenset({"BTC", *settings.rates}) if fixed else None,
                    limits={"BTC": limits},
                    immediate=False,
                    payer_present=True,
                    variable_amount=True,
                    held_from_percent=settings.hold_from_percent,
                    withdrawable=False,
                    address_per=settings.address_per,
                    addresses_unused_max=settings.gap_limit,
                    late=LateRule(
                        settings.late, settings.late_drift_percent, settings.rate_factor_max
                    ),
                )
            },
            # The same address is returned again, however often it is asked for.
            idempotency=Keyed(ttl=timedelta(days=36500)),
            inquiry=InquiryBy.GATEWAY_REF,
            not_found_is_final_after=timedelta(hours=settings.watch_hours),
        )

    def __repr__(self) -> str:
        return f"Bitcoin({self._settings.network} {self._wallet.identity})"

    @property
    def traits(self) -> Traits:
        return self._traits

    @property
    def wallet(self) -> Wallet:
        """The addresses of the wallet."""
        return self._wallet

    # --- Ask for a payment -----------------------------------------------------------------------

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        """Return the address to pay to and how much, and until when the quote is good."""
        if charge.address_index is None:
            raise Unsupported("an address needs a number that the core allots")
        return self._charge(charge, charge.address_index)

    def _charge(self, charge: Charge, place: int) -> Dialogue[Outcome]:
        asked, source, price = charge.amount, "", ""
        if charge.amount.currency != "BTC":
            try:
                quoted = yield from self._quoted(charge.amount, charge.asked_at)
            except (rates.PriceRefused, NotSent, NoResponse) as fault:
                # Nothing but the price was asked for, so no money can be on its way.
                return Rejected(
                    cause=RejectCause.UNAVAILABLE, retryable=True, message=fault.message
                )
            asked, source, price = quoted.cost, quoted.source, quoted.rate
        low, high = self._settings.minimum_satoshis, self._settings.maximum_satoshis
        if not low <= asked.minor <= high:
            return Rejected(
                cause=RejectCause.VALIDATION,
                retryable=False,
                message=f"{charge.amount} is {asked.minor} satoshi; this takes {low} to {high}",
            )
        minutes = timedelta(minutes=self._settings.quote_minutes)
        enough = rates.enough(asked, self._settings.tolerance_percent)
        message = charge.description or list_of(charge.invoices)
        action = self._pay_to(place, asked, message, enough, price, source)
        return ActionRequired(
            action=action,
            reference=action.address,
            expires_at=None if charge.asked_at is None else charge.asked_at + minutes,
        )

    def ask_for_rest(self, remainder: Remainder) -> Dialogue[PayToAddress]:
        """Return the same address, and how much is left to be sent to it."""
        left, message = remainder, list_of(remainder.invoices)
        return at_once(
            self._pay_to(
                left.address_index, left.amount, message, left.enough, left.rate, left.rate_source
            )
        )

    def _pay_to(
        self, place: int, amount: Money, message: str, enough: Money | None, rate: str, source: str
    ) -> PayToAddress:
        """Return what the payer sees; less than *amount* is *enough* only if it has a *rate*."""
        address, label = self._wallet.address(place), self._settings.label
        return PayToAddress(
            address=address,
            amount=amount,
            uri=write_uri(address, amount.minor, label=label, message=message),
            enough=enough if rate else None,
            rate=rate,
            rate_source=source,
        )

    def _quoted(self, amount: Money, at: datetime | None) -> Dialogue[Price]:
        """Return what *amount* costs now, at a price that is like the last one."""
        rate = yield from self._rates.rate(amount.currency, at)
        self._quoted_last.check(amount.currency, rate, at, self._settings.rate_factor_max)
        price = self._priced(amount, rate)
        self._quoted_last.note(amount.currency, rate, at)
        return price

    def price(self, amount: Money, at: datetime | None) -> Dialogue[Price]:
        """Return what *amount* costs now, as a quote would say."""
        return self._priced(amount, (yield from self._rates.rate(amount.currency, at)))

    def _priced(self, amount: Money, rate: rates.Rate) -> Price:
        cost = rates.quote(amount, rate, self._settings.spread_percent)
        return Price(cost=cost, rate=f"{rate.value:f}", source=rate.source)

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        """Return that nothing is known apart from the feed, if the node can be asked at all.

        While it can't be, the feed is blind, and nothing must expire for that.
        """
        del inquiry
        yield from self._chain.tip(None)
        return NotFound()

    def check(self) -> Dialogue[AccountFacts]:
        """Ask the node for its newest block, and show the first addresses to compare."""
        tip = yield from self._chain.tip(self._settings.start_height)
        first = ", ".join(self._wallet.first())
        return AccountFacts(
            merchant_account=self._wallet.identity,
            live=self._settings.live,
            name=f"{self._settings.network}, block {tip.height}; first addresses {first}",
            currencies=tuple(sorted({"BTC", *self._settings.rates})),
        )

    # --- Watch ---------------------------------------------------------------------------------

    def watch(self, cursor: str, addresses: int, memory: Mapping[str, bytes]) -> Dialogue[FeedPage]:
        """Read some blocks on from where *cursor* says, and what waits at the end of them."""
        settings, wallet = self._settings, self._wallet.identity
        watch = Watch.read(cursor, wallet, memory) if cursor else None
        tip = yield from self._chain.tip(
            settings.start_height if watch is None else watch.height + 1
        )
        if watch is None:
            back = max(0, tip.height - settings.reorg_depth + 1)
            start = back if settings.start_height is None else settings.start_height
            watch = Watch(start, began=start)
        elif settings.start_height is not None and settings.start_height < watch.began:
            raise InvalidSettings(
                f"start_height is {settings.start_height}, and this account has been read from "
                f"block {watch.began} on: take it out of the settings, and to read those before as "
                f"well run paygate bitcoin rescan --from {settings.start_height}"
            )
        elif not (yield from self._on_the_same_chain(watch, tip)):
            yield from self._go_back(watch, tip)
        changes = self._scripts.extend(addresses + AHEAD, memory)
        begun_at = watch.height
        yield from self._read_blocks(watch, tip)
        at_end = watch.height >= tip.height
        more = False
        if at_end and settings.sees_unconfirmed:
            read, more = yield from self._meet_waiting(watch, memory)
            changes |= read
        elif at_end:
            watch.compare(frozenset())
        notices = watch.report(self._wallet.address, settings, whole=at_end and not more)
        watch.forget(settings.reorg_depth)
        after, watched = watch.write(wallet, memory)
        return FeedPage(
            notices=tuple(notices),
            cursor=after,
            more=not at_end or more,
            read=watch.height - begun_at,
            behind=max(0, tip.height - watch.height),
            memory=changes | watched,
        )

    def rescan(self, cursor: str, start: int, memory: Mapping[str, bytes]) -> Dialogue[FeedPage]:
        """Go on at block *start*, if the node has it and those after it."""
        wallet = self._wallet.identity
        watch = Watch.read(cursor, wallet, memory) if cursor else Watch(start, began=start)
        tip = yield from self._chain.tip(start)
        if start > tip.height + 1:
            raise BadResponse(f"the node's newest block is {tip.height}")
        watch.begin_again(start)
        after, changes = watch.write(wallet, memory)
        behind = tip.height - watch.height
        return FeedPage(notices=(), cursor=after, more=True, behind=behind, memory=changes)

    def _on_the_same_chain(self, watch: Watch, tip: Tip) -> Dialogue[bool]:
        if not watch.hashes:
            return True
        if tip.height < watch.height:
            if common_height(watch, tip.height, [tip.hash]) is not None:
                raise BadResponse(
                    f"the node is at block {tip.height}, and {watch.height} was read before: it is "
                    "behind; nothing is changed until it has caught up"
                )
            return False
        if tip.height == watch.height:
            return tip.hash == watch.hashes[-1]
        [theirs] = yield from self._hashes(watch.height, 1)
        return theirs == watch.hashes[-1]

    def _go_back(self, watch: Watch, tip: Tip) -> Dialogue[None]:
        """Undo blocks until the last one that both we and the node have."""
        end = min(watch.height, tip.height)
        while end >= watch.first:
            first = max(watch.first, end - _WALK_BACK + 1)
            theirs = yield from self._hashes(first, end - first + 1)
            common = common_height(watch, first, theirs)
            if common is not None:
                watch.go_back_to(common)
                return
            end = first - 1
        raise BadResponse(
            f"the chain of the node has none of the {len(watch.hashes)} blocks that were read "
            "last: it is another chain, or changed deeper than reorg_depth; nothing is changed. If "
            "the chain is the right one, run paygate bitcoin rescan --from HEIGHT, with a height "
            "before the change"
        )

    def _read_blocks(self, watch: Watch, tip: Tip) -> Dialogue[None]:
        count = min(tip.height - watch.height, self._settings.blocks_per_page)
        if count <= 0:
            return
        for hash_ in (yield from self._hashes(watch.height + 1, count)):
            raw = yield from self._chain.block(hash_)
            block = blocks.read_block(raw, self._scripts.places, watch.spent)
            if block.hash != hash_:
                raise BadResponse("the node sent another block than was asked for")
            if watch.hashes and block.previous != watch.hashes[-1]:
                return  # the chain changed just now; the next page goes back first
            watch.connect(block, self._settings.reorg_depth)

    def _hashes(self, first: int, count: int) -> Dialogue[Sequence[str]]:
        found = yield from self._chain.hashes(first, count)
        if len(found) != count:
            raise BadResponse("the node named another number of blocks than was asked for")
        return found

    def _meet_waiting(
        self, watch: Watch, memory: Mapping[str, bytes]
    ) -> Dialogue[tuple[dict[str, bytes | None], bool]]:
        """
        Read transactions that wait and were not read yet, as many as a page has.

        Return what is to be remembered, and whether there are more.
        """
        known = Waiting(memory)
        waiting = {short(id_): id_ for id_ in (yield from self._chain.mempool())}
        read = {name for name in known.read if name in waiting}
        new = sorted(id_ for name, id_ in waiting.items() if name not in read)
        now = new[: self._chain.transactions_per_page]
        for begin in range(0, len(now), _BATCH):
            batch = now[begin : begin + _BATCH]
            answers = yield from self._chain.transactions(batch)
            for id_, raw in zip(batch, answers, strict=True):
                if raw is None:
                    continue  # it has left; should it come back, it is read then
                read.add(short(id_))
                transaction = blocks.read_transaction(raw, self._scripts.places, watch.spent)
                if transaction is not None and transaction.id == id_:
                    watch.meet(transaction)
        watch.compare(frozenset(waiting.values()))
        return known.become(read), len(new) > len(now)
