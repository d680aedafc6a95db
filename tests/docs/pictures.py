"""What the blocks do, drawn by running them: one picture a block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.blocks.rig import SECOND, Rig, block, pid
from tests.docs import building_pictures, unit_pictures
from tests.docs.drawing import Line, draw

RANGE = {"range": (0.0, 100.0)}
_SETPOINT: dict[str, Any] = {
    "setpoint_tag": None,
    "sp_low": 0.0,
    "sp_high": 40.0,
    "sp_initial": 20.0,
    "ramp": 0.0,
}


def _signal(kind: str, inputs: list[float], points: str = "", **config: Any) -> str:
    """A block with one number in and one out."""
    rig = Rig([block("t/B", kind, points, at_path="OUT", input="t/X", **config)], {"t/X": {}}, SECOND)
    out = []
    for value in inputs:
        rig.set("t/X", value)
        rig.scan()
        out.append(float(rig.get("t/B")))
    return draw([Line("input", inputs), Line("OUT", out)], 1.0)


STEP = [0.0] * 5 + [10.0] * 30 + [4.0] * 26


def _filter() -> str:
    return _signal("filter", STEP, time_ns=5 * SECOND)


def _lead_lag() -> str:
    return _signal("lead_lag", STEP, lead_ns=8 * SECOND, lag_ns=5 * SECOND, gain=1.0)


def _dead_time() -> str:
    return _signal("dead_time", STEP, time_ns=8 * SECOND)


def _rate_limit() -> str:
    return _signal("rate_limit", STEP, up=0.5, down=1.0)


def _characteriser() -> str:
    curve = [[0.0, 0.0], [2.0, 10.0], [5.0, 40.0]]
    rig = Rig(
        [block("t/B", "characteriser", at_path="OUT", input="t/X", curve=curve, outside="hold")],
        {"t/X": {}},
        SECOND,
    )
    out = []
    for n in range(61):
        rig.set("t/X", n / 10)
        rig.scan()
        out.append(float(rig.get("t/B")))
    return draw([Line("OUT", out)], 0.1, x_name="input")


def _ratio() -> str:
    rig = Rig(
        [block("t/B", "ratio", "RATIO", at_path="OUT", input="t/X", ratio=0.5, ramp=0.05, low=0.0, high=2.0)],
        {"t/X": {}},
        SECOND,
    )
    flow, out = [], []
    for n in range(61):
        if n == 30:
            rig.write("t/B/RATIO", 1.0)
        flow.append(6.0 + (4.0 if n >= 12 else 0.0))
        rig.set("t/X", flow[-1])
        rig.scan()
        out.append(float(rig.get("t/B")))
    return draw([Line("input", flow), Line("OUT", out)], 1.0)


def _totaliser() -> str:
    config = {"input": "t/X", "gain": 0.1, "cutoff": 0.5, "reset": None}
    rig = Rig([block("t/B", "totaliser", "LAST RESET", at_path="TOTAL", **config)], {"t/X": {}}, SECOND)
    flow, total = [], []
    for n in range(61):
        if n == 45:
            rig.write("t/B/RESET", True)
        flow.append(10.0 if 5 <= n < 25 else 0.3 if n < 35 else 6.0)
        rig.set("t/X", flow[-1])
        rig.scan()
        total.append(float(rig.get("t/B")))
    return draw([Line("input", flow), Line("TOTAL", total)], 1.0)


def _select() -> str:
    config = {"inputs": ["t/A", "t/B", "t/C"], "kind": "median", "least": 1}
    rig = Rig(
        [block("t/S", "select", "USED SELECTED", at_path="OUT", **config)],
        {path: {} for path in ("t/A", "t/B", "t/C")},
        SECOND,
    )
    shown: list[list[float]] = [[], [], [], []]
    for n in range(61):
        values = (5.0 + n / 20, 5.5 + n / 20, 5.2 + n / 20 if n < 25 else 0.0 if n < 45 else 10.0)
        for path, value, line in zip(("t/A", "t/B", "t/C"), values, shown, strict=False):
            rig.set(path, value)
            line.append(value)
        rig.scan()
        shown[3].append(float(rig.get("t/S")))
    names = ("third input", "first", "second", "OUT (median)")
    order = (2, 0, 1, 3)
    return draw([Line(name, shown[i]) for name, i in zip(names, order, strict=True)], 1.0)


def _levels(
    config: Any, inputs: dict[str, str], results: dict[str, str], numbers: dict[str, str] | None = None
) -> str:
    """Conditions in (texts of 0 and 1), conditions and numbers out."""
    rig = Rig([config], {path: {"type": "bool"} for path in inputs}, SECOND)
    seen: dict[str, list[bool]] = {path: [] for path in (*inputs, *results)}
    counted: dict[str, list[float]] = {path: [] for path in numbers or {}}
    for letters in zip(*inputs.values(), strict=True):
        for path, letter in zip(inputs, letters, strict=True):
            rig.set(path, letter == "1")
            seen[path].append(letter == "1")
        rig.scan()
        for path in results:
            seen[path].append(bool(rig.get(path)))
        for path, line in counted.items():
            line.append(float(rig.get(path)))
    names = {**{path: path.rpartition("/")[2].lower() for path in inputs}, **results}
    lines = [Line((numbers or {})[path], line) for path, line in counted.items()]
    return draw([*lines, *(Line(names[path], line) for path, line in seen.items())], 1.0)


_IN = "0000111111111111000000001110000000000111111000000000011100000"


def _timer() -> str:
    rigs = {
        kind: Rig(
            [block("t/T", "timer", "ET", at_path="Q", kind=kind, input="t/IN", time_ns=6 * SECOND)],
            {"t/IN": {"type": "bool"}},
            SECOND,
        )
        for kind in ("ton", "tof", "tp")
    }
    lines = [Line("input", [letter == "1" for letter in _IN])]
    for kind, rig in rigs.items():
        q = []
        for letter in _IN:
            rig.set("t/IN", letter == "1")
            rig.scan()
            q.append(bool(rig.get("t/T")))
        lines.append(Line(kind.upper(), q))
    return draw(lines, 1.0)


def _edge() -> str:
    return _levels(
        block("t/Q", "edge", at_path="Q", kind="r_trig", input="t/INPUT"),
        {"t/INPUT": _IN},
        {"t/Q": "Q (r_trig)"},
    )


def _latch() -> str:
    reset = "0000000000000000011000000000000011110000000000001000000000000"
    return _levels(
        block("t/Q", "latch", at_path="Q", kind="rs", set="t/SET", reset="t/RESET"),
        {"t/SET": _IN, "t/RESET": reset},
        {"t/Q": "Q (rs)"},
    )


def _counter() -> str:
    up = "0010100100101001010100000000000101001000000000000000000000000"
    down = "0000000000000000000001010010000000000000101010010000000000000"
    return _levels(
        block("t/C", "counter", "CV QU QD", preset=5, up="t/UP", down="t/DOWN"),
        {"t/UP": up, "t/DOWN": down},
        {"t/C/QU": "QU (5)", "t/C/QD": "QD"},
        {"t/C/CV": "CV"},
    )


def _vote() -> str:
    a = "0000000011111111111100000000000000000000111111111100000000000"
    b = "0000000000001111111111110000000000000000000000000000000000000"
    c = "0000000000000000000011110000000000000000000000000000000000000"
    config = {"inputs": ["t/A", "t/B", "t/C"], "need": 2, "on_bad": "vote", "disagree_ns": 6 * SECOND}
    return _levels(
        block("t/V", "vote", "VOTES DISAGREE", at_path="Q", **config),
        {"t/A": a, "t/B": b, "t/C": c},
        {"t/V": "Q (2oo3)", "t/V/DISAGREE": "DISAGREE"},
    )


def _cause_effect() -> str:
    """Two causes; one effect goes with them, one is late and waits for a reset."""
    high = "0000001111111111111111111111111100000000000000000000000000000"
    low = "0000000000000000000000001111111111111111000000000000000000000"
    reset = "0000000000000000000000000000000000000000000000000001000000000"
    causes = [
        {"name": "HIGH", "when": "t/HIGH", "for_ns": 3 * SECOND, "trips": [[0, 0], [1, 12 * SECOND]]},
        {"name": "LOW", "when": "t/LOW", "trips": [[0, 0]]},
    ]
    effects = [{"name": "inlet", "reset": "auto"}, {"name": "pumps", "reset": "manual"}]
    config = block(
        "t/M", "cause_effect", "FIRST_OUT inlet/ACTIVE pumps/ACTIVE", causes=causes, effects=effects
    )
    rig = Rig([config], {"t/HIGH": {"type": "bool"}, "t/LOW": {"type": "bool"}}, SECOND)
    seen: dict[str, list[bool]] = {
        name: [] for name in ("HIGH", "LOW", "inlet", "pumps", "RESET", "first out: HIGH")
    }
    for a, b, c in zip(high, low, reset, strict=True):
        for name, letter in (("HIGH", a), ("LOW", b), ("RESET", c)):
            seen[name].append(letter == "1")
        rig.set("t/HIGH", a == "1")
        rig.set("t/LOW", b == "1")
        if c == "1":
            rig.blocks["t/M"].write("RESET", value=True)
        rig.scan()
        for name in ("inlet", "pumps"):
            seen[name].append(bool(rig.get(f"t/M/{name}/ACTIVE")))
        seen["first out: HIGH"].append(rig.get("t/M/FIRST_OUT") == 1)
    return draw([Line(name, line) for name, line in seen.items()], 1.0)


def _room(rig: Rig, heat: Callable[[], float], scans: int = 241) -> list[float]:
    """A room of 15 degrees outside that the block heats; 5 s a scan."""
    temperature, seen = 16.0, []
    for _ in range(scans):
        rig.set("t/TT", temperature)
        rig.scan()
        seen.append(temperature)
        temperature += (15.0 - temperature) / 40 + heat()
    return seen


def _on_off() -> str:
    config = _SETPOINT | {"pv": "t/TT", "action": "reverse", "hysteresis": 1.0}
    rig = Rig([block("t/TC", "on_off", "SP", at_path="OUT", **config)], {"t/TT": {}}, 5 * SECOND)
    out: list[bool] = []

    def heat() -> float:
        out.append(bool(rig.get("t/TC")))
        return 0.25 if out[-1] else 0.0

    seen = _room(rig, heat)
    return draw([Line("SP", [20.0] * len(seen)), Line("PV", seen), Line("OUT", out)], 5.0)


def _three_position() -> str:
    config = _SETPOINT | {"pv": "t/TT", "action": "reverse", "band": 1.0, "hysteresis": 0.2}
    rig = Rig([block("t/TC", "three_position", "SP RAISE LOWER", **config)], {"t/TT": {}}, 5 * SECOND)
    up: list[bool] = []
    down: list[bool] = []
    valve = [0.0]

    def heat() -> float:
        up.append(bool(rig.get("t/TC/RAISE")))
        down.append(bool(rig.get("t/TC/LOWER")))
        valve.append(min(max(valve[-1] + 0.01 * (up[-1] - down[-1]), 0.0), 1.0))
        return 0.25 * valve[-1]

    seen = _room(rig, heat)
    sp = [20.0] * len(seen)
    return draw([Line("SP", sp), Line("PV", seen), Line("RAISE", up), Line("LOWER", down)], 5.0)


def _hysteresis() -> str:
    rig = Rig(
        [block("t/H", "hysteresis", at_path="OUT", input="t/X", on_above=7.0, off_below=3.0)],
        {"t/X": {}},
        SECOND,
    )
    level, out = [5.0], []
    for _ in range(61):
        rig.set("t/X", level[-1])
        rig.scan()
        out.append(bool(rig.get("t/H")))
        level.append(level[-1] + (-0.45 if out[-1] else 0.3))
    return draw([Line("input", level[:-1]), Line("OUT", out)], 1.0)


def _ramp() -> str:
    config: dict[str, Any] = {
        "out": ["t/O"],
        "sp_initial": 40.0,
        "sp_low": 0.0,
        "sp_high": 100.0,
        "rate": 2.0,
    }
    rig = Rig([block("t/R", "ramp", "SP", **config)], {"t/O": RANGE}, SECOND)
    rig.ready(**{"t/O": 10.0})
    sp, out = [], []
    for n in range(61):
        if n == 35:
            rig.write("t/R/SP", 20.0)
        rig.scan()
        sp.append(float(rig.get("t/R/SP")))
        out.append(float(rig.applied("t/O")))
    return draw([Line("SP", sp), Line("output", out)], 1.0)


def _pid() -> str:
    """A tank of first order with dead time: set point step, then a disturbance."""
    rig = Rig(
        [pid(gain=1.6, ti_ns=20 * SECOND, td_ns=3 * SECOND, sp_initial=30.0)],
        {"t/PV": RANGE, "t/OUT": RANGE},
        SECOND,
    )
    pv, line = 30.0, [30.0] * 5
    rig.ready(**{"t/OUT": 30.0})
    shown: dict[str, list[float]] = {"SP": [], "PV": [], "out": []}
    for n in range(241):
        if n == 10:
            rig.write("t/LIC/SP", 60.0)
        rig.set("t/PV", pv)
        rig.scan()
        for name, value in (("SP", rig.get("t/LIC/SP")), ("PV", pv), ("out", rig.applied("t/OUT"))):
            shown[name].append(float(value))
        line.append(float(rig.applied("t/OUT")))
        pv += (line[-6] - pv - (15.0 if n >= 130 else 0.0)) / 20
    return draw([Line(name, values) for name, values in shown.items()], 1.0, "%")


def _split_range() -> str:
    outs = [
        {"out": "t/HV", "from": [0.0, 50.0], "to": [100.0, 0.0]},
        {"out": "t/CV", "from": [50.0, 100.0], "to": [0.0, 100.0]},
    ]
    rig = Rig(
        [block("t/SR", "split_range", input="t/U", outs=outs)],
        {"t/U": {}, "t/HV": RANGE, "t/CV": RANGE},
        SECOND,
    )
    rig.ready(**{"t/HV": 100.0, "t/CV": 0.0})
    heat, cool = [], []
    for n in range(101):
        rig.set("t/U", float(n))
        rig.scan()
        heat.append(float(rig.applied("t/HV")))
        cool.append(float(rig.applied("t/CV")))
    return draw([Line("heating", heat), Line("cooling", cool)], 1.0, "%", "% input")


def _override_select() -> str:
    """A flow controller until the pressure is too high."""
    rig = Rig(
        [
            pid("t/FC", pv="t/FT", out="t/UF", gain=0.8, sp_initial=60.0),
            pid("t/PC", pv="t/PT", out="t/UP", gain=0.8, sp_initial=50.0),
            block("t/OV", "override_select", "SELECTED", kind="low", inputs=["t/UF", "t/UP"], out="t/V"),
        ],
        {
            "t/FT": RANGE,
            "t/PT": RANGE,
            "t/UF": {"kind": "memory", **RANGE},
            "t/UP": {"kind": "memory", **RANGE},
            "t/V": RANGE,
        },
        SECOND,
    )
    rig.ready(**{"t/UF": 40.0, "t/UP": 40.0, "t/V": 40.0})
    flow, pressure = 40.0, 25.0
    shown: dict[str, list[float]] = {"valve": [], "flow controller": [], "pressure controller": []}
    for n in range(241):
        rig.set("t/FT", flow)
        rig.set("t/PT", pressure)
        rig.scan()
        paths = ("t/V", "t/UF", "t/UP")
        for name, path in zip(shown, paths, strict=True):
            shown[name].append(float(rig.applied(path) if path == "t/V" else rig.get(path)))
        valve = float(rig.applied("t/V"))
        flow += (valve - flow) / 4
        pressure += ((1.3 if 80 <= n < 160 else 0.5) * valve - pressure) / 8
    return draw([Line(name, values) for name, values in shown.items()], 1.0, "%")


PICTURES: dict[str, Callable[[], str]] = {
    **building_pictures.PICTURES,
    **unit_pictures.PICTURES,
    **{name.removeprefix("_"): made
    for name, made in (
        (made.__name__, made)
        for made in (
            _filter, _lead_lag, _dead_time, _rate_limit, _characteriser, _ratio, _totaliser, _select, _timer, _edge,
            _latch, _counter, _vote, _cause_effect, _on_off, _three_position, _hysteresis, _ramp, _pid, _split_range,
            _override_select,
        )
    )},
}  # fmt: skip
