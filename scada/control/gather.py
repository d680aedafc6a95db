"""Inputs of the scan: what changed in the images of the other services since the last scan."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from scada.scan.batch import Batch
from scada.scan.program import CONTROL, OWN, Program, kind_of
from scada.scan.state import Inputs
from tags import quality
from tags.image import ImageReader
from tags.types import BOOL, FLOATS, STRING, UINT64

# A service that has beaten and then stops for so long is not believed any more; the supervisor acts on its own.
SILENT_NS: Final = 2_000_000_000
# Of source times in the scan, which only asks whether they changed; a recording is smaller for it.
SOURCE_STEP_NS: Final = 100_000
# Fewer samples of a service are taken one by one: that is faster.
BATCH_MIN: Final = 24


class Source:
    """The rows of one other service's image that the program touches.

    Args:
        path: Of the image file.
        program: What runs.
        writer: Name of the service.

    Raises:
        ImageError: The image is absent or has another shape.
    """

    def __init__(self, path: Path, program: Program, writer: str) -> None:
        self.writer = writer
        self.reader = ImageReader(path)
        slots = [
            slot for slot in range(program.own, len(program.slots)) if program.slots[slot].writer == writer
        ]
        self._slots = slots
        self._types = [program.slots[slot].type for slot in slots]
        self._strings = {
            n: program.slots[slot].row for n, slot in enumerate(slots) if self._types[n] == STRING
        }
        kinds = [kind_of(type_) for type_ in self._types]
        if kinds != sorted(kinds):
            raise AssertionError("slots are not in the order of their kinds")
        self._ends = np.searchsorted(kinds, range(1, 5)).tolist()  # of floats, bools, whole numbers, uint64
        self._places = np.array(slots, np.intp)
        self._rows = np.array([program.slots[slot].row for slot in slots], np.intp)
        outputs = [plan for plan in program.outputs if plan.way != OWN and plan.tag.writer == writer]
        self._output_rows = [plan.row for plan in outputs]
        self._aux_rows = np.array([plan.tag.row for plan in outputs], np.intp)
        count = len(slots)
        self._bits = np.zeros(count, np.uint64)
        self._status = np.full(count, quality.BAD_WAITING_FOR_INITIAL_DATA, np.uint32)
        self._source_ns = np.zeros(count, np.int64)
        self._aux = np.zeros(len(outputs), np.uint64)
        self._sequence = -1
        self._heartbeat = self.reader.heartbeat
        self._beaten = False
        self._silent_ns = 0
        self.silent = False

    def watch(self, elapsed_ns: int, *, on_time: bool) -> bool:
        """Counts on-time scans without a heartbeat.

        Args:
            elapsed_ns: Since the last scan, ns.
            on_time: This scan was on time; a late watcher starts its count again, so that a paused machine silences
                nobody.

        Returns:
            True when the service fell silent or came back just now.
        """
        heartbeat = self.reader.heartbeat
        before = self.silent
        if heartbeat != self._heartbeat:
            self._heartbeat, self._beaten, self._silent_ns, self.silent = heartbeat, True, 0, False
        elif not on_time:
            self._silent_ns = 0
        elif self._beaten:
            self._silent_ns += elapsed_ns
            self.silent = self._silent_ns > SILENT_NS
        if before == self.silent:
            return False
        self._sequence = -1
        return True

    def poll(
        self, samples: list[tuple[int, Any, int, int]], acted: list[tuple[int, int]], batches: list[Batch]
    ) -> None:
        """Appends what changed since the last poll."""
        reader = self.reader
        sequence = reader.sequence
        if sequence == self._sequence:
            return
        if reader.snapshot():
            self._sequence = sequence
        elif not self.silent:
            return  # what was taken last stays; a writer that froze inside a publish must not keep it Good for ever
        rows = self._rows
        bits, status, source_ns = reader.value[rows], reader.status[rows], reader.source_ns[rows]
        source_ns = source_ns - source_ns % SOURCE_STEP_NS
        if self.silent:
            status = np.where(status >> 30 < 2, np.uint32(quality.BAD_NO_COMMUNICATION), status)
        changed = (bits != self._bits) | (status != self._status) | (source_ns != self._source_ns)
        where = np.flatnonzero(changed)
        if len(where):
            if len(where) >= BATCH_MIN:
                where = self._batch(where, bits, status, source_ns, batches)
            self._append(where, bits, status, source_ns, samples)
            self._bits, self._status, self._source_ns = bits, status, source_ns
        aux = reader.aux[self._aux_rows]
        moved = np.flatnonzero(aux != self._aux)
        if len(moved):
            acted.extend((self._output_rows[n], int(aux[n])) for n in moved.tolist())
            self._aux = aux

    def _batch(
        self,
        where: npt.NDArray[np.intp],
        bits: npt.NDArray[np.uint64],
        status: npt.NDArray[np.uint32],
        source_ns: npt.NDArray[np.int64],
        batches: list[Batch],
    ) -> npt.NDArray[np.intp]:
        """Appends columns of each kind of value; returns the rest: texts."""
        begin = 0
        for kind, end in enumerate(np.searchsorted(where, self._ends).tolist()):
            if end == begin:
                continue
            some = where[begin:end]
            values: npt.NDArray[Any] = bits[some]
            codes = status[some]
            if kind == 0:
                values = values.view(np.float64)
                wrong = ~np.isfinite(values)
                if wrong.any():  # NaN or infinite: nothing in the scan can mean it
                    values[wrong] = 0.0
                    codes[wrong & (codes >> 30 < 2)] = quality.BAD_OUT_OF_RANGE
            elif kind == 1:
                values = values != 0
            elif kind == 2:
                values = values.view(np.int64)
            batches.append(Batch(self._places[some], values, codes, source_ns[some]))
            begin = end
        return where[begin:]

    def _append(
        self,
        where: npt.NDArray[np.intp],
        bits: npt.NDArray[np.uint64],
        status: npt.NDArray[np.uint32],
        source_ns: npt.NDArray[np.int64],
        samples: list[tuple[int, Any, int, int]],
    ) -> None:
        slots, types = self._slots, self._types
        some = bits[where]
        for n, unsigned, signed, number, code, time_ns in zip(
            where.tolist(),
            some.tolist(),
            some.view(np.int64).tolist(),
            some.view(np.float64).tolist(),
            status[where].tolist(),
            source_ns[where].tolist(),
            strict=True,
        ):
            type_ = types[n]
            value: Any
            if type_ in FLOATS:
                value = number
                if number - number != 0.0:  # NaN or infinite: nothing in the scan can mean it
                    value = 0.0
                    code = code if quality.is_bad(code) else quality.BAD_OUT_OF_RANGE  # noqa: PLW2901
            elif type_ == BOOL:
                value = unsigned != 0
            elif type_ == STRING:
                value = self.reader.text(self._strings[n])
            else:
                value = unsigned if type_ == UINT64 else signed
            samples.append((slots[n], value, code, time_ns))

    def close(self) -> None:
        """Lets go of the image."""
        self.reader.close()


class Gather:
    """All other services that the program listens to.

    Args:
        run: The `run/` folder.
        program: What runs.
    """

    def __init__(self, run: Path, program: Program) -> None:
        writers = sorted({tag.writer for tag in program.slots} - {CONTROL})
        self.sources = [Source(run / f"{writer}.image", program, writer) for writer in writers]
        self.changed: list[tuple[str, bool]] = []

    def poll(self, elapsed_ns: int, *, on_time: bool) -> Inputs:
        """What is new; `changed` then tells the services that fell silent (True) or came back (False)."""
        samples: list[tuple[int, Any, int, int]] = []
        acted: list[tuple[int, int]] = []
        batches: list[Batch] = []
        self.changed.clear()
        for source in self.sources:
            if source.watch(elapsed_ns, on_time=on_time):
                self.changed.append((source.writer, source.silent))
            source.poll(samples, acted, batches)
        return Inputs(samples, acted, [], batches)

    def close(self) -> None:
        """Lets go of all images."""
        for source in self.sources:
            source.close()
