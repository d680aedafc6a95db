"""The scan itself: a failing block, overruns, health."""

from __future__ import annotations

import dataclasses

import pytest

from scada.blocks.base import Context
from scada.scan import build
from tags.model import Block, Tag
from tags.quality import BAD_INTERNAL_ERROR, GOOD
from tests.scan.plant import LEVEL, MODE, PROGRAM, SP, SPEED, VALVE, Plant, plant_site


def test_a_block_that_raises_turns_bad_and_the_scan_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    plant = Plant()
    plant.scan(scans=4)
    plant.ask("write", (MODE, "Auto"))
    plant.scan(scans=5)
    block = plant.state.blocks[0]
    held = plant.command(VALVE)

    def broken(self: object, ctx: Context) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(type(block), "step", broken)
    plant.registers[LEVEL] = 1.5
    told = plant.scan(scans=3)
    assert [(e["path"], e["failed"], e["message"]) for e in told if e["kind"] == "block"] == [
        ("tank1/LIC-101", True, "ZeroDivisionError: planted")
    ]
    assert plant.quality(SP) == plant.quality(MODE) == BAD_INTERNAL_ERROR
    assert plant.command(VALVE) == held
    assert plant.ask("write", (SPEED, 55.0), scans=20)[-1][0] == "confirmed", "the rest of the plant runs"
    monkeypatch.undo()
    told = plant.scan(scans=110)
    assert [e["failed"] for e in told if e["kind"] == "block"] == [False]
    plant.ask("write", (SP, 2.2))
    plant.scan(scans=2)
    assert plant.quality(SP) == GOOD


def test_missed_periods_count_for_ramps_once() -> None:
    plant = Plant()
    plant.scan(scans=4)
    plant.ask("write", (SPEED, 80.0))
    before = plant.command(SPEED)
    plant.scan(periods=5)
    assert plant.command(SPEED) == pytest.approx(before + 5.0)


def test_only_what_changed_is_published() -> None:
    plant = Plant()
    plant.scan()
    assert plant.last.slots == list(range(PROGRAM.own))
    plant.scan(scans=4)
    assert plant.last.slots == []
    plant.ask("write", (SP, 3.0))
    assert plant.last.slots == [PROGRAM.index[SP]]
    assert plant.last.urgent


def test_every_own_tag_has_the_slot_of_its_row() -> None:
    for slot in range(PROGRAM.own):
        assert (PROGRAM.slots[slot].writer, PROGRAM.slots[slot].row) == ("control", slot)


def test_a_block_writes_a_tag_of_our_own_within_its_limits() -> None:
    """A value that the tag's type cannot hold would be shown as another one, Good."""
    site = plant_site()
    own = len(site.of_writer("control"))
    more = (
        Tag(id=9001, path="t/M", type="int16", kind="memory", writer="control", row=own, initial=0),
        Tag(
            id=9002, path="t/R/SP", type="float64", kind="block", writer="control", row=own + 1, writable=True
        ),
    )
    ramp = Block(path="t/R", type="ramp", points={"SP": "t/R/SP"}, config={"out": ["t/M"], "rate": 1e9})
    tags = tuple(sorted((*site.tags, *more), key=lambda tag: (tag.writer, tag.row)))
    plant = Plant(build(dataclasses.replace(site, tags=tags, blocks=(*site.blocks, ramp))))
    plant.scan(scans=3)
    assert plant.ask("write", ("t/R/SP", 1e8), scans=3) == [("confirmed", [])]
    assert plant.value("t/M") == 32767
