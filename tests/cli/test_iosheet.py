"""`scada iosheet`: what is to be expected at each point, and what the running plant reads there."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from scada.cli import iosheet
from scada.cli.app import app
from scada.client import Client, Sample
from tags import quality
from tags.model import Scaling, Tag
from tests.client.plant import SECOND, Plant

SITE = """
site: small
timezone: Europe/Madrid
devices:
  PLC1: {driver: modbus, endpoint: "tcp://127.0.0.1:5020"}
  PLC2: {driver: modbus, endpoint: "tcp://127.0.0.1:5021", order: CDAB}
tags:
  tank1/LT-101: {device: PLC1, address: 30001, type: int16, raw: [0, 27648], range: [0, 5], unit: m,
    description: "=Level", alarms: {HH: {above: 4.6 m, priority: high, response: Close it}}}
  tank1/P-101/RUN: {device: PLC1, address: discrete/1, type: bool, states: [Stopped, Running]}
  tank1/NOTE: {device: PLC1, address: holding/8x4, type: string}
  tank1/FT-1: {device: PLC2, address: holding/4, type: float32, range: [0, 10], unit: m3/h}
"""


POINT: Any = {
    "id": 1, "path": "a/b", "type": "float64", "kind": "device", "writer": "field", "row": 0, "device": "PLC1",
    "address": {"table": "input", "offset": 0, "bit": None, "count": 1, "type": "int16"},
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "site.yaml").write_text(SITE)
    return tmp_path


@pytest.fixture(autouse=True)
def _no_plants(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.delenv("SCADA_DATA", raising=False)


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    one = Plant(tmp_path / "data")
    yield one
    one.close()
    shutil.rmtree(one.data.run.resolve(), ignore_errors=True)


def scada(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["iosheet", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_a_point_has_its_raw_values_and_room_to_sign(folder: Path) -> None:
    code, text, said = scada(str(folder))
    assert code == 0
    found = {row["tag"]: row for row in csv.DictReader(io.StringIO(text))}
    level = found["tank1/LT-101"]
    assert (level["address"], level["number"], level["unit"]) == ("input/0", "30001", "m")
    assert [level[f"raw at {name}"] for name in ("low", "half", "high")] == ["0", "13824", "27648"]
    assert (level["alarms"], level["description"]) == ("HH 4.6", "'=Level")
    assert all(row[name] == "" for row in found.values() for name in iosheet.BLANK)
    assert [found["tank1/P-101/RUN"][name] for name in ("low", "high", "raw at high")] == [
        "Stopped",
        "Running",
        "1",
    ]
    assert found["tank1/NOTE"]["address"] == "holding/8x4"
    assert (found["tank1/FT-1"]["order"], level["order"]) == ("CDAB", "")
    assert [row["device"] for row in csv.DictReader(io.StringIO(text))] == ["PLC1"] * 3 + ["PLC2"]
    assert "4 points of 2 devices, without values" in said


def test_a_running_plant_says_what_it_reads(plant: Plant) -> None:
    plant.put("tank1/LT-101", 2.5, source_ns=1_750_000_000 * SECOND)
    plant.put("tank1/LV-101/REM", True)
    plant.put("tank1/LV-101/POS", 3.0, quality.BAD_SENSOR_FAILURE)
    with Client(plant.data.root, clock=plant.clock) as client:
        client.refresh()
        live = {tag.path: client.read(tag.path) for tag in client.site.tags if tag.kind == "device"}
    found = {row["tag"]: row for row in iosheet.rows(plant.site, ["PLC1"], live)}
    level = found["tank1/LT-101"]
    assert (level["raw"], level["engineering"], level["quality"]) == ("13824", "2.50 m", "Good")
    assert level["time"].startswith("2025-06-15")
    assert found["tank1/LV-101/REM"]["raw"] == "1"
    broken = found["tank1/LV-101/POS"]
    assert (broken["raw"], broken["engineering"], broken["quality"]) == ("", "", "BadSensorFailure")


def test_a_raw_value_that_is_not_known_is_not_told() -> None:
    curve = Tag(**POINT, scaling=Scaling(curve=((0, 0), (100, 50), (1000, 80))))
    root = Tag(**POINT, scaling=Scaling(gain=0.01, root=(0.0, 10.0), cutoff=0.5))
    raws = {}
    for name, tag, value in (
        ("inside", curve, 50.0), ("end", curve, 80.0), ("root", root, 5.0), ("cut off", root, 0.0)
    ):  # fmt: skip
        raws[name] = iosheet._row(tag, Sample(tag.path, value, 0, SECOND, 0.0, 1), "", "UTC")["raw"]
    assert raws == {"inside": "100", "end": "", "root": "250", "cut off": ""}


def test_files_for_spreadsheets_and_for_paper(folder: Path, tmp_path: Path) -> None:
    code, text, _ = scada(str(folder), "-o", str(tmp_path / "io.csv"), "--device", "PLC1")
    assert (code, "3 points of 1 devices" in text) == (0, True)
    assert (tmp_path / "io.csv").read_bytes().startswith(b"\xef\xbb\xbfdevice,tag")
    (folder / "site.yaml").write_text(SITE.replace("=Level", "<b>Level</b> & more"))
    assert scada(str(folder), "-o", str(tmp_path / "io.html"))[0] == 0
    page = (tmp_path / "io.html").read_text()
    assert "&lt;b&gt;Level&lt;/b&gt; &amp; more" in page
    assert page.count("<h2>") == 2
    assert page.count("<tr><td") == 4


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--device", "PLC3"], 2, "There is no device PLC3 in small. Devices: PLC1, PLC2"),
        (["-o", "io.pdf"], 2, "NAME.csv or NAME.html"),
        (["--data", "/nowhere"], 1, "/nowhere"),
    ],
)
def test_mistakes_are_said_in_a_sentence(folder: Path, arguments: list[str], code: int, says: str) -> None:
    ended, _, said = scada(str(folder), *arguments)
    assert (ended, says in said) == (code, True), said
