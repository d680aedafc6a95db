"""A restart reads the standard nodes back; a useless copy is made anew."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest
from asyncua import ua
from asyncua.server.address_space import AddressSpace, NodeManagementService
from asyncua.server.standard_address_space import standard_address_space

from scada.clock import SimulatedClock
from scada.opcua.nodes.standard import copy_of, fill, keep, write
from scada.opcua.security.passwords import SiteUsers
from scada.opcua.security.sessions import SiteServer
from scada.users import Users
from tests.support.wait import until

SERVER_STATUS = ua.NodeId(ua.ObjectIds.Server_ServerStatus)


async def filled(run: Path) -> AddressSpace:
    aspace = AddressSpace()
    await fill(aspace, NodeManagementService(aspace), run)
    return aspace


def files(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


@pytest.fixture(scope="module")
def made_in(tmp_path_factory: pytest.TempPathFactory) -> tuple[AddressSpace, Path]:
    """The nodes as asyncua makes them, and the folder of their copy."""
    folder = tmp_path_factory.mktemp("made")
    made = asyncio.run(filled(folder))
    assert not files(folder)  # nobody waits until it is written
    write(folder)
    return made, folder


async def test_the_copy_holds_the_same_nodes(made_in: tuple[AddressSpace, Path], tmp_path: Path) -> None:
    made, folder = made_in
    shutil.copy2(copy_of(folder), copy_of(tmp_path))
    stamp = copy_of(tmp_path).stat().st_mtime_ns
    read = await filled(tmp_path)
    assert copy_of(tmp_path).stat().st_mtime_ns == stamp
    assert set(read.keys()) == set(made.keys())
    assert len(read[SERVER_STATUS].references) == len(made[SERVER_STATUS].references)


@pytest.mark.slow
@pytest.mark.parametrize("kept", [0, 1000])
async def test_a_useless_copy_is_made_anew(
    made_in: tuple[AddressSpace, Path], tmp_path: Path, kept: int
) -> None:
    made, folder = made_in
    copy_of(tmp_path).write_bytes(copy_of(folder).read_bytes()[:kept] or b"no pickle")
    again = await filled(tmp_path)
    assert set(again.keys()) == set(made.keys())
    await keep(tmp_path, 0)
    assert files(tmp_path) == [copy_of(tmp_path).name]
    assert copy_of(tmp_path).stat().st_size > 1_000_000


async def test_the_copy_is_not_written_after_the_end_of_the_service(tmp_path: Path) -> None:
    writing = asyncio.create_task(keep(tmp_path, 0))
    await until(lambda: bool(files(tmp_path)), "it writes", 30)
    (beside,) = files(tmp_path)
    writing.cancel()
    await asyncio.wait({writing})
    with pytest.raises(ProcessLookupError):
        os.kill(int(beside.rsplit(".", 1)[1]), 0)
    assert not files(tmp_path)


async def test_the_server_starts_from_the_copy(
    made_in: tuple[AddressSpace, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy2(copy_of(made_in[1]), copy_of(tmp_path))

    def must_not(*_: object) -> None:
        raise AssertionError("made anew although there is a copy")

    monkeypatch.setattr(standard_address_space, "fill_address_space", must_not)
    users = SiteUsers(Users(tmp_path / "users"), SimulatedClock(), lambda *_: None)
    server = SiteServer(users, tmp_path)
    await server.init()
    assert SERVER_STATUS in server.aspace
    await server.stop()
