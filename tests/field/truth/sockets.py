"""All misbehaviours at once on real sockets, TLS or pseudo terminals: each has a device and a driver of its own."""

from __future__ import annotations

import asyncio
import random
from typing import Any
from unittest.mock import patch

from scada.clock import SystemClock
from scada.field.modbus import Modbus, bus
from scada.field.modbus.config import Config
from tests.field.truth.device import Device
from tests.field.truth.judge import Findings, Judge
from tests.field.truth.misbehaviours import SERIAL, TABLE, TLS
from tests.field.truth.pki import Pki
from tests.field.truth.real import Around, listening, wired

TIMEOUT_MS = 60
BACK_OFF_MOST_NS = 100_000_000  # 2 s would be 2 s for each of many polls
TIMEOUT_TLS_MS = 150
HANDSHAKES = 12  # so many at once: each takes milliseconds of a processor


async def all_at_once(line: str, client: str, seed: int, polls: int, pki: Pki) -> dict[str, Findings]:
    """So many polls against each misbehaviour of a kind of line.

    Returns:
        What came of it, by name.
    """
    loop = asyncio.get_running_loop()
    errors: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: errors.append(context))
    names = [entry.name for entry in TABLE.values() if line in entry.lines]
    with patch.object(bus, "BACK_OFF_MOST_NS", BACK_OFF_MOST_NS):
        async with asyncio.TaskGroup() as group:
            some = asyncio.Semaphore(HANDSHAKES if line == TLS else len(names))
            tasks = [group.create_task(_one(line, client, name, seed, polls, pki, some)) for name in names]
    if client == "native":
        assert not errors, errors
    return {name: task.result() for name, task in zip(names, tasks, strict=True)}


async def _one(
    line: str, client: str, name: str, seed: int, polls: int, pki: Pki, some: asyncio.Semaphore
) -> Findings:
    async with some:
        return await _judged(line, client, name, seed, polls, pki)


async def _judged(line: str, client: str, name: str, seed: int, polls: int, pki: Pki) -> Findings:
    clock = SystemClock()
    dice = random.Random(f"{seed}/{line}/{client}/{name}")
    timeout_ms = TIMEOUT_TLS_MS if line == TLS else TIMEOUT_MS
    device = Device(line, Around(), dice, TABLE[name], timeout_ms * 1_000_000)
    settings: dict[str, Any] = {"timeout": f"{timeout_ms} ms", "max_gap": 0, "client": client}
    findings = Findings()
    if line == SERIAL:
        async with wired(device) as path:
            config = Config(endpoint=f"rtu://{path}", **settings)
            await Judge(Modbus(clock), config, device, clock, findings).poll(polls, 0.001)
    else:
        async with listening(device, pki.device if line == TLS else None) as port:
            if line == TLS:
                settings["tls"] = pki.driver
            config = Config(endpoint=f"{line}://127.0.0.1:{port}", **settings)
            await Judge(Modbus(clock), config, device, clock, findings).poll(polls, 0.001)
    return findings
