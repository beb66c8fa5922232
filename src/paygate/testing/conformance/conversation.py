"""What holds for every dialogue of a driver, whatever it is about."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast
from urllib.parse import unquote, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from paygate.dialogue import NOTED, deferred
from paygate.driver import BadResponse, NoResponse, Note, Request, Response
from paygate.testing.conformance.explain import (
    DIALOGUES,
    PROTOCOL,
    TRANSCRIPTS,
    UNKNOWN,
    does_not_apply,
    require,
)
from paygate.testing.conformance.held import (
    HeldDialogue,
    HostStops,
    heard_all,
    hold,
    scripted,
    spoiled,
    then_silence,
    until,
)
from paygate.testing.conformance.showing import overheard, shown
from paygate.testing.conformance.spoiling import GARBAGE, made_up, mutations
from paygate.testing.conformance.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from paygate.driver import Dialogue, Gateway, Money
    from paygate.testing.conformance.transcripts import Case


class Conversation(Subject):
    """A dialogue with a transcript of its own; the classes of the capabilities fill it in."""

    about: ClassVar[str]
    """The name of the transcript, and of what the gateway is asked for."""

    def begin(self, gateway: Gateway, **given: Any) -> Dialogue[Any]:
        """Begin the dialogue."""
        raise NotImplementedError

    def opened(self, **given: Any) -> Dialogue[Any]:
        """Begin the dialogue with a new gateway."""
        return self.begin(self.gateway(), **given)

    def good(self) -> Case:
        """Tell the case in which everything goes well."""
        return self.transcript(self.about).case("approve", "all goes well")

    # --- Running a case -----------------------------------------------------------------

    def case(self, name: str, meaning: str) -> Case:
        """Find the case *name* of the transcript."""
        return self.transcript(self.about).case(name, meaning)

    def held(
        self,
        case: Case,
        *,
        answered: Money | None = None,
        said: dict[str, str] | None = None,
        **given_: Any,
    ) -> HeldDialogue[Any]:
        """Hold the dialogue with *case*: every answer is heard, and nothing else is asked."""
        money = answered or given_.get("amount")
        replies = case.responses(self.values(case, money, **(said or {})))
        held = hold(partial(self.opened, **given_), scripted(case, replies))
        return held if held.raised is not None else heard_all(case, held)

    def outcome(self, case: Case, **given_: Any) -> Any:
        """Tell how *case* ends, which must not be by an exception."""
        held = self.held(case, **given_)
        require(
            held.raised is None,
            expected=f"{self.about}, case {case.name!r}: an outcome",
            got=f"{type(held.raised).__name__}: {held.raised}",
            why="what the processor said in so many words is known; as an exception it counts "
            "as unknown, and the invoice stays locked until somebody finds out",
            read=TRANSCRIPTS,
        )
        return held.outcome

    def cases(self) -> Iterator[Case]:
        """Go through all cases of the transcript that have answers."""
        return (case for case in self.transcript(self.about).cases.values() if case.messages)

    def _bytes(self, **given_: Any) -> list[Request]:
        return self.held(self.good(), **given_).requests

    # --- What is sent -------------------------------------------------------------------

    def test_the_same_key_gives_the_same_bytes(self) -> None:
        """A repetition must be recognised by the processor as one."""
        first, second = self._bytes(), self._bytes()
        require(
            first == second,
            expected=f"{self.about}: twice the same request, byte for byte, from two gateways",
            got="two that differ in " + _difference(first, second),
            why="a processor that is sent the same key with another body refuses it or, worse, "
            "does it again: the payer is charged twice",
            read=DIALOGUES,
        )

    def test_dialogues_of_one_gateway_do_not_mix(self) -> None:
        """One object serves all payments of an account at once."""
        case = self.good()
        replies = case.responses(self.values(case))
        gateway = self.gateway()
        alone = [hold(lambda: self.begin(gateway), scripted(case, replies)).requests]
        together: list[list[Request]] = [[], []]
        dialogues = [deferred(lambda: self.begin(gateway)) for _ in together]
        waiting: list[Response | None] = [None, None]
        running = {0, 1}
        while running:
            for number in sorted(running):
                try:
                    last = waiting[number]
                    step = next(dialogues[number]) if last is None else dialogues[number].send(last)
                    while isinstance(step, Note):
                        step = dialogues[number].send(NOTED)
                except StopIteration:
                    running.discard(number)
                    continue
                together[number].append(step)
                waiting[number] = scripted(case, replies)(len(together[number]) - 1, step)
        require(
            together == alone * 2,
            expected=f"{self.about}: two dialogues at once ask what each asks alone",
            got="they disturb each other: " + _difference(alone[0], together[1]),
            why="what one payment leaves in the gateway goes into another one: money of one "
            "payer is booked to somebody else. Keep the state in the dialogue",
            read=DIALOGUES,
        )

    def test_it_can_be_dropped_at_any_point(self) -> None:
        """A host that stops closes its dialogues; nothing may be sent on the way out."""
        case = self.good()
        replies = case.responses(self.values(case))
        for stop in range(len(replies)):
            try:
                problem = hold(self.opened, until(stop, scripted(case, replies))).raised
            except HostStops:
                continue
            require(
                problem is None,
                expected=f"{self.about}: it ends quietly when it is closed at request {stop + 1}",
                got=str(problem),
                why="a request from a finally block would be sent by nobody, and the driver "
                "would believe that it was; crash recovery inquires, so let the dialogue end",
                read=DIALOGUES,
            )

    def test_requests_go_out_encrypted(self) -> None:
        """Credentials and card data travel only over TLS, or within this machine."""
        for request in self._bytes():
            parts = urlsplit(request.url)
            host = parts.hostname or ""
            near = host in ("localhost", "127.0.0.1", "::1") or host.endswith(".invalid")
            require(
                parts.scheme == "https" or (parts.scheme == "http" and near),
                expected=f"{self.about}, step {request.step!r}: an https address",
                got=f"{parts.scheme}://{host}",
                why="whoever sits between us and the processor reads the credentials and the "
                "card, and can answer 'approved' himself",
                read=PROTOCOL,
            )

    # --- What comes back ----------------------------------------------------------------

    def test_whatever_comes_back_is_read_or_is_a_bad_reply(self) -> None:
        """Any bytes give an outcome or `BadResponse`, at each request of the dialogue."""
        case = self.good()
        replies = case.responses(self.values(case))

        def check(at: int, reply: Response) -> None:
            held = hold(self.opened, spoiled(case, replies, at, reply))
            require(
                held.raised is None or isinstance(held.raised, (BadResponse, NoResponse)),
                expected=f"{self.about}: an outcome or BadResponse for a spoiled answer to request "
                f"{at + 1}",
                got=f"{type(held.raised).__name__}: {held.raised}\n"
                f"                for status {reply.status} and the body {reply.body[:300]!r}",
                why="the core makes 'unknown' of BadResponse and inquires; any other exception is "
                "a bug that tells the person on call nothing about the money",
                read=UNKNOWN,
            )

        for at, reply in enumerate(replies):
            for body in GARBAGE:
                for status in (reply.status, 500):
                    check(at, Response(status=status, headers=reply.headers, body=body))

        @made_up(self.examples)
        @given(
            st.one_of(
                [st.tuples(st.just(at), mutations(reply)) for at, reply in enumerate(replies)]
            )
        )
        def law(spoiling: tuple[int, Response]) -> None:
            check(*spoiling)

        law()

    def test_what_is_told_can_be_stored(self) -> None:
        """Texts of the processor's reach every store: no NUL, nothing that is not UTF-8."""
        case = self.good()
        replies = case.responses(self.values(case))
        for at, reply in enumerate(replies):
            for odd in (b"\\u0000", b"\\ud800", b"&#55296;"):
                for start, end in _texts(reply.body):
                    body = reply.body[:start] + odd + reply.body[end:]
                    told = Response(status=reply.status, headers=reply.headers, body=body)
                    held = hold(self.opened, spoiled(case, replies, at, told))
                    notes = [step.reference for step in held.steps if isinstance(step, Note)]
                    for text in [*_strings(held.outcome), *notes]:
                        require(
                            "\0" not in text and _encodes(text),
                            expected=f"{self.about}: texts without NUL and half characters",
                            got=f"{text[:60]!r}, out of {body[:200]!r}",
                            why="no store takes it, so the outcome of a payment that did happen "
                            "can't be written down: refuse the answer (BadResponse), or clean it",
                            read=PROTOCOL,
                        )

    # --- What is shown ------------------------------------------------------------------

    def test_nothing_secret_is_shown(self) -> None:
        """No credential and no card data in a repr, str, log record, exception, pickle."""
        secrets = self.secrets()
        for case in self.cases():
            replies = case.responses(self.values(case))
            with overheard() as said:
                held = hold(self.opened, then_silence(replies))
            things = [held.outcome, held.raised, *held.steps]
            # A request's own bytes go to the processor, and nowhere else: it isn't pickled.
            texts = [
                repr(each) if isinstance(each, Request) else shown(each) for each in things
            ] + said
            for name, secret in secrets.items():
                require(
                    not any(secret in text for text in texts),
                    expected=f"{self.about}, case {case.name!r}: {name} is shown nowhere",
                    got=next((text[:300] for text in texts if secret in text), "").replace(
                        secret, "[the secret]"
                    ),
                    why="logs and tickets are read by people and copied around; with a credential "
                    "anybody takes money, and with a card number you owe an audit",
                    read=PROTOCOL,
                )

    def test_no_secret_is_in_an_address(self) -> None:
        """Addresses stand in the logs of every proxy on the way."""
        secrets = self.secrets()
        for request in self._bytes():
            url = unquote(request.url)
            for name, secret in secrets.items():
                require(
                    secret not in url,
                    expected=f"{self.about}, step {request.step!r}: {name} in a header or the body",
                    got="it is a part of the URL",
                    why="URLs are written to the logs of proxies and servers in the clear",
                    read=PROTOCOL,
                )


def applies(condition: object, reason: str) -> None:
    """Go on where *condition* holds; else show that the case does not apply, and why."""
    if not condition:
        does_not_apply(reason)


def _texts(body: bytes) -> list[tuple[int, int]]:
    """Tell where the texts of a JSON or XML body are, up to fifty of them."""
    import re

    spans = [found.span(1) for found in re.finditer(rb':\s*"([^"\\]*)"', body)]
    spans += [found.span(1) for found in re.finditer(rb">([^<>]+)<", body)]
    return spans[:50]


def _strings(value: Any) -> list[str]:
    """Find every text in a value made of dataclasses and plain containers."""
    members: list[Any] = []
    if isinstance(value, str) and not isinstance(value, Enum):
        return [value]
    if is_dataclass(value) and not isinstance(value, type):
        members = [getattr(value, each.name) for each in fields(value)]
    elif isinstance(value, dict):
        members = [*cast("Any", value).keys(), *cast("Any", value).values()]
    elif isinstance(value, list | tuple):
        members = [*cast("Any", value)]
    return [text for each in members for text in _strings(each)]


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _difference(first: list[Request], second: list[Request]) -> str:
    if [each.step for each in first] != [each.step for each in second]:
        return f"their steps: {first!r} and {second!r}"
    for one, other in zip(first, second, strict=True):
        for name in ("method", "url", "body", "headers"):
            if getattr(one, name) != getattr(other, name):
                return f"the {name} of the step {one.step!r}"
    return "nothing"


def counted(names: list[str]) -> list[str]:
    """Tell which of *names* stand there more than once."""
    return [name for name, count in Counter(names).items() if count > 1]


if TYPE_CHECKING:
    Begin = Callable[[], Dialogue[Any]]
