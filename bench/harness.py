"""Keeps the figures of one room and writes them with the machine and the versions they were measured on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

FOLDER: Final = Path(__file__).parent / "results"
_PACKAGES: Final = ("numpy", "pymodbus", "asyncua", "uvloop", "fastapi", "pydantic", "influxdb-client")


@dataclass(slots=True)
class Results:
    """The figures of one room.

    Args:
        room: File name under `bench/results/`, without ending.
    """

    room: str
    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self,
        name: str,
        value: float,
        unit: str,
        goal: str = "",
        peer: str = "",
        peer_value: float | None = None,
    ) -> None:
        """Adds a figure that was just measured and prints it.

        Args:
            name: What was measured.
            value: The figure.
            unit: Its unit.
            goal: For example `<= 10`, or "" when there is none.
            peer: What did the same work in the same run.
            peer_value: Its figure, same unit.
        """
        row = {
            "name": name,
            "value": value,
            "unit": unit,
            "goal": goal,
            "peer": peer,
            "peer_value": peer_value,
        }
        self.rows.append(row)
        beside = f"   {peer}: {peer_value:.4g} {unit}" if peer_value is not None else ""
        print(f"{name:58} {value:12.4g} {unit:12} {goal:10} {met(row)}{beside}", flush=True)

    def write(self) -> Path:
        """Writes `bench/results/<room>.json` and returns its path."""
        FOLDER.mkdir(exist_ok=True)
        path = FOLDER / f"{self.room}.json"
        document = {"machine": machine(), "versions": versions(), "results": self.rows}
        path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        return path


def end_in_order() -> None:
    """From now on SIGTERM ends the bench as Ctrl-C does, so that no plant of its own is left behind."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def met(row: dict[str, Any]) -> str:
    """`met`, `missed`, or "" for a figure without a goal."""
    if not row["goal"]:
        return ""
    sign, bound = row["goal"].split()
    value = row["value"]
    return "met" if (value <= float(bound) if sign == "<=" else value >= float(bound)) else "missed"


def machine() -> str:
    """Processor, cores and kernel in one line."""
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"{model}, {os.cpu_count()} cores, Linux {platform.release()}"


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that matter for speed."""
    return {"python": platform.python_version()} | {
        name: importlib.metadata.version(name) for name in _PACKAGES
    }
