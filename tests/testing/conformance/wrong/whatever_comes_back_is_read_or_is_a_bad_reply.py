"""It trusts every answer to be complete."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from paygate.dialogue import Response
from tests.testing.conformance.right import Paper, read_object

T = TypeVar("T")


class Wrong(Paper):
    def read(self, response: Response, reader: Callable[[Mapping[str, Any]], T]) -> T:
        return reader(read_object(response))
