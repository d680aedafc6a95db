"""The same inputs give the same outputs, bit for bit, in another process too; and what differs is named."""

from __future__ import annotations

import dataclasses
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.blocks.base import Tick
from scada.requests import Request
from scada.scan import Inputs, Replay, Writes, build, checkpoint, record, retain, start, step
from scada.scan.batch import Batch
from scada.scan.record import Encoder, RecordError, Scan
from scada.scan.replay import DiffersError, ReplayError
from tags.model import Task
from tests.scan.plant import (
    LEVEL,
    MODE,
    PANEL,
    PROGRAM,
    REMOTE,
    SITE,
    SP,
    SPEED,
    START_NS,
    VALVE,
    Plant,
)

SEED = 20261122
TOLD = record.Told(PROGRAM)


class Recording:
    """A plant that is recorded as the control service records it."""

    def __init__(self, plant: Plant, check_every: int = 10) -> None:
        self.plant, self.encoder, self.check_every = plant, Encoder(PROGRAM), check_every
        self.taker = checkpoint.Taker(PROGRAM, plant.state)
        self.records = record.start_records(PROGRAM, START_NS, manual=False)
        self.checkpoint()

    def checkpoint(self) -> None:
        self.encoder.restart()
        for part in self.taker.take():
            self.records += record.checkpoint_records(part)

    def scan(self, *requests: Request, periods: int = 1) -> None:
        self.plant.scan(*requests, periods=periods)
        state = self.plant.state
        check = record.checksum(state) if state.scans % self.check_every == 0 else None
        told = TOLD.of(state, self.plant.last)
        self.records += self.encoder.scan(*self.plant.given[-1], told, check)


def recorded(scans: int = 400, seed: int = SEED, checkpoints: int = 150) -> list[bytes]:
    """A lively stretch of plant; the last record is the checksum after it."""
    chance = random.Random(seed)
    plant = Plant()
    recording = Recording(plant)
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
        recording.scan(*requests, periods=chance.choice((1, 1, 1, 2, 7)))
        if n % checkpoints == checkpoints - 1:
            recording.checkpoint()
    return [*recording.records, orjson.dumps(record.checksum(plant.state))]


def replayed(records: list[bytes], replay: Replay | None = None) -> Replay:
    replay = replay or Replay(PROGRAM)
    for _ in replay.run(record.items(records, replay.program)):
        pass
    return replay


def scans(records: list[bytes]) -> Iterator[int]:
    """Positions of the records of scans."""
    return (n for n, one in enumerate(records) if one[:1] == b"T")


def test_a_recording_is_repeated_bit_for_bit() -> None:
    *records, last = recorded()
    replay = Replay(PROGRAM)
    events = [event for done in replay.run(record.items(records, PROGRAM)) for event in done.events]
    assert (replay.scans, replay.checked, replay.skipped, replay.gaps) == (400, 42, 0, 0)
    assert replay.state is not None
    assert record.checksum(replay.state) == orjson.loads(last)
    assert {event["kind"] for event in events} >= {"request", "force", "alarm"}


def test_a_replay_begins_at_any_checkpoint() -> None:
    *records, last = recorded()
    later = [n for n, one in enumerate(records) if one[:1] == b"K"][-1]
    replay = replayed(records[later:])
    assert replay.scans == 100
    assert replay.state is not None
    assert record.checksum(replay.state) == orjson.loads(last)


def test_a_recording_may_come_piece_by_piece() -> None:
    *records, last = recorded()
    replay = Replay(PROGRAM)
    for at in range(0, len(records), 37):
        replayed(records[at : at + 37], replay)
    assert (replay.scans, replay.checked, replay.skipped, replay.gaps) == (400, 42, 0, 0)
    assert replay.state is not None
    assert record.checksum(replay.state) == orjson.loads(last)


def test_scans_between_the_parts_of_a_checkpoint_are_repeated_after_it() -> None:
    recording = Recording(Plant())
    parts = list(recording.taker.take())
    assert len(parts) == 1
    pieces = [
        {**parts[0], "part": n, "parts": 3, "objects": dict(list(parts[0]["objects"].items())[n::3])}
        for n in range(3)
    ]
    recording.encoder.restart()
    recording.records.clear()
    for piece in pieces:
        recording.records += record.checkpoint_records(piece)
        recording.scan()
    replay = replayed(recording.records)
    assert (replay.scans, replay.skipped) == (3, 0)
    assert replay.state is not None
    assert record.checksum(replay.state) == record.checksum(recording.plant.state)


def test_a_scan_that_is_missing_is_a_gap_and_the_replay_goes_on_at_the_next_checkpoint() -> None:
    *records, last = recorded()
    at = list(scans(records))[170]
    replay = replayed(records[:at] + records[at + 1 :])
    assert (replay.gaps, replay.scans, replay.skipped) == (1, 170 + 100, 129)
    assert replay.state is not None
    assert record.checksum(replay.state) == orjson.loads(last)


def changed(records: list[bytes], at: int, **members: Any) -> list[bytes]:
    """A recording in which the record at a place says something else."""
    one = record.raw(records[at][1:])._replace(**members)
    head = record.HEAD.pack(
        one.number, one.periods, one.utc_ns, len(one.slots), len(one.acted), len(one.versions),
        len(one.told), len(one.extra),
    )  # fmt: skip
    columns = (one.slots, one.statuses, one.times, one.bits, one.acted, one.versions)
    body = b"".join((head, *(column.tobytes() for column in columns), one.told, one.extra))
    return [*records[:at], b"T" + body, *records[at + 1 :]]


def test_a_changed_sample_is_named_in_its_scan() -> None:
    recording = Recording(Plant())
    for _ in range(60):
        recording.plant.registers[LEVEL] += 0.001
        recording.scan()
        if recording.plant.state.scans == 5:
            recording.scan(Request("m", "write", ((MODE, 2),), role="engineer"))
    at = list(scans(recording.records))[40]
    one = record.raw(recording.records[at][1:])
    where = int(np.flatnonzero(one.slots == PROGRAM.index[LEVEL])[0])
    bits = one.bits.copy()
    bits[where] += 1 << 40
    with pytest.raises(DiffersError) as caught:
        replayed(changed(recording.records, at, bits=bits))
    assert caught.value.number == 41
    assert caught.value.utc_ns == one.utc_ns
    assert [place.path for place in caught.value.places] == [f"{VALVE}/command"]
    assert "status 0x00000000" in caught.value.places[0].now
    assert "scan 41 came out otherwise: tank1/LV-101/OUT/command" in str(caught.value)
    lenient = replayed(changed(recording.records, at, bits=bits), Replay(PROGRAM, strict=False))
    assert lenient.scans == 61
    assert lenient.differing > 5


def test_a_difference_that_shares_its_byte_is_found_by_the_checksum() -> None:
    records = recorded(60)[:-1]
    at = next(n for n in scans(records) if b"check" in record.raw(records[n][1:]).extra)
    one = record.raw(records[at][1:])
    times = one.times.copy()
    times[0] += 1
    with pytest.raises(DiffersError, match="in a value that was written up to 100 scans before") as caught:
        replayed(changed(records, at, times=times))
    assert caught.value.places == []


def test_a_state_that_is_not_the_saved_one_is_named() -> None:
    records = recorded(40, checkpoints=20)[:-1]
    at = [n for n, one in enumerate(records) if one[:1] == b"K"][1]
    records[at] = records[at].replace(b'"_bad_ns":', b'"_bad_ns":1')
    with pytest.raises(DiffersError, match="the state after scan 20 is not the one that was saved") as caught:
        replayed(records)
    assert [(place.path, place.now, place.was) for place in caught.value.places] == [
        ("tank1/LIC-101._bad_ns", "0", "10")
    ]


def test_a_tag_that_is_written_in_one_of_them_only_is_named() -> None:
    records = recorded(20)[:-1]
    at = next(scans(records))
    one = record.raw(records[at][1:])
    assert len(one.told) > 1
    with pytest.raises(DiffersError, match="scan 1 came out otherwise: ") as caught:
        replayed(changed(records, at, told=one.told[1:]))
    assert len(caught.value.places) == 1
    with pytest.raises(DiffersError, match="a tag that is not written now") as caught:
        replayed(changed(records, at, told=one.told + bytes(1)))
    assert caught.value.places == []


def test_a_recording_that_cannot_be_repeated_says_why() -> None:
    records = recorded(20)[:-1]
    replay = replayed(records[3:])
    assert (replay.scans, replay.skipped) == (0, 19)
    other = build(dataclasses.replace(SITE, digest="f" * 64))
    with pytest.raises(ReplayError, match="another version of the site"):
        replayed(records, Replay(other))
    with pytest.raises(ReplayError, match="another version of the site"):
        replayed(records[1:], Replay(other))
    with pytest.raises(RecordError, match="version 1; this is version 2"):
        replayed([b'S{"version":1}'])


@given(st.data())
def test_a_damaged_record_is_an_error_and_nothing_else(data: st.DataObject) -> None:
    body = recorded_one()
    cut = data.draw(st.integers(0, len(body)))
    flips = data.draw(st.lists(st.integers(0, len(body) - 1), max_size=3))
    damaged = bytearray(body)
    for at in flips:
        damaged[at] ^= data.draw(st.integers(1, 255))
    try:
        record.Decoder(PROGRAM).scan(record.raw(bytes(damaged[:cut])))
    except RecordError:
        pass
    else:
        assert flips or cut == len(body)


def recorded_one() -> bytes:
    recording = Recording(Plant())
    recording.scan(Request("sp", "write", ((SP, 3.1),), role="operator"))
    return recording.records[-1][1:]


@pytest.mark.parametrize("many", [1, 500])
def test_a_scan_of_many_inputs_is_split(many: int) -> None:
    plant = Plant()
    plant.scan()
    inputs, requests, tick = plant.given[0]
    wide = Inputs([*inputs.samples] * many, inputs.acted, inputs.versions)
    parts = Encoder(PROGRAM).scan(wide, requests, tick, b"x", 7)
    assert (len(parts) > 1) is (many > 1)
    assert max(map(len, parts)) < 60_000
    (back,) = record.items(parts, PROGRAM)
    assert back == Scan(tick, wide, [], b"x", 7)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 4 * 10**18), st.integers(-14 * 3600, 14 * 3600), st.sampled_from(["2025b", ""])
        ),
        min_size=1,
        max_size=8,
    )
)
def test_civil_time_comes_back_as_it_was(times: list[tuple[int, int, str]]) -> None:
    encoder, decoder = Encoder(PROGRAM), record.Decoder(PROGRAM)
    period = SITE.scan_ns
    for n, (utc_ns, offset, version) in enumerate(times):
        civil = record.Civil()
        civil.offset, civil.tz_version = offset, version
        tick = Tick(n, 1, period, utc_ns, *civil.at(utc_ns))
        for again in (tick, dataclasses.replace(tick, number=n + 1)):
            (one,) = encoder.scan(Inputs(), (), again, b"", None)
            assert decoder.scan(record.raw(one[1:])).tick == again


@given(st.lists(st.tuples(st.integers(0, 7), st.floats(allow_nan=False), st.integers(0, 2**32 - 1))))
def test_another_value_gives_another_byte_mostly(rows: list[tuple[int, float, int]]) -> None:
    state = Plant().state
    state.signals.value[0] = 1.0
    slots = [slot for slot, tag in enumerate(PROGRAM.slots[: PROGRAM.own]) if tag.type == "float64"]
    same = 0
    before = TOLD.of(state, Writes(slots, [], []))
    assert len(before) == len(slots)
    for n in range(200):
        state.signals.value[slots[0]] = float(n)
        same += TOLD.of(state, Writes(slots, [], []))[0] == before[0]
    assert same <= 6


def test_what_a_writer_left_unfinished_is_dropped() -> None:
    """Control is killed between two pieces of a record; what the next one writes is not put behind them."""
    recording = Recording(Plant())
    long = record.split(b"T", bytes(120_000))
    assert [one[:1] for one in long] == [b"B", b"C", b"t"]
    assert sum(len(one) - 1 for one in long) == 120_000
    again = Recording(Plant())
    again.scan()
    for left in (long[:1], long[:2], long[1:], long[2:]):
        replay = replayed([*recording.records, *left, *again.records])
        assert (replay.scans, replay.skipped) == (1, 0)


def test_a_scan_of_many_requests_is_split_and_repeated() -> None:
    """What anybody sends must never be what stops control: a record too long for its ring did."""
    flood = [
        Request(f"r{n}", "write", tuple((f"no/{i}/{'x' * 240}", "é" * 1000) for i in range(64)), "r" * 500)
        for n in range(3)
    ]
    recording = Recording(Plant(retained={"utc_ns": START_NS}), 1)
    for requests in ([], flood, [Request("sp", "write", ((SP, 3.1),), role="operator")]):
        recording.scan(*requests)
    assert max(map(len, recording.records)) < 60_000
    replay = Replay(PROGRAM)
    told = [
        event["id"]
        for done in replay.run(record.items(recording.records, PROGRAM))
        for event in done.events
        if event["kind"] == "request"
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


def test_a_scan_of_columns_is_repeated() -> None:
    """Inputs as batches, controllers in columns; the replay gives plain samples and comes to the same bits."""
    from bench.control import Load

    load = Load(40)
    program = load.program
    state = start(program)
    encoder, told, taker = Encoder(program), record.Told(program), checkpoint.Taker(program, state)
    records = [one for part in taker.take() for one in record.checkpoint_records(part)]
    batched = 0
    for n in range(60):
        given = load.inputs()
        rows = sorted(sample for sample in given.every() if isinstance(sample[1], float))
        if n % 3:
            batch = Batch(
                np.array([row[0] for row in rows], np.intp),
                np.array([row[1] for row in rows]),
                np.array([row[2] for row in rows], np.uint32),
                np.array([row[3] for row in rows], np.int64),
            )
            rest = [sample for sample in given.every() if not isinstance(sample[1], float)]
            given = Inputs(rest, given.acted, given.versions, [batch])
            batched += 1
        tick = Tick(n + 1, 1, program.site.scan_ns, n * program.site.scan_ns, 3, 5, "2025-01-02", "x")
        state, writes, _ = step(program, state, given, (), tick)
        check = record.checksum(state) if n % 10 == 9 else None
        records += encoder.scan(given, (), tick, told.of(state, writes), check)
    replay = Replay(program)
    assert sum(1 for _ in replay.run(record.items(records, program))) == 60
    assert batched == 40
    assert replay.checked == 6
    assert replay.state is not None
    assert (
        checkpoint.differences(checkpoint.dump(program, state), checkpoint.dump(program, replay.state)) == []
    )


def test_slow_tasks_are_repeated_from_a_checkpoint_between_their_runs() -> None:
    tasks = (
        Task(name="fast", period_ns=SITE.scan_ns, priority=1),
        Task(name="slow", period_ns=7 * SITE.scan_ns),
    )
    blocks = tuple(
        dataclasses.replace(block, task="slow" if number % 2 else "fast")
        for number, block in enumerate(SITE.blocks)
    )
    program = build(dataclasses.replace(SITE, tasks=tasks, blocks=blocks))
    plant = Plant(program)
    encoder, told = Encoder(program), record.Told(program)
    taker = checkpoint.Taker(program, plant.state)
    records: list[bytes] = []
    chance = random.Random(3)
    for n in range(100):
        if n == 45:  # in the middle of the slow task's period
            encoder.restart()
            records = [one for part in taker.take() for one in record.checkpoint_records(part)]
        plant.registers[LEVEL] += chance.gauss(0.0, 0.4)
        requests = (Request(f"r{n}", "write", ((MODE, 2),), role="engineer"),) if n == 10 else ()
        plant.scan(*requests, periods=chance.choice((1, 1, 3)))
        records += encoder.scan(
            *plant.given[-1], told.of(plant.state, plant.last), record.checksum(plant.state)
        )
    replay = replayed(records, Replay(program))
    assert (replay.scans, replay.checked) == (55, 55)
    assert replay.state is not None
    left, right = checkpoint.dump(program, plant.state), checkpoint.dump(program, replay.state)
    assert checkpoint.differences(left, right) == []
