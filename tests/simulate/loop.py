"""The whole loop without network and processes: plants, registers, the scan; minutes of plant time in seconds."""

from __future__ import annotations

import struct
from typing import Any

from scada.blocks.base import Tick
from scada.requests import Request
from scada.scan import Inputs, build, start, step
from scada.scan.program import ASK, OWN, PULSE, Plan
from scada.simulate.plant import Plant
from scada.simulate.plants import PLANTS
from tags.model import DEVICE, Site, Tag
from tags.quality import BAD_NO_COMMUNICATION, BAD_SENSOR_FAILURE, GOOD

NOON = 1_795_431_600_000_000_000  # Monday 2026-11-23 12:00 in Madrid
VERSION_MASK = (1 << 56) - 1


class Loop:
    """A site with its simulated PLCs, scan by scan.

    Attributes:
        plants: By device name.
        events: All events so far.
        seconds: Plant time since the start.
        unplugged: Devices that do not answer.
    """

    def __init__(self, site: Site, *, utc_ns: int = NOON, seed: int = 1) -> None:
        self.site = site
        self.program = build(site)
        self.state = start(self.program, utc_ns=utc_ns)
        self.plants: dict[str, Plant] = {
            device.name: PLANTS[device.simulate](seed + n)
            for n, device in enumerate(site.devices)
            if device.simulate
        }
        self.events: list[dict[str, Any]] = []
        self.unplugged: set[str] = set()
        self.seconds = 0.0
        self._start_ns = self._utc_ns = utc_ns
        self._number = 0
        self._version = 0
        self._acted: list[tuple[int, int]] = []
        self._versions: list[tuple[int, int]] = []
        self._requests: list[Request] = []
        self._read = [
            (slot, tag, tag.address)
            for slot, tag in enumerate(self.program.slots)
            if tag.kind == DEVICE and tag.address is not None
        ]
        self._plans = {plan.command: plan for plan in self.program.outputs if plan.way != OWN}
        self._heartbeat = 0

    def value(self, path: str) -> Any:
        """A tag's value of the last scan."""
        return self.state.signals.value[self.program.index[path]]

    def status(self, path: str) -> int:
        """A tag's status of the last scan."""
        status: int = self.state.signals.status[self.program.index[path]]
        return status

    def request(self, *items: tuple[str, Any]) -> None:
        """An operator writes."""
        self._requests.append(
            Request(
                id=f"{len(self.events)}-{self._number}-{len(self._requests)}",
                kind="write",
                items=tuple(items),
                source="hmi",
                user="anna",
                role="engineer",
            )
        )

    def run(self, seconds: float) -> None:
        """Lets plant time pass."""
        for _ in range(round(seconds * 1e9 / self.site.scan_ns)):
            self._scan()

    def _scan(self) -> None:
        period_s = self.site.scan_ns / 1e9
        self._number += 1
        self._utc_ns += self.site.scan_ns
        self.seconds += period_s
        for plant in self.plants.values():
            plant.step(period_s)
        if self._number % 10 == 0:
            self._heartbeat = (self._heartbeat + 1) & 0x7FFF
            for name, plant in self.plants.items():
                if name not in self.unplugged:
                    plant.registers.holding[100] = self._heartbeat
        inputs = Inputs(self._samples(), self._acted, self._versions)
        self._acted = []
        tick = Tick(self._number, 1, self.site.scan_ns, self._utc_ns, *self._civil())
        self.state, writes, events = step(self.program, self.state, inputs, self._requests, tick)
        self._requests = []
        self.events += events
        self._versions = []
        for slot in sorted({*writes.slots, *writes.flags, *writes.renew}):
            if slot in self._plans:
                self._version += 1
                self._versions.append((self._plans[slot].row, self._version))
                self._write(self._plans[slot], self._version)
        self._maintain()

    def _civil(self) -> tuple[int, int, str]:
        second = 12 * 3600 + (self._utc_ns - self._start_ns) // 1_000_000_000
        return 0, int(second % 86400), "2026-11-23"

    def _samples(self) -> list[tuple[int, Any, int, int]]:
        samples: list[tuple[int, Any, int, int]] = []
        if self._number == 1:
            for slot, tag in enumerate(self.program.slots):
                if tag.path.endswith(("/connected", "/armed")):
                    samples.append((slot, True, GOOD, self._utc_ns))
        elapsed = self._number * self.site.scan_ns
        for slot, tag, address in self._read:
            if self._number > 1 and elapsed % tag.scan_ns >= self.site.scan_ns:
                continue
            if tag.device in self.unplugged:
                samples.append((slot, self.state.signals.value[slot], BAD_NO_COMMUNICATION, self._utc_ns))
                continue
            value, status = self._decode(tag, address)
            samples.append((slot, value, status, self._utc_ns))
        return samples

    def _decode(self, tag: Tag, address: dict[str, Any]) -> tuple[Any, int]:
        registers = self.plants[str(tag.device)].registers
        at = address["offset"]
        if address["table"] in {"coil", "discrete"}:
            return (registers.coils if address["table"] == "coil" else registers.discretes)[at], GOOD
        words = (registers.holding if address["table"] == "holding" else registers.inputs)[
            at : at + address["count"]
        ]
        code = {"int16": ">h", "uint16": ">H", "uint32": ">I", "float32": ">f"}[address["type"]]
        raw = struct.unpack(code, b"".join(word.to_bytes(2, "big") for word in words))[0]
        scaling = tag.scaling
        low, high = scaling.bad_below, scaling.bad_above
        bad = (low is not None and raw < low) or (high is not None and raw > high)
        return raw * scaling.gain + scaling.offset, BAD_SENSOR_FAILURE if bad else GOOD

    def _write(self, plan: Plan, version: int) -> None:
        """What the field does with a new version of a command."""
        if not self.state.drive.get(plan.command) or plan.tag.device in self.unplugged:
            return
        self._acted.append((plan.row, version & VERSION_MASK))
        value = self.state.signals.value[plan.command]
        if plan.way == PULSE:
            if value:
                registers, address = self._registers(plan)
                registers.write_coils(address["offset"], [True])
                registers.write_coils(address["offset"], [False])
        elif plan.way == ASK:
            self._put(plan, value)

    def _maintain(self) -> None:
        """What the field does with a command that differs from what it read."""
        for slot, plan in self._plans.items():
            signals = self.state.signals
            if (
                plan.way in (PULSE, ASK)
                or not self.state.drive.get(slot)
                or plan.tag.device in self.unplugged
            ):
                continue
            if signals.status[slot] >> 30 or signals.value[slot] is None:
                continue
            wanted, read = signals.value[slot], signals.value[plan.slot]
            assert plan.tag.write is not None
            if abs(wanted - read) > plan.tag.write.deadband + plan.close:
                self._put(plan, wanted)

    def _put(self, plan: Plan, value: Any) -> None:
        registers, address = self._registers(plan)
        if address["table"] == "coil":
            registers.write_coils(address["offset"], [bool(value)])
        else:
            scaling = plan.tag.scaling
            registers.holding[address["offset"]] = round((value - scaling.offset) / scaling.gain) & 0xFFFF

    def _registers(self, plan: Plan) -> tuple[Any, dict[str, Any]]:
        assert plan.tag.address is not None
        return self.plants[str(plan.tag.device)].registers, plan.tag.address
