"""Other CPythons of this machine, each with the few packages that a replay needs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
MINORS: Final = ("3.11", "3.12", "3.13")
PACKAGES: Final = ("numpy", "orjson", "zstandard")


def find(minor: str) -> Path | None:
    """An interpreter of this version: ours, on the path, or one that uv or pyenv knows; None when there is none."""
    if f"{sys.version_info.major}.{sys.version_info.minor}" == minor:
        return Path(sys.executable)
    candidates = [shutil.which(f"python{minor}") or ""]
    if shutil.which("uv"):
        candidates.append(_said("uv", "python", "find", "--no-python-downloads", minor))
    if shutil.which("pyenv"):
        versions = [
            one for one in _said("pyenv", "versions", "--bare").split() if one.startswith(f"{minor}.")
        ]
        candidates += [f"{_said('pyenv', 'prefix', one)}/bin/python{minor}" for one in versions]
    for candidate in candidates:
        if candidate and _said(candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])") == minor:
            return Path(candidate)
    return None


def prepared(minor: str) -> Path | None:
    """The interpreter of an environment with `PACKAGES` of the versions that are locked; made once, kept in `.venv`.

    Returns:
        None when this machine has no such version, or the packages cannot be had for it.
    """
    python = find(minor)
    if python is None or python == Path(sys.executable):
        return python
    home = ROOT / ".venv" / "pythons" / minor
    inside = home / "bin" / "python"
    if (home / "ready").exists():
        return inside
    lock = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    pins = [f"{name}=={_pin(lock, name)}" for name in PACKAGES]
    try:
        subprocess.run([python, "-m", "venv", "--clear", home], check=True, capture_output=True, timeout=120)
        command: list[str | Path] = [
            inside,
            "-m",
            "pip",
            "install",
            "-q",
            "--no-deps",
            "--only-binary",
            ":all:",
            *pins,
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=240)
    except (OSError, subprocess.SubprocessError):
        return None
    (home / "ready").touch()
    return inside


def _pin(lock: str, name: str) -> str:
    found = re.search(rf"^{name}==(\S+)", lock, re.MULTILINE)
    assert found is not None, name
    return found[1]


def _said(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def replay_with(folder: Path, minors: tuple[str, ...] = MINORS) -> list[dict[str, Any]]:
    """What `tests.support.replaying` found in each interpreter that is here."""
    found = []
    for minor in minors:
        python = prepared(minor)
        if python is None:
            continue
        done = subprocess.run(
            [python, "-m", "tests.support.replaying", folder],
            cwd=ROOT,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        found.append(json.loads(done.stdout))
    return found
