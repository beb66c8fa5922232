"""How a command ends: its exit status, and what is written to stderr if something is refused."""

from __future__ import annotations

import json
import logging
import re
import sys
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

import typer
from typer.core import TyperGroup
from typing_extensions import override

from paygate.domain.secret import DOTS
from paygate.errors import ImportRejected, InvalidValue, PaygateError, Refused, UsageError
from paygate.printing import printable_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

FINDINGS: Final = 1
"""A check found something, or a payment was not collected."""

_AS_JSON: Final = "paygate.json"
_COMMAND: Final = "paygate.command"
_HIDDEN: Final = "paygate.hidden"
_LENGTH_HIDDEN_MIN: Final = 6
_NAMED: Final = re.compile(
    r"\b(?P<name>[a-z][a-z_]*[a-z])\b(?P<assigned>=(?P<value>(?=['\"\w]))?)?"
)


def code_of(error: PaygateError) -> int:
    """Return the exit status: 2 the call is wrong, 3 our rules say no, 4 ledger or gateway."""
    match error:
        case UsageError():
            return 2
        case Refused():
            return 3
        case _:
            return 4


_MISUSED: Final = cast(
    "type[Exception]",
    next(each for each in typer.BadParameter.__mro__ if each.__name__ == "UsageError"),
)
"""The exceptions of click, or of the copy of it in newer versions of typer."""

_QUIET: Final = logging.NullHandler()


class Commands(TyperGroup):
    """The root of the commands: an error of paygate becomes one sentence and an exit status."""

    # The context is click's own, or that of the copy in newer versions of typer.

    @override
    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        """Read the arguments before the command."""
        # Reading removes from *args* what it has read.
        as_json = "--json" in args
        try:
            return super().make_context(info_name, args, parent=parent, **extra)
        except _MISUSED as error:
            if not as_json:
                raise
            _tell_misuse(error)

    @override
    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        # What a command prints is complete; without this, Python writes warnings between the
        # lines. Handlers of the application of --app still get them.
        logging.getLogger("paygate").addHandler(_QUIET)
        # A command line that cannot be read never reaches the command, which notes --json.
        as_json = "--json" in (*getattr(ctx, "_protected_args", ()), *ctx.args)
        try:
            return super().invoke(ctx)
        except _MISUSED as error:
            if not as_json:
                raise
            _tell_misuse(error)
        except PaygateError as error:
            hidden = ctx.meta.get(_HIDDEN, ())
            if ctx.params.get("debug"):
                _show_trace(error, hidden)
            spelled = Spelled(ctx.meta.get(_COMMAND))
            tell(error, as_json=bool(ctx.meta.get(_AS_JSON)), hidden=hidden, spelled=spelled)
            raise typer.Exit(code_of(error)) from None


class Spelled:
    """Replaces the arguments named in a message with the options of the command that was called."""

    def __init__(self, command: Any = None) -> None:
        params: list[Any] = [] if command is None else command.params
        self._options: dict[str, str] = {
            each.name: each.opts[0] for each in params if each.param_type_name == "option"
        }

    def __call__(self, message: str, argument: str = "") -> str:
        """
        Return *message* with ``--return-url`` for ``return_url=`` and ``return_url``.

        *argument* is the name with which the message may begin: ``key must be text``.
        """
        if argument in self._options and message.startswith(
            tuple(f"{argument} {verb} " for verb in ("is", "must", "can"))
        ):
            message = self._options[argument] + message.removeprefix(argument)
        message = message.replace("with final=True", "without --keep-rest")
        return _NAMED.sub(self._option, message)

    def _option(self, found: re.Match[str]) -> str:
        name, assigned = found["name"], found["assigned"]
        option = self._options.get(name)
        # A name without an underscore may be an ordinary word.
        if option is None or not (assigned or "_" in name):
            return found[0]
        return f"{option} " if found["value"] is not None else option


def tell(
    error: PaygateError,
    *,
    as_json: bool,
    hidden: Iterable[str],
    spelled: Spelled | None = None,
) -> None:
    """Write what happened to stderr, without the secrets that this call was given."""
    from paygate.cli import show

    spelled = spelled or Spelled()
    message = spelled(error.message, str(error.facts.get("argument", "")))
    if as_json:
        facts = {name: show.plain(value) for name, value in error.facts.items()}
        if isinstance(error, ImportRejected):
            facts["problems"] = [
                {"line": line, "reason": spelled(why)} for line, why in error.problems
            ]
        told = {"type": type(error).__name__, "message": message, "facts": facts}
        sys.stderr.write(_without(hidden, show.as_json({"error": told})) + "\n")
        return
    text = _without(hidden, f"{type(error).__name__}: {message}")
    from rich.text import Text

    # One line, so that a program that reads lines has the whole message.
    show.console(stderr=True).print(Text(text, style="red"))


def _tell_misuse(error: Exception) -> NoReturn:
    """Write as JSON that the command line cannot be read, and exit."""
    told = InvalidValue(cast("Any", error).format_message())
    tell(told, as_json=True, hidden=())
    raise typer.Exit(code_of(told)) from None


def _show_trace(error: PaygateError, hidden: Iterable[str]) -> None:
    from paygate.cli.foreign import trace_of

    trace = _without(hidden, trace_of(error))
    sys.stderr.write(printable_lines(trace))


def remember_json(ctx: typer.Context, value: bool) -> bool:
    """Note the command, and whether a program reads its output, so that errors are JSON too."""
    ctx.meta[_AS_JSON] = value
    ctx.meta[_COMMAND] = ctx.command
    return value


def hide(ctx: typer.Context, *secrets: str | None) -> None:
    """Note what must not appear in a message, whoever wrote it."""
    known: list[str] = ctx.meta.setdefault(_HIDDEN, [])
    known += [secret for secret in secrets if secret and len(secret) >= _LENGTH_HIDDEN_MIN]


def without_secrets(ctx: typer.Context, text: str) -> str:
    """Return *text* from elsewhere with dots for what must not appear."""
    return _without(ctx.meta.get(_HIDDEN, ()), text)


def _without(hidden: Iterable[str], text: str) -> str:
    for secret in hidden:
        text = text.replace(secret, DOTS).replace(json.dumps(secret)[1:-1], DOTS)
    return text
