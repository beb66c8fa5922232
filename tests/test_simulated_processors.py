"""A simulated processor shares no code with the driver that it serves.

If both read amounts or check signatures by one function, a mistake in it would look right from
both ends. The import contracts cover the package; these processors are part of the tests.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

SUPPORT = Path(__file__).parent / "support"
SIMULATED = sorted(folder.name for folder in SUPPORT.glob("simulated_*"))
GUARD = "paygate.testing.fake.guard"
"""What keeps all fakes out of production; it knows nothing of any processor."""
SERVER = "tests.support.loopback"
"""The server that shows them on loopback; it knows nothing of any processor, either."""


def imported(folder: Path) -> set[str]:
    """Return the modules of others that any file of *folder* imports, wherever it does."""
    return {
        module
        for file in ([folder] if folder.is_file() else folder.rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        for module in modules(node)
        if module.partition(".")[0] not in sys.stdlib_module_names
        and not f"{module}.".startswith(f"tests.support.{folder.name}.")
    }


def modules(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [each.name for each in names]
        case ast.ImportFrom(module=module, level=0):
            return [str(module)]
        case ast.ImportFrom(module=module, level=level):
            return [f"{'.' * level}{module or ''}"]
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[argument, *_]) if (
            name in ("import_module", "__import__")
        ):
            return [str(argument.value) if isinstance(argument, ast.Constant) else "unknown"]
        case _:
            return []


def test_there_is_one_for_each_driver_and_sink_that_speaks_to_a_server_of_others() -> None:
    assert SIMULATED == [
        "simulated_authorize_net",
        "simulated_bitcoin",
        "simulated_odoo.py",
        "simulated_payarena.py",
        "simulated_paypal",
        "simulated_remita.py",
        "simulated_securehosting",
        "simulated_skrill.py",
        "simulated_stripe",
        "simulated_windcave",
    ]


@pytest.mark.parametrize("name", SIMULATED)
def test_it_imports_nothing_that_a_driver_uses(name: str) -> None:
    # lxml checks requests by the processor's own schema, where a test brings it.
    assert imported(SUPPORT / name) - {"lxml.etree"} <= {GUARD, SERVER}


def test_their_server_imports_nothing_that_a_driver_uses() -> None:
    assert imported(SUPPORT / "loopback.py") == {GUARD}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("from paygate.drivers.stripe import wire", "paygate.drivers.stripe"),
        ("import paygate.driverkit.signing", "paygate.driverkit.signing"),
        ("def late():\n    from paygate.dialogue import Request", "paygate.dialogue"),
        ("from importlib import import_module as _\nx = __import__('httpx')", "httpx"),
        ("from ..mutants import MUTANTS", "..mutants"),
        ("from tests.support.simulated_stripes import cards", "tests.support.simulated_stripes"),
    ],
)
def test_an_import_of_others_is_seen(tmp_path: Path, line: str, found: str) -> None:
    folder = tmp_path / "simulated_stripe"
    folder.mkdir()
    (folder / "server.py").write_text(
        f"import json\nfrom tests.support.simulated_stripe.cards import NUMBERS\n{line}\n"
    )

    assert imported(folder) == {found}
