"""How values are written into columns of text, and read from them."""

from __future__ import annotations

import json
from dataclasses import asdict, fields

from paygate.domain.card_checks import CardCheck, CardChecks, CheckResult
from paygate.domain.method import MethodFacts


def write_method_facts(facts: MethodFacts | None) -> str | None:
    """Write what may be printed of a card or account as text; None if nothing is known."""
    known = {} if facts is None else {name: each for name, each in asdict(facts).items() if each}
    return json.dumps(known) if known else None


def read_method_facts(text: str | None) -> MethodFacts | None:
    """Read what `write_method_facts` wrote."""
    return None if text is None else MethodFacts(**json.loads(text))


def write_checks(found: CardChecks | None) -> str | None:
    """Write the results of checks as text; None if nothing was checked."""
    known = {
        each.name: [check.result.value, check.raw_code]
        for each in (() if found is None else fields(found))
        if (check := getattr(found, each.name)) != CardCheck()
    }
    return json.dumps(known) if known else None


def read_checks(text: str | None) -> CardChecks | None:
    """Read what `write_checks` wrote."""
    if text is None:
        return None
    told: dict[str, list[str]] = json.loads(text)
    return CardChecks(**{name: CardCheck(CheckResult(of), raw) for name, (of, raw) in told.items()})
