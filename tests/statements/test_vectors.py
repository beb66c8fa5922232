"""The readers against the cases of the sheet: amounts, balances, meanings and references."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from paygate.domain.bank_statement import BankEntry
from tests.statements.vectors import vectors

NOT_BOOKED = "not_booked"


def flat(says: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the expected entries, with the parts of bulk entries apart."""
    found: list[dict[str, Any]] = []
    for entry in says["entries"]:
        details = entry.get("details") or [{}]
        found += [{**entry, "text": "", **detail} for detail in details]
        if "details" not in entry:
            found[-1]["text"] = entry.get("text", "")
    return found


def balance_of(says: dict[str, Any], name: str) -> int | None:
    found = says.get(name, says.get(f"{name}_implied"))
    return found["amount"] if isinstance(found, dict) else found


def test_every_file_says_what_the_sheet_says(protocols: Path) -> None:
    read = 0
    for vector in vectors(protocols):
        got = vector.statements()
        assert len(got) == len(vector.says["statements"]), vector.name
        for (head, entries, end), says in zip(got, vector.says["statements"], strict=True):
            currency = says.get("currency", vector.says.get("map", {}).get("currency"))
            assert head.currency == currency, vector.name
            account = says.get("account", vector.says.get("map", {}).get("account"))
            assert head.account in (account, account.split("/")[1] if "/" in account else "")
            opening = head.opening_minor if end.opening_minor is None else end.opening_minor
            assert opening == balance_of(says, "opening"), vector.name
            assert end.closing_minor == balance_of(says, "closing"), vector.name
            wanted = flat(says)
            assert len(entries) == len(wanted), vector.name
            for entry, want in zip(entries, wanted, strict=True):
                same(entry, want, vector.name)
                read += 1
    assert read == 49


def same(entry: BankEntry, want: dict[str, Any], where: str) -> None:
    assert entry.amount_minor == want["amount"], where
    assert not entry.is_booked if want["means"] == NOT_BOOKED else entry.is_booked, where
    if want["means"] != NOT_BOOKED:
        assert entry.meaning == want["means"], (where, want)
    for name, value in (
        ("booked", entry.booked.isoformat()),
        ("check", entry.check),
        ("party", entry.party),
        ("party_account", entry.party_account),
        ("reason", entry.reason),
        ("batch", entry.batch),
    ):
        if name in want and not (name == "batch" and want["means"] == "collection"):
            assert value == want[name], (where, name)
    assert entry.fee_inside_minor == want.get("fee_inside", 0), where
    if want.get("end_to_end", "NOTPROVIDED") != "NOTPROVIDED":
        assert entry.end_to_end == want["end_to_end"], where
    if "bank_reference" in want and want["type"] not in ("165", "557"):
        assert entry.line_id == want["bank_reference"], where
    if "id" in want:
        assert entry.line_id == want["id"], where


def test_a_returned_check_has_one_identity_in_five_formats(protocols: Path) -> None:
    returned = {
        (entry.line_id, entry.amount_minor, entry.check, entry.booked)
        for vector in vectors(protocols)
        for _, entries, _ in vector.statements()
        for entry in entries
        if entry.meaning == "check_returned" and entry.line_id
    }

    [(line_id, minor, check, booked)] = returned
    assert (line_id, minor, check, booked.isoformat()) == (
        "BK0518-001",
        -100_00,
        "1047",
        "2026-05-18",
    )
