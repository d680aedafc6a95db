"""Our driver against our simulated devices: both ends of every transport, on the event loop that the services use."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvloop

from scada.clock import SystemClock
from scada.field.driver import NoReplyError, RefusedError
from scada.field.modbus import Modbus
from scada.simulate.simulation import Simulation
from tags.model import Device, Tag
from tests.support.certificates import Authority

PEERS = [
    ("tcp", "native"),
    ("tcp", "pymodbus"),
    ("tls", "native"),
    ("tls", "pymodbus"),
    ("rtu+tcp", "native"),
    ("rtu", "native"),
]
LOOPS: list[Callable[[], asyncio.AbstractEventLoop]] = [uvloop.new_event_loop, asyncio.new_event_loop]


def site(scheme: str, client: str, folder: Path, role: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings of a device, and of what plays it; its name in the certificate is not its address."""
    config: dict[str, Any] = {"client": client, "unit_id": 3, "timeout": "400 ms"}
    if scheme in ("rtu", "rtu+tcp"):
        config["serial"] = {"baud": 115200}
    config["endpoint"] = f"rtu://{folder}/line" if scheme == "rtu" else f"{scheme}://127.0.0.1:0"
    if scheme != "tls":
        return config, {}
    authority = Authority(folder)
    config["tls"] = authority.sign("scada", role=role).tls.model_dump() | {"server_name": "plc1.plant"}
    played = authority.sign("plc1", names=("plc1.plant",)).tls.model_dump(exclude={"server_name"})
    return config, {"tls": {**played, "roles": {"operator": "write", "viewer": "read"}}}


def tags(config: Any) -> list[Tag]:
    """An output of two registers, a coil, a counting input."""
    places = {"a/OUT": ("holding/10", "float32"), "a/RUN": ("coil/3", "bool"), "a/N": ("input/0", "uint16")}
    return [
        Tag(
            id=n + 1, path=path, type=type_, kind="device", writer="field", row=n, device="PLC1", scan_ns=10**9,
            address=Modbus.parse_address(text, type_, config),
        )
        for n, (path, (text, type_)) in enumerate(places.items())
    ]  # fmt: skip


async def connected(session: Any) -> bool:
    """A handshake may take longer than a time-out on a busy machine."""
    for _ in range(10):
        if await session.link.connect():
            return True
    return False


async def meet(scheme: str, client: str, folder: Path, role: str) -> list[str]:
    """What happened, in words."""
    config, simulation = site(scheme, client, folder, role)
    device = Device(
        name="PLC1", driver="modbus", service="field", config=config, simulate="memory", simulation=simulation
    )
    played = Simulation([device], SystemClock())
    await played.start()
    try:
        if scheme != "rtu":
            config["endpoint"] = f"{scheme}://127.0.0.1:{played.servers['PLC1'].port}"
        settings = Modbus.Config.model_validate(config)
        session = Modbus(SystemClock()).session(settings, tags(settings))
        registers = played.plants["PLC1"].registers
        said = []
        assert await connected(session)
        try:
            await session.write(0, int(np.float64(2.5).view(np.uint64)), "")
            await session.write(1, 1, "")
            said.append("written")
        except RefusedError as error:
            said.append(f"refused {error.code}")
        done = 0
        while done < session.count(0):
            done += await session.fetch(0, done)
        reading = session.reading(0)
        values = dict(zip(reading.members.tolist(), reading.bits.tolist(), strict=True))
        assert (reading.status == 0).all()
        assert values[2] == registers.inputs[0]
        said.append(f"{np.uint64(values[0]).view(np.float64)} {values[1]}")
        await played.handle(b'{"device": "PLC1", "do": "freeze"}')
        with pytest.raises(NoReplyError):
            await session.fetch(0, 0)
        await played.handle(b'{"device": "PLC1", "do": "clear"}')
        for _ in range(20):
            if session.link.open or await connected(session):
                with contextlib.suppress(NoReplyError):
                    await session.fetch(0, 0)
                    said.append("back")
                    break
        session.link.close()
        return said
    finally:
        await played.close()


@pytest.mark.parametrize("loop", LOOPS, ids=["uvloop", "asyncio"])
@pytest.mark.parametrize(("scheme", "client"), PEERS)
def test_both_ends_of_every_transport(
    scheme: str, client: str, loop: Callable[[], asyncio.AbstractEventLoop], tmp_path: Path
) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(meet(scheme, client, tmp_path, "operator")) == ["written", "2.5 1", "back"]


@pytest.mark.parametrize("client", ["native", "pymodbus"])
@pytest.mark.parametrize(("role", "read"), [("viewer", True), ("stranger", False)])
def test_a_role_that_may_only_read(client: str, role: str, read: bool, tmp_path: Path) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if read:
            assert runner.run(meet("tls", client, tmp_path, role)) == ["refused 1", "0.0 0", "back"]
        else:
            with pytest.raises(AssertionError, match="status"):
                runner.run(meet("tls", client, tmp_path, role))


def replace(folder: Path, trusted: Path, role: str) -> None:
    """Puts a certificate of another authority, with another role, in place of ours; the device trusts both."""
    authority = Authority(folder, "renewed")
    authority.sign("scada", role=role)
    trusted.write_bytes(trusted.read_bytes() + authority.path.read_bytes())


async def renew(client: str, folder: Path) -> list[int]:
    """What a write met before and after the certificate was renewed with another role: exception code, or 0."""
    config, simulation = site("tls", client, folder, "viewer")
    device = Device(
        name="PLC1", driver="modbus", service="field", config=config, simulate="memory", simulation=simulation
    )
    played = Simulation([device], SystemClock())
    await played.start()
    try:
        config["endpoint"] = f"tls://127.0.0.1:{played.servers['PLC1'].port}"
        settings = Modbus.Config.model_validate(config)
        session = Modbus(SystemClock()).session(settings, tags(settings))
        codes = []
        for role in ("operator", None):
            assert await connected(session)
            try:
                await session.write(1, 1, "")
                codes.append(0)
            except RefusedError as error:
                codes.append(error.code)
            session.link.close()
            if role is not None:
                replace(folder, Path(simulation["tls"]["ca"]), role)
                await played.servers["PLC1"].unplug()
                await played.servers["PLC1"].follow()
        return codes
    finally:
        await played.close()


@pytest.mark.parametrize("client", ["native", "pymodbus"])
def test_a_renewed_certificate_counts_from_the_next_connection_on(client: str, tmp_path: Path) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(renew(client, tmp_path)) == [1, 0]
