"""Publishing: what a scan changed goes to control's ring and image, its events to the event ring."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from scada.requests import FINAL
from scada.scan import Program, State, Writes
from scada.scan.program import OWN
from tags.events import PAYLOAD_MAX
from tags.publish import Publisher
from tags.types import FLOATS, STRING

# A command's aux: bit 0, field may write; the other bits, when a request behind it ends (ns monotonic, 0 for never).
# Both services run on one machine and share its monotonic clock.
DRIVE: Final = 1
_MASK: Final = 2**64 - 1


class Output:
    """Writes control's rows.

    Args:
        program: What runs; its first slots are control's rows.
        publisher: Of control.
    """

    def __init__(self, program: Program, publisher: Publisher) -> None:
        self._publisher = publisher
        own = program.slots[: program.own]
        self._text = np.array([tag.type == STRING for tag in own], np.bool_)
        self._float = np.array([tag.type in FLOATS for tag in own], np.bool_)
        self._texts = bool(self._text.any())
        self._output_of = np.full(len(own), -1, np.int64)
        for plan in program.outputs:
            if plan.way != OWN:
                self._output_of[plan.command] = plan.row
        self._flags: npt.NDArray[np.uint64] | None = None  # the drive flag of each row

    def write(
        self, state: State, writes: Writes, now_ns: int, due_ns: int | None = None
    ) -> list[tuple[int, int]]:
        """Publishes a scan.

        Args:
            state: After the step.
            writes: Of the step.
            now_ns: Now, ns monotonic.
            due_ns: When the scan was due, ns monotonic: what control counts deadlines from. None for now.

        Returns:
            (output row, version) of each command that was published, for the inputs of the next scan.
        """
        rows = writes.slots
        if writes.flags or writes.renew or writes.deadlines:
            rows = sorted({*rows, *writes.flags, *writes.renew, *writes.deadlines})
        if not rows:
            return []
        signals, publisher = state.signals, self._publisher
        flags = self._drive_flags(state, writes)
        due_ns = now_ns if due_ns is None else due_ns
        if writes.deadlines:
            flags = flags.copy()
            for row, left in writes.deadlines.items():
                flags[row] |= np.uint64(due_ns + left << 1)
        every = where = np.array(rows, np.intp)
        if self._texts:
            is_text = self._text[where]
            for row in where[is_text].tolist():
                publisher.put_value(
                    row,
                    signals.value[row],
                    signals.status[row],
                    signals.time_ns[row],
                    now_ns,
                    int(flags[row]),
                )
            where = where[~is_text]
        if len(where):
            publisher.put(
                where,
                self._bits(signals.value, where),
                signals.statuses[where],
                signals.times[where],
                now_ns,
                flags[where],
                renew=np.isin(where, writes.renew) if writes.renew else False,
            )
        outputs = self._output_of[every]
        commands = np.flatnonzero(outputs >= 0)
        versions = publisher.image.version[every[commands]].tolist()
        return list(zip(outputs[commands].tolist(), versions, strict=True))

    def _drive_flags(self, state: State, writes: Writes) -> npt.NDArray[np.uint64]:
        """By row, after this scan; only those that changed are looked at."""
        if self._flags is None:
            self._flags = np.zeros(len(self._text), np.uint64)
            changed = list(state.drive)
        else:
            changed = writes.flags
        for row in changed:
            self._flags[row] = DRIVE if state.drive[row] else 0
        return self._flags

    def _bits(self, value: list[Any], where: npt.NDArray[np.intp]) -> npt.NDArray[np.uint64]:
        """Value bits of rows that are no texts: `tags.types.to_bits` of many at once."""
        bits = np.empty(len(where), np.uint64)
        is_float = self._float[where]
        floats = np.array([value[row] for row in where[is_float].tolist()], np.float64)
        bits[is_float] = floats.view(np.uint64)
        if len(floats) < len(where):
            rest = [int(value[row]) & _MASK for row in where[~is_float].tolist()]
            bits[~is_float] = np.array(rest, np.uint64)
        return bits

    def begun(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Tells of the requests that are under way now; called before their commands are published.

        If control dies in between, it is known afterwards that they were begun, and they are not begun again.

        Returns:
            The other events, to be told when everything is published.
        """
        mine = [event for event in events if _under_way(event)]
        self.tell(mine)
        return [event for event in events if not _under_way(event)] if mine else events

    def tell(self, events: list[dict[str, Any]]) -> None:
        """Appends events to control's event ring; one that is too long is shortened, never lost."""
        ring, name = self._publisher.events, self._publisher.writer
        for event in events:
            data = orjson.dumps({**event, "service": name})
            if len(data) > PAYLOAD_MAX:
                short = {key: _short(item) for key, item in event.items()}
                data = orjson.dumps({**short, "shortened": True, "service": name})
            ring.append(data)


def _under_way(event: dict[str, Any]) -> bool:
    return event["kind"] == "request" and event["status"] not in FINAL


def _short(item: Any) -> Any:
    if isinstance(item, str):
        return item[:300]
    return [_short(inner) for inner in item[:10]] if isinstance(item, list) else item
