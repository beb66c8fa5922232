"""Failures that explain themselves, and cases that say why they do not apply."""

from __future__ import annotations

from typing import Final, NoReturn

NOT_APPLICABLE: Final = "does not apply: "
"""How the reason of a skipped case begins; the pytest plug-in shows these apart."""

TRANSCRIPTS: Final = "how-to/write-transcripts"
PROTOCOL: Final = "reference/gateway"
KIT: Final = "reference/conformance"
UNKNOWN: Final = "explanation/unknown-outcomes"
DIALOGUES: Final = "explanation/dialogues"
CALLBACKS: Final = "how-to/receive-callbacks"


def require(holds: object, *, expected: str, got: object, why: str, read: str = KIT) -> None:
    """Fail unless *holds*: say what was expected, what came, why it matters, and where to read."""
    if not holds:
        fail(expected=expected, got=got, why=why, read=read)


def fail(*, expected: str, got: object, why: str, read: str = KIT) -> NoReturn:
    """Fail, and say what was expected, what came, why it matters, and where to read."""
    shown = got if isinstance(got, str) else repr(got)
    raise AssertionError(
        f"\nexpected:       {expected}\ngot:            {shown}\n"
        f"why it matters: {why}\nread:           docs/{read}.md"
    )


def does_not_apply(reason: str) -> NoReturn:
    """Say that the traits of the driver make this case meaningless; it is shown, not hidden."""
    import pytest

    pytest.skip(f"{NOT_APPLICABLE}{reason}")
