"""Which values go in one request and what the request is: against a device that follows the standard."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.field.modbus import writes
from scada.field.modbus.address import Address
from scada.field.modbus.config import Config
from scada.field.modbus.writes import Change, Part
from scada.modbus.wire import Pdu
from tags.model import OnLoss, Tag
from tests.field.memory import Memory


def config(**more: Any) -> Config:
    return Config.model_validate({"endpoint": "tcp://plc", **more})


def holding(offset: int, count: int = 1, bit: int | None = None) -> Address:
    kind = "bool" if bit is not None else {1: "int16", 2: "float32", 4: "float64"}[count]
    return Address("holding", offset, bit, count, kind)


def coil(offset: int) -> Address:
    return Address("coil", offset, None, 1, "bool")


@pytest.mark.parametrize(
    ("addresses", "found"),
    [
        ([holding(10), holding(11), holding(9)], [2, 0, 1]),
        ([holding(10), holding(12), holding(11)], [0, 2, 1]),
        ([holding(10, 2), holding(12, 4), holding(16)], [0, 1, 2]),
        ([holding(10), holding(12)], [0]),
        ([holding(10), coil(11), coil(9)], [0]),
        ([coil(4), coil(5), holding(3), coil(3)], [3, 0, 1]),
        ([holding(10), holding(11, bit=3)], [0]),
        ([holding(10, bit=3), holding(11), holding(10, bit=0), holding(11, bit=1)], [0, 2]),
    ],
)
def test_what_lies_side_by_side_goes_together(addresses: list[Address], found: list[int]) -> None:
    assert writes.together(addresses, config()) == found
    assert writes.together(addresses, config(writes="multiple")) == found
    assert writes.together(addresses, config(join_writes=False)) == [0]
    if addresses[0].bit is None:
        assert writes.together(addresses, config(writes="single only")) == [0]


def test_limits_of_the_device_bound_a_request() -> None:
    row = [holding(i) for i in (5, 6, 7, 8, 4, 3)]
    assert writes.together(row, config(max_write_registers=3)) == [0, 1, 2]
    assert len(writes.together([holding(i) for i in range(200)], config())) == 123
    assert len(writes.together([coil(i) for i in range(3000)], config())) == 1968
    assert writes.together([holding(0, 2), holding(2, 2)], config(max_write_registers=3)) == [0]


def hexed(requests: list[Pdu | Change]) -> list[str]:
    return [f"{r.function:02x} {r.data.hex()}" if isinstance(r, Pdu) else "change" for r in requests]


@pytest.mark.parametrize(
    ("parts", "setting", "found"),
    [
        ([Part("holding", 1, b"\0\3")], "single", ["06 00010003"]),
        ([Part("holding", 1, b"\0\3")], "multiple", ["10 000100" + "01020003"]),
        ([Part("holding", 1, b"\0\3\0\4")], "single", ["10 00010002" + "0400030004"]),
        ([Part("holding", 1, b"\0\3\0\4")], "word by word", ["06 00010003", "06 00020004"]),
        ([Part("holding", 1, b"\0\3"), Part("holding", 2, b"\0\4")], "single", ["10 000100020400030004"]),
        ([Part("coil", 7, b"\1")], "single", ["05 0007ff00"]),
        ([Part("coil", 7, b"\1")], "single only", ["05 0007ff00"]),
        ([Part("coil", 7, b"\1")], "multiple", ["0f 000700010101"]),
        ([Part("coil", 7, b"\1"), Part("coil", 8, b"\0"), Part("coil", 9, b"\1")], "single", ["0f 000700030105"]),
        ([Part("holding", 3, b"\0\4", 4)], "multiple", ["16 0003fffb0004"]),
        ([Part("holding", 3, b"\0\4", 4), Part("holding", 3, b"\0\0", 1)], "single", ["16 0003fffa0004"]),
    ],
)  # fmt: skip
def test_requests_as_the_device_knows_them(parts: list[Part], setting: str, found: list[str]) -> None:
    assert hexed(writes.requests(parts, config(writes=setting))) == found


@given(
    st.dictionaries(st.integers(0, 60), st.booleans(), min_size=1, max_size=30),
    st.sampled_from(["single", "multiple", "single only", "word by word"]),
    st.integers(1, 20),
    st.randoms(use_true_random=False),
)
def test_any_outputs_reach_their_places_and_no_other(
    places: dict[int, bool], setting: str, most: int, random: Any
) -> None:
    """Coils and registers, in any order, written group by group as the driver does."""
    settings = config(writes=setting, max_write_registers=most, max_write_coils=most)
    addresses = [coil(i) if is_coil else holding(i) for i, is_coil in places.items()]
    random.shuffle(addresses)
    memory = Memory()
    expected = {"coil": [0] * 200, "holding": [0] * 200}
    parts = []
    for at in addresses:
        value = random.randrange(2 if at.table == "coil" else 65536)
        expected[at.table][at.offset] = value
        parts.append(
            Part(at.table, at.offset, bytes((value,)) if at.table == "coil" else value.to_bytes(2, "big"))
        )
    left = list(range(len(addresses)))
    while left:
        joined = [left[i] for i in writes.together([addresses[i] for i in left], settings)]
        assert left[0] in joined
        for pdu in writes.requests([parts[i] for i in joined], settings):
            assert isinstance(pdu, Pdu)
            assert len(pdu.data) <= 252
            assert setting not in ("single only", "word by word") or pdu.function in (5, 6)
            assert setting != "multiple" or pdu.function in (15, 16)
            memory.write(pdu)
        left = [i for i in left if i not in joined]
    assert memory.bits["coil"] == expected["coil"]
    assert memory.words["holding"] == expected["holding"]


@given(st.integers(0, 0xFFFF), st.sets(st.integers(0, 15), min_size=1), st.integers(0, 0xFFFF))
def test_bits_without_fc22_leave_the_others_alone(word: int, bits: set[int], values: int) -> None:
    parts = [Part("holding", 9, struct.pack(">H", values & (1 << b)), 1 << b) for b in sorted(bits)]
    (change,) = writes.requests(parts, config(bit_writes="read and write"))
    assert isinstance(change, Change)
    mask = sum(1 << b for b in bits)
    assert change.applied(word) == (word & ~mask) | (values & mask)
    (pdu,) = writes.requests(parts, config())
    assert isinstance(pdu, Pdu)
    memory = Memory()
    memory.words["holding"][9] = word
    memory.write(pdu)
    assert memory.words["holding"][9] == change.applied(word)


def test_values_that_the_device_cannot_be_given_are_refused() -> None:
    long = Tag(id=1, path="a/b/c", type="float64", kind="device", writer="field", row=0, owner="scada",
               on_loss=OnLoss(action="hold"))  # fmt: skip
    read = Tag(id=2, path="a/b/d", type="float64", kind="device", writer="field", row=1)
    placed = [(long, holding(10, 2)), (read, holding(20, 2))]
    assert writes.problems(config(), placed) == []
    assert writes.problems(config(writes="word by word"), placed) == []
    ((path, text),) = writes.problems(config(writes="single only"), placed)
    assert path == "a/b/c"
    assert "holding/10 takes 2 registers, and writes: single only" in text
    ((_, text),) = writes.problems(config(max_write_registers=1), placed)
    assert "max_write_registers of the device is 1" in text
    assert writes.problems(config(writes="single only"), [(long, holding(3, bit=2)), (long, coil(3))]) == []
