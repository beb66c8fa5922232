"""The base of every driver's settings: checked, frozen, and silent about what was wrong in them.

A value that was refused may be a key in the wrong field. So an error of these models
holds no input at all: not in its text, not in `errors()`, not in `json()`, which
frameworks and error trackers write down.
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
    """Return *error* with its place and its words, and nothing of what was given."""
    kind, words = cast("Any", (error["type"], error["msg"]))  # it wants literals of the source
    said = PydanticCustomError(kind, words)
    return InitErrorDetails(type=said, loc=error["loc"], input=DOTS)


class Settings(BaseModel):
    """Settings of a gateway account; a driver declares its fields in a class of its own.

    They cannot be changed, take no field that is not declared, and may be given secrets as
    `Secret` or as text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @classmethod
    @override
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check as declared, the whole of it: what goes wrong says nothing of what was given."""
        # A model validator of this class would lie within those of a driver's class.
        return no_info_wrap_validator_function(_without_input, handler(source))
