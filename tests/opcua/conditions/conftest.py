from __future__ import annotations

from tests.opcua.events.conftest import standard, types

__all__ = ["standard", "types"]
