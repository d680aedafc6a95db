"""A stretch of a recording as a recording of its own: what an incident becomes, to be looked at or tested elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from historian.recording import Chunk, chunk_frame, head_frames, scales_of
from scada.scan import checkpoint, record
from scada.scan.program import Program
from scada.scan.record import Scan
from scada.scan.state import State


class Excerpt:
    """Begins with a state, takes the scans that follow it.

    Args:
        program: What ran.
        state: Between two scans.
        utc_ns: Time of the scan that follows, ns UTC.
    """

    def __init__(self, program: Program, state: State, utc_ns: int) -> None:
        self._program = program
        self._utc_ns = utc_ns
        self._records = record.start_records(program, utc_ns, manual=False)
        part = {**checkpoint.dump(program, state), "part": 0, "parts": 1}
        self._records += record.checkpoint_records(part)
        self._encoder = record.Encoder(program)

    def add(self, scans: Iterable[Scan]) -> None:
        """Takes scans, one after the other."""
        for scan in scans:
            self._records += self._encoder.scan(scan.inputs, scan.requests, scan.tick, scan.told, scan.check)

    def write(self, path: Path) -> None:
        """Writes the file.

        Raises:
            FileExistsError: It is there.
            OSError: It cannot be written.
        """
        site = self._program.site
        where = Chunk(0, 0, len(self._records), 0)
        scales = scales_of(site, [tag.id for tag in self._program.slots])
        data = head_frames(site, self._utc_ns) + chunk_frame(where, self._records, site.scan_ns, scales)
        with path.open("xb") as file:
            file.write(data)
