"""The numbers of alarm events, and a bound on what the records of all alarms take.

Beyond the bound the alarm whose last event is the oldest loses its record: when and by whom, not its state.
"""

from __future__ import annotations

from typing import Final

from scada.alarms.record import Record
from scada.alarms.watch import Watched

BYTES: Final = 64 << 10
BYTES_EACH: Final = 512  # `tags.publish.create_files` gives the slots of control's state this much more
# Upper bounds of JSON, which writes a character as six bytes at most (RFC 8259 §7).
_OVERHEAD: Final = 160
_NOTE: Final = 28


class Records:
    """Keeps the records of alarms.

    Args:
        alarms: All of them; what is kept lies in their `record`.

    Attributes:
        number: Of the last event.
        most: Bytes that the records may take as JSON.
        bytes: That they take at most.
        sizes: Bytes of each by position; those whose last event is the oldest first.
        forgotten: How many records were given up.
    """

    NOT_STATE = ("alarms",)

    def __init__(self, alarms: list[Watched]) -> None:
        self.alarms = alarms
        self.number = 0
        self.most = BYTES + BYTES_EACH * len(alarms)
        self.bytes = 0
        self.sizes: dict[int, int] = {}
        self.forgotten = 0

    def next(self, utc_ns: int) -> int:
        """The number of an event that happens now: it grows also when the clock steps back."""
        self.number = max(self.number + 1, utc_ns)
        return self.number

    def keep(self, i: int, record: Record) -> None:
        """Keeps the record of an alarm, as its newest."""
        alarm = self.alarms[i]
        plain = tuple(record)
        size = _OVERHEAD + 4 * len(alarm.model.path)
        for note in record[5:]:
            if note is not None:
                size += _NOTE + 6 * (len(note[1]) + len(note[2]))
        self.bytes += size - self.sizes.pop(i, 0)
        self.sizes[i] = size
        alarm.record = plain
        while self.bytes > self.most and len(self.sizes) > 1:
            oldest = next(iter(self.sizes))
            self.bytes -= self.sizes.pop(oldest)
            self.alarms[oldest].record = None
            self.forgotten += 1
