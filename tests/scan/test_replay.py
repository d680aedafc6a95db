"""The same inputs give the same outputs, bit for bit, in another process too."""

from __future__ import annotations

import os
import random
import subprocess
import sys

import orjson
import pytest

from scada.requests import Request
from scada.scan import Replay, record, retain
from scada.scan.record import ReplayError
from tests.scan.plant import LEVEL, MODE, PANEL, PROGRAM, REMOTE, SP, SPEED, START_NS, VALVE, Plant

SEED = 20261122


def recorded(scans: int = 400, seed: int = SEED) -> list[bytes]:
    """A lively stretch of plant, as the control service records it."""
    chance = random.Random(seed)
    plant = Plant()
    records = record.start_records(PROGRAM, None, START_NS, manual=False)
    for n in range(scans):
        plant.registers[LEVEL] += (plant.registers[VALVE] - 40.0) * 1e-3 + chance.gauss(0.0, 0.01)
        if chance.random() < 0.02:
            plant.registers[REMOTE] = not plant.registers[REMOTE]
        if chance.random() < 0.02:
            plant.linked = not plant.linked
        requests = []
        if chance.random() < 0.2:
            path, value = chance.choice(
                [(SP, 3.3), (SP, 1.2), (MODE, 2), (MODE, 1), (VALVE, 44.4), (SPEED, 61.7), (PANEL, 21.3)]
            )
            requests.append(Request(f"r{n}", "write", ((path, value),), "", "hmi", "anna", "engineer"))
        if n == 100:
            requests.append(
                Request("f", "force", ((LEVEL, 1.1), (SP, 2.2)), "", "cli", "eve", "engineer", 10**10)
            )
        plant.scan(*requests, periods=chance.choice((1, 1, 1, 2, 7)))
        check = record.checksum(plant.state) if n % 10 == 9 else None
        records += record.scan_records(*plant.given[-1], check)
    records.append(orjson.dumps(record.checksum(plant.state)))
    return records


def test_a_recording_is_repeated_bit_for_bit() -> None:
    *records, last = recorded()
    replay = Replay(PROGRAM)
    events = [event for _, told in replay.run(records) for event in told]
    assert replay.checked == 40
    assert replay.state is not None
    assert record.checksum(replay.state) == orjson.loads(last)
    assert {event["kind"] for event in events} >= {"request", "force", "alarm"}


def test_a_changed_sample_is_noticed() -> None:
    records = recorded(60)[:-1]
    at = next(n for n, one in enumerate(records) if one[:1] == b"T" and orjson.loads(one[1:])[5] is not None)
    body = orjson.loads(records[at][1:])
    body[1][0][0] += 1  # one nanosecond
    records[at] = b"T" + orjson.dumps(body)
    with pytest.raises(ReplayError, match="came out otherwise"):
        list(Replay(PROGRAM).run(records))


def test_a_recording_that_cannot_be_repeated_says_why() -> None:
    records = recorded(20)[:-1]
    with pytest.raises(ReplayError, match="does not begin with a start"):
        list(Replay(PROGRAM).run(records[2:]))
    with pytest.raises(ReplayError, match="the whole start"):
        list(Replay(PROGRAM).run(records[1:]))
    other = b"S" + orjson.dumps({"digest": "f" * 64, "utc_ns": 0, "manual": False})
    with pytest.raises(ReplayError, match="another version of the site"):
        list(Replay(PROGRAM).run([other]))


def test_a_scan_of_many_inputs_is_split() -> None:
    plant = Plant()
    plant.scan()
    inputs, requests, tick = plant.given[0]
    many = type(inputs)([*inputs.samples] * 200, inputs.acted, inputs.versions)
    parts = record.scan_records(many, requests, tick, None)
    assert len(parts) > 1
    assert max(map(len, parts)) < 60_000


def test_a_scan_of_many_requests_is_split_and_repeated() -> None:
    """What anybody sends must never be what stops control: a record too long for its ring did."""
    records = record.start_records(PROGRAM, {"utc_ns": START_NS}, START_NS, manual=False)
    flood = [
        Request(f"r{n}", "write", tuple((f"no/{i}/{'x' * 240}", "é" * 1000) for i in range(64)), "r" * 500)
        for n in range(3)
    ]
    plant = Plant(retained={"utc_ns": START_NS})
    for requests in ([], flood, [Request("sp", "write", ((SP, 3.1),), role="operator")]):
        plant.scan(*requests)
        records += record.scan_records(*plant.given[-1], record.checksum(plant.state))
    assert max(map(len, records)) < 60_000
    replay = Replay(PROGRAM)
    told = [
        event["id"] for _, events in replay.run(records) for event in events if event["kind"] == "request"
    ]
    assert told == ["r0", "r1", "r2", "sp"]
    assert replay.checked == 3


@pytest.mark.parametrize("hash_seed", ["0", "12345"])
def test_another_process_comes_to_the_same(hash_seed: str) -> None:
    code = "from tests.scan.test_replay import recorded; print(recorded(200)[-1].decode())"
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        check=True,
    )
    assert int(told.stdout) == orjson.loads(recorded(200)[-1])


def test_what_is_retained_does_not_depend_on_the_process() -> None:
    first, second = Plant(), Plant()
    first.scan(scans=20)
    second.scan(scans=20)
    assert retain.dump(PROGRAM, first.state, 5) == retain.dump(PROGRAM, second.state, 5)
