"""The program ``paygate``: its groups of commands, each imported when it is called."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typing_extensions import override

from paygate._version import __version__
from paygate.cli import listing
from paygate.cli.commands import EVERYDAY, NOUNS, Command
from paygate.cli.exits import Commands

# The types of contexts and formatters are click's own, or those of the copy in newer versions
# of typer.


def load(name: str, command: Command) -> Any:
    """Import a command and return it under *name*, with all its options."""
    found = getattr(import_module(f"paygate.cli.{command.module}"), command.function)
    around = typer.Typer(rich_markup_mode=None, add_completion=False)
    around.command(name)(found)
    return typer.main.get_command(around)


class Deferred(TyperCommand):
    """A command in the list that is imported when its arguments are read."""

    def __init__(self, name: str, command: Command) -> None:
        super().__init__(name, short_help=command.summary, rich_markup_mode=None)
        self._command = command

    @override
    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        """Read the arguments as the command itself does; its context runs it."""
        command = load(self.name or "", self._command)
        return command.make_context(info_name, args, parent=parent, **extra)


class NounGroup(TyperGroup):
    """The commands of a noun."""

    def __init__(self, name: str) -> None:
        noun = NOUNS[name]
        commands: dict[str, Any] = {
            each: Deferred(each, command) for each, command in noun.commands.items()
        }
        super().__init__(name=name, help=noun.summary, commands=commands, rich_markup_mode=None)
        self.no_args_is_help = True

    @override
    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the list of its commands."""
        formatter.write(listing.noun(self.name or ""))


class Program(Commands):
    """The root of the commands."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        for name, command in EVERYDAY.items():
            self.add_command(Deferred(name, command))
        for name in NOUNS:
            self.add_command(NounGroup(name))

    @override
    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the list of the everyday commands, and of the nouns."""
        formatter.write(listing.program())


app = typer.Typer(
    cls=Program,
    name="paygate",
    help=listing.ABOUT,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": list(listing.HELP_OPTIONS)},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"paygate {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", help=listing.VERSION_HELP, callback=_version, is_eager=True),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help=listing.DEBUG_HELP)] = False,
) -> None:
    """Issue invoices, collect them through any gateway, and check the books."""
