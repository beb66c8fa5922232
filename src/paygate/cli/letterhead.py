"""The letterhead: who issues the invoices."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from paygate.cli import show
from paygate.cli.drafts import read_file
from paygate.cli.opening import Where, with_ledger
from paygate.domain.document import Letterhead
from paygate.errors import InvalidValue

_NAMES = tuple(each.name for each in fields(Letterhead))


@with_ledger
def set_(
    where: Where,
    file: Annotated[
        Path,
        typer.Argument(help="TOML file: name, address, tax_id, bank, iban, footer, logo …"),
    ],
    create: Annotated[
        bool, typer.Option("--create", help="Create the ledger if it does not exist.")
    ] = False,
) -> None:
    """Store who issues invoices, for the documents that paygate draws."""
    found = _read(file)
    with where.open(make=create) as cashier:
        version = cashier.set_letterhead(found)
    if where.as_json:
        show.write_json({"letterhead": {"version": version, **_facts(found)}})
    else:
        show.console().print(f"{found.name}: version {version}")


@with_ledger
def show_(where: Where) -> None:
    """Show who issues invoices."""
    with where.open() as cashier:
        found = cashier.letterhead()
    if where.as_json:
        show.write_json({"letterhead": None if found is None else _facts(found)})
    elif found is None:
        show.console().print("There is no letterhead; store one with 'paygate letterhead set'.")
    else:
        show.write_sheet(
            {
                name.replace("_", " ").capitalize(): ", ".join(cast("tuple[str, ...]", value))
                if isinstance(value, tuple)
                else value
                for name, value in _facts(found).items()
                if value
            }
        )


def _facts(of: Letterhead) -> dict[str, Any]:
    made = {name: getattr(of, name) for name in _NAMES}
    made["logo"] = None if of.logo is None else f"PNG of {len(of.logo):,} bytes"
    return made


def _read(file: Path) -> Letterhead:
    try:
        given = tomllib.loads(read_file(file).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidValue(f"the file {file} is not TOML: {error}") from None
    strange = [name for name in given if name not in _NAMES]
    if strange:
        raise InvalidValue(f"a letterhead has no {strange[0]}; it has {', '.join(_NAMES)}")
    for name in ("address", "bank", "footer"):
        if isinstance(given.get(name), list):
            given[name] = tuple(given[name])
    logo = given.get("logo")
    if isinstance(logo, str):
        given["logo"] = read_file(file.parent / logo)
    if "name" not in given:
        raise InvalidValue("a letterhead needs the name of who issues: name = 'Acme'")
    return Letterhead(**given)
