"""All misbehaviours at once on real sockets, TLS or pseudo terminals: each has a device and a driver of its own."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from scada.clock import SystemClock
from scada.field.modbus import Modbus
from scada.field.modbus.config import Config
from tests.field.truth.device import Device
from tests.field.truth.judge import Findings, Judge
from tests.field.truth.misbehaviours import SERIAL, TABLE, TLS
from tests.field.truth.pki import Pki
from tests.field.truth.real import Around, listening, wired

TIMEOUT_MS = 60


async def all_at_once(line: str, client: str, seed: int, polls: int, pki: Pki) -> dict[str, Findings]:
    """So many polls against each misbehaviour of a kind of line.

    Returns:
        What came of it, by name.
    """
    loop = asyncio.get_running_loop()
    errors: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: errors.append(context))
    names = [entry.name for entry in TABLE.values() if line in entry.lines]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_one(line, client, name, seed, polls, pki)) for name in names]
    if client == "native":
        assert not errors, errors
    return {name: task.result() for name, task in zip(names, tasks, strict=True)}


async def _one(line: str, client: str, name: str, seed: int, polls: int, pki: Pki) -> Findings:
    clock = SystemClock()
    dice = random.Random(f"{seed}/{line}/{client}/{name}")
    device = Device(line, Around(), dice, TABLE[name], TIMEOUT_MS * 1_000_000)
    settings: dict[str, Any] = {"timeout": f"{TIMEOUT_MS} ms", "max_gap": 0, "client": client}
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
