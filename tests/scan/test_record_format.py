"""What is in a record, byte by byte: a recording of last year is still read, and its bytes still agree."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import orjson
import pytest

from scada.blocks.base import Tick
from scada.requests import Request
from scada.scan import Inputs, Writes, record
from scada.scan.batch import Batch
from scada.scan.record import Assembler, Civil, Encoder, Told
from tests.scan.loops import PROGRAM as WIDE
from tests.scan.plant import ARMED, LEVEL, PROGRAM, REMOTE, START_NS, Plant

SECOND = 1_000_000_000
TICK = Tick(7, 2, SECOND // 10, START_NS, 6, 54_400, "2025-06-15", "2025b")
U64 = 2**64


def bits(value: float) -> int:
    return int(struct.unpack("<Q", struct.pack("<d", value))[0])


def byte_of(slot: int, status: int, value: int) -> int:
    """The byte of a written tag: Knuth's multiplicative hashing of its value, status and slot."""
    mixed = value ^ status * 0xC2B2AE3D27D4EB4F % U64 ^ slot * 0xD6E8FEB86659FD93 % U64
    return (mixed * 0x9E3779B97F4A7C15 % U64) >> 56


def test_a_scan_is_a_head_columns_what_was_written_and_json() -> None:
    level, remote, armed = (PROGRAM.index[path] for path in (LEVEL, REMOTE, ARMED))
    batch = Batch(np.array([armed]), np.array([True]), np.array([0x40000000], np.uint32), np.array([9]))
    samples = [(level, 2.5, 0, START_NS - 5), (remote, True, 0x80050000, -1)]
    inputs = Inputs(samples, [(3, U64 - 1)], [(1, 2)], [batch])
    request = Request("r", "write", (("a", 1),))
    (whole,) = Encoder(PROGRAM).scan(inputs, [request], TICK, b"xyz", 77)
    rare = {
        "requests": [request.to_json()], "check": 77, "civil": [6, 54_400, "2025-06-15", "2025b"],
    }  # fmt: skip
    extra = orjson.dumps(rare)
    assert whole == b"T" + b"".join((
        struct.pack("<QIqIIIII", 7, 2, START_NS, 3, 1, 1, 3, len(extra)),
        struct.pack("<III", level, remote, armed),
        struct.pack("<III", 0, 0x80050000, 0x40000000),
        struct.pack("<qqq", START_NS - 5, -1, 9),
        struct.pack("<QQQ", bits(2.5), 1, 1),
        struct.pack("<QQ", 3, U64 - 1),
        struct.pack("<QQ", 1, 2),
        b"xyz",
        extra,
    ))  # fmt: skip


def test_what_follows_from_the_scan_before_is_left_out() -> None:
    encoder = Encoder(PROGRAM)
    encoder.scan(Inputs(), [], TICK, b"", None)
    later = Tick(8, 1, SECOND // 10, START_NS + SECOND, 6, 54_401, "2025-06-15", "2025b")
    (bare,) = encoder.scan(Inputs(), [], later, b"", None)
    assert bare == b"T" + struct.pack("<QIqIIIII", 8, 1, START_NS + SECOND, 0, 0, 0, 0, 0)
    encoder.restart()
    (again,) = encoder.scan(Inputs(), [], later, b"", None)
    assert orjson.loads(again[1 + record.HEAD.size :]) == {"civil": [6, 54_401, "2025-06-15", "2025b"]}


def test_a_byte_for_each_tag_that_was_written() -> None:
    plant = Plant()
    plant.scan(scans=3)
    state, told = plant.state, Told(PROGRAM)
    signals = state.signals
    every = range(PROGRAM.own)

    def expected(slot: int, flag: int = 0) -> int:
        kind, value = PROGRAM.slots[slot].type, signals.value[slot]
        whole = (
            zlib.crc32(value.encode())
            if kind == "string"
            else bits(value)
            if kind.startswith("float")
            else int(value) % U64
        )
        return byte_of(slot, signals.status[slot] | flag, whole)

    assert told.of(state, Writes(list(every), [], [])) == bytes(map(expected, every))
    assert told.of(state, Writes([], [], [])) == b""
    driven = next(slot for slot, drive in state.drive.items() if drive)
    idle = next(slot for slot, drive in state.drive.items() if not drive)
    renewed = next(slot for slot in every if slot not in state.drive)
    found = told.of(state, Writes([renewed], [driven, idle], [renewed]))
    flags = {driven: 1 << 41, idle: 1 << 40, renewed: 0}
    assert found == bytes(expected(slot, flags[slot]) for slot in sorted(flags))


@pytest.mark.parametrize("count", [1, 16, 17, 30])
def test_many_numbers_at_once_have_the_bytes_of_each(count: int) -> None:
    plant = Plant(WIDE)
    state, told = plant.state, Told(WIDE)
    slots = [slot for slot in range(WIDE.own) if WIDE.slots[slot].type == "float64"][:count]
    assert len(slots) == count
    for slot in slots:
        state.signals.value[slot] = slot / 3
    assert told.of(state, Writes(slots, [], [])) == bytes(
        byte_of(s, state.signals.status[s], bits(s / 3)) for s in slots
    )


def test_a_checksum_is_of_values_statuses_times_and_drive_flags() -> None:
    plant = Plant()
    plant.scan(scans=3)
    state = plant.state
    before = record.checksum(state)
    assert record.checksum(state) == before
    slot = PROGRAM.index[LEVEL]
    tables: tuple[Any, ...] = (state.signals.value, state.signals.status, state.signals.time_ns, state.drive)
    for table in tables:
        at: Any = slot if table is not state.drive else next(iter(state.drive))
        kept = table[at]
        table[at] = not kept if table is state.drive else kept + 1
        assert record.checksum(state) != before
        table[at] = kept
    assert record.checksum(state) == before


def test_long_records_are_split_where_a_ring_ends() -> None:
    most = record.PART_BYTES
    assert record.split(b"T", bytes(most)) == [b"T" + bytes(most)]
    two = record.split(b"T", bytes(most) + b"!")
    assert two == [b"B" + bytes(most), b"t!"]
    four = record.split(b"K", b"1" * most + b"2" * most + b"3" * most + b"4")
    assert four == [b"B" + b"1" * most, b"C" + b"2" * most, b"C" + b"3" * most, b"k4"]
    assembler = Assembler()
    assert [assembler.feed(part) for part in four] == [
        None,
        None,
        None,
        (b"K", b"".join(p[1:] for p in four)),
    ]


def test_civil_time_that_follows_and_that_does_not() -> None:
    civil = Civil()
    assert not civil.follows(TICK)
    assert civil.learn(TICK) == [6, 54_400, "2025-06-15", "2025b"]
    assert civil.follows(TICK)
    noon = START_NS - START_NS % (86_400 * SECOND)
    offset = civil.offset
    assert offset == 54_400 - START_NS // SECOND % 86_400
    assert civil.at(noon - offset * SECOND) == (6, 0, "2025-06-15", "2025b")
    assert civil.at(noon - offset * SECOND - 1) == (5, 86_399, "2025-06-14", "2025b")
    for other in (
        Tick(7, 2, SECOND, START_NS, 5, 54_400, "2025-06-15", "2025b"),
        Tick(7, 2, SECOND, START_NS, 6, 50_800, "2025-06-15", "2025b"),
        Tick(7, 2, SECOND, START_NS, 6, 54_400, "2025-06-16", "2025b"),
        Tick(7, 2, SECOND, START_NS, 6, 54_400, "2025-06-15", "2025c"),
    ):
        assert not civil.follows(other)
    civil.teach([0, 0, "", "x"], START_NS)
    assert civil.offset is None
    assert not civil.follows(TICK)
