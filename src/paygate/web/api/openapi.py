"""The description of the API in OpenAPI 3.1, made from the table of its endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic.json_schema import models_json_schema

from paygate._version import __version__
from paygate.web.api.problems import MEDIA_TYPE, TITLES, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic import BaseModel

    from paygate.web.api.counter import Endpoint

_ALWAYS: Final = (400, 401, 403, 404, 429, 500, 503)
_OF_A_PAPER: Final = (409,)
_WITH_BODY: Final = (408, 409, 413, 415, 422)
_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": (
        "The same for each repetition of this request, and for no other. It counts per API key."
    ),
    "schema": {"type": "string", "pattern": "^[!-~]{1,128}$"},
}


def description(endpoints: Sequence[Endpoint], server: str) -> dict[str, Any]:
    """Return the document; *server* is the path at which the application is mounted."""
    schemas = _schemas(endpoints)
    paths: dict[str, dict[str, Any]] = {}
    for each in endpoints:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, endpoints, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Payments",
            "version": __version__,
            "description": (
                "Make prepayments, invoices and payment links, send the payer there, and read "
                "what became of it. Deliver on events, or after reading the payment."
            ),
        },
        "servers": [{"url": server or "/"}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key."}
            },
        },
    }


def _schemas(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """Return the schemas of all bodies by name."""
    read: dict[type[BaseModel], None] = {}
    sent: dict[type[BaseModel], None] = {Problem: None}
    for each in endpoints:
        if each.takes is not None:
            read[each.takes] = None
        if each.answers is not None:
            sent[each.answers] = None
    _, found = models_json_schema(
        [
            *((model, "validation") for model in read),
            *((model, "serialization") for model in sent),
        ],
        ref_template="#/components/schemas/{model}",
    )
    schemas: dict[str, Any] = found["$defs"]
    return schemas


def _operation(of: Endpoint, all_: Sequence[Endpoint], schemas: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": of.name,
        "summary": of.summary,
        "description": f"Needs a key with the scope {of.scope.value}.",
        "tags": [of.path.split("/")[2]],
    }
    parameters = [*_place(of), *_query(of, schemas)]
    if of.takes is not None:
        parameters.append(_KEY)
        made["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _ref(of.takes)}},
        }
    if parameters:
        made["parameters"] = parameters
    more = _WITH_BODY if of.takes is not None else _OF_A_PAPER if of.answers is None else ()
    made["responses"] = {str(of.status): _answer(of, all_)} | {
        str(status): _problem(status) for status in sorted((*_ALWAYS, *more))
    }
    return made


def _place(of: Endpoint) -> list[dict[str, Any]]:
    if not of.place:
        return []
    schema = {"type": "string", "minLength": 1, "maxLength": 255}
    return [{"name": of.place, "in": "path", "required": True, "schema": schema}]


def _query(of: Endpoint, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    if of.asks is None:
        return []
    whole = of.asks.model_json_schema(ref_template="#/components/schemas/{model}")
    for name, each in whole.get("$defs", {}).items():
        schemas.setdefault(name, each)
    properties: dict[str, dict[str, Any]] = whole["properties"]
    needed: list[str] = whole.get("required", [])
    return [
        _parameter(name, schema, required=name in needed) for name, schema in properties.items()
    ]


def _parameter(name: str, given: dict[str, Any], *, required: bool) -> dict[str, Any]:
    """Return a parameter of a query. One that is left out is not sent as null."""
    choices: list[dict[str, Any]] = given.get("anyOf", [])
    [*parts] = [each for each in choices if each.get("type") != "null"]
    whole: dict[str, Any] = given | (parts[0] if parts else {})
    about: str = whole.get("description", "")
    schema = {
        key: value
        for key, value in whole.items()
        if key not in ("anyOf", "title", "description") and value is not None
    }
    made = {"name": name, "in": "query", "required": required, "schema": schema}
    return {**made, "description": about} if about else made


def _answer(of: Endpoint, all_: Sequence[Endpoint]) -> dict[str, Any]:
    if of.answers is None:
        schema: dict[str, Any] = {"type": "string", "format": "binary"}
        return {"description": "The file.", "content": {of.media_type: {"schema": schema}}}
    made: dict[str, Any] = {
        "description": "Done." if of.takes is not None else "Found.",
        "content": {of.media_type: {"schema": _ref(of.answers)}},
    }
    if of.status == 201:
        where = "The address of what was made."
        made["headers"] = {"Location": {"description": where, "schema": {"type": "string"}}}
    if of.leads_to:
        made["links"] = {
            each.name: {
                "operationId": each.name,
                "parameters": {each.place: "$response.body#/id"},
            }
            for each in all_
            if each.name in of.leads_to
        }
    return made


def _problem(status: int) -> dict[str, Any]:
    return {"description": TITLES[status], "content": {MEDIA_TYPE: {"schema": _ref(Problem)}}}


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}
