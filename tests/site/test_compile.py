"""What a correct site compiles to."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from scada.scan import build
from tags import model
from tags.model import OnLoss, Site, Tag
from tags.site import SiteError, apply_overrides, read_site
from tests.site.helpers import DRIVERS, compile_case, make_folder

DEMO = Path(__file__).parents[2] / "config" / "demo"
SECOND = 1_000_000_000


@pytest.fixture(scope="module")
def demo() -> Site:
    return read_site(DEMO, drivers=DRIVERS)


@pytest.fixture
def compiled(tmp_path: Path) -> Compile:
    return Compile(tmp_path)


class Compile:
    """Compiles the base site with something added."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, text: str, **files: str) -> dict[str, Tag]:
        return self.site(text, **files).by_path()

    def site(self, text: str, **files: str) -> Site:
        return compile_case(self.folder / "site", text, **files)


def test_the_demo_compiles_and_survives_its_file(demo: Site) -> None:
    assert demo.name == "riverside"
    assert model.load(model.dump(demo)) == demo
    assert {device.name for device in demo.devices} == {"PLC1", "PLC2", "PLC3"}
    assert all(device.simulate for device in demo.devices)
    assert {block.type for block in demo.blocks} >= {
        "pid", "motor", "valve", "on_off_valve", "duty_standby", "hysteresis", "ramp", "schedule", "interlock", "timer", "calc",
    }  # fmt: skip


def test_rows_ids_and_writers(demo: Site) -> None:
    assert len({tag.id for tag in demo.tags}) == len(demo.tags)
    assert len({tag.path.casefold() for tag in demo.tags}) == len(demo.tags)
    assert demo.tags == tuple(sorted(demo.tags, key=lambda tag: (tag.writer, tag.row)))
    for writer in demo.writers():
        assert [tag.row for tag in demo.of_writer(writer)] == list(range(len(demo.of_writer(writer))))
    assert set(demo.writers()) == {*demo.services, "supervisor"}
    groups = [(tag.device, tag.scan_ns) for tag in demo.of_writer("field") if tag.kind == "device"]
    assert len([g for i, g in enumerate(groups) if i == 0 or groups[i - 1] != g]) == len(set(groups))


def test_every_reference_of_the_compiled_site_exists(demo: Site) -> None:
    tags = demo.by_path()
    for tag in demo.tags:
        assert tag.command is None or tags[tag.command].command == tag.path
        assert tag.remote is None or tags[tag.remote].type == "bool"
        assert (tag.owner is None) == (tag.write is None)
    for alarm in demo.alarms:
        assert tags[alarm.path].kind == "alarm"
        assert alarm.tag in tags
    for block in demo.blocks:
        assert all(tags[path].kind == "block" for path in block.points.values())
    for display in demo.displays:
        assert display.tags
        assert set(display.tags) <= set(tags)


def test_a_transmitter(compiled: Compile) -> None:
    tag = compiled("")["a/LT-1"]
    assert (tag.type, tag.unit, tag.range, tag.decimals) == ("float64", "m", (0.0, 5.0), 2)
    assert tag.address == {
        "table": "input",
        "offset": 0,
        "bit": None,
        "count": 1,
        "type": "int16",
        "order": "ABCD",
    }
    assert tag.scaling.gain == pytest.approx(5 / 27648)
    assert (tag.scaling.bad_below, tag.scaling.bad_above) == (-691.0, 29376.0)
    assert tag.scan_ns == SECOND
    assert tag.history.deadband == pytest.approx(0.005)
    assert tag.history.max_gap_ns == 600 * SECOND
    assert (tag.owner, tag.command, tag.write) == (None, None, None)
    assert not tag.writable
    assert tag.place == "tags.yaml:2:3"


def test_an_output_and_its_command(compiled: Compile) -> None:
    text = """
tags:
  a/LV-2:
    use: valve
    with: {device: PLC1, out: holding/10, pos: input/11, on_loss: {hold: 30 s, then: 20 %}}
    tags:
      OUT: {limits: [10, 90], rate: 30 %/min, write: {deadband: 1 %, min_interval: 2 s}}
      REM: {device: PLC1, address: discrete/5, type: bool}
"""
    tags = compiled(text)
    out, command = tags["a/LV-2/OUT"], tags["a/LV-2/OUT/command"]
    assert out.on_loss == OnLoss(action="value", delay_ns=30 * SECOND, value=20.0)
    assert (out.limits, out.rate, out.remote) == ((10.0, 90.0), 0.5, "a/LV-2/REM")
    assert out.write is not None
    assert (out.write.deadband, out.write.tolerance, out.write.min_interval_ns) == (1.0, 1.0, 2 * SECOND)
    assert (out.writer, command.writer, command.kind) == ("field", "control", "command")
    assert (command.command, out.command) == (out.path, command.path)
    assert (command.unit, command.range, command.limits) == (out.unit, out.range, out.limits)
    assert out.writable
    assert not command.writable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hold", OnLoss(action="hold", delay_ns=10 * SECOND)),
        ("release", OnLoss(action="release", delay_ns=10 * SECOND)),
        ("{hold: 5 s, then: release}", OnLoss(action="release", delay_ns=5 * SECOND)),
        ("{then: 0}", OnLoss(action="value", delay_ns=10 * SECOND, value=0.0)),
    ],
)
def test_fail_actions(compiled: Compile, text: str, expected: OnLoss) -> None:
    tags = compiled(
        f"tags:\n  a/x: {{device: PLC1, address: holding/9, type: float64, owner: scada, on_loss: {text}}}\n"
    )
    assert tags["a/x"].on_loss == expected


def test_a_pulse_is_short_of_interval_and_dead_band(compiled: Compile) -> None:
    write = compiled("")["a/P-1/STOP"].write
    assert write is not None
    assert (write.mode, write.time_ns, write.min_interval_ns, write.stop) == ("pulse", SECOND // 2, 0, True)


def test_memory_tags(compiled: Compile) -> None:
    tags = compiled("""
tags:
  a/draining: {type: bool, initial: false, retain: true, write_role: engineer}
  a/target: {type: float64, unit: m, range: [0, 5], initial: 250 cm}
  a/phase: {type: int32, states: [Idle, Filling], initial: Filling}
  a/note: {type: string, initial: hello}
  a/fixed: {type: bool, initial: true, writable: false}
""")
    draining, target, phase = tags["a/draining"], tags["a/target"], tags["a/phase"]
    assert (draining.kind, draining.writer, draining.initial, draining.retain) == (
        "memory",
        "control",
        False,
        True,
    )
    assert (draining.writable, draining.write_role) == (True, "engineer")
    assert (target.initial, target.limits) == (2.5, (0.0, 5.0))
    assert (phase.initial, phase.states) == (1, {"0": "Idle", "1": "Filling"})
    assert tags["a/note"].initial == "hello"
    assert not tags["a/fixed"].writable


def test_alarms(compiled: Compile) -> None:
    site = compiled.site("""
tags:
  a/TT-1:
    device: PLC1
    address: input/9
    type: int16
    scale: 0.1
    range: [0, 100]
    unit: degC
    description: Oil
    alarms:
      HH: {above: 194 degF, priority: critical, response: Stop it, on_delay: 0 s}
      L: {below: 10, unless: a/P-1/RUN, deadband: 2 K}
  a/TS-1: {device: PLC1, address: discrete/9, type: bool, states: {0: Cold, 1: Fine}, alarms: {COLD: {when: false}, HOT: {when: true}}}
""")
    alarms = {alarm.path: alarm for alarm in site.alarms}
    high, low = alarms["a/TT-1/HH"], alarms["a/TT-1/L"]
    assert (high.kind, high.priority, high.response, high.on_delay_ns) == ("high", "critical", "Stop it", 0)
    assert high.limit == pytest.approx(90)
    assert high.deadband == pytest.approx(1)  # 1 % of the range, from the defaults
    assert (high.message, high.device) == ("Oil: very high", "PLC1")
    assert (low.kind, low.limit, low.unless) == ("low", 10.0, "a/P-1/RUN")
    assert low.deadband == pytest.approx(2)
    cold, hot = alarms["a/TS-1/COLD"], alarms["a/TS-1/HOT"]
    assert (cold.kind, cold.limit, cold.message) == ("low", 0.5, "a/TS-1: Cold")
    assert (hot.kind, hot.message) == ("state", "a/TS-1: Fine")


def test_alarms_say_whether_they_are_confirmed_and_how_long_they_are_shelved(compiled: Compile) -> None:
    text = """
tags:
  a/TT-1:
    {device: PLC1, address: input/9, type: int16, range: [0, 100], alarms: {HH: {above: 90, confirm: true, shelve_max: 0 s},
     H: {above: 80, shelve_max: 30 min}, L: {below: 10}}}
"""
    alarms = {alarm.path: alarm for alarm in compiled.site(text).alarms}
    found = [
        (alarms[f"a/TT-1/{name}"].confirm, alarms[f"a/TT-1/{name}"].shelve_max_ns)
        for name in ("HH", "H", "L")
    ]
    minute = 60_000_000_000
    assert found == [(True, 0), (False, 30 * minute), (False, 480 * minute)]
    assert {alarms[path].shelve_max_ns for path in alarms if not path.startswith("a/TT-1")} == {480 * minute}
    with pytest.raises(SiteError, match=r"8 d is longer than 7 d"):
        compiled.site(text.replace("30 min", "8 d"))


def test_a_number_of_unknown_size_is_not_shown_as_a_whole_one(compiled: Compile) -> None:
    site = compiled.site("""
tags:
  a/AT-1: {device: PLC1, address: input/9, type: float32}
  a/AT-2: {device: PLC1, address: input/11, type: float32, range: [0, 5000]}
  a/AT-3: {device: PLC1, address: input/13, type: int16}
  a/AT-4: {device: PLC1, address: input/14, type: int16, scale: 0.1}
""")
    tags = site.by_path()
    assert [tags[f"a/AT-{n}"].decimals for n in (1, 2, 3, 4)] == [2, 0, 0, 1]


def test_devices_on_one_connection_say_how_busy_it_is(compiled: Compile) -> None:
    site = compiled.site("""
devices:
  M1: {driver: modbus, endpoint: "rtu+tcp://127.0.0.1:4001", unit_id: 1}
  M2: {driver: modbus, endpoint: "rtu+tcp://127.0.0.1:4001", unit_id: 2}
  M3: {driver: modbus, endpoint: "tcp://127.0.0.9", unit_id: 1}
  M4: {driver: modbus, endpoint: "tcp://127.0.0.9:502", unit_id: 2}
""")
    shared = [path for path in site.by_path() if path.endswith("/link_load")]
    assert sorted(shared) == [f"system/M{n}/link_load" for n in (1, 2, 3, 4)]


@pytest.mark.parametrize("scan", ["9 ms", "61 min"])
def test_devices_are_asked_every_10_ms_to_1_h(compiled: Compile, scan: str) -> None:
    with pytest.raises(SiteError, match="not between 10 ms and 1 h"):
        compiled.site(f"tags: {{a/TT-1: {{device: PLC1, address: input/9, type: int16, scan: {scan}}}}}")


def test_alarms_that_come_by_themselves(compiled: Compile) -> None:
    site = compiled.site("")
    alarms = {alarm.path: alarm for alarm in site.alarms}
    assert alarms["system/PLC1/COMMS"].kind == "quality"
    assert alarms["system/PLC1/COMMS"].tag == "system/PLC1/connected"
    slow = alarms["system/PLC1/SLOW"]
    assert (slow.tag, slow.kind, slow.priority) == ("system/PLC1/state", "high", "low")
    assert 1 < slow.limit < 2
    assert site.by_path()["system/PLC1/state"].states == {"0": "Not connected", "1": "Connected", "2": "Slow"}
    assert "system/PLC1/link_load" not in site.by_path()
    assert alarms["system/control/FORCED"].tag == "system/control/forces"
    stored = alarms["system/historian/FAILED"]
    assert (stored.tag, stored.kind, stored.limit) == ("system/historian/ok", "low", 0.5)
    assert alarms["a/LV-1/DISCREPANCY/ALARM"].kind == "state"
    assert alarms["a/LV-1/DISCREPANCY/ALARM"].device == "PLC1"
    assert alarms["a/P-1/TRIP/ALARM"].priority == "high"


def test_tasks(compiled: Compile) -> None:
    head = "site: case\ntimezone: Europe/Madrid\nscan: 100 ms\n"
    head += "realtime: {cpu: 1, priority: 60}\n"
    head += "tasks: {slow: {period: 1 s, priority: 9}, fast: {period: 20 ms}, scan: {priority: 3}}\n"
    site = compiled.site(
        """
control:
  a/X: {block: calc, expression: a/LT-1 + a/Y, task: fast}
  a/Y: {block: calc, expression: a/X * 0 + a/LT-1, task: slow}
  a/D: {block: dead_time, input: a/LT-1, time: 40 min, task: slow}
""",
        **{"site.yaml": head},
    )
    assert site.scan_ns == 20_000_000
    assert [(task.name, task.period_ns, task.priority) for task in site.tasks] == [
        ("scan", 100_000_000, 3),
        ("fast", 20_000_000, 5),
        ("slow", 1_000_000_000, 9),
    ]
    assert (site.realtime.cpu, site.realtime.priority) == (1, 60)
    tasks = {block.path: block.task for block in site.blocks}
    assert (tasks["a/X"], tasks["a/Y"], tasks["a/P-1"]) == ("fast", "slow", "scan"), (
        "they may read each other"
    )
    tags = site.by_path()
    for task in ("scan", "fast", "slow"):
        for key in ("period", "lateness_max", "execution_max", "overruns"):
            assert tags[f"system/control/tasks/{task}/{key}"].writer == "control"
    assert [alarm.tag for alarm in site.alarms if alarm.path == "system/control/OVERRUN"] == [
        "system/control/overruns_minute"
    ]


def test_a_site_without_tasks_has_one(compiled: Compile) -> None:
    site = compiled.site("")
    assert [(task.name, task.period_ns) for task in site.tasks] == [("scan", site.scan_ns)]
    assert {block.task for block in site.blocks} == {"scan"}


def test_controller(compiled: Compile) -> None:
    site = compiled.site("""
control:
  a/LIC-1:
    block: pid
    pv: a/LT-1
    out: a/LV-1/OUT
    action: reverse
    every: 2 s
    tuning: {gain: 2.0, ti: 3 min}
    setpoint: {initial: 250 cm, limits: [1, 4], ramp: 6 m/min}
    mode: {first: auto, restart: manual, on_bad_pv: {hold: 5 s, then: 40 %}}
    out_limits: [10, 80]
""")
    block = next(b for b in site.blocks if b.path == "a/LIC-1")
    assert block.config == {
        "pv": "a/LT-1", "out": "a/LV-1/OUT", "action": "reverse", "gain": 2.0, "ti_ns": 180 * SECOND, "td_ns": 0,
        "setpoint_tag": None, "sp_low": 1.0, "sp_high": 4.0, "sp_initial": 2.5, "ramp": 0.1, "out_low": 10.0,
        "out_high": 80.0, "first_mode": 2, "restart": "manual", "on_bad_pv": {"hold_ns": 5 * SECOND, "then": 40.0},
        "every_ns": 2 * SECOND,
    }  # fmt: skip
    tags = site.by_path()
    sp = tags["a/LIC-1/SP"]
    assert (sp.unit, sp.range, sp.limits, sp.initial, sp.retain, sp.writable) == (
        "m",
        (0.0, 5.0),
        (1.0, 4.0),
        2.5,
        True,
        True,
    )
    assert (tags["a/LIC-1/MODE"].initial, tags["a/LIC-1/MODE"].states["2"]) == (2, "Auto")
    assert (tags["a/LIC-1/TI"].initial, tags["a/LIC-1/TI"].unit, tags["a/LIC-1/TI"].write_role) == (
        180.0,
        "s",
        "engineer",
    )


def test_control_adds_to_what_a_template_supervises(compiled: Compile) -> None:
    site = compiled.site("""
control:
  a/P-1: {start_permit: a/LT-1 > 0.8 m, trip: {when: a/LT-1 < 0.3 m, for: 2 s}}
  a/P-2: {mode: {first: auto, restart: manual}}
  a/pumps: {block: duty_standby, members: [a/P-1, a/P-2], demand: a/LT-1 < 2 m}
""")
    blocks = {block.path: block for block in site.blocks}
    motor = blocks["a/P-1"].config
    assert (motor["start"], motor["remote"], motor["start_time_ns"]) == ("a/P-1/START", None, 5 * SECOND)
    assert motor["trip"] == {"when": "a/LT-1 < 0.3 m", "for_ns": 2 * SECOND, "reset": "manual"}
    assert motor["group"] == "a/pumps"
    assert blocks["a/P-1"].points["TRIP"] == "a/P-1/TRIP"
    assert (motor["first_mode"], motor["restart"]) == (1, "last"), "Manual unless the site says otherwise"
    tags = site.by_path()
    assert (blocks["a/P-2"].config["first_mode"], blocks["a/P-2"].config["restart"]) == (2, "manual")
    assert (tags["a/P-1/MODE"].initial, tags["a/P-2/MODE"].initial) == (1, 2)
    paths = [block.path for block in site.blocks]
    assert paths.index("a/pumps") < paths.index("a/P-1")
    assert site.by_path()["a/pumps/DUTY"].states == {"1": "P-1", "2": "P-2"}


def test_blocks_run_after_what_they_read(compiled: Compile) -> None:
    site = compiled.site("""
control:
  a/Z: {block: timer, kind: ton, input: a/Y, time: 5 s}
  a/Y: {block: hysteresis, input: a/X, on_above: 2 m, off_below: 1 m}
  a/X: {block: calc, expression: "if(a/W, a/LT-1, 0 m)"}
  a/W: {block: calc, expression: a/LT-1 > 50 cm}
""")
    order = [block.path for block in site.blocks]
    assert order.index("a/W") < order.index("a/X") < order.index("a/Y") < order.index("a/Z")
    tags = site.by_path()
    assert (tags["a/W"].type, tags["a/X"].type, tags["a/X"].unit) == ("bool", "float64", "m")
    assert (tags["a/Z"].type, tags["a/Z/ET"].unit) == ("bool", "s")


def test_an_interlock_runs_after_what_its_condition_reads(compiled: Compile) -> None:
    site = compiled.site("""
control:
  a/LOCK: {block: interlock, target: a/LV-1/OUT, when: a/HIGH and not a/OTHER/ACTIVE, value: 0 %}
  a/OTHER: {block: interlock, target: a/P-1, when: a/MEAN > 4 m}
  a/HIGH: {block: hysteresis, input: a/MEAN, on_above: 3 m, off_below: 2 m}
  a/MEAN: {block: calc, expression: (a/LT-1 + a/LT-1) / 2, unit: m}
""")
    order = [block.path for block in site.blocks]
    assert order.index("a/MEAN") < order.index("a/HIGH") < order.index("a/LOCK")
    assert order.index("a/MEAN") < order.index("a/OTHER") < order.index("a/LOCK")


def test_a_cascade_goes_through_a_memory_tag(compiled: Compile) -> None:
    site = compiled.site("""
tags:
  a/FT-1: {device: PLC1, address: input/9, type: int16, raw: [0, 27648], range: [0, 50], unit: m3/h}
  a/FSP: {type: float64, unit: m3/h, range: [0, 50], initial: 0}
control:
  a/FIC-1:
    block: pid
    pv: a/FT-1
    out: a/LV-1/OUT
    action: reverse
    form: parallel
    tuning: {gain: 1, ki: 0.1, kd: 2}
    setpoint: {initial: 20 m3/h, cascade: a/FSP, remote: {timeout: 30 s, then: cascade}, track_pv: true}
    mode: {first: cascade, role: engineer, permitted: [manual, auto, cascade, remote cascade]}
    track: {when: a/LT-1 < 1 m, value: 5 %}
  a/LIC-1: {block: pid, pv: a/LT-1, out: a/FSP, action: reverse, tuning: {gain: 1}, setpoint: {initial: 2 m}}
""")
    blocks = {block.path: block for block in site.blocks}
    order = list(blocks)
    assert order.index("a/LIC-1") < order.index("a/FIC-1"), "the master runs first"
    assert blocks["a/LIC-1"].config["out_high"] == 50.0
    config = blocks["a/FIC-1"].config
    assert (config["ti_ns"], config["td_ns"], config["form"]) == (10_000_000_000, 2_000_000_000, "parallel")
    assert config["cascade"] == "a/FSP"
    assert config["remote"] == {"timeout_ns": 30_000_000_000, "then": 3}
    assert (config["first_mode"], config["modes"], config["track_pv"]) == (3, [1, 2, 3, 4], True)
    tags = site.by_path()
    assert list(tags["a/FIC-1/MODE"].states) == ["1", "2", "3", "4"]
    assert tags["a/FIC-1/MODE"].write_role == "engineer"
    assert list(tags["a/LIC-1/MODE"].states) == ["0", "1", "2"]
    assert tags["a/FIC-1/TI"].initial == 10.0
    assert tags["a/FIC-1/RSP"].unit == "m³/h"
    assert tags["a/FIC-1/RSP"].writable
    assert not tags["a/FIC-1/TRACKING"].writable
    assert "a/LIC-1/RSP" not in tags


def test_schedule(compiled: Compile) -> None:
    site = compiled.site("""
schedules:
  office:
    weekdays: {"06:30": occupied, 18:00: unoccupied}
    saturday: {"09:00": occupied, "12:00": unoccupied}
    otherwise: unoccupied
    holidays: [2026-12-25]
tags:
  a/SP: {device: PLC1, address: holding/30, type: int16, scale: 0.1, unit: degC, limits: [15, 26], owner: shared}
control:
  a/WEEK: {block: schedule, schedule: office, target: a/SP, occupied: 21.5 degC, unoccupied: 62.6 degF}
""")
    block = next(b for b in site.blocks if b.path == "a/WEEK")
    calendar = block.config["calendar"]
    assert calendar["periods"][:2] == [[0, 23400, "occupied"], [0, 64800, "unoccupied"]]
    assert calendar["periods"][-1] == [5, 43200, "unoccupied"]
    assert (calendar["otherwise"], calendar["holidays"]) == ("unoccupied", ["2026-12-25"])
    assert block.config["values"]["occupied"] == 21.5
    assert block.config["values"]["unoccupied"] == pytest.approx(17)
    assert site.by_path()["a/WEEK/STATE"].states == {"0": "occupied", "1": "unoccupied"}
    assert site.by_path()["a/SP"].on_loss is None


def test_display_with_parameters(compiled: Compile) -> None:
    svg = '<svg xmlns="http://www.w3.org/2000/svg"><text data-tag="$unit/LT-1">$title</text></svg>'
    site = compiled.site(
        "displays:\n  one: {title: One, drawing: pictures/one.svg, parameters: {unit: a, title: 5 > 4}}\n",
        **{"pictures/one.svg": svg},
    )
    assert site.displays[0].tags == ("a/LT-1",)
    assert 'data-tag="a/LT-1">5 &gt; 4</text>' in site.displays[0].svg


def test_units_say_which_template_made_which_tags(demo: Site) -> None:
    units = {unit.path: unit for unit in demo.units}
    assert list(units) == sorted(units)
    valve = units["tank1/LV-101"]
    assert (valve.template, valve.description) == ("control_valve", "Inlet valve")
    assert valve.tags == {name: f"tank1/LV-101/{name}" for name in ("OUT", "POS", "REM")}
    assert not {"tank1/LT-101", "tank1/P-101/SPD"} & units.keys(), "a template of one tag makes no unit"
    assert {path for unit in demo.units for path in unit.tags.values()} <= demo.by_path().keys()


def test_template_parameters(compiled: Compile) -> None:
    tags = compiled("""
templates:
  drive:
    parameters: {base: 0, top: 50}
    tags:
      SPEED: {address: holding/$base, type: int16, range: [0, $top], unit: Hz, description: $name speed}
      AT: {address: "input/1$base", type: int16, range: [0, $top], unit: Hz, scan: 2 s}
tags:
  a/D-1: {use: drive, with: {device: PLC1, base: 4}, description: Drive 1, scan: 100 ms}
  a/D-2: {use: drive, with: {device: PLC1, base: 5, top: 60}, tags: {AT: {unit: rpm, alarms: {H: {above: 55}}}}}
""")
    assert tags["a/D-1/SPEED"].range == (0.0, 50.0)
    assert tags["a/D-1/SPEED"].description == "Drive 1: D-1 speed"
    assert (tags["a/D-1/SPEED"].scan_ns, tags["a/D-1/AT"].scan_ns) == (SECOND // 10, 2 * SECOND)
    assert tags["a/D-1/AT"].address is not None
    assert tags["a/D-1/AT"].address["offset"] == 14
    assert (tags["a/D-2/AT"].range, tags["a/D-2/AT"].unit) == ((0.0, 60.0), "rpm")
    assert "a/D-2/AT/H" in tags


def test_ids_stay_with_their_tags(tmp_path: Path) -> None:
    first = compile_case(
        tmp_path / "one", "tags:\n  a/x: {type: bool, initial: false}\n  a/y: {type: bool, initial: false}\n"
    )
    ids = {tag.path: tag.id for tag in first.tags} | {"gone/long/ago": 9000}
    folder = make_folder(
        tmp_path / "two",
        {
            "case.yaml": "tags:\n  a/new: {type: bool, initial: false}\n  a/z: {type: bool, initial: false, was: a/x}\n"
        },
    )
    second = read_site(folder, ids, DRIVERS).by_path()
    assert second["a/z"].id == ids["a/x"]
    assert second["a/LT-1"].id == ids["a/LT-1"]
    assert second["a/new"].id > 9000
    assert "a/y" not in second


def test_an_id_is_never_given_twice_after_renames(tmp_path: Path) -> None:
    """A renamed tag leaves its old path in the table with the same id; a new tag of the old path gets another."""
    ids = {"a/x": 70, "a/y": 70, "a/v": 71, "a/w": 71}  # x became y, v became w
    folder = make_folder(
        tmp_path,
        {
            "case.yaml": "tags:\n  a/x: {type: bool, initial: false}\n  a/y: {type: bool, initial: false}\n"
            "  a/z: {type: bool, initial: false, was: a/v}\n  a/w: {type: bool, initial: false}\n"
        },
    )
    site = read_site(folder, ids, DRIVERS)
    tags = site.by_path()
    assert (tags["a/y"].id, tags["a/w"].id) == (70, 71)
    assert min(tags["a/x"].id, tags["a/z"].id) > 71
    assert len({tag.id for tag in site.tags}) == len(site.tags)


def test_a_rename_that_is_said_too_late_is_refused(tmp_path: Path) -> None:
    """The new path has run and has a number already: the old history would be left behind without a word."""
    ids = {"a/old": 70, "a/new": 71, "a/LT-1": 5}
    folder = make_folder(
        tmp_path, {"case.yaml": "tags:\n  a/new: {type: bool, initial: false, was: a/old}\n"}
    )
    with pytest.raises(
        SiteError, match=r"case\.yaml:2:44: a/new: was: comes too late: a/new has had a history"
    ):
        read_site(folder, ids, DRIVERS)
    assert read_site(folder, {"a/old": 70, "a/new": 70}, DRIVERS).by_path()["a/new"].id == 70


def test_a_renamed_output_keeps_the_ids_of_command_and_alarms(tmp_path: Path) -> None:
    output = "{device: PLC1, address: holding/9, type: int16, range: [0, 10], owner: scada, on_loss: hold, alarms: {H: {above: 5}}"
    first = compile_case(tmp_path / "one", f"tags:\n  a/x: {output}}}\n").by_path()
    ids = {path: tag.id for path, tag in first.items()}
    folder = make_folder(tmp_path / "two", {"case.yaml": f"tags:\n  b/x: {output}, was: a/x}}\n"})
    second = read_site(folder, ids, DRIVERS).by_path()
    assert [second[f"b/x{end}"].id for end in ("", "/command", "/H")] == [
        ids[f"a/x{end}"] for end in ("", "/command", "/H")
    ]


FUNCTIONS = """
tags:
  a/FT-1: {device: PLC1, address: input/5, type: int16, raw: [0, 27648], range: [0, 50], unit: m3/h}
  a/HV-1: {device: PLC1, address: holding/20, type: int16, raw: [0, 27648], range: [0, 100], unit: "%", owner: scada, on_loss: hold}
  a/CV-1: {device: PLC1, address: holding/21, type: int16, raw: [0, 27648], range: [0, 100], unit: "%", owner: scada, on_loss: hold}
  a/X: {type: float64, unit: "%", range: [0, 100], initial: 50, writable: true}
  a/Y: {type: float64, unit: "%", range: [0, 100], initial: 50, writable: true}
  a/Z: {type: float64, unit: "%", range: [0, 100], initial: 50, writable: true}
control:
  a/SR: {block: split_range, input: a/Z, outs: [{out: a/HV-1, from: [0, 50], to: [100, 0]}, {out: a/CV-1, from: [50, 100], to: [0, 100]}]}
  a/OV: {block: override_select, kind: low, inputs: [a/X, a/Y], out: a/Z}
  a/PC-1: {block: pid, pv: a/SE, out: a/X, action: reverse, tuning: {gain: 1, ti: 60 s}, setpoint: {initial: 2 m}}
  a/PC-2: {block: pid, pv: a/F, out: a/Y, action: reverse, tuning: {gain: 1, ti: 60 s}, setpoint: {initial: 2 m}}
  a/TP: {block: three_position, pv: a/LT-1, setpoint: {tag: a/OO/SP}, action: direct, band: 20 cm, hysteresis: 5 cm}
  a/OO: {block: on_off, pv: a/LT-1, setpoint: {initial: 2 m}, action: reverse, hysteresis: 10 cm, min_on: 10 s}
  a/CO: {block: counter, up: a/ED, preset: 10, reset: a/LA}
  a/LA: {block: latch, kind: rs, set: a/ED, reset: a/VO}
  a/ED: {block: edge, kind: r_trig, input: a/P-1/RUN}
  a/VO: {block: vote, inputs: [a/LT-1 > 4 m, a/F > 4 m, a/RL > 4 m], need: 2, disagree_time: 1 min}
  a/SE: {block: select, inputs: [a/LT-1, a/F, a/RL], kind: median, least: 2}
  a/RA: {block: ratio, input: a/FT-1, ratio: {initial: 0.5, limits: [0, 2], ramp: 0.1 /s}, bias: 100 l/h}
  a/FQ: {block: totaliser, input: a/FT-1, unit: l, cutoff: 1 %, reset: a/ED}
  a/FH: {block: totaliser, input: a/LT-1, unit: m3, per: 1 h, decimals: 0}
  a/CH: {block: characteriser, input: a/LT-1, curve: [[0 m, 0 m3], [2 m, 10 m3], [500 cm, 40000 l]], unit: m3}
  a/RL: {block: rate_limit, input: a/LT-1 + 1 m, rate: 60 mm/min}
  a/DT: {block: dead_time, input: a/LT-1, time: 30 s}
  a/LL: {block: lead_lag, input: a/F, lead: 5 s, lag: 20 s, gain: 2}
  a/F: {block: filter, input: a/LT-1, time: 10 s}
"""


def test_function_blocks(compiled: Compile) -> None:
    site = compiled.site(FUNCTIONS)
    tags, blocks = site.by_path(), {block.path: block for block in site.blocks}
    order = [block.path for block in site.blocks]
    for first, then in (
        ("a/F", "a/LL"),
        ("a/SE", "a/PC-1"),
        ("a/PC-2", "a/OV"),
        ("a/OV", "a/SR"),
        ("a/OO", "a/TP"),
    ):
        assert order.index(first) < order.index(then)
    assert (tags["a/F"].unit, tags["a/F"].range, tags["a/F"].history.deadband) == ("m", (0.0, 5.0), 0.005)
    assert (tags["a/CH"].unit, tags["a/CH"].range) == ("m³", (0.0, 40.0))
    assert blocks["a/CH"].config["curve"] == [[0.0, 0.0], [2.0, 10.0], [5.0, 40.0]]
    assert blocks["a/RL"].config["up"] == blocks["a/RL"].config["down"] == pytest.approx(0.001)
    assert blocks["a/FQ"].config["gain"] == pytest.approx(1000 / 3600)  # l per second of 1 m³/h
    assert blocks["a/FQ"].config["cutoff"] == 0.5
    assert blocks["a/FH"].config["gain"] == pytest.approx(1 / 3600)
    assert (tags["a/FQ"].retain, tags["a/FQ"].unit, tags["a/FQ/RESET"].writable) == (True, "l", True)
    assert blocks["a/RA"].config["bias"] == pytest.approx(0.1)
    assert (tags["a/RA"].unit, tags["a/RA/RATIO"].limits, tags["a/RA/RATIO"].retain) == (
        "m³/h",
        (0.0, 2.0),
        True,
    )
    assert tags["a/SE/SELECTED"].states == {"0": "None", "1": "a/LT-1", "2": "a/F", "3": "a/RL"}
    assert "a/VO/DISAGREE/ALARM" in tags
    assert "a/TP/SP" not in tags
    assert tags["a/OO"].type == tags["a/LA"].type == tags["a/VO"].type == "bool"
    assert (tags["a/CO/CV"].type, tags["a/CO/CV"].retain) == ("int32", True)
    assert build(site).output_of.keys() >= {"a/HV-1", "a/CV-1", "a/X", "a/Y", "a/Z"}


def test_the_digest_changes_with_any_file(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, {})
    first = read_site(folder, drivers=DRIVERS)
    assert read_site(folder, drivers=DRIVERS) == first
    (folder / "notes.yaml").write_text("# nothing\n")
    assert read_site(folder, drivers=DRIVERS).digest != first.digest


def test_a_second_field_service(tmp_path: Path) -> None:
    site = compile_case(
        tmp_path,
        "",
        **{
            "site.yaml": "site: two\ntimezone: UTC\nservices: [hmi, field, control, field2]\n",
            "more.yaml": 'devices:\n  PLC2: {driver: modbus, endpoint: "tcp://127.0.0.1:5021", service: field2}\n'
            "tags:\n  b/x: {device: PLC2, address: coil/0, type: bool}\n",
        },
    )
    assert site.services == ("field", "field2", "control", "hmi")
    tags = site.by_path()
    assert (tags["b/x"].writer, tags["system/PLC2/armed"].writer) == ("field2", "field2")
    assert {"system/field2/memory", "system/supervisor/field2"} <= set(tags)
    assert "system/historian/ok" not in tags


def test_overrides_move_ports(demo: Site) -> None:
    moved = apply_overrides(demo, 14840, 18080, 15020)
    assert moved.opcua_endpoint == "opc.tcp://127.0.0.1:14840"
    assert moved.hmi_port == 18080
    endpoints = {device.name: device.config["endpoint"] for device in moved.devices}
    assert endpoints == {f"PLC{i}": f"tcp://127.0.0.1:{15019 + i}" for i in (1, 2, 3)}
    assert apply_overrides(demo, None, None, None) == demo
    real = dataclasses.replace(
        demo, devices=tuple(dataclasses.replace(d, simulate=None) for d in demo.devices)
    )
    assert apply_overrides(real, plc_port=15020).devices == real.devices
    with pytest.raises(ValueError, match="not in 1"):
        apply_overrides(demo, 70000)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match="there is no such folder"):
        read_site(tmp_path / "nothing", drivers=DRIVERS)
    with pytest.raises(SiteError, match="no YAML file"):
        read_site(tmp_path, drivers=DRIVERS)


def test_installed_drivers_are_found() -> None:
    assert len(read_site(DEMO).devices) == 3
