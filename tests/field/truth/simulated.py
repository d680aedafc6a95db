"""One misbehaviour against one kind of line and one client, in simulated time, from a seed."""

from __future__ import annotations

import random
import ssl
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

from scada.field.modbus import Modbus, tty
from scada.field.modbus.config import Config
from scada.virtual.world import World
from tests.field.truth.device import Device
from tests.field.truth.judge import Findings, Judge
from tests.field.truth.memory import UTC_NS, Network
from tests.field.truth.misbehaviours import TABLE, TLS

TIMEOUT_MS = 100
HOUR_NS = 3_600_000_000_000


def run(
    line: str,
    client: str,
    name: str,
    seed: int,
    polls: int,
    *,
    units: Sequence[int] = (1,),
    window: int = 1,
    tls: dict[str, str] | None = None,
    server: ssl.SSLContext | None = None,
    stop_at: int = 0,
) -> Findings:
    """Polls through one misbehaviour.

    Args:
        line: `tcp`, `rtu+tcp`, `tls` or `rtu`.
        client: `native` or `pymodbus`.
        name: In `misbehaviours.TABLE`.
        seed: With all the other arguments, of everything that is by chance.
        polls: How many, of all units together.
        units: Unit identifiers behind the endpoint.
        window: Requests on their way at once.
        tls: Certificates of the driver.
        server: TLS of the device.
        stop_at: Ends early when so many wrong values were found; 0 for never.

    Raises:
        AssertionError: The driver broke, or went on for an hour of simulated time without getting through.
    """
    world = World(UTC_NS)
    network = Network(world, server)
    dice = random.Random(f"{seed}/{line}/{client}/{name}/{window}/{len(units)}")
    network.device = Device(line, network, dice, TABLE[name], TIMEOUT_MS * 1_000_000)
    driver = Modbus(world.clock, None)
    findings = Findings()
    judges = [
        Judge(driver, config(line, client, unit, window, tls), network.device, world.clock, findings)
        for unit in units
    ]
    tasks = [
        network.start(judge.poll(polls, 0.0 if number else dice.choice((0.0, 0.001, 0.02))))
        for number, judge in enumerate(judges)
    ]
    with patch.object(tty, "open_port", network.open_port):
        while not all(task.done() for task in tasks):
            if stop_at and len(findings.wrong) >= stop_at:
                break
            before = findings.polls
            world.run_until(world.now_ns + HOUR_NS // 60)
            assert not network.errors, network.errors
            done = all(task.done() for task in tasks)
            assert done or findings.polls > before, f"{line} {client} {name}: stuck after {findings}"
    assert not network.errors, network.errors
    assert client != "native" or not network.raised, network.raised
    network.kill()
    return findings


def config(line: str, client: str, unit: int, window: int, tls: dict[str, str] | None) -> Config:
    """Settings of a device on a line."""
    settings: dict[str, Any] = {
        "endpoint": "rtu:///dev/ttyS99" if line == "rtu" else f"{line}://127.0.0.1:4001",
        "unit_id": unit,
        "timeout": f"{TIMEOUT_MS} ms",
        "max_gap": 0,
        "client": client,
        "writes": "multiple" if unit % 2 else "single",
    }
    if line == TLS:
        settings["tls"] = tls
    if window > 1:
        settings["window"] = window
    return Config(**settings)
