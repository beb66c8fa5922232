"""The two ways of speaking to Odoo: JSON-2 (19 and later), and JSON-RPC (before).

A call names its arguments. What comes back is either the value, or one of the errors of a sink:

- The server, or a proxy in front of it, is down: `NoResponse`.
- It does not accept the key: `CredentialsRejected`.
- It refuses the call. Odoo answers a fault of its own program with 500 (JSON-2) or with 200 and an
  error (JSON-RPC), whether a retry helps or not. So the class of the exception decides: a column
  that does not exist is a ``ValueError`` or ``KeyError`` every time, and the refusal is final;
  what comes of the database, such as a lock, is tried again. Only the last part of the name of
  the class counts, because forks of Odoo have other packages.

The ``debug`` of an error is a traceback of the server, and is never shown.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from paygate._version import __version__
from paygate.driver import CredentialsRejected, NoResponse, Request
from paygate.errors import EventRefused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paygate.driver import Dialogue, Response
    from paygate.sinks.odoo.settings import OdooSettings

BUSY: Final = frozenset({408, 429, 502, 503, 504})
"""Statuses of a server, or of a proxy in front of it, that is down or overloaded."""

FINAL: Final = frozenset(
    {
        "AttributeError",
        "IndexError",
        "KeyError",
        "NameError",
        "NotFound",
        "RedirectWarning",
        "TypeError",
        "UnprocessableEntity",
        "UserError",
        "ValidationError",
        "ValueError",
    }
)
"""The exceptions of Odoo for which the same call fails every time."""

ANSWER_BYTES_MAX: Final = 2_000_000
_WORDS_MAX: Final = 300

_ORDER: Final[Mapping[str, Sequence[str]]] = {
    "create": ("vals_list",),
    "fields_get": ("allfields", "attributes"),
    "load": ("fields", "data"),
    "search_read": ("domain", "fields"),
}
"""The order of the arguments of methods that JSON-RPC calls by position."""


class Server(Protocol):
    """An Odoo server that accepts our key."""

    @property
    def body_is_html(self) -> bool:
        """Whether it must be said that the body of a note is HTML; before 17 it always is."""
        ...

    def call(
        self, model: str, method: str, *, ids: Sequence[int] | None = None, **named: Any
    ) -> Dialogue[Any]:
        """Call *method* of *model*, on the records *ids* if they are given."""
        ...


@dataclass(frozen=True, slots=True)
class Json2:
    """JSON-2: one address for each method, and the key in a header."""

    settings: OdooSettings
    body_is_html: bool = True

    def call(
        self, model: str, method: str, *, ids: Sequence[int] | None = None, **named: Any
    ) -> Dialogue[Any]:
        """Call *method* of *model*."""
        body = {**({} if ids is None else {"ids": list(ids)}), **named}
        headers = {"authorization": f"bearer {self.settings.api_access_key.reveal()}"}
        if self.settings.database:
            headers["x-odoo-database"] = self.settings.database
        path = f"/json/2/{model}/{method}"
        answer = yield request(self.settings, path, body, method, headers)
        return _parse_json2(answer, f"{model}.{method}")


@dataclass(frozen=True, slots=True)
class JsonRpc:
    """JSON-RPC: one address for all, and the key among the arguments."""

    settings: OdooSettings
    uid: int
    body_is_html: bool

    def call(
        self, model: str, method: str, *, ids: Sequence[int] | None = None, **named: Any
    ) -> Dialogue[Any]:
        """Call *method* of *model*."""
        given = dict(named)
        by_place = [given.pop(name) for name in _ORDER.get(method, ()) if name in given]
        placed = by_place if ids is None else [list(ids), *by_place]
        key = self.settings.api_access_key.reveal()
        arguments = [self.settings.database, self.uid, key, model, method, placed, given]
        body = _rpc("object", "execute_kw", arguments)
        answer = yield request(self.settings, "/jsonrpc", body, method)
        return parse_rpc(answer, f"{model}.{method}")


def connect(settings: OdooSettings) -> Dialogue[Server]:
    """Find out how to speak to the server, and return it."""
    if settings.dialect == "json2":
        return Json2(settings)
    if settings.dialect == "auto":
        answer = yield Request(
            method="GET",
            url=f"{settings.api_url}/web/version",
            step="version",
            headers=_headers(),
            timeout_s=settings.timeout_s,
        )
        _raise_if_busy(answer, "version")
        if answer.status == 200 and _major(_json(answer), "version_info") >= 19:
            return Json2(settings)
        if not (settings.database and settings.login):
            raise CredentialsRejected(
                "this Odoo has no JSON-2, and JSON-RPC needs the database and the login"
            )
    body = _rpc("common", "version", [])
    found = parse_rpc((yield request(settings, "/jsonrpc", body, "version")), "version")
    key = settings.api_access_key.reveal()
    body = _rpc("common", "authenticate", [settings.database, settings.login, key, {}])
    answer = yield request(settings, "/jsonrpc", body, "authenticate")
    uid = parse_rpc(answer, "authenticate")
    if not isinstance(uid, int) or isinstance(uid, bool):
        raise CredentialsRejected("Odoo does not accept the login and the key")
    return JsonRpc(settings, uid, _major(found, "server_version_info") >= 17)


def request(
    settings: OdooSettings,
    path: str,
    body: Mapping[str, Any],
    step: str,
    headers: Mapping[str, str] | None = None,
) -> Request:
    """Return a call as a request."""
    return Request(
        method="POST",
        url=f"{settings.api_url}{path}",
        step=step,
        headers={**_headers(), **(headers or {})},
        body=json.dumps(body, separators=(",", ":")).encode(),
        timeout_s=settings.timeout_s,
        answer_bytes_max=ANSWER_BYTES_MAX,
    )


def _headers() -> dict[str, str]:
    return {
        "content-type": "application/json; charset=utf-8",
        "user-agent": f"paygate/{__version__}",
    }


def _rpc(service: str, method: str, arguments: list[Any]) -> dict[str, Any]:
    params = {"service": service, "method": method, "args": arguments}
    return {"jsonrpc": "2.0", "method": "call", "params": params, "id": 1}


def _parse_json2(answer: Response, what: str) -> Any:
    """Return the value of an answer of JSON-2, or raise what its error means."""
    _raise_if_busy(answer, what)
    value = _json(answer)
    if answer.status == 200:
        return value
    if answer.status == 401:
        raise CredentialsRejected("Odoo does not accept the API key")
    error = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    if "name" not in error or "message" not in error:
        raise NoResponse(f"{what}: something that is not Odoo answered {answer.status}")
    raise _refused(what, error, error["message"], final=answer.status in (404, 422))


def parse_rpc(answer: Response, what: str) -> Any:
    """Return the result of an answer of JSON-RPC, or raise what its error means."""
    _raise_if_busy(answer, what)
    value = _json(answer)
    if answer.status != 200 or not isinstance(value, dict):
        raise NoResponse(f"{what}: something that is not Odoo answered {answer.status}")
    found = cast("dict[str, Any]", value)
    if "error" not in found:
        return found.get("result")
    error = cast("dict[str, Any]", found["error"]) if isinstance(found["error"], dict) else {}
    data = cast("dict[str, Any]", error.get("data")) if isinstance(error.get("data"), dict) else {}
    if _kind(data) == "AccessDenied":
        raise CredentialsRejected("Odoo does not accept the login and the key")
    raise _refused(what, data, data.get("message") or error.get("message"), final=False)


def _refused(what: str, error: Mapping[str, Any], message: object, *, final: bool) -> EventRefused:
    kind = _kind(error)
    text = f"Odoo refuses {what}: {kind or 'an error'}: {one_line(message)}"
    return EventRefused(text, final=final or kind in FINAL)


def _kind(error: Mapping[str, Any]) -> str:
    """Return the class of an exception, without its package."""
    return str(error.get("name") or "").rpartition(".")[2][:80]


def _raise_if_busy(answer: Response, what: str) -> None:
    if answer.status in BUSY:
        raise NoResponse(f"{what}: Odoo, or a proxy in front of it, answered {answer.status}")
    if 300 <= answer.status < 400:
        raise NoResponse(
            f"{what}: {answer.status} redirects elsewhere, and the key is not sent there; "
            "correct api_url"
        )


def _json(answer: Response) -> Any:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def _major(found: object, name: str) -> int:
    """Return the major version of a server; 0 if it does not say."""
    value = cast("dict[str, Any]", found).get(name) if isinstance(found, dict) else None
    parts = cast("list[object]", value) if isinstance(value, list) else []
    first = str(parts[0]).rpartition("~")[2] if parts else ""  # saas~18 is between 17 and 18
    return int(first) if first.isdecimal() else 0


def one_line(text: object) -> str:
    """Return a message of the server in one line that is not too long."""
    shown = "".join(each if each.isprintable() else " " for each in str(text or ""))
    return " ".join(shown.split())[:_WORDS_MAX]
