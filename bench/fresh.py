"""`make demo` in a fresh clone, from nothing to a running plant: python -m bench.fresh (needs git and the registries)."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

from bench.harness import Results

ROOT: Final = Path(__file__).parent.parent
LIMIT_S: Final = 300.0
READY: Final = "plant is running"


def main() -> None:
    """Clones, makes, waits until it says that it is running, and stops it as Ctrl-C does."""
    results = Results("fresh")
    with tempfile.TemporaryDirectory() as name:
        clone = Path(name) / "clone"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        began = time.monotonic()
        with subprocess.Popen(
            ["make", "demo"],
            cwd=clone,
            env=environment | {"SCADA_DATA": str(Path(name) / "data")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            assert process.stdout is not None
            said = []
            for line in process.stdout:
                said.append(line)
                if READY in line:
                    results.add("make demo in a fresh clone, ready", time.monotonic() - began, "s", "<= 120")
                    break
                if time.monotonic() - began > LIMIT_S:
                    break
            os.killpg(process.pid, signal.SIGINT)
            process.stdout.read()
    if not results.rows:
        raise SystemExit("make demo did not get ready:\n" + "".join(said))
    results.write()


if __name__ == "__main__":
    main()
