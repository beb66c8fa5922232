"""The sink ``odoo``: what happens to a customer, as notes and activities in Odoo."""

from __future__ import annotations

from paygate.sinks.odoo.mapping import Activity, Effect
from paygate.sinks.odoo.settings import OdooSettings
from paygate.sinks.odoo.sink import Odoo

__all__ = ["Activity", "Effect", "Odoo", "OdooSettings"]
