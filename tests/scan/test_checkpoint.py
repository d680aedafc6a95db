"""A checkpoint is the whole state: the scans after it are the same to the bit."""

from __future__ import annotations

import random
from collections import Counter, deque
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scada.blocks.base import Tick
from scada.requests import Request
from scada.scan import Inputs, State, checkpoint, record, start, step
from scada.scan.checkpoint import CheckpointError, Taker, differences, dump, load, merge
from tests.scan.plant import LEVEL, MODE, PANEL, PROGRAM, PUMP, REMOTE, SP, SPEED, VALVE, Plant


def lively(seed: int, scans: int) -> Plant:
    """A plant in the middle of something: requests open, forces on, alarms up, links lost."""
    chance = random.Random(seed)
    plant = Plant()
    for n in range(scans):
        plant.registers[LEVEL] += chance.gauss(0.0, 0.3)
        plant.every = chance.choice((1, 1, 7))
        if chance.random() < 0.05:
            plant.registers[REMOTE] = not plant.registers[REMOTE]
        if chance.random() < 0.05:
            plant.linked = not plant.linked
        requests = []
        if chance.random() < 0.4:
            path, value = chance.choice(
                [(SP, 3.3), (MODE, 2), (MODE, 1), (VALVE, 44.4), (SPEED, 61.7), (PANEL, 21.3), (PUMP, True)]
            )
            requests.append(Request(f"r{n}", "write", ((path, value),), "", "hmi", "anna", "engineer"))
        if chance.random() < 0.1:
            requests.append(
                Request(
                    f"f{n}", "force", ((LEVEL, 1.1), (SP, 2.2)), "why", "cli", "eve", "engineer", 3 * 10**9
                )
            )
        plant.scan(*requests, periods=chance.choice((1, 1, 3)))
    return plant


def goes_on(plant: Plant, state: State, scans: int = 30) -> None:
    """The plant's own state and another one, given the same from here on."""
    chance = random.Random(5)
    for n in range(scans):
        requests = (Request(f"g{n}", "write", ((SP, 1.0 + n / 10),), role="engineer"),) if n % 7 == 0 else ()
        plant.registers[LEVEL] += chance.gauss(0.0, 0.3)
        told = plant.scan(*requests)
        state, writes, events = step(PROGRAM, state, *plant.given[-1])
        assert orjson.dumps(events) == orjson.dumps(told)
        assert writes == plant.last
    assert differences(dump(PROGRAM, state), dump(PROGRAM, plant.state)) == []


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(0, 60))
def test_the_scans_after_a_checkpoint_are_the_same(seed: int, scans: int) -> None:
    plant = lively(seed, scans)
    found = orjson.loads(orjson.dumps(dump(PROGRAM, plant.state)))
    state = load(PROGRAM, found)
    assert differences(found, dump(PROGRAM, state)) == []
    goes_on(plant, state)


def test_a_checkpoint_of_a_running_scan_is_of_the_moment_it_was_taken() -> None:
    plant = lively(3, 40)
    taker = Taker(PROGRAM, plant.state)
    plant.scan(scans=5)
    wanted = dump(PROGRAM, plant.state)
    parts = taker.take()
    plant.registers[LEVEL] = 4.9
    plant.ask("write", (SP, 1.9), scans=20)
    found = merge([orjson.loads(orjson.dumps(part)) for part in parts])
    assert differences(found, wanted) == []
    assert differences(found, dump(PROGRAM, plant.state)) != []


def test_a_value_that_becomes_an_object_is_saved_all_the_same() -> None:
    plant = Plant()
    taker = Taker(PROGRAM, plant.state)
    plant.scan()
    plant.state.outputs[0].ask = deque([1, 2])
    found = merge(list(taker.take()))
    assert differences(found, dump(PROGRAM, plant.state)) == []


def test_what_cannot_be_saved_is_named() -> None:
    plant = Plant()
    plant.state.outputs[1].ask = np.float64(1.0)
    with pytest.raises(CheckpointError, match=r"output tank1/P-101/START.ask: a state may not hold a numpy"):
        dump(PROGRAM, plant.state)


def test_a_checkpoint_of_another_program_is_refused() -> None:
    found = dump(PROGRAM, start(PROGRAM))
    with pytest.raises(CheckpointError, match="version 9"):
        load(PROGRAM, {**found, "version": 9})
    objects = dict(found["objects"])
    del objects["tank1/LIC-101"]
    with pytest.raises(CheckpointError, match="another program: tank1/LIC-101 is only in one"):
        load(PROGRAM, {**found, "objects": objects})
    with pytest.raises(CheckpointError, match=r"state.scans of the checkpoint cannot be read"):
        load(PROGRAM, {**found, "objects": {**found["objects"], "state": {"scans": {"o": "Popen", "v": {}}}}})
    parts = list(Taker(PROGRAM, start(PROGRAM)).take())
    for wrong in (parts[1:], parts[:-1], [parts[0], *parts]):
        if wrong:
            with pytest.raises(CheckpointError, match="parts of the checkpoint are missing"):
                merge(wrong)


leaves = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text()
things = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.integers() | st.text(max_size=3), inner)
        | st.lists(inner).map(deque)
        | st.dictionaries(st.tuples(st.text(max_size=3), st.booleans()), st.integers()).map(Counter)
        | st.binary().map(bytearray)
    ),
    max_leaves=10,
)


def text(value: Any) -> str:
    """Exact, and the same for equal sets."""
    return repr(sorted(value, key=repr) if isinstance(value, set | frozenset) else value)


@given(things | st.sets(st.integers()) | st.frozensets(st.text(max_size=3)))
def test_values_come_back_as_they_were(value: Any) -> None:
    state = start(PROGRAM)
    state.outputs[0].ask = value
    found = orjson.loads(orjson.dumps(dump(PROGRAM, state)))
    back = load(PROGRAM, found).outputs[0].ask
    assert text(back) == text(value)
    assert checkpoint.differences(found, dump(PROGRAM, load(PROGRAM, found))) == []


@pytest.mark.parametrize("odd", [float("nan"), float("-inf"), 2**63, -(2**63) - 1, (1,), [2**64]], ids=repr)
def test_one_odd_value_among_many_plain_ones_comes_back(odd: Any) -> None:
    """Long lists are not looked at one by one while all that is in them is plain."""
    state = start(PROGRAM)
    for value in ([1, -0.0, None, True, "x", 2**63 - 1, odd], {"a": 1, "b": odd, "c": 2.5}):
        state.outputs[0].ask = value
        found = orjson.loads(orjson.dumps(checkpoint.dump(PROGRAM, state)))
        assert text(checkpoint.load(PROGRAM, found).outputs[0].ask) == text(value)


def test_arrays_come_back_as_they_were() -> None:
    state = start(PROGRAM)
    value = np.array([[1.5, -0.0], [float("inf"), 2.0]])
    state.outputs[0].ask = value
    back = load(PROGRAM, orjson.loads(orjson.dumps(dump(PROGRAM, state)))).outputs[0].ask
    assert back.dtype == value.dtype
    assert back.tobytes() == value.tobytes()
    assert back.shape == value.shape


def test_a_checkpoint_of_columns_is_the_same() -> None:
    """Of many controllers most are stepped together; their state is theirs all the same."""
    from bench.control import Load

    load_ = Load(40)
    taker = Taker(load_.program, load_.state)
    for _ in range(7):
        load_.scan()
    found = merge([orjson.loads(orjson.dumps(part)) for part in taker.take()])
    load_.state.settle()
    other = load(load_.program, found)
    assert differences(found, dump(load_.program, load_.state)) == []
    for n in range(30):
        # Also scans in which only some values are new: what the columns know of the others must have come with it.
        some = [sample for sample in load_.inputs().every() if n % 3 == 1 or (sample[0] + n) % 3 == 0]
        inputs = Inputs(some if n % 3 else [])
        tick = Tick(n, 1, 10**8, n)
        one = step(load_.program, load_.state, inputs, (), tick)
        two = step(load_.program, other, inputs, (), tick)
        assert one[1:] == two[1:]
        assert record.checksum(one[0]) == record.checksum(two[0])
    assert differences(dump(load_.program, load_.state), dump(load_.program, other)) == []
