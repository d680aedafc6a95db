"""PID against its equation, against closed loops with known behaviour, and its properties for any input."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.blocks.base import DISARMED, FORCED, INTERLOCKED, LIMITED, LOCAL, NOT_INITIALISED, RATE_LIMITED
from tags.quality import BAD_SENSOR_FAILURE, GOOD, UNCERTAIN_EU_EXCEEDED, UNCERTAIN_LAST_USABLE
from tests.blocks.rig import SECOND, Rig, pid

TAGS: dict[str, dict[str, Any]] = {
    "t/PV": {"range": (0.0, 100.0), "scan_ns": SECOND},
    "t/OUT": {"range": (0.0, 100.0)},
    "t/SP": {},
}


def make(period_ns: int = SECOND, **config: Any) -> Rig:
    return Rig([pid(**config)], TAGS, period_ns)


def started(pv: float = 50.0, out: float = 30.0, **config: Any) -> Rig:
    rig = make(**config)
    rig.set("t/PV", pv)
    rig.ready(**{"t/OUT": out})
    rig.scan()
    return rig


def sample(rig: Rig, pv: float, count: int = 1) -> float:
    for _ in range(count):
        rig.set("t/PV", pv)
        rig.scan()
    value: float = rig.applied("t/OUT")
    return value


def test_first_scan_takes_over_what_is_applied() -> None:
    assert started(pv=20.0, out=30.0).applied("t/OUT") == 30.0


def test_pi_step_response_is_the_analytical_one() -> None:
    """u(n) = u0 + K e + K e n dt / Ti for a constant error that appears at n = 1."""
    rig = started(pv=50.0, out=30.0, gain=2.0, ti_ns=10 * SECOND)
    rig.write("t/LIC/SP", 55.0)
    for n in range(1, 11):
        assert sample(rig, 50.0) == pytest.approx(30.0 + 2.0 * 5.0 + 2.0 * 5.0 * n / 10.0, abs=1e-9)


def test_direct_action_is_the_mirror_image() -> None:
    rig = started(pv=50.0, out=50.0, action="direct")
    assert sample(rig, 55.0) == pytest.approx(50.0 + 2.0 * 5.0 + 2.0 * 5.0 / 10.0)


def test_proportional_only_keeps_its_bias() -> None:
    rig = started(pv=50.0, out=30.0, ti_ns=0)
    assert sample(rig, 45.0, 20) == pytest.approx(40.0)


def test_percent_of_range() -> None:
    tags = {"t/PV": {"range": (0.0, 5.0)}, "t/OUT": {"range": (200.0, 600.0)}}
    rig = Rig(
        [pid(sp_high=5.0, sp_initial=2.5, out_low=200.0, out_high=600.0, ti_ns=0, gain=1.0)], tags, SECOND
    )
    rig.set("t/PV", 2.5)
    rig.ready(**{"t/OUT": 400.0})
    rig.scan()
    rig.set("t/PV", 2.0)  # e = 10 % of range
    rig.scan()
    assert rig.applied("t/OUT") == pytest.approx(440.0)


def test_derivative_of_a_ramp_settles_at_k_td_times_the_slope() -> None:
    rig = started(pv=50.0, out=50.0, gain=1.0, ti_ns=0, td_ns=4 * SECOND)
    for n in range(1, 30):
        out = sample(rig, 50.0 + 0.1 * n)
    assert out == pytest.approx(50.0 - 0.1 * 29 - 4.0 * 0.1, abs=1e-6)


def test_derivative_filter_is_first_order() -> None:
    """After one step of the PV the D part is K Td/(Tf + dt) and decays by Tf/(Tf + dt) each sample."""
    rig = started(pv=50.0, out=50.0, gain=1.0, ti_ns=0, td_ns=20 * SECOND)
    ratio = 2.0 / 3.0  # Tf = 2 s, dt = 1 s
    for n in range(5):
        assert sample(rig, 51.0) == pytest.approx(50.0 - 1.0 - 20.0 / 3.0 * ratio**n)


def test_set_point_steps_do_not_kick_the_derivative() -> None:
    rig = started(pv=50.0, out=50.0, gain=1.0, ti_ns=0, td_ns=20 * SECOND)
    rig.write("t/LIC/SP", 60.0)
    assert sample(rig, 50.0) == pytest.approx(60.0)


def test_runs_once_per_sample_and_accounts_for_the_time_between() -> None:
    rig = make(period_ns=SECOND // 10, gain=2.0, ti_ns=10 * SECOND)
    rig.set("t/PV", 50.0)
    rig.ready(**{"t/OUT": 30.0})
    rig.scan()
    rig.write("t/LIC/SP", 55.0)
    rig.scan(9)
    assert rig.applied("t/OUT") == 30.0
    rig.set("t/PV", 50.0)
    rig.scan()
    assert rig.applied("t/OUT") == pytest.approx(30.0 + 10.0 + 1.0)


def test_every_lets_samples_pass() -> None:
    rig = started(pv=50.0, out=30.0, gain=1.0, ti_ns=10 * SECOND, every_ns=3 * SECOND)
    outputs = [sample(rig, 45.0) for _ in range(6)]
    assert outputs == pytest.approx([30.0, 30.0, 36.5, 36.5, 36.5, 38.0])


def test_missed_scans_count_but_a_long_gap_is_capped() -> None:
    rig = started(pv=50.0, out=30.0, gain=1.0, ti_ns=100 * SECOND)
    rig.write("t/LIC/SP", 60.0)
    rig.set("t/PV", 50.0)
    rig.scan(periods=3)
    assert rig.applied("t/OUT") == pytest.approx(30.0 + 10.0 + 10.0 * 3 / 100)
    rig.set("t/PV", 50.0)
    rig.scan(periods=1000)
    assert rig.applied("t/OUT") == pytest.approx(30.0 + 10.0 + 10.0 * (3 + 4) / 100)


def test_a_pause_is_no_jump_to_the_derivative() -> None:
    """A PV that climbs as before while the machine is paused, for longer than the integral counts, has the slope of before."""
    rig = started(pv=20.0, out=50.0, gain=2.0, ti_ns=0, td_ns=10 * SECOND)
    outputs = [sample(rig, 20.0 + 0.1 * n) for n in range(1, 60)]
    slope = outputs[-1] - outputs[-2]
    assert slope == pytest.approx(-0.2, abs=1e-6), "the derivative stands, the proportional part moves"
    rig.set("t/PV", 20.0 + 0.1 * 79)
    rig.scan(periods=20)
    assert rig.applied("t/OUT") == pytest.approx(outputs[-1] + 20 * slope, abs=1e-4)


# -- closed loops


def closed_loop(rig: Rig, seconds: int, *, gain: float, tau: float, dead: int, pv: float) -> list[float]:
    """First-order plant with dead time, one sample a second: the PV over time."""
    pipe, seen = [rig.applied("t/OUT")] * (dead + 1), []
    for _ in range(seconds):
        pipe.append(rig.applied("t/OUT"))
        goal = gain * pipe.pop(0)
        pv += (goal - pv) * (1.0 - math.exp(-1.0 / tau))
        sample(rig, pv)
        seen.append(pv)
    return seen


def test_simc_tuning_settles_without_much_overshoot() -> None:
    """SIMC (Skogestad 2003): K = tau / (k (tc + theta)), Ti = min(tau, 4 (tc + theta)), tc = theta: ~ 4 % overshoot."""
    tau, theta, k = 60.0, 10, 1.0
    rig = started(
        pv=30.0,
        out=30.0,
        gain=tau / (k * 2 * theta),
        ti_ns=int(min(tau, 8 * theta) * SECOND),
        sp_initial=30.0,
    )
    rig.write("t/LIC/SP", 50.0)
    seen = closed_loop(rig, 400, gain=k, tau=tau, dead=theta, pv=30.0)
    assert max(seen) < 50.0 + 0.10 * 20.0
    assert all(abs(pv - 50.0) < 0.2 for pv in seen[-100:])


def test_no_windup_after_minutes_at_the_limit() -> None:
    """The set point cannot be reached for ten minutes; when it can, the output leaves the limit with the error."""
    rig = started(pv=20.0, out=90.0, gain=2.0, ti_ns=20 * SECOND, sp_initial=60.0)
    assert sample(rig, 20.0, 600) == 100.0
    sample(rig, 61.0)
    assert rig.applied("t/OUT") < 100.0


@pytest.mark.parametrize("td_s", [0, 5])
def test_integral_recovers_within_two_executions(td_s: int) -> None:
    rig = started(pv=0.0, out=50.0, gain=5.0, ti_ns=30 * SECOND, td_ns=td_s * SECOND)
    assert sample(rig, 0.0, 1000) == 100.0
    sample(rig, 50.5, 2)
    assert rig.applied("t/OUT") < 100.0


def test_a_limit_of_the_output_stage_does_not_wind_it_up() -> None:
    rig = started(pv=40.0, out=30.0, gain=1.0, ti_ns=10 * SECOND, sp_initial=50.0)
    rig.gates["t/OUT"] = LIMITED
    rig.move("t/OUT", 60.0)
    sample(rig, 40.0, 500)
    rig.gates.clear()
    assert sample(rig, 50.5) < 62.0


def test_rate_limit_of_the_output_stage_feeds_back() -> None:
    rig = started(pv=40.0, out=30.0, gain=1.0, ti_ns=10 * SECOND, sp_initial=90.0)
    rig.gates["t/OUT"] = RATE_LIMITED
    for n in range(100):
        rig.move("t/OUT", 30.0 + 0.1 * n)
        sample(rig, 40.0)
    rig.gates.clear()
    assert sample(rig, 90.0) < 60.0


# -- modes, tracking, bad input


def test_manual_output_and_back_to_auto() -> None:
    rig = started(pv=40.0, out=30.0)
    assert rig.blocks["t/LIC"].write_output(0, 55.0) == "t/LIC is in Auto: set t/LIC/MODE to Manual first"
    assert rig.write("t/LIC/MODE", 1) is None
    rig.scan()
    assert rig.get("t/LIC/MODE") == 1
    assert rig.blocks["t/LIC"].write_output(0, 55.0) is None
    assert "limits its output" in (rig.blocks["t/LIC"].write_output(0, 155.0) or "")
    rig.scan()
    assert rig.applied("t/OUT") == 55.0
    rig.write("t/LIC/MODE", 2)
    rig.scan()
    assert rig.applied("t/OUT") == 55.0


def test_set_point_and_tuning_refusals() -> None:
    rig = started()
    assert rig.write("t/LIC/SP", 101.0) == "t/LIC/SP is limited to 0.0 … 100.0"
    assert rig.write("t/LIC/GAIN", -1.0) is not None
    assert rig.write("t/LIC/TI", math.nan) is not None
    assert rig.write("t/LIC/MODE", 4) == "t/LIC has the modes Out of service, Manual, Auto"
    assert rig.write("t/LIC/NOPE", 1) is not None


def test_set_point_ramp() -> None:
    rig = started(pv=50.0, out=30.0, gain=1.0, ti_ns=0, ramp=2.0)
    rig.write("t/LIC/SP", 60.0)
    assert [sample(rig, 50.0) for _ in range(6)] == pytest.approx([32.0, 34.0, 36.0, 38.0, 40.0, 40.0])
    assert rig.get("t/LIC/SP") == 60.0


def test_set_point_from_a_tag() -> None:
    rig = make(setpoint_tag="t/SP", ti_ns=0, gain=1.0)
    rig.set("t/PV", 50.0)
    rig.set("t/SP", 50.0)
    rig.ready(**{"t/OUT": 30.0})
    rig.scan()
    rig.set("t/SP", 52.0)
    assert sample(rig, 50.0) == pytest.approx(32.0)
    rig.set("t/SP", 90.0, BAD_SENSOR_FAILURE)
    assert sample(rig, 50.0) == pytest.approx(32.0)
    assert rig.write("t/LIC/MODE", 3) is None


def test_bad_pv_holds_then_manual() -> None:
    rig = started(pv=40.0, out=30.0)
    before = sample(rig, 40.0)
    rig.set("t/PV", 99.0, BAD_SENSOR_FAILURE)
    rig.scan(5)
    assert (rig.applied("t/OUT"), rig.get("t/LIC/MODE")) == (before, 2)
    rig.scan(2)
    assert (rig.applied("t/OUT"), rig.get("t/LIC/MODE")) == (before, 1)
    assert [e["kind"] for e in rig.events] == ["mode"]
    assert sample(rig, 40.0, 3) == before


def test_bad_pv_then_a_value_and_bumpless_back() -> None:
    rig = started(pv=40.0, out=30.0, on_bad_pv={"hold_ns": 2 * SECOND, "then": 10.0})
    rig.set("t/PV", 40.0, UNCERTAIN_LAST_USABLE)
    rig.scan(2)
    assert rig.applied("t/OUT") == 30.0
    rig.scan()
    assert rig.applied("t/OUT") == 10.0
    rig.set("t/PV", 40.0, GOOD)
    rig.scan()
    assert (rig.applied("t/OUT"), rig.get("t/LIC/MODE")) == (10.0, 2)


def test_a_value_outside_its_range_is_still_controlled() -> None:
    rig = started(pv=50.0, out=50.0, ti_ns=0, gain=0.1)
    rig.set("t/PV", 103.0, UNCERTAIN_EU_EXCEEDED)
    rig.scan()
    assert rig.applied("t/OUT") == pytest.approx(50.0 - 5.3)


def test_tuning_change_is_bumpless() -> None:
    rig = started(pv=42.0, out=30.0, gain=2.0, ti_ns=1000 * SECOND, td_ns=SECOND)
    before = sample(rig, 42.0, 20)
    for point, value in (("GAIN", 6.0), ("TI", 2000.0), ("TD", 0.0)):
        assert rig.write(f"t/LIC/{point}", value) is None
    rig.write("t/LIC/TI", 1e8)
    assert sample(rig, 42.0) == pytest.approx(before, abs=0.01)
    assert rig.get("t/LIC/GAIN") == 6.0


def test_out_of_service_drives_nothing() -> None:
    rig = started()
    rig.write("t/LIC/MODE", 0)
    rig.set("t/PV", 0.0)
    rig.scan()
    assert rig.outputs.wanted[0] is None


# -- restart


def test_restart_keeps_mode_set_point_and_tuning_but_edited_tuning_wins() -> None:
    rig = started()
    rig.write("t/LIC/SP", 61.0)
    rig.write("t/LIC/GAIN", 3.5)
    kept = rig.retained()
    again = make()
    again.restore(kept)
    again.scan()
    assert [again.get(f"t/LIC/{p}") for p in ("SP", "GAIN", "MODE")] == [61.0, 3.5, 2]
    edited = make(gain=4.0)
    edited.restore(kept)
    edited.scan()
    assert (edited.get("t/LIC/GAIN"), edited.get("t/LIC/SP")) == (4.0, 61.0)
    stale = make()
    stale.restore(kept, fresh=False)
    stale.scan()
    assert stale.get("t/LIC/MODE") == 1
    careful = make(restart="manual")
    careful.restore(kept)
    careful.scan()
    assert careful.get("t/LIC/MODE") == 1


@pytest.mark.parametrize(
    "junk", [{}, {"mode": "x", "sp": None, "tuning": [1]}, {"mode": 99, "sp": 1e9, "tuning": 3}]
)
def test_restore_of_junk(junk: dict[str, Any]) -> None:
    rig = started()
    rig.restore({"t/LIC": junk})
    rig.scan()
    assert 0.0 <= rig.get("t/LIC/SP") <= 100.0


@pytest.mark.parametrize("form", ["ideal", "parallel"])
def test_after_a_new_gain_the_output_goes_on_with_it(form: str) -> None:
    """The PV rises by 0.05 %/s, so that the derivative part rests; only that of the ideal form has the gain in it."""
    rig = started(pv=50.0, out=90.0, gain=2.0, ti_ns=0, td_ns=20 * SECOND, form=form)
    before = [sample(rig, 50.0 + 0.05 * n) for n in range(1, 101)][-1]
    rig.write("t/LIC/GAIN", 4.0)
    for n in range(1, 101):
        assert sample(rig, 55.0 + 0.05 * n) == pytest.approx(before - 4.0 * 0.05 * n, abs=0.01)


# -- properties

percents = st.floats(0.0, 100.0)
gains = st.floats(0.0, 50.0)
times = st.integers(0, 600)
anything = st.one_of(st.floats(), st.floats(-1e3, 1e3), st.booleans(), st.integers(-(2**70), 2**70))
statuses = st.sampled_from([GOOD, GOOD, GOOD, UNCERTAIN_LAST_USABLE, BAD_SENSOR_FAILURE])
gates = st.sampled_from(
    [0, 0, 0, LOCAL, DISARMED, INTERLOCKED, FORCED, NOT_INITIALISED, LIMITED, RATE_LIMITED]
)


@given(
    percents, gains, times, st.integers(0, 60), st.booleans(),
    st.lists(st.tuples(anything, statuses, gates, st.sampled_from(["", "SP", "MODE", "GAIN", "TI", "TD", "OUT"]), anything),
             max_size=30),
)  # fmt: skip
def test_output_is_finite_and_within_limits_whatever_comes(
    out: float, gain: float, ti: int, td: int, direct: bool, steps: list[tuple[Any, int, int, str, Any]]
) -> None:
    rig = started(
        pv=50.0, out=out, gain=gain, ti_ns=ti * SECOND, td_ns=td * SECOND, action="direct" if direct else "reverse",
        out_low=10.0, out_high=90.0, ramp=1.0,
    )  # fmt: skip
    block = rig.blocks["t/LIC"]
    for pv, status, gate, point, value in steps:
        rig.gates["t/OUT"] = gate
        if point == "OUT":
            block.write_output(0, value)
        elif point:
            block.write(point, value)
        rig.set("t/PV", pv, status)
        rig.scan()
        wanted = rig.outputs.wanted[0]
        assert wanted is None or wanted == out or 10.0 <= wanted <= 90.0
        for name in ("SP", "GAIN", "TI", "TD"):
            assert math.isfinite(rig.get(f"t/LIC/{name}"))
        rig.retained()


@given(percents, percents, percents, gains, times, st.integers(0, 60), percents)
def test_manual_to_auto_is_bumpless(
    pv: float, sp: float, out: float, gain: float, ti: int, td: int, hand: float
) -> None:
    rig = started(
        pv=pv, out=out, gain=gain, ti_ns=ti * SECOND, td_ns=td * SECOND, sp_initial=sp, first_mode=1
    )
    rig.blocks["t/LIC"].write_output(0, hand)
    sample(rig, pv, 3)
    rig.write("t/LIC/MODE", 2)
    assert sample(rig, pv) == pytest.approx(hand, abs=0.1)


@given(
    percents,
    percents,
    percents,
    gains,
    times,
    percents,
    st.sampled_from([LOCAL, INTERLOCKED, DISARMED, FORCED]),
)
def test_tracking_to_auto_is_bumpless(
    pv: float, sp: float, out: float, gain: float, ti: int, moved: float, gate: int
) -> None:
    rig = started(pv=pv, out=out, gain=gain, ti_ns=ti * SECOND, sp_initial=sp)
    rig.gates["t/OUT"] = gate
    sample(rig, pv, 2)
    rig.move("t/OUT", moved)
    sample(rig, pv, 2)
    rig.gates.clear()
    rig.scan()  # the output stage lets go: the block sees it in the next scan
    assert rig.applied("t/OUT") == pytest.approx(moved, abs=0.1)
    rig.scan()
    assert rig.applied("t/OUT") == pytest.approx(moved, abs=0.1)


@given(percents, percents, percents, gains, times)
def test_restart_is_bumpless(pv: float, sp: float, out: float, gain: float, ti: int) -> None:
    rig = started(pv=pv, out=out, gain=gain, ti_ns=ti * SECOND, sp_initial=sp)
    before = sample(rig, pv, 5)
    again = make(gain=gain, ti_ns=ti * SECOND, sp_initial=sp)
    again.restore(rig.retained())
    again.scan()
    again.set("t/PV", pv)
    again.ready(**{"t/OUT": before})
    again.scan()
    assert again.applied("t/OUT") == pytest.approx(before, abs=0.1)
    again.scan()
    assert again.applied("t/OUT") == pytest.approx(before, abs=0.1)


@given(percents, gains.filter(lambda g: g > 0.1), st.integers(1, 600), st.integers(1, 300))
def test_integral_recovers_as_soon_as_the_error_turns(out: float, gain: float, ti: int, long: int) -> None:
    rig = started(pv=0.0, out=out, gain=gain, ti_ns=ti * SECOND, sp_initial=50.0)
    sample(rig, 0.0, long)
    if rig.applied("t/OUT") == 100.0:
        assert sample(rig, 52.0, 2) < 100.0
