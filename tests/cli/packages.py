"""Drivers of strangers: packages as pip would have put them into this environment."""

from __future__ import annotations

import sys
from pathlib import Path

RIGHT = """
from datetime import timedelta
from pydantic import BaseModel, ConfigDict, Field
from paygate.domain.kind import Kind, Operation
from paygate.gateway import InquiryBy, NotIdempotent, Rail, Traits

class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")
    key: str = Field(description="The key", examples=["k"])

class Odd:
    name = "odd"
    settings_model = Settings

    def __init__(self, settings):
        self.settings = settings

    @property
    def traits(self):
        return Traits(
            live=False, merchant_account="m", driver_version="1",
            rails={KIND: Rail(operations=frozenset(OPERATIONS))},
            idempotency=NotIdempotent(), inquiry=InquiryBy.NONE, not_found_is_final_after=None,
            protocol_version=VERSION,
        )

    def charge(self, charge):
        yield from ()
"""


class Packages:
    """Packages with drivers, in a folder that is searched for modules."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._modules: list[str] = []

    def bring(
        self,
        package: str,
        name: str,
        target: str,
        source: str | None = None,
        group: str = "paygate.gateways",
    ) -> None:
        facts = self.folder / f"{package.replace('-', '_')}-1.0.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (facts / "entry_points.txt").write_text(f"[{group}]\n{name} = {target}\n")
        module = target.partition(":")[0]
        self._modules.append(module)
        if source is not None:
            (self.folder / f"{module}.py").write_text(source)

    def right(self, operations: str, version: int = 1, kind: str = "CARD") -> str:
        head = "from paygate.domain.kind import Kind, Operation"
        facts = f"OPERATIONS = {{{operations}}}\nVERSION = {version}\nKIND = Kind.{kind}"
        return f"{head}\n{facts}\n{RIGHT}"

    def forget(self) -> None:
        """Forget what was imported: another test brings another module of that name."""
        for name in list(sys.modules):
            if name.partition(".")[0] in self._modules:
                del sys.modules[name]
