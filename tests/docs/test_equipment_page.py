"""The page of equipment over OPC UA says what blocks can do, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from scada.opcua.equipment import methods
from scada.opcua.equipment.calls import _STATUS
from scada.opcua.equipment.model import Equipment
from tests.blocks.test_every_block import program

PAGE: Final = (Path(__file__).parents[2] / "docs/reference/opcua-equipment.md").read_text()
ROWS: Final = {
    block: set(re.findall(r"`(\w+)`", cell))
    for block, cell in re.findall(r"^\| `(\w+)` \| (`.*`) \|$", PAGE, re.MULTILINE)
}


def test_each_block_with_methods_has_its_row() -> None:
    assert ROWS.keys() == methods._MAKERS.keys() | {"ramp", "on_off", "three_position"}


def test_what_a_block_can_do_is_in_its_row() -> None:
    for kind in Equipment(program().site).kinds.values():
        if kind.id.startswith("#block/") and kind.methods:
            assert kind.methods.keys() <= ROWS[kind.id.removeprefix("#block/")]


def test_each_outcome_is_explained() -> None:
    for outcome in _STATUS:
        assert f"`{outcome}`" in PAGE


def test_each_argument_is_explained() -> None:
    inputs = {
        one.name
        for kind in Equipment(program().site).kinds.values()
        for method in kind.methods.values()
        for one in method.inputs
    }
    assert {name for name in inputs if f"`{name}`" not in PAGE} == set()
