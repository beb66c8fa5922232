"""Payment links from the shell: create, list, show, revoke and reissue them."""

from __future__ import annotations

import pytest

from paygate import Cashier
from tests.cli.conftest import Done, Run

KEYS = "A" * 43 + "="
BASE = "https://pay.example.com"


@pytest.fixture
def link(imported: Run) -> Run:
    """Return the commands of links, with keys in the environment."""

    def call(*arguments: str, stdin: bytes | None = None, **environment: str) -> Done:
        return imported("link", *arguments, stdin=stdin, PAYGATE_PAGE_KEYS=KEYS, **environment)

    return call


def test_a_link_is_made_once_per_key_and_its_address_is_written(link: Run) -> None:
    first, again = (
        link("create", "A-1", "--key", "k", "--base-url", BASE, "--json").json["link"]
        for _ in range(2)
    )
    by_environment = link("show", first["id"], PAYGATE_BASE_URL=BASE)
    without = link("show", first["id"])

    assert first == again
    assert first["address"].startswith(f"{BASE}/l/")
    assert first["address"] in by_environment.out.replace("\n", "")
    assert "/l/" not in without.out


def test_the_address_is_drawn_as_a_code(link: Run) -> None:
    drawn = link("create", "A-1", "--key", "k", "--base-url", BASE, "--qr")

    assert drawn.code == 0
    assert sum(drawn.out.count(each) for each in "█▀▄") > 100


@pytest.mark.parametrize("command", ["create", "show", "reissue"])
def test_a_code_needs_the_address_and_nothing_is_stored_before(link: Run, command: str) -> None:
    made = link("create", "A-1", "--key", "k", "--json").json["link"]
    rest = ["A-2", "--key", "other"] if command == "create" else [made["id"]]

    refused = link(command, *rest, "--qr")

    assert (refused.code, "--base-url" in refused.err) == (2, True)
    listed = link("list", "--json").json["links"]
    assert listed == [made]


@pytest.mark.parametrize(
    ("expires", "said"),
    [
        ("tomorrow", "expires"),
        ("2031-01-31T12:00", "zone"),
        ("2001-01-31T12:00+00:00", "later already"),
    ],
)
def test_a_time_that_is_not_clear_or_has_passed_is_refused(
    link: Run, expires: str, said: str
) -> None:
    refused = link("create", "A-1", "--key", "k", "--expires", expires)

    assert refused.code == 2
    assert said in refused.err.replace("\n", " ")
    assert link("list", "--json").json["links"] == []


def test_the_payer_chooses_between_two_amounts(link: Run) -> None:
    made = link(
        *("create", "A-1", "--key", "k", "--least", "1.00", "--most", "2.00", "--uses", "3"),
        *("--expires", "2099-01-31T12:00+01:00", "--language", "de", "--metadata", "a=b"),
        *("--return-to", "https://shop.example/{payment}", "--immediate-only", "--json"),
    ).json["link"]

    assert [made[each]["minor"] for each in ("minimum", "maximum")] == [100, 200]
    assert (made["uses"], made["language"], made["metadata"]) == (3, "de", {"a": "b"})
    assert made["expires_at"].startswith("2099-01-31T11:00:00")


def test_a_link_is_revoked_with_a_reason_and_reissued_with_another_address(link: Run) -> None:
    made = link("create", "A-1", "--key", "k", "--base-url", BASE, "--json").json["link"]

    renewed = link("reissue", made["id"], "--base-url", BASE, "--json").json["link"]
    revoked = link("revoke", made["id"], "--reason", "a test", "--json").json["link"]
    again = link("reissue", made["id"])

    assert renewed["address"] != made["address"]
    assert (revoked["status"], revoked["reason"]) == ("revoked", "a test")
    assert (again.code, "LinkEnded" in again.err) == (3, True)
    assert link("list", "--status", "revoked", "--json").json["links"] == [revoked]


def test_without_keys_no_link_is_made(imported: Run) -> None:
    refused = imported("link", "create", "A-1", "--key", "k")

    assert refused.code == 2
    assert "PAYGATE_PAGE_KEYS" in refused.err.replace("\n", " ")
    with Cashier.open("sqlite:///paygate.db") as cashier:
        assert cashier.links() == []
