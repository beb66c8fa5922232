"""`paygate drivers --check`: every broken driver by package, entry point and cause."""

from typing import Any

import pytest

from paygate import registry
from paygate.cashier.sync import Cashier
from paygate.errors import DriverBroken, InvalidSettings, Unsupported
from tests.cli.conftest import Run
from tests.cli.packages import Packages


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
    assert abilities["redirect"]["operations"] == ["charge", "complete", "refund", "withdraw"]
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


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise SystemExit('this driver wants another Python')", "SystemExit"),
        ("class Odd:\n    settings_model = dict\n", "is a pydantic model"),
        ("class Odd:\n    settings_model = None\n", "is a pydantic model"),
    ],
)
def test_a_broken_driver_is_listed_with_its_fault_and_the_others_as_always(
    run: Run, packages: Packages, source: str, said: str
) -> None:
    before = len(run("drivers", "--json").json["drivers"])
    packages.bring("paygate-odd", "aaa", "odd_worse:Odd", source)

    listed = run("drivers", "--json").json["drivers"]

    [odd] = [each for each in listed if each["name"] == "aaa"]
    assert said in odd["problem"]
    assert len(listed) == before + 1
    assert "stripe" in [each["name"] for each in listed if not each["problem"]]


@pytest.mark.parametrize("property_", ["traits", "name"])
def test_a_driver_that_cannot_be_looked_at_hides_no_other(
    run: Run, packages: Packages, property_: str
) -> None:
    source = packages.right("").replace(
        f"    def {property_}(self):", f"    def {property_}(self):\n        raise SystemExit(3)"
    )
    packages.bring("paygate-odd", "aaa", "odd_worse:Odd", source)

    done = run("drivers")

    assert "stripe" in done.out


def test_two_packages_with_one_driver_name_are_both_named(run: Run, packages: Packages) -> None:
    packages.bring("paygate-odd", "odd", "odd_one:Odd", packages.right(""))
    packages.bring("other-odd", "odd", "odd_two:Odd", packages.right(""))

    both = found(run, "odd")

    assert {str(each["package"]) for each in both} == {"paygate-odd", "other-odd"}
    assert both[0]["problem"] == (
        "several packages have a driver 'odd': other-odd (odd_two:Odd), "
        "paygate-odd (odd_one:Odd); remove all but one"
    )
    with pytest.raises(DriverBroken, match="remove all but one"):
        registry.load("odd")


def test_traits_without_a_method_are_told(run: Run, packages: Packages) -> None:
    operations = "Operation.CHARGE, Operation.REFUND"
    packages.bring("paygate-odd", "odd", "odd_traits:Odd", packages.right(operations))

    done = run("drivers", "--check")

    assert done.code == 1
    assert "the traits offer refund for card, but there is no method" in " ".join(done.out.split())
    [odd] = found(run, "odd")
    assert odd["disagreements"] == [
        "the traits offer refund for card, but there is no method for it"
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

    assert "is not a class whose settings_model is a pydantic model" in str(odd["problem"])


def test_settings_that_are_wrong_are_named_and_not_quoted(packages: Packages) -> None:
    packages.bring("paygate-odd", "odd", "odd_settings:Odd", packages.right(""))

    with pytest.raises(InvalidSettings) as caught:
        registry.build({"driver": "odd", "kee": "secret-7"})

    assert "kee: there is no setting with this name; did you mean key?" in caught.value.message
    assert "key: this setting is needed" in caught.value.message
    assert "secret-7" not in caught.value.message
