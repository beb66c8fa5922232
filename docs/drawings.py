"""Draw states and flows of money: ``python docs/drawings.py`` (needs Graphviz's `dot`).

The states of a payment are drawn from the rules that merge outcomes, the other drawings from
the files in ``docs/drawings``. Each picture contains the digest of its graph, which
`tests/test_drawings.py` compares, so that no picture is older than its source.
"""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from hashlib import sha256
from pathlib import Path
from typing import Final

from paygate.domain.action import Redirect
from paygate.domain.attempt import AttemptState
from paygate.domain.decide import Absence, AttemptFacts, Source, decide
from paygate.domain.kind import Operation
from paygate.domain.money import Money
from paygate.domain.movement import Movement
from paygate.domain.outcome import (
    ActionRequired,
    Answer,
    Approved,
    Authorized,
    DeclineCode,
    Declined,
    Ended,
    Ending,
    NotFound,
    Pending,
    RejectCause,
    Rejected,
    Unknown,
    Unsent,
)

FOLDER: Final = Path(__file__).parent / "drawings"
PICTURES: Final = Path(__file__).parent / "_static"
_DIGEST: Final = re.compile(r"<!-- drawn from (\w+) -->")

_ASKED: Final = Money("USD", 100)
_ANSWERS: Final[dict[str, Answer]] = {
    "not sent": Unsent(reason=""),
    "rejected": Rejected(cause=RejectCause.VALIDATION, retryable=False),
    "declined": Declined(code=DeclineCode.GENERIC, raw_code="", retryable=False, final=True),
    "action required": ActionRequired(action=Redirect(url="https://x.example")),
    "pending": Pending(),
    "authorized": Authorized(amount=_ASKED),
    "approved": Approved(movements=(Movement(movement_id="m", amount=_ASKED),)),
    "ended": Ended(how=Ending.EXPIRED),
    "no response": Unknown(reason=""),
    "not found": NotFound(),
}
_WITHOUT_MONEY: Final = ("declined", "failed", "canceled", "expired")

# A page shows a drawing at most about 550 points wide, so larger drawings get small letters. The
# gray is readable on a white page and on a dark one.
_STYLE: Final = """
  graph [bgcolor=transparent, fontname="Helvetica", nodesep=0.3, pad=0.05];
  node [shape=box, style="rounded,filled", fillcolor="#f4f6f8", color="#687b8f",
    fontname="Helvetica", fontsize=10.5, fontcolor="#17324d", margin="0.1,0.07"];
  edge [color="#687b8f", fontname="Helvetica", fontsize=9.5, fontcolor="#687b8f", arrowsize=0.7];
"""


def states() -> str:
    """Return the graph of how outcomes change a payment, from the rules that decide it."""
    edges: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for state in AttemptState:
        for label, answer in _ANSWERS.items():
            source = Source.INQUIRY if isinstance(answer, NotFound) else Source.RESPONSE
            facts = AttemptFacts(
                operation=Operation.CHARGE, state=state, asked=_ASKED, absence=Absence.FINAL
            )
            changes = decide(facts, answer, source)
            target = changes.state
            if target is not None and target is not state:
                edges[_node(state), _node(target)].append(label)
    # A late outcome has the same effect as an immediate one, so it is drawn once.
    later = {target: answers for (state, target), answers in edges.items() if state == "unknown"}
    first = {target: answers for (state, target), answers in edges.items() if state == "sending"}
    assert later == {target: first[target] for target in first if target != "unknown"}
    drawn = [_edge(*pair, answers) for pair, answers in edges.items() if pair[0] != "unknown"]
    return _graph("states", ["nodesep=0.1; ranksep=0.35;", *_state_nodes(), *drawn])


def _node(state: AttemptState) -> str:
    return "ended" if state.value in _WITHOUT_MONEY else state.value


def _state_nodes() -> list[str]:
    return [
        'start [shape=point, width=0.12, label=""];',
        'sending [label="processing\\n(request is being sent)"];',
        'unknown [label="unknown\\n(outcome is\\nbeing determined)", fillcolor="#fdf3d8"];',
        'requires_action [label="requires_action\\n(the payer has a page,\\nslip or address)"];',
        'pending [label="processing\\n(accepted, result\\ncomes later)"];',
        'authorized [label="authorized\\n(amount is held)"];',
        'succeeded [label="succeeded\\n(money is booked)", fillcolor="#ddf1e2"];',
        'ended [label="declined, failed,\\ncanceled, expired\\n(no money)", fillcolor="#f7e1e0"];',
        'start -> sending [label="collect, authorize"];',
        'unknown -> sending [label="an inquiry\\nor callback finds\\nthe outcome", style=dashed];',
    ]


def _edge(source: str, target: str, answers: list[str]) -> str:
    labels = list(dict.fromkeys(answers))
    late = source == "ended"
    text = "\\n".join(labels) + ("\\n(late: alert)" if late else "")
    return f'{source} -> {target} [label="{text}"];'


def _graph(name: str, lines: list[str]) -> str:
    body = "\n".join(f"  {line}" for line in lines)
    return f"digraph {name} {{{_STYLE}{body}\n}}\n"


def graphs() -> dict[str, str]:
    """Return each drawing's graph in the DOT language, by its name."""
    written = {
        path.stem: path.read_text("utf-8").replace("/* style */", _STYLE)
        for path in sorted(FOLDER.glob("*.dot"))
    }
    return {"payment-states": states(), **written}


def digest_of(graph: str) -> str:
    """Return the digest of a graph."""
    return sha256(graph.encode()).hexdigest()[:16]


def drawn_from(picture: str) -> str:
    """Return the digest of the graph that a picture was drawn from; empty if it has none."""
    found = _DIGEST.search(picture)
    return found[1] if found else ""


def draw(graph: str) -> str:
    """Return the picture of a graph as SVG."""
    done = subprocess.run(["dot", "-Tsvg"], input=graph, capture_output=True, text=True, check=True)
    return f"{done.stdout.rstrip()}\n<!-- drawn from {digest_of(graph)} -->\n"


if __name__ == "__main__":
    for name, graph in graphs().items():
        (PICTURES / f"{name}.svg").write_text(draw(graph), "utf-8")
