"""The sink ``odoo``: write what happens to a customer into Odoo, each event once.

Odoo has no key against repetition, every call is a transaction of its own, and the answer to one
that was committed can be lost. So each effect carries the id of its event, and is looked for before
it is made: a note by its subject, an activity by its summary, a partner by its external id. A text
message is the exception, because nothing shows that it was sent: it follows its note, and is not
sent if the note is there already, so it is sent once at most.

When many events wait, their partners are written in one call, and one search finds all notes that
exist. What that search found is used once and soon: later another process may have been at work.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, cast

from paygate.driver import CredentialsRejected, NoResponse
from paygate.errors import EventRefused
from paygate.sink import SinkTraits
from paygate.sinks.odoo.rpc import connect, one_line
from paygate.sinks.odoo.settings import OdooSettings
from paygate.sinks.odoo.work import as_html, work_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from paygate.driver import Dialogue
    from paygate.sink import Delivery
    from paygate.sinks.odoo.rpc import Server
    from paygate.sinks.odoo.work import Todo, Work

PARTNER: Final = "res.partner"

SERIALIZATION: Final = (
    "could not serialize access",
    "could not obtain lock",
    "deadlock detected",
)
"""What PostgreSQL says of a transaction that met another one; Odoo passes it on as a message."""

_FRESH_S: Final = 60.0
_ID: Final = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class _Found:
    """What a look ahead found out about an event, and when."""

    partner: int
    has_note: bool
    has_todo: bool
    at_s: float


class Odoo:
    """An Odoo server that receives what happens to customers."""

    settings_model = OdooSettings

    def __init__(self, settings: OdooSettings, *, seconds: Callable[[], float] = monotonic) -> None:
        self._settings = settings
        self._seconds = seconds
        self._server: Server | None = None
        self._found: dict[str, _Found] = {}
        # With a mapping of coming types only, none is delivered yet; the core wants a pattern.
        self._traits = SinkTraits(
            events=settings.events() or ("invoice.generated",),
            needs_contact=True,
            only_new=True,
            keeps_log=True,
        )

    @property
    def traits(self) -> SinkTraits:
        """What the core has to know about it."""
        return self._traits

    def deliver(self, delivery: Delivery) -> Dialogue[None]:
        """Write the effect of the event, if the mapping names one."""
        work = work_of(delivery, self._settings)
        if work is None:
            return
        found = self._found.pop(work.event, None)
        if found is not None and self._seconds() - found.at_s > _FRESH_S:
            found = None
        try:
            yield from self._write(work, found)
        except (CredentialsRejected, NoResponse):
            self._server = None  # it may come back as another version
            raise

    def look_ahead(self, deliveries: Sequence[Delivery]) -> Dialogue[None]:
        """Write the partners of many events in one call, and look for all their effects at once."""
        self._found = {}
        every = [work_of(each, self._settings) for each in deliveries]
        works = [each for each in every if each is not None]
        if len(works) < 2:
            return
        server = yield from self._connected()
        at = self._seconds()
        partners = yield from _partners_of(server, works)
        notes = yield from _existing(
            server, "mail.message", "model", "subject", [each.subject for each in works]
        )
        summaries = [each.todo.summary for each in works if each.todo is not None]
        todos: set[str] = set()
        if summaries:
            todos = yield from _existing(server, "mail.activity", "res_model", "summary", summaries)
        self._found = {
            each.event: _Found(
                partners[each.external_id],
                each.subject in notes,
                each.todo is not None and each.todo.summary in todos,
                at,
            )
            for each in works
            if each.external_id in partners
        }

    def check(self) -> Dialogue[None]:
        """Log in, and compare the fields of the mapping with those of the server."""
        self._server = None
        server = yield from self._connected()
        effects = self._settings.all_effects()
        wanted = {*self._settings.partner, *(name for e in effects.values() for name in e.fields)}
        fields = yield from server.call(
            PARTNER, "fields_get", attributes=["required", "type", "string"]
        )
        known = cast("dict[str, Any]", fields) if isinstance(fields, dict) else {}
        missing = sorted(wanted - known.keys())
        if missing:
            raise EventRefused(f"res.partner has no field {', '.join(missing)}", final=True)
        yield from _existing(server, "mail.message", "model", "subject", ["paygate:check"])
        if any(effect.sms for effect in effects.values()):
            yield from server.call("sms.composer", "fields_get", attributes=["type"])

    def _connected(self) -> Dialogue[Server]:
        if self._server is None:
            self._server = yield from connect(self._settings)
        return self._server

    def _write(self, work: Work, found: _Found | None) -> Dialogue[None]:
        server = yield from self._connected()
        if found is None or work.fields:
            columns = {**work.partner, **work.fields}
            [partner] = yield from _load(server, [(work.external_id, columns)])
        else:
            partner = found.partner
        if work.note:
            there = None if found is None else found.has_note
            yield from _note(server, partner, work, has_note=there)
        if work.todo is not None:
            there = None if found is None else found.has_todo
            yield from _schedule(server, partner, work.todo, has_todo=there)


def _note(server: Server, partner: int, work: Work, *, has_note: bool | None) -> Dialogue[None]:
    """Post the note, and send the text message that follows it, unless the note is there."""
    if has_note is None:
        has_note = yield from _exists(
            server, "mail.message", "model", "subject", partner, work.subject
        )
    if has_note:
        return
    html = {"body_is_html": True} if server.body_is_html else {}
    yield from server.call(
        PARTNER,
        "message_post",
        ids=[partner],
        body=as_html(work.note),
        subject=work.subject,
        message_type="comment",
        subtype_xmlid="mail.mt_note",
        **html,
    )
    if work.sms:
        values = {
            "composition_mode": "comment",
            "res_model": PARTNER,
            "res_id": partner,
            "body": work.sms,
        }
        made = yield from server.call("sms.composer", "create", vals_list=[values])
        yield from server.call("sms.composer", "action_send_sms", ids=_ids(made))


def _schedule(server: Server, partner: int, todo: Todo, *, has_todo: bool | None) -> Dialogue[None]:
    """Schedule the activity, unless it is there."""
    if has_todo is None:
        has_todo = yield from _exists(
            server, "mail.activity", "res_model", "summary", partner, todo.summary
        )
    if has_todo:
        return
    user = {} if todo.user_id is None else {"user_id": todo.user_id}
    yield from server.call(
        PARTNER,
        "activity_schedule",
        ids=[partner],
        act_type_xmlid=todo.type,
        summary=todo.summary,
        note=as_html(todo.note),
        date_deadline=todo.deadline,
        **user,
    )


def _exists(
    server: Server, model: str, of_model: str, by: str, partner: int, value: str
) -> Dialogue[bool]:
    """Return whether *partner* has a record of *model* whose field *by* is *value*."""
    domain = [[of_model, "=", PARTNER], ["res_id", "=", partner], [by, "=", value]]
    return bool(_rows((yield from server.call(model, "search_read", domain=domain, fields=[by]))))


def _existing(
    server: Server, model: str, of_model: str, by: str, values: Sequence[str]
) -> Dialogue[set[str]]:
    """Return those of *values* that the field *by* of some record of *model* has."""
    domain = [[of_model, "=", PARTNER], [by, "in", list(values)]]
    rows = _rows((yield from server.call(model, "search_read", domain=domain, fields=[by])))
    return {str(row.get(by)) for row in rows}


def _rows(value: object) -> list[dict[str, Any]]:
    """Return the rows of a search; anything else must not count as nothing found."""
    if not isinstance(value, list):
        raise NoResponse("search_read: something that is not Odoo answered")
    listed = cast("list[object]", value)
    return [cast("dict[str, Any]", row) for row in listed if isinstance(row, dict)]


def _partners_of(server: Server, works: Iterable[Work]) -> Dialogue[dict[str, int]]:
    """Write the partners of *works*, those with the same columns in one call; return their ids."""
    by_columns: dict[tuple[str, ...], dict[str, Mapping[str, str]]] = {}
    for each in works:
        by_columns.setdefault(tuple(each.partner), {})[each.external_id] = each.partner
    partners: dict[str, int] = {}
    for rows in by_columns.values():
        ids = yield from _load(server, list(rows.items()))
        partners |= dict(zip(rows, ids, strict=True))
    return partners


def _load(server: Server, rows: Sequence[tuple[str, Mapping[str, str]]]) -> Dialogue[list[int]]:
    """Create or update partners by their external ids, and return their ids in Odoo."""
    columns = list(rows[0][1])
    answer = yield from server.call(
        PARTNER,
        "load",
        fields=["id", *columns],
        data=[[external, *(values[name] for name in columns)] for external, values in rows],
    )
    found = cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}
    ids = _ids(found.get("ids"))
    if len(ids) != len(rows):
        raise _rejected(found.get("messages"))
    return ids


def _rejected(messages: object) -> EventRefused:
    """
    Return the refusal of a `load`, which says what is wrong in messages and raises nothing.

    A transaction that met another one says so in a message, too, and is tried again; that text is
    all there is to tell it by. What is wrong with a field is final.
    """
    listed = cast("list[object]", messages) if isinstance(messages, list) else []
    rows = [cast("dict[str, Any]", each) for each in listed if isinstance(each, dict)]
    texts = [str(each.get("message") or "") for each in rows]
    text = f"Odoo does not take the partner: {one_line('; '.join(texts)) or 'it says no reason'}"
    busy = any(sign in each for each in texts for sign in SERIALIZATION)
    return EventRefused(text, final=not busy and any(each.get("field") for each in rows))


def _ids(value: object) -> list[int]:
    """Return the ids in an answer: a list, a number, or over JSON-RPC a text as of a record."""
    match value:
        case bool():
            return []
        case int():
            return [value]
        case list():
            listed = cast("list[object]", value)
            return [each for each in listed if isinstance(each, int) and not isinstance(each, bool)]
        case str():
            return [int(each) for each in _ID.findall(value.partition("(")[2])]
        case _:
            return []
