"""A simulated Odoo on loopback, of version 16 or 19: partners, notes, activities, text messages.

It is ours and not theirs, and does what was seen of real servers: `load` answers in messages, a
column that does not exist is a fault every time, 16 keeps HTML that 19 escapes, and what was
committed stays although the answer is lost.
"""

from __future__ import annotations

import html
import json
import re
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.loopback import Handler, serve

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

DATABASE = "acme"
LOGIN = "bot@acme.example"
KEY = "0123456789abcdef0123456789abcdef01234567"


class Raised(Exception):
    """An exception of the server's program."""

    def __init__(self, name: str, message: str, status: int = 500) -> None:
        super().__init__(message)
        self.name, self.message, self.status = name, message, status

    def facts(self) -> dict[str, Any]:
        trace = f"Traceback (most recent call last): in load, key {KEY}"
        return {
            "name": self.name,
            "message": self.message,
            "arguments": [self.message],
            "context": {},
            "debug": trace,
        }


@dataclass
class SimulatedOdoo:
    """One database: what is in it, which calls came, and what goes wrong next."""

    version: int = 19
    columns: set[str] = field(
        default_factory=lambda: {"name", "ref", "email", "phone", "street", "city", "zip"}
    )
    required: set[str] = field(default_factory=lambda: {"name"})
    sms_works: bool = True
    allowed: bool = True
    down: int = 0
    busy: int = 0
    """How many calls of `load` meet another transaction."""
    lose: set[str] = field(default_factory=set[str])
    """The methods whose next answer is lost after the commit."""
    partners: dict[int, dict[str, Any]] = field(default_factory=dict[int, dict[str, Any]])
    external: dict[str, int] = field(default_factory=dict[str, int])
    notes: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    activities: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    texts: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    composers: dict[int, dict[str, Any]] = field(default_factory=dict[int, dict[str, Any]])
    calls: list[str] = field(default_factory=list[str])
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, model: str, method: str, ids: list[int] | None, named: dict[str, Any]) -> Any:
        """Execute a method in a transaction of its own."""
        if method.startswith("_"):
            raise Raised("odoo.exceptions.AccessError", f"{method} is private", 403)
        found = METHODS.get((model, method))
        if found is None and not any(known == model for known, _ in METHODS):
            if self.version >= 19:
                raise Raised("werkzeug.exceptions.NotFound", f"no model {model}", 404)
            raise Raised("odoo.exceptions.UserError", f"Object {model} doesn't exist")
        if found is None:
            if self.version >= 19:
                raise Raised("werkzeug.exceptions.NotFound", f"no method {method}", 404)
            raise Raised("builtins.AttributeError", f"'{model}' object has no attribute {method}")
        if not self.allowed:
            raise Raised("odoo.exceptions.AccessError", "You are not allowed to do this", 403)
        function, of_model, arguments = found
        if of_model and ids is not None:
            raise Raised(
                "werkzeug.exceptions.UnprocessableEntity", f"cannot call {method} with ids", 422
            )
        allowed = arguments | ({"body_is_html"} if self.version >= 17 else set[str]())
        if wrong := named.keys() - allowed:
            kind = "werkzeug.exceptions.UnprocessableEntity"
            kind = kind if self.version >= 19 else "builtins.TypeError"
            raise Raised(kind, f"unexpected argument {sorted(wrong)}", 422)
        return function(self, ids, named)

    def authenticate(self, database: str, login: str, key: str) -> int | bool:
        if database != DATABASE:
            raise Raised("psycopg2.OperationalError", f'database "{database}" does not exist')
        return 2 if (login, key) == (LOGIN, KEY) else False

    def admit(self, given: list[Any]) -> None:
        if given != [DATABASE, 2, KEY]:
            raise Raised("odoo.exceptions.AccessDenied", "Access Denied")

    def load(self, _: object, named: dict[str, Any]) -> Any:
        columns, rows = named["fields"], named["data"]
        for column in columns[1:]:
            if column not in self.columns:
                kind = "builtins.ValueError" if self.version >= 19 else "builtins.KeyError"
                raise Raised(kind, f"Invalid field {column!r} on model 'res.partner'")
        if self.busy:
            self.busy -= 1
            return refused("could not serialize access due to concurrent update\n", "name")
        for row in rows:
            values = dict(zip(columns, row, strict=True))
            known = self.partners.get(self.external.get(values["id"], 0), {})
            for name in sorted(self.required):
                if not values.get(name, known.get(name)):
                    return refused(f"Missing required value for the field '{name}'", name)
            if values["id"].count(".") != 1:
                return refused("The ID reference must be unique and without dots", "id")
        return {"ids": [self.stored(columns, row) for row in rows], "messages": []}

    def stored(self, columns: list[str], row: list[str]) -> int:
        values = dict(zip(columns, row, strict=True))
        external = values.pop("id")
        id_ = self.external.setdefault(external, len(self.external) + 7)
        self.partners.setdefault(id_, {}).update(values)
        return id_

    def message_post(self, ids: list[int] | None, named: dict[str, Any]) -> Any:
        [partner] = ids or [0]
        body = named["body"]
        if self.version >= 17 and not named.get("body_is_html"):
            body = html.escape(body)
        note = {"model": "res.partner", "res_id": partner, "subject": named["subject"]}
        self.notes.append({**note, "id": len(self.notes) + 1, "body": f"<p>{body}</p>"})
        assert (named["message_type"], named["subtype_xmlid"]) == ("comment", "mail.mt_note")
        return [len(self.notes)] if self.version >= 19 else len(self.notes)

    def activity_schedule(self, ids: list[int] | None, named: dict[str, Any]) -> Any:
        [partner] = ids or [0]
        self.activities.append(
            {**named, "res_model": "res.partner", "res_id": partner, "id": len(self.activities) + 1}
        )
        made = len(self.activities)
        return [made] if self.version >= 19 else f"mail.activity({made},)"

    def notes_like(self, _: object, named: dict[str, Any]) -> Any:
        return matching(self.notes, named)

    def activities_like(self, _: object, named: dict[str, Any]) -> Any:
        return matching(self.activities, named)

    def fields_get(self, *_: object) -> Any:
        return {each: {"type": "char", "required": each in self.required} for each in self.columns}

    def compose(self, _: object, named: dict[str, Any]) -> Any:
        [values] = named["vals_list"]
        assert values.keys() == {"composition_mode", "res_model", "res_id", "body"}
        self.composers[len(self.composers) + 1] = values
        return [len(self.composers)]

    def send_sms(self, ids: list[int] | None, _: object) -> Any:
        [composer] = ids or [0]
        if not self.sms_works:
            raise Raised("odoo.exceptions.UserError", "Invalid recipient number", 422)
        self.texts.append(self.composers[composer])
        return False

    def composer_fields(self, *_: object) -> Any:
        return {"body": {"type": "text"}}


def refused(message: str, name: str = "") -> dict[str, Any]:
    said: dict[str, Any] = {"type": "error", "record": 0, "message": message}
    return {"ids": False, "messages": [{**said, "field": name} if name else said]}


def matching(rows: list[dict[str, Any]], named: dict[str, Any]) -> list[dict[str, Any]]:
    def fits(row: dict[str, Any], term: list[Any]) -> bool:
        name, operator, value = term
        return row[name] in value if operator == "in" else bool(row[name] == value)

    return [
        {"id": row["id"], **{name: row[name] for name in named["fields"]}}
        for row in rows
        if all(fits(row, term) for term in named["domain"])
    ]


Method = tuple["Callable[[SimulatedOdoo, Any, dict[str, Any]], Any]", bool, set[str]]
METHODS: dict[tuple[str, str], Method] = {
    ("res.partner", "load"): (SimulatedOdoo.load, True, {"fields", "data"}),
    ("res.partner", "fields_get"): (SimulatedOdoo.fields_get, True, {"allfields", "attributes"}),
    ("res.partner", "message_post"): (
        SimulatedOdoo.message_post,
        False,
        {"body", "subject", "message_type", "subtype_xmlid"},
    ),
    ("res.partner", "activity_schedule"): (
        SimulatedOdoo.activity_schedule,
        False,
        {"act_type_xmlid", "summary", "note", "date_deadline", "user_id"},
    ),
    ("mail.message", "search_read"): (SimulatedOdoo.notes_like, True, {"domain", "fields"}),
    ("mail.activity", "search_read"): (SimulatedOdoo.activities_like, True, {"domain", "fields"}),
    ("sms.composer", "create"): (SimulatedOdoo.compose, True, {"vals_list"}),
    ("sms.composer", "fields_get"): (SimulatedOdoo.composer_fields, True, {"attributes"}),
    ("sms.composer", "action_send_sms"): (SimulatedOdoo.send_sms, False, set()),
}
PLACES = {"load": ["fields", "data"], "search_read": ["domain", "fields"], "create": ["vals_list"]}


class Calls(Handler[SimulatedOdoo]):
    """Answers the calls of both dialects."""

    def answer(self) -> None:
        odoo, body = self.processor, self.body()
        with odoo.lock:
            if odoo.down:
                odoo.down -= 1
                self.send(503, "text/html", b"<html>down</html>")
            elif self.path == "/web/version" and odoo.version >= 19:
                self.say(200, {"version_info": [odoo.version, 0, 0, "final", 0, ""]})
            elif self.path == "/jsonrpc":
                self.json_rpc(odoo, json.loads(body)["params"])
            elif odoo.version >= 19 and (
                found := re.fullmatch(r"/json/2/([\w.]+)/(\w+)", self.path)
            ):
                self.json_2(odoo, found[1], found[2], json.loads(body))
            else:
                self.send(404, "text/html", b"<html>Not Found</html>")

    def json_2(self, odoo: SimulatedOdoo, model: str, method: str, body: dict[str, Any]) -> None:
        if self.headers["authorization"] != f"bearer {KEY}":
            self.say(401, Raised("werkzeug.exceptions.Unauthorized", "Invalid apikey").facts())
            return
        if self.headers.get("x-odoo-database", DATABASE) != DATABASE:
            self.send(404, "text/html", b"<html>no such database</html>")
            return
        odoo.calls.append(f"{model}.{method}")
        try:
            value = odoo.run(model, method, body.pop("ids", None), body)
        except Raised as error:
            self.say(error.status, error.facts())
            return
        self.give(odoo, method, value)

    def json_rpc(self, odoo: SimulatedOdoo, params: dict[str, Any]) -> None:
        args = params["args"]
        try:
            if (params["service"], params["method"]) == ("common", "version"):
                value: Any = {"server_version_info": [odoo.version, 0, 0, "final", 0, ""]}
            elif params["method"] == "authenticate":
                value = odoo.authenticate(*args[:3])
            else:
                odoo.admit(args[:3])
                model, method, placed, named = args[3:7]
                odoo.calls.append(f"{model}.{method}")
                ids = None if METHODS.get((model, method), (0, True))[1] else placed.pop(0)
                named |= dict(zip(PLACES.get(method, []), placed, strict=False))
                value = odoo.run(model, method, ids, named)
        except Raised as error:
            data = {**error.facts(), "exception_type": "internal_error"}
            said = {"code": 200, "message": "Odoo Server Error", "data": data}
            self.say(200, {"jsonrpc": "2.0", "id": 1, "error": said})
            return
        self.give(odoo, params["method"] if len(args) < 5 else args[4], value, rpc=True)

    def give(self, odoo: SimulatedOdoo, method: str, value: Any, *, rpc: bool = False) -> None:
        if method in odoo.lose:
            odoo.lose.remove(method)
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            return
        self.say(200, {"jsonrpc": "2.0", "id": 1, "result": value} if rpc else value)

    def say(self, status: int, value: Any) -> None:
        self.send(status, "application/json", json.dumps(value).encode())


def serving(odoo: SimulatedOdoo) -> AbstractContextManager[str]:
    """Serve *odoo* on loopback, and return its address."""
    return serve(odoo, Calls)
