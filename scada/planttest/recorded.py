"""A stretch of a recording in place of a plant: a program is given what another one, or the same, was given then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from historian.recorded import RecordingError, recordings
from scada.blocks.base import Tick
from scada.scan import Program, State, Writes
from scada.scan.record import RecordError
from scada.scan.replay import ReplayError
from scada.scan.rerun import Rerun
from scada.scan.start import start
from tags.quality import BAD_WAITING_FOR_INITIAL_DATA


class RecordedError(Exception):
    """A recording that cannot be run, or no further."""


class RecordedRig:
    """A program that is given a recording.

    Args:
        program: What runs.
        path: File of the recording.

    Attributes:
        program: As given.
        time_ns: Of the last scan, since the first one, ns; negative before it.
        scans: Made so far.

    Raises:
        RecordedError: There is no recording in the file, or none that this program can be given.
    """

    def __init__(self, program: Program, path: Path) -> None:
        self.program = program
        try:
            first = recordings(path)[0]
            self._rerun = Rerun(program, first.program, first.items())
        except (RecordingError, ReplayError, OSError) as error:
            raise RecordedError(f"the recording cannot be run: {error}") from error
        self._scans: Iterator[tuple[Tick, Writes, list[dict[str, Any]]]] = iter(self._rerun)
        self._begun_ns = -1
        self._before = start(program)
        self.time_ns = -program.site.scan_ns
        self.scans = 0

    @property
    def state(self) -> State:
        """Of control."""
        return self._rerun.state or self._before

    def scan(self) -> Sequence[Mapping[str, Any]] | None:
        """One more scan; its events, or None when the recording is over.

        Raises:
            RecordedError: It is damaged.
        """
        try:
            tick, _, events = next(self._scans)
        except StopIteration:
            return None
        except (RecordError, RecordingError, ReplayError) as error:
            raise RecordedError(f"the recording cannot be run any further: {error}") from error
        if self._begun_ns < 0:
            self._begun_ns = tick.utc_ns
        self.time_ns = tick.utc_ns - self._begun_ns
        self.scans += 1
        return events

    def seen(self, path: str) -> tuple[Any, int]:
        """What control sees or says: value and status."""
        slot = self.program.index.get(path)
        if slot is None:
            return None, BAD_WAITING_FOR_INITIAL_DATA
        return self.state.signals.value[slot], self.state.signals.status[slot]

    def truth(self, path: str) -> Any:
        """What was measured: of the plant itself nothing else is known."""
        return self.seen(path)[0]
