"""A restart reads the standard nodes back; a useless copy is made anew."""

from __future__ import annotations

from pathlib import Path

import pytest
from asyncua import ua
from asyncua.server.address_space import AddressSpace, NodeManagementService
from asyncua.server.standard_address_space import standard_address_space

from scada.clock import SimulatedClock
from scada.opcua.sessions import SiteServer, SiteUsers
from scada.opcua.standard_nodes import copy_of, fill
from scada.users import Users

SERVER_STATUS = ua.NodeId(ua.ObjectIds.Server_ServerStatus)


async def filled(run: Path) -> AddressSpace:
    aspace = AddressSpace()
    await fill(aspace, NodeManagementService(aspace), run)
    return aspace


async def test_the_copy_holds_the_same_nodes(tmp_path: Path) -> None:
    made = await filled(tmp_path)
    assert copy_of(tmp_path).exists()
    stamp = copy_of(tmp_path).stat().st_mtime_ns
    read = await filled(tmp_path)
    assert copy_of(tmp_path).stat().st_mtime_ns == stamp
    assert set(read.keys()) == set(made.keys())
    assert len(read[SERVER_STATUS].references) == len(made[SERVER_STATUS].references)
    copy_of(tmp_path).write_bytes(copy_of(tmp_path).read_bytes()[:1000])
    again = await filled(tmp_path)
    assert set(again.keys()) == set(made.keys())
    assert copy_of(tmp_path).stat().st_size > 1_000_000


@pytest.mark.slow
@pytest.mark.parametrize("damage", [b"", b"no pickle"])
async def test_a_useless_copy_is_made_anew(tmp_path: Path, damage: bytes) -> None:
    copy_of(tmp_path).write_bytes(damage)
    assert SERVER_STATUS in await filled(tmp_path)


async def test_the_server_starts_from_the_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await filled(tmp_path)

    def must_not(*_: object) -> None:
        raise AssertionError("made anew although there is a copy")

    monkeypatch.setattr(standard_address_space, "fill_address_space", must_not)
    users = SiteUsers(Users(tmp_path / "users"), SimulatedClock(), lambda *_: None)
    server = SiteServer(users, tmp_path)
    await server.init()
    assert SERVER_STATUS in server.aspace
    await server.stop()
