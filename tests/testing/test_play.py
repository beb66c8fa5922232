"""Playing the processor's part, by hand or from a recording."""

from collections.abc import Callable
from pathlib import Path

import pytest

from paygate.dialogue import Dialogue, Note, Request, Response
from paygate.errors import NoResponse
from paygate.testing.play import play
from paygate.testing.replay import replay


def ask(step: str) -> Request:
    return Request(method="GET", url=f"https://acme.example/{step}", step=step)


def conversation() -> Dialogue[str]:
    first = yield ask("first")
    yield Note("ref_1")
    try:
        second = yield ask("second")
    except NoResponse:
        return "lost"
    return f"{first.status} {second.status}"


def test_a_dialogue_is_answered_in_turn_and_its_notes_are_taken_down() -> None:
    played = play(conversation(), Response(status=200), Response(status=402))

    assert played.outcome == "200 402"
    assert [request.step for request in played.requests] == ["first", "second"]
    assert played.notes == ["ref_1"]


def test_an_exception_is_thrown_in_at_its_place() -> None:
    assert play(conversation(), Response(status=200), NoResponse("x")).outcome == "lost"


def test_what_a_dialogue_does_not_answer_passes_through() -> None:
    with pytest.raises(NoResponse):
        play(conversation(), NoResponse("x"))


def test_too_few_and_too_many_answers_are_noticed() -> None:
    one = Response(status=200)

    with pytest.raises(AssertionError, match="no response is left"):
        play(conversation(), one)
    with pytest.raises(AssertionError, match="1 responses left over"):
        play(conversation(), one, one, one)


CASSETTE = """\
interactions:
- request:
    body: ''
    headers: {}
    method: GET
    uri: https://acme.example/first
  response:
    body: {string: '{}'}
    headers: {Content-Type: [application/json], X-Twice: [a, b]}
    status: {code: 200, message: OK}
- request:
    body: null
    headers: {}
    method: GET
    uri: https://acme.example/SECOND
  response:
    body: {string: !!binary "AAE="}
    headers: {}
    status: {code: 402, message: No}
version: 1
"""


@pytest.fixture
def cassette(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "cassette.yaml"
        path.write_text(text)
        return path

    return write


def test_a_recording_answers_a_dialogue(cassette: Callable[[str], Path]) -> None:
    played = replay(conversation(), cassette(CASSETTE.replace("SECOND", "second")))

    assert played.outcome == "200 402"


def test_a_request_that_was_not_recorded_is_noticed(cassette: Callable[[str], Path]) -> None:
    with pytest.raises(AssertionError, match=r"the recording has GET https://acme\.example/SECOND"):
        replay(conversation(), cassette(CASSETTE))


def test_a_recording_that_is_too_short_is_noticed(cassette: Callable[[str], Path]) -> None:
    with pytest.raises(AssertionError, match="the recording ends before"):
        replay(conversation(), cassette(CASSETTE.replace("SECOND", "second")), first=2)
