"""What each key of each block means, in a few words: for editors (the JSON Schema) and for the manual."""

from __future__ import annotations

from typing import Final

_SETPOINT: Final = "`{initial, limits, ramp, retain}` of its own, or `{tag: path}` of a tag that holds it"
_ACTION: Final = "`reverse`: the output falls when the PV rises (heating); `direct`: it rises (cooling)"
_ALARM: Final = "`{priority, response}` of the alarm that comes with it"
_MODE: Final = "`first`: mode of the very first start; `restart`: `last` or `manual`; `role`: least role that may change it"
_REMOTE: Final = "tag of the Local/Remote selector, true is Remote; `REM` below the block is found by itself"
_INPUT: Final = "expression of numbers, most often one tag"
_RANGE: Final = (
    "range of the result; by itself that of the input where the block does not change what is measured"
)
_DECIMALS: Final = "decimals on screens"
_BYPASS: Final = (
    "`{max, role, priority, response}`: may be bypassed, how long, by whom (`engineer`), and the alarm of it"
)
_SIGNAL: Final = {"input": _INPUT, "range": _RANGE, "decimals": _DECIMALS}

KEYS: Final[dict[str, dict[str, str]]] = {
    "pid": {
        "pv": "tag of the measured value",
        "out": "tag that it drives: an output, or a memory tag that a split range or override takes on",
        "action": _ACTION,
        "form": "`ideal`: the gain acts on all three parts; `parallel`: `ki` and `kd` stand for themselves",
        "tuning": "`gain` (percent of out for a percent of pv), `ti` (0: no integral action), `td`; parallel: `gain`, `ki` in 1/s, `kd` in s",
        "setpoint": f"{_SETPOINT}; `cascade`: tag of the set point in Cascade; `remote: {{timeout, then}}`: Remote cascade; `track_pv`: SP follows the PV in Manual",
        "out_limits": "least and largest output; by itself those of the tag",
        "track": "`{when, value}`: while the condition holds the output follows the expression",
        "mode": f"{_MODE}; `permitted`: list of modes, by itself all that it can have; `on_bad_pv: {{hold, then}}`: hold for a time, then `manual` or a value",
        "feedforward": "`{input, gain}`: expression that is added, times units of out per unit of it",
        "gain_schedule": "`{input, curve}`: factor of the gain by an expression, points [x, factor]",
        "every": "executes not more often than this; by itself once for each new sample of pv",
    },
    "valve": {
        "out": "tag of the output; `OUT` below the block is found by itself",
        "pos": "tag of the position; `POS` is found by itself",
        "remote": _REMOTE,
        "travel": "longest time of a stroke",
        "tolerance": "difference that is none, in units of the position or % of its range",
        "alarm": _ALARM,
    },
    "on_off_valve": {
        "out": "tag of the coil, true opens; `OUT` below the block is found by itself",
        "opened": "tag of the end switch; `OPENED` is found by itself",
        "closed": "tag of the end switch; `CLOSED` is found by itself",
        "remote": _REMOTE,
        "travel": "longest time of a stroke",
        "auto": "condition: open in Auto",
        "permit": "condition: may be opened",
        "mode": _MODE,
        "alarm": _ALARM,
    },
    "motor": {
        "start": "tag of the start pulse; `START` below the block is found by itself",
        "stop": "tag of the stop pulse; `STOP` is found by itself",
        "run": "tag of the run feedback; `RUN` is found by itself",
        "remote": _REMOTE,
        "fault": "tag that is true on a fault; `FLT` is found by itself",
        "start_permit": "condition: may be started",
        "trip": "`{when, for, reset}`: condition that stops it, for how long, `manual` or `auto` reset",
        "auto": "condition: run in Auto",
        "start_time": "how long a start or stop may take",
        "min_off": "time between a stop and the next start",
        "starts_per_hour": "most starts in an hour; 0: any number",
        "after_power_loss": "`stay off` or `restart`",
        "mode": _MODE,
        "alarm": _ALARM,
    },
    "duty_standby": {
        "members": "blocks of type motor",
        "demand": "condition: one shall run",
        "alternate": "`each start`: the next one each time; `never`: always the first that can",
    },
    "hysteresis": {
        "input": "tag of a number",
        "on_above": "on above this",
        "off_below": "off below this",
        "on_below": "on below this",
        "off_above": "off above this",
    },
    "ramp": {
        "out": "tag or tags that it drives",
        "setpoint": "`{initial, limits}`",
        "rate": "speed, such as `2 %/s`",
    },
    "timer": {"kind": "`ton`, `tof` or `tp`", "input": "condition", "time": "PT"},
    "schedule": {
        "schedule": "name under `schedules`",
        "target": "tag that is written; further keys are its values by state",
        "override": "`{max, role}`: people may set another state for at most this time",
    },
    "interlock": {
        "target": "output tag, motor or on/off valve",
        "when": "condition that holds it",
        "value": "what an output tag is held at",
        "reset": "`auto`: lets go with the condition; `manual`: when ACTIVE is written false",
        "bypass": _BYPASS,
    },
    "cause_effect": {
        "causes": "by name: `when` (condition), `trips` (effects, or effects with delays), `for` (how long it must hold), `reset` (`auto`, `manual`), `bypass`, `alarm`, `description`",
        "effects": "by name: `target` (output tag, motor, on/off valve), `value` (what an output tag is held at), `reset` (`manual`, `auto`), `description`",
        "bypass": f"of all causes that do not say `bypass` themselves (`bypass: false`: never); {_BYPASS}",
    },
    "own": {
        "class": "name of the class, in any file of `blocks/`",
        "inputs": "by name: expression; converted to the unit that the class declares",
        "settings": "by name: value, with its unit; others have the default of the class",
        "drives": "by name of an output: tag that it drives in Auto",
        "mode": _MODE,
    },
    "calc": {
        "expression": "of tags, numbers and units",
        "unit": "of the result, where the expression does not say",
        "type": "of the result: bool for conditions, else float64, or an integer type",
        "states": "texts of an integer or a bool",
        "range": "of the result",
        "decimals": _DECIMALS,
    },
    "filter": {**_SIGNAL, "time": "time constant T"},
    "lead_lag": {**_SIGNAL, "lead": "T1", "lag": "T2", "gain": "K"},
    "dead_time": {**_SIGNAL, "time": "T, up to 100 000 scans"},
    "rate_limit": {
        **_SIGNAL,
        "rate": "both ways, such as `0.5 m/min` or `10 %/s` of the range",
        "up": "speed upwards",
        "down": "speed downwards",
    },
    "characteriser": {
        **_SIGNAL,
        "curve": "points [x, y], x rising; 2 … 64 of them",
        "outside": "`hold` the end value or `extend` the last line",
        "unit": "of y",
    },
    "ratio": {
        **_SIGNAL,
        "ratio": "`{initial, limits, ramp}`",
        "bias": "added, in the unit of the result",
        "unit": "of the result; by itself that of the input",
    },
    "totaliser": {
        "input": "expression of a rate of flow",
        "unit": "of the total; flow gives volume, mass flow mass, power energy, speed length",
        "per": "unit of time of an input whose unit does not say so, such as `1 h`",
        "cutoff": "less than this counts as nothing",
        "direction": "`both` subtracts what flows back, `forward` leaves it out",
        "on_bad": "`stop`, or go on with the `last` rate",
        "reset": "condition: a new total begins when it becomes true",
        "decimals": f"{_DECIMALS}; history keeps changes of the last one",
    },
    "select": {
        "inputs": "2 … 16 expressions of one unit",
        "kind": "`min`, `max`, `median`, `average` or `first`",
        "least": "how many must be usable",
        "range": "of the result; by itself that of the first input",
        "decimals": _DECIMALS,
    },
    "vote": {
        "inputs": "2 … 16 conditions",
        "need": "M of M out of N",
        "on_bad": "a bad input `vote`s (2oo3 becomes 1oo2) or `abstain`s (2oo2)",
        "disagree_time": "how long inputs may differ",
        "alarm": _ALARM,
    },
    "edge": {"kind": "`r_trig`, `f_trig` or `both`", "input": "condition"},
    "latch": {"kind": "`sr` or `rs`", "set": "condition", "reset": "condition"},
    "counter": {
        "preset": "PRESET",
        "up": "condition: counts up when it becomes true",
        "down": "condition: counts down when it becomes true",
        "reset": "condition: 0 while true",
        "load": "condition: PRESET while true",
    },
    "on_off": {
        "pv": "tag of the measured value",
        "setpoint": _SETPOINT,
        "action": _ACTION,
        "hysteresis": "whole width h, in units of the PV or % of its range",
        "min_on": "stays on so long",
        "min_off": "stays off so long",
        "on_bad": "`off`, `hold` or `on`",
    },
    "three_position": {
        "pv": "tag of the measured value",
        "setpoint": _SETPOINT,
        "action": "`reverse`: RAISE when the PV is too low; `direct`: when it is too high",
        "band": "whole width in which nothing is asked",
        "hysteresis": "h, at most half the band",
        "on_bad": "`off` or `hold`",
    },
    "split_range": {
        "input": "memory tag that a controller writes",
        "outs": "`{out, from: [a, b], to: [c, d]}` for each output; `to` may fall",
    },
    "override_select": {
        "kind": "`low` or `high` wins",
        "inputs": "memory tags that controllers write",
        "out": "tag that it drives",
    },
}
