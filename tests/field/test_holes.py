"""What a device refuses, learned poll by poll: a made-up device knows which addresses it has."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from scada.clock import SystemClock
from scada.field.modbus import Modbus
from scada.field.modbus.address import Address
from scada.field.modbus.config import Config
from scada.field.modbus.holes import AT_ONCE, RETRY_FIRST_NS, RETRY_MOST_NS, Layout
from scada.field.modbus.plan import Request, requests
from tags import quality
from tags.model import Tag
from tests.field.plc import plc

S = 1_000_000_000
LIMITS = {"holding": 125, "input": 125, "coil": 2000, "discrete": 2000}


class Device:
    """Answers requests of a layout; takes those that `takes` says.

    Attributes:
        read: Members that the last poll brought.
        asked: Requests of the last poll.
    """

    def __init__(self, where: Sequence[Address], takes: Callable[[Request], bool]) -> None:
        self.takes = takes
        config = Config(endpoint="tcp://plc")
        self.planned = requests(where, range(len(where)), config)
        self.layout = Layout(where, self.planned, LIMITS)
        self.refused: dict[Request, bool] = {}
        self.now = 0
        self.read: set[int] = set()
        self.asked: list[Request] = []

    def poll(self) -> bool:
        """One poll, a second after the last; says whether the layout changed."""
        self.now += S
        layout = self.layout
        probes = layout.probes(self.now)
        every = layout.requests
        self.asked = [*every[: layout.polled], *(every[n] for n in probes)]
        for request in self.asked:
            self.refused[request] = not self.takes(request)
        self.read = {i for request in self.asked if not self.refused[request] for i in request.members}
        return layout.learn([self.refused[request] for request in every], probes, self.now)

    def settle(self) -> int:
        """Polls until nothing changes; returns how many it took."""
        for polls in range(1000):
            if not self.poll():
                return polls
        raise AssertionError("it never ends")


def touches(request: Request, bad: set[int]) -> bool:
    return any(request.start <= address < request.start + request.count for address in bad)


@st.composite
def fields(draw: st.DrawFn) -> list[Address]:
    found, at = [], 0
    for _ in range(draw(st.integers(1, 120))):
        at += draw(st.integers(0, 6))
        count = draw(st.sampled_from([1, 1, 2, 4]))
        found.append(Address("holding", at, None, count, {1: "int16", 2: "float32", 4: "float64"}[count]))
        at += count
    return found


@settings(deadline=None)
@given(fields(), st.sets(st.integers(0, 700), max_size=12))
def test_a_hole_costs_the_tags_in_it_and_no_others(where: list[Address], bad: set[int]) -> None:
    device = Device(where, lambda request: not touches(request, bad))
    polls = device.settle()
    assert device.read == {i for i, at in enumerate(where) if not any(at.offset <= b < at.end for b in bad)}
    inside = sum(touches(request, bad) for request in device.planned)
    deepest = math.ceil(math.log2(125)) + 2
    assert polls <= deepest * (len(bad) + 1)
    if not inside:
        assert polls == 0
    # around each hole one request more, not one for each tag
    assert device.layout.polled <= len(device.planned) + len(bad)
    assert all(not device.refused[request] for request in device.layout.requests[: device.layout.polled])


def test_one_bad_register_of_sixty_floats_is_found_in_seven_polls() -> None:
    where = [Address("input", 2 * n, None, 2, "float32") for n in range(60)]
    device = Device(where, lambda request: not touches(request, {61}))
    assert device.settle() <= 7
    assert len(device.read) == 59
    assert [(r.start, r.count) for r in device.layout.requests] == [(0, 60), (62, 58), (60, 2)]


def test_a_bad_register_in_a_gap_costs_no_tag() -> None:
    where = [Address("input", 10 * n, None, 1, "int16") for n in range(12)]
    device = Device(where, lambda request: not touches(request, {35}))
    device.settle()
    assert len(device.read) == 12
    assert [(r.start, r.count) for r in device.layout.requests] == [(0, 31), (40, 71)]


def test_a_device_that_takes_fewer_registers_than_it_should() -> None:
    where = [Address("holding", n, None, 1, "uint16") for n in range(250)]
    device = Device(where, lambda request: request.count <= 100)
    device.settle()
    assert len(device.read) == 250
    assert device.layout.polled <= 4


def test_a_border_in_the_device_that_no_request_may_cross() -> None:
    where = [Address("holding", n, None, 1, "uint16") for n in range(100)]
    device = Device(where, lambda r: r.start >= 40 or r.start + r.count <= 40)
    device.settle()
    assert len(device.read) == 100
    assert device.layout.polled == 2


def test_holes_are_asked_rarely_a_few_at_a_time_and_heal() -> None:
    where = [Address("holding", 2 * n, None, 1, "uint16") for n in range(50)]
    bad = set(range(0, 20, 2))
    device = Device(where, lambda request: not touches(request, bad))
    device.settle()
    assert len(device.layout.requests) - device.layout.polled == 10
    settled = device.now
    asked: list[tuple[int, int]] = []
    while device.now < settled + 3600 * S:
        device.poll()
        extra = len(device.asked) - device.layout.polled
        assert 0 <= extra <= AT_ONCE
        if extra:
            asked.append((device.now - settled, extra))
    assert asked[0][0] >= 50 * S
    assert sum(extra for _, extra in asked) <= 10 * (3600 * S // RETRY_MOST_NS + 5)
    bad.clear()
    healed = device.now
    while len(device.layout.requests) > 1:
        device.poll()
        assert device.now < healed + 3 * RETRY_MOST_NS
    assert device.settle() == 0
    assert len(device.read) == 50


def test_refused_once_and_never_again() -> None:
    where = [Address("holding", n, None, 1, "uint16") for n in range(60)]
    moody = [True]
    device = Device(where, lambda _: not moody[0])
    device.poll()
    moody[0] = False
    device.settle()
    assert len(device.read) == 60
    assert device.layout.polled <= 2


def test_everything_is_refused_for_a_while_and_comes_back() -> None:
    where = [Address("holding", n, None, 1, "uint16") for n in range(30)]
    starting = [True]
    device = Device(where, lambda _: not starting[0])
    device.settle()
    assert device.read == set()
    assert device.layout.polled == 0
    device.poll()
    assert len(device.asked) == 1  # it is not left alone
    starting[0] = False
    before = device.now
    while len(device.read) < 30 or len(device.asked) > 1:
        device.poll()
        assert device.now < before + 2 * RETRY_FIRST_NS + 60 * S


def test_a_device_that_refuses_everything_is_not_asked_for_each_value() -> None:
    where = [Address("holding", n, None, 1, "uint16") for n in range(500)]
    starting = [True]
    device = Device(where, lambda _: not starting[0])
    for _ in range(100):
        device.poll()
        assert len(device.asked) <= len(device.planned) + 10
    starting[0] = False
    for _ in range(12):
        device.poll()
    assert len(device.read) == 500
    device.settle()
    assert device.layout.polled <= 12


class Later(SystemClock):
    """The clock of the machine, some time later."""

    ahead_ns = 0

    def monotonic_ns(self) -> int:
        return super().monotonic_ns() + self.ahead_ns


async def test_a_session_reads_around_a_hole_and_finds_it_healed() -> None:
    tags = [
        Tag(id=n, path=f"t/{n}", type="uint16", kind="device", writer="field", row=n, scan_ns=S,
            address=Address("holding", n, None, 1, "uint16").to_json())
        for n in range(20)
    ]  # fmt: skip
    clock = Later()
    with plc() as device:
        device.set("holding", 0, *range(100, 120))
        device.memory.refuse.add(("holding", 5))
        session = Modbus(clock).session(Config(endpoint=f"tcp://127.0.0.1:{device.port}"), tags)
        assert await session.link.connect()

        async def poll() -> dict[int, tuple[int, int]]:
            number = 0
            while number < session.count(0):
                number += await session.fetch(0, number)
            reading = session.reading(0)
            return {
                int(at): (int(bits), int(status))
                for at, bits, status in zip(reading.members, reading.bits, reading.status, strict=True)
            }

        for _ in range(8):
            seen = await poll()
        good = {n: (100 + n, quality.GOOD) for n in range(20) if n != 5}
        assert {n: value for n, value in seen.items() if n != 5} == good
        assert seen[5][1] == quality.BAD_CONFIGURATION_ERROR
        assert session.count(0) == 2
        before = device.memory.reads
        await poll()
        assert device.memory.reads - before == 2  # the hole is left alone
        group, place = session.place(5)
        assert await session.fetch(group, place, 1) == 1  # as after a write
        assert session.reading(group, place).members.tolist() == [5]

        device.memory.refuse.clear()
        clock.ahead_ns += RETRY_FIRST_NS
        for _ in range(4):
            seen = await poll()
        assert seen == good | {5: (105, quality.GOOD)}
        assert session.count(0) == 1
        session.link.close()
