"""Nothing private of another package is touched: it changes with any of their releases."""

import ast
from collections.abc import Iterator
from pathlib import Path

import paygate

ROOT = Path(paygate.__file__).parent
SOURCES = {path: list(ast.walk(ast.parse(path.read_text()))) for path in sorted(ROOT.rglob("*.py"))}

KNOWN = {
    # An RLock says by nothing else whether a thread has it, however the thread was interrupted.
    "ledger/sqlite.py: _is_owned",
    # click gives up the name of a command that was cut off the arguments, and warns about it.
    "cli/exits.py: _protected_args",
    # Instrumentations look for this key to leave a request alone; it has no public name.
    # Without it nothing is suppressed, and a test sees the headers that a processor then gets.
    "telemetry/otel.py: _SUPPRESS_HTTP_INSTRUMENTATION_KEY",
    # A public function of Python's own, despite its name: a second signal ends the worker at once.
    "worker/process.py: _exit",
}

WIRE = {"asyncio", "h11", "httpcore", "httptools", "httpx", "socket", "ssl"}
PROTOCOLS = {"asyncio.Protocol", "httpx.BaseTransport"}
"""What is there to be inherited from, and has no attributes of its own."""


DOCUMENTED = {"_asdict", "_fields", "_make", "_replace"}
"""What a named tuple has for everybody, with a name that no field can have."""


def is_private(name: object) -> bool:
    if not isinstance(name, str) or name in DOCUMENTED:
        return False
    return name[:1] == "_" and name[1:2].isalpha()


def by_text(call: ast.Call) -> str:
    """Return the name of the attribute that *call* reads or writes by its name, if it does."""
    match call:
        case ast.Call(func=ast.Name(id=function), args=[_, ast.Constant(value=str(name)), *_]):
            return name if function.endswith("attr") else ""
        case _:
            return ""


def accessed(nodes: list[ast.AST]) -> Iterator[tuple[ast.expr, str]]:
    """Yield each private attribute that is read or written, and whose it is."""
    for node in nodes:
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            yield node.value, node.attr
        elif isinstance(node, ast.Call) and is_private(name := by_text(node)):
            yield node.args[0], name


def defined(nodes: list[ast.AST]) -> Iterator[str]:
    """Yield the names that this package gives its own classes and modules."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and of_ours(node.value)
        ):
            yield node.attr


def of_ours(owner: ast.expr) -> bool:
    return isinstance(owner, ast.Name) and owner.id in ("self", "cls")


def test_no_private_attribute_of_another_package_is_touched() -> None:
    own = {name for nodes in SOURCES.values() for name in defined(nodes)}

    foreign = {
        f"{path.relative_to(ROOT)}: {name}"
        for path, nodes in SOURCES.items()
        for owner, name in accessed(nodes)
        if name not in own and not of_ours(owner)
    }

    assert foreign == KNOWN


def test_no_class_inherits_the_private_attributes_of_what_speaks_on_the_wire() -> None:
    bases = {
        ast.unparse(base)
        for nodes in SOURCES.values()
        for node in nodes
        if isinstance(node, ast.ClassDef)
        for base in node.bases
        if ast.unparse(base).split(".")[0] in WIRE
    }

    assert bases == PROTOCOLS
