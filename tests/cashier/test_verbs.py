"""How a face offers the verbs: named for it, documented, and left alone where it has its own."""

import asyncio
import inspect

import pytest

from paygate import AsyncCashier, Cashier, Invoice, Money, UsageError, Within
from paygate.cashier.desk import Desk
from paygate.cashier.verbs import each_verb

FACES = (Cashier, AsyncCashier, Within)


@pytest.mark.parametrize("face", FACES)
def test_a_verb_has_the_signature_and_the_docstring_of_its_one_definition(face: type) -> None:
    for name, source in each_verb(face).items():
        offered = getattr(face, name)

        given, written = inspect.signature(offered), inspect.signature(source.flow)
        assert given.parameters == written.parameters
        assert f"Flow[{given.return_annotation}]" == str(written.return_annotation)
        assert offered.__doc__ == source.__doc__
        assert offered.__qualname__ == f"{face.__name__}.{name}"


def test_both_cashiers_have_all_verbs() -> None:
    assert set(each_verb(Cashier)) == set(each_verb(AsyncCashier))
    # A unit of work cannot begin another one.
    assert set(each_verb(Cashier)) - set(each_verb(Desk)) == {"once"}


def test_a_verb_without_a_face_is_its_flow() -> None:
    flow = Desk().balance("C-1")

    assert inspect.isgenerator(flow)


@pytest.mark.parametrize("name", ["open", "acting_as", "public_settings", "collect"])
def test_a_wrong_call_is_reported_in_the_name_of_the_face(name: str) -> None:
    with pytest.raises(TypeError, match=rf"^Cashier\.{name}\(\) "), Cashier.in_memory() as cashier:
        getattr(cashier, name)(no_argument_has_this_name=True)


def test_a_verb_that_a_host_writes_itself_is_the_one_that_runs() -> None:
    class Portal(Cashier):
        def invoice(self, number: str) -> Invoice:
            return super().invoice(f"INV-{number}")

    with Portal.in_memory() as portal:
        portal.issue(number="INV-7", customer="C-1", total=Money.of("USD", "3"), due="2030-01-01")

        assert portal.invoice("7").number == "INV-7"


@pytest.mark.parametrize("face", [Cashier, AsyncCashier])
def test_a_cashier_that_is_not_opened_is_refused(face: type) -> None:
    with pytest.raises(UsageError) as refused:
        face()

    assert f"{face.__name__}.open(" in refused.value.message
    assert f"{face.__name__}.in_memory(" in refused.value.message


def test_the_cashier_for_asyncio_awaits_its_verbs() -> None:
    async def balance() -> dict[str, Money]:
        async with AsyncCashier.in_memory() as cashier:
            return dict(await cashier.balance("C-1"))

    assert asyncio.run(balance()) == {}
