"""The processor's truth: what holds for every sequence of calls."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from paygate.dialogue import Request
from paygate.domain.kind import Kind
from paygate.domain.outcome import (
    Approved,
    DeclineCode,
    Declined,
    Pending,
    RejectCause,
    Rejected,
    Unknown,
)
from paygate.errors import GatewayError, NoResponse, StoreError
from paygate.gateway import DedupWindow, Keyed, NotIdempotent, Refunding
from paygate.testing import FakeClock, FakeProcessor, read_journal
from paygate.testing.fake import requests
from paygate.testing.processor.magic import MAGIC, Plan, Wire
from tests.testing.helpers import Till, charge_of, usd

CARD_TOKENS = sorted(token for token, row in MAGIC.items() if Kind.CARD in row.kinds)
APPROVING = ["tok_visa", "tok_unknown_lost", "tok_unknown_executed", "tok_timeout_late"]
APPROVING += ["tok_response_late", "tok_garbage", "tok_truncated", "tok_500_executed"]

steps = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 90)), min_size=1, max_size=12)


def charge_anyhow(till: Till, token: str, key: str) -> object:
    try:
        return till.charge(token, key)
    except GatewayError as fault:
        return type(fault)


# --- Repetitions -----------------------------------------------------------------------------


@given(steps=steps, tokens=st.tuples(*[st.sampled_from(APPROVING)] * 3))
def test_keyed_the_same_key_moves_the_money_once(
    steps: list[tuple[str, int]], tokens: tuple[str, str, str]
) -> None:
    till = Till()

    for key, seconds in steps:
        charge_anyhow(till, tokens["abc".index(key)], key)
        till.clock.advance(seconds=seconds)
    till.clock.advance(hours=1)

    refs = [entry.our_ref for entry in till.fake.journal]
    assert len(refs) == len(set(refs))
    assert till.moved == usd("10.00") * len(refs)


@given(tokens=st.lists(st.sampled_from(CARD_TOKENS), max_size=8))
def test_a_repetition_under_one_key_gets_the_same_bytes(tokens: list[str]) -> None:
    processor = FakeProcessor(clock=FakeClock())

    for number, token in enumerate(tokens):
        request = requests.build_charge("http://fake.invalid", charge_of(token, str(number)))
        if MAGIC[token].plan.wire is not Wire.FINE:
            continue
        first = processor.handle(request)
        assert processor.handle(request) == first


def test_keyed_another_request_under_the_same_key_is_refused() -> None:
    till = Till()
    till.charge()

    outcome = till.charge(amount=usd("11.00"))

    assert isinstance(outcome, Rejected)
    assert outcome.cause is RejectCause.KEY_MISMATCH
    assert till.moved == usd("10.00")


def test_keyed_the_key_is_forgotten_after_its_time() -> None:
    till = Till(idempotency=Keyed(ttl=timedelta(hours=1)))
    till.charge()
    till.clock.advance(hours=1)
    till.charge()

    assert till.moved == usd("20.00")
    assert len(till.look_up().movements) == 2


@pytest.mark.parametrize(("replays", "again"), [(True, Unknown), (False, Approved)])
def test_keyed_a_server_error_is_replayed_if_the_traits_say_so(
    *, replays: bool, again: type
) -> None:
    till = Till(idempotency=Keyed(ttl=timedelta(hours=1), replays_errors=replays))

    for token in ("tok_500", "tok_500_executed"):
        assert isinstance(till.charge(token, token), Unknown)
        assert isinstance(till.charge(token, token), again)

    assert till.moved == usd("10.00" if replays else "20.00")


def test_not_idempotent_the_same_key_moves_money_twice_and_an_inquiry_shows_both() -> None:
    till = Till(idempotency=NotIdempotent())

    first, second = till.charge(), till.charge()

    assert first.reference != second.reference
    assert till.moved == usd("20.00")
    assert till.look_up().movements == first.movements + second.movements


def test_not_idempotent_a_late_request_doubles_its_repetition() -> None:
    till = Till(idempotency=NotIdempotent())
    with pytest.raises(NoResponse):
        till.charge("tok_timeout_late")
    till.charge("tok_timeout_late")
    till.clock.advance(minutes=2)

    assert till.moved == usd("20.00")


def test_a_window_answers_a_duplicate_as_before_or_refuses_it() -> None:
    window = timedelta(minutes=2)
    original = Till(idempotency=DedupWindow(window=window, returns_original=True))
    refuses = Till(idempotency=DedupWindow(window=window))

    assert original.charge(key="a") == original.charge(key="b")
    assert isinstance(refuses.charge(key="a"), Approved)
    duplicate = refuses.charge(key="b")
    refuses.clock.advance(window)
    after = refuses.charge(key="c")

    assert isinstance(duplicate, Declined)
    assert duplicate.code is DeclineCode.DUPLICATE
    assert isinstance(after, Approved)
    assert (original.moved, refuses.moved) == (usd("10.00"), usd("20.00"))


def test_a_window_lets_a_declined_payer_try_again() -> None:
    till = Till(idempotency=DedupWindow(window=timedelta(minutes=2)))

    first, second = till.charge("tok_declined", "a"), till.charge("tok_declined", "b")

    assert first.reference != second.reference


# --- The journal -----------------------------------------------------------------------------


def play_at_random(till: Till, script: list[tuple[str, int]]) -> list[object]:
    """Charge, look up and refund as *script* says, and move the clock."""
    told: list[object] = []
    for number, (token, seconds) in enumerate(script):
        key = f"k{number % 5}"
        told.append(charge_anyhow(till, token, key))
        found = till.look_up(key)
        told.append(found)
        if isinstance(found, Approved) and seconds % 3 == 0:
            movement = found.movements[0]
            what = {"reference": found.reference, "movement_id": movement.movement_id}
            told.append(
                till.do("refund", Refunding, amount=replace(movement.amount, minor=1), **what)
            )
        till.clock.advance(seconds=seconds * 1000)
    return told


scripts = st.lists(st.tuples(st.sampled_from(CARD_TOKENS), st.integers(0, 300)), max_size=10)


@given(script=scripts)
def test_the_journal_is_the_sum_of_its_movements(script: list[tuple[str, int]]) -> None:
    till = Till()

    play_at_random(till, script)

    journal = till.fake.journal
    assert [entry.sequence for entry in journal] == list(range(1, len(journal) + 1))
    assert len({entry.movement_id for entry in journal}) == len(journal)
    for currency in ("USD", "EUR"):
        total = sum(
            entry.minor if entry.kind.inward else -entry.minor
            for entry in journal
            if entry.currency == currency
        )
        assert till.fake.moved(currency).minor == total >= 0


@given(script=scripts)
def test_the_same_calls_at_the_same_time_give_the_same_bytes(
    script: list[tuple[str, int]],
) -> None:
    first, second = Till(), Till()

    assert str(play_at_random(first, script)) == str(play_at_random(second, script))

    assert first.fake.processor.journal_bytes == second.fake.processor.journal_bytes


@given(before=scripts, after=scripts)
def test_a_processor_that_starts_again_goes_on_as_if_it_had_not_stopped(
    before: list[tuple[str, int]],
    after: list[tuple[str, int]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("journal") / "truth.jsonl"
    stops, runs = Till(journal=path), Till()
    lost = {"tok_timeout_late", "tok_unknown_lost", "tok_500"}
    # What is on the wire, and what the wire did before, is no part of the truth.
    before = [(token, seconds) for token, seconds in before if token not in lost]
    play_at_random(stops, before)
    play_at_random(runs, before)
    stops.fake.processor.close()

    again = Till(journal=path)
    again.clock.set(stops.clock.now())
    again.name_keys("later")
    runs.name_keys("later")
    told = play_at_random(again, after)

    assert str(told) == str(play_at_random(runs, after))
    assert again.fake.processor.journal_bytes == runs.fake.processor.journal_bytes
    assert tuple(read_journal(path)) == again.fake.journal


def test_pending_work_survives_a_restart(tmp_path: Path) -> None:
    till = Till(Kind.E_CHECK, journal=tmp_path / "j")
    till.charge("tok_bank_returned_r01")

    again = Till(Kind.E_CHECK, journal=tmp_path / "j")
    assert isinstance(again.look_up(), Pending)
    again.clock.advance(days=5)

    assert [str(entry.kind) for entry in again.fake.journal] == ["charge", "return"]


@given(cut=st.integers(1, 400))
def test_a_torn_last_line_is_as_if_it_had_never_been(
    cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("journal") / "truth.jsonl"
    till = Till(journal=path)
    till.charge(key="a")
    whole = path.read_bytes()
    till.charge(key="b")
    last = len(path.read_bytes()) - len(whole)
    till.fake.processor.close()
    path.write_bytes(path.read_bytes()[: -min(cut, last)])

    again = Till(journal=path)

    assert [entry.our_ref for entry in again.fake.journal] == ["ref-a"]
    again.charge(key="b")
    assert path.read_bytes().startswith(whole)
    assert all(json.loads(line) for line in path.read_bytes().splitlines())


def test_a_damaged_line_in_the_middle_is_reported_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_bytes(b'{"serial":1}\n{"serial"\n{"serial":3}\n')

    with pytest.raises(StoreError, match="line 2"):
        FakeProcessor(journal=path)


def test_no_card_or_token_stands_in_the_journal(tmp_path: Path) -> None:
    from paygate.domain.secret import RawCard, Secret

    till = Till(journal=tmp_path / "j")
    card = RawCard(number=Secret("4242424242424242"), expires_month=1, expires_year=2099)

    till.ask(till.fake.charge(replace(charge_of(), method=card)))

    assert b"4242424242424242" not in (tmp_path / "j").read_bytes()


# --- Requests that make no sense ------------------------------------------------------------------


@example("enroll", b'{"kind": "card", "method": " "}')
@example("charge", b'{"kind": "card", "currency": "USD", "minor": 1, "method": " "}')
@given(
    path=st.sampled_from(["charge", "open", "refund", "capture", "void", "enroll", "forget"]),
    body=st.binary()
    | st.dictionaries(
        st.sampled_from(["kind", "about", "currency", "minor", "method", "token", "movement"]),
        st.none() | st.integers() | st.text() | st.sampled_from(["card", "USD"]) | st.just({}),
    ).map(lambda value: json.dumps(value).encode()),
)
def test_nonsense_is_refused_and_changes_nothing(path: str, body: bytes) -> None:
    processor = FakeProcessor(clock=FakeClock())

    url = f"http://fake.invalid/v1/{path}"
    response = processor.handle(Request(method="POST", url=url, step=path, body=body))

    assert 400 <= response.status < 500
    assert json.loads(response.body)["error"]["message"]
    assert processor.journal == ()


def test_a_partial_amount_is_never_nothing() -> None:
    till = Till()
    till.fake.script(Plan(percent=1))

    assert till.charge(amount=usd("0.05")).movements[0].amount == usd("0.01")
