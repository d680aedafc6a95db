"""Repeats a recording and prints what came of it; run by other interpreters too, so it needs little.

`python -m tests.support.replaying FOLDER`
"""

from __future__ import annotations

import json
import platform
import sys
import time
import zlib
from pathlib import Path

from historian.recorded import recordings
from scada.scan import Replay, record


def main(folder: Path) -> None:
    """Prints one JSON object."""
    (recording,) = recordings(folder)
    began = time.perf_counter()
    replay = Replay(recording.program)
    told = record.Told(recording.program)
    crc = 0
    for done in replay.run(recording.items()):
        assert replay.state is not None
        crc = zlib.crc32(told.of(replay.state, done.writes), crc)
    assert replay.state is not None
    found = {
        "python": platform.python_version(),
        "seconds": time.perf_counter() - began,
        "scans": replay.scans,
        "checked": replay.checked,
        "skipped": replay.skipped,
        "told": crc,
        "checksum": record.checksum(replay.state),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
