"""Interlocks and cause-and-effect matrices of a site: what they compile to, their points and alarms."""

from __future__ import annotations

from pathlib import Path

from scada.blocks.bypass import permits
from scada.scan import build
from tests.site.helpers import compile_case

HOUR = 3600 * 10**9

MATRIX = """
control:
  a/LSHH: {block: interlock, target: a/LV-1/OUT, when: a/LT-1 > 4.5 m, value: 0 %, bypass: {max: 8 h, role: admin}}
  a/ESD:
    block: cause_effect
    description: Tank 1 trips
    bypass: {max: 2 h, priority: high}
    causes:
      LSHH-1: {when: a/LT-1 > 4 m, for: 2 s, trips: {inlet: 0 s, pumps: 30 s}, description: Level very high, bypass: {max: 1 h}}
      LSLL-1: {when: a/LT-1 < 1 m, trips: [pumps], reset: manual, bypass: false, alarm: {priority: critical, response: Look}}
      HS-1: {when: a/P-2/TRIP, trips: [pumps]}
    effects:
      inlet: {target: a/LV-1/OUT, value: 5 %, reset: auto}
      pumps: {target: a/P-1, description: Pump}
"""


def test_a_matrix(tmp_path: Path) -> None:
    site = compile_case(tmp_path / "site", MATRIX)
    config = next(block for block in site.blocks if block.path == "a/ESD").config
    assert config["causes"][0] == {
        "name": "LSHH-1", "when": "a/LT-1 > 4 m", "for_ns": 2 * 10**9, "reset": "auto",
        "trips": [[0, 0], [1, 30 * 10**9]], "description": "Level very high",
    }  # fmt: skip
    assert config["effects"] == [
        {"name": "inlet", "target": "a/LV-1/OUT", "value": 5.0, "reset": "auto", "description": ""},
        {"name": "pumps", "target": "a/P-1", "value": None, "reset": "manual", "description": "Pump"},
    ]
    found = {path: (one.name, one.max_ns, one.role) for path, one in permits(site.blocks).items()}
    assert found == {
        "a/LSHH": ("", 8 * HOUR, "admin"),
        "a/ESD/LSHH-1": ("LSHH-1", HOUR, "engineer"),
        "a/ESD/HS-1": ("HS-1", 2 * HOUR, "engineer"),
    }
    order = [block.path for block in site.blocks]
    assert order.index("a/P-2") < order.index("a/ESD")  # it reads its TRIP
    build(site)


def test_its_points_and_alarms(tmp_path: Path) -> None:
    site = compile_case(tmp_path / "site", MATRIX)
    tags = site.by_path()
    names = [
        "TRIPPED",
        "FIRST_OUT",
        "RESET",
        "LSHH-1/ACTIVE",
        "LSHH-1/STATE",
        "LSHH-1/BYPASSED",
        "LSLL-1/ACTIVE",
    ]
    assert all(f"a/ESD/{name}" in tags for name in (*names, "inlet/ACTIVE", "pumps/CAUSE"))
    assert "a/ESD/LSLL-1/BYPASSED" not in tags
    assert tags["a/ESD/FIRST_OUT"].states == {"0": "None", "1": "LSHH-1", "2": "LSLL-1", "3": "HS-1"}
    assert [tags[f"a/ESD/{name}/ACTIVE"].writable for name in ("LSHH-1", "inlet", "pumps")] == [
        False,
        False,
        True,
    ]
    assert tags["a/ESD/LSHH-1/STATE"].description == "Tank 1 trips: cause Level very high"
    alarms = {alarm.path: (alarm.priority, alarm.message, alarm.response) for alarm in site.alarms}
    assert alarms["a/ESD/LSLL-1/ACTIVE/ALARM"] == ("critical", "Tank 1 trips: LSLL-1", "Look")
    assert alarms["a/ESD/LSHH-1/ACTIVE/ALARM"][0] == "high"
    assert alarms["a/ESD/LSHH-1/BYPASSED/ALARM"][:2] == ("medium", "Tank 1 trips: Level very high: bypassed")
    assert alarms["a/ESD/HS-1/BYPASSED/ALARM"][0] == "high"
    assert alarms["a/LSHH/BYPASSED/ALARM"][:2] == ("medium", "a/LSHH: bypassed")


def test_an_interlock_without_bypass_has_no_point_for_it(tmp_path: Path) -> None:
    site = compile_case(
        tmp_path / "site", "control: {a/I: {block: interlock, target: a/P-1, when: a/LT-1 > 4 m}}\n"
    )
    assert "a/I/BYPASSED" not in site.by_path()
    assert permits(site.blocks) == {}
