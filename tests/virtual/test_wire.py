"""The network of a simulation: what a PLC answers, and what is lost on the way."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.field.driver import NoReplyError, RefusedError
from scada.field.modbus.config import Config
from scada.modbus import wire as modbus
from scada.modbus.wire import Ask
from scada.simulate.registers import Registers
from scada.virtual.wire import Weather, Wire, Written, carry_out
from scada.virtual.world import START_NS, Process, World

MS = 1_000_000
S = 1000 * MS
WORDS = st.integers(0, 0xFFFF)


@given(st.integers(0, 15), st.lists(WORDS, min_size=1, max_size=4))
def test_what_is_written_is_read_back(offset: int, words: list[int]) -> None:
    registers = Registers(4, 4, 20, 4)
    data = b"".join(word.to_bytes(2, "big") for word in words)
    pdu = modbus.write_registers(offset, data) if len(words) > 1 else modbus.write_register(offset, data)
    answer = carry_out(registers, pdu)
    assert isinstance(answer, bytes)
    assert pdu.answered_by(answer)
    read = modbus.read("holding", offset, len(words))
    assert carry_out(registers, read) == bytes((2 * len(words),)) + data


@given(WORDS, WORDS, WORDS)
def test_a_mask_write_is_as_the_standard_says(before: int, keep: int, put: int) -> None:
    registers = Registers(1, 1, 2, 1)
    registers.holding[1] = before
    pdu = modbus.mask_write(1, keep, put)
    assert pdu.answered_by(carry_out(registers, pdu))  # type: ignore[arg-type]
    assert registers.holding[1] == (before & keep) | (put & ~keep & 0xFFFF)


@given(st.lists(st.booleans(), min_size=12, max_size=12), st.integers(0, 11), st.integers(1, 14))
def test_bits_are_packed_from_the_lowest(bits: list[bool], start: int, count: int) -> None:
    registers = Registers(12, 12, 1, 1)
    registers.discretes[:] = bits
    answer = carry_out(registers, modbus.read("discrete", start, count))
    if start + count > 12:
        assert answer == 2
        return
    assert isinstance(answer, bytes)
    assert [bool(answer[1 + n // 8] >> n % 8 & 1) for n in range(count)] == bits[start : start + count]


@pytest.mark.parametrize(
    "pdu", [modbus.write_coil(9, True), modbus.write_register(99, b"\0\1"), modbus.mask_write(99, 0, 0),
            modbus.read("input", 3, 2), modbus.write_registers(3, b"\0\1\0\2")]
)  # fmt: skip
def test_an_address_that_is_not_there_is_refused(pdu: modbus.Pdu) -> None:
    assert carry_out(Registers(4, 4, 4, 4), pdu) == 2


def ask(weather: Weather, **state: Any) -> tuple[str, int, Written, Registers, int]:
    """One write through some weather: what came of it, when, its note, the registers 5 s later."""
    world, notes = World(0), list[Written]()
    registers = Registers(4, 4, 4, 4)
    wire = Wire(world, "PLC1", registers, random.Random(1), notes.append)
    process = Process(world, "field")
    found: list[tuple[str, int]] = []

    async def work() -> None:
        link = wire.transport(Config(endpoint="tcp://127.0.0.1:1", timeout="500 ms"), world.clock)()
        if not await link.connect():
            found.append(("refused", world.now_ns))
            return
        for name, value in state.items():
            setattr(wire, name, value)
        try:
            await link.ask(Ask(modbus.write_register(1, b"\0\7"), 1))
            found.append(("done", world.now_ns))
        except RefusedError as error:
            found.append((f"exception {error.code}", world.now_ns))
        except NoReplyError:
            assert not link.open
            found.append(("no reply", world.now_ns))

    wire.weather = weather
    process.start(work())
    world.run_until(START_NS + 5 * S)
    assert process.errors == []
    ((what, when_ns),) = found
    return what, when_ns - START_NS, notes[0], registers, notes[0].done_ns - START_NS


def test_in_fair_weather_it_is_done_at_once() -> None:
    what, when_ns, note, registers, _ = ask(Weather())
    assert (what, when_ns, note.words, registers.holding[1]) == ("done", 0, (7,), 7)


def test_a_lost_request_is_not_done_and_a_lost_reply_is() -> None:
    what, when_ns, note, registers, _ = ask(Weather(lost=1.0))
    assert (what, when_ns, note.done_ns, registers.holding[1]) == ("no reply", 500 * MS, -1, 0)
    what, when_ns, _, registers, done_ns = ask(Weather(mute=1.0))
    assert (what, when_ns, done_ns, registers.holding[1]) == ("no reply", 500 * MS, 0, 7)


def test_a_request_that_was_given_up_may_still_be_done() -> None:
    what, when_ns, _, registers, done_ns = ask(Weather(late=1.0))
    assert (what, when_ns, registers.holding[1]) == ("no reply", 500 * MS, 7)
    assert 500 * MS <= done_ns < 900 * MS


def test_a_plc_that_hangs_or_resets_the_connection_or_refuses() -> None:
    assert ask(Weather(), frozen=True)[0] == "no reply"
    what, when_ns, note, registers, _ = ask(Weather(reset=1.0))
    assert (what, when_ns, registers.holding[1]) == ("no reply", 0, 7)
    what, _, note, registers, _ = ask(Weather(refuse=1.0))
    assert what.startswith("exception")
    assert (note.refused, registers.holding[1]) == (True, 0)
