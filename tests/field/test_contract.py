"""The Modbus driver keeps the driver contract: over each transport, with either client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scada.field.contract import DriverContract, Peer, Point
from scada.field.modbus import Modbus
from tags.model import Scaling
from tests.field.contract_peers import ModbusPeer, RtuOverTcpPeer, SerialPeer, TlsPeer
from tests.support.certificates import Authority, Pair


class ModbusContract(DriverContract):
    """What is the same on all transports."""

    driver = Modbus
    points = (
        Point("coil/7", "bool", (False, True), writable=True),
        Point("discrete/9", "bool", (True, False)),
        Point("input/3", "int16", (-5, 0x7FFF)),
        Point("input/10", "float32", (23.5, -0.25)),
        Point("input/200", "uint64", (2**63, 1), scan_ns=100_000_000),
        Point("holding/0", "int16", (1, -2), writable=True),
        Point("holding/1.3", "bool", (False, True), writable=True),
        Point("holding/2", "uint32", (70_000, 5), writable=True),
        Point("holding/4", "float64", (1e100, -3.0), writable=True),
        Point("holding/8x4", "string", ("Pump 1", "Pump 22"), writable=True),
        Point("holding/12", "float64", (0.0, 50.0), writable=True, scaling=Scaling(gain=0.5)),
    )
    absent = Point("holding/300", "int16", (0, 1))
    read_only = Point("holding/310", "int16", (0, 1), writable=True)
    heartbeat = "holding/320"
    bad_addresses = (
        ("holding/70000", "int16"),
        ("coil/0", "int16"),
        ("holding/3", "bool"),
        ("30001x", "int16"),
    )
    bad_configs = ({"endpoint": "http://plc"}, {"timeout": 500}, {"unit_id": 256}, {"max_registers": 0})
    misfits = (Point("holding/0", "int32", (0, 1)), Point("holding/1", "int32", (0, 1), writable=True))
    made: list[ModbusPeer]

    @pytest.fixture(autouse=True)
    def _made(self) -> Iterator[None]:
        self.made = []
        yield
        for one in self.made:
            one.close()

    def peer(self) -> Peer:
        one = self.make()
        self.made.append(one)
        return one

    def make(self) -> ModbusPeer:
        return ModbusPeer()


class TestTcp(ModbusContract):
    pass


@pytest.mark.slow
class TestTcpByPymodbus(ModbusContract):
    def make(self) -> ModbusPeer:
        return ModbusPeer(client="pymodbus")


@pytest.mark.slow
class TestRtuOverTcp(ModbusContract):
    def make(self) -> ModbusPeer:
        return RtuOverTcpPeer()


class TestSerial(ModbusContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def make(self) -> ModbusPeer:
        return SerialPeer(self.folder / f"tty{len(self.made)}")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pair, Pair]:
    """Certificates of a device and of a client."""
    authority = Authority(tmp_path_factory.mktemp("certs"))
    return authority.sign("device"), authority.sign("client", role="operator")


@pytest.mark.slow
class TestTls(ModbusContract):
    client = "native"

    @pytest.fixture(autouse=True)
    def _pairs(self, pairs: tuple[Pair, Pair]) -> None:
        self.pairs = pairs

    def make(self) -> ModbusPeer:
        return TlsPeer(*self.pairs, self.client)


@pytest.mark.slow
class TestTlsByPymodbus(TestTls):
    client = "pymodbus"
