"""A sink of your own: customers become parties in Tryton, and events become notes on them."""

import base64
import json

from paygate import Delivery, SinkTraits
from paygate.driver import CredentialsRejected, Dialogue, NoResponse, Request, Secret, Settings
from paygate.errors import EventRefused


class TrytonSettings(Settings):
    url: str  # of the database: https://tryton.example/acme
    login: str
    password: Secret[str]


class Tryton:
    settings_model = TrytonSettings
    traits = SinkTraits(events=("invoice.*", "payment.succeeded"), needs_contact=True)

    def __init__(self, settings: TrytonSettings) -> None:
        self._settings = settings
        self._session = ""

    def deliver(self, delivery: Delivery) -> Dialogue[None]:
        event, contact = delivery.event, delivery.contact
        if contact is None:
            return  # about no customer
        parties = "model.party.party"
        party = yield from self._search(parties, ["code", "=", contact.id])
        if not party:  # the code of a party is unique in Tryton
            values = {"code": contact.id, "name": contact.name or contact.id}
            party = yield from self._call(f"{parties}.create", [values])
        resource = f"party.party,{party[0]}"
        mark = f"[{event.id}]"
        notes = yield from self._search(
            "model.ir.note", ["resource", "=", resource], ["message", "like", f"%{mark}"]
        )
        if not notes:  # else an earlier delivery wrote it, and its answer was lost
            message = f"{event.type} {event.data.get('number', '')} {mark}"
            yield from self._call(
                "model.ir.note.create", [{"resource": resource, "message": message}]
            )

    def _search(self, model: str, *domain: list[str]) -> Dialogue[list[int]]:
        return (yield from self._call(f"{model}.search", list(domain), 0, 1, None))

    def _call(self, method: str, *arguments: object) -> Dialogue[list[int]]:
        if not self._session:
            password = {"password": self._settings.password.reveal()}
            user, token, *_ = yield from self._post(
                "common.db.login", self._settings.login, password
            )
            session = f"{self._settings.login}:{user}:{token}"
            self._session = base64.b64encode(session.encode()).decode()
        return (yield from self._post(method, *arguments, {}))

    def _post(self, method: str, *arguments: object) -> Dialogue[list[int]]:
        session = {"authorization": f"Session {self._session}"} if self._session else {}
        response = yield Request(
            method="POST",
            url=f"{self._settings.url}/rpc/",
            step=method,
            headers={"content-type": "application/json", **session},
            body=json.dumps({"id": 1, "method": method, "params": arguments}).encode(),
        )
        if response.status == 401:
            self._session = ""
            raise CredentialsRejected("Tryton accepts neither the session nor the login")
        if response.status != 200:
            raise NoResponse(f"Tryton answered {response.status}")
        answer = json.loads(response.body)
        if "error" in answer:
            raise EventRefused(f"Tryton refuses {method}: {answer['error'][0]}")
        return answer["result"]  # type: ignore[no-any-return]
