"""Transaction ids of Modbus TCP."""

from __future__ import annotations


class Transactions:
    """Ids of requests to one endpoint, 1 … 65535 and round again; 0 is what careless devices answer with.

    They go on over connections: behind a gateway a late reply to an old connection can find its way to the new one, and
    must answer nothing there.

    Args:
        first: Where they begin.
        last: After this one comes 1 again.
    """

    def __init__(self, first: int = 1, last: int = 0xFFFF) -> None:
        self._most = last
        self._last = (first - 1) % last

    def next(self) -> int:
        """The next one."""
        self._last = self._last % self._most + 1
        return self._last
