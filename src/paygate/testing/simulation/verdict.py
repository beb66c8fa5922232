"""The verdict: what must hold when the faults are over and every call has been repeated.

The processors' own truth is compared with the ledger, movement by movement. A payment that
is still in doubt must have a reason that the traits of its account explain.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.money import Money
from paygate.domain.movement import MovementKind
from paygate.domain.outcome import RejectCause
from paygate.gateway import CallbackStyle, DedupWindow, InquiryBy
from paygate.ledger import book
from paygate.testing.simulation import clerk
from paygate.testing.simulation.audit import mistaken
from paygate.testing.simulation.dice import dice
from paygate.testing.simulation.disputes import check_disputes
from paygate.testing.simulation.faults import DRIVER, PlannedFault
from paygate.testing.simulation.invoicing import check_invoicing
from paygate.testing.simulation.settlements import check_settlements, is_unsettled, may_hold
from paygate.testing.simulation.subscribing import check_autopay
from paygate.testing.simulation.whose import Whose, disturbed

if TYPE_CHECKING:
    from paygate.testing.processor.journal import Entry
    from paygate.testing.simulation.profiles import SimulatedAccount
    from paygate.testing.simulation.world import World

_WHOLE: Final = 8
"""One schedule in this many checks the rules that read whole tables.

In every schedule they would take a third of the time.
"""
_CAME: Final = (MovementKind.CHARGE, MovementKind.CAPTURE)
_PENDING: Final = """
SELECT id, payment, account, operation FROM paygate_attempt
WHERE state = 'pending' AND operation IN ('capture', 'void', 'refund') AND needs_review = 0
"""
_HELD: Final = """
SELECT item, amount_minor, state FROM paygate_claim
WHERE payment = :payment AND state IN ('hard', 'soft')
"""
_LIVE: Final = ("processing", "unknown", "requires_action", "authorized")
_ODDITIES: Final = (*DRIVER, PlannedFault.KEY_SEEN)
_SECRETS: Final = (
    b"tok_visa",
    b"tok_bank",
    b"tok_declined",
    b"fake-signing-key",
    b"somebody else's key",
)
# A callback is stored verbatim, so the inbox's body has whatever the processor put into it.
_TOKENS_LEFT: Final = """
SELECT 'inbox.notice' AS place FROM paygate_inbox WHERE replace(notice, 'pm_', '') <> notice
UNION ALL SELECT 'outbox.data' FROM paygate_outbox WHERE replace(data, 'pm_', '') <> data
UNION ALL SELECT 'attempt_request.body' FROM paygate_attempt_request
  WHERE replace(body, 'pm_', '') <> body
UNION ALL SELECT 'attempt' FROM (
  SELECT reason || coalesce(method_plan, '') || reference || code || raw_code AS texts
  FROM paygate_attempt) a WHERE replace(texts, 'pm_', '') <> texts
"""
_ENCRYPTED: Final = "SELECT token_encrypted FROM paygate_method"
_TOKENS: Final = (b"pm_visa", b"pm_bank")

# What was put on a prepayment, and not taken off by a twin of its allocations without a move.
_PREPAYMENTS: Final = """
SELECT i.id, i.total_minor, i.standing, i.allocated_minor AS waiting, i.moved_minor AS moved,
  (SELECT coalesce(sum(-p.amount_minor), 0) FROM paygate_posting p WHERE p.item = i.id
   AND p.ledger_account = 'prepayment' AND p.amount_minor < 0
   AND p.entry NOT LIKE 'assigned:%' AND p.entry NOT LIKE 'void:%') AS put_on,
  (SELECT coalesce(sum(p.amount_minor), 0) FROM paygate_posting p WHERE p.item = i.id
   AND p.ledger_account = 'prepayment' AND p.amount_minor > 0
   AND p.entry NOT LIKE 'assigned:%' AND p.entry NOT LIKE 'void:%') AS gone
FROM paygate_item i WHERE i.kind = 'prepayment' ORDER BY i.id
"""
_ASSIGNED: Final = """
SELECT p.customer AS owner, p.assignment_key AS key, i.customer, i.assignment_key, i.number
FROM paygate_allocation a JOIN paygate_item p ON p.id = a.prepayment
JOIN paygate_item i ON i.id = a.item
"""
# What was received for each key of a call, and what of that became credit by a void.
_RECEIVED: Final = """
SELECT p.id, p.key, p.received_minor +
  (SELECT coalesce(sum(amount_minor), 0) FROM paygate_claim c
   WHERE c.payment = p.id AND c.credit IS NOT NULL) AS received,
  (SELECT min(o.position) FROM paygate_credit k JOIN paygate_outbox o
     ON o.type = 'credit.created' AND json_extract(o.data, '$.credit') = k.id
   WHERE k.payment = p.id AND k.reason = 'invoice_voided') AS voided
FROM paygate_payment p
"""
# A prepayment that was made while an invoice with its key was open, and was not replaced by that.
_ALONGSIDE: Final = """
SELECT i.id, v.number FROM paygate_item i
JOIN paygate_outbox c ON c.aggregate = i.id AND c.type = 'prepayment.created'
JOIN paygate_item v ON v.kind = 'invoice' AND v.assignment_key = i.assignment_key
  AND v.currency = i.currency AND v.customer = i.customer
JOIN paygate_outbox g ON g.aggregate = v.id AND g.position = (
  SELECT max(x.position) FROM paygate_outbox x WHERE x.aggregate = v.id
    AND x.position < c.position AND json_extract(x.data, '$.open_minor') IS NOT NULL)
WHERE i.kind = 'prepayment' AND g.type <> 'invoice.voided'
  AND CAST(json_extract(g.data, '$.open_minor') AS INTEGER) > 0
  AND NOT EXISTS (SELECT 1 FROM paygate_outbox r WHERE r.aggregate = i.id
    AND r.type = 'prepayment.replaced' AND r.seq = c.seq + 1)
"""
# Somebody who paid through a link did not name the prepayment that it was for.
_FOR_IT: Final = """
SELECT DISTINCT payment FROM paygate_claim WHERE item = :item OR prepayment = :item
"""
_CLOSED: Final = """
SELECT position FROM paygate_outbox WHERE aggregate = :item AND type = 'prepayment.closed'
"""
# The claim of a payment that was started after an invoice had taken the prepayment's place.
_PAID_ASIDE: Final = """
SELECT c.payment, c.item FROM paygate_claim c
JOIN paygate_item i ON i.id = c.item AND i.kind = 'prepayment'
JOIN paygate_outbox s ON s.aggregate = c.payment AND s.type = 'payment.started'
JOIN paygate_outbox r ON r.aggregate = c.item
  AND r.type IN ('prepayment.replaced', 'prepayment.assigned') AND r.position < s.position
WHERE NOT EXISTS (
  SELECT 1 FROM paygate_outbox o WHERE o.aggregate = c.item AND o.type = 'prepayment.reopened'
    AND o.position > r.position AND o.position < s.position)
"""

# A payment that was started although its link had been revoked, or its time had passed.
_PAID_TOO_LATE: Final = """
SELECT p.id, p.link, 'was revoked' AS why FROM paygate_payment p
JOIN paygate_outbox s ON s.aggregate = p.id AND s.type = 'payment.started'
JOIN paygate_outbox r ON r.aggregate = p.link AND r.type = 'link.revoked'
  AND r.position < s.position
UNION ALL
SELECT p.id, p.link, 'had expired' FROM paygate_payment p
JOIN paygate_link l ON l.id = p.link WHERE p.created_at >= l.expires_at
"""
_PAID_TWICE: Final = """
SELECT key, count(*) AS payments FROM paygate_payment WHERE link IS NOT NULL
GROUP BY key HAVING count(*) > 1
"""

# A clerk refunded a debit by hand while it was clearing, and then the bank returned it.
_BACK_TWICE: Final = """
SELECT 1 FROM paygate_receipt hand JOIN paygate_receipt bank ON bank.payment = hand.payment
WHERE hand.payment = :payment AND hand.kind = 'refund' AND hand.by_hand <> ''
  AND bank.kind = 'return'
"""

# Money went back while nobody knew whose it was, and came in again after a clerk had named the
# customer and assigned the rest. What becomes of it is a new decision.
_BACK_AFTER_DECISION: Final = """
SELECT 1 FROM paygate_payment p
WHERE p.id = :payment AND p.payer_number <> ''
  AND EXISTS (SELECT 1 FROM paygate_receipt r WHERE r.payment = p.id AND r.unallocated_minor > 0)
  AND NOT EXISTS (
  SELECT 1 FROM paygate_receipt r WHERE r.payment = p.id AND r.unallocated_minor <> 0
    AND NOT (r.kind IN ('refund_failed', 'chargeback_won', 'undone') AND EXISTS (
      SELECT 1 FROM paygate_receipt gone
      JOIN paygate_outbox went ON went.aggregate = p.id AND went.type = 'receipt.booked'
        AND json_extract(went.data, '$.receipt') = gone.id
      JOIN paygate_outbox named ON named.aggregate = p.id AND named.type = 'payment.identified'
      JOIN paygate_outbox back ON back.aggregate = p.id AND back.type = 'receipt.booked'
        AND json_extract(back.data, '$.receipt') = r.id
      WHERE gone.payment = p.id AND gone.movement_id = r.undoes
        AND went.position < named.position AND named.position < back.position)))
"""


def check_doubts(world: World) -> None:
    """Check that each payment that has not ended is under review for a valid reason."""
    for row in world.payments("status IN ('processing', 'unknown') OR needs_review = 1"):
        profile = world.profiles.get(row["account"])
        assert profile is not None, "only payments through a gateway are ever in doubt"
        why = _why(world, row, profile)
        if not why:
            world.violated(
                "review", f"{row['id']} is {row['status']}, needs_review {row['needs_review']}"
            )
        world.count(f"review:{why}")
    _check_pending(world)
    for row in world.payments("status IN ('requires_action', 'authorized')"):
        profile = world.profiles[row["account"]]
        unreported = _blind(profile) or row["id"] in mistaken(world)
        if not unreported and not row["needs_review"]:
            world.violated("ends", f"{row['id']} is still {row['status']}")


def _check_pending(world: World) -> None:
    """Check that each pending capture, void or refund has ended, or is under review."""
    for row in world.store.look(_PENDING):
        profile = world.profiles[row["account"]]
        unreported = profile.traits.inquiry is InquiryBy.NONE or row["payment"] in mistaken(world)
        if not unreported:
            world.violated("ends", f"the {row['operation']} {row['id']} is still pending")


def check_settled(world: World) -> None:
    """Check that money that has settled counts, and that other money waits."""
    check_settlements(world, mistaken(world))


def check_end(world: World) -> None:
    """Check that the ledger, the processors and the consumer agree."""
    _check_books(world)
    _check_truth(world)
    check_settled(world)
    check_disputes(world, mistaken(world))
    _check_states(world)
    _check_claims(world)
    _check_charged_once(world)
    _check_prepayments(world)
    _check_links(world)
    check_invoicing(world)
    check_autopay(world)
    _check_fees(world)
    _check_mail(world)
    _check_secrets(world)


def check_reversal(world: World) -> None:
    """Check that a payment and its reversal leave everything unchanged (I9)."""
    rows = world.invoices("claimed_minor = 0 AND total_minor > allocated_minor + written_off_minor")
    if not rows:
        return
    rolls, host = dice(world.seed, 6), world.hosts[0]
    number, before = str(rows[0]["number"]), _snapshot(world)
    amount = Money("USD", rolls.choice((1, 300, 20_000)))
    payment = world.run("last", host.record(number, by="check", key="last", amount=amount), rolls)
    world.run("reverse last", host.reverse(payment, reason="bounced", force=True), rolls)
    after = _snapshot(world)
    if before != after:
        world.violated("I9", f"before {before}, after payment and reversal {after}")
    world.count("reversal restores")


def check_nothing_left(world: World) -> None:
    """Check that a clerk could end all remaining payments, and that they hold nothing."""
    for payment in clerk.left(world):
        [row] = world.payments(f"id = '{payment}'")
        held = world.store.look(_HELD, payment=payment)
        world.violated(
            "left",
            f"{payment} is {row['status']}, needs_review {row['needs_review']}, and holds "
            f"{[tuple(each) for each in held]}; no verb ends it",
        )


# --- Doubt --------------------------------------------------------------------------------


def _blind(profile: SimulatedAccount) -> bool:
    """Return whether the account can never report an outcome."""
    return not profile.tells() and profile.traits.inquiry is InquiryBy.NONE


def _why(world: World, row: Any, profile: SimulatedAccount) -> str:
    """Return why a payment needs a review; empty if the review could have been avoided."""
    if not row["needs_review"]:
        unreported = _blind(profile) or row["id"] in mistaken(world)
        return "nobody can tell" if unreported else ""
    if not row["customer"]:
        return "nobody knows whose it is"
    if row["conflicted"]:
        return _why_conflicted(world, row)
    if row["returned_minor"] > row["received_minor"]:
        if row["id"] in disturbed(world) or world.store.look(_BACK_TWICE, payment=row["id"]):
            return "more went back than came"
        return ""
    doubts = world.store.look(
        "SELECT * FROM paygate_attempt WHERE payment = :id AND needs_review = 1", id=row["id"]
    )
    for attempt in doubts:
        if attempt["state"] in ("sending", "unknown"):
            return _why_unknown(world, profile, attempt)
        if attempt["state"] in ("pending", "requires_action") and _blind(profile):
            return "nobody can tell"
        if attempt["operation"] == "void" and isinstance(profile.traits.idempotency, DedupWindow):
            # The processor took it for another void that looked the same, and voided nothing.
            return "the original of another void was returned"
    if row["id"] in mistaken(world):
        return "the original of another payment was returned"
    # Or it can be asked, but the callback must be answered before the inquiry.
    at_once = profile.traits.callbacks is CallbackStyle.ANSWERED
    if (profile.traits.inquiry is InquiryBy.NONE or at_once) and _was_tried(world, row["id"]):
        return "nobody can be asked about a declined try"
    if row["id"] in disturbed(world):
        return "the bank changed its mind"
    if row["status"] == "succeeded" and is_unsettled(world, row["id"], row["account"]):
        return "it has not settled in time"
    odd = row["status"] not in _LIVE or row["status"] == "requires_action"
    if odd and any(world.covered[f"fault:{fault}"] for fault in _ODDITIES):
        return "a driver failed, or a key had been used"
    if row["id"] in world.judged:
        return "a clerk decided"
    return ""


def _why_conflicted(world: World, row: Any) -> str:
    """Return why money of a payment waits for a decision; empty if that could be avoided."""
    if _other_money(world, row):
        return "other money came"
    if world.store.look(_BACK_AFTER_DECISION, payment=row["id"]):
        return "money came back after the rest was assigned"
    return ""


def _was_tried(world: World, payment: str) -> bool:
    """Return whether a try of the payer was declined, which may be reported much later."""
    return any(
        "tried" in event and event["order"]["our_ref"] == row["id"]
        for row in world.store.look(
            "SELECT id, account FROM paygate_attempt WHERE payment = :payment", payment=payment
        )
        for event in world.gateways[row["account"]].processor.truth.events
    )


def _why_unknown(world: World, profile: SimulatedAccount, attempt: Any) -> str:
    traits = profile.traits
    if attempt["code"] == RejectCause.KEY_MISMATCH:
        return "the key had been used with other data"
    if traits.inquiry is InquiryBy.NONE:
        return "nobody can be asked"
    if traits.inquiry is InquiryBy.GATEWAY_REF and not attempt["reference"]:
        return "nobody can be asked without a reference"
    if traits.not_found_is_final_after is None:
        return "not found is never final"
    if attempt["payment"] in mistaken(world):
        return "the original of another operation was returned"
    return ""


def _other_money(world: World, row: Any) -> bool:
    """Return whether the processor did something other than was requested."""
    truth = world.gateways[row["account"]].processor.truth
    orders = [order for order in truth.orders.values() if order.payment == row["id"]]
    came = [entry for order in orders for entry in order.movements if entry.kind in _CAME]
    asked = row["amount_minor"]
    if any(entry.currency != row["currency"] for entry in came):
        return True
    if any(order.minor > asked for order in orders) or sum(e.minor for e in came) > asked:
        return True
    return row["id"] in mistaken(world)


# --- Agreement ----------------------------------------------------------------------------


def _check_books(world: World) -> None:
    """Check the rules of the ledger; those that read whole tables in one schedule of eight."""
    whole = world.seed % _WHOLE == 0
    rules = [rule for rule in book.RULES if whole or rule.cheap]
    for found in world.store.read(world.hosts[0].context, lambda tx: book.check(tx, rules)):
        world.violated(found.rule, f"{found.subject}: {found.detail}")


def _check_truth(world: World) -> None:
    """Compare the movements of each processor with the receipts booked for it (I1)."""
    booked = Counter(
        (row["account"], row["kind"], row["movement_id"], row["currency"], row["amount_minor"])
        for row in world.store.look(
            "SELECT * FROM paygate_receipt WHERE kind NOT IN ('reversal', 'undone')"
        )
        if row["account"] in world.profiles
    )
    moved = Counter(
        (account, str(entry.kind), entry.movement_id, entry.currency, entry.minor)
        for account in world.profiles
        for entry in _journal(world, account)
        if not _unreported(world, account, entry)
    )
    for thing in moved - booked:
        world.violated("I1", f"the processor moved {thing}, but the ledger does not have it")
    for thing in booked - moved:
        account, _, movement_id, *_ = thing
        if not any(entry.movement_id == movement_id for entry in _journal(world, account)):
            world.violated("I1", f"the ledger has {thing}, but no processor moved it")


def _unreported(world: World, account: str, entry: Entry) -> bool:
    """Return whether a movement cannot be reported, such as a bank's at a silent account."""
    profile = world.profiles[account]
    if profile.tells():
        return False
    unreported = _blind(profile) or entry.payment in mistaken(world)
    return unreported or entry.kind is MovementKind.RETURN


def _check_states(world: World) -> None:
    """Check that payments have the state that follows from the processors' truth (I12)."""
    whose = Whose(world)
    for row in world.payments():
        if row["account"] not in world.profiles:
            continue
        came = [
            entry
            for entry in _journal(world, row["account"])
            if whose.payment(row["account"], entry) == row["id"] and entry.kind in _CAME
        ]
        status = row["status"]
        if _blind(world.profiles[row["account"]]) and status in _LIVE:
            continue
        if row["id"] in mistaken(world):
            continue
        if bool(came) != (status == "succeeded"):
            world.violated(
                "I12", f"{row['id']} is {status}, but its processor took {len(came)} amounts"
            )


def _check_claims(world: World) -> None:
    """Check that no payment holds an invoice after it has ended and its money has settled."""
    rows = world.store.look(
        "SELECT c.item, p.id, p.status, p.account FROM paygate_claim c "
        "JOIN paygate_payment p ON p.id = c.payment "
        "WHERE c.state IN ('hard', 'soft') AND p.needs_review = 0"
    )
    for row in rows:
        profile = world.profiles.get(row["account"])
        waits = profile is not None and may_hold(world, row["id"], row["account"])
        if profile is None or not (waits or _blind(profile) or row["id"] in mistaken(world)):
            world.violated("claims", f"{row['item']} is held by {row['id']} ({row['status']})")


def _check_charged_once(world: World) -> None:
    """Check that no card or bank account was charged for an invoice that was paid (I3)."""
    rows = world.store.look(
        "SELECT c.payment FROM paygate_credit c JOIN paygate_payment p ON p.id = c.payment "
        "WHERE c.reason IN ('already_paid', 'being_paid', 'not_owed') "
        "AND p.kind IN ('card', 'e_check') "
        "AND p.payer_number = '' AND NOT EXISTS ("
        "  SELECT 1 FROM paygate_outbox o WHERE o.aggregate = p.id"
        "  AND o.type IN ('payment.requires_action', 'payment.late_success', 'payment.conflicted'))"
    )
    for row in rows:
        if row["payment"] not in disturbed(world) | world.judged | mistaken(world):
            world.violated("I3", f"{row['payment']} charged an invoice that was already paid")


def _check_prepayments(world: World) -> None:
    """Check that money of prepayments is where the receipts say, once, with its own customer."""
    for row in world.store.look(_PREPAYMENTS):
        if row["put_on"] != row["waiting"] + row["moved"] + row["gone"]:
            world.violated(
                "prepayments",
                f"{row['put_on']} was put on {row['id']}; {row['waiting']} waits, {row['moved']} "
                f"has moved, {row['gone']} went back",
            )
        if row["total_minor"] < row["waiting"] + row["moved"]:
            world.violated("prepayments", f"{row['id']} took more than {row['total_minor']}")
        world.count(f"prepayment {row['standing']}")
    for row in world.store.look(_ASSIGNED):
        if (row["owner"], row["key"]) != (row["customer"], row["assignment_key"]):
            world.violated(
                "prepayments", f"money of {row['owner']} ({row['key']}) is on {row['number']}"
            )
        world.count("prepayment assigned")
    for row in world.store.look(_ALONGSIDE):
        world.violated(
            "prepayments", f"{row['id']} can be paid, although {row['number']} was open already"
        )
    _check_kept_for_the_next(world)
    for row in world.store.look(_PAID_ASIDE):
        world.violated(
            "prepayments", f"{row['payment']} claims {row['item']} after an invoice replaced it"
        )


def _check_links(world: World) -> None:
    """Check that only links that could be paid were paid, and each form once."""
    for row in world.store.look(_PAID_TOO_LATE):
        world.violated("links", f"{row['id']} was started after link {row['link']} {row['why']}")
    for row in world.store.look(_PAID_TWICE):
        world.violated("links", f"the form {row['key']} made {row['payments']} payments")
    for row in world.store.look("SELECT status FROM paygate_link"):
        world.count(f"link {row['status']}")


def _check_kept_for_the_next(world: World) -> None:
    """Check that what was paid on a prepayment, and not beyond it, survives a void invoice."""
    asked = {order.key: order.items for order in world.orders if order.items}
    payments = world.store.look(_RECEIVED)
    for item in world.store.look(_PREPAYMENTS):
        its = [row for row in payments if item["id"] in asked.get(row["key"], ())]
        for_it = {row["payment"] for row in world.store.look(_FOR_IT, item=item["id"])}
        for_it |= {row["id"] for row in its}
        came = sum(row["received"] for row in payments if row["id"] in for_it)
        if came > item["total_minor"]:
            continue
        closed = world.store.look(_CLOSED, item=item["id"])
        for row in its:
            voided = row["voided"]
            if len(asked[row["key"]]) > 1 or voided is None:
                continue
            if not closed or voided < closed[0]["position"]:
                world.violated(
                    "prepayments", f"{row['id']} paid {item['id']}, and a void made it credit"
                )


def _check_fees(world: World) -> None:
    """Check that each payment that was reversed with a fee has a fee invoice."""
    for row in world.store.look(
        "SELECT payment, max(fee_item) AS fee_item FROM paygate_reversal GROUP BY payment"
    ):
        if row["payment"] in world.fees and row["fee_item"] is None:
            world.violated("fee", f"the reversal of {row['payment']} has no fee invoice")


def _check_mail(world: World) -> None:
    """Check that inbox and outbox are empty, and that each event took effect once (I8)."""
    foreign = {account: _foreign(world, account) for account in world.profiles}
    _check_changed(world)
    for row in world.store.look(
        "SELECT * FROM paygate_inbox WHERE state NOT IN ('applied', 'conflicted')"
    ):
        if row["state"] == "ignored" and not _can_ask(world, row["account"]):
            continue
        known = {event["id"] for event in _events(world, row["account"])}
        if row["state"] == "failed" and row["event_id"] not in known and _driver_failed(world):
            world.count("what a driver could not read is kept")
            continue
        if row["state"] in ("ignored", "orphan") and row["event_id"] in foreign[row["account"]]:
            world.count("somebody else's event is passed over")
            continue
        world.violated(
            "inbox", f"{row['account']} {row['event_id']} is {row['state']}: {row['error']}"
        )
    left = world.store.look("SELECT * FROM paygate_delivery")
    if left:
        world.violated("I8", f"{len(left)} events were not delivered")
    events = {row["id"] for row in world.store.look("SELECT id FROM paygate_outbox")}
    if events != world.consumer.taken.keys():
        world.violated("I8", f"the consumer took {len(world.consumer.taken)} of {len(events)}")
    for row in world.payments():
        [[data]] = world.store.look(
            "SELECT data FROM paygate_outbox WHERE aggregate = :id ORDER BY seq DESC LIMIT 1",
            id=row["id"],
        )
        last = json.loads(data).get("status")
        if last is not None and last != row["status"]:
            world.violated("I8", f"{row['id']} is {row['status']}; its last event says {last}")


def _foreign(world: World, account: str) -> set[str]:
    """Return the ids of the events of *account* that are about another application."""
    truth = world.gateways[account].processor.truth
    foreign = [event for event in truth.events if truth.is_foreign(event)]
    names = {str(event["id"]) for event in foreign}
    names |= {event["order"]["reference"] for event in foreign}
    return names | {f"hint-{name}" for name in names}


def _check_changed(world: World) -> None:
    """Check that exactly the events that were sent with two contents are kept as conflicted."""
    rows = world.store.look("SELECT * FROM paygate_inbox WHERE state = 'conflicted'")
    kept = {(row["account"], row["event_id"].partition("#")[0]) for row in rows}
    taken = {name for name, heard in world.changed.items() if heard}
    for account, event_id in taken - kept:
        world.violated("inbox", f"{account} {event_id} came with other contents, unnoticed")
    for account, event_id in kept - world.changed.keys():
        world.violated("inbox", f"{account} {event_id} is conflicted, but came only one way")


def _events(world: World, account: str) -> list[dict[str, Any]]:
    return world.gateways[account].processor.truth.events


def _driver_failed(world: World) -> bool:
    return any(world.covered[f"fault:{fault}"] for fault in DRIVER)


def _can_ask(world: World, account: str) -> bool:
    return world.profiles[account].traits.inquiry is not InquiryBy.NONE


def _check_secrets(world: World) -> None:
    """Check that no secret is in the ledger's file or in the trace (I11)."""
    for row in world.store.look(_TOKENS_LEFT):
        world.violated("I11", f"the token of a stored method is in {row['place']}")
    for [encrypted] in world.store.look(_ENCRYPTED):
        if any(token in encrypted for token in _TOKENS):
            world.violated("I11", "the token of a stored method is in paygate_method")
    copy = world.store.contents()
    text = "\n".join(world.trace.lines).encode()
    for secret in _SECRETS:
        if secret in copy:
            world.violated("I11", f"{secret!r} is in the ledger")
        if secret in text:
            world.violated("I11", f"{secret!r} is in the trace")


def _journal(world: World, account: str) -> list[Entry]:
    return world.gateways[account].processor.truth.journal


def _snapshot(world: World) -> list[tuple[Any, ...]]:
    """Return the open amount of each invoice, and the balance of each customer."""
    items = world.store.look(
        "SELECT number, allocated_minor, written_off_minor, claimed_minor, moved_minor, status "
        "FROM paygate_item ORDER BY number"
    )
    lots = world.store.look(
        "SELECT id, amount_minor - used_minor - canceled_minor, reserved_minor FROM paygate_credit "
        "WHERE amount_minor - used_minor - canceled_minor <> 0 ORDER BY id"
    )
    return [tuple(row) for row in (*items, *lots)]
