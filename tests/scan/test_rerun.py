"""What if: a recording given to a changed program."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scada.requests import Request
from scada.scan import Program, build, checkpoint, record
from scada.scan.replay import ReplayError
from scada.scan.rerun import Changes, Rerun
from scada.scan.transfer import transfer
from tags.model import Site
from tests.scan.plant import (
    DAMPER,
    LEVEL,
    LOCK,
    MODE,
    PANEL,
    PROGRAM,
    PUMP,
    REMOTE,
    SITE,
    SP,
    SPEED,
    VALVE,
    Plant,
)
from tests.scan.test_replay import Recording


def lively(seed: int, scans: int = 200) -> list[bytes]:
    """A plant that is steered by hand and in Auto, with every kind of output."""
    chance = random.Random(seed)
    plant = Plant()
    recording = Recording(plant)
    for n in range(scans):
        plant.registers[LEVEL] += chance.gauss(0.0, 0.05)
        plant.every = chance.choice((1, 1, 4))
        if chance.random() < 0.02:
            plant.registers[REMOTE] = not plant.registers[REMOTE]
        requests = []
        if chance.random() < 0.3:
            path, value = chance.choice(
                [(SP, 3.3), (MODE, 2), (MODE, 1), (VALVE, 44.4), (SPEED, 61.7), (PANEL, 21.3), (PUMP, True),
                 (DAMPER, True), (DAMPER, False)]
            )  # fmt: skip
            requests.append(Request(f"r{n}", "write", ((path, value),), "", "hmi", "anna", "engineer"))
        if chance.random() < 0.05:
            path, value = chance.choice([(f"{SPEED}/command", 33.0), (SP, 2.2), (LEVEL, 1.0)])
            requests.append(
                Request(f"f{n}", "force", ((path, value),), "why", "cli", "eve", "engineer", 2 * 10**9)
            )
        recording.scan(*requests)
    return recording.records


def other(**of_blocks: dict[str, Any]) -> Program:
    """The site with other settings of some blocks."""
    blocks = tuple(
        dataclasses.replace(block, config={**block.config, **of_blocks.get(block.type, {})})
        for block in SITE.blocks
    )
    return build(dataclasses.replace(SITE, blocks=blocks, digest="c" * 64))


def rerun(records: list[bytes], changed: Program) -> Rerun:
    made = Rerun(changed, PROGRAM, record.items(records, PROGRAM))
    assert sum(1 for _ in made) > 0
    assert made.was.differing == 0
    return made


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_the_same_program_under_another_name_makes_no_difference(seed: int) -> None:
    """Also what is asked, pulsed and confirmed: the carried state is the whole of it."""
    made = rerun(lively(seed), other())
    assert made.changes.all() == []
    assert made.state is not None
    assert made.was.state is not None
    left = checkpoint.dump(PROGRAM, made.was.state)
    right = checkpoint.dump(made.changed, made.state)
    assert checkpoint.differences(left, right) == []


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 150))
def test_a_state_carried_over_in_the_middle_is_the_whole_state(seed: int, scans: int) -> None:
    records = lively(seed, scans)
    made = rerun(records, other())
    assert made.was.state is not None
    carried = transfer(PROGRAM, made.was.state, other())
    left = checkpoint.dump(PROGRAM, made.was.state)
    right = checkpoint.dump(other(), carried)
    differing = [place for place, _, _ in checkpoint.differences(left, right)]
    # Who was looked at last, what was told in the last scan and what is only of it is not carried over.
    assert [place for place in differing if not place.startswith(CARELESS)] == []


CARELESS = (
    "state.tasks", "state.context.", "state.flags", "state.renew", "state.urgent", "state.deadlines", "state.signals.fresh",
    "state.forces.changed", "state.inbox._held",
)  # fmt: skip


def test_every_output_that_would_have_been_different_is_listed() -> None:
    plant = Plant()
    recording = Recording(plant)
    recording.scan()
    recording.scan()
    recording.scan(Request("a", "write", ((MODE, 2),), role="engineer"))
    for _ in range(50):
        plant.registers[LEVEL] += 0.01
        recording.scan()
    made = rerun(recording.records, other(pid={"gain": 4.0}))
    (change,) = made.changes.all()
    assert change.path == VALVE
    assert change.scans >= 45
    assert change.was[1]
    assert change.would[1]
    assert change.was[0] != change.would[0]
    assert change.largest > 0.1
    # An interlock that is tighter holds the valve from then on.
    made = rerun(recording.records, other(interlock={"when": f"{LEVEL} > 2.2 m"}))
    (change,) = made.changes.all()
    assert change.path == VALVE
    assert change.would == (0.0, True)
    assert change.since_ns == plant.utc_ns - 30 * 10**8 + 10**8
    assert change.until_ns == plant.utc_ns


def test_a_question_that_only_the_changed_program_asks_ends_as_one_that_was_answered() -> None:
    """The device in the recording never answered it: it counts as taken up in the next scan, not as open for ever."""
    plant = Plant()
    recording = Recording(plant)
    for _ in range(5):
        recording.scan()
    plant.registers[LEVEL] = 4.7
    for _ in range(10):
        recording.scan()
    target = {"interlock": {"target": PANEL, "value": 16.0, "when": f"{LEVEL} > 4.6 m"}}
    made = rerun(recording.records, other(**target))
    assert {change.path for change in made.changes.all()} == {VALVE, PANEL}
    assert made.state is not None
    asking = [change for change in made.changes.all() if change.path == PANEL]
    assert asking[0].would == (16.0, True)
    assert asking[0].scans <= 4


def test_tags_that_the_recording_does_not_have_are_named() -> None:
    tags = [
        dataclasses.replace(tag, path="tank1/LT-999", id=999, row=900) if tag.path == LEVEL else tag
        for tag in SITE.tags
    ]
    again = [*tags, next(tag for tag in SITE.tags if tag.path == LEVEL)]
    changed: Site = dataclasses.replace(
        SITE,
        tags=tuple(sorted(again, key=lambda tag: (tag.writer, tag.row))),
        digest="d" * 64,
        blocks=tuple(
            dataclasses.replace(block, config={**block.config, "when": "tank1/LT-999 > 4.5 m"})
            if block.path == LOCK
            else block
            for block in SITE.blocks
        ),
    )
    made = rerun(lively(1, 20), build(changed))
    assert made.unknown == ["tank1/LT-999"]


def test_another_scan_period_is_refused() -> None:
    changed = build(dataclasses.replace(SITE, scan_ns=50_000_000, digest="e" * 64))
    with pytest.raises(ReplayError, match="is of a scan of 100 ms, the site has 50 ms"):
        Rerun(changed, PROGRAM, [])


def test_it_goes_on_behind_a_gap() -> None:
    recording = Recording(Plant())
    for n in range(40):
        recording.scan()
        if n == 19:
            recording.checkpoint()
    first = [n for n, one in enumerate(recording.records) if one[:1] == b"T"]
    left = [one for n, one in enumerate(recording.records) if n not in first[10:15]]
    made = Rerun(other(), PROGRAM, record.items(left, PROGRAM))
    assert [tick.number for tick, _, _ in made] == [*range(1, 11), *range(21, 41)]
    assert made.changes.all() == []


def test_stretches_begin_and_end() -> None:
    changes = Changes()
    for utc_ns, was, would in (
        (1, (1.0, True), (1.0, True)), (2, (1.0, True), (2.0, True)), (3, (1.0, True), (4.5, True)),
        (4, (1.0, True), (1.0, True)), (5, (0.0, True), (-0.0, True)), (6, (0.0, True), (0.0, False)),
    ):  # fmt: skip
        changes.note("a", utc_ns, was, would)
    assert [(one.since_ns, one.until_ns, one.scans, one.largest) for one in changes.all()] == [
        (2, 3, 2, 3.5),
        (5, 6, 2, 0.0),
    ]
