"""Readers of events: the configured sinks, and the subscribers in this process."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from paygate.domain.event import EVENT_TYPES
from paygate.errors import InvalidSettings, Unsupported
from paygate.printing import shown, shown_value
from paygate.service.hiding import Hidden
from paygate.service.secrets import secrets_in
from paygate.sink import ROUTE, SINK_PROTOCOL_VERSION, BlockingSink, Checkable, LooksAhead, Sink

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paygate.domain.event import Event
    from paygate.sink import AnySink, SinkTraits


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A callable of the host, with a name under which the ledger stores its position."""

    name: str
    call: Callable[[Event], Any]

    @property
    def in_flight(self) -> int:
        """Return 1: a subscriber gets one event at a time."""
        return 1

    def wants(self, _: str) -> bool:
        """Return True: a subscriber gets every event."""
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredSink:
    """
    A sink under the host's name for it, with the settings that every sink has.

    `events` are the patterns of the event types that it receives. `from_beginning` says whether a
    new sink starts with the first event of the ledger or with the next one. `hidden` are its
    secrets. Either `http` or `blocking` is the sink, `checkable` is if it can check itself, and
    `looks_ahead` if it prepares for many events.
    """

    name: str
    kind: str
    http: Sink | None
    blocking: BlockingSink | None
    checkable: Checkable | None
    looks_ahead: LooksAhead | None
    traits: SinkTraits
    events: tuple[str, ...]
    from_beginning: bool
    hidden: Hidden

    @classmethod
    def of(
        cls,
        name: str,
        sink: AnySink,
        events: object = None,
        from_beginning: object = None,
    ) -> ConfiguredSink:
        """
        Return *sink* under *name*; without *events* and *from_beginning*, its traits decide.

        Raises `InvalidSettings` for a pattern that matches no event type, and `Unsupported` for
        another version of the protocol.
        """
        traits = sink.traits
        if traits.protocol_version != SINK_PROTOCOL_VERSION:
            raise Unsupported(
                f"the sink {name!r} can't be used: it speaks version {traits.protocol_version} of "
                f"the protocol of sinks, and this paygate speaks {SINK_PROTOCOL_VERSION}"
            )
        if from_beginning is not None and not isinstance(from_beginning, bool):
            raise InvalidSettings(
                f"from_beginning of the sink {name!r} is true or false, not "
                f"{shown_value(from_beginning)}"
            )
        # Checking an object against a protocol is slow, so it is done once.
        http = sink if isinstance(sink, Sink) else None
        return cls(
            name=name,
            kind=type(sink).__name__,
            http=http,
            blocking=sink if http is None and isinstance(sink, BlockingSink) else None,
            checkable=sink if isinstance(sink, Checkable) else None,
            looks_ahead=sink if http is not None and isinstance(sink, LooksAhead) else None,
            traits=traits,
            events=_patterns(name, traits.events if events is None else events),
            from_beginning=not traits.only_new if from_beginning is None else from_beginning,
            hidden=Hidden(secrets_in(sink)),
        )

    @property
    def route(self) -> str:
        """The name of its route; an account may have the same name as a sink."""
        return ROUTE + self.name

    @property
    def in_flight(self) -> int:
        """How many deliveries may be under way at once."""
        return 1 if self.http is None else max(1, self.traits.in_flight)

    def wants(self, type_: str) -> bool:
        """Return whether it receives events of this type."""
        return any(fnmatchcase(type_, pattern) for pattern in self.events)


Reader: TypeAlias = ConfiguredSink | Subscriber


def _patterns(name: str, given: object) -> tuple[str, ...]:
    """Return the patterns of event types; each must match at least one type."""
    called = type(given).__name__
    if isinstance(given, list | tuple) and given:
        return tuple(_pattern(name, each) for each in cast("Sequence[object]", given))
    raise InvalidSettings(
        f'events of the sink {name!r} is a list of types or patterns, such as ["invoice.*"], '
        f"not {called}"
    )


def _pattern(name: str, pattern: object) -> str:
    if isinstance(pattern, str) and any(fnmatchcase(type_, pattern) for type_ in EVENT_TYPES):
        return pattern
    text = pattern if isinstance(pattern, str) else ""
    alike = get_close_matches(text, EVENT_TYPES, n=1)
    hint = f"; did you mean {alike[0]}?" if alike else ""
    raise InvalidSettings(
        f"events of the sink {name!r}: no event type matches "
        f"{shown(text) if text else shown_value(pattern)}{hint}"
    )
