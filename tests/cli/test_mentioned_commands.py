"""Every command that a page, a message or a comment mentions exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from paygate.cli.commands import EVERYDAY, NOUNS

ROOT = Path(__file__).parents[2]
READ = [
    *ROOT.glob("*.md"),
    *(
        page
        for folder in ("docs", "examples", "src", "benchmarks")
        for page in sorted((ROOT / folder).rglob("*"))
        if page.suffix in {".md", ".py", ".toml", ".tmpl", ".dot"}
    ),
]
# A command is between backticks or quotes, after a prompt or the path of a program.
MENTIONED = re.compile(
    r"""(?:`|'|\$ |bin/|^ {4})paygate (?:--debug )?([a-z][a-z-]*)(?: ([a-z][a-z-]*))?""",
    re.MULTILINE,
)


def mentioned(text: str) -> Iterator[tuple[str, str]]:
    yield from MENTIONED.findall(text)


def is_command(first: str, second: str) -> bool:
    if first in EVERYDAY:
        return True
    return first in NOUNS and (not second or second in NOUNS[first].commands)


def test_every_command_that_is_mentioned_exists() -> None:
    found = {
        (str(page.relative_to(ROOT)), first, second)
        for page in READ
        for first, second in mentioned(page.read_text("utf-8"))
    }

    assert len(found) > 100
    assert {each for each in found if not is_command(each[1], each[2])} == set()
