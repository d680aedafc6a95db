from __future__ import annotations

import dataclasses
import math
import re
import time

import pytest

from scada.opcua.equipment.methods import Argument, values
from scada.opcua.equipment.model import BASE, Equipment
from tags.model import Block, Site, Tag, Unit
from tests.blocks.test_every_block import Life, program
from tests.support.site import make_site


@pytest.fixture(scope="module")
def equipment(demo: Site) -> Equipment:
    return Equipment(demo)


def test_a_template_makes_a_type_below_that_of_its_block(equipment: Equipment) -> None:
    assert [kind.id for kind in equipment.lineage("#type/control_valve")] == [
        "#type/control_valve",
        "#block/valve",
    ]
    assert equipment.kinds["#block/valve"].above == BASE
    assert list(equipment.kinds["#type/control_valve"].members) == ["OUT", "POS", "REM"]
    assert list(equipment.kinds["#block/valve"].methods) == ["Open", "Close", "SetPosition"]


def test_supertypes_come_before_their_subtypes(equipment: Equipment) -> None:
    seen = {BASE}
    for kind in equipment.kinds.values():
        assert kind.above in seen
        seen.add(kind.id)


def test_every_object_has_what_its_type_says_each_has(equipment: Equipment) -> None:
    for item in equipment.items.values():
        for kind in equipment.lineage(item.kind):
            assert kind.everywhere <= item.members.keys() | item.methods.keys()
            assert kind.everywhere <= kind.members.keys() | kind.methods.keys()


def test_whatever_an_object_can_do_its_types_declare(equipment: Equipment) -> None:
    for item in equipment.items.values():
        declared = {name for kind in equipment.lineage(item.kind) for name in kind.methods}
        assert item.methods.keys() == item.methods.keys() & declared


def test_every_method_writes_what_can_be_written(equipment: Equipment, demo: Site) -> None:
    tags, blocks = demo.by_path(), {block.path for block in demo.blocks}
    for item in equipment.items.values():
        for method in item.methods.values():
            for path, _ in method.items:
                assert path in blocks if method.kind != "write" else tags[path].writable


def test_a_loop_names_its_process_value_and_its_output(equipment: Equipment) -> None:
    loop = equipment.items["tank1/LIC-101"]
    assert loop.links == ("tank1/LT-101", "tank1/LV-101/OUT")
    assert list(loop.methods) == ["SetMode", "SetPoint", "SetOutput", "SetTuning"]
    assert loop.methods["SetTuning"].role == "engineer"
    assert loop.methods["SetPoint"].role == "operator"


def test_the_set_point_of_a_loop_may_be_a_tag_of_a_device(equipment: Equipment) -> None:
    assert equipment.items["ahu1/TIC-201"].methods["SetPoint"].items[0][0] == "ahu1/TIC-201/SP"
    assert "ahu1/TIC-201/SP" in equipment.tags


def test_only_what_may_be_bypassed_has_a_bypass(equipment: Equipment) -> None:
    able = [item.path for item in equipment.items.values() if "Bypass" in item.methods]
    assert able == ["tank1/OVERFILL"]
    assert equipment.items["tank1/OVERFILL"].methods["Bypass"].role == "engineer"


def test_a_contact_or_a_plain_calculation_is_no_equipment(equipment: Equipment) -> None:
    assert equipment.type_of("truck1") is None
    assert not [item for item in equipment.items.values() if item.path in ("truck1/ALERT", "tank1/PSL-103")]


def test_an_object_stands_beside_the_tag_that_has_its_path() -> None:
    site = make_site()
    total = dataclasses.replace(site.tags[0], id=999, path="tank1/FQ-1", kind="block", writer="control")
    reset = dataclasses.replace(total, id=998, path="tank1/FQ-1/RESET", type="bool", writable=True)
    block = Block(
        path="tank1/FQ-1", type="totaliser", config={}, points={"TOTAL": total.path, "RESET": reset.path}
    )
    found = Equipment(dataclasses.replace(site, tags=(*site.tags, total, reset), blocks=(block,)))
    item = found.items["tank1/FQ-1#unit"]
    assert item.beside
    assert list(item.methods) == ["Reset"]
    assert found.type_of("tank1/FQ-1") is None


def test_a_unit_that_no_block_supervises_has_methods_by_its_contacts() -> None:
    site = make_site()
    unit = Unit(
        path="tank1/P-101", template="starter", tags={"START": "tank1/P-101/START", "RUN": "tank1/P-101/RUN"}
    )
    found = Equipment(dataclasses.replace(site, units=(unit,), blocks=()))
    assert list(found.items["tank1/P-101"].methods) == ["Start"]
    assert found.kinds["#type/starter"].above == BASE


def test_a_member_that_not_all_have_is_optional() -> None:
    site = make_site()
    units = tuple(
        Unit(path=f"tank1/{name}", template="x", tags={point: f"tank1/{name}/{point}" for point in points})
        for name, points in (("LV-101", ("OUT", "POS")), ("P-101", ("START", "RUN")))
    )
    kind = Equipment(dataclasses.replace(site, units=units, blocks=())).kinds["#type/x"]
    assert list(kind.members) == ["OUT", "POS", "START", "RUN"]
    assert kind.everywhere == frozenset()


def test_units_of_one_template_with_different_blocks_have_a_type_of_their_own() -> None:
    site = make_site()
    blocks = (
        Block(path="tank1/LV-101", type="valve", config={"out": "tank1/LV-101/OUT"}),
        Block(path="tank1/P-101", type="motor", config={}),
    )
    units = tuple(
        Unit(path=f"tank1/{name}", template="x", tags={point: f"tank1/{name}/{point}"})
        for name, point in (("LV-101", "OUT"), ("P-101", "RUN"))
    )
    found = Equipment(dataclasses.replace(site, units=units, blocks=blocks))
    assert found.kinds["#type/x"].above == BASE
    assert "Open" in found.kinds["#type/x"].methods, "no supertype declares it"


@pytest.mark.parametrize(
    ("given", "fits"),
    [([2.5], [True]), ([1.0], [True]), ([4.0], [True]), ([0.99], [False]), ([4.01], [False]),
     ([float("nan")], [False]), ([float("inf")], [False])],
)  # fmt: skip
def test_a_number_is_held_against_the_limits(
    equipment: Equipment, given: list[float], fits: list[bool]
) -> None:
    method = equipment.items["tank1/LIC-101"].methods["SetPoint"]
    assert values(method, given, equipment.tags)[1] == fits


@pytest.mark.parametrize(
    ("mode", "fits"),
    [("Auto", True), ("auto", True), ("2", True), ("9", False), ("", False), ("A" * 501, False)],
)
def test_a_mode_is_a_word_or_its_number(equipment: Equipment, mode: str, fits: bool) -> None:
    method = equipment.items["tank1/LIC-101"].methods["SetMode"]
    assert values(method, [mode], equipment.tags)[1] == [fits]


def test_what_each_kind_of_block_can_do() -> None:
    found = Equipment(program().site).kinds
    can = {kind.removeprefix("#block/"): set(found[kind].methods) for kind in found if found[kind].methods}
    motor = {"Start", "Stop", "Reset", "SetMode"}
    assert can == {
        "#type/pump": {*motor, "SetSpeed"},  # with blocks of two types, so that no supertype says it
        "cause_effect": {"Reset", "Bypass", "EndBypass"},
        "changeover": {"Select"},
        "damper": {"Open", "Close", "SetMode", "SetPosition"},
        "drive": {*motor, "SetSpeed"},
        "frost_protection": {"Reset"},
        "motor": motor,
        "on_off": {"SetPoint"},
        "on_off_valve": {"Open", "Close", "SetMode"},
        "pid": {"SetMode", "SetPoint", "SetOutput", "SetTuning"},
        "ramp": {"SetPoint"},
        "ratio": {"SetRatio"},
        "totaliser": {"Reset"},
        "valve": {"Open", "Close", "SetPosition"},
    }


def test_causes_of_a_matrix_are_bypassed_by_name() -> None:
    permits = {"LOW": {"max_ns": 60_000_000_000, "role": "engineer"}, "HIGH": {"max_ns": 1, "role": "admin"}}
    site = make_site()
    active = dataclasses.replace(
        site.tags[0], id=999, path="tank1/ESD/LOW/ACTIVE", kind="block", writer="control"
    )
    block = Block(path="tank1/ESD", type="cause_effect", config={"bypass": permits})
    equipment = Equipment(dataclasses.replace(site, tags=(*site.tags, active), blocks=(block,)))
    bypass = equipment.items["tank1/ESD"].methods["Bypass"]
    assert [one.name for one in bypass.inputs] == ["Cause", "Seconds", "Reason"]
    assert bypass.role == "engineer", "control asks for that of the cause"
    assert values(bypass, ["LOW", 30.0, "test"], {})[1] == [True, True, True]
    assert values(bypass, ["NONE", 0.0, "x" * 501], {})[1] == [False, False, False]
    assert [one.name for one in equipment.items["tank1/ESD"].methods["EndBypass"].inputs] == ["Cause"]


WRITES = {
    ("ahu1/FD-1", "Open"): [("ahu1/FD-1/SP", 100.0)],
    ("ahu1/FD-1", "Close"): [("ahu1/FD-1/SP", 0.0)],
    ("ahu1/FROST", "Reset"): [("ahu1/FROST/TRIP", False)],
    ("hvac/CHANGEOVER", "Select"): [("hvac/CHANGEOVER/SELECT", "State")],
    ("mix1/FQ-1#unit", "Reset"): [("mix1/FQ-1/RESET", True)],
    ("pump1/P-1", "Start"): [("pump1/P-1/CMD", True)],
    ("pump1/P-1", "Stop"): [("pump1/P-1/CMD", False)],
    ("pump1/P-1", "SetSpeed"): [("pump1/P-1/SP", "Value")],
    ("tank1/LIC-101", "SetOutput"): [("tank1/LV-101/OUT", "Value")],
    ("tank1/LIC-101", "SetTuning"): [
        ("tank1/LIC-101/GAIN", "Gain"),
        ("tank1/LIC-101/TI", "IntegralTime"),
        ("tank1/LIC-101/TD", "DerivativeTime"),
    ],
    ("tank1/LV-101", "Open"): [("tank1/LV-101/OUT", 100.0)],
    ("tank1/LV-101", "Close"): [("tank1/LV-101/OUT", 0.0)],
    ("tank1/TRIPS", "Bypass"): [("tank1/TRIPS", None)],
    ("tank1/XV-101", "Open"): [("tank1/XV-101/CMD", True)],
    ("tank1/XV-101", "Close"): [("tank1/XV-101/CMD", False)],
    ("tank1/XV-101", "SetMode"): [("tank1/XV-101/MODE", "Mode")],
}


@pytest.mark.parametrize(("of", "items"), WRITES.items(), ids=map(".".join, WRITES))
def test_what_a_method_asks_for(of: tuple[str, str], items: list[tuple[str, object]]) -> None:
    method = Equipment(program().site).items[of[0]].methods[of[1]]
    assert [
        (path, value.name if isinstance(value, Argument) else value) for path, value in method.items
    ] == items


def test_every_method_writes_a_point_that_its_block_takes() -> None:
    """What a block refuses now is its affair; that it has no such point would be a defect of the method."""
    equipment, life = Equipment(program().site), Life()
    life.run(20, bad=0.0)
    owners = {
        path: (n, name)
        for n, block in enumerate(program().site.blocks)
        for name, path in block.points.items()
    }
    tried = 0
    for item in equipment.items.values():
        for method in item.methods.values():
            for path, value in method.items:
                if method.kind != "write" or path not in owners:
                    continue
                number, point = owners[path]
                answer = life.state.blocks[number].write(point, fitting(value, equipment.tags[path]))
                assert not re.search(
                    "computed|takes|no point|needs a number|cannot be written", answer or ""
                ), answer
                tried += 1
    assert tried > 30


def fitting(value: object, tag: Tag) -> object:
    """What control would hand to the block."""
    if not isinstance(value, Argument):
        return value
    if tag.states:
        return int(next(iter(tag.states)))
    limits = tag.limits or tag.range or (0.0, 1.0)
    return (limits[0] + limits[1]) / 2


def test_a_large_site_takes_no_longer_for_each_unit() -> None:
    site = make_site()

    def seconds(count: int) -> float:
        paths = [f"area{i % 50}/M-{i}/{point}" for i in range(count) for point in ("START", "RUN")]
        tags = tuple(dataclasses.replace(site.tags[0], id=i + 1, path=path) for i, path in enumerate(paths))
        units = tuple(
            Unit(path=path.rpartition("/")[0], template="x", tags={"START": path}) for path in paths[::2]
        )
        large = dataclasses.replace(site, tags=tags, units=units, blocks=())
        best = math.inf
        for _ in range(3):
            began = time.process_time()
            assert len(Equipment(large).items) == count
            best = min(best, time.process_time() - began)
        return best

    seconds(100)
    assert seconds(1500) < 40 * seconds(150)
