"""Lists that come in pages."""

from paygate.dialogue import Request, Response
from paygate.driver import Dialogue, Listing, read_json, read_pages
from paygate.testing.play import play


def build(cursor: str) -> Request:
    return Request(method="GET", url=f"https://penny.example/sales?after={cursor}", step="list")


def parse(response: Response) -> tuple[list[str], str | None]:
    told = read_json(response, "Penny")
    return told.texts("ids"), told.id("next", None)


def page(*ids: str, following: str = "") -> Response:
    written = ", ".join(f'"{each}"' for each in ids)
    return Response(status=200, body=f'{{"ids": [{written}], "next": "{following}"}}'.encode())


def read(pages_max: int = 100, until: str = "") -> Dialogue[Listing[str]]:
    return read_pages("", build, parse, until=lambda each: each == until, pages_max=pages_max)


def test_a_list_is_read_to_its_end() -> None:
    played = play(read(), page("a", "b", following="b"), page("c"))

    assert played.outcome == Listing(["a", "b", "c"], complete=True)
    assert [each.url.rpartition("=")[2] for each in played.requests] == ["", "b"]


def test_reading_stops_once_it_is_found() -> None:
    played = play(read(until="a"), page("a", "b", following="b"))

    assert played.outcome == Listing(["a", "b"], complete=True)


def test_a_list_that_is_too_long_is_not_complete() -> None:
    played = play(read(pages_max=2), page("a", following="a"), page("b", following="b"))

    assert played.outcome == Listing(["a", "b"], complete=False)
    assert play(read(pages_max=1), page("a")).outcome == Listing(["a"], complete=True)
