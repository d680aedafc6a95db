"""The demo plant as it is shipped, closed through the scan: what a newcomer sees, and what must not happen."""

from __future__ import annotations

from pathlib import Path

import pytest

from scada.simulate.water import Water
from tags.model import Site
from tags.site import read_site
from tests.simulate.loop import Loop

DEMO = Path(__file__).parents[2] / "config" / "demo"
TRIPPED, MANUAL = 4, 1


@pytest.fixture(scope="session")
def site() -> Site:
    return read_site(DEMO)


@pytest.fixture
def loop(site: Site) -> Loop:
    return Loop(site)


def alarms(loop: Loop) -> set[str]:
    return {str(event["path"]) for event in loop.events if event["kind"] == "alarm" and event["to"] & 1}


def test_it_closes_its_loops_by_itself_and_stays_quiet(loop: Loop) -> None:
    loop.run(360)
    for _ in range(540):
        loop.run(1)
        assert loop.value("tank1/LT-101") == pytest.approx(2.5, abs=0.35)
        assert loop.value("ahu1/TT-201") == pytest.approx(21.5, abs=0.5)
        assert -20 < loop.value("truck1/TY-301") < -14
        assert 2.5 < loop.value("tank1/PT-103") < 5.5
    assert alarms(loop) == set()
    assert [event for event in loop.events if event["kind"] == "block"] == []
    assert loop.value("tank1/P-101/STARTS") > 1, "the pumps take turns"
    assert loop.value("tank1/P-102/STARTS") > 1
    assert loop.value("ahu1/FD-201/OPENED")
    assert not any(status >> 30 for status in loop.state.signals.status if status != 0x8032_0000)


def test_a_set_point_moves_the_valve_and_is_reached_within_minutes(loop: Loop) -> None:
    loop.run(420)
    before = loop.value("tank1/LV-101/POS")
    loop.request(("tank1/LIC-101/SP", 3.0), ("ahu1/TIC-201/SP", 22.5))
    loop.run(30)
    assert loop.value("tank1/LV-101/POS") > before + 10
    loop.run(210)
    assert loop.value("tank1/LT-101") == pytest.approx(3.0, abs=0.35)
    assert loop.value("ahu1/TT-201") == pytest.approx(22.5, abs=0.5)


def test_local_by_hand_and_back_makes_no_bump(loop: Loop) -> None:
    loop.run(300)
    plant = loop.plants["PLC1"]
    plant.turn({"LV-101.local": True, "LV-101.hand": 45})
    loop.run(40)
    assert loop.value("tank1/LV-101/POS") == pytest.approx(45, abs=0.2)
    assert loop.value("tank1/LV-101/OUT/command") == pytest.approx(45, abs=0.2)
    loop.request(("tank1/LV-101/OUT", 10.0))
    loop.run(1)
    assert loop.events[-1]["status"] == "rejected"
    plant.turn({"LV-101.local": False})
    loop.run(3)
    assert loop.value("tank1/LV-101/POS") == pytest.approx(45, abs=3)


def test_when_a_pump_fails_the_other_one_takes_over(loop: Loop) -> None:
    loop.run(60)
    duty = next(n for n in (1, 2) if loop.value(f"tank1/P-10{n}/RUN"))
    loop.plants["PLC1"].turn({f"P-10{duty}.fault": True})
    loop.run(20)
    assert not loop.value(f"tank1/P-10{duty}/RUN")
    assert loop.value(f"tank1/P-10{3 - duty}/RUN")


def test_an_open_door_means_no_cooling_then_full_cooling_alert_and_the_nearer_depot(loop: Loop) -> None:
    loop.run(120)
    loop.plants["PLC3"].turn({"C-301.door": True})
    loop.run(10)
    assert not loop.value("truck1/C-301/RUN")
    loop.run(400)
    assert loop.value("truck1/BOOST")
    assert loop.value("truck1/ALERT")
    north = loop.value("truck1/LAT") > 41.65
    assert loop.value("truck1/DEPOT") == (1 if north else 2)
    assert {"truck1/TT-301/H", "truck1/TT-302/H"} & alarms(loop)
    loop.plants["PLC3"].turn({"C-301.door": False})
    loop.run(60)
    assert loop.value("truck1/C-301/RUN")
    assert loop.value("truck1/C-301/CAP") == pytest.approx(100, abs=1)
    loop.run(600)
    assert loop.value("truck1/TY-301") < -15
    assert loop.value("truck1/DEPOT") == 0


def test_a_full_tank_is_closed_by_us_before_the_plc_has_to(loop: Loop) -> None:
    loop.run(60)
    water = loop.plants["PLC1"]
    assert isinstance(water, Water)
    water.level = 4.7
    loop.run(20)
    assert loop.value("tank1/OVERFILL/ACTIVE")
    assert loop.value("tank1/LV-101/POS") == pytest.approx(0, abs=0.2)
    assert not loop.value("tank1/LSHH-101")
    assert "tank1/LT-101/HH" in alarms(loop)


def test_an_empty_tank_trips_the_pumps_until_somebody_resets(loop: Loop) -> None:
    loop.run(60)
    water = loop.plants["PLC1"]
    assert isinstance(water, Water)
    water.level = 0.35
    loop.run(5)
    assert {loop.value("tank1/P-101/STATE"), loop.value("tank1/P-102/STATE")} & {TRIPPED}
    assert not loop.value("tank1/P-101/RUN")
    assert not loop.value("tank1/P-102/RUN")
    loop.run(300)
    loop.request(("tank1/P-101/RESET", True), ("tank1/P-102/RESET", True))
    loop.run(120)
    assert loop.value("tank1/P-101/RUN") or loop.value("tank1/P-102/RUN")


def test_frost_stops_the_fan(loop: Loop) -> None:
    loop.run(120)
    loop.plants["PLC2"].turn({"TV-201.local": True, "TV-201.hand": 0, "TT-200.outdoor": -12})
    loop.run(120)
    assert not loop.value("ahu1/F-201/RUN")
    assert loop.value("ahu1/FROST-FAN/ACTIVE")
    assert "ahu1/TT-202/L" in alarms(loop)


def test_the_wall_panel_wins_until_the_next_request(loop: Loop) -> None:
    loop.run(60)
    loop.plants["PLC2"].turn({"TIC-201.panel": 19.0})
    loop.run(30)
    assert loop.value("ahu1/TIC-201/SP") == pytest.approx(19.0)
    loop.request(("ahu1/TIC-201/SP", 22.0))
    loop.run(5)
    assert loop.plants["PLC2"].registers.holding[30] == 220


def test_after_a_power_cycle_what_ran_stays_off(loop: Loop) -> None:
    loop.run(60)
    ran = next(n for n in (1, 2) if loop.value(f"tank1/P-10{n}/RUN"))
    loop.plants["PLC1"].power_cycle()
    loop.unplugged.add("PLC1")
    loop.run(3)
    loop.unplugged.clear()
    loop.run(60)
    for n in (1, 2):
        assert not loop.value(f"tank1/P-10{n}/RUN"), f"{ran} ran, and the standby must not start in its place"
        assert loop.value(f"tank1/P-10{n}/MODE") == MANUAL


def test_a_plc_away_and_back_makes_no_bump(loop: Loop) -> None:
    loop.run(300)
    before = loop.value("tank1/LV-101/POS")
    loop.unplugged.add("PLC1")
    loop.run(10)
    assert loop.value("tank1/LIC-101/MODE") == 2
    loop.unplugged.clear()
    loop.run(2)
    assert loop.value("tank1/LV-101/POS") == pytest.approx(before, abs=5)
