"""Pictures of the blocks that move things: motors, groups of them, valves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.blocks.rig import SECOND, Rig, block, motor
from tests.docs.drawing import Line, draw

BOOL = {"type": "bool"}
_UNIT = ("START", "STOP", "RUN", "REM", "FLT")


def _motors(*paths: str) -> dict[str, dict[str, Any]]:
    return {f"{path}/{name}": BOOL for path in paths for name in _UNIT}


def _stand(rig: Rig, *paths: str) -> None:
    for path in paths:
        rig.set(f"{path}/RUN", False)
        rig.set(f"{path}/FLT", False)
        rig.set(f"{path}/REM", True)


def _starter(rig: Rig, path: str, *, runs: bool) -> bool:
    """What a healthy starter makes of the pulses."""
    return bool(rig.applied(f"{path}/START")) or (runs and not rig.applied(f"{path}/STOP"))


def _motor() -> str:
    """Started and stopped by the program; the second run is lost in the PLC: a trip, until it is reset."""
    config = motor("t/P", auto="t/WANT", min_off_ns=6 * SECOND)
    rig = Rig([config], {"t/WANT": BOOL, **_motors("t/P")}, SECOND)
    _stand(rig, "t/P")
    rig.set("t/WANT", False)
    rig.ready()
    seen: dict[str, list[bool]] = {name: [] for name in ("AUTO", "START", "STOP", "RUN", "TRIP", "RESET")}
    runs = False
    for n in range(61):
        rig.set("t/WANT", 3 <= n < 16 or 18 <= n < 58)
        reset = n == 44
        if reset:
            rig.write("t/P/RESET", value=True)
        rig.scan()
        runs = _starter(rig, "t/P", runs=runs) and n != 34
        rig.set("t/P/RUN", runs)
        for name in ("START", "STOP"):
            seen[name].append(bool(rig.applied(f"t/P/{name}")))
        for name in ("AUTO", "TRIP"):
            seen[name].append(bool(rig.get(f"t/P/{name}")))
        seen["RUN"].append(runs)
        seen["RESET"].append(reset)
    return draw([Line(name, values) for name, values in seen.items()], 1.0)


def _duty_standby() -> str:
    """Two pumps by turns; in the second demand the duty trips and the other takes over."""
    names = ("t/P1", "t/P2")
    members = [motor(path, group="t/G") for path in names]
    config: dict[str, Any] = {"members": list(names), "demand": "t/WANT", "alternate": "each start"}
    rig = Rig(
        [block("t/G", "duty_standby", "DUTY DEMAND", **config), *members],
        {"t/WANT": BOOL, **_motors(*names)},
        SECOND,
    )
    _stand(rig, *names)
    rig.set("t/WANT", False)
    rig.ready()
    seen: dict[str, list[bool]] = {name: [] for name in ("DEMAND", "P1 runs", "P2 runs", "P2 trips")}
    runs = dict.fromkeys(names, False)
    for n in range(61):
        rig.set("t/WANT", 4 <= n < 20 or 26 <= n < 54)
        rig.scan()
        for path in names:
            runs[path] = _starter(rig, path, runs=runs[path]) and not (path == "t/P2" and n == 40)
            rig.set(f"{path}/RUN", runs[path])
        seen["DEMAND"].append(bool(rig.get("t/G/DEMAND")))
        seen["P1 runs"].append(runs["t/P1"])
        seen["P2 runs"].append(runs["t/P2"])
        seen["P2 trips"].append(bool(rig.get("t/P2/TRIP")))
    return draw([Line(name, values) for name, values in seen.items()], 1.0)


def _on_off_valve() -> str:
    """Two strokes of 4 s; in the third the valve does not leave its seat."""
    config: dict[str, Any] = {
        "out": "t/OUT", "opened": "t/OPENED", "closed": "t/CLOSED", "remote": None, "travel_ns": 8 * SECOND, "auto": "t/WANT",
        "permit": None, "first_mode": 2,
    }  # fmt: skip
    tags = {f"t/{name}": BOOL for name in ("OUT", "OPENED", "CLOSED", "WANT")}
    rig = Rig(
        [block("t/XV", "on_off_valve", "MODE CMD AUTO STATE DISCREPANCY STUCK STROKES", **config)],
        tags,
        SECOND,
    )
    seen: dict[str, list[bool]] = {name: [] for name in ("AUTO", "OPENED", "CLOSED", "DISCREPANCY", "STUCK")}
    position = 0.0
    rig.set("t/WANT", False)
    rig.set("t/OPENED", False)
    rig.set("t/CLOSED", True)
    rig.ready(**{"t/OUT": False})
    for n in range(61):
        want = 4 <= n < 18 or n >= 32
        rig.set("t/WANT", want)
        rig.scan()
        if not 32 <= n < 50:  # there it hangs
            position = min(max(position + (0.25 if rig.applied("t/OUT") else -0.25), 0.0), 1.0)
        rig.set("t/OPENED", position >= 1.0)
        rig.set("t/CLOSED", position <= 0.0)
        seen["OPENED"].append(position >= 1.0)
        seen["CLOSED"].append(position <= 0.0)
        for name in ("AUTO", "DISCREPANCY", "STUCK"):
            seen[name].append(bool(rig.get(f"t/XV/{name}")))
    return draw([Line(name, values) for name, values in seen.items()], 1.0)


def _valve() -> str:
    """A valve that follows its output within the travel time, then hangs."""
    config: dict[str, Any] = {
        "out": "t/OUT", "pos": "t/POS", "remote": None, "travel_ns": 10 * SECOND, "tolerance": 3.0,
    }  # fmt: skip
    numbers: dict[str, Any] = {"range": (0.0, 100.0)}
    rig = Rig(
        [block("t/LV", "valve", "DISCREPANCY STUCK STROKES", **config)],
        {"t/OUT": numbers, "t/POS": numbers},
        SECOND,
    )
    out, pos, wrong, stuck = [], [], [], []
    position = 20.0
    for n in range(61):
        asked = 20.0 if n < 4 else 80.0 if n < 24 else 40.0
        if not 24 <= n < 46:  # there it hangs
            position += min(max(asked - position, -10.0), 10.0)
        rig.set("t/OUT", asked)
        rig.set("t/POS", position)
        rig.scan()
        out.append(asked)
        pos.append(position)
        wrong.append(bool(rig.get("t/LV/DISCREPANCY")))
        stuck.append(bool(rig.get("t/LV/STUCK")))
    return draw(
        [Line("out", out), Line("position", pos), Line("DISCREPANCY", wrong), Line("STUCK", stuck)], 1.0, "%"
    )


PICTURES: dict[str, Callable[[], str]] = {
    "motor": _motor,
    "duty_standby": _duty_standby,
    "on_off_valve": _on_off_valve,
    "valve": _valve,
}
