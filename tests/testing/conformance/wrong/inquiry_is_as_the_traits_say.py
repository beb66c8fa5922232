"""It can be asked, and its traits deny it."""

from dataclasses import replace

from paygate.gateway import InquiryBy, Traits
from tests.testing.conformance.right import Paper


class Wrong(Paper):
    @property
    def traits(self) -> Traits:
        return replace(super().traits, inquiry=InquiryBy.NONE)
