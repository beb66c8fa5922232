"""The page about metrics and traces: what it lists is what an exporter receives, nothing more."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from paygate import AsyncCashier, Cashier
from paygate.telemetry import METRICS, SPANS, Attribute, Shape
from tests.telemetry.business import AnyFace, Business, processor
from tests.telemetry.listening import KINDS, Listener

PAGE: Final = (Path(__file__).parents[2] / "docs" / "how-to" / "metrics-and-traces.md").read_text(
    "utf-8"
)
ROW: Final = re.compile(r"^\| `(?P<name>[^`]+)` \| (?P<rest>.*) \|$", re.MULTILINE)


def rows(heading: str) -> dict[str, list[str]]:
    """Return the cells of the table below *heading*, by the name in the first one."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return {
        found["name"]: [cell.strip() for cell in found["rest"].split(" | ")]
        for found in ROW.finditer(section)
    }


def names_in(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


def shape_of(span_name: str, kind: str, attributes: set[str]) -> str:
    """Return the name in the table of a span that was received."""
    match kind:
        case "client":
            return "{method}"
        case "consumer":
            return "process {job}"
        case "producer":
            return "publish {sink}"
        case _:
            return "paygate {verb}" if "paygate.verb" in attributes else "{operation} {account}"


@pytest.mark.parametrize("face", [Cashier, AsyncCashier])
async def test_the_page_lists_what_an_exporter_receives_and_nothing_more(
    face: AnyFace, listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with processor() as server:
        business = Business(face, tmp_path, server)
        await business.go(monkeypatch)
        await business.close()

    metrics = listener.metrics()
    assert {
        name: (received.instrument, set(received.values)) for name, received in metrics.items()
    } == {name: (cells[0], names_in(cells[1])) for name, cells in rows("Metrics").items()}

    spans: dict[str, tuple[str, set[str]]] = {}
    for span in listener.spans():
        kind, attributes = KINDS[span.kind.value], set(span.attributes)
        shape = shape_of(span.name, kind, attributes)
        _, known = spans.get(shape, (kind, set[str]()))
        spans[shape] = (kind, known | attributes)
        assert span.events == ()
        assert span.status.description is None
    assert spans == {name: (cells[0], names_in(cells[1])) for name, cells in rows("Spans").items()}


def test_the_page_lists_what_the_code_declares() -> None:
    assert {name: (cells[0], names_in(cells[1])) for name, cells in rows("Metrics").items()} == {
        metric.value: (f"{of.instrument}, {of.unit}", {each.value for each in of.attributes})
        for metric, of in METRICS.items()
    }
    assert list(rows("Spans")) == [
        "paygate {verb}",
        "{operation} {account}",
        "{method}",
        "process {job}",
        "publish {sink}",
    ]
    assert len(SPANS) == len(Shape) == len(rows("Spans"))
    assert [names_in(cells[1]) for cells in rows("Spans").values()] == [
        {each.value for each in SPANS[shape].attributes} for shape in Shape
    ]


@pytest.mark.parametrize("name", METRICS)
def test_a_query_asks_for_a_metric_and_for_labels_that_exist(name: str) -> None:
    """Prometheus replaces dots, and adds the unit and what a counter or a histogram is."""
    instrument, attributes, query = rows("Metrics")[name]
    [query] = names_in(query)
    base = name.replace(".", "_")
    ends = {
        "histogram": ("_seconds_bucket", "_seconds_count", "_seconds_sum"),
        "counter": ("_total",),
    }.get(instrument.partition(",")[0], ("",))
    labels = {each.replace(".", "_") for each in names_in(attributes)} | {"le"}

    metrics = set(re.findall(rf"{base}\w*", query))
    used = set(re.findall(r"(\w+)\s*(?:=~|!=|=)", query))
    used |= {
        each.strip() for found in re.findall(r"by \(([^)]*)\)", query) for each in found.split(",")
    }

    assert metrics <= {base + end for end in ends}
    assert metrics
    assert used <= labels


def test_every_attribute_is_used() -> None:
    used = {each for of in METRICS.values() for each in of.attributes}
    used |= {each for of in SPANS.values() for each in of.attributes}

    assert used == set(Attribute)
