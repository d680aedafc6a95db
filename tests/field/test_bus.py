"""A connection that many units share: turns, silent units, and what the others notice of them. In simulated time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from scada.clock import Clock
from scada.field.driver import CLOSED, TIMEOUT, NoReplyError, RefusedError
from scada.field.modbus.bus import BACK_OFF_MOST_NS, RAREST_NS, Bus
from scada.field.modbus.config import Config
from scada.field.modbus.link import Link
from scada.field.modbus.transport import one_by_one
from scada.field.modbus.turns import HEARTBEAT, IN_A_ROW, POLL, STOP, WRITE, Turns
from scada.modbus import wire
from scada.modbus.wire import Ask
from scada.virtual.world import World
from tests.support.virtual import run

SECOND = 1_000_000_000
MS = 1_000_000


@dataclass
class Gateway:
    """Units behind one endpoint, as a transport meets them."""

    world: World
    reply_ns: int = 10 * MS
    silent: set[int] = field(default_factory=set)
    away: dict[int, int] = field(default_factory=dict)  # unit → exception of the gateway
    keep: bool = False  # a time-out does not end the connection, as on a serial port
    down: bool = False
    connections: int = 0
    asked: list[tuple[int, int]] = field(default_factory=list)  # (unit, when)
    spent: dict[int, int] = field(default_factory=dict)
    current: Transport | None = None

    def opener(self, config: Config, clock: Clock) -> Any:
        """A factory of transports."""
        del config, clock
        return lambda: Transport(self)


class Transport:
    """One connection to the gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.open = False
        self.busy = False
        self.reason = ""

    async def connect(self) -> bool:
        self.gateway.connections += 1
        await asyncio.sleep(0.001)
        self.open = not self.gateway.down
        self.gateway.current = self
        return self.open

    async def ask(self, ask: Ask) -> bytes:
        gateway = self.gateway
        assert self.open, "sent over a connection that is not there"
        assert not self.busy, "two requests at a time"
        self.busy = True
        start = gateway.world.now_ns
        gateway.asked.append((ask.unit, start))
        try:
            if gateway.down or ask.unit in gateway.silent:
                await asyncio.sleep(ask.timeout_ns / 1e9)
                self.open = gateway.keep and self.open
                raise NoReplyError("silent", TIMEOUT)
            await asyncio.sleep(gateway.reply_ns / 1e9)
            if not self.open:
                raise NoReplyError("closed", CLOSED)
            if ask.unit in gateway.away:
                raise RefusedError(gateway.away[ask.unit])
            return b"\2\0\0"
        finally:
            self.busy = False
            gateway.spent[ask.unit] = gateway.spent.get(ask.unit, 0) + gateway.world.now_ns - start

    async def ask_all(self, asks: Sequence[Ask]) -> list[bytes | int]:
        return await one_by_one(self, asks)

    def close(self) -> None:
        self.open = False


class Poller:
    """Polls one unit, as scada.field.poller does."""

    def __init__(
        self, world: World, bus: Bus, unit: int, period_ns: int = SECOND, timeout: str = "1 s"
    ) -> None:
        self.world, self.period_ns = world, period_ns
        self.link = Link(Config(endpoint="tcp://h:502", unit_id=unit, timeout=timeout), world.clock, bus)
        self.ask = self.link.prepare(wire.read("holding", 0, 1))
        self.good: list[int] = []
        self.opened = 0

    async def run(self) -> None:
        due = self.world.now_ns
        while True:
            if not self.link.open:
                if (wait := self.link.next_try_ns - self.world.now_ns) > 0:
                    await asyncio.sleep(min(wait, SECOND) / 1e9)
                elif await self.link.connect():
                    self.opened += 1
                    due = self.world.now_ns
                continue
            if due > self.world.now_ns:
                await asyncio.sleep((due - self.world.now_ns) / 1e9)
            try:
                await self.link.ask(self.ask)
            except NoReplyError:
                continue
            self.good.append(self.world.now_ns)
            due = max(due + self.period_ns, self.world.now_ns)


class Street:
    """A gateway, its bus and pollers of its units."""

    def __init__(
        self, world: World, units: int, timeout: str = "1 s", period_ns: int = SECOND, **more: Any
    ) -> None:
        self.world = world
        self.gateway = Gateway(world, **more)
        self.bus = Bus(Config(endpoint="tcp://h:502"), world.clock, self.gateway.opener)
        self.pollers = {
            unit: Poller(world, self.bus, unit, period_ns, timeout) for unit in range(1, units + 1)
        }
        self.tasks = [asyncio.get_running_loop().create_task(p.run()) for p in self.pollers.values()]

    async def pass_time(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        for task in self.tasks:
            assert not task.done() or task.exception() is None

    def worst_gap_s(self, unit: int, since_ns: int) -> float:
        """Longest time without a value of a unit, from a moment on."""
        times = [since_ns, *(t for t in self.pollers[unit].good if t >= since_ns), self.world.now_ns]
        return max(b - a for a, b in itertools.pairwise(times)) / 1e9

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@pytest.mark.parametrize("keep", [False, True])
def test_silent_units_cost_two_hundredths_each_and_the_others_keep_their_period(keep: bool) -> None:
    async def main(world: World) -> None:
        street = Street(world, 10, timeout="200 ms", keep=keep)
        await street.pass_time(5)
        street.gateway.silent |= {2, 5, 9}
        await street.pass_time(5)  # known dead by now
        street.gateway.spent.clear()
        opened = {unit: poller.opened for unit, poller in street.pollers.items()}
        start = world.now_ns
        await street.pass_time(200)
        for unit in (2, 5, 9):
            assert street.gateway.spent[unit] <= 0.02 * (world.now_ns - start)
            assert street.gateway.spent[unit] > 0, "it is never looked for"
        for unit in (1, 3, 4, 6, 7, 8, 10):
            poller = street.pollers[unit]
            assert street.worst_gap_s(unit, start) < 1.7, "one time-out is the most that a silent unit costs"
            assert len([t for t in poller.good if t >= start]) >= 199
            assert poller.opened == opened[unit], "what is done for a neighbour is not its business"
            assert poller.link.errors == 0
        assert 0.05 < street.bus.load() < 0.3
        back = world.now_ns
        street.gateway.silent.clear()
        await street.pass_time(0.2 * 50 + 2)
        for unit in (2, 5, 9):
            assert any(t > back for t in street.pollers[unit].good), "it is noticed within 50 time-outs"
        await street.end()

    run(main)


def test_many_silent_units_together_cost_a_tenth() -> None:
    async def main(world: World) -> None:
        street = Street(world, 40, timeout="200 ms")
        street.gateway.silent = set(range(3, 41))
        await street.pass_time(40)
        street.gateway.spent.clear()
        start = world.now_ns
        await street.pass_time(600)
        dead = sum(street.gateway.spent.get(unit, 0) for unit in range(3, 41))
        assert dead <= 0.1 * (world.now_ns - start)
        assert street.worst_gap_s(1, start) < 1.7
        await street.end()

    run(main)


def test_where_nobody_answers_everybody_is_asked_often_and_all_come_back_together() -> None:
    async def main(world: World) -> None:
        street = Street(world, 5, timeout="200 ms")
        await street.pass_time(3)
        street.gateway.silent = {1, 2, 3, 4, 5}
        await street.pass_time(120)
        street.gateway.silent.clear()
        back = world.now_ns
        await street.pass_time(5)
        for poller in street.pollers.values():
            assert min(t for t in poller.good if t > back) - back < 3.2 * SECOND
        await street.end()

    run(main)


def test_who_was_silent_before_the_others_comes_back_with_them() -> None:
    async def main(world: World) -> None:
        street = Street(world, 3, timeout="1 s")
        street.gateway.silent = {3}
        await street.pass_time(8)
        assert street.pollers[3].link.next_try_ns > world.now_ns + 30 * SECOND
        street.gateway.silent = {1, 2, 3}
        await street.pass_time(10)
        street.gateway.silent.clear()
        back = world.now_ns
        await street.pass_time(5)
        assert any(t > back for t in street.pollers[3].good)
        await street.end()

    run(main)


def test_a_silent_unit_lets_those_pass_that_come_shortly_after() -> None:
    async def main(world: World) -> None:
        street = Street(world, 3, keep=True, timeout="100 ms")
        for task in street.tasks:
            task.cancel()
        one, two, dead = (poller.link for poller in street.pollers.values())
        for link in (one, two, dead):
            await link.connect()
        street.gateway.silent = {3}
        for _ in range(2):
            with pytest.raises(NoReplyError):
                await dead.ask(street.pollers[3].ask)
            await dead.connect()
        street.gateway.silent.clear()
        street.gateway.asked.clear()
        loop = asyncio.get_running_loop()
        waiting = [loop.create_task(link.ask(street.pollers[1].ask)) for link in (one,)]
        await asyncio.sleep(0.001)
        waiting.append(loop.create_task(dead.ask(street.pollers[3].ask)))
        await asyncio.sleep(0.001)
        waiting.append(loop.create_task(two.ask(street.pollers[2].ask)))
        await asyncio.gather(*waiting)
        assert [unit for unit, _ in street.gateway.asked] == [1, 2, 3]

    run(main)


def test_the_gateway_itself_is_away_and_comes_back_within_two_seconds() -> None:
    async def main(world: World) -> None:
        street = Street(world, 8)
        await street.pass_time(3)
        street.gateway.down = True
        assert street.gateway.current is not None
        street.gateway.current.open = False
        await street.pass_time(60)
        tries = street.gateway.connections
        await street.pass_time(20)
        assert street.gateway.connections - tries <= 12, "one device connects for all"
        street.gateway.down = False
        back = world.now_ns
        await street.pass_time(4)
        for poller in street.pollers.values():
            assert poller.opened == 2, "each begins anew"
            assert min(t for t in poller.good if t > back) - back < 2.5 * SECOND
        await street.end()

    run(main)


def test_a_connection_that_the_peer_closes_is_a_new_beginning_for_all() -> None:
    async def main(world: World) -> None:
        street = Street(world, 3)
        await street.pass_time(2.5)
        assert street.gateway.current is not None
        street.gateway.current.open = False
        await street.pass_time(2)
        assert [poller.opened for poller in street.pollers.values()] == [2, 2, 2]
        await street.end()

    run(main)


@pytest.mark.parametrize("code", [10, 11])
def test_a_gateway_that_finds_no_unit_speaks_of_that_unit_only(code: int) -> None:
    async def main(world: World) -> None:
        street = Street(world, 3)
        await street.pass_time(2)
        street.gateway.away = {2: code}
        start = world.now_ns
        await street.pass_time(30)
        assert street.pollers[2].link.failures > 1
        assert street.pollers[2].link.errors_by_kind[TIMEOUT] > 1
        assert street.worst_gap_s(1, start) < 1.1
        assert street.gateway.connections == 1
        street.gateway.away = {}
        back = world.now_ns
        await street.pass_time(4)
        assert min(t for t in street.pollers[2].good if t > back) - back < 3 * SECOND
        await street.end()

    run(main)


def test_an_exception_of_the_unit_is_an_answer() -> None:
    async def main(world: World) -> None:
        street = Street(world, 2)
        street.gateway.away = {1: 2}
        link = street.pollers[1].link
        await link.connect()
        with pytest.raises(RefusedError):
            await link.ask(street.pollers[1].ask)
        assert link.open
        assert link.failures == 0
        assert link.errors_by_kind["exception"] == 1
        await street.end()

    run(main)


def test_a_device_alone_is_asked_again_as_before() -> None:
    async def main(world: World) -> None:
        street = Street(world, 1, timeout="100 ms")
        await street.pass_time(3)
        street.gateway.silent = {1}
        await street.pass_time(60)
        street.gateway.asked.clear()
        await street.pass_time(21)
        assert 11 <= len(street.gateway.asked) <= 13  # each 1.8 s
        street.gateway.silent.clear()
        back = world.now_ns
        await street.pass_time(3)
        assert street.pollers[1].good[-1] > back
        assert min(t for t in street.pollers[1].good if t > back) - back <= BACK_OFF_MOST_NS + 100 * MS
        await street.end()

    run(main)


def test_a_full_bus_serves_all_alike() -> None:
    async def main(world: World) -> None:
        street = Street(world, 10, period_ns=50 * MS, reply_ns=20 * MS)  # four times too much
        await street.pass_time(40)
        counts = [len(poller.good) for poller in street.pollers.values()]
        assert max(counts) - min(counts) <= 2
        assert sum(counts) > 1900
        await street.end()

    run(main)


def test_a_silent_unit_is_looked_for_on_a_full_bus_too() -> None:
    async def main(world: World) -> None:
        street = Street(world, 4, period_ns=50 * MS, reply_ns=20 * MS, timeout="100 ms")
        street.gateway.silent = {4}
        await street.pass_time(60)
        street.gateway.silent.clear()
        back = world.now_ns
        await street.pass_time(8)
        assert any(t > back for t in street.pollers[4].good)
        await street.end()

    run(main)


def test_stops_go_first_and_neither_heartbeats_nor_polls_are_starved() -> None:
    async def main(world: World) -> None:
        del world
        turns, order = Turns(), []

        async def one(name: str, urgency: int, since: int) -> None:
            if not turns.take_now(urgency):
                await turns.wait(urgency, since)
            order.append(name)
            await asyncio.sleep(0.01)
            turns.give()

        holder = asyncio.ensure_future(one("first", POLL, 0))
        await asyncio.sleep(0)
        waiting = [
            *(one(f"write {n}", WRITE, n) for n in range(20)),
            one("poll late", POLL, 2),
            one("poll early", POLL, 1),
            one("beat", HEARTBEAT, 0),
            one("stop", STOP, 99),
        ]
        await asyncio.gather(holder, *waiting)
        assert order[:2] == ["first", "stop"]
        assert order.index("beat") == 1 + IN_A_ROW
        assert order.index("poll early") == 2 + IN_A_ROW
        assert order.index("poll late") == 3 + 2 * IN_A_ROW
        assert order[2:5] == ["write 0", "write 1", "write 2"]

    run(main)


def test_a_stop_goes_before_a_poll_that_has_its_turn() -> None:
    async def main(world: World) -> None:
        del world
        turns = Turns()
        for _ in range(IN_A_ROW):
            assert turns.take_now(WRITE)
            turns.give()
        assert turns.take_now(WRITE)
        loop = asyncio.get_running_loop()
        poll, stop = loop.create_task(turns.wait(POLL, 0)), loop.create_task(turns.wait(STOP, 1))
        await asyncio.sleep(0)
        turns.give()
        await asyncio.sleep(0.1)
        assert stop.done()
        assert not poll.done()
        turns.give()
        await poll

    run(main)


def test_who_goes_away_while_he_waits_blocks_nobody() -> None:
    async def main(world: World) -> None:
        del world
        turns = Turns()
        assert turns.take_now(POLL)
        loop = asyncio.get_running_loop()
        first, second = loop.create_task(turns.wait(POLL, 0)), loop.create_task(turns.wait(POLL, 1))
        await asyncio.sleep(0)
        turns.give()  # the turn is the first one's, but
        first.cancel()  # it goes before it knows
        await asyncio.sleep(0.1)
        assert second.done()
        assert not second.cancelled()
        third = loop.create_task(turns.wait(POLL, 2))
        await asyncio.sleep(0)
        third.cancel()
        await asyncio.sleep(0)
        turns.give()
        assert turns.take_now(WRITE)

    run(main)


def test_pauses_are_bounded() -> None:
    async def main(world: World) -> None:
        street = Street(world, 2)
        await street.pass_time(2)
        assert street.bus.pause_ns(1, SECOND) == 0
        assert street.bus.pause_ns(2, SECOND) == 50 * SECOND
        assert street.bus.pause_ns(9, 60 * SECOND) == RAREST_NS
        await street.end()

    run(main)
