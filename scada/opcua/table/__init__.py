"""The latest sample of every tag as the bytes that OPC UA sends (OPC 10000-6 §5.2.2.17), for Read and for subscriptions.

What lives here: how a sample lies in a record (`layout`) and the table of all tags, refreshed from the client's images
(`table`). What may not: sessions, subscriptions, anything that knows who asks.
"""

from __future__ import annotations

from scada.opcua.table.layout import BOTH, NEITHER, SERVER, SOURCE
from scada.opcua.table.table import Table

__all__ = ["BOTH", "NEITHER", "SERVER", "SOURCE", "Table"]
