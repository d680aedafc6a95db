"""What blocks share: numbers, points, outputs, the time that counts as watched."""

from __future__ import annotations

import math
from typing import Any

import pytest

from scada.blocks import base
from scada.blocks.base import Binder, Context, Tick, finite, number, usable
from tags import model
from tags.quality import (
    BAD_OUT_OF_RANGE,
    BAD_SENSOR_FAILURE,
    GOOD,
    UNCERTAIN_EU_EXCEEDED,
    UNCERTAIN_LAST_USABLE,
)

MS, SECOND = 1_000_000, 1_000_000_000


def test_why_an_output_does_not_follow_is_one_bit_each() -> None:
    """They stand in recordings."""
    names = (
        "NOT_INITIALISED",
        "LOCAL",
        "DISARMED",
        "INTERLOCKED",
        "FORCED",
        "LIMITED",
        "RATE_LIMITED",
        "NOT_TAKEN",
    )
    assert [getattr(base, name) for name in names] == [1, 2, 4, 8, 16, 32, 64, 128]
    assert base.NOT_OURS == 1 + 2 + 4 + 8 + 16 + 128
    assert [base.MODE_TEXTS[mode] for mode in (base.OUT_OF_SERVICE, base.MANUAL, base.AUTO, base.CASCADE, base.REMOTE_CASCADE)] == [
        "Out of service", "Manual", "Auto", "Cascade", "Remote cascade",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, 1.0),
        (3, 3.0),
        (2.5, 2.5),
        (math.nan, None),
        (math.inf, None),
        (10**400, None),
        ("1", None),
        (None, None),
    ],
)
def test_number(value: Any, expected: float | None) -> None:
    assert number(value) == expected
    if not isinstance(value, int):
        assert finite(value) is (expected is not None)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(GOOD, True), (UNCERTAIN_EU_EXCEEDED, True), (UNCERTAIN_EU_EXCEEDED + 3, True), (UNCERTAIN_LAST_USABLE, False), (BAD_SENSOR_FAILURE, False)],
)  # fmt: skip
def test_usable(status: int, expected: bool) -> None:
    assert usable(status) is expected


def scan() -> tuple[Context, int]:
    tag = model.Tag(id=1, path="t/X", type="float64", kind="block", writer="control", row=0)
    binder = Binder({"t/X": tag}, SECOND)
    slot = binder.slot("t/X")
    binder.output("t/X")
    return Context(binder.signals(), binder.outputs()), slot


@pytest.mark.parametrize(
    ("period_ns", "periods", "seen_ns"),
    [(100 * MS, 1, 100 * MS), (100 * MS, 10, SECOND), (100 * MS, 11, SECOND), (SECOND, 5, 5 * SECOND), (SECOND, 6, 5 * SECOND), (300 * MS, 9, 1500 * MS)],
)  # fmt: skip
def test_a_pause_counts_as_watched_up_to_a_second_or_five_periods(
    period_ns: int, periods: int, seen_ns: int
) -> None:
    ctx, _ = scan()
    ctx.enter(Tick(1, periods, period_ns, 7))
    assert (ctx.dt_ns, ctx.seen_ns) == (periods * period_ns, seen_ns)


def test_a_point_is_new_when_it_changes_or_is_said_to_be() -> None:
    ctx, slot = scan()
    signals = ctx.signals
    ctx.enter(Tick(1, 1, SECOND, 1 * SECOND))
    ctx.put(slot, 5.0)
    ctx.enter(Tick(2, 1, SECOND, 2 * SECOND))
    ctx.put(slot, 5.0)
    assert (signals.value[slot], signals.status[slot], signals.time_ns[slot]) == (5.0, GOOD, 1 * SECOND)
    ctx.put(slot, 5.0, UNCERTAIN_LAST_USABLE)
    assert signals.time_ns[slot] == 2 * SECOND
    ctx.enter(Tick(3, 1, SECOND, 3 * SECOND))
    ctx.put(slot, 5.0, UNCERTAIN_LAST_USABLE, fresh=True)
    assert signals.time_ns[slot] == 3 * SECOND
    for wrong in (math.nan, math.inf, -math.inf):
        ctx.put(slot, wrong)
        assert (signals.value[slot], signals.status[slot]) == (5.0, BAD_OUT_OF_RANGE)
    ctx.put(-1, 9.0)
    assert signals.value[slot] == 5.0


def test_what_is_no_number_asks_for_nothing_and_the_first_interlock_wins() -> None:
    ctx, _ = scan()
    for value, wanted in ((4.0, 4.0), (math.nan, 4.0), (math.inf, 4.0), (False, False)):
        ctx.drive(0, value)
        assert ctx.outputs.wanted[0] == wanted
    ctx.override(0, 1.0, "t/I1")
    ctx.override(0, 2.0, "t/I2")
    assert ctx.outputs.override[0] == (1.0, "t/I1")
    ctx.begin(Tick(2, 1, SECOND, 2 * SECOND))
    assert [*ctx.outputs.wanted, *ctx.outputs.override, *ctx.outputs.feedback] == [None] * 3
