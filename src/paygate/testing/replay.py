"""Replaying a recorded conversation to a dialogue, without a client.

A cassette is what vcrpy writes: the requests and responses of one conversation,
as YAML. The requests of the dialogue must be those of the recording, so a driver
that starts to send something else fails. Headers are not compared, because they contain
the credentials, which are scrubbed from the recording.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from paygate.dialogue import Response
from paygate.testing.play import converse

if TYPE_CHECKING:
    from paygate.dialogue import Dialogue, Request
    from paygate.testing.play import Played

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Recorded:
    """One exchange of a cassette."""

    method: str
    uri: str
    body: bytes
    response: Response


def read_cassette(path: Path | str) -> list[Recorded]:
    """Return the exchanges of the cassette at *path*; needs PyYAML, which vcrpy installs."""
    import yaml

    told: Any = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    return [_recorded(entry) for entry in told["interactions"]]


def replay(dialogue: Dialogue[T], cassette: Path | str, *, first: int = 0) -> Played[T]:
    """
    Run *dialogue* with the responses of *cassette*, from exchange number *first* on.

    Fails if a request differs from the recorded one, or if the recording ends before
    the dialogue does.
    """
    exchanges = iter(read_cassette(cassette)[first:])

    def respond(request: Request) -> Response:
        recorded = next(exchanges, None)
        assert recorded is not None, f"the recording ends before {request!r}"
        asked = (request.method, request.url, request.body)
        assert asked == (recorded.method, recorded.uri, recorded.body), (
            f"the recording has {recorded.method} {recorded.uri}, but the dialogue sent {request!r}"
        )
        return recorded.response

    return converse(dialogue, respond)


def _recorded(entry: dict[str, Any]) -> Recorded:
    asked, told = entry["request"], entry["response"]
    return Recorded(
        method=asked["method"],
        uri=asked["uri"],
        body=_bytes(asked["body"]),
        response=Response(
            status=told["status"]["code"],
            headers={name.lower(): ", ".join(values) for name, values in told["headers"].items()},
            body=_bytes(told["body"]["string"]),
        ),
    )


def _bytes(text: str | bytes | None) -> bytes:
    return text.encode() if isinstance(text, str) else text or b""
