"""API keys: the secrets with which programs of a merchant call the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.cashier import arguments
from paygate.cashier.base import OnLedger
from paygate.cashier.verbs import verb
from paygate.domain.text import identifier, note
from paygate.service.flow import look

if TYPE_CHECKING:
    from collections.abc import Collection

    from paygate.domain.api_key import ApiKey, ApiScope, NewApiKey
    from paygate.domain.secret import Secret
    from paygate.domain.words import ApiScopeWord
    from paygate.service.flow import Flow


class ApiKeys(OnLedger):
    """Verbs about the API keys of a tenant."""

    @verb
    def add_api_key(
        self, name: str, *, scopes: Collection[ApiScope | ApiScopeWord]
    ) -> Flow[NewApiKey]:
        """
        Make an API key with the *scopes* ``"read"``, ``"write"`` or ``"refund"``.

        `NewApiKey.secret` is returned once: the ledger keeps only its digest. A tenant can have
        several keys, so that a new one can be handed out before the old one is revoked. Raises
        `ApiKeyExists` while a live key has this *name*.
        """
        from paygate.domain.api_key import new_secret
        from paygate.service import api_keys

        arguments.tenant(self._context.tenant)
        called, allowed = identifier(name, "name"), arguments.scopes(scopes, "scopes")
        return (yield from api_keys.add(called, allowed, new_secret()))

    @verb
    def revoke_api_key(self, api_key: ApiKey | str, *, reason: str) -> Flow[ApiKey]:
        """
        End an API key, by its id or the name of a live one: no request with it is answered again.

        Repeating this changes nothing. Raises `ApiKeyNotFound`.
        """
        from paygate.service import api_keys

        which, why = arguments.api_key(api_key, "api_key"), note(reason, "reason")
        return (yield from api_keys.revoke(which, why))

    @verb
    def api_keys(self) -> Flow[list[ApiKey]]:
        """Return all API keys of this tenant without their secrets, the oldest first."""
        from paygate.ledger import api_keys

        return (yield from look(api_keys.of_tenant))

    @verb
    def api_key_of(self, secret: Secret[str] | str) -> Flow[ApiKey]:
        """
        Return the live API key of this tenant that has *secret*, and note that it was used.

        Raises `ApiKeyNotFound`, always with the same message, for any other text.
        """
        from paygate.service import api_keys

        return (yield from api_keys.recognize(arguments.token_of(secret, "secret")))
