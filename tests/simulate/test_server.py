"""The registers on a real socket, read by a real client; faults injected while it looks."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusIOException

from scada.clock import SimulatedClock
from scada.datadir import DataDir
from scada.simulate.inject import inject, socket_path
from scada.simulate.simulation import InjectSocket, SimulateError, Simulation
from tags.model import Device


def device(name: str, plays: str | None, port: int = 0) -> Device:
    return Device(
        name=name,
        driver="modbus",
        service="field",
        config={"endpoint": f"tcp://127.0.0.1:{port}", "unit_id": 1},
        simulate=plays,
    )


@pytest_asyncio.fixture
async def clock() -> SimulatedClock:
    return SimulatedClock()


@pytest_asyncio.fixture
async def simulation(clock: SimulatedClock) -> AsyncIterator[Simulation]:
    devices = [device("PLC1", "water"), device("PLC2", "air"), device("PLC3", "truck"), device("REAL", None)]
    simulation = Simulation(devices, clock)
    await simulation.start()
    yield simulation
    await simulation.close()


@pytest_asyncio.fixture
async def client(simulation: Simulation) -> AsyncIterator[AsyncModbusTcpClient]:
    async with client_of(simulation, "PLC1") as client:
        yield client


def client_of(simulation: Simulation, name: str) -> AsyncModbusTcpClient:
    port = simulation.servers[name].port
    return AsyncModbusTcpClient("127.0.0.1", port=port, timeout=0.3, retries=0, reconnect_delay=0)


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    data = DataDir(tmp_path / "data")
    data.create()
    return data


@pytest_asyncio.fixture
async def ask(simulation: Simulation, data: DataDir) -> AsyncIterator[Callable[..., object]]:
    faults = InjectSocket(socket_path(data), simulation)

    def ask(**message: object) -> object:
        return asyncio.to_thread(inject, data, message)

    yield ask
    faults.close()


async def test_all_tables_can_be_read_and_written(
    simulation: Simulation, client: AsyncModbusTcpClient
) -> None:
    registers = simulation.plants["PLC1"].registers
    inputs = await client.read_input_registers(0, count=10, device_id=1)
    assert inputs.registers == registers.inputs
    discretes = await client.read_discrete_inputs(1, count=9, device_id=1)
    assert discretes.bits[:9] == registers.discretes[1:]
    await client.write_register(0, 5000, device_id=1)
    await client.write_registers(1, [6000, 7000], device_id=1)
    assert registers.holding[:3] == [5000, 6000, 7000]
    await client.mask_write_register(address=0, and_mask=0xFF00, or_mask=0x0001, device_id=1)
    holding = await client.read_holding_registers(0, count=1, device_id=1)
    assert holding.registers == [5000 & 0xFF00 | 1]
    await client.write_coils(0, [True, False, True], device_id=1)
    coils = await client.read_coils(0, count=5, device_id=1)
    assert coils.bits[:5] == [True, False, True, False, False]


@pytest.mark.parametrize("kind", ["input", "holding", "coil", "discrete"])
async def test_an_absent_address_is_refused(client: AsyncModbusTcpClient, kind: str) -> None:
    read = {
        "input": client.read_input_registers,
        "holding": client.read_holding_registers,
        "coil": client.read_coils,
        "discrete": client.read_discrete_inputs,
    }[kind]
    assert (await read(95, count=10, device_id=1)).exception_code == 2
    assert (await client.write_register(101, 1, device_id=1)).exception_code == 2
    assert (await client.write_coil(5, True, device_id=1)).exception_code == 2


async def test_another_unit_is_not_there(client: AsyncModbusTcpClient) -> None:
    assert (await client.read_coils(0, count=1, device_id=2)).exception_code == 11


async def test_a_start_pulse_over_the_network_starts_a_pump(
    simulation: Simulation, client: AsyncModbusTcpClient, clock: SimulatedClock
) -> None:
    await client.write_coil(0, True, device_id=1)
    await client.write_coil(0, False, device_id=1)
    for _ in range(5):
        clock.advance(100_000_000)
        simulation.step()
    assert (await client.read_discrete_inputs(1, count=1, device_id=1)).bits[0]


async def test_unplug_drops_connections_and_plug_brings_the_same_port_back(
    simulation: Simulation, client: AsyncModbusTcpClient, ask: Callable[..., object]
) -> None:
    port = simulation.servers["PLC1"].port
    assert await ask(device="PLC1", do="unplug") == {"ok": True}  # type: ignore[misc]
    with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
        probe.connect(("127.0.0.1", port))
    assert await ask(device="PLC1", do="plug") == {"ok": True}  # type: ignore[misc]
    assert simulation.servers["PLC1"].port == port
    async with client_of(simulation, "PLC1") as again:
        assert not (await again.read_coils(0, count=1, device_id=1)).isError()


async def test_frozen_it_takes_requests_and_never_answers(
    simulation: Simulation, client: AsyncModbusTcpClient, ask: Callable[..., object]
) -> None:
    await ask(device="PLC1", do="freeze")  # type: ignore[misc]
    async with client_of(simulation, "PLC1") as other:
        with pytest.raises(ModbusIOException):
            await other.read_coils(0, count=1, device_id=1)
    await ask(device="PLC1", do="thaw")  # type: ignore[misc]
    assert not (await client.read_coils(0, count=1, device_id=1)).isError()


async def test_a_power_cycle_takes_it_off_the_network_for_a_while(
    simulation: Simulation, ask: Callable[..., object]
) -> None:
    simulation.plants["PLC1"].registers.holding[1] = 5
    await ask(device="PLC1", do="power_cycle")  # type: ignore[misc]
    assert not simulation.servers["PLC1"].plugged
    assert simulation.plants["PLC1"].registers.holding[1] == 0
    await ask(device="PLC1", do="plug")  # type: ignore[misc]
    assert simulation.servers["PLC1"].plugged


async def test_the_panel_is_turned(simulation: Simulation, ask: Callable[..., object]) -> None:
    settings = {"TIC-201.panel": 22.5, "TV-201.hand": 40, "TV-201.local": True}
    assert await ask(device="PLC2", set=settings) == {"ok": True}  # type: ignore[misc]
    assert simulation.plants["PLC2"].registers.holding[30] == 225


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ({"device": "PLC9", "do": "unplug"}, "no simulated device 'PLC9'; there are PLC1, PLC2, PLC3"),
        ({"device": "REAL", "do": "unplug"}, "no simulated device 'REAL'"),
        ({"device": "PLC1", "do": "explode"}, "is not one of unplug, plug"),
        ({"device": "PLC1", "set": {"LV-101.lcal": True}}, "did you mean LV-101.local?"),
        ({"device": "PLC1", "set": {"LV-101.local": 1}}, "is not true or false"),
        ({"device": "PLC1", "set": {"LV-101.hand": "much"}}, "is not a number"),
        ({"device": "PLC1", "set": {"LV-101.hand": True}}, "is not a number"),
        ({"device": "PLC1", "set": 3}, "set must be an object"),
        ({"device": "PLC1"}, "is not one of"),
    ],
)
async def test_a_wrong_message_is_answered_with_what_is_wrong(
    ask: Callable[..., object], message: dict[str, object], says: str
) -> None:
    answer = await ask(**message)  # type: ignore[misc]
    assert says in answer["error"]


async def test_half_of_a_wrong_message_is_not_done(
    simulation: Simulation, ask: Callable[..., object]
) -> None:
    await ask(device="PLC1", set={"LV-101.local": True, "nothing": 1})  # type: ignore[misc]
    simulation.plants["PLC1"].step(0.1)
    assert simulation.plants["PLC1"].registers.discretes[0]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b"3"])
async def test_rubbish_is_answered_too(simulation: Simulation, data: bytes) -> None:
    assert "error" in await simulation.handle(data)


def test_injecting_into_nothing_says_so(data: DataDir) -> None:
    assert "no simulators are running" in str(inject(data, {"device": "PLC1", "do": "plug"})["error"])


async def test_a_port_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        simulation = Simulation([device("PLC1", "water", taken.getsockname()[1])], SimulatedClock())
        with pytest.raises(SimulateError, match=r"PLC1: 127\.0\.0\.1:\d+ cannot be listened on"):
            await simulation.start()
        await simulation.close()


@pytest.mark.parametrize(
    ("endpoint", "plays", "says"),
    [
        ("tcp://0.0.0.0:5020", "water", "this machine only"),
        ("tcp://127.0.0.1:5020", "steam", "no simulator 'steam'"),
    ],
)
def test_a_simulated_device_is_on_this_machine_and_known(endpoint: str, plays: str, says: str) -> None:
    odd = Device(name="PLC1", driver="modbus", service="field", config={"endpoint": endpoint}, simulate=plays)
    with pytest.raises(SimulateError, match=says):
        Simulation([odd], SimulatedClock())


async def test_a_paused_machine_does_not_make_the_plants_race(
    simulation: Simulation, clock: SimulatedClock
) -> None:
    plant = simulation.plants["PLC3"]
    before = list(plant.registers.inputs)
    clock.advance(3600 * 10**9)
    simulation.step()
    assert abs(plant.registers.inputs[0] - before[0]) < 5
