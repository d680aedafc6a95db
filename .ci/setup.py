"""Makes the virtual environment and installs exactly what requirements.txt locks. Standard library only."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def say(text: str) -> None:
    print(text, flush=True)


def run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        sys.exit(
            f"{tail}\nsetup: `{' '.join(command[:4])} …` failed (see above). Is the package index reachable?"
        )


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 - the point is to say so
        sys.exit(
            f"setup: Python 3.11 or newer is needed; this is {sys.version.split()[0]}. Use: make PYTHON=python3.11 …"
        )
    if not (sys.platform == "linux" and sysconfig.get_platform().endswith("x86_64")):
        say(f"setup: Closedloop is made for Linux on x86-64; this is {sysconfig.get_platform()}.")
    folder = ROOT / sys.argv[1]
    began = time.monotonic()
    say(f"== setup: virtual environment {folder.name}")
    (folder / "ready").unlink(missing_ok=True)
    try:
        import ensurepip  # noqa: F401, PLC0415
    except ImportError:
        sys.exit(
            "setup: this Python cannot make virtual environments. On Debian: apt-get install python3-venv"
        )
    run(sys.executable, "-m", "venv", str(folder))
    python = str(folder / "bin" / "python")
    lock = (ROOT / "requirements.txt").read_text()
    say(
        f"== setup: {len(re.findall('==', lock))} locked packages, hashes checked (about a minute the first time)"
    )
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "--no-deps",
        "--only-binary", ":all:", "-r", "requirements.txt")  # fmt: skip
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index",
        "--no-build-isolation", "--editable", ".")  # fmt: skip
    say(f"== setup: done in {time.monotonic() - began:.0f} s")
    (folder / "ready").touch()


if __name__ == "__main__":
    main()
