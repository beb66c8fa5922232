"""What a driver does not use is not loaded."""

import subprocess
import sys

import pytest

import paygate.driver

HEAVY = ("pydantic", "cryptography", "xml.etree")


def loaded(program: str) -> set[str]:
    asked = f"import sys; {program}; print(*(n for n in {HEAVY} if n in sys.modules))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_module_for_authors_loads_nothing_heavy() -> None:
    assert loaded("import paygate.driver") == set()


def test_who_reads_forms_loads_no_parser_and_no_certificates() -> None:
    assert loaded("from paygate.driver import Amounts, HmacKeys, read_form, refusal") == set()


@pytest.mark.parametrize("name", sorted(paygate.driver._HOMES))
def test_each_name_of_the_kit_is_in_its_module(name: str) -> None:
    assert name in paygate.driver.__all__
    assert getattr(paygate.driver, name) is not None
