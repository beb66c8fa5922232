"""The base class of every driver's settings: validated, frozen, and silent about wrong values.

A rejected value may be a secret key in the wrong field. So a validation error of these models
contains no input at all: not in its text, not in `errors()`, and not in `json()`, which
frameworks and error trackers store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_core.core_schema import no_info_wrap_validator_function
from typing_extensions import override

from paygate.domain.secret import DOTS, Sealed

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, ValidatorFunctionWrapHandler
    from pydantic_core import CoreSchema, ErrorDetails


def _without_input(given: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    given = Sealed(given)
    try:
        return handler(given.open())
    except ValidationError as error:
        title = error.title
        found = [_bare(each) for each in error.errors(include_url=False)]
    raise ValidationError.from_exception_data(title, found, hide_input=True)


def _bare(error: ErrorDetails) -> InitErrorDetails:
    """Return *error* with its location and its message, and without the input."""
    kind, words = cast("Any", (error["type"], error["msg"]))  # it wants literals of the source
    said = PydanticCustomError(kind, words)
    return InitErrorDetails(type=said, loc=error["loc"], input=DOTS)


class Settings(BaseModel):
    """Settings of a gateway account; a driver declares its fields in a subclass.

    They are immutable, accept no field that is not declared, and accept secrets as
    `Secret` or as text. The docstring of a field is its description.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True
    )

    @classmethod
    @override
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate the model as declared; an error says nothing about the input."""
        # A model validator in this class would run inside those of a driver's subclass.
        return no_info_wrap_validator_function(_without_input, handler(source))
