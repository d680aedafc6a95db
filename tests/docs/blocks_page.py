"""Makes docs/reference/blocks.md and its pictures from the blocks themselves: `python -m tests.docs.blocks_page`.

Text, equations and sources are the docstrings of `scada.blocks`; keys come from what the site's YAML may hold; pictures
from running the blocks. So the page cannot say anything else than the program does.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from scada.blocks.registry import TYPES
from tags.site import function_models as fm
from tags.site.block_keys import KEYS
from tests.docs.pictures import PICTURES

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "reference" / "blocks.md"
IMAGES = DOCS / "images" / "blocks"

CHAPTERS = {
    "Control": ("pid", "on_off", "ramp", "ratio", "split_range", "override_select"),
    "Units of the plant": (
        "motor",
        "drive",
        "duty_standby",
        "on_off_valve",
        "damper",
        "valve",
        "interlock",
        "cause_effect",
    ),
    "Buildings": ("schedule", "setback", "setpoint_reset", "changeover", "frost_protection"),
    "Signals": ("filter", "rate_limit", "dead_time", "characteriser", "select", "totaliser", "calc", "own"),
    "Logic and time": ("timer", "edge", "compare", "hysteresis", "vote"),
}
EXAMPLES = {
    "pid": "tank1/LIC-101: {block: pid, pv: tank1/LT-101, out: tank1/LV-101/OUT, action: reverse, tuning: {gain: 4, ti: 5 min}, setpoint: {initial: 2.5 m}}",
    "on_off": "room1/TC-1: {block: on_off, pv: room1/TT-1, setpoint: {initial: 21 degC}, action: reverse, hysteresis: 1 K, min_off: 3 min}",
    "three_position": "room1/TC-2: {block: three_position, pv: room1/TT-1, setpoint: {tag: room1/TC-1/SP}, action: reverse, band: 1 K, hysteresis: 0.2 K}",
    "ramp": "oven1/RAMP: {block: ramp, out: oven1/SP, setpoint: {initial: 20 degC, limits: [15 degC, 90 degC]}, rate: 2 K/min}",
    "ratio": "mix1/FF-2: {block: ratio, input: mix1/FT-1, ratio: {initial: 0.25, limits: [0, 1]}}",
    "split_range": 'room1/SPLIT: {block: split_range, input: room1/DEMAND, outs: [{out: room1/HV, from: [0, 50], to: [100, 0]}, {out: room1/CV, from: [50, 100], to: [0, 100]}]}',
    "override_select": "pump1/LOW: {block: override_select, kind: low, inputs: [pump1/FLOW, pump1/PRESSURE], out: pump1/SPD}",
    "motor": "tank1/P-101: {block: motor, start_time: 5 s, min_off: 30 s, auto: tank1/LT-101 > 2 m, trip: {when: tank1/LT-101 < 0.3 m, for: 2 s}}",
    "duty_standby": "tank1/PUMPS: {block: duty_standby, members: [tank1/P-102, tank1/P-103], demand: tank1/LT-101 > 3 m}",
    "drive": "pump1/P-1: {block: drive, input: pump1/FLOW, actual: pump1/P-1/N, limits: [20 %, 100 %], stopped: 0 %, ramp: 5 %/s, tolerance: 5 %}",
    "damper": "ahu1/FD-1: {block: damper, travel: 90 s, tolerance: 3 %, min: 20 %, permit: pump1/P-1/RUN}",
    "on_off_valve": "tank1/XV-101: {block: on_off_valve, travel: 20 s, auto: tank1/LT-101 < 4 m}",
    "valve": "tank1/LV-101: {block: valve, travel: 40 s, tolerance: 3 %}",
    "interlock": "tank1/LSHH: {block: interlock, target: tank1/LV-101/OUT, when: tank1/LT-101 > 4.5 m, value: 0 %}",
    "cause_effect": "tank1/TRIPS: {block: cause_effect, bypass: {max: 8 h}, causes: {LSHH: {when: tank1/LT-101 > 4.5 m, for: 2 s, trips: [inlet]}, LSLL: {when: tank1/LT-101 < 0.3 m, trips: {pump: 0 s, inlet: 30 s}, reset: manual, bypass: false}}, effects: {inlet: {target: tank1/LV-101/OUT, value: 0 %, reset: auto}, pump: {target: tank1/P-101}}}",
    "filter": "tank1/LT-101F: {block: filter, input: tank1/LT-101, time: 10 s}",
    "lead_lag": "tank1/FF: {block: lead_lag, input: mix1/FT-1, lead: 5 s, lag: 20 s, gain: 0.8}",
    "dead_time": "mix1/DELAYED: {block: dead_time, input: mix1/FT-1, time: 30 s}",
    "rate_limit": "oven1/SLOW: {block: rate_limit, input: room1/TT-1, rate: 2 K/min}",
    "characteriser": "tank1/VOLUME: {block: characteriser, input: tank1/LT-101, curve: [[0 m, 0 m3], [2 m, 10 m3], [5 m, 40 m3]], unit: m3}",
    "select": "tank1/LEVEL: {block: select, inputs: [tank1/LT-101, tank1/LT-102, tank1/LT-103], kind: median, least: 2}",
    "totaliser": "mix1/FQ-1: {block: totaliser, input: mix1/FT-1, unit: m3, cutoff: 0.5 %}",
    "own": "tank1/LEAK: {block: own, class: LeakWatch, inputs: {level: tank1/LT-101, inflow: mix1/FT-1, outflow: 0 m3/h}, settings: {area: 8 m2}}",
    "calc": "tank1/SUM: {block: calc, expression: tank1/LT-101 + tank1/LT-102}",
    "compare": "tank1/EQUAL: {block: compare, kind: eq, input: tank1/LT-101, to: tank1/LT-102, tolerance: 5 cm, hysteresis: 1 cm}",
    "setpoint_reset": "heating/FLOW-SP: {block: setpoint_reset, input: ahu1/OAT, unit: degC, curve: [[-15 degC, 75 degC], [20 degC, 25 degC]], limits: [25 degC, 80 degC], filter: 2 h, shift: [-5 K, 5 K], on_bad: {hold: 1 h, then: 60 degC}}",
    "setback": "room1/SP: {block: setback, schedule: office, pv: room1/TT-1, occupied: 21 degC, setback: 16 degC, optimum_start: {longest: 4 h, rate: 1.5 K/h}}",
    "frost_protection": "ahu1/FROST: {block: frost_protection, input: 'min(ahu1/TT-1, ahu1/TT-2)', start: 8 degC, full: 5 degC, trip: 3 degC, for: 10 s, outdoor: ahu1/OAT, pump_below: 3 degC}",
    "changeover": "hvac/CHANGEOVER: {block: changeover, heating: ahu1/OAT < 12 degC, cooling: ahu1/OAT > 18 degC, min_time: 1 h, pause: 30 min}",
    "timer": "tank1/LONG: {block: timer, kind: ton, input: tank1/P-101/RUN, time: 10 min}",
    "edge": "tank1/STARTED: {block: edge, kind: r_trig, input: tank1/P-101/RUN}",
    "latch": "tank1/WET: {block: latch, kind: rs, set: tank1/LT-101 > 4 m, reset: tank1/RESET}",
    "counter": "tank1/RUNS: {block: counter, up: tank1/P-101/RUN, reset: tank1/RESET, preset: 100}",
    "hysteresis": "tank1/EMPTYING: {block: hysteresis, input: tank1/LT-101, on_above: 4 m, off_below: 2 m}",
    "vote": "tank1/LSHH2: {block: vote, inputs: [tank1/LT-101 > 4.5 m, tank1/LT-102 > 4.5 m, tank1/LT-103 > 4.5 m], need: 2}",
    "schedule": "room1/DAY: {block: schedule, schedule: office, target: oven1/SP, occupied: 60 degC, unoccupied: 20 degC}",
}  # fmt: skip
_DURATIONS = (
    "time",
    "lead",
    "lag",
    "disagree_time",
    "min_on",
    "min_off",
    "start_time",
    "travel",
    "assist_on",
    "assist_off",
    "speed_time",
    "filter",
    "min_time",
    "pause",
    "for",
)

_HEAD = """# Blocks

<!-- Made by `python -m tests.docs.blocks_page` from the blocks themselves; edit their docstrings. -->

The control program is blocks, written under [`control`](site.md#control). A block's path is the key; its points are tags below it,
or stand at the path itself where it says so. What follows holds for all of them.

* **Time** is counted in whole scan periods; a missed scan is not caught up, its time is. After a pause of the machine of more than a
  second (or five scans, whichever is longer) nothing that moves at a rate moves for the pause.
* **Quality.** A block acts on values that are Good, or measured but outside their range. What each does with others is said below. NaN
  and infinity never leave a block as a Good value.
* **Restart.** Set points, modes, tuning, totals, counts and latches are retained. What depends on the time between (filters, modes) is
  taken up after a stop of up to ten minutes.
* **Outputs** are driven through limits, rate, interlocks, Local/Remote and arming, see [safety](../explanation/safety.md); a block whose
  output is not its own for a while follows it and takes over without a bump.
* **A block that raises an error** stands alone: its points turn BadInternalError, `system/control/FAILED` is raised, and it is tried again
  each 100 scans.

The pictures are drawn by the blocks themselves.

| looked for | is here |
|---|---|
| PI, PID, cascade, remote cascade, feed-forward, gain scheduling, tracking | [pid](#pid) |
| set-point ramp | `setpoint: {ramp}` of [pid](#pid) and [on_off](#on_off-three_position); of outputs: [ramp](#ramp) |
| TON, TOF, TP · R_TRIG, F_TRIG, SR, RS, CTU, CTD, CTUD · GT, GE, EQ, LE, LT, NE | [timer](#timer) · [edge, latch, counter](#edge-latch-counter) · [compare](#compare) |
| average, minimum, maximum, median, main and reserve · 2oo3 voting | [select](#select) · [vote](#vote) |
| permissives | `start_permit` of a [motor](#motor), `permit` of a [valve](#on_off_valve) or [damper](#damper) |
| trip with manual reset, restart delay, starts per hour, run hours | `trip`, `min_off`, `starts_per_hour` and the point HOURS of a [motor](#motor) |
| travel time, discrepancy, stuck valve, stroke count | [valve](#valve) with a position, [on_off_valve](#on_off_valve) with end switches |
| variable-speed drive, frequency converter · standby and assist pumps, lead/lag pumps | [drive](#drive) · [duty_standby](#duty_standby) |
| first-out, bypass | [cause_effect](#cause_effect), [interlock](#interlock) |
| holidays, override of a schedule · night set-back, optimum start | [schedule](#schedule) · [setback](#setback) |
| heating curve, outdoor compensation · heating/cooling changeover | [setpoint_reset](#setpoint_reset) · [changeover](#changeover) |
"""


def module_of(name: str) -> Any:
    """The module that documents a block."""
    return inspect.getmodule(TYPES[name])


def made_of(name: str) -> list[str]:
    """The blocks that one module documents, in the order of the examples."""
    made = module_of(name)
    return sorted((kind for kind in TYPES if module_of(kind) is made), key=list(EXAMPLES).index)


def text_of(name: str) -> tuple[str, str]:
    """First line and rest of the docstring of a block's module, as Markdown."""
    doc = inspect.getdoc(module_of(name)) or ""
    first, _, rest = doc.partition("\n")
    blocks = []
    for paragraph in re.split(r"\n\s*\n", rest.strip("\n")):
        if all(line.startswith("    ") for line in paragraph.splitlines()):
            lines = [line[4:] for line in paragraph.splitlines()]
            blocks.append("```text\n" + "\n".join(lines) + "\n```")
        else:
            blocks.append(re.sub(r"::$", ":", paragraph, flags=re.MULTILINE))
    return first, "\n\n".join(blocks)


def points_of(name: str) -> str:
    """What the class says of its points."""
    doc = " ".join((inspect.getdoc(TYPES[name]) or "").split())
    return doc.removeprefix("See the module. ").removeprefix("See the module.")


def default_of(key: str, model: type[BaseModel]) -> str:
    """The default of a key as it would be written."""
    field = next(f for n, f in model.model_fields.items() if (f.alias or n) == key)
    value = field.default
    if value is PydanticUndefined:
        return "needed" if field.default_factory is None else ""
    if value is None or value == "" or isinstance(value, BaseModel | dict):
        return ""
    if key in _DURATIONS and isinstance(value, int):
        return f"{value / 1e9:g} s"
    return f"{value:g}" if isinstance(value, float) else str(value)


def keys_of(name: str) -> Iterable[str]:
    """The table of keys."""
    yield "| key | default | meaning |"
    yield "|---|---|---|"
    for key, meaning in KEYS[name].items():
        yield f"| `{key}` | {default_of(key, fm.BLOCKS[name])} | {meaning} |"


def page() -> str:
    """The whole page."""
    out = [_HEAD]
    for chapter, names in CHAPTERS.items():
        out.append(f"## {chapter}\n")
        for name in names:
            together = made_of(name)
            first, rest = text_of(name)
            out += [f"### {', '.join(together)}\n", f"{first}\n", f"{rest}\n"]
            for kind in together:
                if len(together) > 1:
                    out.append(f"#### {kind}\n")
                if kind in PICTURES:
                    out.append(f"![{kind}](../images/blocks/{kind}.svg)\n")
                out += [f"{points_of(kind)}\n", *keys_of(kind), ""]
                out += ["```yaml", EXAMPLES[kind], "```\n"]
    return "\n".join(out).rstrip() + "\n"


def main() -> None:
    """Writes page and pictures."""
    PAGE.write_text(page())
    IMAGES.mkdir(parents=True, exist_ok=True)
    for name, made in PICTURES.items():
        (IMAGES / f"{name}.svg").write_text(made())


if __name__ == "__main__":
    main()
