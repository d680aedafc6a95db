"""The recording of control: what each scan was given and said, into a ring; the historian writes it down.

A checkpoint of the complete state goes with it: at the start, each ten minutes, and after so many bytes. The state is
copied in one scan; the scans after it turn the copy into records, a part in each. Nothing that goes wrong here reaches
the scan: it is said, and the recording goes on at the next checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from scada.blocks.base import Tick
from scada.requests import Request
from scada.scan import Inputs, Program, State, Writes, record
from scada.scan.checkpoint import Taker
from tags.events import EventWriter

CHECKPOINT_NS: Final = 600_000_000_000
CHECKPOINT_BYTES: Final = 128 << 20


class Tape:
    """Records a running program.

    Args:
        ring: The record ring's file.
        epoch: Of this start.
        program: What runs.
        state: Before its first scan.
        utc_ns: Now, ns UTC.
        manual: Control starts in Manual.
        complain: Told what is wrong, once for each kind.

    Raises:
        ImageError: There is no such ring.
    """

    def __init__(
        self,
        ring: Path,
        epoch: int,
        program: Program,
        state: State,
        utc_ns: int,
        *,
        manual: bool,
        complain: Callable[[str], None],
    ) -> None:
        self._ring = EventWriter.open(ring, epoch)
        self._program, self._complain = program, complain
        self._encoder = record.Encoder(program)
        self._told = record.Told(program)
        self._taker: Taker | None = None
        self._parts: Iterator[Mapping[str, Any]] = iter(())
        self._due_ns, self._bytes = state.elapsed_ns, 0
        self._said: set[str] = set()
        self._append(record.start_records(program, utc_ns, manual=manual))
        self._guarded(lambda: self._begin(state))

    def note(
        self, state: State, inputs: Inputs, requests: Sequence[Request], tick: Tick, writes: Writes
    ) -> None:
        """Records one scan, when it is done.

        Args:
            state: After it.
            inputs: Given to it.
            requests: Given to it.
            tick: Given to it.
            writes: What it wrote.
        """
        self._guarded(lambda: self._note(state, inputs, requests, tick, writes))

    def _begin(self, state: State) -> None:
        """The checkpoint that everything begins with; nothing waits for it yet, so it is written at once."""
        self._taker = Taker(self._program, state)
        self._take(state)
        for part in self._parts:
            self._append(record.checkpoint_records(part))

    def _take(self, state: State) -> None:
        if self._taker is None:
            return
        self._due_ns, self._bytes = state.elapsed_ns + CHECKPOINT_NS, 0
        self._parts = self._taker.take()
        self._encoder.restart()

    def _note(
        self, state: State, inputs: Inputs, requests: Sequence[Request], tick: Tick, writes: Writes
    ) -> None:
        check = record.checksum(state) if state.scans % record.CHECK_EVERY == 0 else None
        told = self._told.of(state, writes)
        self._append(self._encoder.scan(inputs, requests, tick, told, check))
        part = next(self._parts, None)
        if part is None and (state.elapsed_ns >= self._due_ns or self._bytes > CHECKPOINT_BYTES):
            self._take(state)
            part = next(self._parts, None)  # the first stands right behind the scan that it is of
        if part is not None:
            self._append(record.checkpoint_records(part))

    def _append(self, records: Sequence[bytes]) -> None:
        for one in records:
            self._ring.append(one)
            self._bytes += len(one)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - a recording must not stop the plant
            said = f"{type(error).__name__}: {error}"
            if said not in self._said and len(self._said) < 10:
                self._said.add(said)
                self._complain(said)

    def close(self) -> None:
        """Lets go of the ring."""
        self._ring.close()
