"""The sites of the how-tos for controllers and buildings compile, and control the plant that they describe."""

from __future__ import annotations

import random
from pathlib import Path

import orjson
import pytest

from scada.field.modbus import Modbus
from scada.scan import Program, build, retain, step
from scada.scan.checkpoint import differences, dump, load
from tags.model import DEVICE
from tags.site import read_site
from tests.docs.test_reference import DOCS
from tests.scan.plant import Plant


def program_of(page: str, folder: Path) -> Program:
    text = (DOCS / "how-to" / page).read_text().partition("```yaml\n")[2].partition("```")[0]
    (folder / "site.yaml").write_text(text)
    return build(read_site(folder, drivers={"modbus": Modbus}))


def plant_of(program: Program, **values: float | bool) -> Plant:
    registers = {
        tag.path: False if tag.type == "bool" else 0.0 for tag in program.slots if tag.kind == DEVICE
    }
    return Plant(program, registers={**registers, **values})


UNITS = ("ahu1/F-1", "heat1/P-1", "heat1/P-2")


def run(plant: Plant, scans: int) -> None:
    """Scans with starters that obey."""
    for _ in range(scans):
        for _, path, value in plant.writes:
            unit, _, point = path.rpartition("/")
            if value is True and point in ("START", "STOP"):
                plant.registers[f"{unit}/RUN"] = point == "START"
        plant.writes.clear()
        plant.scan()


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Program:
    return program_of("control-a-building.md", tmp_path_factory.mktemp("building"))


def test_a_cascade(tmp_path: Path) -> None:
    program = program_of("cascade-two-controllers.md", tmp_path)
    plant = plant_of(program, **{"tank1/LT-101": 2.5, "tank1/FT-102": 10.0, "tank1/FV-102": 20.0})
    plant.scan(scans=60)
    assert plant.value("tank1/FC-102/SP") == pytest.approx(10.0)
    assert plant.command("tank1/FV-102") == pytest.approx(20.0, abs=0.1)
    plant.registers["tank1/LT-101"] = 2.0
    plant.scan(scans=60)
    assert plant.value("tank1/FC-102/SP") > 12.0, "half a metre too low asks for more flow"
    assert plant.command("tank1/FV-102") > 21.0
    assert all(message is None for message in plant.state.failed)


def test_a_winter_day(office: Program) -> None:
    plant = plant_of(
        office,
        **{
            "out/TT": 2.0,
            "room1/TT": 20.0,
            "ahu1/TT-1": 18.0,
            "ahu1/TT-2": 30.0,
            "heat1/TT": 40.0,
            "heat1/PT": 1.0,
        },
    )
    run(plant, 300)
    assert all(message is None for message in plant.state.failed)
    assert plant.value("hvac/SIDE/HEATING") is True
    assert plant.value("heat1/SP") == pytest.approx(50.7, abs=0.1)
    assert plant.command("heat1/HV") > 0.0
    running = [unit for unit in UNITS if plant.registers[f"{unit}/RUN"]]
    assert running in (["heat1/P-1"], ["heat1/P-2"]), "it is midnight of a Monday: no fan, one pump"
    assert 30.0 <= plant.command(f"{running[0]}/SPD") <= 100.0

    assert plant.ask("write", ("office/HOURS/OVERRIDE", "occupied"))[-1][0] == "confirmed"
    run(plant, 100)
    assert plant.registers["ahu1/F-1/RUN"]
    assert plant.command("ahu1/F-1/SPD") == 30.0
    assert plant.command("ahu1/FD-1/OUT") == 20.0

    plant.registers["ahu1/TT-2"] = 6.0
    run(plant, 100)
    assert plant.command("ahu1/HV") >= 66.0, "frost protection before the controller"
    plant.registers["ahu1/TT-2"] = 2.0
    run(plant, 300)
    assert plant.value("ahu1/FROST/TRIP") is True
    assert not plant.registers["ahu1/F-1/RUN"]
    assert (plant.command("ahu1/FD-1/OUT"), plant.command("ahu1/HV")) == (0.0, 100.0)


@pytest.mark.parametrize("page", ["control-a-building.md", "cascade-two-controllers.md"])
def test_a_checkpoint_holds_all_of_them(page: str, tmp_path: Path) -> None:
    """The state of each of these blocks, dumped and loaded, goes on to the bit."""
    program = program_of(page, tmp_path)
    chance = random.Random(7)
    plant = plant_of(program)

    def move() -> None:
        for path, value in plant.registers.items():
            tag = program.tags.get(path)
            if tag is not None and not isinstance(value, bool) and tag.command is None:
                plant.registers[path] = value + chance.gauss(0.3, 1.0)

    for _ in range(120):
        move()
        run(plant, 1)
    other = load(program, orjson.loads(orjson.dumps(dump(program, plant.state))))
    for _ in range(150):
        move()
        run(plant, 1)
        other, writes, _ = step(program, other, *plant.given[-1])
        assert writes == plant.last
    assert differences(dump(program, other), dump(program, plant.state)) == []


def test_a_restart_of_the_building_bumps_nothing(office: Program) -> None:
    plant = plant_of(
        office,
        **{
            "out/TT": 2.0,
            "room1/TT": 21.0,
            "ahu1/TT-1": 18.0,
            "ahu1/TT-2": 30.0,
            "heat1/TT": 50.0,
            "heat1/PT": 1.5,
        },
    )
    run(plant, 900)
    outputs = [tag.path for tag in office.slots if tag.kind == DEVICE and tag.command and tag.type != "bool"]
    before = {path: plant.registers[path] for path in outputs}
    running = {unit: plant.registers[f"{unit}/RUN"] for unit in UNITS}
    again = Plant(
        office,
        retain.dump(office, plant.state, plant.utc_ns),
        registers=dict(plant.registers),
        utc_ns=plant.utc_ns,
    )
    run(again, 50)
    assert {unit: again.registers[f"{unit}/RUN"] for unit in UNITS} == running
    for path in outputs:
        assert again.registers[path] == pytest.approx(before[path], abs=0.5), path
