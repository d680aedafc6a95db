"""The cases, one module for each group of conformance units; importing this registers them all."""

from tests.opcua.conformance.cases import (
    conditions,
    equipment,
    events,
    history,
    security,
    space,
    subscriptions,
    view,
)

__all__ = ["conditions", "equipment", "events", "history", "security", "space", "subscriptions", "view"]
