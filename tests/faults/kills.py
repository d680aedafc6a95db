"""Starts workers and kills them: `python -m tests.faults.kills HISTORY [BUG]`.

Reads lines `<µs> <last>`, each one life of a worker that is killed so long after its first word (before, when the number is
negative), and answers what it had said. Workers are forked from a process that has everything loaded, so a life begins at
once.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from pathlib import Path

from tests.faults.bugs import BUGS
from tests.faults.work import void, work


def life(folder: Path, after_s: float, last: int) -> str:
    """What a worker said until it was killed."""
    ear, mouth = os.pipe()
    child = os.fork()
    if not child:
        os.close(ear)
        try:
            work(folder, lambda text: void(os.write(mouth, f"{text} ".encode())), last)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test must see it
            os.write(mouth, f"failed: {error!r}".encode())
        os._exit(0)
    os.close(mouth)
    ended = os.pidfd_open(child)
    if after_s > 0:
        select.select([ended, ear], [], [])
    select.select([ended], [], [], abs(after_s))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(ended)
    with os.fdopen(ear) as voice:
        return voice.read()


def main() -> None:
    folder, *planted = sys.argv[1:]
    for bug in planted:
        BUGS[bug]()
    for line in sys.stdin:
        after_us, last = line.split()
        sys.stdout.write(life(Path(folder), int(after_us) / 1e6, int(last)).replace("\n", " ") + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
