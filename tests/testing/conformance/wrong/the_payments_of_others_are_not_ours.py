"""It takes the first payment of the list for ours."""

from typing import Any

from paygate.gateway import Inquiry, InquiryBy
from tests.testing.conformance.right import Paper

SETTINGS = {"inquiry": InquiryBy.LIST_SCAN}


class Wrong(Paper):
    def is_ours(self, order: Any, inquiry: Inquiry) -> bool:
        return bool(order.get("id") == "or_82")
