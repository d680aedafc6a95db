"""Writes the audit trail: `python -m tests.faults.audited HISTORY SAID LAST`; says the number of each entry that is there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from historian import audit
from historian.audit import Trail


def main() -> None:
    folder, said, last = sys.argv[1:]
    voice = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    audit.RESERVE = 1 << 20  # type: ignore[misc]
    with Trail(Path(folder)) as trail:
        for number in range(trail.head()[0] + 1, int(last) + 1):
            trail.append([{"kind": "login", "t": number, "user": "anna"}])
            os.write(voice, b"%d\n" % number)
            if number % 10 == 0:
                trail.keep_reserve()


if __name__ == "__main__":
    main()
