"""The schema of the ledger, for those who create its tables by migrations of their own."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from paygate.errors import InvalidValue


class Dialect(StrEnum):
    """The databases that a ledger can be in."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


def print_(
    dialect: Annotated[Dialect, typer.Option(help="The database that the tables are for.")],
    after: Annotated[
        int,
        typer.Option(metavar="<number>", min=0, help="The schema that the database has by now."),
    ] = 0,
) -> None:
    """Print the SQL that creates the tables of the ledger; run it in one transaction.

    A ledger that is opened on a database without tables creates them itself. Use this command if
    your own migrations do it, so that the role of the application needs no right to create tables.
    """
    from paygate.ledger.schema_files import POSTGRES, SQLITE

    files = SQLITE if dialect is Dialect.SQLITE else POSTGRES
    if after > files.newest:
        raise InvalidValue(f"--after: the newest schema is {files.newest}", argument="after")
    typer.echo(files.script(after), nl=False)
