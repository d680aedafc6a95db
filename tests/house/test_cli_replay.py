"""`scada replay` on recordings of a plant that does not run."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from historian.excerpt import Excerpt
from historian.recorded import recordings
from scada.cli.app import app
from scada.control.civil import Civil
from scada.requests import Request
from scada.scan import Inputs, Program, build, record, start, step
from scada.scan.record import Scan
from tags.quality import GOOD
from tags.site import read_site

DEMO = Path(__file__).parents[2] / "config" / "demo"
SECOND = 1_000_000_000
START_NS = 1_750_000_000 * SECOND


def scada(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.stdout, result.stderr


def make(path: Path, program: Program, scans: int = 300) -> None:
    """A recording of the demo whose tank fills."""
    state = start(program, utc_ns=START_NS)
    civil = Civil(program.site.timezone, program.site.scan_ns)
    excerpt = Excerpt(program, state, START_NS)
    told = record.Told(program)
    index = program.index
    held = {
        slot: tag.initial if tag.initial is not None else {"bool": False}.get(tag.type, 0)
        for slot, tag in enumerate(program.slots)
        if slot >= program.own
    }
    for path_ in index:
        if path_.endswith(("/REM", "/connected", "/armed")) and index[path_] in held:
            held[index[path_]] = True
    level = index["tank1/LT-101"]
    held[index["tank1/LV-101/OUT"]] = 50.0
    for n in range(scans):
        utc_ns = START_NS + (n + 1) * program.site.scan_ns
        held[level] = 2.0 + n * 0.005
        samples = [
            (slot, float(value) if program.slots[slot].type.startswith("float") else value, GOOD, utc_ns)
            for slot, value in held.items()
            if n == 0 or slot == level
        ]
        requests = []
        if n == 20:
            items = (("tank1/LIC-101/MODE", "Auto"), ("tank1/LIC-101/SP", 2.6))
            requests.append(Request("r1", "write", items, "try", "hmi", "anna", "engineer"))
        tick = civil.tick(n + 1, 1, utc_ns)
        inputs = Inputs(samples)
        state, writes, _ = step(program, state, inputs, requests, tick)
        check = record.checksum(state) if state.scans % 100 == 0 else None
        excerpt.add([Scan(tick, inputs, requests, told.of(state, writes), check)])
    excerpt.write(path)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recorded") / "a.rec"
    make(path, build(read_site(DEMO)))
    return path


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A copy of the demo to change."""
    folder = tmp_path / "site"
    shutil.copytree(DEMO, folder)
    return folder


def test_a_recording_is_repeated(recorded: Path) -> None:
    code, text, said = scada("replay", str(recorded))
    assert (code, said) == (0, "")
    assert "riverside, 2025-06-15 17:06:40 to 2025-06-15 17:07:10: 300 scans of 100 ms, 1 request," in text
    assert "All outputs as they were, to the bit; 3 checks of everything agreed." in text
    code, text, _ = scada("replay", str(recorded.parent), "--json", "--until", "120")
    (one,) = orjson.loads(text)
    assert (code, one["scans"], one["differs"], one["gaps"]) == (0, 120, None, 0)


def test_what_came_out_otherwise_is_named(recorded: Path, tmp_path: Path) -> None:
    (recording,) = recordings(recorded)
    program = recording.program
    path = tmp_path / "b.rec"
    items = list(recording.items())
    scans = [item for item in items if isinstance(item, Scan)]
    excerpt = Excerpt(program, start(program, utc_ns=START_NS), START_NS)
    wrong = dataclasses.replace(scans[199], told=bytes(len(scans[199].told)))
    excerpt.add([*scans[:199], wrong, *scans[200:]])
    excerpt.write(path)
    code, _, said = scada("replay", str(path))
    assert code == 1
    assert "2025-06-15 17:07:00.000: scan 200 came out otherwise: " in said
    assert "  truck1/ALERT/ET: now 19.9" in said
    assert "--stop-at 200 --block PATH" in said
    code, text, said = scada("replay", str(path), "--keep-going")
    assert code == 1
    assert "300 scans" in text
    assert "1 scan came out otherwise." in said
    code, text, _ = scada("replay", str(path), "--json")
    (one,) = orjson.loads(text)
    assert one["differs"]["scan"] == 200
    assert code == 1
    assert scada("replay", str(path), "--from", "150")[0] == 1
    code, text, said = scada("replay", str(path), "--from", "250")
    assert (code, said) == (0, ""), "what came before was not asked for"
    assert "  1 scan before that came out otherwise already" in text


def test_a_scan_is_looked_at(recorded: Path) -> None:
    look = ("--block", "tank1/lic-101", "--block", "tank1/LT-101")
    code, text, said = scada("replay", str(recorded), "--stop-at", "21", *look)
    assert (code, said) == (0, "")
    lines = [line.strip() for line in text.splitlines()]
    assert "After scan 21, 2025-06-15 17:06:42.100" in lines
    assert "request: write tank1/LIC-101/MODE = Auto, tank1/LIC-101/SP = 2.6 by anna" in lines
    assert "tank1/LIC-101 (pid)" in lines
    assert "tank1/LIC-101/SP = 2.6" in lines
    assert lines.count("tank1/LT-101 = 2.1") == 2
    assert any(line.startswith("tank1/LV-101/OUT: wanted ") for line in lines)
    assert any(line.startswith("sp = 2.6") for line in lines)
    code, text, _ = scada("replay", str(recorded), "--stop-at", "2025-06-15T15:06:42.1Z", *look, "--json")
    found = orjson.loads(text)
    assert code == 0
    assert (found["scan"], found["requests"][0]["user"]) == (21, "anna")
    assert found["blocks"][0]["state"]["_sp"] == 2.6
    assert found["tags"][0]["value"] == 2.1


def test_what_if(recorded: Path, site: Path) -> None:
    code, text, said = scada("replay", str(recorded), "--against", str(site))
    assert (code, said) == (0, "")
    assert "No output would have been different." in text
    water = site / "control" / "water.yaml"
    water.write_text(water.read_text().replace("gain: 8.0", "gain: 4.0", 1))
    code, text, _ = scada("replay", str(recorded), "--against", str(site))
    assert code == 1
    assert "1 output would have been different" in text
    assert "tank1/LV-101/OUT\t2025-06-15 17:06:4" in text
    code, text, _ = scada("replay", str(recorded), "--against", str(site), "--json", "--from", "100")
    found = orjson.loads(text)
    assert {one["path"] for one in found["changes"]} == {"tank1/LV-101/OUT"}
    assert found["differing"] == 0
    assert found["scans"] == 201  # not those before, which the replay needs to come there
    assert scada("replay", str(recorded), "--against", str(site), "--from", "999")[0] == 1
    _, text, _ = scada("replay", str(recorded), "--against", str(site), "--json", "--from", "290")
    assert orjson.loads(text)["changes"] == []  # long over by then
    water.write_text("nonsense: 1")
    assert scada("replay", str(recorded), "--against", str(site))[0] == 78


def test_an_incident_becomes_a_test(recorded: Path, site: Path) -> None:
    path = site / "tests" / "incident-1.yaml"
    stretch = ("--from", "50", "--until", "250")
    code, text, said = scada("replay", str(recorded), *stretch, "--to-test", str(path))
    assert (code, said) == (0, "")
    assert f"scada test {site}" in text
    assert [one.tick.number for one in _scans(path.with_suffix(".rec"))] == list(range(50, 251))
    code, text, _ = scada("test", str(site), "incident")
    assert (code, "1 test passed" in text) == (0, True), text
    water = site / "control" / "water.yaml"
    water.write_text(water.read_text().replace("gain: 8.0", "gain: 2.0", 1))
    code, text, _ = scada("test", str(site), "incident")
    assert code == 1
    assert "tank1/LV-101/OUT/command expected" in text
    code, _, said = scada("replay", str(recorded), "--to-test", str(path))
    assert (code, "is there already" in said) == (2, True)


def _scans(path: Path) -> list[Scan]:
    (recording,) = recordings(path)
    return [item for item in recording.items() if isinstance(item, Scan)]


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["--block", "tank1/LIC-101"], 2, "--block needs --stop-at"),
        (["--stop-at", "5", "--against", "x"], 2, "Ask one"),
        (["--stop-at", "5", "--block", "tank1/LIC-102"], 2, "Did you mean tank1/LIC-101"),
        (["--stop-at", "999"], 1, "no such scan"),
        (["--from", "999"], 1, "no scan in that time"),
        (["--from", "soon"], 2, "is no time"),
        (["--to-test", "x.txt"], 2, "is a YAML file"),
        (["--to-test", "no/where/x.yaml"], 2, "is no folder"),
    ],
)
def test_what_is_wrong_is_said(recorded: Path, arguments: list[str], code: int, word: str) -> None:
    found, _, said = scada("replay", str(recorded), *arguments)
    assert (found, word in said) == (code, True), said


def test_what_is_no_recording_is_said(tmp_path: Path) -> None:
    code, _, said = scada("replay", str(tmp_path))
    assert (code, "there is no recording of control here" in said) == (1, True)
    code, _, said = scada("replay", str(tmp_path / "x.rec"))
    assert (code, "there is no such file or folder" in said) == (1, True)
    (tmp_path / "y.rec").write_bytes(b"CLREC001" + bytes(50))
    code, _, said = scada("replay", str(tmp_path / "y.rec"))
    assert (code, "no recording of this version" in said) == (1, True)
