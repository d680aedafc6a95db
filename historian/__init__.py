"""Remembers: every change, event and ring position, in order, across crashes.

Lives here: the `Store` protocol and its SQLite store, the service that feeds it from the rings, recordings and the
saved state of control. May import `scada.service`, `scada.datadir`, `scada.clock` and `tags`; never a service, never
`scada.client` (which reads through us).
"""

from __future__ import annotations

from historian.reader import open_reader
from historian.store import Batch, Samples, Store, StoreError
from tags.mapped import Position

__all__ = ["Batch", "Position", "Samples", "Store", "StoreError", "open_reader"]
