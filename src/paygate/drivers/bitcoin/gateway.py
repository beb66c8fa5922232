"""Bitcoin: quotes and addresses on one side, and the chain that is watched on the other.

A charge sends no request that moves money: the core allots the number of an address, and the
driver derives the address and makes a quote. Payments are found by reading every block and
looking up each output script among those of all addresses that were ever issued. So the cost of
a block does not grow with the number of open invoices, and old addresses work like new ones.
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
    listed,
)
from paygate.drivers.bitcoin import blocks, rates
from paygate.drivers.bitcoin.core import CoreChain
from paygate.drivers.bitcoin.esplora import EsploraChain
from paygate.drivers.bitcoin.payment_uri import MESSAGE_MAX, write_uri
from paygate.drivers.bitcoin.scripts import Scripts
from paygate.drivers.bitcoin.settings import Backend, BitcoinSettings
from paygate.drivers.bitcoin.waiting import Waiting, short
from paygate.drivers.bitcoin.watching import Watch, common_height

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from paygate.driver import Charge, Dialogue, Finding, Inquiry, Money, Outcome, Remainder
    from paygate.drivers.bitcoin.chain import Chain, Tip

DRIVER_VERSION: Final = "1"

AHEAD: Final = 1000
"""How many addresses are watched beyond those allotted.

An address may be issued and paid to while a page is being read, and a restored ledger may lack
the last ones.
"""
_WALK_BACK: Final = 20
_BATCH: Final = 50


class Bitcoin:
    """Bitcoin on chain, paid to the addresses of a wallet whose private keys are elsewhere."""

    name = "bitcoin"
    settings_model = BitcoinSettings

    def __init__(
        self, settings: BitcoinSettings, rate_source: rates.RateSource | None = None
    ) -> None:
        self._settings = settings
        self.wallet = settings.read_wallet()
        self._rates = rates.rates_of(settings, rate_source)
        self._quoted_last = rates.LastRates()
        self._chain: Chain = (
            CoreChain(settings) if settings.backend is Backend.CORE else EsploraChain(settings)
        )
        self._scripts = Scripts(self.wallet)
        fixed = rate_source is None and not settings.rate_servers
        limits = Limits(settings.minimum_satoshis, settings.maximum_satoshis)
        self.traits = Traits(
            live=settings.live,
            merchant_account=self.wallet.identity,
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
            # A charge that is repeated returns the same address, however late.
            idempotency=Keyed(ttl=timedelta(days=36500)),
            inquiry=InquiryBy.GATEWAY_REF,
            not_found_is_final_after=timedelta(hours=settings.watch_hours),
        )

    def __repr__(self) -> str:
        return f"Bitcoin({self._settings.network} {self.wallet.identity})"

    # --- Request a payment -----------------------------------------------------------------------

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        """Return the address to pay to, the amount, and the time at which the quote expires."""
        if charge.address_index is None:
            raise Unsupported("an address needs a number that the core allots")
        asked, source, price = charge.amount, "", ""
        if charge.amount.currency != "BTC":
            try:
                quoted = yield from self._quoted(charge.amount, charge.asked_at)
            except (rates.PriceRefused, NotSent, NoResponse) as fault:
                # Only the price was requested, so no money can be on its way.
                return Rejected(
                    cause=RejectCause.UNAVAILABLE, retryable=True, message=fault.message
                )
            asked, source, price = quoted.cost, quoted.source, quoted.rate
        low, high = self._settings.minimum_satoshis, self._settings.maximum_satoshis
        if not low <= asked.minor <= high:
            return Rejected(
                cause=RejectCause.VALIDATION,
                retryable=False,
                message=f"{charge.amount} is {asked.minor} satoshi; the account accepts {low} "
                f"to {high}",
            )
        minutes = timedelta(minutes=self._settings.quote_minutes)
        enough = rates.enough(asked, self._settings.tolerance_percent)
        message = charge.description or listed(charge.invoices, MESSAGE_MAX)
        action = self._pay_to(charge.address_index, asked, message, enough, price, source)
        return ActionRequired(
            action=action,
            reference=action.address,
            expires_at=None if charge.asked_at is None else charge.asked_at + minutes,
        )

    def ask_for_rest(self, remainder: Remainder) -> Dialogue[PayToAddress]:
        """Return the same address, and the amount that is still to be sent to it."""
        left, message = remainder, listed(remainder.invoices, MESSAGE_MAX)
        action = self._pay_to(
            left.address_index, left.amount, message, left.enough, left.rate, left.rate_source
        )
        return at_once(action)

    def _pay_to(
        self, place: int, amount: Money, message: str, enough: Money | None, rate: str, source: str
    ) -> PayToAddress:
        """Return what the payer sees; only an amount with a *rate* has a tolerance (*enough*)."""
        address, label = self.wallet.address(place), self._settings.label
        return PayToAddress(
            address=address,
            amount=amount,
            uri=write_uri(address, amount.minor, label=label, message=message),
            enough=enough if rate else None,
            rate=rate,
            rate_source=source,
        )

    def _quoted(self, amount: Money, at: datetime | None) -> Dialogue[Price]:
        """Return the current cost of *amount*, at a price that is close to the last one."""
        rate = yield from self._rates.rate(amount.currency, at)
        self._quoted_last.check(amount.currency, rate, at, self._settings.rate_factor_max)
        price = self._priced(amount, rate)
        self._quoted_last.note(amount.currency, rate, at)
        return price

    def price(self, amount: Money, at: datetime | None) -> Dialogue[Price]:
        """Return the current cost of *amount*, as a quote would state it."""
        return self._priced(amount, (yield from self._rates.rate(amount.currency, at)))

    def _priced(self, amount: Money, rate: rates.Rate) -> Price:
        cost = rates.quote(amount, rate, self._settings.spread_percent)
        return Price(cost=cost, rate=f"{rate.value:f}", source=rate.source)

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        """Return `NotFound`, since only the feed reports payments; raise if the node is down.

        While the node is down the feed sees nothing, and no payment may expire because of that.
        """
        del inquiry
        yield from self._chain.tip(None)
        return NotFound()

    def check(self) -> Dialogue[AccountFacts]:
        """Return the node's newest block, and the first addresses to compare with the wallet."""
        tip = yield from self._chain.tip(self._settings.start_height)
        first = ", ".join(self.wallet.first())
        return AccountFacts(
            merchant_account=self.wallet.identity,
            live=self._settings.live,
            name=f"{self._settings.network}, block {tip.height}; first addresses {first}",
            currencies=tuple(sorted({"BTC", *self._settings.rates})),
        )

    # --- Watch ---------------------------------------------------------------------------------

    def watch(self, cursor: str, addresses: int, memory: Mapping[str, bytes]) -> Dialogue[FeedPage]:
        """Read some blocks after *cursor*, and unconfirmed transactions after the last block."""
        settings, wallet = self._settings, self.wallet.identity
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
                f"start_height is {settings.start_height}, but this account was read from block "
                f"{watch.began} on: take it out of the settings, and to read the earlier blocks as "
                f"well, run paygate bitcoin rescan --from {settings.start_height}"
            )
        elif not (yield from self._on_the_same_chain(watch, tip)):
            yield from self._go_back(watch, tip)
        changes = self._scripts.extend(addresses + AHEAD, memory)
        begun_at = watch.height
        yield from self._read_blocks(watch, tip)
        at_end = watch.height >= tip.height
        more = False
        if at_end and settings.sees_unconfirmed:
            read, more = yield from self._read_unconfirmed(watch, memory)
            changes |= read
        elif at_end:
            watch.compare(frozenset())
        notices = watch.report(self.wallet.address, settings, whole=at_end and not more)
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
        """Continue at block *start*, if the node has it and all blocks after it."""
        wallet = self.wallet.identity
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
                    f"the node is at block {tip.height}, but block {watch.height} was read before: "
                    "it is behind; nothing is changed until it has caught up"
                )
            return False
        if tip.height == watch.height:
            return tip.hash == watch.hashes[-1]
        [theirs] = yield from self._hashes(watch.height, 1)
        return theirs == watch.hashes[-1]

    def _go_back(self, watch: Watch, tip: Tip) -> Dialogue[None]:
        """Undo the blocks after the last one that both we and the node have."""
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
            f"the node's chain has none of the last {len(watch.hashes)} blocks that were read: it "
            "is another chain, or it changed deeper than reorg_depth; nothing was changed. If it "
            "is the right chain, run paygate bitcoin rescan --from HEIGHT, with a height before "
            "the change"
        )

    def _read_blocks(self, watch: Watch, tip: Tip) -> Dialogue[None]:
        count = min(tip.height - watch.height, self._settings.blocks_per_page)
        if count <= 0:
            return
        for hash_ in (yield from self._hashes(watch.height + 1, count)):
            raw = yield from self._chain.block(hash_)
            block = blocks.read_block(raw, self._scripts.places, watch.spent)
            if block.hash != hash_:
                raise BadResponse("the node sent another block than the one requested")
            if watch.hashes and block.previous != watch.hashes[-1]:
                return  # the chain has just changed; the next page goes back first
            watch.connect(block, self._settings.reorg_depth)

    def _hashes(self, first: int, count: int) -> Dialogue[Sequence[str]]:
        found = yield from self._chain.hashes(first, count)
        if len(found) != count:
            raise BadResponse("the node gave another number of blocks than requested")
        return found

    def _read_unconfirmed(
        self, watch: Watch, memory: Mapping[str, bytes]
    ) -> Dialogue[tuple[dict[str, bytes | None], bool]]:
        """Read a page of unconfirmed transactions that were not read before.

        Return what is to be stored, and whether there are more.
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
                    continue  # it has left the mempool; if it returns, it is read then
                read.add(short(id_))
                transaction = blocks.read_transaction(raw, self._scripts.places, watch.spent)
                if transaction is not None and transaction.id == id_:
                    watch.meet(transaction)
        watch.compare(frozenset(waiting.values()))
        return known.become(read), len(new) > len(now)
