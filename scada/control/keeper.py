"""The state that survives: two checksummed slots in memory, which the historian copies to disk."""

from __future__ import annotations

import contextlib
from typing import Any, Final

import orjson

from scada.control import aftermath
from scada.datadir import DataDir
from scada.scan import Program, State, Writes
from scada.scan.program import CONTROL
from scada.scan.retain_text import Text
from tags.slots import SlotReader, SlotWriter

EVERY_NS: Final = 1_000_000_000
LATER_NS: Final = 500_000_000
UNCHANGED_NS: Final = (
    20_000_000_000  # written so often even when nothing changed: its age decides about modes
)


def load(data: DataDir) -> dict[str, Any] | None:
    """The newest state that was kept: of the slots, else of the file that the historian wrote; None at first start.

    The file is a copy of the slots, so the slots are never older, whatever the clock said when either was written.
    What was announced of requests since then is added.
    """
    slots = SlotReader(data.control_state)
    payload = slots.read()
    slots.close()
    state = None if payload is None else _decode(payload)
    if state is None:
        with contextlib.suppress(OSError):
            state = _decode(data.control_state_saved.read_bytes())
    return None if state is None else aftermath.amend(state, aftermath.announced(data.events(CONTROL)))


def _decode(payload: bytes) -> dict[str, Any] | None:
    try:
        state = orjson.loads(payload)
    except ValueError:
        return None
    return state if isinstance(state, dict) and isinstance(state.get("utc_ns"), int) else None


class Keeper:
    """Writes the state and the table of forces into their slots.

    Args:
        data: The data directory.
        epoch: Of this start.
    """

    def __init__(self, data: DataDir, epoch: int) -> None:
        self._state = SlotWriter.open(data.control_state, epoch)
        self._forces = SlotWriter.open(data.forces, epoch)
        self._text: Text | None = None
        self._last = b""
        self._due_ns = self._refresh_ns = 0

    def keep(
        self, program: Program, state: State, writes: Writes, utc_ns: int, now_ns: int, *, busy: bool = False
    ) -> None:
        """Writes what changed: at most once a second, at once what people changed.

        Args:
            program: What runs.
            state: After a scan.
            writes: Of it.
            utc_ns: Now, ns UTC.
            now_ns: Now, ns monotonic.
            busy: This scan had much to do already: what is not urgent may wait for a quieter one, half a second.

        Raises:
            ValueError: It does not fit into the slots.
        """
        if writes.forces:
            self._forces.write(orjson.dumps(state.forces.for_field()))
        if not writes.urgent and now_ns < self._due_ns + (LATER_NS if busy else 0):
            return
        self._due_ns = now_ns + EVERY_NS
        if self._text is None or not self._text.of(state):
            self._text = Text(program, state)
        text = self._text.text()
        if text == self._last and now_ns < self._refresh_ns:
            return
        self._last, self._refresh_ns = text, now_ns + UNCHANGED_NS
        self._state.write(b'{"utc_ns":%d,%b}' % (utc_ns, text))

    def close(self) -> None:
        """Lets go of the slots."""
        self._state.close()
        self._forces.close()
