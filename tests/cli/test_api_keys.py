"""API keys from the shell: add, list and revoke."""

from __future__ import annotations

from paygate import Cashier
from tests.cli.conftest import Run


def test_a_key_is_added_listed_and_revoked(imported: Run) -> None:
    made = imported("api-key", "add", "portal", "--scope", "read", "--scope", "write", "--json")
    secret = made.json["secret"]
    shown = imported("api-key", "add", "desk", "--scope", "refund")
    again = imported("api-key", "add", "portal", "--scope", "read")
    with Cashier.open("sqlite:///paygate.db") as cashier:
        assert cashier.api_key_of(secret).name == "portal"
    listed = imported("api-key", "list")
    ended = imported("api-key", "revoke", "portal", "--reason", "rotated", "--json")

    assert made.json["api_key"]["scopes"] == ["read", "write"]
    assert "pgk_" in shown.out
    assert again.code == 2
    assert again.err.startswith("ApiKeyExists")
    assert "portal" in listed.out
    assert secret not in listed.out
    assert ended.json["api_key"]["reason"] == "rotated"
    assert [
        (each["name"], each["revoked_at"] is None)
        for each in imported("api-key", "list", "--json").json["api_keys"]
    ] == [("portal", False), ("desk", True)]
