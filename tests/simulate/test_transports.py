"""Simulated devices on every transport, asked by pymodbus: units behind one endpoint, faults, roles, serial lines."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pymodbus import FramerType
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient, AsyncModbusTlsClient
from pymodbus.exceptions import ModbusIOException

from scada.clock import SimulatedClock
from scada.modbus import rtu, tls
from scada.simulate.connection import WAITING_MOST, Later, Requests
from scada.simulate.server import CONNECTIONS_MOST
from scada.simulate.simulation import SimulateError, Simulation
from tags.model import Device
from tests.support.certificates import Authority
from tests.support.wait import wait_for

TRANSPORTS = ("tcp", "tls", "rtu+tcp", "rtu")
TIMEOUT_S = 0.4
FAST = {"baud": 115200}


class House:
    """Devices of one endpoint, and clients for it."""

    def __init__(self, scheme: str, folder: Path) -> None:
        self.scheme, self.folder = scheme, folder
        self.path = folder / "line"
        self.endpoint = f"rtu://{self.path}" if scheme == "rtu" else f"{scheme}://127.0.0.1:0"
        self.simulation: Simulation
        self.settings: dict[str, Any] = {}
        if scheme == "tls":
            authority = Authority(folder)
            self.operator = authority.sign("operator", role="operator").tls
            self.viewer = authority.sign("viewer", role="viewer").tls
            self.nobody = authority.sign("nobody").tls
            self.settings = {"tls": authority.sign("plc").tls.model_dump()}
            self.settings["tls"]["roles"] = {"operator": "write", "viewer": "read"}

    def device(self, name: str, unit: int, **more: Any) -> Device:
        return Device(
            name=name,
            driver="modbus",
            service="field",
            config={"endpoint": self.endpoint, "unit_id": unit, "serial": FAST, **more},
            simulate="memory",
            simulation=self.settings,
        )

    @asynccontextmanager
    async def play(self, *devices: Device) -> AsyncIterator[Simulation]:
        self.simulation = Simulation(devices, SimulatedClock())
        await self.simulation.start()
        try:
            yield self.simulation
        finally:
            await self.simulation.close()

    def client(self, name: str = "PLC1", who: tls.Tls | None = None) -> Any:
        """A pymodbus client."""
        usual: dict[str, Any] = {"timeout": TIMEOUT_S, "retries": 0, "reconnect_delay": 0}
        if self.scheme == "rtu":
            return AsyncModbusSerialClient(str(self.path), baudrate=115200, parity="N", **usual)
        port = self.simulation.servers[name].port
        if self.scheme == "tls":
            return AsyncModbusTlsClient(
                "127.0.0.1", port=port, sslctx=tls.client_context(who or self.operator), **usual
            )
        framer = FramerType.RTU if self.scheme == "rtu+tcp" else FramerType.SOCKET
        return AsyncModbusTcpClient("127.0.0.1", port=port, framer=framer, **usual)


@pytest.fixture(params=TRANSPORTS)
def house(request: pytest.FixtureRequest, tmp_path: Path) -> House:
    return House(request.param, tmp_path)


@asynccontextmanager
async def connected(client: Any) -> AsyncIterator[Any]:
    assert await client.connect()
    try:
        yield client
    finally:
        client.close()


async def test_every_transport_reads_and_writes(house: House) -> None:
    async with house.play(house.device("PLC1", 5)) as simulation, connected(house.client()) as client:
        await client.write_registers(10, [1, 2, 3], device_id=5)
        assert simulation.plants["PLC1"].registers.holding[10:13] == [1, 2, 3]
        assert (await client.read_holding_registers(10, count=3, device_id=5)).registers == [1, 2, 3]
        await client.write_coil(3, True, device_id=5)
        assert (await client.read_coils(0, count=9, device_id=5)).bits[:9] == [False] * 3 + [True] + [
            False
        ] * 5
        assert len((await client.read_input_registers(0, count=125, device_id=5)).registers) == 125
        assert (await client.read_input_registers(990, count=20, device_id=5)).exception_code == 2
        told = await client.read_device_information(read_code=1, object_id=0, device_id=5)
        assert told.information[0] == b"Closedloop"


async def test_units_behind_one_endpoint_are_devices_of_their_own(tmp_path: Path) -> None:
    for scheme in ("tcp", "rtu+tcp", "rtu"):
        house = House(scheme, tmp_path)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        if scheme != "rtu":
            house.endpoint = f"{scheme}://127.0.0.1:{port}"
        devices = [house.device(f"PLC{unit}", unit) for unit in (1, 2, 9)]
        async with house.play(*devices) as simulation, connected(house.client()) as client:
            for unit in (1, 2, 9):
                await client.write_register(0, 100 + unit, device_id=unit)
            assert [simulation.plants[f"PLC{unit}"].registers.holding[0] for unit in (1, 2, 9)] == [
                101,
                102,
                109,
            ]
            await simulation.handle(b'{"device": "PLC2", "do": "unplug"}')
            if scheme == "tcp":
                assert (await client.read_coils(0, count=1, device_id=2)).exception_code == 11
                assert (await client.read_coils(0, count=1, device_id=3)).exception_code == 11
            else:
                with pytest.raises(ModbusIOException):
                    await client.read_coils(0, count=1, device_id=2)
            assert not (await client.read_coils(0, count=1, device_id=9)).isError()
            assert there(simulation, "PLC2")
            for name in ("PLC1", "PLC9"):
                await simulation.handle(b'{"device": "%s", "do": "unplug"}' % name.encode())
            assert not there(simulation, "PLC2"), "the last one takes the endpoint with it"
            await simulation.handle(b'{"device": "PLC9", "do": "plug"}')
            assert there(simulation, "PLC2")


def there(simulation: Simulation, name: str) -> bool:
    return simulation.servers[name].plugged


def test_two_devices_with_one_unit_are_refused(tmp_path: Path) -> None:
    house = House("rtu", tmp_path)
    with pytest.raises(SimulateError, match="PLC1, PLC2: two devices have the same unit_id"):
        Simulation([house.device("PLC1", 1), house.device("PLC2", 1)], SimulatedClock())


# -- faults ------------------------------------------------------------------------------------------------------


async def do(simulation: Simulation, **message: object) -> dict[str, object]:
    import orjson

    return await simulation.handle(orjson.dumps({"device": "PLC1", **message}))


async def test_faults_reach_every_transport_and_clear_ends_them(house: House) -> None:
    async with house.play(house.device("PLC1", 1)) as simulation:
        registers = simulation.plants["PLC1"].registers

        async def write(value: int) -> Any:
            async with connected(house.client()) as client:
                return await client.write_register(0, value, device_id=1)

        assert await do(simulation, do="exception", amount=6) == {"ok": True}
        assert (await write(1)).exception_code == 6
        assert registers.holding[0] == 0, "refused, so not carried out"
        await do(simulation, do="clear")
        assert not (await write(2)).isError()
        for kind in ("drop", "garbage", "freeze"):
            await do(simulation, do=kind)
            with pytest.raises(ModbusIOException):
                await write(3)
            assert registers.holding[0] == (2 if kind == "freeze" else 3), "carried out, but for a frozen one"
            await do(simulation, do="clear")
            registers.holding[0] = 2
        if house.scheme.startswith("rtu"):
            answer = await do(simulation, do="wrong_transaction")
            assert "RTU carries no transaction id" in str(answer["error"])
        else:
            await do(simulation, do="wrong_transaction")
            with pytest.raises(ModbusIOException):
                await write(4)
            await do(simulation, do="clear")
        loop = asyncio.get_running_loop()
        await do(simulation, do="delay", amount=0.15)
        before = loop.time()
        assert not (await write(5)).isError()
        assert loop.time() - before >= 0.15
        await do(simulation, do="clear")


async def test_a_flapping_device_comes_and_goes_until_it_is_cleared(tmp_path: Path) -> None:
    house = House("tcp", tmp_path)
    async with house.play(house.device("PLC1", 1)) as simulation:
        server = simulation.servers["PLC1"]
        port = server.port
        seen: list[bool] = []

        def changed() -> bool:
            if not seen or seen[-1] != server.plugged:
                seen.append(server.plugged)
            return len(seen) >= 5

        assert await do(simulation, do="flap", amount=0.05) == {"ok": True}
        await asyncio.to_thread(wait_for, changed, what="two times off and on")
        await do(simulation, do="clear")
        assert server.plugged
        assert server.port == port
        assert not simulation._timers


async def test_nothing_comes_back_after_the_end(tmp_path: Path) -> None:
    house = House("tcp", tmp_path)
    async with house.play(house.device("PLC1", 1), house.device("PLC2", 2)) as simulation:
        for name in (b"PLC1", b"PLC2"):
            await simulation.handle(b'{"device": "%s", "do": "flap", "amount": 0.001}' % name)
        await asyncio.to_thread(wait_for, lambda: not there(simulation, "PLC1"), what="PLC1 off the network")
    assert not there(simulation, "PLC1")
    assert not there(simulation, "PLC2")
    assert all(
        timer.cancelled() or timer.when() <= asyncio.get_running_loop().time()
        for timer in simulation._timers.values()
    )


# -- roles -------------------------------------------------------------------------------------------------------


async def test_the_role_in_the_certificate_says_what_a_client_may_do(tmp_path: Path) -> None:
    house = House("tls", tmp_path)
    async with house.play(house.device("PLC1", 1)) as simulation:
        async with connected(house.client(who=house.viewer)) as viewer:
            assert not (await viewer.read_holding_registers(0, count=1, device_id=1)).isError()
            assert (await viewer.write_register(0, 7, device_id=1)).exception_code == 1
            assert (await viewer.mask_write_register(address=0, device_id=1)).exception_code == 1
        async with connected(house.client(who=house.nobody)) as nobody:
            assert (await nobody.read_holding_registers(0, count=1, device_id=1)).exception_code == 1
        assert simulation.plants["PLC1"].registers.holding[0] == 0
        async with connected(house.client()) as operator:
            assert not (await operator.write_register(0, 7, device_id=1)).isError()
        assert simulation.plants["PLC1"].registers.holding[0] == 7
        stranger = Authority(tmp_path, "stranger").sign("client", role="operator")
        foreign = tls.Tls(ca=house.operator.ca, certificate=str(stranger.certificate), key=str(stranger.key))
        client = house.client(who=foreign)
        if await client.connect():  # TLS 1.3: the refusal comes behind the handshake
            with pytest.raises(ModbusIOException):
                await client.read_coils(0, count=1, device_id=1)
        client.close()


def test_a_tls_endpoint_needs_certificates_of_the_device(tmp_path: Path) -> None:
    house = House("tls", tmp_path)
    house.settings = {}
    with pytest.raises(SimulateError, match=r"PLC1: a tls:// endpoint needs certificates .* Write simulate:"):
        Simulation([house.device("PLC1", 1)], SimulatedClock())


# -- serial lines ------------------------------------------------------------------------------------------------


async def test_a_line_is_a_link_that_comes_and_goes(tmp_path: Path) -> None:
    house = House("rtu", tmp_path)
    house.path.symlink_to("/dev/pts/999999")  # left behind by one that was killed
    async with house.play(house.device("PLC1", 1)) as simulation:
        assert str(house.path.readlink()) != "/dev/pts/999999"
        await do(simulation, do="unplug")
        assert not house.path.is_symlink()
        await do(simulation, do="plug")
        async with connected(house.client()) as client:
            assert not (await client.read_coils(0, count=1, device_id=1)).isError()
    assert not house.path.is_symlink()


async def test_a_line_without_a_folder_or_on_a_file_is_one_clear_error(tmp_path: Path) -> None:
    house = House("rtu", tmp_path)
    house.endpoint = f"rtu://{tmp_path}/nowhere/line"
    with pytest.raises(SimulateError, match=r"PLC1: .*/nowhere/line cannot be made .*Correct the path"):
        async with house.play(house.device("PLC1", 1)):
            pass
    (tmp_path / "file").write_text("mine")
    house.endpoint = f"rtu://{tmp_path}/file"
    with pytest.raises(SimulateError, match="PLC1: "):
        async with house.play(house.device("PLC1", 1)):
            pass
    assert (tmp_path / "file").read_text() == "mine"


async def test_a_broadcast_is_carried_out_by_all_and_answered_by_none(tmp_path: Path) -> None:
    house = House("rtu", tmp_path)
    async with house.play(house.device("PLC1", 1), house.device("PLC2", 2)) as simulation:
        line = os.open(house.path, os.O_RDWR | os.O_NOCTTY)
        try:
            os.write(line, rtu.frame(0, 6, struct.pack(">HH", 4, 77)))
            os.write(line, rtu.frame(2, 3, struct.pack(">HH", 4, 1)))
            expected = rtu.frame(2, 3, struct.pack(">BH", 2, 77))
            got = await asyncio.wait_for(asyncio.to_thread(os.read, line, 100), 5)
            assert expected.startswith(got)
        finally:
            os.close(line)
        assert [plant.registers.holding[4] for plant in simulation.plants.values()] == [77, 77]


def exists(name: str) -> bool:
    return Path(name).exists()


async def test_a_port_that_is_there_is_opened_as_the_site_says(tmp_path: Path) -> None:
    master, slave = os.openpty()  # stands for an adapter: a name that is no link of ours
    house = House("rtu", tmp_path)
    house.endpoint = f"rtu://{os.ttyname(slave)}"
    device = house.device("PLC1", 1, serial={"baud": 38400, "parity": "none", "data_bits": 8, "stop_bits": 2})
    try:
        async with house.play(device) as simulation:
            simulation.plants["PLC1"].registers.holding[0] = 7
            speed, flags = termios.tcgetattr(slave)[4], termios.tcgetattr(slave)[2]
            assert speed == termios.B38400
            assert flags & termios.CSTOPB
            os.write(master, rtu.frame(1, 3, b"\0\0\0\1"))
            whole = rtu.frame(1, 3, b"\2\0\7")
            got = b""
            while len(got) < len(whole):
                got += await asyncio.wait_for(asyncio.to_thread(os.read, master, 100), 5)
            assert got == whole
            await do(simulation, do="unplug")
            assert not there(simulation, "PLC1")
            await do(simulation, do="plug")
            assert there(simulation, "PLC1")
        assert exists(os.ttyname(slave)), "it is not ours to take away"
    finally:
        os.close(master)
        os.close(slave)


async def test_faults_asked_for_at_once_end_in_the_last_one(tmp_path: Path) -> None:
    house = House("tcp", tmp_path)
    async with house.play(house.device("PLC1", 1)) as simulation:
        port = simulation.servers["PLC1"].port
        for last in ("plug", "unplug", "plug"):
            await asyncio.gather(
                *(do(simulation, do=what) for what in ("unplug", "plug", "unplug", "plug", last))
            )
            assert there(simulation, "PLC1") == (last == "plug")
        assert simulation.servers["PLC1"].port == port


def test_noise_is_forgotten_and_requests_may_come_in_pieces() -> None:
    requests = Requests()
    one, two = rtu.frame(1, 3, b"\0\0\0\1"), rtu.frame(2, 16, b"\0\0\0\2\4\1\2\3\4")
    assert [found for byte in one + two for found in requests.feed(bytes((byte,)))] == [
        (1, one[1:-2]),
        (2, two[1:-2]),
    ]
    assert requests.feed(one[:-1] + b"\0" + two) == [], "a wrong check sum takes what came with it"
    assert requests.feed(one[:5]) == []
    assert requests.pending, "and what comes then is looked at anew"
    requests.forget()
    assert requests.feed(one) == [(1, one[1:-2])]
    assert requests.feed(b"\1\x63\0\0" + one) == []


async def test_replies_leave_in_order_and_not_before_their_time() -> None:
    sent: list[tuple[bytes, float]] = []
    loop = asyncio.get_running_loop()
    start = loop.time()
    later = Later(lambda data: sent.append((data, loop.time() - start)))
    for data, delay_s in ((b"1", 0.0), (b"2", 0.03), (b"3", 0.0), (b"4", 0.01)):
        later.put(data, delay_s)
    assert [data for data, _ in sent] == [b"1"]
    await asyncio.to_thread(wait_for, lambda: len(sent) == 4, what="all replies")
    assert [data for data, _ in sent] == [b"1", b"2", b"3", b"4"]
    assert sent[1][1] >= 0.03
    later.put(b"5", 0.01)
    later.close()
    assert (later.waiting, later._timer, len(sent)) == (0, None, 4)


# -- limits ------------------------------------------------------------------------------------------------------


async def test_connections_and_waiting_replies_are_limited(tmp_path: Path) -> None:
    house = House("tcp", tmp_path)
    async with house.play(house.device("PLC1", 1)) as simulation:
        port = simulation.servers["PLC1"].port
        pairs = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS_MOST)]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(1), 5) == b"", "one too many"
        writer.close()
        await do(simulation, do="delay", amount=0.1)
        reader, writer = pairs[0]
        request = struct.pack(">HHHBBHH", 1, 0, 6, 1, 3, 0, 1)
        writer.write(request * (2 * WAITING_MOST))
        assert len(await asyncio.wait_for(reader.readexactly(11 * WAITING_MOST), 5)) == 11 * WAITING_MOST
        await do(simulation, do="clear")
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await asyncio.wait_for(reader.read(1000), 5) == b"", "what is no Modbus ends the connection"
        for _, writer in pairs:
            writer.close()
