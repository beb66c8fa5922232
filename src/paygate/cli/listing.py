"""The help of the program and of its nouns: lists of commands, written without loading any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate.cli.commands import EVERYDAY, NOUNS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ABOUT: Final = "Issue invoices, collect them through any gateway, and check the books."
VERSION_HELP: Final = "Show the version."
DEBUG_HELP: Final = "Show the trace of an error, without secrets."
HELP_OPTIONS: Final = ("-h", "--help")

_HELP: Final = {", ".join(HELP_OPTIONS): "Show this message and exit."}
_OF_THE_PROGRAM: Final = {"--version": VERSION_HELP, "--debug": DEBUG_HELP, **_HELP}


def asked_for(arguments: Sequence[str]) -> str | None:
    """Return the help that a command line asks for, also by naming no command; None otherwise."""
    match arguments:
        case []:
            return program()
        case [option] if option in HELP_OPTIONS:
            return program()
        case [name] if name in NOUNS:
            return noun(name)
        case [name, option] if option in HELP_OPTIONS and name in NOUNS:
            return noun(name)
        case _:
            return None


def program() -> str:
    """Return the help of the program: the everyday commands, and the nouns of the others."""
    return _page(
        "paygate",
        ABOUT,
        ("Everyday commands", {name: each.summary for name, each in EVERYDAY.items()}),
        (
            "Other commands, by subject",
            {name: each.summary for name, each in NOUNS.items()},
        ),
        ("Options", _OF_THE_PROGRAM),
    )


def noun(name: str) -> str:
    """Return the help of a noun: its commands."""
    about = NOUNS[name]
    commands = {each: command.summary for each, command in about.commands.items()}
    return _page(f"paygate {name}", about.summary, ("Commands", commands), ("Options", _HELP))


def _page(path: str, about: str, *parts: tuple[str, Mapping[str, str]]) -> str:
    # All parts of a page have their second column at the same place.
    width = max(len(name) for _, lines in parts for name in lines)
    text = f"Usage: {path} [OPTIONS] COMMAND [ARGS]...\n\n  {about}\n"
    for heading, lines in parts:
        rows = (f"  {name:{width}}  {summary}\n" for name, summary in lines.items())
        text += f"\n{heading}:\n{''.join(rows)}"
    return f"{text}\n'{path} COMMAND --help' explains a command.\n"
