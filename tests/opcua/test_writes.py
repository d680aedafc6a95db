"""What a client is told about each node that it writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from asyncua import Client, ua

from tests.client.plant import Responder, answers
from tests.opcua.conftest import Running
from tests.opcua.test_server import signed_in

pytestmark = pytest.mark.asyncio(loop_scope="module")

A, CODES = ua.AttributeIds, ua.StatusCodes
LEVEL, SET_POINT = (ua.NodeId(path, 2) for path in ("tank1/LT-101", "tank1/LIC-101/SP"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def anna(server_of: Running, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    folder: Path = tmp_path_factory.mktemp("anna")
    client = await signed_in(server_of, folder, "anna")
    yield client
    await client.disconnect()


def item(node: ua.NodeId, value: Any = 2.5, attribute: int = A.Value, **more: Any) -> ua.WriteValue:
    return ua.WriteValue(node, ua.IntegerId(attribute), Value=ua.DataValue(ua.Variant(value)), **more)


async def test_each_node_has_a_status_of_its_own(running: Running, anna: Client) -> None:
    responder = Responder(running.plant, answers("accepted", "confirmed"))
    cases = [
        (item(SET_POINT), 0),
        (item(LEVEL), CODES.BadNotWritable),
        (item(ua.NodeId("nowhere", 2)), CODES.BadNodeIdUnknown),
        (item(ua.NodeId(99999)), CODES.BadNodeIdUnknown),
        (item(SET_POINT, "x", A.DisplayName), CODES.BadNotWritable),
        (item(SET_POINT, 1, A.EventNotifier), CODES.BadAttributeIdInvalid),
        (item(SET_POINT, 1, 99), CODES.BadAttributeIdInvalid),
        (item(SET_POINT, IndexRange="0:1"), CODES.BadWriteNotSupported),
        (item(SET_POINT, IndexRange="x"), CODES.BadIndexRangeInvalid),
        (item(SET_POINT, "high"), CODES.BadTypeMismatch),
        (item(ua.NodeId(ua.ObjectIds.Server_NamespaceArray), ["x"]), CODES.BadNotWritable),
    ]
    try:
        results = await anna.uaclient.write(ua.WriteParameters([one for one, _ in cases]))
    finally:
        responder.close()
    assert [one.value for one in results] == [code for _, code in cases]
    assert [request["items"] for request in responder.requests] == [[["tank1/LIC-101/SP", 2.5]]]


async def test_nothing_to_write_is_an_error(anna: Client) -> None:
    with pytest.raises(ua.uaerrors.BadNothingToDo):
        await anna.uaclient.write(ua.WriteParameters([]))


async def test_a_registered_node_is_written(running: Running, anna: Client) -> None:
    responder = Responder(running.plant, answers("accepted", "confirmed"))
    try:
        (node,) = await anna.register_nodes([anna.get_node(SET_POINT)])
        await node.write_value(3.0)
        await anna.unregister_nodes([node])
    finally:
        responder.close()
    assert [request["items"] for request in responder.requests] == [[["tank1/LIC-101/SP", 3.0]]]


async def test_who_wrote_reads_what_was_written(running: Running, anna: Client) -> None:
    """Control publishes behind the outcome, and between two looks of the server."""
    responder = Responder(running.plant, answers("accepted", "confirmed"))
    try:
        for value in (1.5, 1.75, 2.0):
            asyncio.get_running_loop().call_later(0.01, running.plant.put, "tank1/LIC-101/SP", value)
            await anna.get_node(SET_POINT).write_value(value)
            assert await anna.get_node(SET_POINT).read_value() == value
    finally:
        responder.close()
