"""Questions about the past of a tag, answered from its samples: raw with bounds, at a time, per interval, on one grid.

Lives here: pure functions over arrays (times int64 ns UTC, values float64, OPC UA StatusCodes), with the rules of
OPC 10000-13 where it has them. No files, no store, no clock: `historian.query` fetches the samples.
"""

from __future__ import annotations

from historian.read.aggregates import aggregate, named
from historian.read.arrow import arrow_table
from historian.read.at import align, at
from historian.read.functions import DURATIONS, NAMES, OPCUA_NAMES, Aggregate
from historian.read.intervals import CALENDAR, SHIFTS, Grid, civil, fixed
from historian.read.raw import Bounded, Cursor, bounded
from historian.read.result import Intervals
from historian.read.signal import Signal, rules_of, signal_of
from historian.read.trend import Trend, sensible

__all__ = [
    "CALENDAR",
    "DURATIONS",
    "NAMES",
    "OPCUA_NAMES",
    "SHIFTS",
    "Aggregate",
    "Bounded",
    "Cursor",
    "Grid",
    "Intervals",
    "Signal",
    "Trend",
    "aggregate",
    "align",
    "arrow_table",
    "at",
    "bounded",
    "civil",
    "fixed",
    "named",
    "rules_of",
    "sensible",
    "signal_of",
]
