"""How long `scada check` takes for a site of 10,000 tags written in YAML: run as `python -m bench.check`."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.harness import Results
from tags.model import DEVICE
from tags.site import read_site

TAGS = 10_000
FILES = 10
_COMMAND = "from scada.cli import main; main()"

_SITE = """\
site: large
timezone: Europe/Madrid
defaults:
  analog: {scan: 1 s, history: {deadband: 0.1 %, max_gap: 10 min}}
  alarm: {deadband: 1 %, on_delay: 2 s}
"""
_TEMPLATES = """\
templates:
  transmitter:
    parameters: [address, range, unit]
    tag: {address: $address, type: int16, raw: [0, 27648], bad_outside: [-691, 29376], range: $range, unit: $unit}
"""
_WRITTEN_OUT = """\
  area{file}/TT-{i}:
    device: PLC{file}
    address: holding/{i}
    type: int16
    scale: 0.1
    range: [0, 120]
    unit: degC
    description: Temperature {i}
"""
_BY_TEMPLATE = """\
  area{file}/LT-{i}:
    use: transmitter
    with: {{device: PLC{file}, address: input/{i}, range: [0, 5], unit: m}}
    description: Level {i}
"""
_ALARMS = """\
    alarms:
      H: {above: 90 %, priority: high, response: Look at it}
      L: {below: 5 %, unless: area0/TT-1 > 30 degC}
"""


def generate(folder: Path, tags: int = TAGS) -> None:
    """Writes a site of so many device tags: half by template, a third with two alarms."""
    each = tags // FILES
    (folder / "tags").mkdir(parents=True)
    (folder / "site.yaml").write_text(_SITE)
    (folder / "templates.yaml").write_text(_TEMPLATES)
    devices = "".join(
        f'  PLC{n}: {{driver: modbus, endpoint: "tcp://127.0.0.1:{5020 + n}"}}\n' for n in range(FILES)
    )
    (folder / "devices.yaml").write_text(f"devices:\n{devices}")
    for file in range(FILES):
        lines = ["tags:\n"]
        for i in range(each):
            lines.append((_WRITTEN_OUT if i % 2 else _BY_TEMPLATE).format(file=file, i=i))
            if i % 3 == 0:
                unit, span = ("degC", 120) if i % 2 else ("m", 5)
                lines.append(
                    _ALARMS.replace("90 %", f"{span * 0.9:g} {unit}").replace(
                        "5 %", f"{span * 0.05:g} {unit}"
                    )
                )
        (folder / "tags" / f"area{file}.yaml").write_text("".join(lines))


def main() -> None:
    """Measures the command as a user runs it, and the reading alone."""
    results = Results("check")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "large"
        generate(folder)
        started = time.perf_counter()
        site = read_site(folder)
        reading = time.perf_counter() - started
        assert sum(tag.kind == DEVICE for tag in site.tags) == TAGS
        commands = []
        for _ in range(3):
            started = time.perf_counter()
            subprocess.run(
                [sys.executable, "-c", _COMMAND, "check", str(folder)], check=True, capture_output=True
            )
            commands.append(time.perf_counter() - started)
    results.add("read a site of 10,000 tags", reading, "s")
    results.add("scada check of 10,000 tags", statistics.median(commands), "s", "<= 3")
    results.write()


if __name__ == "__main__":
    main()
