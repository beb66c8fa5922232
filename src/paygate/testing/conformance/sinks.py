"""Cases for sinks: what every sink must do, whatever system is behind it.

Describe a sink for HTTP in a subclass, with the responses of its system::

    class TestAcme(SinkConformance):
        sink = AcmeCrm
        settings = {"api_key": "test-1"}
        refusals = (Response(status=422),)
        outages = (Response(status=503),)

and override `accept` if an accepting system says more than ``200``. For a sink that blocks, derive
from `BlockingSinkConformance`.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from inspect import isgenerator
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from paygate import plugins
from paygate.dialogue import Note, Request, Response
from paygate.domain.customer import Customer
from paygate.domain.event import EVENT_TYPES, SCHEMA_VERSION, Event
from paygate.domain.event_fields import example
from paygate.domain.secret import Secret
from paygate.errors import (
    BadResponse,
    CredentialsRejected,
    EventRefused,
    InvalidSettings,
    NoResponse,
    NotSent,
    PaygateError,
)
from paygate.service.secrets import secrets_in
from paygate.sink import SINK_PROTOCOL_VERSION, Checkable, Delivery, SinkTraits
from paygate.testing.conformance.explain import require
from paygate.testing.play import converse

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from paygate.dialogue import Dialogue
    from paygate.sink import BlockingSink, Sink

HOW_TO: Final = "how-to/write-a-sink"
CONTACT: Final = Customer(
    "C-1", name="Ann Example", email="ann@example.com", phone="+1 555 0100", language="en"
)
REQUESTS_MAX: Final = 20
"""How many requests one delivery may send."""

_HOSTILE: Final = (
    "<script>alert(1)</script> & \"quotes\" 'and' \\",
    "two\r\nlines\nand\ttabs\x00 and \x1b[31mcontrols",
    "\u202eright to left, \U0001f600 and \u2028 separators",
    "x" * 5_000,
    "",
)
_UNREADABLE: Final = (b"", b"\xff\xfe", b"null", b"[]", b"{", b'"text"', b"<html>", b"0" * 50_000)
_RAISED: Final = (EventRefused, NoResponse, NotSent, BadResponse)


class _OfEverySink:
    """What sinks of both kinds have: settings, traits, and events to deliver."""

    sink: ClassVar[Any]
    """The class of the sink, or a function that makes one from its settings."""
    settings: ClassVar[Mapping[str, Any]] = {}
    """Valid settings, with made-up secrets."""
    name: ClassVar[str] = ""
    """The name of its entry point, if it is registered."""

    def made(self, **changed: Any) -> Any:
        """Return a sink with the settings, of which some are *changed*."""
        given = {**self.settings, **changed}
        if getattr(self.sink, "settings_model", None) is None:
            return self.sink()
        return plugins.make(plugins.SINKS, self.sink, self.name or "sink", given)

    def traits(self) -> SinkTraits:
        """Return the traits of the sink."""
        found: SinkTraits = self.made().traits
        return found

    def types(self) -> list[str]:
        """Return the event types that the sink receives unless the host sets others."""
        patterns = self.traits().events
        return [
            type_ for type_ in EVENT_TYPES if any(fnmatchcase(type_, each) for each in patterns)
        ]

    def delivery(self, type_: str, **changed: Any) -> Delivery:
        """Return a delivery of an example event, with some of its data *changed*."""
        event = Event(
            id="evt_conformance_1",
            position=7,
            type=type_,
            aggregate="pay_conformance_1",
            seq=3,
            schema_version=SCHEMA_VERSION,
            occurred_at=datetime(2026, 1, 5, 12, 30, tzinfo=UTC),
            actor="host",
            data={**(example(type_) if type_ in EVENT_TYPES else {}), **changed},
        )
        return Delivery(event=event, contact=CONTACT if self.traits().needs_contact else None)

    def odd(self) -> Iterator[Delivery]:
        """Yield deliveries that a later version, or an unlucky day, may bring."""
        type_ = self.types()[0]
        good = self.delivery(type_)
        yield replace(good, event=replace(good.event, type="future.event", data={"a": {"b": [1]}}))
        yield self.delivery(type_, new_field={"nested": [None, 1.5]})
        yield replace(good, contact=None)
        for text in _HOSTILE:
            data = {
                name: text if isinstance(value, str) and "currency" not in name else value
                for name, value in good.event.data.items()
            }
            yield replace(good, event=replace(good.event, data=data))
            if good.contact is not None:
                yield replace(good, contact=replace(good.contact, name=text))

    def test_it_is_made_from_its_settings(self) -> None:
        """A name that no setting has is refused, and no secret shows in the sink's text."""
        sink = self.made()
        for secret in secrets_in(sink):
            shown = f"{sink!r} {vars(sink) if hasattr(sink, '__dict__') else ''}"
            require(
                secret.reveal() not in shown,
                expected="a sink that shows no secret of its settings",
                got="one that shows it",
                why="it would be in logs and error reports",
                read=HOW_TO,
            )
        if getattr(self.sink, "settings_model", None) is None:
            return
        refused = False
        try:
            self.made(setting_that_no_sink_has="x")
        except InvalidSettings:
            refused = True
        require(
            refused,
            expected="settings that refuse a name they do not have",
            got="settings that accept anything; derive them from paygate.driver.Settings",
            why="a mistyped name would be ignored",
            read=HOW_TO,
        )
        secret_given = any(type(each) is Secret for each in self.settings.values())
        require(
            not secret_given or secrets_in(sink),
            expected="secrets of the settings that are kept as Secret",
            got="none",
            why="the core hides in messages what is a Secret",
            read=HOW_TO,
        )

    def test_it_is_registered(self) -> None:
        """The entry point of its name loads this class; it is not checked without a name."""
        if self.name:
            loaded: object = plugins.load(plugins.SINKS, self.name)
            require(
                loaded is self.sink,
                expected=f"an entry point {self.name!r} in {plugins.SINKS.name!r} for the sink",
                got=loaded,
                why="hosts configure a sink by its name",
                read=HOW_TO,
            )

    def test_its_traits_are_valid(self) -> None:
        """The traits speak this version of the protocol and name events that exist."""
        traits = self.made().traits
        require(
            isinstance(traits, SinkTraits) and traits.protocol_version == SINK_PROTOCOL_VERSION,
            expected=f"SinkTraits of version {SINK_PROTOCOL_VERSION}",
            got=traits,
            why="the core reads them before it delivers anything",
            read=HOW_TO,
        )
        for pattern in traits.events:
            require(
                any(fnmatchcase(type_, pattern) for type_ in EVENT_TYPES),
                expected="patterns that match event types of the catalogue",
                got=pattern,
                why="the cashier refuses a pattern that matches nothing",
                read="reference/event-catalogue",
            )


class SinkConformance(_OfEverySink):
    """What a sink for HTTP must do."""

    refusals: ClassVar[Sequence[Response]] = ()
    """Responses by which the other side refuses an event."""
    outages: ClassVar[Sequence[Response]] = ()
    """Responses by which the other side says that it is down."""
    unauthorized: ClassVar[Sequence[Response]] = (Response(status=401),)
    """Responses by which it rejects the credentials."""
    passes_id: ClassVar[bool] = True
    """Whether the id of the event is in a request, so that the other side recognizes it."""

    def accept(self, request: Request) -> Response:
        """Return the response of a system that accepts everything."""
        del request
        return Response(status=200, body=b"{}")

    def deliver(
        self, delivery: Delivery, respond: Any = None, sink: Sink | None = None
    ) -> list[Request]:
        """Make one delivery, answered by *respond*, and return the requests."""
        made: Sink = self.made() if sink is None else sink
        answer = self.accept if respond is None else respond
        sent: list[Request] = []

        def counted(request: Request) -> Response | Exception:
            sent.append(request)
            assert len(sent) <= REQUESTS_MAX, f"one delivery sends over {REQUESTS_MAX} requests"
            return cast("Response | Exception", answer(request))

        converse(made.deliver(delivery), counted)
        return sent

    def test_it_delivers_every_event_that_it_wants(self) -> None:
        """A delivery that the other side accepts ends, and returns nothing."""
        sent = 0
        for type_ in self.types():
            dialogue = self.made().deliver(self.delivery(type_))
            require(
                isgenerator(dialogue),
                expected="deliver to be a generator that yields requests",
                got=dialogue,
                why="the core drives it, and sends what it yields",
                read="explanation/dialogues",
            )
            played = converse(cast("Dialogue[object]", dialogue), self.accept)
            require(
                played.outcome is None,
                expected=f"nothing to be returned for {type_}",
                got=played.outcome,
                why="returning says that the other side has the event; a refusal is raised",
                read=HOW_TO,
            )
            sent += len(played.requests)
        require(
            sent,
            expected="at least one request for the events that the traits name",
            got="none",
            why="events that are not sent are lost in silence",
            read=HOW_TO,
        )

    def test_the_id_of_the_event_is_passed_on(self) -> None:
        """A request has the id of the event, by which a repetition is recognized."""
        for type_ in self.types() if self.passes_id else ():
            delivery = self.delivery(type_)
            requests = self.deliver(delivery)
            passed = any(delivery.event.id in _text_of(each) for each in requests)
            require(
                passed or not requests,
                expected=f"the id {delivery.event.id} in a request about {type_}",
                got=requests,
                why="an event can be delivered twice, and only its id shows it",
                read=HOW_TO,
            )

    def test_a_repeated_delivery_sends_the_same(self) -> None:
        """The same event gives the same requests, from the same sink and from a new one."""
        sink, type_ = self.made(), self.types()[0]
        first = self.deliver(self.delivery(type_), sink=sink)
        again = self.deliver(self.delivery(type_), sink=sink)
        anew = self.deliver(self.delivery(type_))
        require(
            first == again == anew,
            expected="the same requests for the same event",
            got="others the second time",
            why="another process may repeat a delivery, and the other side must recognize it",
            read=HOW_TO,
        )

    def test_deliveries_do_not_mix(self) -> None:
        """Two deliveries under way at once send what each sends alone."""
        sink, types = self.made(), self.types()
        one, other = self.delivery(types[0]), self.delivery(types[-1], customer="C-2")
        alone = self.deliver(one), self.deliver(other)
        mixed: tuple[list[Request], list[Request]] = ([], [])
        dialogues = sink.deliver(one), sink.deliver(other)
        answers: list[Response | None] = [None, None]
        waiting = [0, 1]
        while waiting:
            for place in list(waiting):
                try:
                    step = dialogues[place].send(cast("Response", answers[place]))
                except StopIteration:
                    waiting.remove(place)
                    continue
                if isinstance(step, Note):
                    answers[place] = Response(status=0)
                    continue
                mixed[place].append(step)
                answers[place] = self.accept(step)
        require(
            mixed == alone,
            expected="each delivery to send what it sends alone",
            got=mixed,
            why="several deliveries of one sink can be under way at once",
            read=HOW_TO,
        )

    def test_a_refusal_is_raised(self) -> None:
        """A refusal of the other side raises `EventRefused`, wherever it comes."""
        require(
            self.refusals,
            expected="the responses by which the other side refuses an event, in refusals",
            got="none",
            why="an event that was refused must not count as delivered",
            read=HOW_TO,
        )
        for response in self.refusals:
            for raised in self._answered_at_each(response):
                require(
                    isinstance(raised, EventRefused | BadResponse),
                    expected=f"EventRefused for the response {response.status}",
                    got="the event counts as delivered" if raised is None else raised,
                    why="a refused event is retried, and is then a dead letter that a person sees",
                    read=HOW_TO,
                )

    def test_an_outage_is_no_refusal(self) -> None:
        """A system that says it is down raises `NoResponse`, wherever that comes."""
        require(
            self.outages,
            expected="the responses by which the other side says that it is down, in outages",
            got="none",
            why="events must wait for a system that is down, however long",
            read=HOW_TO,
        )
        for response in self.outages:
            for raised in self._answered_at_each(response):
                require(
                    isinstance(raised, NoResponse | NotSent),
                    expected=f"NoResponse for the response {response.status}",
                    got="the event counts as delivered" if raised is None else raised,
                    why="a refusal is given up after some days; an outage is not",
                    read=HOW_TO,
                )

    def test_a_fault_of_the_network_is_passed_on(self) -> None:
        """What the core raises at a request leaves the delivery as it is."""
        for fault in (NotSent("no route"), NoResponse("nothing within 30 s")):
            for raised in self._answered_at_each(fault):
                require(
                    type(raised) is type(fault),
                    expected=f"{type(fault).__name__} to be passed on",
                    got="the event counts as delivered" if raised is None else raised,
                    why="an event that was not sent must wait for the other side",
                    read=HOW_TO,
                )

    def test_whatever_comes_back_is_read(self) -> None:
        """A response that cannot be read raises one of the errors of a sink, or is accepted."""
        for status in (200, 302, 400, 404, 500):
            for body in _UNREADABLE:
                for raised in self._answered_at_each(Response(status=status, body=body)):
                    require(
                        raised is None or isinstance(raised, _RAISED),
                        expected="EventRefused, BadResponse or NoResponse",
                        got=raised,
                        why="the message of any other error means nothing to the person on call",
                        read=HOW_TO,
                    )

    def test_odd_events_do_no_harm(self) -> None:
        """Unknown types, new fields, hostile text and erased customers are delivered or refused."""
        for delivery in self.odd():
            requests: list[Request] = []
            try:
                requests = self.deliver(delivery)
            except EventRefused:
                continue
            except Exception as error:  # noqa: BLE001  (what is wrong is reported)
                require(
                    holds=False,
                    expected="the event to be delivered, or EventRefused",
                    got=f"{type(error).__name__} for {delivery.event.type}",
                    why="a new version of paygate may emit what this one does not know",
                    read=HOW_TO,
                )
            lines = "".join(
                f"{each.method}{each.url}{''.join(each.headers)}{''.join(each.headers.values())}"
                for each in requests
            )
            require(
                not any(each in lines for each in "\r\n\x00"),
                expected="no line end in a URL or a header",
                got="one that came from the event",
                why="a text of the event would become a header of its own",
                read=HOW_TO,
            )

    def test_a_check_reports_wrong_credentials(self) -> None:
        """`check` ends if the other side accepts the settings, and says if it rejects them."""
        sink = self.made()
        if not isinstance(sink, Checkable):
            return
        converse(cast("Dialogue[object]", sink.check()), self.accept)
        for response in self.unauthorized:
            raised = _raised_by(cast("Dialogue[object]", sink.check()), response)
            require(
                isinstance(raised, CredentialsRejected),
                expected=f"CredentialsRejected for the response {response.status}",
                got="the settings count as good" if raised is None else raised,
                why="paygate sink check is to find a wrong key before the first event does",
                read=HOW_TO,
            )

    def _answered_at_each(self, answer: Response | Exception) -> list[BaseException | None]:
        """Give *answer* to each request of a delivery in turn, and return what each raised."""
        delivery = self.delivery(self.types()[0])
        raised: list[BaseException | None] = []
        for place in range(max(1, len(self.deliver(delivery)))):
            count = iter(range(REQUESTS_MAX + 1))

            def respond(request: Request, place: int = place, count: Any = count) -> object:
                return answer if next(count) == place else self.accept(request)

            try:
                self.deliver(delivery, respond)
            except AssertionError:
                raise
            except Exception as error:  # noqa: BLE001  (what is raised is what is checked)
                raised.append(error)
            else:
                raised.append(None)
        return raised


class BlockingSinkConformance(_OfEverySink):
    """What a sink must do that does not speak HTTP, against a system of the author's."""

    def accepting(self) -> AbstractContextManager[Mapping[str, Any]]:
        """Run a system that accepts every event; return the settings that lead to it."""
        raise NotImplementedError

    def received(self) -> list[str]:
        """Return what the accepting system received: a text for each event."""
        raise NotImplementedError

    def refusing(self) -> AbstractContextManager[Mapping[str, Any]]:
        """Run a system that refuses every event; return the settings that lead to it."""
        raise NotImplementedError

    @contextmanager
    def away(self) -> Generator[Mapping[str, Any]]:
        """Return settings that lead to a port of this machine on which nobody listens."""
        yield {"host": "127.0.0.1", "port": 1}

    def test_it_sends_every_event_that_it_wants(self) -> None:
        """What the other side accepts arrives there once, and nothing is raised."""
        with self.accepting() as settings:
            sink: BlockingSink = self.made(**settings)
            for type_ in self.types():
                sink.send(self.delivery(type_))
        received = self.received()
        require(
            len(received) == len(self.types()),
            expected=f"{len(self.types())} events at the other side",
            got=f"{len(received)} events",
            why="events that are not sent are lost in silence",
            read=HOW_TO,
        )
        require(
            all("evt_conformance_1" in each for each in received),
            expected="the id of the event in what the other side receives",
            got=received[0][:200],
            why="an event can be delivered twice, and only its id shows it",
            read=HOW_TO,
        )

    def test_a_refusal_is_raised(self) -> None:
        """A refusal of the other side raises `EventRefused`."""
        with self.refusing() as settings:
            raised = self._raised(**settings)
        require(
            isinstance(raised, EventRefused),
            expected="EventRefused",
            got="the event counts as delivered" if raised is None else raised,
            why="a refused event is retried, and is then a dead letter that a person sees",
            read=HOW_TO,
        )

    def test_a_system_that_is_away_is_no_refusal(self) -> None:
        """A system that cannot be reached raises what the core waits out."""
        with self.away() as settings:
            raised = self._raised(**settings)
        require(
            isinstance(raised, NoResponse | NotSent | ConnectionError | TimeoutError),
            expected="NoResponse, NotSent, ConnectionError or TimeoutError",
            got="the event counts as delivered" if raised is None else raised,
            why="a refusal is given up after some days; an outage is not",
            read=HOW_TO,
        )

    def test_odd_events_do_no_harm(self) -> None:
        """Unknown types, new fields, hostile text and erased customers are sent or refused."""
        with self.accepting() as settings:
            sink: BlockingSink = self.made(**settings)
            for delivery in self.odd():
                raised: BaseException | None = None
                try:
                    sink.send(delivery)
                except Exception as error:  # noqa: BLE001  (what is raised is what is checked)
                    raised = error
                require(
                    raised is None or isinstance(raised, EventRefused),
                    expected="the event to be sent, or EventRefused",
                    got=raised,
                    why="a new version of paygate may emit what this one does not know",
                    read=HOW_TO,
                )

    def test_a_check_finds_a_system_that_is_away(self) -> None:
        """`check` ends if the other side accepts the settings, and raises if it is away."""
        with self.accepting() as settings:
            sink = self.made(**settings)
            if not isinstance(sink, Checkable):
                return
            sink.check()
        with self.away() as settings:
            raised = False
            try:
                self.made(**settings).check()
            except (PaygateError, ConnectionError, TimeoutError):
                raised = True
        require(
            raised,
            expected="an error from check while the other side is away",
            got="the settings count as good",
            why="paygate sink check is to find a wrong address before the first event does",
            read=HOW_TO,
        )

    def _raised(self, **settings: Any) -> BaseException | None:
        try:
            self.made(**settings).send(self.delivery(self.types()[0]))
        except Exception as error:  # noqa: BLE001  (what is raised is what is checked)
            return error
        return None


def _raised_by(dialogue: Dialogue[object], response: Response) -> PaygateError | None:
    """Answer each request of *dialogue* with *response*, and return what it raises."""
    try:
        converse(dialogue, lambda _: response)
    except PaygateError as error:
        return error
    return None


def _text_of(request: Request) -> str:
    return f"{request.url} {dict(request.headers)} {request.body.decode('utf-8', 'replace')}"
