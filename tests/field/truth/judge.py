"""Polls a device through the driver's own session and condemns what was not true while it was asked for."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scada.clock import Clock
from scada.field.driver import NoReplyError, Reading, RefusedError
from scada.field.modbus import Modbus
from scada.field.modbus.address import BIT_TABLES
from scada.modbus import wire
from tags import quality
from tags.model import Tag
from tests.field.truth.device import Device

# Equal blocks far apart (so that each is a request, and all look alike), unequal ones, bits.
BLOCKS = (
    ("holding", 0, 4),
    ("holding", 1000, 4),
    ("holding", 2000, 4),
    ("input", 0, 4),
    ("holding", 3000, 9),
    ("holding", 4000, 1),
    ("coil", 0, 19),
    ("discrete", 30, 16),
)
WRITTEN = (("holding", 0), ("holding", 1002), ("holding", 4000))


@dataclass(slots=True)
class Findings:
    """What came of it.

    Attributes:
        polls: Requests that were sent to be read.
        right: Values were delivered and true.
        errors: Nothing was delivered, by kind.
        wrong: What was delivered and not true: the descriptions.
        written: Writes that were confirmed.
    """

    polls: int = 0
    right: int = 0
    written: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


class Judge:
    """Polls one unit.

    Args:
        driver: Of the service; units of one endpoint share it.
        config: The device's settings.
        device: Behind the line: it knows the truth.
        clock: The driver's.
        findings: Takes what happens.
        writes: Share of polls after which something is written.
    """

    def __init__(
        self,
        driver: Modbus,
        config: Any,
        device: Device,
        clock: Clock,
        findings: Findings,
        writes: float = 0.1,
    ) -> None:
        self._config = config
        self._device = device
        self._clock = clock
        self._findings = findings
        self._writes = writes
        self._places = [(table, start + n) for table, start, count in BLOCKS for n in range(count)]
        self._session = driver.session(config, tags_of(self._places))
        self._seen = np.zeros(len(self._places), np.bool_)
        self._bits = np.zeros(len(self._places), np.uint64)
        self._writable = [n for n, place in enumerate(self._places) if place in WRITTEN]
        self._counter = 0

    async def poll(self, polls: int, pause_s: float = 0.0) -> None:
        """Polls so many requests, over as many connections as it takes, then hangs up."""
        session, findings = self._session, self._findings
        end = findings.polls + polls
        try:
            while findings.polls < end:
                if not session.link.open:
                    wait = session.link.next_try_ns - self._clock.monotonic_ns()
                    if wait > 0:
                        await asyncio.sleep(wait / 1e9)
                    if not await session.link.connect():
                        findings.errors["connect"] += 1
                        findings.polls += 1
                        continue
                await self._cycle()
                await asyncio.sleep(pause_s)
        finally:
            session.link.close()

    async def _cycle(self) -> None:
        session, findings = self._session, self._findings
        self._seen[:] = False
        number = 0
        while number < session.count(0):
            first = self._clock.monotonic_ns()
            try:
                fetched = await session.fetch(0, number)
            except NoReplyError:
                findings.polls += 1
                findings.errors["no reply"] += 1
                return
            last = self._clock.monotonic_ns()
            for n in range(number, number + fetched):
                findings.polls += 1
                self._look(n, first, last)
            number += fetched
            if self._device.dice.random() < self._writes and not await self._write():
                return
        self._compare(session.reading(0))  # a block that was refused is asked for in parts from here on

    def _compare(self, reading: Reading) -> None:
        """What is told of all requests together is what each of them brought in this round."""
        good = reading.status == quality.GOOD
        at = reading.members[good]
        if not self._seen[at].all() or (self._bits[at] != reading.bits[good]).any():
            self._findings.wrong.append("the reading of all requests holds what none of them has brought")

    def _look(self, number: int, first_ns: int, last_ns: int) -> None:
        findings = self._findings
        reading = self._session.reading(0, number)
        good = reading.status == quality.GOOD
        if not good.any():
            findings.errors["refused"] += 1
            return
        if not good.all():
            findings.wrong.append(f"half of a reply is Good: {reading.status}")
            return
        order = np.argsort(reading.members)
        values = reading.bits[order]
        first, last = (self._places[int(reading.members[i])] for i in (order[0], order[-1]))
        table, start, count = first[0], first[1], last[1] - first[1] + 1
        if count != len(values) or table != last[0]:
            findings.wrong.append(f"a reply made values of {first} to {last}, but {len(values)}")
            return
        data = (
            np.packbits(values.astype(np.uint8), bitorder="little").tobytes()
            if table in BIT_TABLES
            else values.astype(">u2").tobytes()
        )
        pdu = wire.read(table, start, count)
        request = bytes((pdu.function,)) + pdu.data
        verdict = self._device.truth.verdict(
            self._config.unit_id, request, bytes((pdu.function, len(data))) + data, first_ns, last_ns
        )
        utc = self._clock.utc_ns() - self._clock.monotonic_ns()
        stamps = reading.source_ns - utc
        if not verdict and not (first_ns - 1_000_000 <= stamps.min() and stamps.max() <= last_ns + 1_000_000):
            verdict = "its time is not that of its reply"
        if verdict:
            findings.wrong.append(f"{table}/{start}x{count}: {verdict}")
        else:
            findings.right += 1
            self._seen[reading.members] = True
            self._bits[reading.members] = reading.bits

    async def _write(self) -> bool:
        """One register by FC6 or FC16, as configured; the value is a new one. False when there was no reply."""
        self._counter = (self._counter + 1) & 0xFFFF
        position = self._device.dice.choice(self._writable)
        _, offset = self._places[position]
        first = self._clock.monotonic_ns()
        try:
            await self._session.write(position, self._counter, "")
        except NoReplyError:
            self._findings.errors["write: no reply"] += 1
            return False
        except RefusedError:
            self._findings.errors["write: refused"] += 1
            return True
        word = self._counter.to_bytes(2, "big")
        if self._config.writes == "multiple":
            pdu = wire.write_registers(offset, word)
        else:
            pdu = wire.write_register(offset, word)
        verdict = self._device.truth.verdict(
            self._config.unit_id,
            bytes((pdu.function,)) + pdu.data,
            bytes((pdu.function,)) + pdu.reply_head,
            first,
            self._clock.monotonic_ns(),
        )
        if verdict:
            self._findings.wrong.append(f"a write was confirmed: {verdict}")
        else:
            self._findings.written += 1
        return True


def tags_of(places: Sequence[tuple[str, int]], scan_ns: int = 0) -> list[Tag]:
    """A tag for every register and bit, asked for each `scan_ns`."""
    tags: list[Tag] = []
    for table, offset in places:
        kind = "bool" if table in BIT_TABLES else "uint16"
        tags.append(
            Tag(
                id=len(tags) + 1,
                path=f"u/{table}{offset}/{len(tags)}",
                scan_ns=scan_ns,
                type=kind,
                kind="device",
                writer="field",
                row=len(tags),
                address={"table": table, "offset": offset, "bit": None, "count": 1, "type": kind},
            )
        )
    return tags
