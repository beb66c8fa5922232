"""Status: the state of the ledger, and what in it needs attention."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from paygate.domain.callback import InboxState, Refusal
from paygate.domain.status import AccountStatus, Concern, LedgerStatus
from paygate.ledger import accounts, attempts, feeds, refused, sending, totals
from paygate.printing import counted
from paygate.service import agenda, stored_accounts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from paygate.domain.callback import RefusedCallbacks
    from paygate.domain.status import FlaggedPayments, SinkStatus, UnknownOutcomes
    from paygate.ledger.sending import Stopped
    from paygate.ledger.tx import Tx

SHOWN: Final = 20
"""How many ids a list names at most."""

OVERDUE_AFTER: Final = timedelta(hours=1)
"""How long something may be due, or fail, before it needs attention."""

UNREAD_AFTER: Final = timedelta(days=1)
"""How old the last complete reading of a feed may be."""

UNKNOWN_AFTER: Final = timedelta(days=1)
"""How long an outcome may be unknown; by then seven inquiries have been planned."""

REFUSED_WITHIN: Final = timedelta(days=1)
"""How long a refused callback is a concern; the processor repeats undelivered ones."""

RETIRED_AFTER: Final = timedelta(days=30)
"""After how long without a process an account counts as no longer used."""


def status(tx: Tx) -> LedgerStatus:
    """Return the current state of the ledger."""
    found = _accounts(tx)
    reviews = totals.reviews(tx, SHOWN)
    unknown = totals.unknown(tx, SHOWN)
    changes = attempts.changes_to_review(tx, SHOWN)
    sinks = totals.sinks(tx)
    concerns = [
        *_of_sending(sending.stopped(tx)),
        *(each for account in found for each in _of_account(account, tx)),
        *_of_unknown(unknown, tx.now),
        *_of_reviews(reviews, changes),
        *(each for sink in sinks for each in _of_sink(sink, tx.now)),
    ]
    return LedgerStatus(
        at=tx.now,
        concerns=concerns,
        invoices=totals.invoices(tx),
        prepayments=totals.prepayments(tx),
        payments=totals.payments(tx),
        reviews=reviews,
        methods_need_review=changes,
        unknown=unknown,
        accounts=found,
        sinks=sinks,
    )


def _accounts(tx: Tx) -> list[AccountStatus]:
    known = {each.name: each for each in accounts.all_known(tx)}
    read = {each.account: each for each in feeds.standing(tx)}
    refusals: dict[str, list[RefusedCallbacks]] = {}
    for each in refused.counted(tx):
        refusals.setdefault(each.account, []).append(each)
    stuck = totals.stuck(tx)
    overdue = {each.account: each for each in agenda.unattended(tx, OVERDUE_AFTER)}
    disabled = {
        each.name: each.reason for each in stored_accounts.of_tenant(tx) if not each.enabled
    }
    found: list[AccountStatus] = []
    for name in sorted({*known, *read, *refusals, *stuck, *overdue, *disabled}):
        one, feed, late = known.get(name), read.get(name), overdue.get(name)
        waits = stuck.get(name, {})
        found.append(
            AccountStatus(
                name=name,
                driver="" if one is None else one.driver,
                disabled=name in disabled,
                disabled_reason=disabled.get(name, ""),
                has_feed=feed is not None or (one is not None and one.has_feed),
                credentials_rejected_since=None if one is None else one.rejected_since,
                credentials_fault="" if one is None else one.rejected_for,
                read_at=None if feed is None else feed.complete_since,
                feed_fault="" if feed is None else feed.fault,
                feed_failing_since=None if feed is None else feed.failing_since,
                refused=refusals.get(name, []),
                stuck={state: count for state, (count, _) in waits.items()},
                stuck_since=min((since for _, since in waits.values()), default=None),
                overdue_inquiries=0 if late is None else late.attempts,
                overdue_callbacks=0 if late is None else late.callbacks,
                overdue_since=None if late is None else late.since,
            )
        )
    return found


# --- What needs attention ------------------------------------------------------------------


def _of_sending(stopped: Stopped | None) -> Iterator[Concern]:
    if stopped is not None:
        text = f"sending was stopped by {stopped.actor}: {stopped.reason}"
        yield Concern(name="sending-stopped", text=text, since=stopped.since)


def _of_account(one: AccountStatus, tx: Tx) -> Iterator[Concern]:
    since = one.credentials_rejected_since
    if since is not None:
        text = f"the gateway rejects our credentials: {one.credentials_fault}"
        yield Concern(name="credentials-rejected", subject=one.name, text=text, since=since)
    yield from _of_feed(one, tx)
    lately = tx.now - REFUSED_WITHIN
    for each in one.refused:
        # A callback without a signature is not from the processor; anybody can send one.
        if each.last_at >= lately and each.why is not Refusal.UNSIGNED:
            yield Concern(
                name="callbacks-refused",
                subject=one.name,
                text=f"{each.times} refused ({each.why}), the last one at "
                f"{each.last_at:%Y-%m-%d %H:%M} UTC{_called(each)}",
                since=each.first_at,
            )
    if one.stuck:
        counts = ", ".join(
            f"{one.stuck[each]} {_STUCK[each]}" for each in _STUCK if each in one.stuck
        )
        yield Concern(name="callbacks-stuck", subject=one.name, text=counts, since=one.stuck_since)
    if one.overdue_inquiries or one.overdue_callbacks:
        text = (
            f"{counted(one.overdue_inquiries, 'inquiry', 'inquiries')} and "
            f"{counted(one.overdue_callbacks, 'callback')} are overdue; no process recovers them"
        )
        yield Concern(name="recovery-overdue", subject=one.name, text=text, since=one.overdue_since)


_STUCK: Final = {
    InboxState.ORPHAN: "about operations that are not in this ledger",
    InboxState.FAILED: "that could not be applied",
    InboxState.CONFLICTED: "that contradict an earlier one",
}


def _called(of: RefusedCallbacks) -> str:
    called = " ".join(each for each in (of.type, of.event_id) if each)
    return f" ({called})" if called else ""


def _of_feed(one: AccountStatus, tx: Tx) -> Iterator[Concern]:
    failing = one.feed_failing_since
    if failing is not None and tx.now - failing >= OVERDUE_AFTER:
        text = f"its feed cannot be read: {one.feed_fault}"
        yield Concern(name="feed-failing", subject=one.name, text=text, since=failing)
    elif one.has_feed and failing is None:
        seen = next((each for each in accounts.all_known(tx) if each.name == one.name), None)
        if seen is None or tx.now - seen.last_seen_at > RETIRED_AFTER:
            return
        text = "its feed was never read to its end"
        if one.read_at is not None:
            text = f"its feed was last read at {one.read_at:%Y-%m-%d %H:%M} UTC"
        since = one.read_at or seen.first_seen_at
        if tx.now - since > UNREAD_AFTER:
            yield Concern(name="feed-unread", subject=one.name, text=text, since=since)


def _of_unknown(unknown: UnknownOutcomes, now: datetime) -> Iterator[Concern]:
    since = unknown.since
    if since is not None and now - since >= UNKNOWN_AFTER:
        count = unknown.within_a_week + unknown.older
        named = ", ".join(unknown.oldest)
        text = f"{counted(count, 'outcome')} unknown for more than a day: {named}"
        yield Concern(name="outcome-unknown", text=text, since=since)


def _of_reviews(reviews: FlaggedPayments, changes: list[str]) -> Iterator[Concern]:
    named = ", ".join(reviews.oldest)
    if reviews.count:
        more = f", {reviews.conflicts} of them conflicted" if reviews.conflicts else ""
        if reviews.unidentified:
            more += f", {reviews.unidentified} of them for unknown payer numbers"
        text = f"{counted(reviews.count, 'payment')} to review{more}: {named}"
        yield Concern(name="review", text=text, since=reviews.since)
    if changes:
        text = f"storing or deleting a method: {', '.join(changes)}"
        yield Concern(name="method-review", text=text)


def _of_sink(one: SinkStatus, now: datetime) -> Iterator[Concern]:
    waits = _unattended_since(one)
    if one.stopped:
        text = (
            f"{one.fault}; correct it and run 'paygate sink resume {one.name}', or remove the sink"
        )
        yield Concern(name="sink-stopped", subject=one.name, text=text, since=one.unreached_since)
    elif waits is not None and now - waits >= OVERDUE_AFTER:
        text = (
            "no process publishes events to it; if it was removed, run "
            f"'paygate sink forget {one.name}'"
        )
        yield Concern(name="sink-behind", subject=one.name, text=text, since=waits)
    elif one.unreached_since is not None and now - one.unreached_since >= OVERDUE_AFTER:
        text = f"it cannot be reached: {one.fault}"
        yield Concern(name="sink-unreached", subject=one.name, text=text, since=one.unreached_since)
    if one.dead_letters:
        text = f"{counted(one.dead_letters, 'event')} given up, the last one for: {one.error}"
        yield Concern(name="dead-letters", subject=one.name, text=text, since=one.dead_since)


def _unattended_since(one: SinkStatus) -> datetime | None:
    """Return since when a process should have published to a sink, if something waits for it."""
    # A sink that was not reached is left alone for a while, and its events wait, as intended.
    waits = [each for each in (one.behind_since, one.due_since) if each is not None]
    if not waits or one.paused_until is None:
        return min(waits, default=None)
    return max(min(waits), one.paused_until)
