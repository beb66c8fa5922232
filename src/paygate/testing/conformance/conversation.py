"""The cases for every dialogue of a driver, whatever the operation."""

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
    followed_by_silence,
    heard_all,
    hold,
    scripted,
    spoiled,
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
    """A dialogue with a transcript of its own; the class of each capability derives from it."""

    about: ClassVar[str]
    """The name of the transcript, and of the operation."""

    def begin(self, gateway: Gateway, **given: Any) -> Dialogue[Any]:
        """Start the dialogue."""
        raise NotImplementedError

    def opened(self, **given: Any) -> Dialogue[Any]:
        """Start the dialogue with a new gateway."""
        return self.begin(self.gateway(), **given)

    def good(self) -> Case:
        """Return the case in which the operation succeeds."""
        return self.transcript(self.about).case("approve", "the operation succeeds")

    # --- Running a case -----------------------------------------------------------------

    def case(self, name: str, meaning: str) -> Case:
        """Return the case *name* of the transcript."""
        return self.transcript(self.about).case(name, meaning)

    def held(
        self,
        case: Case,
        *,
        answered: Money | None = None,
        said: dict[str, str] | None = None,
        **given_: Any,
    ) -> HeldDialogue[Any]:
        """Run the dialogue against *case*; it must ask for every response, and for no more."""
        money = answered or given_.get("amount")
        replies = case.responses(self.values(case, money, **(said or {})))
        held = hold(partial(self.opened, **given_), scripted(case, replies))
        return held if held.raised is not None else heard_all(case, held)

    def outcome(self, case: Case, **given_: Any) -> Any:
        """Return the outcome of *case*; an exception fails the test."""
        held = self.held(case, **given_)
        require(
            held.raised is None,
            expected=f"{self.about}, case {case.name!r}: an outcome",
            got=f"{type(held.raised).__name__}: {held.raised}",
            why="the processor stated the outcome; an exception makes it unknown, and the invoice "
            "stays locked until an inquiry or an operator clears it",
            read=TRANSCRIPTS,
        )
        return held.outcome

    def cases(self) -> Iterator[Case]:
        """Yield the cases of the transcript that have responses."""
        return (case for case in self.transcript(self.about).cases.values() if case.messages)

    def _bytes(self, **given_: Any) -> list[Request]:
        return self.held(self.good(), **given_).requests

    # --- What is sent -------------------------------------------------------------------

    def test_the_same_key_gives_the_same_bytes(self) -> None:
        """Two runs under one key send the same bytes, so that the processor sees a repetition."""
        first, second = self._bytes(), self._bytes()
        require(
            first == second,
            expected=f"{self.about}: the same request from two gateways, byte for byte",
            got="requests that differ in " + _difference(first, second),
            why="a processor that receives the same key with another body refuses the request or, "
            "worse, executes it again: the payer is charged twice",
            read=DIALOGUES,
        )

    def test_dialogues_of_one_gateway_do_not_mix(self) -> None:
        """Dialogues that run at the same time on one gateway do not share state."""
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
            expected=f"{self.about}: two concurrent dialogues send what each sends alone",
            got="they affect each other: " + _difference(alone[0], together[1]),
            why="one object serves all payments of an account at once: state that one payment "
            "leaves in the gateway ends up in another, and one payer's money is booked to "
            "somebody else. Keep the state in the dialogue",
            read=DIALOGUES,
        )

    def test_it_can_be_dropped_at_any_point(self) -> None:
        """A dialogue that is closed while it waits sends nothing more."""
        case = self.good()
        replies = case.responses(self.values(case))
        for stop in range(len(replies)):
            try:
                problem = hold(self.opened, until(stop, scripted(case, replies))).raised
            except HostStops:
                continue
            require(
                problem is None,
                expected=f"{self.about}: it ends without a request or an error when it is closed "
                f"at request {stop + 1}",
                got=str(problem),
                why="a host that stops closes its dialogues: nobody sends a request from a finally "
                "block, but the driver would assume that it was sent. Recovery inquires later, so "
                "let the dialogue end",
                read=DIALOGUES,
            )

    def test_requests_go_out_encrypted(self) -> None:
        """Requests are sent over TLS, or stay on this machine."""
        for request in self._bytes():
            parts = urlsplit(request.url)
            host = parts.hostname or ""
            near = host in ("localhost", "127.0.0.1", "::1") or host.endswith(".invalid")
            require(
                parts.scheme == "https" or (parts.scheme == "http" and near),
                expected=f"{self.about}, step {request.step!r}: an https address",
                got=f"{parts.scheme}://{host}",
                why="anybody between us and the processor can read the credentials and the card, "
                "and can answer 'approved' themselves",
                read=PROTOCOL,
            )

    # --- What comes back ----------------------------------------------------------------

    def sends(self) -> None:
        """Skip a case about requests if the driver does the operation without any."""
        applies(self.good().messages, "sends = nothing: nothing is sent to the processor")

    def test_whatever_comes_back_is_read_or_is_a_bad_reply(self) -> None:
        """Any response, to any request of the dialogue, gives an outcome or `BadResponse`."""
        self.sends()
        case = self.good()
        replies = case.responses(self.values(case))

        def check(at: int, reply: Response) -> None:
            held = hold(self.opened, spoiled(case, replies, at, reply))
            require(
                held.raised is None or isinstance(held.raised, (BadResponse, NoResponse)),
                expected=f"{self.about}: an outcome or BadResponse for a corrupt response to "
                f"request {at + 1}",
                got=f"{type(held.raised).__name__}: {held.raised}\n"
                f"                for status {reply.status} and the body {reply.body[:300]!r}",
                why="after BadResponse the core treats the outcome as unknown and inquires; any "
                "other exception says nothing about the money to the person on call",
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

    def test_what_is_reported_can_be_stored(self) -> None:
        """Texts from the processor can be stored: no NUL, nothing that is not valid UTF-8."""
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
                            expected=f"{self.about}: texts without NUL and lone surrogates",
                            got=f"{text[:60]!r}, from {body[:200]!r}",
                            why="no store accepts it, so the outcome of a payment that did happen "
                            "can't be saved: raise BadResponse, or clean the text",
                            read=PROTOCOL,
                        )

    # --- What is shown ------------------------------------------------------------------

    def test_nothing_secret_is_shown(self) -> None:
        """No repr, str, log record, exception or pickle contains a credential or card data."""
        secrets = self.secrets()
        for case in self.cases():
            replies = case.responses(self.values(case))
            with overheard() as said:
                held = hold(self.opened, followed_by_silence(replies))
            things = [held.outcome, held.raised, *held.steps]
            # A request's own bytes go to the processor and nowhere else: it isn't pickled.
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
                    why="logs and tickets are read by many people and copied: anybody who has the "
                    "credential can take money, and a card number in a log puts it in scope of an "
                    "audit",
                    read=PROTOCOL,
                )

    def test_no_secret_is_in_an_address(self) -> None:
        """No URL contains a credential or card data."""
        secrets = self.secrets()
        for request in self._bytes():
            url = unquote(request.url)
            for name, secret in secrets.items():
                require(
                    secret not in url,
                    expected=f"{self.about}, step {request.step!r}: {name} in a header or the body",
                    got="it is part of the URL",
                    why="proxies and servers log URLs in plain text",
                    read=PROTOCOL,
                )


def applies(condition: object, reason: str) -> None:
    """Continue if *condition* is true; otherwise skip the case with *reason*."""
    if not condition:
        does_not_apply(reason)


def _texts(body: bytes) -> list[tuple[int, int]]:
    """Return the positions of the texts in a JSON or XML body, at most fifty."""
    import re

    spans = [found.span(1) for found in re.finditer(rb':\s*"([^"\\]*)"', body)]
    spans += [found.span(1) for found in re.finditer(rb">([^<>]+)<", body)]
    return spans[:50]


def _strings(value: Any) -> list[str]:
    """Return every text in a value made of dataclasses and plain containers."""
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
    """Return those of *names* that occur more than once."""
    return [name for name, count in Counter(names).items() if count > 1]


if TYPE_CHECKING:
    Begin = Callable[[], Dialogue[Any]]
