"""PID: its limits, ranges, times and refusals, each to the number; what a restart takes and what it does not."""

from __future__ import annotations

import math
from typing import Any

import pytest

from scada.blocks.base import LOCAL, MANUAL
from tags.quality import BAD_SENSOR_FAILURE
from tests.blocks.rig import SECOND, Rig, pid
from tests.blocks.test_pid import make, sample, started


def one(pv: dict[str, Any], out: dict[str, Any], at: float = 30.0, **config: Any) -> Rig:
    """A proportional controller at PV 50 on tags of the test's own."""
    settings = {"ti_ns": 0, "gain": 1.0, "out_low": None, "out_high": None, **config}
    rig = Rig([pid(**settings)], {"t/PV": pv, "t/OUT": out}, SECOND)
    rig.set("t/PV", 50.0)
    rig.ready(**{"t/OUT": at})
    rig.scan()
    return rig


@pytest.mark.parametrize(
    ("pv", "out", "moved", "low", "high"),
    [
        ({}, {}, 5.0, 0.0, 100.0),
        ({"range": (0.0, 50.0)}, {}, 10.0, 0.0, 100.0),
        ({"range": (40.0, 90.0)}, {"range": (0.0, 100.0)}, 10.0, 0.0, 100.0),
        ({"range": (7.0, 7.0)}, {}, 5.0, 0.0, 100.0),
        ({}, {"range": (20.0, 70.0)}, 2.5, 20.0, 70.0),
        ({}, {"limits": (10.0, 60.0)}, 2.5, 10.0, 60.0),
        ({}, {"range": (0.0, 200.0), "limits": (10.0, 60.0)}, 10.0, 0.0, 200.0),
    ],
)
def test_gain_is_in_percent_of_the_ranges(
    pv: dict[str, Any], out: dict[str, Any], moved: float, low: float, high: float
) -> None:
    rig = one(pv, out)
    assert sample(rig, 45.0) == pytest.approx(30.0 + moved)
    rig.write("t/LIC/GAIN", 1000.0)
    assert sample(rig, 40.0) == high
    assert sample(rig, 60.0, 2) == low


def test_the_limits_of_the_output_are_those_given() -> None:
    rig = started(out=30.0, ti_ns=0, gain=1.0, out_low=10.0, out_high=90.0)
    assert [sample(rig, pv) for pv in (0.0, 100.0, 50.0)] == [80.0, 10.0, 30.0]
    rig.write("t/LIC/GAIN", 9.0)
    assert sample(rig, 0.0) == 90.0
    rig.write("t/LIC/MODE", MANUAL)
    block = rig.blocks["t/LIC"]
    for value in (10.0, 90.0):
        assert block.write_output(0, value) is None
        assert sample(rig, 50.0) == value
    for value in (9.9, 90.1):
        assert block.write_output(0, value) == "t/LIC limits its output to 10.0 … 90.0"
    assert block.write_output(0, None) == "t/LIC takes a number for its output"


def test_each_tuning_point_is_its_own() -> None:
    rig = started()
    for point, value in (("GAIN", 3.0), ("TI", 40.0), ("TD", 5.0), ("GAIN", 0.0), ("TI", 1e9), ("TD", 0.0)):
        before = {name: rig.get(f"t/LIC/{name}") for name in ("GAIN", "TI", "TD")}
        assert rig.write(f"t/LIC/{point}", value) is None
        rig.scan()
        assert {name: rig.get(f"t/LIC/{name}") for name in before} == {**before, point: value}
    for point in ("GAIN", "TI", "TD"):
        assert rig.write(f"t/LIC/{point}", -0.1) == f"t/LIC/{point} must be 0 … 1e+09"
        assert rig.write(f"t/LIC/{point}", 1.1e9) == f"t/LIC/{point} must be 0 … 1e+09"
        assert rig.write(f"t/LIC/{point}", None) == f"t/LIC/{point} needs a number"


@pytest.mark.parametrize(
    ("low", "high", "good", "wrong"),
    [(0.0, 100.0, (0.0, 100.0), (-0.1, 100.1)), (None, 60.0, (-500.0, 60.0), (60.1,)), (40.0, None, (40.0, 900.0), (39.9,)),
     (None, None, (-500.0, 900.0), ())],
)  # fmt: skip
def test_the_set_point_is_within_the_limits_there_are(
    low: float | None, high: float | None, good: tuple[float, ...], wrong: tuple[float, ...]
) -> None:
    rig = started(sp_low=low, sp_high=high)
    for value in good:
        assert rig.write("t/LIC/SP", value) is None
        rig.scan()
        assert rig.get("t/LIC/SP") == value
    for value in wrong:
        assert rig.write("t/LIC/SP", value) == f"t/LIC/SP is limited to {low} … {high}"
        again = make(sp_low=low, sp_high=high)
        again.restore({"t/LIC": {**rig.retained()["t/LIC"], "sp": value}})
        again.scan()
        assert again.get("t/LIC/SP") == (low if low is not None and value < low else high)


def test_without_a_first_set_point_it_is_the_first_pv() -> None:
    rig = make(sp_initial=None)
    rig.ready(**{"t/OUT": 30.0})
    rig.set("t/PV", 33.0, BAD_SENSOR_FAILURE)
    rig.scan(2)
    rig.set("t/PV", 42.0)
    rig.scan()
    assert (rig.get("t/LIC/SP"), rig.applied("t/OUT")) == (42.0, 30.0)
    assert sample(rig, 40.0) == pytest.approx(30.0 + 4.0 + 0.4)
    told = make(sp_initial=None)
    assert told.write("t/LIC/SP", 44.0) is None
    told.ready(**{"t/OUT": 30.0})
    told.set("t/PV", 42.0)
    told.scan(2)
    assert told.get("t/LIC/SP") == 44.0


def test_the_ramp_goes_both_ways_and_not_from_where_it_was_long_ago() -> None:
    rig = started(ti_ns=0, gain=1.0, ramp=2.0)
    rig.write("t/LIC/SP", 45.0)
    assert [sample(rig, 50.0) for _ in range(4)] == pytest.approx([28.0, 26.0, 25.0, 25.0])
    rig.write("t/LIC/MODE", MANUAL)
    sample(rig, 50.0)
    rig.write("t/LIC/SP", 90.0)
    sample(rig, 50.0)
    rig.write("t/LIC/MODE", 2)
    assert sample(rig, 50.0) == pytest.approx(25.0)
    assert sample(rig, 49.0) == pytest.approx(26.0), "it begins at the set point"


@pytest.mark.parametrize(
    ("bad", "held", "mode", "out"),
    [(None, 0, 1, 30.0), ({"hold_ns": 3 * SECOND, "then": "manual"}, 3, 1, 30.0), ({"hold_ns": 2 * SECOND, "then": 12.0}, 2, 2, 12.0)],
)  # fmt: skip
def test_what_a_bad_pv_does_and_when(bad: dict[str, Any] | None, held: int, mode: int, out: float) -> None:
    rig = started(on_bad_pv=bad, restart="manual")
    rig.set("t/PV", 0.0, BAD_SENSOR_FAILURE)
    rig.scan(held)
    assert (rig.get("t/LIC/MODE"), rig.applied("t/OUT"), rig.events) == (2, 30.0, [])
    rig.scan()
    assert (rig.get("t/LIC/MODE"), rig.applied("t/OUT")) == (mode, out)
    said = [(event["kind"], event["to"], event["reason"]) for event in rig.events]
    assert said == [("mode", "Manual", "PV or set point is not Good")] * (mode == 1)


def test_one_good_sample_begins_the_time_anew() -> None:
    rig = started(on_bad_pv={"hold_ns": 3 * SECOND, "then": "manual"})
    for _ in range(5):
        rig.set("t/PV", 0.0, BAD_SENSOR_FAILURE)
        rig.scan(3)
        sample(rig, 50.0)
    assert rig.get("t/LIC/MODE") == 2
    rig.gates["t/OUT"] = LOCAL
    rig.scan()
    rig.set("t/PV", 0.0, BAD_SENSOR_FAILURE)
    rig.scan(3)
    assert rig.get("t/LIC/MODE") == 2
    rig.scan()
    assert rig.get("t/LIC/MODE") == 1, "also while others have the output"


@pytest.mark.parametrize(("scan_s", "every_s", "seconds"), [(0, 0, 4), (5, 0, 20), (2, 3, 12)])
def test_a_gap_counts_as_four_samples_at_most(scan_s: int, every_s: int, seconds: int) -> None:
    settings: dict[str, Any] = {"gain": 1.0, "ti_ns": 100 * SECOND, "every_ns": every_s * SECOND}
    rig = Rig(
        [pid(**settings)], {"t/PV": {"range": (0.0, 100.0), "scan_ns": scan_s * SECOND}, "t/OUT": {}}, SECOND
    )
    rig.set("t/PV", 50.0)
    rig.ready(**{"t/OUT": 30.0})
    rig.scan()
    rig.set("t/PV", 40.0)
    rig.scan(periods=1000)
    assert rig.applied("t/OUT") == pytest.approx(30.0 + 10.0 + 10.0 * seconds / 100)


@pytest.mark.parametrize("td", [0.0, 2.5, 40.0])
def test_the_integral_leaves_a_limit_with_its_tracking_time(td: float) -> None:
    """Tt = Ti without a derivative part, else the smaller of Ti and the square root of Ti Td."""
    ti, e = 10.0, 45.0
    rig = started(pv=50.0, out=90.0, gain=1.0, ti_ns=10 * SECOND, td_ns=int(td * SECOND))
    out, i, d, tf, seen = 90.0, 90.0, 0.0, td / 10.0, 50.0
    tt = min(ti, math.sqrt(ti * td)) if td else ti
    u = out
    for pv in (5.0, 5.0, 5.0, 49.0, 52.0, 52.0):
        v = min(max(u, 0.0), 100.0)
        e = 50.0 - pv
        i += e / ti + (v - u) * (1.0 / tt if tt > 1.0 else 1.0)
        d = (tf * d + td * (pv - seen)) / (tf + 1.0) if td else 0.0
        u, seen = e + i - d, pv
        assert sample(rig, pv) == pytest.approx(min(max(u, 0.0), 100.0), abs=1e-9)


@pytest.mark.parametrize(
    ("kept", "taken"),
    [({"tuning": [3.0, 40.0, 5.0]}, True), ({"tuning": [0.0, 1e9, 0.0]}, True), ({"tuning": [3.0, 40.0]}, False),
     ({"tuning": [3.0, 40.0, -1.0]}, False), ({"tuning": [2e9, 40.0, 5.0]}, False), ({"tuning": [3.0, None, 5.0]}, False),
     ({"tuning": [3.0, 40.0, 5.0], "configured": [2.0, 11.0, 0.0]}, False),
     ({"tuning": [3.0, 40.0, 5.0], "configured": [2.0, 10.0, 0.0, "parallel"]}, False)],
)  # fmt: skip
def test_kept_tuning_is_taken_when_it_is_one(kept: dict[str, Any], taken: bool) -> None:
    rig = make()
    rig.restore({"t/LIC": {**started().retained()["t/LIC"], **kept}})
    rig.scan()
    tuning = [rig.get(f"t/LIC/{name}") for name in ("GAIN", "TI", "TD")]
    assert tuning == (kept["tuning"] if taken else [2.0, 10.0, 0.0])


def test_modes_that_the_site_does_not_offer_are_refused_and_not_restored() -> None:
    rig = started(modes=[1, 2])
    assert rig.write("t/LIC/MODE", 0) == "t/LIC has the modes Manual, Auto"
    assert rig.write("t/LIC/MODE", None) == "t/LIC/MODE needs a number"
    rig.restore({"t/LIC": {**rig.retained()["t/LIC"], "mode": 0}})
    rig.scan()
    assert rig.get("t/LIC/MODE") == 1


def test_a_pv_that_it_may_follow_is_the_set_point_by_hand() -> None:
    rig = started(track_pv=True, first_mode=1, sp_high=80.0)
    for pv, sp in ((41.0, 41.0), (85.0, 80.0), (62.0, 62.0)):
        sample(rig, pv)
        assert rig.get("t/LIC/SP") == sp
    rig.set("t/PV", 70.0, BAD_SENSOR_FAILURE)
    rig.scan()
    assert rig.get("t/LIC/SP") == 62.0
    rig.write("t/LIC/MODE", 2)
    assert sample(rig, 60.0) == 30.0
    assert sample(rig, 60.0) == pytest.approx(30.4)
    assert rig.get("t/LIC/SP") == 62.0
