"""The public names are lazy, and both type checkers still know them. Nothing here runs."""

from typing import assert_type

import paygate

assert_type(paygate.Money.of("USD", "30.00"), paygate.Money)

paygate.Cashbox  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue,reportUnknownMemberType]  # noqa: B018
