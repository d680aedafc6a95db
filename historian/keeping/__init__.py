"""Which samples of a tag are kept: on change, periodic, swinging door; one class each, over the tags of a whole batch.

Lives here: arithmetic over arrays with the memory that each way needs of what came before. No store, no clock, no file:
`historian.policy` sorts samples to their ways.
"""

from __future__ import annotations

from historian.keeping.change import OnChange
from historian.keeping.door import SwingingDoor
from historian.keeping.periodic import Periodic
from historian.keeping.rows import NEVER, Fresh, Rows

__all__ = ["NEVER", "Fresh", "OnChange", "Periodic", "Rows", "SwingingDoor"]
