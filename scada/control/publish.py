"""Publishing: what a scan changed goes to control's ring and image, its events to the event ring."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import orjson

from scada.requests import FINAL
from scada.scan import Program, State, Writes
from scada.scan.program import OWN
from tags.events import PAYLOAD_MAX
from tags.publish import Publisher
from tags.types import STRING, to_bits

# A command's aux: bit 0, field may write; the other bits, when a request behind it ends (ns monotonic, 0 for never).
# Both services run on one machine and share its monotonic clock.
DRIVE: Final = 1


class Output:
    """Writes control's rows.

    Args:
        program: What runs; its first slots are control's rows.
        publisher: Of control.
    """

    def __init__(self, program: Program, publisher: Publisher) -> None:
        self._publisher = publisher
        self._types = [tag.type for tag in program.slots[: program.own]]
        self._output_of = {plan.command: plan.row for plan in program.outputs if plan.way != OWN}

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
        signals, types, drive = state.signals, self._types, state.drive
        value, status, time_ns = signals.value, signals.status, signals.time_ns
        publisher = self._publisher
        texts = [row for row in rows if types[row] == STRING]
        due_ns = now_ns if due_ns is None else due_ns
        deadlines = {row: due_ns + left << 1 for row, left in writes.deadlines.items()}
        for row in texts:
            flag = (DRIVE if drive.get(row) else 0) | deadlines.get(row, 0)
            publisher.put_value(row, value[row], status[row], time_ns[row], now_ns, flag)
        numbers = [row for row in rows if types[row] != STRING] if texts else rows
        if numbers:
            where = np.array(numbers, np.intp)
            flags = [DRIVE if drive.get(row) else 0 for row in numbers]
            if deadlines:
                flags = [flag | deadlines.get(row, 0) for row, flag in zip(numbers, flags, strict=True)]
            publisher.put(
                where,
                np.array([to_bits(types[row], value[row]) for row in numbers], np.uint64),
                np.array([status[row] for row in numbers], np.uint32),
                np.array([time_ns[row] for row in numbers], np.int64),
                now_ns,
                np.array(flags, np.uint64),
                renew=np.isin(where, writes.renew) if writes.renew else False,
            )
        version, output_of = publisher.image.version, self._output_of
        return [(output_of[row], int(version[row])) for row in rows if row in output_of]

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
