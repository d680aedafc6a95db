"""What a simulated PLC answers: by the specification, and to anything."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.modbus import wire
from scada.simulate.answer import answer
from scada.simulate.registers import Registers

SIZES = {"coil": 40, "discrete": 30, "holding": 50, "input": 20}


def memory() -> Registers:
    registers = Registers(40, 30, 50, 20)
    registers.coils[:] = [n % 3 == 0 for n in range(40)]
    registers.discretes[:] = [n % 5 == 0 for n in range(30)]
    registers.holding[:] = [1000 + n for n in range(50)]
    registers.inputs[:] = [2000 + n for n in range(20)]
    return registers


def tables(registers: Registers) -> tuple[object, ...]:
    return (list(registers.coils), list(registers.discretes), list(registers.holding), list(registers.inputs))


@given(st.sampled_from(sorted(SIZES)), st.integers(0, 60), st.integers(1, 60))
def test_a_read_gives_what_is_there_or_exception_2(table: str, start: int, count: int) -> None:
    registers = memory()
    asked = wire.read(table, start, count)
    reply = answer(registers, bytes((asked.function,)) + asked.data)
    if start + count > SIZES[table]:
        assert reply == bytes((asked.function | 0x80, 2))
        return
    assert reply[0] == asked.function
    assert asked.answered_by(reply[1:])
    if table in wire.BIT_TABLES:
        held = registers.coils if table == "coil" else registers.discretes
        bits = int.from_bytes(reply[2:], "little")
        assert [bool(bits >> i & 1) for i in range(count)] == held[start : start + count]
        assert bits >> count == 0, "unused bits are zero"
    else:
        words = registers.holding if table == "holding" else registers.inputs
        assert list(struct.unpack(f">{count}H", reply[2:])) == words[start : start + count]


@given(st.lists(st.binary(min_size=1, max_size=253), max_size=5))
def test_anything_is_answered_and_only_a_right_write_changes_anything(requests: list[bytes]) -> None:
    registers = memory()
    for request in requests:
        before = tables(registers)
        reply = answer(registers, request)
        assert 2 <= len(reply) <= 253
        assert reply[0] & 0x7F == request[0] & 0x7F
        if reply[0] & 0x80:
            assert len(reply) == 2
            assert reply[1] in (1, 2, 3)
            assert tables(registers) == before
        assert [len(table) for table in tables(registers)] == [40, 30, 50, 20]  # type: ignore[arg-type]


@given(st.integers(0, 49), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_writes_of_registers(address: int, value: int, other: int) -> None:
    registers = memory()
    word = value.to_bytes(2, "big")
    for pdu in (wire.write_register(address, word), wire.write_registers(address, word)):
        registers.holding[address] = 7
        assert pdu.answered_by(answer(registers, bytes((pdu.function,)) + pdu.data)[1:])
        assert registers.holding[address] == value
    mask = wire.mask_write(address, other, 0x1234)
    assert mask.answered_by(answer(registers, bytes((22,)) + mask.data)[1:])
    assert registers.holding[address] == value & other | 0x1234 & ~other & 0xFFFF


@pytest.mark.parametrize("on", [True, False])
def test_writes_of_coils(on: bool) -> None:
    registers = memory()
    for pdu in (wire.write_coil(4, on), wire.write_coils(5, [on])):
        assert pdu.answered_by(answer(registers, bytes((pdu.function,)) + pdu.data)[1:])
    assert registers.coils[4:6] == [on, on]
    assert registers.pressed == ({4, 5} if on else set())
    many = struct.pack(">BHHB", 15, 10, 11, 2) + b"\xff\x05"
    assert answer(registers, many) == many[:5]
    assert registers.coils[10:21] == [True] * 9 + [False, True]


def test_read_and_write_writes_first() -> None:
    registers = memory()
    reply = answer(registers, struct.pack(">BHHHHBHH", 23, 0, 3, 1, 2, 4, 11, 12))
    assert reply == struct.pack(">BBHHH", 23, 6, 1000, 11, 12)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (b"\x63", 1),
        (b"\x08\x00\x00\x12\x34", 1),
        (b"\x2b\x0d\x01", 1),
        (b"\x03", 3),
        (b"\x03\x00\x00\x00\x00", 3),
        (b"\x03\x00\x00\x00\x7e", 3),
        (b"\x01\x00\x00\x07\xd1", 3),
        (b"\x03\x00\x00\x00\x01\x00", 3),
        (b"\x05\x00\x00\x12\x34", 3),
        (b"\x05\x00\x28\xff\x00", 2),
        (b"\x06\x00\x32\x00\x01", 2),
        (b"\x10\x00\x00\x00\x02\x04\x00\x01", 3),
        (b"\x10\x00\x00\x00\x02\x03\x00\x01\x00", 3),
        (b"\x10\x00\x31\x00\x02\x04\x00\x01\x00\x02", 2),
        (b"\x0f\x00\x00\x00\x09\x01\xff", 3),
        (b"\x16\x00\x32\x00\x00\x00\x00", 2),
        (b"\x2b\x0e\x04\x50", 2),
        (b"\x2b\x0e\x05\x00", 3),
    ],
)
def test_refusals(request_: bytes, code: int) -> None:
    assert answer(memory(), request_) == bytes((request_[0] | 0x80, code))


def test_a_hole_is_refused_with_its_own_code() -> None:
    registers = memory()
    registers.refused = {"holding": [(10, 12, 2), (20, 21, 4)]}

    def code(start: int, count: int) -> int:
        reply = answer(registers, struct.pack(">BHH", 3, start, count))
        return reply[1] if reply[0] & 0x80 else 0

    assert [code(0, 10), code(0, 11), code(11, 1), code(12, 8), code(12, 9), code(21, 5)] == [
        0,
        2,
        2,
        0,
        4,
        0,
    ]
    assert answer(registers, b"\x06\x00\x0a\x00\x01") == b"\x86\x02"
    assert answer(registers, b"\x06\x00\x0c\x00\x01") == b"\x06\x00\x0c\x00\x01"


def test_it_says_who_it_is() -> None:
    registers = memory()
    registers.identification = {0: "ACME", 1: "X1", 2: "3", 4: "Pump station", 0x80: "note"}
    assert (
        answer(registers, b"\x2b\x0e\x01\x00")
        == b"\x2b\x0e\x01\x83\x00\x00\x03\x00\x04ACME\x01\x02X1\x02\x013"
    )
    regular = answer(registers, b"\x2b\x0e\x02\x04")
    assert regular == b"\x2b\x0e\x02\x83\x00\x00\x01\x04\x0cPump station"
    assert answer(registers, b"\x2b\x0e\x04\x80") == b"\x2b\x0e\x04\x83\x00\x00\x01\x80\x04note"
    registers.identification = dict.fromkeys(range(4), "x" * 100)
    first = answer(registers, b"\x2b\x0e\x02\x00")
    assert first[4:7] == b"\xff\x02\x02", "more follows, from object 2 on"
    assert answer(registers, b"\x2b\x0e\x02\x02")[4:7] == b"\x00\x00\x02"
    registers.identification = {1: "X1"}
    assert answer(registers, b"\x11", 9) == b"\x11\x04\x09\xffX1"
