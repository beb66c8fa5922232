"""PayPal's own OpenAPI files, as a check of what is sent and what is answered."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from jsonschema import Draft4Validator

from tests.contract.paypal_files import FILES

NOT_DESCRIBED: Final = ("/v1/oauth2/", "/v1/reporting/", "/v1/customer/")
"""The parts of PayPal's interface that the files do not describe."""


@dataclass(frozen=True)
class Described:
    """One operation of a file."""

    method: str
    path: re.Pattern[str]
    operation: dict[str, Any]
    document: dict[str, Any]

    def resolved(self, value: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in value:
            found: Any = self.document
            for name in value["$ref"].removeprefix("#/").split("/"):
                found = found[name]
            value = found
        return value

    def problems(self, schema: dict[str, Any], value: Any) -> list[str]:
        whole = {**schema, "components": self.document["components"]}
        return [
            f"{'.'.join(map(str, each.absolute_path))}: {each.message[:200]}"
            for each in Draft4Validator(whole).iter_errors(value)
            # The file knows one type of token, and a wallet is stored from another.
            if each.instance != "SETUP_TOKEN"
        ]


class OpenApi:
    """The four files."""

    def __init__(self, folder: Path) -> None:
        self._operations: list[Described] = []
        for name in FILES:
            document = json.loads((folder / f"{name}.json").read_text())
            for path, methods in document["paths"].items():
                pattern = re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path))
                self._operations += [
                    Described(method.upper(), pattern, operation, document)
                    for method, operation in methods.items()
                ]

    def find(self, method: str, url: str) -> Described | None:
        path = urlsplit(url).path
        return next(
            (
                each
                for each in self._operations
                if each.method == method and each.path.fullmatch(path)
            ),
            None,
        )

    def request(self, method: str, url: str, body: Any) -> list[str]:
        """Return what is wrong with a request."""
        if urlsplit(url).path.startswith(NOT_DESCRIBED):
            return []
        found = self.find(method, url)
        if found is None:
            return [f"{method} {urlsplit(url).path} is not described"]
        if "requestBody" not in found.operation:
            return [f"{method} {urlsplit(url).path} takes no body"] if body is not None else []
        told = found.resolved(found.operation["requestBody"])
        return found.problems(told["content"]["application/json"]["schema"], body)

    def headers(self, method: str, url: str, headers: dict[str, str]) -> list[str]:
        """Return which described headers are missing or not valid."""
        found = self.find(method, url)
        if found is None:
            return []
        wrong: list[str] = []
        for each in map(found.resolved, found.operation.get("parameters", ())):
            value = headers.get(each["name"])
            if each["in"] != "header" or (value is None and not each.get("required")):
                continue
            wrong += found.problems(each["schema"], value)
        return wrong

    def response(self, method: str, url: str, status: int, body: Any) -> list[str]:
        """Return what is wrong with an answer."""
        found = self.find(method, url)
        told = None if found is None else found.operation["responses"].get(str(status))
        if found is None or told is None:
            return []
        content = found.resolved(told).get("content", {}).get("application/json")
        return [] if content is None else found.problems(content["schema"], body)
