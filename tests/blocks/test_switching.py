"""On/off and three-position control: switching points, minimum times, bad inputs, restart."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tags.quality import BAD_SENSOR_FAILURE, GOOD, UNCERTAIN_LAST_USABLE, UNCERTAIN_SUBSTITUTE
from tests.blocks.rig import SECOND, Rig, block

SETPOINT: dict[str, Any] = {
    "setpoint_tag": None,
    "sp_low": 5.0,
    "sp_high": 30.0,
    "sp_initial": 20.0,
    "ramp": 0.0,
}
TEMPERATURES = st.lists(st.tuples(st.floats(10, 30), st.integers(1, 3)), max_size=60)


def on_off(**config: Any) -> Rig:
    settings = SETPOINT | {"pv": "t/TT", "action": "reverse", "hysteresis": 1.0} | config
    return Rig([block("t/TC", "on_off", "SP", at_path="OUT", **settings)], {"t/TT": {}}, SECOND)


def three(**config: Any) -> Rig:
    settings = SETPOINT | {"pv": "t/TT", "action": "reverse", "band": 2.0, "hysteresis": 0.5} | config
    return Rig([block("t/TC", "three_position", "SP RAISE LOWER", **settings)], {"t/TT": {}}, SECOND)


def run(rig: Rig, *temperatures: float) -> str:
    seen = ""
    for temperature in temperatures:
        rig.set("t/TT", temperature)
        rig.scan()
        seen += str(int(rig.get("t/TC")))
    return seen


def moves(rig: Rig, *temperatures: float) -> str:
    seen = ""
    for temperature in temperatures:
        rig.set("t/TT", temperature)
        rig.scan()
        seen += "+" if rig.get("t/TC/RAISE") else "-" if rig.get("t/TC/LOWER") else "0"
    return seen


# -- on/off


def test_heating_and_cooling() -> None:
    values = [20.0, 19.5, 19.4, 20.0, 20.5, 20.6, 20.0, 19.4]
    assert run(on_off(), *values) == "00111001"
    assert run(on_off(action="direct"), *values) == "00000110"


def test_minimum_times() -> None:
    rig = on_off(min_on_ns=3 * SECOND, min_off_ns=5 * SECOND)
    assert run(rig, 15, 15, 15, 15, 15, 15) == "000011"  # also after a start
    assert run(rig, 25, 25, 25, 25) == "1000"
    assert run(rig, 15, 15, 15, 15) == "0011"


@given(TEMPERATURES, st.integers(0, 4), st.integers(0, 4))
def test_it_never_switches_sooner_than_it_may(
    steps: list[tuple[float, int]], min_on: int, min_off: int
) -> None:
    rig = on_off(min_on_ns=min_on * SECOND, min_off_ns=min_off * SECOND)
    on, since = False, 0
    for temperature, periods in steps:
        rig.set("t/TT", temperature)
        rig.scan(periods=periods)
        since += periods
        if rig.get("t/TC") != on:
            assert since >= (min_on if on else min_off)
            assert temperature < 19.5 if not on else temperature > 20.5
            on, since = not on, 0


@pytest.mark.parametrize(
    ("on_bad", "result", "status"),
    [
        ("off", False, UNCERTAIN_SUBSTITUTE),
        ("on", True, UNCERTAIN_SUBSTITUTE),
        ("hold", True, UNCERTAIN_LAST_USABLE),
    ],
)
def test_a_bad_temperature(on_bad: str, result: bool, status: int) -> None:
    rig = on_off(on_bad=on_bad)
    run(rig, 15.0)
    rig.set("t/TT", 15.0, BAD_SENSOR_FAILURE)
    rig.scan(2)
    assert (rig.get("t/TC"), rig.status("t/TC")) == (result, status)
    run(rig, 15.0)
    assert (rig.get("t/TC"), rig.status("t/TC")) == (True, GOOD)


def test_set_point_limits_and_restart() -> None:
    rig = on_off()
    run(rig, 15.0)
    assert rig.write("t/TC/SP", 31.0) == "t/TC/SP is limited to 5.0 … 30.0"
    assert rig.write("t/TC/SP", 25.0) is None
    run(rig, 15.0)
    again = on_off()
    again.restore(rig.retained())
    assert run(again, 25.0) == "1"
    assert again.get("t/TC/SP") == 25.0
    late = on_off()
    late.restore(rig.retained(), fresh=False)
    assert run(late, 25.0) == "0"
    assert late.get("t/TC/SP") == 25.0


def test_a_set_point_from_a_tag_that_moves_slowly() -> None:
    settings = SETPOINT | {
        "pv": "t/TT",
        "action": "reverse",
        "hysteresis": 0.0,
        "setpoint_tag": "t/S",
        "ramp": 1.0,
    }
    rig = Rig([block("t/TC", "on_off", at_path="OUT", **settings)], {"t/TT": {}, "t/S": {}}, SECOND)
    rig.set("t/S", 20.0)
    assert run(rig, 21.0) == "0"
    rig.set("t/S", 24.0)
    assert run(rig, 22.5, 22.5, 22.5, 22.5) == "0011"
    rig.set("t/S", 24.0, BAD_SENSOR_FAILURE)
    assert run(rig, 10.0) == "0"
    assert rig.write("t/TC/SP", 20.0) == "t/TC takes a number for SP only"


def test_without_a_set_point_the_first_temperature_is_it() -> None:
    rig = on_off(sp_initial=None)
    run(rig, 17.0)
    assert rig.get("t/TC/SP") == 17.0


# -- three-position


def test_raise_rest_lower() -> None:
    values = [20.0, 19.0, 18.9, 19.4, 19.6, 20.0, 21.0, 21.1, 20.6, 20.4, 15.0, 25.0]
    assert moves(three(), *values) == "00++000--0+-"
    assert moves(three(action="direct"), *values) == "00--000++0-+"


@given(TEMPERATURES, st.floats(0, 4), st.floats(0, 1))
def test_never_both_and_never_against_the_error(
    steps: list[tuple[float, int]], band: float, share: float
) -> None:
    rig = three(band=band, hysteresis=band / 2 * share)
    for temperature, periods in steps:
        rig.set("t/TT", temperature)
        rig.scan(periods=periods)
        up, down = rig.get("t/TC/RAISE"), rig.get("t/TC/LOWER")
        assert not (up and down)
        assert not up or temperature <= 20.0
        assert not down or temperature >= 20.0
        if abs(temperature - 20.0) > band / 2 + 1e-9:
            assert up == (temperature < 20.0)


@pytest.mark.parametrize(("on_bad", "result"), [("off", False), ("hold", True)])
def test_a_bad_temperature_rests_or_goes_on(on_bad: str, result: bool) -> None:
    rig = three(on_bad=on_bad)
    moves(rig, 15.0)
    rig.set("t/TT", 15.0, BAD_SENSOR_FAILURE)
    rig.scan()
    assert rig.get("t/TC/RAISE") is result


def test_a_hysteresis_wider_than_the_band_is_refused() -> None:
    with pytest.raises(ValueError, match="half the band"):
        three(hysteresis=1.1)
