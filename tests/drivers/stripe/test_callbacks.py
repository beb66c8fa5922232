"""Webhooks of Stripe: who is believed, and what a notice says."""

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate import Cashier
from paygate.domain.callback import InboxState
from paygate.domain.method import MethodFacts, MethodNews
from paygate.domain.money import Money
from paygate.domain.movement import Movement, MovementKind
from paygate.drivers.stripe import Stripe
from paygate.errors import NotAuthentic
from paygate.gateway import Applied, Callback, Notice, Reply
from paygate.testing import FakeClock
from paygate.testing.play import play
from tests.drivers.stripe.conftest import NOON, SENT_AT, intent, settings

SECRET = "whsec_test"
STRIPE = Stripe(settings(webhook_secrets=SECRET, account="acct_1"))


def event(type_: str, about: Any, previous: Any = None, **given: Any) -> dict[str, Any]:
    data = {"object": about} if previous is None else {"object": about, **previous}
    return {
        "id": "evt_1",
        "object": "event",
        "type": type_,
        "created": NOON,
        "livemode": False,
        "data": data,
        **given,
    }


def mac(body: bytes, secret: str = SECRET, stamp: str = str(NOON)) -> str:
    return hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def callback(body: bytes, header: str, *, late_s: float = 0) -> Callback:
    return Callback(
        method="POST",
        path="/callbacks/card",
        headers={"stripe-signature": header},
        body=body,
        received_at=SENT_AT + timedelta(seconds=late_s),
    )


def signed(told: object, **given: Any) -> Callback:
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    return callback(body, f"t={NOON},v1={mac(body)}", **given)


def read(sent: Callback, stripe: Stripe = STRIPE) -> Notice:
    (notice,) = play(stripe.verify(sent)).outcome
    return notice


def refuse(sent: Callback, match: str = "the webhook", stripe: Stripe = STRIPE) -> None:
    with pytest.raises(NotAuthentic, match=match):
        play(stripe.verify(sent))


PAID = event("payment_intent.succeeded", intent("succeeded"))
BODY = json.dumps(PAID).encode()
THIN = {
    "id": "evt_test_65RM8sQH4m3gVb",
    "object": "v2.core.event",
    "type": "v1.payment_intent.succeeded",
    "created": "2026-08-03T12:00:00.000Z",
    "livemode": False,
    "context": None,
    "reason": None,
    "related_object": {
        "id": "pi_1",
        "type": "payment_intent",
        "url": "/v1/payment_intents/pi_1",
    },
}

# --- Who is believed -------------------------------------------------------------------


def test_the_official_vector_holds(protocols: Path) -> None:
    vector = json.loads((protocols / "stripe" / "webhook-vector.json").read_text())
    stripe = Stripe(settings(webhook_secrets=vector["secret"]))
    at_once = datetime.fromtimestamp(vector["timestamp"], UTC)
    sent = Callback(
        method="POST",
        path="/",
        headers={"stripe-signature": vector["header"]},
        body=vector["body"].encode(),
        received_at=at_once,
    )

    assert read(sent, stripe) == Notice(
        event_id="evt_test_1",
        type="payment_intent.succeeded",
        reference="pi_1",
        occurred_at=at_once,
        signed_at=at_once,
        foreign=True,
    )


def test_any_of_several_signatures_will_do() -> None:
    sent = callback(BODY, f"t={NOON},v1={mac(BODY, 'whsec_old')},v1={mac(BODY)},v0=x")

    assert read(sent).event_id == "evt_1"


def test_while_a_secret_is_rolled_over_both_are_good() -> None:
    both = Stripe(settings(webhook_secrets=("whsec_new", SECRET)))

    for secret in ("whsec_new", SECRET):
        sent = callback(BODY, f"t={NOON},v1={mac(BODY, secret)}")
        assert read(sent, both).event_id == "evt_1"
    refuse(callback(BODY, f"t={NOON},v1={mac(BODY, 'whsec_other')}"), stripe=both)


def test_without_a_secret_nobody_is_believed() -> None:
    refuse(signed(PAID), stripe=Stripe(settings()))


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=",
        f"t={NOON}",
        f"v1={mac(BODY)}",
        f"t={NOON},v0={mac(BODY)}",
        f"t={NOON},v1={mac(BODY).upper()}",
        f"t={NOON},v1=",
        f"t={NOON},v1=é",
        f"t={NOON} ,v1={mac(BODY)}",
        f"t=+{NOON},v1={mac(BODY)}",
        f"t=1_785758400,v1={mac(BODY)}",
        f"t={'9' * 400},v1={mac(BODY)}",
        f"t=١٢,v1={mac(BODY)}",
        f"t={NOON},v1={mac(BODY)}" + ",v1=" + "0" * 4000,
    ],
)
def test_a_signature_that_is_none_is_refused(header: str) -> None:
    refuse(callback(BODY, header))


@pytest.mark.parametrize("stamp", ["9" * 11, "0", "00000000001"])
def test_a_signature_of_no_time_of_ours_is_refused(stamp: str) -> None:
    refuse(callback(BODY, f"t={stamp},v1={mac(BODY, stamp=stamp)}"), "signed at")


@pytest.mark.parametrize(
    ("late_s", "good"), [(300, True), (301, False), (-300, True), (-301, False)]
)
def test_a_signature_is_good_for_five_minutes_either_way(late_s: int, good: bool) -> None:
    sent = signed(PAID, late_s=late_s)

    if good:
        assert read(sent).signed_at == SENT_AT
    else:
        refuse(sent, "signed at")


def test_a_changed_byte_of_the_body_is_refused() -> None:
    for number in range(len(BODY)):
        changed = bytearray(BODY)
        changed[number] ^= 1

        refuse(callback(bytes(changed), f"t={NOON},v1={mac(BODY)}"))


@pytest.mark.parametrize("bit", [1, 2, 32])
def test_a_changed_byte_of_the_header_is_refused(bit: int) -> None:
    header = f"t={NOON},v1={mac(BODY)}"

    for number, letter in enumerate(header):
        changed = header[:number] + chr(ord(letter) ^ bit) + header[number + 1 :]
        refuse(callback(BODY, changed))


def test_what_is_outside_the_signature_changes_nothing() -> None:
    header = f"t={NOON},v1={mac(BODY)},v0={'0' * 64}"

    assert read(callback(BODY, header.replace("0" * 64, "1" * 64))) == read(callback(BODY, header))


@pytest.mark.parametrize(
    "told",
    [
        {**PAID, "object": "event.v3"},
        {**PAID, "livemode": True},
        {**THIN, "livemode": True},
        {**THIN, "context": "acct_2"},
        {**PAID, "livemode": None},
        {**PAID, "account": "acct_2"},
        {**PAID, "account": 7},
        [PAID],
        None,
    ],
)
def test_what_is_signed_and_no_event_of_this_account_is_refused(told: object) -> None:
    refuse(signed(told))


def test_a_thin_event_is_acknowledged_and_concerns_nothing() -> None:
    notice = read(signed(THIN))

    assert (notice.event_id, notice.type) == (THIN["id"], THIN["type"])
    assert (notice.reference, notice.our_ref, notice.unreadable) == ("", "", "")
    assert read(signed({**THIN, "context": "org_1/acct_1"})) == notice
    assert read(signed({**THIN, "id": 7})).unreadable
    refuse(callback(json.dumps(THIN).encode(), f"t={NOON},v1={'0' * 64}"))


@pytest.mark.parametrize(
    "object_", ["v2.core.event", "v2.core.event_notification", "v3.money.event", "v10.event"]
)
def test_an_event_of_a_newer_format_is_acknowledged(object_: str) -> None:
    notice = read(signed({**THIN, "object": object_}))

    assert (notice.event_id, notice.reference, notice.unreadable) == (THIN["id"], "", "")


@pytest.mark.parametrize("object_", ["charge", "v2.core.account", "eventual", "v2.event.x", "", 7])
def test_what_is_signed_and_names_no_event_is_refused(object_: object) -> None:
    refuse(signed({**THIN, "object": object_}))


def test_a_thin_event_is_stored_as_ignored_and_nothing_is_asked() -> None:
    clock = FakeClock(datetime.fromtimestamp(NOON, UTC))

    with Cashier.in_memory(gateways={"card": STRIPE}, clock=clock) as cashier:
        reply = cashier.receive("card", signed(THIN))
        again = cashier.receive("card", signed(THIN))
        cashier.apply_callbacks()
        stored = cashier.callbacks(state=InboxState.IGNORED)

    assert (reply.status, again.status) == (200, 200)
    assert [(each.event_id, each.type) for each in stored] == [(THIN["id"], THIN["type"])]


@pytest.mark.parametrize(
    "told",
    [
        {**PAID, "id": None},
        {**PAID, "id": "evt 1"},
        {**PAID, "type": ""},
        b"{",
        b"\xff",
        b"",
        b"[" * 100_000,
    ],
)
def test_what_is_signed_and_does_not_read_is_kept_under_a_digest(told: object) -> None:
    notice = read(signed(told))

    assert notice.unreadable
    assert (notice.event_id, notice.reference, notice.movements) == ("", "", ())


def test_a_connected_account_of_ours_is_believed() -> None:
    assert read(signed({**PAID, "account": "acct_1"})).event_id == "evt_1"


# --- What a notice says ----------------------------------------------------------------


@pytest.mark.parametrize(
    "type_",
    [
        "payment_intent.succeeded",
        "payment_intent.payment_failed",
        "payment_intent.canceled",
        "payment_intent.amount_capturable_updated",
        "payment_intent.of_tomorrow",
    ],
)
def test_an_event_of_an_intent_is_a_hint_to_inquire(type_: str) -> None:
    assert read(signed(event(type_, intent("succeeded")))) == Notice(
        event_id="evt_1",
        type=type_,
        reference="pi_1",
        our_ref="att_1",
        occurred_at=SENT_AT,
        signed_at=SENT_AT,
    )


@pytest.mark.parametrize(
    ("about", "reference", "our_ref"),
    [
        ({"object": "setup_intent", "id": "seti_1"}, "seti_1", ""),
        (
            {"object": "checkout.session", "id": "cs_1", "client_reference_id": "att_3"},
            "cs_1",
            "att_3",
        ),
        ({"object": "charge", "id": "ch_1", "payment_intent": "pi_1"}, "pi_1", ""),
        ({"object": "charge", "id": "ch_1", "payment_intent": {"id": "pi_1"}}, "pi_1", ""),
        ({"object": "dispute", "id": "dp_1", "payment_intent": None, "charge": "ch_1"}, "ch_1", ""),
        ({"object": "plan", "id": "plan_1"}, "", ""),
        ({}, "", ""),
        (None, "", ""),
        ("x", "", ""),
    ],
)
def test_an_event_says_what_it_concerns(about: Any, reference: str, our_ref: str) -> None:
    notice = read(signed(event("whatever.happened", about)))

    assert (notice.reference, notice.our_ref) == (reference, our_ref)
    assert notice.answer is None
    assert notice.movements == ()


@pytest.mark.parametrize(
    ("about", "foreign"),
    [
        ({"object": "payment_intent", "id": "pi_1"}, True),
        ({"object": "payment_intent", "id": "pi_1", "metadata": {"order": "7"}}, True),
        ({"object": "payment_intent", "metadata": {"paygate_attempt": "att_1"}}, False),
        ({"object": "checkout.session", "id": "cs_1", "client_reference_id": "cart-7"}, True),
        ({"object": "checkout.session", "metadata": {"paygate_attempt": "att_1"}}, False),
        ({"object": "charge", "id": "ch_1", "payment_intent": "pi_1"}, True),
        ({"object": "refund", "id": "re_1", "payment_intent": "pi_1"}, True),
        ({"object": "dispute", "id": "dp_1", "charge": "ch_1"}, False),
        ({"object": "plan", "id": "plan_1"}, False),
    ],
)
def test_what_another_system_made_at_the_same_account_is_told_apart(
    about: dict[str, Any], foreign: bool
) -> None:
    assert read(signed(event("whatever.happened", about))).foreign is foreign


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"headers": {}}, "unsigned"),
        ({"body": b"{}"}, "signature"),
        ({"received_at": SENT_AT + timedelta(days=1)}, "too_old"),
    ],
)
def test_a_refusal_names_its_reason(change: dict[str, Any], why: str) -> None:
    with pytest.raises(NotAuthentic) as refused:
        play(STRIPE.verify(replace(signed(PAID), **change)))

    assert refused.value.why == why


@pytest.mark.parametrize(
    ("change", "why"),
    [({"livemode": True}, "other_mode"), ({"account": "acct_2"}, "other_account")],
)
def test_an_event_of_another_account_names_that_reason(change: dict[str, Any], why: str) -> None:
    with pytest.raises(NotAuthentic) as refused:
        play(STRIPE.verify(signed(PAID | change)))

    assert refused.value.why == why


def dispute(**given: Any) -> dict[str, Any]:
    return {
        "id": "dp_1",
        "object": "dispute",
        "amount": 1099,
        "currency": "usd",
        "charge": "ch_1",
        "payment_intent": "pi_1",
        "reason": "fraudulent",
        "status": "needs_response",
        **given,
    }


def test_a_dispute_takes_money_and_gives_it_back_once_each() -> None:
    taken = read(signed(event("charge.dispute.funds_withdrawn", dispute())))
    back = read(signed(event("charge.dispute.funds_reinstated", dispute(status="won"))))

    amount = Money("USD", 1099)
    assert taken.reference == back.reference == "pi_1"
    assert taken.movements == (
        Movement(
            movement_id="dp_1",
            amount=amount,
            kind=MovementKind.CHARGEBACK,
            undoes="ch_1",
            code="fraudulent",
        ),
    )
    assert back.movements == (
        Movement(
            movement_id="dp_1",
            amount=amount,
            kind=MovementKind.CHARGEBACK_WON,
            undoes="dp_1",
            code="fraudulent",
        ),
    )


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("needs_response", "opened"),
        ("warning_under_review", "opened"),
        ("warning_closed", "won"),
        ("prevented", "won"),
        ("won", "won"),
        ("lost", "lost"),
    ],
)
def test_a_dispute_says_how_it_stands_and_until_when(status: str, state: str) -> None:
    due = {"due_by": 1_800_000_000, "has_evidence": False}
    told = dispute(status=status, evidence_details=due)

    notice = read(signed(event("charge.dispute.updated", told)))

    assert (notice.reference, notice.movements) == ("pi_1", ())
    [stands] = notice.disputes
    assert (stands.reference, stands.state) == ("dp_1", state)
    assert (stands.amount, stands.reason) == (Money("USD", 1099), "fraudulent")
    assert stands.respond_by == datetime.fromtimestamp(1_800_000_000, UTC)


@pytest.mark.parametrize("odd", [{"status": "new"}, {"amount": None}, {"id": "x y"}])
def test_a_dispute_that_does_not_read_is_a_hint(odd: dict[str, Any]) -> None:
    notice = read(signed(event("charge.dispute.updated", dispute(**odd))))

    assert (notice.reference, notice.movements, notice.disputes) == ("pi_1", (), ())


WITHDRAWN = {"id": "txn_1", "amount": -1099, "currency": "usd", "fee": 1500, "created": 1000}
BACK = {"id": "txn_2", "amount": 1099, "currency": "usd", "fee": 0, "created": 2000}
AGAIN = {"id": "txn_3", "amount": -1099, "currency": "usd", "fee": 0, "created": 3000}
BACK_AGAIN = {"id": "txn_4", "amount": 1099, "currency": "usd", "fee": 0, "created": 4000}


def turns(type_: str, *moved: dict[str, Any], **given: Any) -> list[tuple[Any, ...]]:
    told = dispute(balance_transactions=list(moved), **given)
    return [
        (each.kind, each.movement_id, each.undoes, each.amount.minor)
        for each in read(signed(event(f"charge.dispute.{type_}", told))).movements
    ]


def test_a_dispute_that_is_lost_after_it_was_won_takes_the_money_a_second_time() -> None:
    first = (MovementKind.CHARGEBACK, "dp_1", "ch_1", 1099)
    won = (MovementKind.CHARGEBACK_WON, "dp_1", "dp_1", 1099)
    second = (MovementKind.CHARGEBACK, "dp_1#2", "ch_1", 1099)
    won_again = (MovementKind.CHARGEBACK_WON, "dp_1#2", "dp_1#2", 1099)

    assert turns("funds_withdrawn", WITHDRAWN) == [first]
    assert turns("funds_reinstated", BACK, WITHDRAWN) == [first, won]
    assert turns("funds_withdrawn", AGAIN, BACK, WITHDRAWN) == [first, won, second]
    assert turns("closed", WITHDRAWN, BACK, AGAIN, status="lost") == [first, won, second]
    assert turns("funds_reinstated", WITHDRAWN, BACK, AGAIN, BACK_AGAIN) == [
        first,
        won,
        second,
        won_again,
    ]


def test_a_part_of_a_dispute_that_is_reinstated_is_that_part() -> None:
    part, rest = {**BACK, "amount": 250}, {**BACK_AGAIN, "amount": 849}

    assert turns("funds_reinstated", WITHDRAWN, part, rest)[1:] == [
        (MovementKind.CHARGEBACK_WON, "dp_1", "dp_1", 250),
        (MovementKind.CHARGEBACK_WON, "dp_1#2", "dp_1", 849),
    ]


def test_what_a_dispute_moves_in_the_currency_of_payouts_is_all_that_is_disputed() -> None:
    both = ((WITHDRAWN, -990), (BACK, 1010))
    in_euro = [{**each, "currency": "eur", "amount": amount} for each, amount in both]

    assert [each[-1] for each in turns("funds_reinstated", *in_euro)] == [1099, 1099]


def test_the_fee_of_a_dispute_comes_with_the_money_that_it_takes() -> None:
    moved = [
        {"amount": -1000, "currency": "eur", "fee": 1500, "net": -2500},
        {"amount": 1000, "currency": "eur", "fee": -1500, "net": 2500},
    ]
    told = dispute(balance_transactions=moved)

    taken, back = read(signed(event("charge.dispute.funds_reinstated", told))).movements

    assert (taken.fee, back.fee) == (Money("EUR", 1500), None)


@pytest.mark.parametrize(
    "wrong", [{"amount": None}, {"amount": 0}, {"amount": -1}, {"currency": "xyz"}, {"id": None}]
)
def test_money_that_cannot_be_read_is_kept_with_the_reason(wrong: dict[str, Any]) -> None:
    notice = read(signed(event("charge.dispute.funds_withdrawn", dispute(**wrong))))

    assert notice.unreadable.startswith("Stripe ")
    assert (notice.event_id, notice.reference, notice.movements) == ("evt_1", "pi_1", ())


@pytest.mark.parametrize("wrong", [{"currency": "iqd"}, {"amount": 0}])
def test_a_refund_of_another_system_that_does_not_read_is_kept_with_the_reason(
    wrong: dict[str, Any],
) -> None:
    of_others = refund(payment_intent="pi_of_others", **wrong)

    notice = read(signed(event("refund.created", of_others)))

    assert notice.unreadable.startswith("Stripe ")
    assert (notice.reference, notice.our_ref, notice.movements) == ("pi_of_others", "", ())


def test_a_fee_that_does_not_read_leaves_the_dispute_readable() -> None:
    told = dispute(balance_transactions=[{"amount": -1000, "currency": "xyz", "fee": 1500}])

    notice = read(signed(event("charge.dispute.funds_withdrawn", told)))

    assert not notice.unreadable
    assert [each.fee for each in notice.movements] == [None]


def refund(**given: Any) -> dict[str, Any]:
    return {
        "id": "re_1",
        "object": "refund",
        "amount": 500,
        "currency": "usd",
        "charge": "ch_1",
        "payment_intent": "pi_1",
        "created": NOON,
        "status": "succeeded",
        "balance_transaction": "txn_1",
        "metadata": {},
        **given,
    }


SENT_BACK = Movement(
    movement_id="re_1",
    amount=Money("USD", 500),
    kind=MovementKind.REFUND,
    effective=SENT_AT,
    undoes="ch_1",
)
FAILED = Movement(
    movement_id="re_1",
    amount=Money("USD", 500),
    kind=MovementKind.REFUND_FAILED,
    undoes="re_1",
    code="declined",
)


def test_a_refund_of_the_dashboard_is_money_that_went_out() -> None:
    notice = read(signed(event("refund.created", refund())))

    assert (notice.reference, notice.our_ref) == ("pi_1", "")
    assert notice.movements == (SENT_BACK,)


def test_a_refund_of_ours_names_our_attempt() -> None:
    told = refund(metadata={"paygate_attempt": "att_2"})

    notice = read(signed(event("charge.refund.updated", told)))

    assert (notice.reference, notice.our_ref) == ("re_1", "att_2")
    assert notice.movements == (SENT_BACK,)


def test_what_a_release_calls_a_refund_moved_nothing() -> None:
    notice = read(signed(event("refund.created", refund(balance_transaction=None))))

    assert notice.movements == ()


@pytest.mark.parametrize(
    ("given", "previous", "movements"),
    [
        ({}, {"previous_attributes": {"status": "succeeded"}}, (SENT_BACK, FAILED)),
        ({"failure_balance_transaction": "txn_2"}, None, (SENT_BACK, FAILED)),
        ({}, {"previous_attributes": {"status": "pending"}}, ()),
        ({}, None, ()),
    ],
)
def test_a_refund_that_failed_after_it_had_succeeded_went_out_and_came_back(
    given: dict[str, Any], previous: Any, movements: tuple[Movement, ...]
) -> None:
    told = refund(status="failed", failure_reason="declined", **given)

    assert read(signed(event("refund.failed", told, previous))).movements == movements


def test_whatever_became_of_it_stripe_is_thanked() -> None:
    notice = read(signed(PAID))

    for result in Applied:
        assert STRIPE.reply(notice, result) == Reply(status=200)


# --- The samples, and anything else ------------------------------------------------------


def test_every_event_that_the_sheet_subscribes_to_is_read(protocols: Path) -> None:
    samples = json.loads((protocols / "stripe" / "fixtures-2026-08.json").read_text())
    tables = json.loads((protocols / "stripe" / "tables.json").read_text())

    for type_ in tables["events_to_subscribe"]:
        parts = type_.split(".")
        kind = "refund" if "refund" in parts[:-1] else parts[-2]
        name = {"session": "checkout.session", "dispute": "dispute"}.get(kind, kind)
        notice = read(signed(event(type_, samples.get(name, {"object": name}))))
        assert notice.type == type_
        kinds = [movement.kind for movement in notice.movements]
        if type_.startswith("charge.dispute.funds"):
            assert len(kinds) == 1
        else:
            assert kinds == []


def test_the_sheets_event_is_read(protocols: Path) -> None:
    samples = json.loads((protocols / "stripe" / "fixtures-2026-08.json").read_text())

    assert read(signed(samples["event"])).type == "plan.created"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3)
    ),
    max_leaves=8,
)
KINDS = [intent("x"), refund(), dispute(), {"object": "checkout.session"}, {"object": "charge"}]


@st.composite
def events(draw: st.DrawFn) -> Any:
    about = dict(draw(st.sampled_from(KINDS)))
    for name in draw(st.lists(st.sampled_from(sorted(about)), max_size=3)):
        about[name] = draw(json_values)
    types = ["charge.dispute.funds_withdrawn", "refund.failed", "x"]
    told = event(draw(st.sampled_from(types)), about)
    if draw(st.booleans()):
        told[draw(st.sampled_from(sorted(told)))] = draw(json_values)
    return told


def test_two_times_in_a_signature_are_refused() -> None:
    both = f"t=1,t={NOON},v1={mac(BODY)}"

    refuse(callback(BODY, both), "no Stripe-Signature")
    refuse(callback(BODY, f"t={NOON},v1={mac(BODY)},t={NOON}"), "no Stripe-Signature")


@given(told=events())
def test_any_event_is_a_notice_or_refused(told: Any) -> None:
    try:
        notice = read(signed(told))
    except NotAuthentic:
        return
    if notice.unreadable:  # signed, and not JSON, such as an infinity
        assert notice.movements == ()
        return
    assert isinstance(told, dict)
    assert told.get("object") == "event"
    for movement in notice.movements:
        assert movement.amount.minor > 0
        assert movement.movement_id


@given(body=st.binary(max_size=200), header=st.text(max_size=120))
def test_any_bytes_that_are_not_signed_are_refused(body: bytes, header: str) -> None:
    refuse(callback(body, header))


@given(body=st.binary(max_size=200))
def test_any_bytes_that_are_signed_are_a_notice_or_refused(body: bytes) -> None:
    try:
        read(signed(body))
    except NotAuthentic:
        return


# --- Stored methods ----------------------------------------------------------------------


def official(protocols: Path, name: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(
        (protocols / "stripe" / "fixtures-2026-08.json").read_text("utf-8")
    )
    found: dict[str, Any] = told[name]
    return found


@pytest.mark.parametrize(
    "type_", ["payment_method.automatically_updated", "payment_method.updated"]
)
def test_a_card_that_the_bank_renewed_comes_with_its_new_expiry(
    protocols: Path, type_: str
) -> None:
    told = official(protocols, "payment_method")

    notice = read(signed(event(type_, told)))

    assert notice.method == MethodNews(
        reference=told["id"],
        facts=MethodFacts(
            brand="visa", last4="4242", expires_month=8, expires_year=2030, wallet="link"
        ),
    )
    assert (notice.reference, notice.answer, notice.movements) == ("", None, ())


def test_a_card_that_was_detached_has_ended(protocols: Path) -> None:
    told = official(protocols, "payment_method")

    notice = read(signed(event("payment_method.detached", told)))

    assert notice.method == MethodNews(reference=told["id"], ended=True, reason="detached")


@pytest.mark.parametrize(("status", "ended"), [("inactive", True), ("active", False)])
def test_a_revoked_mandate_ends_the_method_that_it_is_for(
    protocols: Path, status: str, ended: bool
) -> None:
    told = {**official(protocols, "mandate"), "status": status, "payment_method": "pm_7"}

    notice = read(signed(event("mandate.updated", told)))

    inactive = MethodNews(reference="pm_7", ended=True, reason="inactive")
    assert notice.method == (inactive if ended else None)


@pytest.mark.parametrize("card", [None, {"last4": ""}, {"last4": "", "exp_month": "8"}])
def test_an_expiry_that_does_not_read_leaves_the_old_one(card: Any) -> None:
    told = {"id": "pm_1", "object": "payment_method", "card": card}

    notice = read(signed(event("payment_method.updated", told)))

    assert notice.method == MethodNews(reference="pm_1")


def test_other_events_of_a_card_say_nothing_of_it() -> None:
    told = {"id": "pm_1", "object": "payment_method"}

    assert read(signed(event("payment_method.attached", told))).method is None
