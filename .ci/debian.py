"""Installs Debian packages that the tests need when it may, and says so in one line when it may not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

PACKAGES = {
    "influxd": "influxdb",
    "xmllint": "libxml2-utils",
}  # where a command has another name than its package


def apt(*words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(
        ["apt-get", "-qq", *words], env=environment, capture_output=True, text=True, check=False
    )


def main() -> None:
    missing = [PACKAGES.get(name, name) for name in sys.argv[1:] if shutil.which(name) is None]
    if not missing:
        return
    command = f"apt-get install {' '.join(missing)}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        sys.exit(f"The tests need {', '.join(missing)}. On Debian, as root: {command}")
    print(f"== {command}", flush=True)
    apt("update")
    done = apt("install", "-y", "--no-install-recommends", *missing)
    if done.returncode:
        sys.exit(f"{done.stderr.strip()[-500:]}\n{command} failed. The tests need {', '.join(missing)}.")


if __name__ == "__main__":
    main()
