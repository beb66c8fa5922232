"""One access token per account: shared, renewed in time, replaced once, and never shown."""

import asyncio
import json
import logging
import multiprocessing
import os
import threading
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from paygate.dialogue import NOTED, Dialogue, Note, Request, Response
from paygate.domain.secret import Secret
from paygate.errors import BadResponse, InvalidSettings, NoResponse, NotSent, Unsupported
from paygate.gateway import AccessToken
from paygate.testing import FakeClock
from paygate.transport import AsyncCourier, Courier, tokens
from tests.transport.script import AsyncScript, Carried, Part, Signer, SyncScript, Told, request

OK = Response(status=200)
EXPIRED = Response(status=401)

WANTS_TOKEN = request(sign_in=True)
MONEY = request(sign_in=True, moves_money=True)


class Processor:
    """Gives out numbered tokens and accepts the latest, until it is revoked."""

    def __init__(self) -> None:
        self.given = 0
        self.revoked = 0
        self.refuses: Told | None = None

    def __call__(self, sent: Request) -> Told:
        if sent.step == "sign_in":
            if self.refuses is not None:
                return self.refuses
            self.given += 1
            return Response(status=200, body=b'{"access_token": "token-%d"}' % self.given)
        fresh = sent.headers.get("authorization") == f"Bearer token-{self.given}"
        return OK if fresh and self.given > self.revoked else EXPIRED

    def parts(self) -> Iterator[Part]:
        while True:
            yield self


PATIENCE_S = 20.0
"""How long a test waits for others before it fails; never reached when all is well."""


class Queue:
    """Counts the threads that have joined the sign-in of another."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._changed = threading.Condition()
        self._joined = 0
        share = tokens._shared

        def joining(theirs: Any, left_s: float) -> Any:
            with self._changed:
                self._joined += 1
                self._changed.notify_all()
            return share(theirs, left_s)

        monkeypatch.setattr(tokens, "_shared", joining)

    def await_joined(self, threads: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._joined >= threads, PATIENCE_S)


def steps(carried: Carried) -> list[str]:
    return [sent.step for sent in carried.sent]


# --- Got once ----------------------------------------------------------------------


def test_a_token_is_got_once_and_used_again(face: str) -> None:
    carried = Carried(face, Processor().parts(), Signer())

    assert [carried.exchange(WANTS_TOKEN) for _ in range(3)] == [OK] * 3

    assert steps(carried) == ["sign_in", "charge", "charge", "charge"]


def test_who_does_not_ask_for_a_token_gets_none(face: str) -> None:
    carried = Carried(face, iter([OK]), Signer())

    carried.exchange(request())

    assert steps(carried) == ["charge"]
    assert "authorization" not in carried.sent[0].headers


def test_the_token_replaces_what_the_driver_wrote_there(face: str) -> None:
    carried = Carried(face, Processor().parts(), Signer())

    carried.exchange(request(sign_in=True, headers={"Authorization": "none", "X-A": "b"}))

    assert dict(carried.sent[1].headers) == {"X-A": "b", "authorization": "Bearer token-1"}


def test_an_account_that_cannot_sign_in_says_so_before_anything_leaves(face: str) -> None:
    carried = Carried(face, iter([]))

    with pytest.raises(Unsupported, match="cannot sign in"):
        carried.exchange(MONEY)


def test_fifty_threads_sign_in_once(monkeypatch: pytest.MonkeyPatch) -> None:
    processor, clock, queue = Processor(), FakeClock(), Queue(monkeypatch)
    answers: list[Response] = []

    class Slow(SyncScript):
        def exchange(self, request: Request) -> Response:
            if request.step == "sign_in":
                queue.await_joined(49 * (processor.given + 1))
            return self.tell(request)

    script = Slow(processor.parts(), clock)
    courier = Courier(script, Signer(), now=clock.now)

    def work() -> None:
        ready.wait(20)
        answers.append(courier.exchange(WANTS_TOKEN))

    for round_ in (1, 2, 3):
        ready = threading.Barrier(50)
        threads = [threading.Thread(target=work) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert processor.given == round_
        clock.advance(hours=1)

    assert answers == [OK] * 150


async def test_a_hundred_tasks_sign_in_once() -> None:
    processor, clock = Processor(), FakeClock()
    courier = AsyncCourier(AsyncScript(processor.parts(), clock), Signer(), now=clock.now)

    answers = await asyncio.gather(*(courier.exchange(WANTS_TOKEN) for _ in range(100)))

    assert (answers, processor.given) == ([OK] * 100, 1)


async def test_who_stops_waiting_does_not_stop_the_others() -> None:
    processor, clock = Processor(), FakeClock()
    began, go = asyncio.Event(), asyncio.Event()

    class Slow(AsyncScript):
        async def exchange(self, request: Request) -> Response:
            if request.step == "sign_in":
                began.set()
                await go.wait()
            return await super().exchange(request)

    courier = AsyncCourier(Slow(processor.parts(), clock), Signer(), now=clock.now)
    first, second = (asyncio.ensure_future(courier.exchange(WANTS_TOKEN)) for _ in range(2))
    # The task that signs in was made after both, so both wait for it by now.
    await asyncio.wait_for(began.wait(), PATIENCE_S)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    go.set()

    assert await second is OK
    assert processor.given == 1


async def test_closing_stops_a_sign_in_that_is_under_way() -> None:
    began = asyncio.Event()

    class Never(AsyncScript):
        async def exchange(self, request: Request) -> Response:
            began.set()
            await asyncio.Event().wait()
            return self.tell(request)

    courier = AsyncCourier(Never(iter([]), FakeClock()), Signer())
    waiting = asyncio.ensure_future(courier.exchange(MONEY))
    await asyncio.wait_for(began.wait(), PATIENCE_S)

    await courier.aclose()

    with pytest.raises(NotSent, match="could not sign in"):
        await waiting


def test_a_token_is_kept_over_a_change_of_the_event_loop() -> None:
    processor, clock = Processor(), FakeClock()
    courier = AsyncCourier(AsyncScript(processor.parts(), clock), Signer(), now=clock.now)

    for _ in range(2):
        assert asyncio.run(courier.exchange(WANTS_TOKEN)) is OK

    assert processor.given == 1


# --- Renewed in time -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expires_in_s", "used_until_s"), [(3600, 3540), (32_400, 32_340), (100, 80), (1, 0), (0, 0)]
)
def test_a_token_is_renewed_before_it_expires(
    face: str, expires_in_s: int, used_until_s: int
) -> None:
    processor = Processor()
    carried = Carried(face, processor.parts(), Signer(expires_in_s=expires_in_s))

    carried.exchange(WANTS_TOKEN)
    if used_until_s:
        carried.clock.advance(seconds=used_until_s - 1)
        carried.exchange(WANTS_TOKEN)
        assert processor.given == 1
    carried.clock.advance(seconds=1)

    assert carried.exchange(WANTS_TOKEN) is OK
    assert processor.given == 2


def test_its_age_counts_from_when_we_asked_for_it(face: str) -> None:
    processor = Processor()

    def slow(sent: Request) -> Told:
        if sent.step == "sign_in":
            carried.clock.advance(seconds=20)
        return processor(sent)

    carried = Carried(face, iter([slow] * 9), Signer(expires_in_s=100))
    carried.exchange(WANTS_TOKEN)
    carried.clock.advance(seconds=60)
    carried.exchange(WANTS_TOKEN)

    assert processor.given == 2


def test_a_clock_that_was_put_back_makes_no_token_live_longer(face: str) -> None:
    processor = Processor()
    carried = Carried(face, processor.parts(), Signer())
    carried.exchange(WANTS_TOKEN)

    carried.clock.set(carried.clock.now() - timedelta(days=1))
    carried.exchange(request(sign_in=True, timeout_s=200_000.0))

    assert processor.given == 2


# --- Replaced once ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [WANTS_TOKEN, MONEY])
def test_a_refused_token_is_replaced_and_the_request_sent_once_more(
    face: str, kind: Request
) -> None:
    processor = Processor()
    carried = Carried(face, processor.parts(), Signer())
    carried.exchange(kind)
    processor.revoked = 1

    assert carried.exchange(kind) is OK

    assert steps(carried) == ["sign_in", "charge", "charge", "sign_in", "charge"]
    assert carried.pauses == []


def test_a_second_refusal_is_the_answer(face: str) -> None:
    processor = Processor()
    processor.revoked = 1000
    carried = Carried(face, processor.parts(), Signer())

    assert carried.exchange(MONEY) is EXPIRED

    assert steps(carried) == ["sign_in", "charge", "sign_in", "charge"]


def test_a_refusal_of_what_needs_no_token_is_the_answer(face: str) -> None:
    carried = Carried(face, iter([EXPIRED]), Signer())

    assert carried.exchange(request(moves_money=True)) is EXPIRED


@pytest.mark.parametrize("refuses", [NotSent("down"), NoResponse("down"), Response(status=500)])
def test_where_no_other_token_is_given_the_refusal_stands(face: str, refuses: Told) -> None:
    processor = Processor()
    carried = Carried(face, processor.parts(), Signer())
    carried.exchange(MONEY)
    processor.revoked, processor.refuses = 1, refuses

    assert carried.exchange(MONEY) is EXPIRED


async def test_many_refusals_of_one_token_replace_it_once() -> None:
    processor, clock = Processor(), FakeClock()
    courier = AsyncCourier(AsyncScript(processor.parts(), clock), Signer(), now=clock.now)
    await courier.exchange(WANTS_TOKEN)
    processor.revoked = 1

    answers = await asyncio.gather(*(courier.exchange(WANTS_TOKEN) for _ in range(20)))

    assert (answers, processor.given) == ([OK] * 20, 2)


# --- Not got ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("refuses", "reason"),
    [
        (NotSent("refused"), "refused"),
        (NoResponse("lost"), "lost"),
        (BadResponse("garbage"), "garbage"),
        (Response(status=401, body=b"client-secret is wrong"), "JSON"),
        (Response(status=200, body=b"{}"), "KeyError"),
        (Response(status=200, body=b"canceled"), "CancelledError"),
    ],
)
def test_without_a_token_the_request_was_not_sent(face: str, refuses: Told, reason: str) -> None:
    processor = Processor()
    processor.refuses = refuses
    carried = Carried(face, processor.parts(), Signer())

    with pytest.raises(NotSent, match=reason) as caught:
        carried.exchange(MONEY)

    assert "charge" not in steps(carried)
    assert "client-secret" not in str(caught.value)


def test_a_wrong_setting_stays_one(face: str) -> None:
    carried = Carried(face, iter([InvalidSettings("no address")]), Signer())

    with pytest.raises(InvalidSettings):
        carried.exchange(MONEY)


@pytest.mark.parametrize(("marked", "tries"), [(True, 3), (False, 1)])
def test_a_sign_in_is_repeated_by_the_same_rules(face: str, marked: bool, tries: int) -> None:
    processor = Processor()
    processor.refuses = Response(status=503)
    carried = Carried(face, processor.parts(), Signer(repeatable=marked))

    with pytest.raises(NotSent):
        carried.exchange(MONEY)

    assert steps(carried) == ["sign_in"] * tries


def test_a_sign_in_that_took_too_long_leaves_no_time_to_send(face: str) -> None:
    processor = Processor()

    def slow(sent: Request) -> Told:
        carried.clock.advance(seconds=30)
        return processor(sent)

    carried = Carried(face, iter([slow]), Signer())

    with pytest.raises(NotSent, match="to send it has ended"):
        carried.exchange(MONEY)


def test_a_sign_in_that_took_the_lease_leaves_no_right_to_send(face: str) -> None:
    processor = Processor()

    def slow(sent: Request) -> Told:
        carried.clock.advance(seconds=5)
        return processor(sent)

    carried = Carried(face, iter([slow]), Signer())

    with pytest.raises(NotSent, match="to send it has ended"):
        carried.exchange(MONEY, not_after=carried.clock.now() + timedelta(seconds=5))


def test_a_driver_that_needs_a_token_to_get_one_is_told(face: str) -> None:
    carried = Carried(face, iter([]), Signer(sign_in=True))

    with pytest.raises(NotSent, match="token that it should return"):
        carried.exchange(MONEY)


def test_a_sign_in_may_note_what_nobody_keeps(face: str) -> None:
    class Notes:
        def sign_in(self) -> Dialogue[AccessToken]:
            assert (yield Note("session-1")) is NOTED
            return AccessToken(value=Secret("t"), expires_in_s=60)

    carried = Carried(face, iter([OK]), Notes())

    assert carried.exchange(WANTS_TOKEN) is OK


def test_a_failure_is_shared_by_all_who_wait_for_it_and_not_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each thread gets an error of its own, and the next request asks again."""
    began, go, queue = threading.Event(), threading.Event(), Queue(monkeypatch)
    faults: list[BaseException] = []

    class Slow(SyncScript):
        def exchange(self, request: Request) -> Response:
            began.set()
            go.wait(20)
            return self.tell(request)

    processor, clock = Processor(), FakeClock()
    processor.refuses = NoResponse("lost")
    script = Slow(processor.parts(), clock)
    courier = Courier(script, Signer(), now=clock.now)

    def work() -> None:
        try:
            courier.exchange(MONEY)
        except NotSent as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work) for _ in range(10)]
    threads[0].start()
    began.wait(20)
    for thread in threads[1:]:
        thread.start()
    queue.await_joined(9)
    go.set()
    for thread in threads:
        thread.join(20)

    assert len({id(fault) for fault in faults}) == 10
    assert [sent.step for sent in script.sent] == ["sign_in"]
    processor.refuses = None
    assert courier.exchange(MONEY) is OK


def test_who_waits_for_another_s_sign_in_keeps_the_own_deadline() -> None:
    began, go = threading.Event(), threading.Event()

    class Slow(SyncScript):
        def exchange(self, request: Request) -> Response:
            began.set()
            go.wait(20)
            return self.tell(request)

    clock = FakeClock()
    courier = Courier(Slow(Processor().parts(), clock), Signer(), now=clock.now)
    first = threading.Thread(target=courier.exchange, args=(WANTS_TOKEN,))
    first.start()
    began.wait(20)
    try:
        with pytest.raises(NotSent, match="before the deadline"):
            courier.exchange(request(sign_in=True, moves_money=True, timeout_s=0.05))
    finally:
        go.set()
        first.join(20)


# --- After a fork -----------------------------------------------------------------------------


def in_child(courier: Courier, processor: Processor, told: Any) -> None:
    go.set()
    told.send((courier.exchange(WANTS_TOKEN).status, processor.given))


go = threading.Event()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("signed_in", [True, False])
def test_a_child_keeps_the_token_and_waits_for_no_thread_of_its_parent(signed_in: bool) -> None:
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("no fork on this system")
    parent, began, processor = os.getpid(), threading.Event(), Processor()
    go.clear()

    class Slow(SyncScript):
        def exchange(self, request: Request) -> Response:
            if request.step == "sign_in" and os.getpid() == parent and not signed_in:
                began.set()
                go.wait(20)
            return self.tell(request)

    clock = FakeClock()
    courier = Courier(Slow(processor.parts(), clock), Signer(), now=clock.now)
    first = threading.Thread(target=courier.exchange, args=(WANTS_TOKEN,))
    first.start()
    if signed_in:
        first.join(20)
    else:
        began.wait(20)
    hears, tells = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(
        target=in_child, args=(courier, processor, tells)
    )
    child.start()

    assert hears.poll(20)
    assert hears.recv() == (200, 1)
    go.set()
    first.join(20)
    child.join(20)
    for end in (hears, tells):
        end.close()
    child.close()


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("no 'Bearer {}'", "no 'Bearer ••••'"),
        ('{{"your": "{}"}}', '{{"your": "••••"}}'),
        ("ü %74oken{}", "ü %74oken••••"),
    ],
)
def test_a_response_that_repeats_the_token_reaches_the_driver_without_it(
    face: str, said: str, left: str
) -> None:
    token = "A21AAFqwx7-a_9"

    def echo(sent: Request) -> Told:
        if sent.step == "sign_in":
            return Response(status=200, body=json.dumps({"access_token": token}).encode())
        text = said.format(token)
        return Response(status=400, body=text.encode(), headers={"x-error": f"{token} is bad"})

    answer = Carried(face, iter([echo, echo]), Signer()).exchange(MONEY)

    assert answer.body.decode() == left.format()
    assert answer.headers == {"x-error": "•••• is bad"}


@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode, bytes.hex])
def test_a_response_that_repeats_the_token_in_an_encoding(
    face: str, encode: Callable[[bytes], bytes | str]
) -> None:
    token = "A21AAFqwx7-a_9"
    spelled = encode(f"x:{token}".encode())
    spelled = spelled.encode() if isinstance(spelled, str) else spelled

    def echo(sent: Request) -> Told:
        if sent.step == "sign_in":
            return Response(status=200, body=json.dumps({"access_token": token}).encode())
        return Response(status=200, body=b"\xff\xfe no " + spelled + b" here")

    answer = Carried(face, iter([echo, echo]), Signer()).exchange(MONEY)

    assert answer.body.startswith(b"\xff\xfe no ")
    assert answer.body.endswith("•••• here".encode())
    assert spelled not in answer.body


# --- Never shown --------------------------------------------------------------------------------


def test_a_token_is_in_no_log_no_repr_and_no_error(
    face: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    processor = Processor()
    carried = Carried(face, processor.parts(), Signer())
    carried.exchange(WANTS_TOKEN)
    processor.revoked = 1
    carried.exchange(WANTS_TOKEN)
    carried.script._parts = iter([NoResponse("lost")])
    with pytest.raises(NoResponse) as caught:
        carried.exchange(MONEY)

    shown = [caplog.text, repr(caught.value), repr(carried.sent)]
    trace = caught.value.__traceback__
    while trace is not None:
        if "paygate" in Path(trace.tb_frame.f_code.co_filename).parts:
            shown += map(repr, trace.tb_frame.f_locals.values())
        trace = trace.tb_next

    for text in shown:
        assert "token-2" not in text
        assert "client-secret" not in text
