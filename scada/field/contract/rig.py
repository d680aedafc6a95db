"""A session in the hands of a test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import uvloop

from scada.clock import SystemClock
from scada.field.contract.peer import Given, Peer, Point
from scada.field.driver import Session
from tags import types
from tags.model import OWNER_SCADA, Tag
from tags.types import Value

PATIENCE_S = 10.0
CLOCK = SystemClock()


@dataclass(frozen=True, slots=True)
class Sample:
    """One tag as it was read."""

    value: Value
    status: int
    source_ns: int


def config_of(given: Given, settings: Mapping[str, Any]) -> Any:
    """The driver's settings, through JSON as in a running plant."""
    config = given.driver.Config.model_validate(dict(settings))
    return given.driver.Config.model_validate(config.model_dump(mode="json"))


def tags_of(given: Given, points: Sequence[Point], config: Any) -> list[Tag]:
    """The points as tags of a site."""
    return [
        Tag(
            id=i + 1,
            path=f"test/{i}",
            type=point.type,
            kind="device",
            writer="field",
            row=i,
            scan_ns=point.scan_ns,
            device="PLC1",
            address=given.driver.parse_address(point.address, point.type, config),
            scaling=point.scaling,
            owner=OWNER_SCADA if point.writable else None,
        )
        for i, point in enumerate(points)
    ]


class Rig:
    """A peer, and a session with it.

    Attributes:
        peer: The device.
        session: Not connected yet.
        points: Of the session, in the order of its tags.
    """

    def __init__(self, given: Given, peer: Peer, points: Sequence[Point], driver: Any) -> None:
        self.peer, self.points = peer, tuple(points)
        config = config_of(given, peer.config)
        self.tags = tags_of(given, points, config)
        self.session: Session = driver.session(config, self.tags)

    async def connect(self) -> None:
        """Connects, trying again as field does, until it is so."""
        async with asyncio.timeout(PATIENCE_S):
            while not await self.session.link.connect():
                wait_ns = self.session.link.next_try_ns - CLOCK.monotonic_ns()
                await asyncio.sleep(max(wait_ns, 1_000_000) / 1e9)

    async def fetch(self) -> None:
        """Asks for everything once."""
        for group in range(len(self.session.periods)):
            number = 0
            while number < self.session.count(group):
                done = await self.session.fetch(group, number)
                assert done >= 1, "fetch said that nothing was answered, and raised nothing"
                number += done

    def read(self) -> dict[int, Sample]:
        """What the last fetches brought, by position."""
        found: dict[int, Sample] = {}
        for group in range(len(self.session.periods)):
            reading = self.session.reading(group)
            for n, member in enumerate(reading.members):
                position = int(member)
                assert position not in found, f"tag {position} is in two readings"
                type_ = self.points[position].type
                value: Value = (
                    reading.texts.get(position, "")
                    if type_ == types.STRING
                    else types.from_bits(type_, int(reading.bits[n]))
                )
                found[position] = Sample(value, int(reading.status[n]), int(reading.source_ns[n]))
        return found

    async def poll(self) -> dict[int, Sample]:
        """Asks for everything once and gives it."""
        await self.fetch()
        return self.read()

    def quantised(self, position: int, value: Value) -> tuple[int, bool]:
        """What a command would be read back as (bits), and whether it cannot be written."""
        bits = np.array([self.bits(position, value)], np.uint64)
        out, cannot = self.session.quantiser([position])(bits)
        return int(out[0]), bool(cannot[0])

    def bits(self, position: int, value: Value) -> int:
        """A value's bits; 0 for a text."""
        type_ = self.points[position].type
        return 0 if type_ == types.STRING else types.to_bits(type_, value)

    async def write(self, position: int, value: Value) -> None:
        """Writes a value as field does."""
        text = value if isinstance(value, str) else ""
        bits = 0 if isinstance(value, str) else self.quantised(position, value)[0]
        await self.session.write(position, bits, text)


@contextlib.asynccontextmanager
async def rig(
    given: Given, points: Sequence[Point] | None = None, *, started: bool = True, driver: Any = None
) -> AsyncIterator[Rig]:
    """A started peer, each point holding its first value, and a session that is not connected."""
    peer = given.peer()
    await peer.start()
    try:
        for point in given.points:
            await peer.put(point, point.values[0])
        if not started:
            await peer.stop()
        one = Rig(given, peer, given.points if points is None else points, driver or given.driver(CLOCK))
        try:
            yield one
        finally:
            one.session.link.close()
    finally:
        await peer.stop()


def run(test: Callable[[], Awaitable[None]]) -> None:
    """Runs a test in an event loop like that of the field service; no task may be left over."""

    async def whole() -> None:
        async with asyncio.timeout(6 * PATIENCE_S):
            await test()
        await _settled()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(whole())


async def _settled() -> None:
    """Closing may take some turns of the loop, but it ends."""
    end = CLOCK.monotonic_ns() + int(PATIENCE_S * 1e9)
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        assert CLOCK.monotonic_ns() < end, f"tasks are left over: {others}"
        await asyncio.sleep(0.001)
