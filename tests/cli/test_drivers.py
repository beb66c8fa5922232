"""`paygate drivers --check`: every broken driver by package, entry point and cause."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from paygate import registry
from paygate.cashier import Cashier
from paygate.errors import DriverBroken, InvalidSettings, Unsupported
from tests.cli.conftest import Run

RIGHT = """
from datetime import timedelta
from pydantic import BaseModel, ConfigDict, Field
from paygate.domain.method import Kind
from paygate.domain.payment import Operation
from paygate.gateway import InquiryBy, NotIdempotent, Rail, Traits

class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")
    key: str = Field(description="The key", examples=["k"])

class Odd:
    name = "odd"
    settings_model = Settings

    def __init__(self, settings):
        self.settings = settings

    @property
    def traits(self):
        return Traits(
            live=False, merchant_account="m", driver_version="1",
            rails={Kind.CARD: Rail(operations=frozenset(OPERATIONS))},
            idempotency=NotIdempotent(), inquiry=InquiryBy.NONE, not_found_is_final_after=None,
            protocol_version=VERSION,
        )

    def charge(self, charge):
        yield from ()
"""


class Packages:
    """Packages with drivers, as pip would have put them into this environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def bring(self, package: str, name: str, target: str, source: str | None = None) -> None:
        facts = self.folder / f"{package.replace('-', '_')}-1.0.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (facts / "entry_points.txt").write_text(f"[paygate.gateways]\n{name} = {target}\n")
        if source is not None:
            (self.folder / f"{target.partition(':')[0]}.py").write_text(source)

    def right(self, operations: str, version: int = 1) -> str:
        head = "from paygate.domain.payment import Operation"
        return f"{head}\nOPERATIONS = {{{operations}}}\nVERSION = {version}\n{RIGHT}"


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Packages]:
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield Packages(tmp_path)
    for name in set(sys.modules) - before:
        del sys.modules[name]


def found(run: Run, name: str) -> list[dict[str, Any]]:
    told = run("drivers", "--json").json["drivers"]
    return [each for each in told if each["name"] == name]


def test_what_is_built_in_is_in_order(run: Run) -> None:
    done = run("drivers", "--check")

    assert done.code == 0
    assert "drivers, none broken" in done.out
    stripe = found(run, "stripe")[0]
    assert stripe["package"] == "paygate-sdk"
    assert stripe["target"] == "paygate.drivers.stripe:Stripe"
    abilities = {each["kind"]: each for each in stripe["abilities"]}
    assert abilities["redirect"]["operations"] == ["charge", "close", "complete", "refund"]
    assert "USD" in abilities["card"]["currencies"]


def test_a_driver_that_cannot_be_imported_is_named_with_its_cause(
    run: Run, packages: Packages
) -> None:
    packages.bring("paygate-odd", "odd", "odd_broken:Odd", "import no_such_module_7\n")

    done = run("drivers", "--check")

    assert done.code == 1
    said = " ".join(done.out.split())
    assert (
        "the driver 'odd' of package paygate-odd (odd_broken:Odd) cannot be loaded: "
        "ModuleNotFoundError: No module named 'no_such_module_7'"
    ) in said
    assert "stripe" in said
    assert "drivers, 1 broken" in said


def test_two_packages_with_one_driver_name_are_both_named(run: Run, packages: Packages) -> None:
    packages.bring("paygate-odd", "odd", "odd_one:Odd", packages.right(""))
    packages.bring("other-odd", "odd", "odd_two:Odd", packages.right(""))

    both = found(run, "odd")

    assert {str(each["package"]) for each in both} == {"paygate-odd", "other-odd"}
    assert both[0]["problem"] == (
        "the driver 'odd' is brought by several packages: other-odd (odd_two:Odd), "
        "paygate-odd (odd_one:Odd); remove all but one"
    )
    with pytest.raises(DriverBroken, match="remove all but one"):
        registry.load("odd")


def test_traits_without_a_method_are_told(run: Run, packages: Packages) -> None:
    operations = "Operation.CHARGE, Operation.REFUND"
    packages.bring("paygate-odd", "odd", "odd_traits:Odd", packages.right(operations))

    done = run("drivers", "--check")

    assert done.code == 1
    assert "the traits offer refund for card, and there is no method" in " ".join(done.out.split())
    [odd] = found(run, "odd")
    assert odd["disagreements"] == [
        "the traits offer refund for card, and there is no method for it"
    ]
    assert odd["kinds"] == ["card"]


@pytest.mark.parametrize(
    ("version", "mend"), [(0, "upgrade the driver's package"), (2, "upgrade paygate-sdk")]
)
def test_a_driver_for_another_version_is_refused_with_the_mend(
    run: Run, packages: Packages, version: int, mend: str
) -> None:
    source = packages.right("Operation.CHARGE", version)
    packages.bring("paygate-odd", "odd", f"odd_version_{version}:Odd", source)

    [odd] = found(run, "odd")

    assert odd["disagreements"] == [
        f"it speaks version {version} of the gateway protocol, and this paygate speaks 1: {mend}"
    ]
    with pytest.raises(Unsupported, match=f"can't be used: it speaks version {version}"):
        Cashier.in_memory(gateways={"a": {"driver": "odd", "key": "k"}})


def test_what_is_no_class_with_settings_is_told(run: Run, packages: Packages) -> None:
    packages.bring("paygate-odd", "odd", "odd_nothing:Odd", "Odd = 7\n")

    [odd] = found(run, "odd")

    assert "is not a class with a settings_model" in str(odd["problem"])


def test_settings_that_are_wrong_are_named_and_not_quoted(packages: Packages) -> None:
    packages.bring("paygate-odd", "odd", "odd_settings:Odd", packages.right(""))

    with pytest.raises(InvalidSettings) as caught:
        registry.build({"driver": "odd", "kee": "secret-7"})

    assert "kee: Extra inputs are not permitted" in caught.value.message
    assert "key: Field required" in caught.value.message
    assert "secret-7" not in caught.value.message
