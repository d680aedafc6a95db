"""Pictures of the blocks for drives and buildings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.blocks.rig import SECOND, Rig, block, motor, pid
from tests.docs.drawing import Line, draw

RANGE = {"range": (0.0, 100.0)}


def _compare() -> str:
    rigs = {}
    kinds: dict[str, dict[str, Any]] = {
        "gt": {"kind": "gt", "to": "t/Y", "hysteresis": 10.0},
        "eq": {"kind": "eq", "to": "t/Y", "tolerance": 5.0, "hysteresis": 2.0},
    }
    for name, config in kinds.items():
        rigs[name] = Rig(
            [block("t/C", "compare", at_path="OUT", input="t/X", **config)], {"t/X": {}, "t/Y": {}}, SECOND
        )
    inputs = [20.0 + 2.0 * n for n in range(31)] + [80.0 - 1.5 * n for n in range(30)]
    lines = [Line("input", inputs), Line("to", [50.0] * 61)]
    for name, rig in rigs.items():
        out = []
        for x in inputs:
            rig.set("t/X", x)
            rig.set("t/Y", 50.0)
            rig.scan()
            out.append(bool(rig.get("t/C")))
        lines.append(Line(name.upper(), out))
    return draw(lines, 1.0)


def _drive() -> str:
    """Started, under its controller, then by hand, then stopped."""
    base = motor("t/P", auto="t/WANT")
    config: dict[str, Any] = {
        **base.config, "speed": "t/SPD", "input": "t/U", "actual": None, "speed_low": 20.0, "speed_high": 90.0, "stopped": 0.0,
        "ramp": 5.0,
    }  # fmt: skip
    names = "MODE CMD AUTO STATE TRIP RESET HOURS STARTS SP"
    units = {f"t/P/{name}": {"type": "bool"} for name in ("START", "STOP", "RUN", "REM", "FLT")}
    tags: dict[str, dict[str, Any]] = {"t/PT": RANGE, "t/U": {"kind": "memory", **RANGE}, "t/SPD": RANGE, "t/WANT": {"type": "bool"}, **units}  # fmt: skip
    rig = Rig(
        [
            pid("t/PC", pv="t/PT", out="t/U", gain=1.0, ti_ns=8 * SECOND),
            block("t/P", "drive", names, **config),
        ],
        tags,
        SECOND,
    )
    for name in ("RUN", "FLT"):
        rig.set(f"t/P/{name}", False)
    rig.set("t/P/REM", True)
    rig.set("t/WANT", False)
    rig.ready(**{"t/SPD": 0.0})
    speed: list[float] = []
    pressure: list[float] = []
    run: list[bool] = []
    level = 30.0
    for n in range(61):
        rig.set("t/WANT", 4 <= n < 50)
        rig.set("t/PT", level)
        if n == 34:
            rig.write("t/P/MODE", 1)
        if n == 36:
            rig.write("t/P/SP", 80.0)
        if n == 44:
            rig.write("t/P/MODE", 2)
        rig.scan()
        on = bool(rig.applied("t/P/START")) or (bool(run and run[-1]) and not rig.applied("t/P/STOP"))
        rig.set("t/P/RUN", on)
        run.append(on)
        speed.append(float(rig.applied("t/SPD")))
        pressure.append(level)
        level += (0.9 * speed[-1] * on + 10.0 - level) * 0.2
    return draw([Line("speed", speed), Line("pressure", pressure), Line("runs", run)], 1.0)


def _damper() -> str:
    config: dict[str, Any] = {
        "out": "t/OUT", "input": "t/U", "stroke": [0.0, 100.0], "min": 20.0, "permit": "t/FAN", "travel_ns": 10 * SECOND,
        "tolerance": 3.0, "first_mode": 2, "pos": None, "opened": None, "closed": None, "remote": None,
    }  # fmt: skip
    rig = Rig([block("t/D", "damper", "MODE SP STATE DISCREPANCY", **config)], {"t/U": RANGE, "t/OUT": RANGE, "t/FAN": {"type": "bool"}}, SECOND)  # fmt: skip
    rig.set("t/U", 0.0)
    rig.set("t/FAN", False)
    rig.ready(**{"t/OUT": 0.0})
    wanted, out, fan = [], [], []
    for n in range(61):
        wanted.append(10.0 if n < 20 else min(10.0 + 3.0 * (n - 20), 85.0))
        fan.append(6 <= n < 54)
        rig.set("t/U", wanted[-1])
        rig.set("t/FAN", fan[-1])
        rig.scan()
        out.append(float(rig.applied("t/OUT")))
    return draw([Line("input", wanted), Line("out", out), Line("permit", fan)], 1.0)


def _setpoint_reset() -> str:
    config: dict[str, Any] = {
        "input": "t/X", "curve": [[-15.0, 75.0], [20.0, 25.0]], "low": 25.0, "high": 80.0, "filter_ns": 6 * 3600 * SECOND,
        "shift_limits": [-5.0, 5.0], "hold_ns": 0, "then": 60.0,
    }  # fmt: skip
    rig = Rig(
        [block("t/R", "setpoint_reset", "SHIFT SUBSTITUTED", at_path="OUT", **config)],
        {"t/X": {}},
        1800 * SECOND,
    )
    outdoor, out = [], []
    for n in range(97):
        outdoor.append(8.0 if n < 12 else -6.0 if n < 60 else 10.0)
        rig.set("t/X", outdoor[-1])
        rig.scan()
        out.append(float(rig.get("t/R")))
    return draw([Line("OUT", out), Line("outdoor", outdoor)], 0.5, x_name="h")


def _setback() -> str:
    week = {
        "periods": [
            [day, at * 3600, state] for day in range(7) for at, state in ((7, "occupied"), (18, "out"))
        ],
        "otherwise": "out",
        "holidays": [],
    }
    config: dict[str, Any] = {
        "calendar": week, "state": "occupied", "pv": "t/TT", "occupied": 21.0, "setback": 16.0,
        "optimum_start": {"longest_ns": 5 * 3600 * SECOND, "rate": 1.5, "adapt": True},
    }  # fmt: skip
    rig = Rig(
        [block("t/S", "setback", "STATE LEAD RATE", at_path="OUT", **config)], {"t/TT": {}}, 360 * SECOND
    )
    room, out, people, t = [], [], [], 21.0
    for n in range(241):
        hour = 14.0 + n / 10
        rig.second_of_day, rig.date = round(hour * 3600) % 86_400, "2026-11-23" if hour < 24 else "2026-11-24"
        rig.weekday = int(hour >= 24)
        rig.set("t/TT", t)
        rig.scan()
        room.append(t)
        out.append(float(rig.get("t/S")))
        people.append(rig.get("t/S/STATE") == 2)
        t += 0.15 if t < out[-1] else -0.05
    return draw([Line("OUT", out), Line("room", room), Line("occupied", people)], 0.1, x_name="h")


def _changeover() -> str:
    config: dict[str, Any] = {
        "heating": "t/X < 12",
        "cooling": "t/X > 18",
        "min_time_ns": 8 * SECOND,
        "pause_ns": 6 * SECOND,
    }
    rig = Rig([block("t/H", "changeover", "STATE HEATING COOLING SELECT", **config)], {"t/X": {}}, SECOND)
    inputs = [15.0] * 3 + [10.0] * 12 + [20.0] * 24 + [10.0] * 22
    heating, cooling = [], []
    for x in inputs:
        rig.set("t/X", x)
        rig.scan()
        heating.append(bool(rig.get("t/H/HEATING")))
        cooling.append(bool(rig.get("t/H/COOLING")))
    return draw([Line("outdoor", inputs), Line("HEATING", heating), Line("COOLING", cooling)], 1.0)


def _frost_protection() -> str:
    config: dict[str, Any] = {
        "input": "t/X",
        "start": 8.0,
        "full": 5.0,
        "trip": 3.0,
        "for_ns": 5 * SECOND,
        "reset": "manual",
    }
    rig = Rig([block("t/F", "frost_protection", "HEAT PUMP TRIP", **config)], {"t/X": {}}, SECOND)
    cold = [12.0 - 0.4 * n for n in range(26)] + [2.0 + 0.4 * n for n in range(35)]
    heat, pump, trip = [], [], []
    for n, t in enumerate(cold):
        if n == 52:
            rig.write("t/F/TRIP", value=False)
        rig.set("t/X", t)
        rig.scan()
        heat.append(float(rig.get("t/F/HEAT")) / 10.0)
        pump.append(bool(rig.get("t/F/PUMP")))
        trip.append(bool(rig.get("t/F/TRIP")))
    return draw([Line("input", cold), Line("HEAT / 10", heat), Line("PUMP", pump), Line("TRIP", trip)], 1.0)


PICTURES: dict[str, Callable[[], str]] = {
    "compare": _compare,
    "drive": _drive,
    "damper": _damper,
    "setpoint_reset": _setpoint_reset,
    "setback": _setback,
    "changeover": _changeover,
    "frost_protection": _frost_protection,
}
