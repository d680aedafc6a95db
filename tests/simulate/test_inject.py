"""`scada inject` as a person types it, against a simulated device that listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from typer.testing import CliRunner

from scada.cli.app import app
from scada.clock import SimulatedClock
from scada.datadir import DataDir
from scada.simulate.faults import Fault
from scada.simulate.inject import socket_path
from scada.simulate.simulation import InjectSocket, Simulation
from tags.model import Device

Type = Callable[..., "asyncio.Future[tuple[int, str]]"]


@pytest_asyncio.fixture
async def simulation() -> AsyncIterator[Simulation]:
    config = {"endpoint": "tcp://127.0.0.1:0"}
    device = Device(name="PLC1", driver="modbus", service="field", config=config, simulate="water")
    one = Simulation([device], SimulatedClock())
    await one.start()
    yield one
    await one.close()


@pytest_asyncio.fixture
async def scada(simulation: Simulation, tmp_path: Path) -> AsyncIterator[Type]:
    data = DataDir(tmp_path / "data")
    data.create()
    faults = InjectSocket(socket_path(data), simulation)

    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["inject", *words, "--data", str(data.root)])
        return result.exit_code, result.output

    yield lambda *words: asyncio.ensure_future(asyncio.to_thread(run, *words))
    faults.close()


async def test_faults_with_amounts_shares_and_ends(simulation: Simulation, scada: Type) -> None:
    present = simulation.units["PLC1"].faults
    assert await scada("PLC1", "delay", "250 ms", "--share", "20 %") == (0, "PLC1: delay 250 ms\n")
    assert await scada("PLC1", "exception", "6") == (0, "PLC1: exception 6\n")
    before_s = asyncio.get_running_loop().time()
    assert (await scada("PLC1", "drop", "--for", "1 min"))[0] == 0
    delay, drop, exception = present.present
    assert (delay, exception) == (Fault("delay", 0.25, 0.2), Fault("exception", 6.0))
    assert drop.until_s is not None
    assert 60 <= drop.until_s - before_s < 70
    assert await scada("PLC1", "clear") == (0, "PLC1: clear\n")
    assert present.present == ()
    assert (await scada("PLC1", "LV-101.local=true"))[0] == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["PLC1", "delay", "soon"], "'soon' is no duration"),
        (["PLC1", "exception", "four"], "'four' is not a number. Write for example: exception 4"),
        (["PLC1", "exception", "300"], "300 is no exception code"),
        (["PLC1", "drop", "--share", "some"], "'some' is not a percentage"),
        (["PLC1", "drop", "--share", "200"], "'200' is not a percentage up to 100 %"),
        (["PLC1", "LV-101.local=true", "5"], "a setting at the panel has no amount"),
        (["PLC1", "LV-101.hand=much"], "'much' is neither true, false nor a number"),
        (["PLC1", "melt"], "'melt' is not one of unplug, plug, freeze"),
        (["PLC9", "drop"], "no simulated device 'PLC9'; there are PLC1"),
    ],
)
async def test_what_cannot_be_done_is_one_clear_line(scada: Type, words: list[str], says: str) -> None:
    code, text = await scada(*words)
    assert code
    assert says in text
    assert text.count("\n") == 1
