"""Dumps played again, and memory without a plant: what they answer, when, and after their simulator starts again."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.modbus import dump, wire
from scada.modbus.dump import Dump, Header, Range
from scada.simulate.answer import answer
from scada.simulate.memory import COUNTING, SIZE, Memory
from scada.simulate.plants import make
from scada.simulate.playback import Playback
from tags.model import Device, Tag


def read(plant: Playback | Memory, table: str, address: int, count: int = 1) -> list[int] | int:
    """Values, or the exception code."""
    asked = wire.read(table, address, count)
    reply = answer(plant.registers, bytes((asked.function,)) + asked.data)
    if reply[0] & 0x80:
        return reply[1]
    if table in wire.BIT_TABLES:
        return [int.from_bytes(reply[2:], "little") >> i & 1 for i in range(count)]
    return list(struct.unpack(f">{count}H", reply[2:]))


def test_a_dump_is_played_in_time_and_begins_again() -> None:
    ranges = (
        Range(0.0, "holding", 10, (1, 2), 2),
        Range(0.0, "coil", 3, (1,), 1),
        Range(1.0, "holding", 11, (20,), 1),
        Range(2.0, "holding", 10, (30,), 1),
    )
    plant = Playback(Dump(Header(every_s=1.0), ranges))
    seen = []
    for _ in range(12):
        seen.append(read(plant, "holding", 10, 2))
        plant.step(0.5)
    one_round = [[1, 2], [1, 2], [1, 20], [1, 20], [30, 20], [30, 20]]
    assert seen == one_round * 2
    assert read(plant, "coil", 3) == [1]


def test_before_it_was_recorded_an_address_holds_what_was_recorded_first() -> None:
    ranges = (Range(0.01, "holding", 0, (5, 6), 2), Range(1.0, "holding", 0, (7, 8), 2))
    plant = Playback(Dump(Header(), ranges))
    assert read(plant, "holding", 0, 2) == [5, 6], "never a zero that nobody saw"
    plant.step(1.2)
    assert read(plant, "holding", 0, 2) == [7, 8]


def test_what_is_written_stands_until_the_dump_says_otherwise() -> None:
    plant = Playback(Dump(Header(), (Range(0.0, "holding", 0, (5, 6), 2), Range(3.0, "holding", 0, (7,), 1))))
    answer(plant.registers, b"\x10\x00\x00\x00\x02\x04\x00\x63\x00\x64")
    plant.step(1.0)
    assert read(plant, "holding", 0, 2) == [99, 100]
    plant.step(2.5)
    assert read(plant, "holding", 0, 2) == [7, 100]
    plant.power_cycle()
    assert read(plant, "holding", 0, 2) == [5, 6]


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 6)), max_size=6),
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 6), st.integers(2, 10)), max_size=4),
)
def test_only_what_was_recorded_is_there(
    held: list[tuple[int, int]], holes: list[tuple[int, int, int]]
) -> None:
    ranges = [Range(0.0, "input", at, (at + 1,) * n, n) for at, n in held]
    ranges += [Range(0.0, "input", at, (), n, code) for at, n, code in holes]
    plant = Playback(Dump(Header(), tuple(ranges)))
    there = {address for at, n in held for address in range(at, at + n)}
    for address in range(50):
        found = read(plant, "input", address)
        if address in there:
            assert isinstance(found, list)
            continue
        codes = {code for at, n, code in holes if at <= address < at + n}
        assert found in (codes if codes and address < max(there, default=-1) else {2})


def test_a_dump_says_who_it_was() -> None:
    header = Header(identification={"VendorName": "ACME", "ModelName": "X1", "odd": "not told"})
    plant = Playback(Dump(header))
    assert plant.registers.identification == {0: "ACME", 5: "X1"}
    plant.load(plant.save())


def test_what_cannot_be_played_is_told(tmp_path: Path) -> None:
    def device(**simulation: str) -> Device:
        return Device(
            name="PLC1",
            driver="modbus",
            service="field",
            config={},
            simulate="dump",
            simulation=dict(simulation),
        )

    file = tmp_path / "plc1.dump"
    with pytest.raises(ValueError, match=r"plc1\.dump cannot be read \(No such file"):
        make(device(dump=str(file)), 1)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="is not text in UTF-8"):
        make(device(dump=str(file)), 1)
    file.write_text('{"modbus_dump": 1}\n{"table": "coil"}')
    with pytest.raises(ValueError, match=r"plc1\.dump: line 2: address"):
        make(device(dump=str(file)), 1)
    file.write_text("".join(dump.lines(Header(), [Range(0.0, "coil", 7, (1,), 1)])))
    assert make(device(dump=str(file)), 1).registers.coils == [False] * 7 + [True]


def test_memory_keeps_what_is_written_and_its_inputs_count() -> None:
    plant = Memory(3)
    before = read(plant, "input", 0, COUNTING)
    for _ in range(25):
        plant.step(0.4)
    after = read(plant, "input", 0, COUNTING)
    assert isinstance(before, list)
    assert isinstance(after, list)
    assert [(b - a) & 0xFFFF for a, b in zip(before, after, strict=True)] == [
        10 // (n + 1) for n in range(COUNTING)
    ]
    plant.registers.holding[5], plant.registers.coils[6] = 77, True
    plant.power_cycle()
    again = Memory(4)
    again.load(plant.save())
    assert (again.registers.holding, again.registers.coils) == (
        plant.registers.holding,
        plant.registers.coils,
    )


@pytest.mark.parametrize(
    "wrong", [{}, {"holding": {"5000": 1}, "coils": []}, {"holding": {"a": 1}, "coils": []}]
)
def test_memory_of_another_version_is_not_taken_up(wrong: dict[str, object]) -> None:
    plant = Memory()
    with pytest.raises(ValueError, match="another version"):
        plant.load(wrong)
    assert not any(plant.registers.holding)


def test_memory_is_as_large_as_the_tags_of_its_device_need() -> None:
    address = {"table": "holding", "offset": 5000, "count": 2}
    tag = Tag(
        id=1, path="a/b", type="float32", kind="device", writer="field", row=0, device="PLC1", address=address
    )
    device = Device(name="PLC1", driver="modbus", service="field", config={}, simulate="memory")
    registers = make(device, 1, [tag]).registers
    assert (len(registers.holding), len(registers.inputs)) == (5002, SIZE)


def test_registers_are_set_by_hand() -> None:
    for plant in (
        Memory(),
        Playback(Dump(Header(), (Range(0.0, "holding", 0, (5, 6), 2), Range(0.0, "coil", 0, (0,), 1)))),
    ):
        plant.turn({"holding/1": -3, "coil/0": True})
        assert read(plant, "holding", 1) == [0xFFFD]
        assert read(plant, "coil", 0) == [1]
        before = list(plant.registers.holding)
        for wrong, says in (
            ({"holding/0": 7, "holding/5000": 1}, "holding/5000: the last one is holding/"),
            ({"holding/0": 7, "coil/0": 2}, "coil/0: 2 is not in 0 … 1"),
            ({"holding/0": 65536}, "holding/0: 65536 is not in -32768 … 65535"),
            ({"holding/0": 1.5}, "holding/0: 1.5 is not a whole number"),
            ({"holding/0": float("nan")}, "is not a whole number"),
            ({"holding/0": "1"}, "holding/0: '1' is not a whole number"),
            ({"LV-101.local": True}, "LV-101.local: nothing of that name here; write holding/5"),
            ({"holding/-1": 1}, "holding/-1: nothing of that name"),
            ({"holding/²": 1}, "nothing of that name"),
        ):
            with pytest.raises(ValueError) as error:
                plant.turn(wrong)  # type: ignore[arg-type]
            assert says in str(error.value)
            assert plant.registers.holding == before
