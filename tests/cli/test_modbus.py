"""`scada modbus` against devices on real sockets: what a person sees, and what arrives in the device."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.pdu.device import ModbusDeviceIdentification
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
from typer.testing import CliRunner

from scada import arming
from scada.cli import modbus_line, modbus_options
from scada.cli.modbus import app
from scada.cli.modbus_line import parse_objects
from scada.modbus import dump
from tags.model import Device
from tests.client.plant import Plant
from tests.field.contract_peers import ModbusPeer, RtuOverTcpPeer, TlsPeer
from tests.support.certificates import Authority
from tests.support.ports import free_ports
from tests.support.site import make_site
from tests.support.wait import wait_for

SITE = """
site: bench
timezone: Europe/Madrid
devices: {{PLC1: {{driver: modbus, endpoint: "{endpoint}", timeout: 200 ms, order: CDAB, forbidden: [holding/50-60]}}}}
tags:
  a/TT-1: {{device: PLC1, address: holding/0, type: float32, unit: degC, range: [0, 100]}}
  a/TT-2: {{device: PLC1, address: holding/300, type: int16}}
  a/RUN: {{device: PLC1, address: coil/2, type: bool}}
"""


@pytest.fixture
def peer() -> Iterator[ModbusPeer]:
    yield from _started(ModbusPeer())


@pytest.fixture
def rtu_peer() -> Iterator[ModbusPeer]:
    yield from _started(RtuOverTcpPeer())


def _started(one: ModbusPeer) -> Iterator[ModbusPeer]:
    asyncio.run(one.start())
    one.memory.tables["holding"][0:4] = [*struct.unpack(">HH", struct.pack(">f", 23.5)), 0x4F4B, 0xFFFE]
    one.memory.tables["coil"][0:4] = [1, 0, 1, 1]
    yield one
    asyncio.run(one.stop())
    one.close()


@pytest.fixture(autouse=True)
def _no_plants(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.delenv("SCADA_DATA", raising=False)


def scada(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.stdout, result.stderr


def test_read_shows_words_in_every_order(peer: ModbusPeer) -> None:
    code, text, _ = scada("read", peer.endpoint(), "holding/0-3", "coil/0-3", "--as", "all")
    assert code == 0
    rows = [line.split("\t") for line in text.splitlines()]
    assert ["coil/2", "00003", "1"] in rows
    assert ["holding/2", "40003", "0x4F4B", "20299", "20299", "0100 1111 0100 1011", "OK"] in rows
    at = rows.index(["address", "float32 ABCD", "float32 CDAB", "float32 BADC", "float32 DCBA"])
    assert rows[at + 1][:2] == ["holding/0", "23.5"]
    assert {"float64 DCBA", "bcd32 BADC", "uint64 CDAB"} <= {cell for row in rows for cell in row}


def test_read_as_json_holds_all_meanings(peer: ModbusPeer) -> None:
    code, text, _ = scada("read", peer.endpoint(), "holding/0-3", "--json")
    first, *_, last = orjson.loads(text)
    assert code == 0
    assert (first["address"], first["number"], first["value"]) == ("holding/0", "40001", 0x41BC)
    assert first["as"]["float32"]["ABCD"] == 23.5
    assert set(last["as"]) == {"int16", "uint16", "bcd16"}


def test_holes_are_narrowed_down_and_named(peer: ModbusPeer) -> None:
    code, text, _ = scada("read", peer.endpoint(), "holding/290-309", "--as", "words", "--fine")
    assert code == 0
    assert "holding/300\t40301\texception 2: illegal data address" in text.splitlines()
    assert len(text.splitlines()) == 21
    code, text, _ = scada("read", peer.endpoint(), "holding/395-420", "--as", "words", "--fine")
    assert text.splitlines()[-1] == "holding/400-420\t40401\texception 2: illegal data address"
    peer.memory.reads = 0
    code, text, _ = scada("read", peer.endpoint(), "holding/400-524")
    assert (code, peer.memory.reads) == (1, 4)  # a large hole is not looked at address by address


def test_scan_finds_units_and_says_when_all_answer(peer: ModbusPeer) -> None:
    code, text, said = scada("scan", peer.endpoint(), "--units", "1,5-6")
    assert code == 0
    assert [line.split("\t")[0] for line in text.splitlines()] == ["unit", "1", "5", "6"]
    assert "holding input coil discrete" in text
    assert "does not look at the unit identifier" in said
    code, text, _ = scada("scan", peer.endpoint(), "--units", "1", "--json")
    assert orjson.loads(text)[0]["identity"]


def test_scan_of_silence(peer: ModbusPeer) -> None:
    asyncio.run(peer.mute(True))
    code, _, said = scada("scan", peer.endpoint(), "--units", "1-2", "--timeout", "50ms")
    asyncio.run(peer.mute(False))
    assert code == 1
    assert "none of 2 units answered within 50ms" in said


def test_a_scan_that_loses_the_endpoint_tells_what_it_found(
    peer: ModbusPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modbus_line, "_PAUSE_S", 0.0)
    read = peer.memory.async_getValues

    async def once(device_id: int, func_code: int, address: int, count: int = 1) -> object:
        if device_id == 2:
            asyncio.get_running_loop().call_soon(peer._server.close)
        return await read(device_id, func_code, address, count)

    monkeypatch.setattr(peer.memory, "async_getValues", once)
    code, text, said = scada("scan", peer.endpoint(), "--units", "1-5", "--timeout", "100ms")
    assert code == 0
    assert text.splitlines()[1].startswith("1\t")
    assert re.search(r"No connection any more at unit [23]: the rest was not tried", said)


def test_write_asks_writes_and_reads_back(peer: ModbusPeer) -> None:
    where = (peer.endpoint(), "holding/10")
    code, text, said = scada("write", *where, "23.25", "--type", "float32", "--order", "CDAB")
    assert (code, peer.memory.writes) == (1, [])
    assert "holding/10 holds 0.0 (float32)" in text
    assert "Nothing was written" in said
    code, text, _ = scada("write", *where, "23.25", "--type", "float32", "--order", "CDAB", "--yes")
    assert code == 0
    assert "was 0.0 (float32), is 23.25 (float32)" in text
    assert peer.memory.writes == [(16, 10, list(reversed(struct.unpack(">HH", struct.pack(">f", 23.25)))))]


@pytest.mark.parametrize(
    ("arguments", "wrote"),
    [
        (["holding/10", "-5"], (6, 10, [0xFFFB])),
        (["40011", "0x10"], (6, 10, [16])),
        (["holding/10", "7", "--multiple"], (16, 10, [7])),
        (["coil/1", "on"], (5, 1, [1])),
        (["coil/0", "off", "--multiple"], (15, 0, [0])),
    ],
)
def test_what_a_write_sends(
    peer: ModbusPeer, arguments: list[str], wrote: tuple[int, int, list[int]]
) -> None:
    code, _, said = scada("write", peer.endpoint(), *arguments, "--yes")
    assert (code, said, peer.memory.writes) == (0, "", [wrote])


def test_a_bit_of_a_register_is_written_alone(peer: ModbusPeer) -> None:
    peer.memory.tables["holding"][10] = 0x00F0
    assert scada("write", peer.endpoint(), "holding/10.0", "on", "--yes")[0] == 0
    assert scada("write", peer.endpoint(), "holding/10.4", "off", "--yes")[0] == 0
    assert peer.memory.tables["holding"][10] == 0x00E1


def test_a_refused_write_and_one_that_does_not_stay(peer: ModbusPeer) -> None:
    code, _, said = scada("write", peer.endpoint(), "holding/310", "1", "--yes")
    assert code == 3
    assert "refused, exception 2: illegal data address. It holds 0 (uint16)" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["holding/0", "1.5"], "Give --type"),
        (["holding/0", "70000"], "Give --type"),
        (["holding/0", "70000", "--type", "int16"], "does not fit"),
        (["holding/0", "warm"], "no number"),
        (["holding/0x2", "1"], "hexadecimal"),
        (["holding/0-1", "1"], "one value at a time"),
        (["input/0", "1"], "can only be read"),
        (["coil/0", "2"], "on or off"),
        (["holding/0.16", "on"], "bits 0 … 15"),
        (["holding/0", "1", "--type", "int8"], "there are int16"),
        (["holding/0", "1", "--order", "ACBD"], "there are ABCD"),
    ],
)
def test_what_cannot_be_written_is_said_before_anything_is_asked(arguments: list[str], says: str) -> None:
    code, _, said = scada("write", "tcp://127.0.0.1:1", *arguments, "--yes")
    assert code == 2
    assert says in said


def test_an_armed_device_of_a_running_plant_is_not_written_to(peer: ModbusPeer, tmp_path: Path) -> None:
    config = {"endpoint": f"tcp://localhost:{peer.port}", "unit_id": 1}
    device = Device(name="PLC1", driver="modbus", service="field", config=config)
    folder = tmp_path / "share" / "closedloop" / "small"
    plant = Plant(folder, dataclasses.replace(make_site(), devices=(device,)))
    try:
        write = ("write", peer.endpoint(), "holding/10")
        assert scada(*write, "1", "--yes")[0] == 0
        arming.arm(plant.data.armed, device, reason="test", user="test", utc_ns=1)
        code, _, said = scada(*write, "2", "--yes")
        assert (code, peer.memory.writes) == (3, [(6, 10, [1])])
        assert "PLC1 of small is armed" in said
        assert scada(*write, "3", "--yes", "--unit", "2")[0] == 0  # another device behind the same endpoint
        arming.disarm(plant.data.armed, "PLC1", reason="test", user="test", utc_ns=2)
        assert scada(*write, "4", "--yes")[0] == 0
    finally:
        plant.close()
        shutil.rmtree(plant.data.run.resolve(), ignore_errors=True)


def test_identification_is_read_object_by_object() -> None:
    class Named(ModbusPeer):
        def make(self) -> ModbusTcpServer:
            names = {
                "VendorName": "ACME",
                "ProductCode": "FM-200",
                "MajorMinorRevision": "V2.1",
                "ProductName": "Flow meter " * 15,
            }
            identity = ModbusDeviceIdentification(info_name=names)  # type: ignore[no-untyped-call]
            device = SimDevice(1, [SimData(0, datatype=DataType.UINT16)])
            return ModbusTcpServer(device, identity=identity, address=("127.0.0.1", self.port))

    for one in _started(Named()):
        code, text, _ = scada("scan", one.endpoint(), "--units", "1")
        assert code == 0
        row = text.splitlines()[1].split("\t")
        assert row[2:5] == ["ACME", "FM-200", "V2.1"]
        assert "Flow meter Flow meter" in row[5]


@given(st.binary(max_size=60))
def test_any_identification_is_read_without_harm(data: bytes) -> None:
    more, start, objects = parse_objects(data)
    assert 0 <= start <= 255
    assert len(objects) <= 30
    assert not more or objects


@pytest.mark.slow
def test_what_was_recorded_is_played_on_each_transport(peer: ModbusPeer, tmp_path: Path) -> None:
    file, first = tmp_path / "plc.dump", free_ports(2)
    ranges = ("holding/0-399", "coil/0-3")
    assert scada("dump", peer.endpoint(), *ranges, "-o", str(file))[0] == 0
    ends = {
        "P1": f"tcp://127.0.0.1:{first}",
        "P2": f"rtu+tcp://127.0.0.1:{first + 1}",
        "P3": f"rtu://{tmp_path}/tty",
    }
    devices = "".join(
        f'  {name}: {{driver: modbus, endpoint: "{end}", timeout: 500 ms, simulate: {{dump: plc.dump}}}}\n'
        for name, end in ends.items()
    )
    (tmp_path / "site.yaml").write_text(f"site: bench\ntimezone: UTC\ndevices:\n{devices}")
    simulate = [
        str(Path(sys.executable).with_name("scada")),
        "simulate",
        str(tmp_path),
        "--data",
        str(tmp_path / "sim"),
    ]
    playing = subprocess.Popen(simulate, stdout=subprocess.PIPE)
    try:
        assert playing.stdout is not None
        for _ in ends:
            assert b"listens" in playing.stdout.readline()
        before = dump.parse(file.read_text())
        for name, end in ends.items():
            code, text, said = scada("dump", name, "--site", str(tmp_path), *ranges)
            assert code == 0, said
            after = dump.parse(text)
            assert after.header.endpoint == end
            assert [dataclasses.replace(r, t_s=0.0) for r in after.ranges] == [
                dataclasses.replace(r, t_s=0.0) for r in before.ranges
            ]
    finally:
        playing.send_signal(signal.SIGINT)
        assert playing.wait(10) == 0
        if playing.stdout is not None:
            playing.stdout.close()


def test_a_dump_holds_what_the_device_held(peer: ModbusPeer, tmp_path: Path) -> None:
    file = tmp_path / "plc1.dump"
    code, text, _ = scada("dump", peer.endpoint(), "holding/290-309", "coil/0-3", "-o", str(file), "--fine")
    assert code == 0
    assert "4 ranges" in text
    found = dump.parse(file.read_text())
    assert [(r.table, r.address, r.count, r.exception) for r in found.ranges] == [
        ("holding", 290, 10, None),
        ("holding", 300, 1, 2),
        ("holding", 301, 9, None),
        ("coil", 0, 4, None),
    ]
    assert found.ranges[-1].values == (1, 0, 1, 1)
    assert (found.header.endpoint, found.header.unit) == (peer.endpoint(), 1)
    assert found.header.identification  # pymodbus keeps one for all servers of a process


def test_a_recording_holds_each_change_once(peer: ModbusPeer) -> None:
    code, text, _ = scada("dump", peer.endpoint(), "holding/0-3", "--every", "20ms", "--for", "100ms")
    assert code == 0
    found = dump.parse(text)
    assert (len(found.ranges), found.header.every_s) == (2, 0.02)  # at first, and at the end for its length
    assert found.ranges[0].values == found.ranges[1].values
    assert found.length_s > 0.07


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_recording_that_is_ended_by_hand_is_kept(
    peer: ModbusPeer, tmp_path: Path, number: signal.Signals
) -> None:
    file = tmp_path / "long.dump"
    scada_ = str(Path(sys.executable).with_name("scada"))
    long = [
        scada_,
        "modbus",
        "dump",
        peer.endpoint(),
        "holding/0-3",
        "--every",
        "20ms",
        "--for",
        "1h",
        "-o",
        str(file),
    ]
    recording = subprocess.Popen(long, stdout=subprocess.PIPE)
    wait_for(lambda: peer.memory.reads > 5, 20, "it records")
    recording.send_signal(number)
    said, _ = recording.communicate(timeout=10)
    assert recording.returncode == 0
    assert b"1 ranges" in said
    assert len(dump.parse(file.read_text()).ranges) == 1
    assert list(tmp_path.glob("*.new")) == []


def test_a_device_of_a_site_is_asked_as_the_site_says(peer: ModbusPeer, tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(SITE.format(endpoint=peer.endpoint()))
    site = ("--site", str(tmp_path))
    code, text, _ = scada("dump", "PLC1", *site)
    assert code == 0
    found = dump.parse(text)
    assert found.header.device == "PLC1"
    assert {(r.table, r.address) for r in found.ranges} >= {("coil", 2), ("holding", 0), ("holding", 300)}
    assert scada("write", "PLC1", "holding/10", "23.25", "--type", "float32", "--yes", *site)[0] == 0
    assert peer.memory.writes[0][2] == list(reversed(struct.unpack(">HH", struct.pack(">f", 23.25))))
    assert (
        "There is no Modbus device PLC2 in bench. Devices: PLC1" in scada("read", "PLC2", "coil/0", *site)[2]
    )
    assert "Leave --baud out" in scada("read", "PLC1", "coil/0", *site, "--baud", "9600")[2]


def test_rtu_over_tcp(rtu_peer: ModbusPeer) -> None:
    code, text, _ = scada("read", rtu_peer.endpoint(), "holding/0-3", "--as", "float32", "--timeout", "300ms")
    assert code == 0
    assert "holding/0\t23.5" in text


def test_tls_with_the_files_of_the_command_line(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    device, client = authority.sign("device"), authority.sign("client", role="operator")
    files = ("--ca", str(client.ca), "--certificate", str(client.certificate), "--key", str(client.key))
    for one in _started(TlsPeer(device, client)):
        code, text, said = scada("read", one.endpoint(), "holding/0-1", "--as", "float32", *files)
        assert (code, said) == (0, "")
        assert "holding/0\t23.5" in text
        other = Authority(tmp_path, "other").sign("stranger")
        files = ("--ca", str(client.ca), "--certificate", str(other.certificate), "--key", str(other.key))
        code, _, said = scada("read", one.endpoint(), "holding/0-1", *files)
        assert code == 1
        assert one.endpoint() in said


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["read", "http://plc", "coil/0"], 2, "does not begin with tcp://"),
        (["read", "tcp://127.0.0.1:1", "coil/0"], 1, "Is the address right"),
        (["read", "/dev/no-such-port", "coil/0"], 1, "allowed to this user"),
        (["read", "tls://127.0.0.1", "coil/0"], 2, "add --ca, --certificate, --key"),
        (["read", "rtu:///dev/ttyUSB0", "coil/0", "--baud", "5"], 2, "no usual speed"),
        (["read", "tcp://127.0.0.1", "coil/0", "--baud", "9600"], 2, "serial"),
        (["read", "tcp://127.0.0.1", "coil/0", "--timeout", "5"], 2, "not a duration"),
        (["read", "tcp://127.0.0.1", "coils/0"], 2, "Write coil/0"),
        (["read", "tcp://127.0.0.1", "00001"], 2, "Write coil/0"),
        (["read", "tcp://127.0.0.1", "coil/0", "--as", "int8"], 2, "--as int8"),
        (["scan", "tcp://127.0.0.1", "--units", "5-1"], 2, "the smaller one first"),
        (["scan", "/dev/ttyUSB0", "--units", "0-5"], 2, "units 1 … 247"),
        (["scan", "tcp://127.0.0.1", "--units", "a"], 2, "1-10,21,255"),
        (["dump", "tcp://127.0.0.1"], 2, "Which addresses?"),
        (["dump", "tcp://127.0.0.1", "coil/0", "--every", "0s"], 2, "above 0"),
    ],
)  # fmt: skip
def test_mistakes_are_said_in_a_sentence(arguments: list[str], code: int, says: str) -> None:
    ended, _, said = scada(*arguments)
    assert (ended, says in said) == (code, True), said


def test_endpoints_may_be_short() -> None:
    assert modbus_options._endpoint("192.168.10.11") == "tcp://192.168.10.11"
    assert modbus_options._endpoint("/dev/ttyUSB0") == "rtu:///dev/ttyUSB0"
